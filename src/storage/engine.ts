/**
 * The only file that knows which database engine it is. Everything else sees an Engine: Kysely, and the few things in
 * which SQLite and PostgreSQL differ, as a record of capabilities.
 */
import { closeSync, existsSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { Expression, RawBuilder } from 'kysely'
import { Kysely, PostgresDialect, sql } from 'kysely'
import { DatabaseError } from 'pg'
import { Ballast } from './ballast.ts'
import { Patience } from './patience.ts'
import { ConnectionBroken, WATCH_LIMITS, openPostgresPool } from './postgres-pool.ts'
import { Readers } from './readers.ts'
import { READINGS, type ReadingName, type Readings } from './readings.ts'
import type { Database, Db } from './schema.ts'
import { DatabaseDamaged, MONEY_TABLES, damageIn, isSqliteDamage } from './sqlite-damage.ts'
import { NulInText, nodeSqliteDialect } from './sqlite-dialect.ts'

export type EngineChoice =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly url: string }

/** A column to read out of a JSON array: its place in the array is its place in the list. */
export interface JsonColumn {
  readonly name: string
  readonly kind: 'text' | 'bigint'
}

/** What a failure of the database means. `damaged`: what it stores cannot be read; `text`: a text holds U+0000. */
type Failure = 'unique' | 'unavailable' | 'damaged' | 'text' | 'bug'

export interface Engine {
  readonly db: Kysely<Database>
  /** The same database for questions whose answer is worth nothing after a second: whether something changed. */
  readonly watch: Kysely<Database>
  /** How long is waited for it; null where it cannot fall silent. */
  readonly patience: Patience | null
  /** Room that changes have on a full disk; null where the database is elsewhere, or in memory. */
  readonly ballast: Ballast | null
  /** Connections from before this moment have to prove themselves: one that stays silent is not waited for. */
  renewConnections(): void
  close(): Promise<void>
  /** Whether other processes may change the same database. */
  readonly hasPeers: boolean
  /** The database's clock (the system's where the database has none), epoch ms. */
  nowMs(db: Db): Promise<number>
  /** A table `r` from a JSON array of arrays: `position` (from 0) and the columns. */
  rowsOf(columns: readonly JsonColumn[], json: string): RawBuilder<unknown>
  /** The expression, compared byte by byte whatever the database's collation. */
  readonly bytewise: (expression: Expression<string>) => RawBuilder<string>
  /** Until the transaction ends, nobody else makes or drops tables on demand. */
  lockSchema(trx: Db): Promise<void>
  /**
   * Taken before anything else by what changes a tier or the tier of a project: of two such changes, the later one sees the
   * earlier.
   */
  lockTiers(trx: Db): Promise<void>
  /** From here on the transaction waits for locks for 1.5 s at most, where others can hold any. */
  limitLockWait(trx: Db): Promise<void>
  /** Behind an `order by` of a select: the table's rows are locked in that order. Empty where one change runs at a time. */
  forUpdateOf(table: string): RawBuilder<unknown>
  /** All rows of a table as arrays in the order of the columns, some hundred at a time, so that no table has to fit into memory. */
  readRows(trx: Db, table: string, columns: readonly string[]): AsyncIterable<readonly (readonly unknown[])[]>
  /** Which table holds foreign keys to which. */
  references(trx: Db): Promise<readonly { readonly table: string; readonly target: string }[]>
  /** Runs `work`, which only reads, in a transaction that sees one moment. */
  snapshot<Result>(work: (trx: Db) => Promise<Result>): Promise<Result>
  failureOf(error: unknown): Failure
  /** Where the database is, for people. */
  readonly place: string
  /**
   * Answers a question that reads much, while commits go on: a SQLite file is read in a thread of its own,
   * PostgreSQL over one of the connections.
   */
  read<Name extends ReadingName>(name: Name, ask: Readings[Name]['ask']): Promise<Readings[Name]['answer']>
  /**
   * What is wrong with the tables of a file that money is kept in. PostgreSQL tells when it reads a page, with checksums
   * where its cluster has them.
   */
  findDamage(): readonly string[]
}

