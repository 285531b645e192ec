/** One table of usage records per UTC month, made when its first record comes; retention will drop whole tables. */
import type { Kysely } from 'kysely'
import type { Engine } from './engine.ts'
import { NULLABLE_RECORD_COLUMNS, RECORD_COLUMNS } from './record-row.ts'
import type { Db } from './schema.ts'

/** The name of the table of a block such as `202611`. */
export function recordTable(block: string): string {
  if (!/^\d{6}$/.test(block)) throw new Error(`${block} is no month`)
  return `usage_record_${block}`
}

/** The blocks there are, newest first. */
export async function listBlocks(db: Db): Promise<readonly string[]> {
  const rows = await db.selectFrom('usage_block').select('block').orderBy('block', 'desc').execute()
  return rows.map(row => row.block)
}

/** Makes the block if it is not there, and the watermark of this node in it. */
export async function ensureBlock(engine: Engine, block: string, nodeId: string): Promise<void> {
  await engine.db.transaction().execute(async trx => {
    await engine.lockSchema(trx)
    await createRecordTable(trx as unknown as Kysely<unknown>, recordTable(block))
    await trx
      .insertInto('usage_block')
      .values({ block, create_time: await engine.nowMs(trx) })
      .onConflict(conflict => conflict.doNothing())
      .execute()
    await trx
      .insertInto('usage_watermark')
      .values({ node_id: nodeId, block, seq: 0 })
      .onConflict(conflict => conflict.doNothing())
      .execute()
  })
}

async function createRecordTable(db: Kysely<unknown>, name: string): Promise<void> {
  let table = db.schema
    .createTable(name)
    .ifNotExists()
    .addColumn('node_id', 'text', column => column.notNull())
    .addColumn('seq', 'bigint', column => column.notNull())
  for (const { name, kind } of RECORD_COLUMNS) {
    table = table.addColumn(name, kind, column =>
      NULLABLE_RECORD_COLUMNS.has(name) ? column : column.notNull(),
    )
  }
  await table.addPrimaryKeyConstraint(`${name}_pk`, ['node_id', 'seq']).execute()
  for (const [index, column] of [
    ['by_project', 'project_number'],
    ['by_key', 'key_uid'],
  ] as const) {
    await db.schema
      .createIndex(`${name}_${index}`)
      .ifNotExists()
      .on(name)
      .columns([column, 'start_time'])
      .execute()
  }
}
