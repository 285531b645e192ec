/** When a call was received, let in and answered to the end: columns of the records, also of those of the months there are. */
import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const COLUMNS = ['received_us', 'admitted_us', 'last_byte_us']

async function up(db: Kysely<unknown>): Promise<void> {
  const { rows } = await sql<{ block: string }>`select block from usage_block`.execute(db)
  for (const { block } of rows)
    for (const column of COLUMNS)
      await db.schema.alterTable(`usage_record_${block}`).addColumn(column, 'bigint').execute()
}

export const moments: Migration = { up }