/** Opens the engine for reading and writing. Nothing is written to an existing SQLite file before `db` is used. */
export function openEngine(choice: EngineChoice): Engine {
  return choice.kind === 'sqlite' ? openSqlite(choice.path) : openPostgres(choice.url)
}

/** The database as it is now, opened so that looking cannot change it; null when there is none yet. */
export function openToInspect(choice: EngineChoice): Kysely<Database> | null {
  if (choice.kind === 'postgres') {
    return new Kysely<Database>({ dialect: new PostgresDialect({ pool: openPostgresPool(choice.url) }) })
  }
  if (!existsSync(choice.path)) return null
  const database = new DatabaseSync(choice.path, { readOnly: true, timeout: BUSY_TIMEOUT_MS })
  return new Kysely<Database>({ dialect: nodeSqliteDialect(database) })
}

const BUSY_TIMEOUT_MS = 5_000
/** `jsonb_each` hands out elements that need no second parsing: three times as fast. Since this SQLite. */
const JSONB_EACH_SINCE = [3, 51]

function openSqliteFile(path: string): DatabaseSync {
  const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: true })
  try {
    database.exec('pragma journal_mode = wal; pragma synchronous = full')
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/**
 * After an I/O error. The log may show a commit that no fsync ever confirmed: before anybody sees it there, everything is
 * written anew, into the file. Then all of that is looked at.
 */
function reopenSqliteFile(path: string): DatabaseSync {
  const database = openSqliteFile(path)
  try {
    emptyLog(database)
    const problems = damageIn(database, 'all')
    if (problems.length > 0) throw new DatabaseDamaged(problems)
    return database
  } catch (error) {
    database.close()
    throw error
  }
}

/** Copies the log into the file, with fsync; does not wait for whoever reads. Throws where the disk does not take it. */
function emptyLog(database: DatabaseSync): void {
  const told = database.prepare('pragma wal_checkpoint(passive)').get()
  if (told?.['log'] !== told?.['checkpointed']) throw new LogInUse()
}

/** Another process reads what the log hides: the same may succeed a moment later. */
class LogInUse extends Error {
  readonly errcode = SQLITE_BUSY
}
const SQLITE_BUSY = 5

function openSqlite(path: string): Engine {
  const isFile = path !== ':memory:'
  // SQLite gives its -wal and -shm files the mode of the database file.
  if (isFile) closeSync(openSync(path, 'a', 0o600))
  const database = openSqliteFile(path)
  const each = sql.raw(hasJsonbEach(database) ? 'jsonb_each' : 'json_each')
  const readers = new Readers(path)
  const reopen = (): DatabaseSync => {
    // What they read may not be durable, and the log cannot be emptied beneath them.
    readers.end()
    return reopenSqliteFile(path)
  }
  const db = new Kysely<Database>({ dialect: nodeSqliteDialect(database, isFile ? reopen : null) })
  const findDamage = (): readonly string[] => damageIn(database, MONEY_TABLES)
  const snapshot: Engine['snapshot'] = work => db.transaction().execute(work)
  return {
    db,
    watch: db,
    patience: null,
    ballast: isFile ? new Ballast(path) : null,
    renewConnections: () => {},
    async close() {
      readers.end()
      await db.destroy()
    },
    hasPeers: false,
    nowMs: async () => Date.now(),
    rowsOf: (columns, json) =>
      sql`(select key as position, ${sql.join(columns.map(sqliteColumn))} from ${each}(${json})) as r`,
    bytewise: expression => sql<string>`${expression}`,
    lockSchema: async () => {},
    lockTiers: async () => {},
    limitLockWait: async () => {},
    forUpdateOf: () => sql``,
    readRows: sqliteRows,
    async references(trx) {
      const { rows } = await sql<{ table: string; target: string }>`
        select m.name as "table", f."table" as target from sqlite_master as m, pragma_foreign_key_list(m.name) as f
        where m.type = 'table'`.execute(trx)
      return rows
    },
    snapshot,
    failureOf: sqliteFailure,
    place: path,
    // Nobody else can open what is in memory only.
    read: (name, ask) => (isFile ? readers.read(name, ask) : READINGS[name]({ snapshot, findDamage }, ask)),
    findDamage,
  }
}

const READ_ROWS = 500

/** Every table of ours has a rowid (sqlite.org/rowidtable). */
async function* sqliteRows(trx: Db, table: string, columns: readonly string[]) {
  let after = Number.MIN_SAFE_INTEGER
  for (;;) {
    const { rows } = await sql<Record<string, unknown>>`
      select rowid as "row number", ${sql.join(columns.map(name => sql.ref(name)))} from ${sql.table(table)}
      where rowid > ${after} order by rowid limit ${READ_ROWS}`.execute(trx)
    const last = rows.at(-1)
    if (last === undefined) return
    yield rows.map(row => columns.map(name => row[name]))
    after = Number(last['row number'])
  }
}

async function* postgresRows(trx: Db, table: string, columns: readonly string[]) {
  await sql`declare backup_rows no scroll cursor for
    select ${sql.join(columns.map(name => sql.ref(name)))} from ${sql.table(table)}`.execute(trx)
  for (;;) {
    const { rows } = await sql<Record<string, unknown>>`fetch ${sql.lit(READ_ROWS)} from backup_rows`.execute(
      trx,
    )
    if (rows.length === 0) break
    yield rows.map(row => columns.map(name => row[name]))
  }
  await sql`close backup_rows`.execute(trx)
}

function hasJsonbEach(database: DatabaseSync): boolean {
  const row = database.prepare('select sqlite_version() as version').get()
  const [major = 0, minor = 0] = String(row?.['version']).split('.').map(Number)
  const [sinceMajor = 0, sinceMinor = 0] = JSONB_EACH_SINCE
  return major > sinceMajor || (major === sinceMajor && minor >= sinceMinor)
}

function sqliteColumn(column: JsonColumn, place: number): RawBuilder<unknown> {
  return sql`value ->> ${sql.lit(place)} as ${sql.ref(column.name)}`
}

const SQLITE_UNIQUE = new Set([1555, 2067])
/** SQLITE_BUSY, NOMEM, READONLY, IOERR, FULL, CANTOPEN (sqlite.org/rescode.html). */
const SQLITE_UNAVAILABLE = new Set([5, 7, 8, 10, 13, 14])

function sqliteFailure(error: unknown): Failure {
  if (error instanceof NulInText) return 'text'
  if (isSqliteDamage(error)) return 'damaged'
  // A thread that reads could not start: there is no descriptor or no memory for it.
  if (error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_INIT_FAILED')
    return 'unavailable'
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) : 0
  if (SQLITE_UNIQUE.has(code)) return 'unique'
  // The low byte is the primary result code.
  return SQLITE_UNAVAILABLE.has(code & 0xff) ? 'unavailable' : 'bug'
}

/** Any number that no other program's advisory lock is likely to have. */
const SCHEMA_LOCK = 7_065_585_820
const TIER_LOCK = 7_065_585_821

function openPostgres(url: string): Engine {
  const patience = new Patience()
  const heard = (): void => patience.heard()
  const pool = openPostgresPool(url, undefined, heard)
  const db = new Kysely<Database>({ dialect: new PostgresDialect({ pool }) })
  const watchPool = openPostgresPool(url, WATCH_LIMITS, heard)
  const watch = new Kysely<Database>({ dialect: new PostgresDialect({ pool: watchPool }) })
  const snapshot: Engine['snapshot'] = work =>
    db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(work)
  return {
    db,
    watch,
    patience,
    ballast: null,
    renewConnections: () => pool.renew(),
    async close() {
      await Promise.all([db.destroy(), watch.destroy()])
    },
    hasPeers: true,
    async nowMs(db) {
      const clock = sql<{ now: number }>`select (extract(epoch from clock_timestamp()) * 1000)::bigint as now`
      const { rows } = await clock.execute(db)
      const [row] = rows
      if (row === undefined) throw new Error('the clock of the database gave no row')
      return row.now
    },
    rowsOf: (columns, json) =>
      sql`(select ord - 1 as position, ${sql.join(columns.map(postgresColumn))}
        from jsonb_array_elements(${json}::jsonb) with ordinality as j(value, ord)) as r`,
    bytewise: expression => sql<string>`${expression} collate "C"`,
    lockSchema: async trx => {
      await sql`select pg_advisory_xact_lock(${sql.lit(SCHEMA_LOCK)})`.execute(trx)
    },
    lockTiers: async trx => {
      await sql`select pg_advisory_xact_lock(${sql.lit(TIER_LOCK)})`.execute(trx)
    },
    limitLockWait: async trx => {
      await sql`set local lock_timeout = '1500ms'`.execute(trx)
    },
    forUpdateOf: table => sql`for update of ${sql.ref(table)}`,
    readRows: postgresRows,
    async references(trx) {
      const { rows } = await sql<{ table: string; target: string }>`
        select h.relname as "table", t.relname as target from pg_constraint as c
        join pg_class as h on h.oid = c.conrelid join pg_class as t on t.oid = c.confrelid
        where c.contype = 'f'`.execute(trx)
      return rows
    },
    snapshot,
    read: (name, ask) => READINGS[name]({ snapshot, findDamage: () => [] }, ask),
    failureOf: postgresFailure,
    place: placeOf({ kind: 'postgres', url }),
    findDamage: () => [],
  }
}

function postgresColumn(column: JsonColumn, place: number): RawBuilder<unknown> {
  const text = sql`(value ->> ${sql.lit(place)})`
  const value = column.kind === 'bigint' ? sql`${text}::bigint` : text
  return sql`${value} as ${sql.ref(column.name)}`
}

/** Where the database is, for people: without credentials. */
export function placeOf(choice: EngineChoice): string {
  if (choice.kind === 'sqlite') return choice.path
  try {
    const { hostname, port, pathname, searchParams } = new URL(choice.url)
    const host = hostname === '' ? (searchParams.get('host') ?? 'localhost') : hostname
    return `${host}:${port === '' ? (searchParams.get('port') ?? '5432') : port}${pathname}`
  } catch {
    return 'the address given'
  }
}

/**
 * SQLSTATE classes and codes in which trying again later may succeed: connection, authorization, catalogue, resources,
 * operator intervention, system, deadlock; then read-only (a standby), idle in transaction, lock not available.
 */
const POSTGRES_UNAVAILABLE = /^(?:(?:08|28|3D|40|53|57|58)...|25006|25P03|55P03)$/

/** data_corrupted, index_corrupted */
const POSTGRES_DAMAGED = new Set(['XX001', 'XX002'])

function postgresFailure(error: unknown): Failure {
  if (error instanceof ConnectionBroken) return 'unavailable'
  if (!(error instanceof DatabaseError)) return 'bug'
  if (POSTGRES_DAMAGED.has(error.code ?? '')) return 'damaged'
  if (error.code === '23505') return 'unique'
  if (error.code === '22021') return 'text'
  return POSTGRES_UNAVAILABLE.test(error.code ?? '') ? 'unavailable' : 'bug'
}

/** Whether an error met while opening says that what is stored is damaged. */
export function isDamage(error: unknown): boolean {
  return isSqliteDamage(error) || postgresFailure(error) === 'damaged'
}
