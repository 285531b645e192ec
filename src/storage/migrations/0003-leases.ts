/** Several nodes on one database: who is alive until when, which money is called back, and what lost nodes had. */
import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import type { Migration } from 'kysely/migration'

async function createNodes(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('node')
    .addColumn('id', 'text', column => column.primaryKey().notNull())
    .addColumn('epoch', 'bigint', column => column.notNull())
    .addColumn('lease_time', 'bigint')
    .addColumn('start_time', 'bigint', column => column.notNull())
    .execute()
  // Nodes from before this version, as far as they left anything: their lease has run out.
  await sql`
    insert into node (id, epoch, lease_time, start_time)
    select distinct node_id, 0, 0, 0 from allotment`.execute(db)
  await db.schema
    .createTable('recall')
    .addColumn('row_id', 'bigint', column => column.notNull())
    .addColumn('node_id', 'text', column => column.notNull())
    .addColumn('kind', 'text', column => column.notNull())
    .addColumn('time', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('recall_pk', ['row_id', 'node_id', 'kind'])
    .execute()
}

/** Made anew: SQLite cannot drop the constraint that a node has one allotment of a row, lost ones included. */
async function extendAllotments(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('allotment_next')
    .addColumn('id', 'text', column => column.primaryKey().notNull())
    .addColumn('node_id', 'text', column => column.notNull())
    .addColumn('row_id', 'bigint', column => column.notNull())
    .addColumn('granted', 'bigint', column => column.notNull())
    .addColumn('settled', 'bigint', column => column.notNull())
    .addColumn('open_time', 'bigint', column => column.notNull())
    .addColumn('lost_time', 'bigint')
    .addForeignKeyConstraint('allotment_next_row', ['row_id'], 'budget_period', ['id'])
    .execute()
  await sql`
    insert into allotment_next (id, node_id, row_id, granted, settled, open_time)
    select id, node_id, row_id, granted, settled, open_time from allotment`.execute(db)
  await db.schema.dropTable('allotment').execute()
  await db.schema.alterTable('allotment_next').renameTo('allotment').execute()
  await db.schema
    .createIndex('allotment_open')
    .unique()
    .on('allotment')
    .columns(['row_id', 'node_id'])
    .where(sql.ref('lost_time'), 'is', null)
    .execute()
  await db.schema.createIndex('allotment_by_row').on('allotment').column('row_id').execute()
  await db.schema.createIndex('allotment_by_node').on('allotment').column('node_id').execute()
}

async function up(db: Kysely<unknown>): Promise<void> {
  await createNodes(db)
  await extendAllotments(db)
}

export const leases: Migration = { up }
