/** Sealed secrets, the master key they are sealed under, and projects whose keys can be recovered. */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('master_key')
    .addColumn('id', 'bigint', column => column.primaryKey().notNull())
    .addColumn('key_id', 'text', column => column.notNull())
    .addColumn('check_value', 'text', column => column.notNull())
    .addColumn('update_time', 'bigint', column => column.notNull())
    .execute()
  await db.schema
    .createTable('secret')
    .addColumn('table_name', 'text', column => column.notNull())
    .addColumn('row_id', 'text', column => column.notNull())
    .addColumn('column_name', 'text', column => column.notNull())
    .addColumn('project_number', 'text')
    .addColumn('version', 'bigint', column => column.notNull())
    .addColumn('sealed', 'text', column => column.notNull())
    .addPrimaryKeyConstraint('secret_pk', ['table_name', 'row_id', 'column_name'])
    .execute()
  await db.schema
    .alterTable('project')
    .addColumn('recoverable_keys', 'bigint', column => column.notNull().defaultTo(0))
    .execute()
}

export const secrets: Migration = { up }
