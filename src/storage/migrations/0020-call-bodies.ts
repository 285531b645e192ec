/** What was asked and answered in calls, where a project keeps that. */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('project').addColumn('body_retention_hours', 'bigint').execute()
  await db.schema
    .createTable('call_body')
    .addColumn('call_id', 'text', column => column.primaryKey().notNull())
    .addColumn('project_number', 'text', column => column.notNull())
    .addColumn('key_uid', 'text', column => column.notNull())
    .addColumn('create_time', 'bigint', column => column.notNull())
    .addColumn('expire_time', 'bigint', column => column.notNull())
    .addColumn('sealed', 'text', column => column.notNull())
    .execute()
  // All that pruning looks at, so that it never reads a body.
  await db.schema
    .createIndex('call_body_by_time')
    .on('call_body')
    .columns(['project_number', 'create_time', 'expire_time', 'call_id'])
    .execute()
}

export const callBodies: Migration = { up }
