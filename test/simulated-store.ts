/**
 * The database of a simulation: the real schema and the real statements on SQLite in memory, as a database of several
 * nodes. Transactions come one after the other; what happens on their way there and back is the simulation's.
 */
import { DatabaseSync } from 'node:sqlite'
import type { Dialect, KyselyPlugin, RootOperationNode } from 'kysely'
import { Kysely } from 'kysely'
import { ApiError } from '../src/domain/error.ts'
import { KeyRing } from '../src/secrets/master-key.ts'
import { AuditChain, signFirstHead } from '../src/storage/audit-chain.ts'
import { type Engine, openEngine } from '../src/storage/engine.ts'
import { migrate } from '../src/storage/migrate.ts'
import { BlockClock } from '../src/storage/record-row.ts'
import type { Database } from '../src/storage/schema.ts'
import { nodeSqliteDialect } from '../src/storage/sqlite-dialect.ts'
import { createBlock, recordTable } from '../src/storage/usage-block.ts'
import { Vault } from '../src/storage/vault.ts'
import { type Random, between } from './seeded-random.ts'
import type { SimulatedTime } from './simulated-time.ts'

/** One row of a budget as it is stored. */
export interface Book {
  readonly id: number
  readonly budgetUid: string
  readonly cap: number
  /** With what open allotments have settled. */
  readonly posted: number
  /** Without it. */
  readonly allotted: number
}

/** What is written down of a call. */
export interface Written {
  readonly posted: number
  readonly cost: number
  readonly outcome: string
}

/** Longest that a transaction, or a question for the time, takes to begin. */
const BEGIN_MS_MAX = 3

const BOOKS = `
  select p.id, p.budget_uid as budgetUid, b.cap, p.posted + s.settled as posted, p.allotted - s.settled as allotted
  from budget_period as p join budget as b on b.uid = p.budget_uid join (
    select r.id, coalesce(sum(a.settled), 0) as settled from budget_period as r
    left join allotment as a on a.row_id = r.id and a.lost_time is null group by r.id
  ) as s on s.id = p.id order by p.id`

const TABLES = ['allotment', 'ledger_entry', 'recall', 'node', 'usage_watermark', 'budget_period', 'budget']

/** The time and the chance of the run there is; null: none. */
interface Way {
  time: SimulatedTime | null
  random: Random
}

export class SimulatedStore {
  readonly engine: Engine
  readonly chain: AuditChain
  readonly #database: DatabaseSync
  readonly #records: string
  readonly #way: Way

  private constructor(parts: {
    readonly engine: Engine
    readonly chain: AuditChain
    readonly database: DatabaseSync
    readonly records: string
    readonly way: Way
  }) {
    this.engine = parts.engine
    this.chain = parts.chain
    this.#database = parts.database
    this.#records = parts.records
    this.#way = parts.way
  }

  /** Its records are of the month of `epochMs`. */
  static async open(epochMs: number): Promise<SimulatedStore> {
    const database = new DatabaseSync(':memory:', { enableForeignKeyConstraints: true })
    const way: Way = { time: null, random: () => 0 }
    const dialect = breakingDialect(database, () => way.time)
    const db = new Kysely<Database>({ dialect, plugins: [WITHOUT_ROW_LOCKS] })
    const nowMs = async (): Promise<number> => {
      const { time } = way
      if (time === null) return epochMs
      await time.pass(way.random() * BEGIN_MS_MAX)
      return time.dateMs
    }
    const engine = {
      ...openEngine({ kind: 'sqlite', path: ':memory:' }),
      db,
      watch: db,
      hasPeers: true,
      nowMs,
    }
    await migrate(db)
    const block = new BlockClock().blockOf(epochMs)
    await createBlock(db, block)
    await db.insertInto('usage_block').values({ block, create_time: epochMs }).execute()
    const vault = new Vault(engine, new KeyRing([Buffer.alloc(32, 7).toString('base64')]))
    await vault.admit()
    const chain = new AuditChain(engine, await vault.signingKey(signFirstHead), null)
    return new SimulatedStore({ engine, chain, database, records: recordTable(block), way })
  }

