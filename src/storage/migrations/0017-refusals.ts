/** How often which limit refused calls: sums by hour. */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('refusal_hour')
    .addColumn('project_number', 'text', column => column.notNull())
    .addColumn('bucket_time', 'bigint', column => column.notNull())
    .addColumn('reason', 'text', column => column.notNull())
    .addColumn('scope', 'text', column => column.notNull())
    .addColumn('metric', 'text', column => column.notNull())
    .addColumn('model', 'text', column => column.notNull())
    .addColumn('key_uid', 'text', column => column.notNull())
    .addColumn('calls', 'bigint', column => column.notNull())
    .addColumn('last_time', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('refusal_hour_pk', [
      'project_number',
      'bucket_time',
      'reason',
      'scope',
      'metric',
      'model',
      'key_uid',
    ])
    .execute()
}

export const refusals: Migration = { up }
