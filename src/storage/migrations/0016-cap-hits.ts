/** Which budgets refused calls, when, and how many. */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

export const capHits: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('cap_hit')
      .addColumn('budget_uid', 'text', column => column.notNull())
      .addColumn('period_start', 'bigint', column => column.notNull())
      .addColumn('reason', 'text', column => column.notNull())
      .addColumn('calls', 'bigint', column => column.notNull())
      .addColumn('first_time', 'bigint', column => column.notNull())
      .addColumn('last_time', 'bigint', column => column.notNull())
      .addColumn('last_project_number', 'text', column => column.notNull())
      .addColumn('last_key_uid', 'text', column => column.notNull())
      .addColumn('last_call_id', 'text', column => column.notNull())
      .addPrimaryKeyConstraint('cap_hit_pk', ['budget_uid', 'period_start', 'reason'])
      .execute()
    await db.schema.createIndex('cap_hit_by_time').on('cap_hit').column('last_time').execute()
  },
}
