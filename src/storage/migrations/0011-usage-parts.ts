/** A watermark for each part of the keys, so that records are folded in several transactions. */
import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const PARTS = 64

async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('usage_watermark').renameTo('usage_watermark_before').execute()
  await db.schema
    .createTable('usage_watermark')
    .addColumn('node_id', 'text', column => column.notNull())
    .addColumn('block', 'text', column => column.notNull())
    .addColumn('part', 'bigint', column => column.notNull())
    .addColumn('seq', 'bigint', column => column.notNull())
    // PostgreSQL keeps the name of the renamed table's constraint taken.
    .addPrimaryKeyConstraint('usage_watermark_by_part', ['node_id', 'block', 'part'])
    .execute()
  for (let part = 0; part < PARTS; part += 1) {
    await sql`
      insert into usage_watermark (node_id, block, part, seq)
      select node_id, block, ${sql.lit(part)}, seq from usage_watermark_before`.execute(db)
  }
  await db.schema.dropTable('usage_watermark_before').execute()
}

export const usageParts: Migration = { up }
