/** Brings a database to the tables this program knows. Forward only; one node at a time; each migration wholly or not. */
import type { Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'
import { DEFAULT_MIGRATION_TABLE, Migrator } from 'kysely/migration'
import { sql } from 'kysely'
import { ApiError } from '../domain/error.ts'
import { init } from './migrations/0001-init.ts'
import { money } from './migrations/0002-money.ts'
import { leases } from './migrations/0003-leases.ts'
import { quota } from './migrations/0004-quota.ts'
import { prices } from './migrations/0005-prices.ts'
import { nodes } from './migrations/0006-nodes.ts'
import { people } from './migrations/0007-people.ts'
import { iam } from './migrations/0008-iam.ts'
import { secrets } from './migrations/0009-secrets.ts'
import { auditChain } from './migrations/0010-audit-chain.ts'
import { usageParts } from './migrations/0011-usage-parts.ts'
import { usageKinds } from './migrations/0012-usage-kinds.ts'
import { tierMoney } from './migrations/0015-tier-money.ts'
import { capHits } from './migrations/0016-cap-hits.ts'
import { refusals } from './migrations/0017-refusals.ts'
import { auditStatus } from './migrations/0018-audit-status.ts'
import { callBodies } from './migrations/0020-call-bodies.ts'
import { moments } from './migrations/0021-moments.ts'
import type { Database } from './schema.ts'

/** In the order of their names, which is the order in which they run. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001-init': init,
  '0002-money': money,
  '0003-leases': leases,
  '0004-quota': quota,
  '0005-prices': prices,
  '0006-nodes': nodes,
  '0007-people': people,
  '0008-iam': iam,
  '0009-secrets': secrets,
  '0010-audit-chain': auditChain,
  '0011-usage-parts': usageParts,
  '0012-usage-kinds': usageKinds,
  '0015-tier-money': tierMoney,
  '0016-cap-hits': capHits,
  '0017-refusals': refusals,
  '0018-audit-status': auditStatus,
  '0020-call-bodies': callBodies,
  '0021-moments': moments,
}

/** STATE_CONFLICT when the database was written by a newer program. Reads only. */
export async function refuseNewer(db: Kysely<Database>): Promise<void> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
  if (tables.some(table => table.name === DEFAULT_MIGRATION_TABLE)) await refuseMigratedBeyond(db)
}

/** The same for a database that this program has migrated before: another one may have brought it further since. */
export async function refuseMigratedBeyond(db: Kysely<Database>): Promise<void> {
  const { rows } = await sql<{
    name: string
  }>`select name from ${sql.table(DEFAULT_MIGRATION_TABLE)}`.execute(db)
  const unknown = rows.map(row => row.name).filter(name => !Object.hasOwn(MIGRATIONS, name))
  const found = unknown.sort().at(-1)
  if (found === undefined) return
  throw new ApiError(
    'STATE_CONFLICT',
    `The database is at version ${found}; this Pollux knows versions up to ${NEWEST_VERSION}. Databases only go forward: ` +
      'run the newer Pollux that wrote it, or restore a backup from before the upgrade. Nothing was changed.',
  )
}

/** The newest version there is, and with it the tables this program knows. */
export const NEWEST_VERSION = Object.keys(MIGRATIONS).sort().at(-1) ?? ''

/** The version a database is at; null when it has none of our tables. */
export async function versionOf(db: Kysely<Database>): Promise<string | null> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true })
  if (!tables.some(table => table.name === DEFAULT_MIGRATION_TABLE)) return null
  const { rows } = await sql<{ name: string | null }>`
    select max(name) as name from ${sql.table(DEFAULT_MIGRATION_TABLE)}`.execute(db)
  return rows[0]?.name ?? null
}

/** Runs what has not run yet. */
export async function migrate(db: Kysely<Database>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => MIGRATIONS } })
  const { error } = await migrator.migrateToLatest()
  if (error instanceof Error) throw error
  if (error !== undefined) throw new Error('a migration failed', { cause: error })
}
