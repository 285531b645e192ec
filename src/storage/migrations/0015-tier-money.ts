/** What a tier says of money: its cap and its price factor, and on each record the factor that its cost was counted with. */
import { type Kysely, sql } from 'kysely'
import type { Migration } from 'kysely/migration'

async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('tier').addColumn('spend_cap', 'bigint').execute()
  await db.schema.alterTable('tier').addColumn('price_basis_points', 'bigint').execute()
  const { rows } = await sql<{ block: string }>`select block from usage_block`.execute(db)
  for (const { block } of rows)
    await db.schema.alterTable(`usage_record_${block}`).addColumn('price_basis_points', 'bigint').execute()
}

export const tierMoney: Migration = { up }
