/** Money: budgets and their periods, allotments, the ledger's own entries, and what a call cost on its record. */
import type { CreateTableBuilder, Kysely } from 'kysely'
import { sql } from 'kysely'
import type { Migration } from 'kysely/migration'

const RECORD_AMOUNTS = ['posted_nanos', 'held_nanos']
const RECORD_NULLABLE_BIGINTS = ['cost_nanos', 'clamped_output_tokens']
const ROLLUP_SUMS = ['cost_nanos', 'unpriced', 'overrun_nanos']

async function createBudgets(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('budget')
    .addColumn('uid', 'text', column => column.primaryKey().notNull())
    .addColumn('scope', 'text', column => column.notNull())
    .addColumn('project_number', 'text', column => column.notNull())
    .addColumn('lineage', 'text', column => column.notNull())
    .addColumn('period', 'text', column => column.notNull())
    .addColumn('cap', 'bigint', column => column.notNull())
    .addColumn('policy', 'text', column => column.notNull())
    .addColumn('default_max_output_tokens', 'bigint')
    .addColumn('tool_ceilings', 'text', column => column.notNull())
    .addColumn('frozen_time', 'bigint')
    .addColumn('etag', 'text', column => column.notNull())
    .addColumn('create_time', 'bigint', column => column.notNull())
    .addColumn('update_time', 'bigint', column => column.notNull())
    .addColumn('delete_time', 'bigint')
    .execute()
  await db.schema
    .createIndex('budget_live')
    .unique()
    .on('budget')
    .columns(['scope', 'project_number', 'lineage', 'period'])
    .where(sql.ref('delete_time'), 'is', null)
    .execute()
  await db.schema
    .createTable('budget_period')
    .addColumn('id', 'bigint', column => column.primaryKey().notNull())
    .addColumn('budget_uid', 'text', column => column.notNull())
    .addColumn('period_start', 'bigint', column => column.notNull())
    .addColumn('posted', 'bigint', column => column.notNull())
    .addColumn('allotted', 'bigint', column => column.notNull())
    .addColumn('overrun', 'bigint', column => column.notNull())
    .addColumn('acknowledged', 'bigint', column => column.notNull())
    .addUniqueConstraint('budget_period_unique', ['budget_uid', 'period_start'])
    .addForeignKeyConstraint('budget_period_budget', ['budget_uid'], 'budget', ['uid'])
    .execute()
}

async function createLedger(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('allotment')
    .addColumn('id', 'text', column => column.primaryKey().notNull())
    .addColumn('node_id', 'text', column => column.notNull())
    .addColumn('row_id', 'bigint', column => column.notNull())
    .addColumn('granted', 'bigint', column => column.notNull())
    .addColumn('settled', 'bigint', column => column.notNull())
    .addColumn('open_time', 'bigint', column => column.notNull())
    .addColumn('expire_time', 'bigint')
    .addUniqueConstraint('allotment_unique', ['row_id', 'node_id'])
    .addForeignKeyConstraint('allotment_row', ['row_id'], 'budget_period', ['id'])
    .execute()
  await db.schema.createIndex('allotment_by_node').on('allotment').column('node_id').execute()
  await db.schema
    .createTable('ledger_entry')
    .addColumn('row_id', 'bigint', column => column.notNull())
    .addColumn('kind', 'text', column => column.notNull())
    .addColumn('nanos', 'bigint', column => column.notNull())
    .addColumn('node_id', 'text')
    .addColumn('time', 'bigint', column => column.notNull())
    .addForeignKeyConstraint('ledger_entry_row', ['row_id'], 'budget_period', ['id'])
    .execute()
  await db.schema.createIndex('ledger_entry_by_row').on('ledger_entry').column('row_id').execute()
}

async function giveKeysLineage(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('key')
    .addColumn('lineage', 'text', column => column.notNull().defaultTo(''))
    .execute()
  await sql`update key set lineage = uid`.execute(db)
  await db.schema.createIndex('key_by_lineage').on('key').column('lineage').execute()
}

async function addAmounts(db: Kysely<unknown>, table: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await db.schema
      .alterTable(table)
      .addColumn(name, 'bigint', column => column.notNull().defaultTo(0))
      .execute()
  }
}

/** Months that have records already; later ones are made with these columns. */
async function extendRecords(db: Kysely<unknown>): Promise<void> {
  const { rows } = await sql<{ block: string }>`select block from usage_block`.execute(db)
  for (const { block } of rows) {
    const table = `usage_record_${block}`
    await addAmounts(db, table, RECORD_AMOUNTS)
    for (const name of RECORD_NULLABLE_BIGINTS) {
      await db.schema.alterTable(table).addColumn(name, 'bigint').execute()
    }
    await db.schema
      .alterTable(table)
      .addColumn('ledger', 'text', column => column.notNull().defaultTo(''))
      .execute()
    await moveKeyIndex(db, block)
  }
}

/** The index by key becomes a table of spans; what was folded before is one span for each key and node. */
async function moveKeyIndex(db: Kysely<unknown>, block: string): Promise<void> {
  const table = `usage_key_${block}`
  await db.schema.dropIndex(`usage_record_${block}_by_key`).execute()
  let created: CreateTableBuilder<string, string> = db.schema.createTable(table)
  for (const name of ['key_uid', 'last_start_time', 'node_id', 'first_seq', 'last_seq']) {
    const type = name === 'key_uid' || name === 'node_id' ? 'text' : 'bigint'
    created = created.addColumn(name, type, column => column.notNull())
  }
  await created
    .addPrimaryKeyConstraint(`${table}_pk`, ['key_uid', 'last_start_time', 'node_id', 'first_seq'])
    .execute()
  await sql`
    insert into ${sql.table(table)} (key_uid, last_start_time, node_id, first_seq, last_seq)
    select r.key_uid, max(r.start_time), r.node_id, min(r.seq), max(r.seq)
    from ${sql.table(`usage_record_${block}`)} as r
    join usage_watermark as w on w.node_id = r.node_id and w.block = ${block} and r.seq <= w.seq
    group by r.key_uid, r.node_id`.execute(db)
}

async function up(db: Kysely<unknown>): Promise<void> {
  await createBudgets(db)
  await createLedger(db)
  await giveKeysLineage(db)
  await extendRecords(db)
  for (const width of ['minute', 'hour', 'day']) await addAmounts(db, `usage_${width}`, ROLLUP_SUMS)
}

export const money: Migration = { up }
