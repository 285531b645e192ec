/** Prices that an operator set: of one model from one moment on. */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

export const prices: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('price_override')
      .addColumn('uid', 'text', column => column.primaryKey().notNull())
      .addColumn('model', 'text', column => column.notNull())
      .addColumn('effective_time', 'bigint', column => column.notNull())
      .addColumn('fields', 'text', column => column.notNull())
      .addColumn('create_time', 'bigint', column => column.notNull())
      // A price holds until the model's next one, so dates overlap only where they are the same.
      .addUniqueConstraint('price_override_unique', ['model', 'effective_time'])
      .execute()
  },
}