  /** Empties it for a run in this time. */
  begin(time: SimulatedTime, random: Random): void {
    if (this.#database.isTransaction) throw new Error('the run before left a transaction open')
    for (const table of [...TABLES, this.#records]) this.#database.exec(`delete from "${table}"`)
    this.#way.time = time
    this.#way.random = random
  }

  addBudget(uid: string, projectNumber: string, capNanos: number): void {
    this.#database
      .prepare(
        `insert into budget (uid, scope, project_number, lineage, period, cap, policy, tool_ceilings, etag, create_time,
          update_time) values (?, ?, ?, '', 'total', ?, 'clamp', '{}', 'etag', 0, 0)`,
      )
      .run(uid, projectNumber === '' ? 'organization' : 'project', projectNumber, capNanos)
  }

  /** Where every row stands, as far as it is committed; null while a transaction is open. */
  books(): readonly Book[] | null {
    if (this.#database.isTransaction) return null
    return this.#query(BOOKS) as unknown as readonly Book[]
  }

  recordsOf(callId: string): readonly Written[] {
    const query = `select posted_nanos as posted, cost_nanos as cost, outcome from ${this.#records} where call_id = ?`
    return this.#query(query, callId) as unknown as readonly Written[]
  }

  /** How many shares of living nodes are open. */
  openAllotments(): number {
    return this.#query('select id from allotment where lost_time is null').length
  }

  #query(sql: string, ...parameters: readonly string[]): readonly unknown[] {
    let statement = this.#statements.get(sql)
    if (statement === undefined) this.#statements.set(sql, (statement = this.#database.prepare(sql)))
    return statement.all(...parameters)
  }

  readonly #statements = new Map<string, ReturnType<DatabaseSync['prepare']>>()
}

/** A failure that the engine takes for a broken connection (SQLITE_IOERR). */
function brokenConnection(): Error {
  return Object.assign(new Error('the connection broke'), { errcode: 10 })
}

/** What a process is told that does not reach the database, or whose answer does not come. */
export function unavailable(): ApiError {
  return new ApiError('STORAGE_UNAVAILABLE', 'the database does not answer', { cause: brokenConnection() })
}

/** Breaks the first commit of a request as its fault says: before it happens, or before its answer comes. */
function breakingDialect(database: DatabaseSync, time: () => SimulatedTime | null): Dialect {
  const dialect = nodeSqliteDialect(database)
  return {
    createAdapter: () => dialect.createAdapter(),
    createIntrospector: db => dialect.createIntrospector(db),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createDriver() {
      const driver = dialect.createDriver()
      const commit = driver.commitTransaction.bind(driver)
      const rollback = driver.rollbackTransaction.bind(driver)
      driver.commitTransaction = async connection => {
        const fault = time()?.fault ?? null
        const kind = fault?.kind ?? 'none'
        if (fault !== null) fault.kind = 'none'
        if (kind === 'refused') throw brokenConnection()
        await commit(connection)
        if (kind === 'lost') throw brokenConnection()
      }
      driver.rollbackTransaction = async connection => {
        if (database.isTransaction) await rollback(connection)
      }
      return driver
    },
  }
}

/** SQLite has no row locks and needs none: its transactions come one after the other. */
const WITHOUT_ROW_LOCKS: KyselyPlugin = {
  transformQuery({ node }): RootOperationNode {
    if (node.kind !== 'SelectQueryNode' || node.endModifiers === undefined) return node
    const { endModifiers: _, ...rest } = node
    return rest
  },
  transformResult: async ({ result }) => result,
}

export function waitMs(random: Random, leastMs: number, mostMs: number): number {
  return between(random, leastMs * 1000, mostMs * 1000) / 1000
}
