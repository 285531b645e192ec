/** Rates: limits of projects and keys, the operator's tiers, and which tier a project has. */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('project').addColumn('tier', 'text').execute()
  await db.schema
    .createTable('tier')
    .addColumn('id', 'text', column => column.primaryKey().notNull())
    .addColumn('display_name', 'text', column => column.notNull())
    .addColumn('quota_id_suffix', 'text', column => column.notNull())
    .addColumn('limits', 'text', column => column.notNull())
    .addColumn('allowed_models', 'text')
    .addColumn('allowed_methods', 'text')
    .addColumn('allowed_tools', 'text')
    .addColumn('etag', 'text', column => column.notNull())
    .addColumn('create_time', 'bigint', column => column.notNull())
    .addColumn('update_time', 'bigint', column => column.notNull())
    .execute()
  await db.schema
    .createTable('quota_limit')
    .addColumn('project_number', 'text', column => column.notNull())
    .addColumn('lineage', 'text', column => column.notNull())
    .addColumn('metric', 'text', column => column.notNull())
    .addColumn('model', 'text', column => column.notNull())
    .addColumn('value', 'bigint', column => column.notNull())
    .addColumn('update_time', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('quota_limit_pk', ['project_number', 'lineage', 'metric', 'model'])
    .execute()
}

export const quota: Migration = { up }
