/** What nodes of one database know of each other: which changes there were, and who is there. */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('change_log')
    .addColumn('epoch', 'bigint', column => column.primaryKey().notNull())
    .addColumn('changes', 'text', column => column.notNull())
    .execute()
  await db.schema
    .createTable('presence')
    .addColumn('node_id', 'text', column => column.primaryKey().notNull())
    .addColumn('schema_version', 'text', column => column.notNull())
    .addColumn('seen_time', 'bigint', column => column.notNull())
    .execute()
}

export const nodes: Migration = { up }
