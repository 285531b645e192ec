/**
 * Rollups by status, with durations and modalities, and a second set of them without keys. They are sums of records, which
 * are all there: so they are made anew, and the first folds after this migration fill them.
 */
import type { CreateTableBuilder, Kysely } from 'kysely'
import { sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const KEY_PARTS = 64
const PARTS = 80
const SUMS = [
  'calls',
  'errors',
  'estimated',
  'prompt_tokens',
  'cached_tokens',
  'tool_use_prompt_tokens',
  'candidates_tokens',
  'thoughts_tokens',
  'total_tokens',
  'request_bytes',
  'response_bytes',
  'cost_nanos',
  'unpriced',
  'overrun_nanos',
  'image_tokens',
  'audio_tokens',
  'video_tokens',
  'document_tokens',
  'duration_ms',
  'duration_max_ms',
]

/** `who`: the column that tells the two sets apart. */
async function createRollup(db: Kysely<unknown>, name: string, who: string): Promise<void> {
  let table: CreateTableBuilder<string, string> = db.schema.createTable(name)
  const group = ['project_number', 'bucket_time', who, 'model', 'method', 'http_status']
  for (const column of group) {
    const type = column === 'bucket_time' || column === 'http_status' ? 'bigint' : 'text'
    table = table.addColumn(column, type, definition => definition.notNull())
  }
  for (const sum of SUMS) table = table.addColumn(sum, 'bigint', definition => definition.notNull())
  await table.addPrimaryKeyConstraint(`${name}_by_group`, group).execute()
}

async function up(db: Kysely<unknown>): Promise<void> {
  for (const width of ['minute', 'hour', 'day']) {
    await db.schema.dropTable(`usage_${width}`).execute()
    await createRollup(db, `usage_${width}`, 'key_uid')
    await createRollup(db, `usage_project_${width}`, 'environment')
  }
  for (const width of ['minute', 'hour']) {
    const name = `usage_${width}`
    await db.schema.createIndex(`${name}_by_key`).on(name).columns(['key_uid', 'bucket_time']).execute()
  }
  // The keys that count most are found by reading this index alone.
  await db.schema
    .createIndex('usage_day_by_key')
    .on('usage_day')
    .columns(['key_uid', 'bucket_time', 'project_number', 'calls', 'cost_nanos'])
    .execute()
  const { rows } = await sql<{ block: string }>`select block from usage_block`.execute(db)
  for (const { block } of rows) await sql`delete from ${sql.table(`usage_key_${block}`)}`.execute(db)
  await sql`update usage_watermark set seq = 0`.execute(db)
  for (let part = KEY_PARTS; part < PARTS; part += 1) {
    await sql`
      insert into usage_watermark (node_id, block, part, seq)
      select node_id, block, ${sql.lit(part)}, 0 from usage_watermark where part = 0`.execute(db)
  }
}

export const usageKinds: Migration = { up }
