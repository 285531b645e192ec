/**
 * A backup into an empty database of either engine: all of it, verified, or nothing. What nodes had under way when the
 * backup was made is posted (MONEY.md rule 21: the journal of it is not there); what was spent since, no backup knows.
 */
import { createHash } from 'node:crypto'
import { createReadStream, existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createGunzip } from 'node:zlib'
import { sql } from 'kysely'
import { systemEntry } from '../domain/audit.ts'
import { ApiError } from '../domain/error.ts'
import { ORGANIZATION } from '../domain/project.ts'
import { KeyRing, masterKeysIn } from '../secrets/master-key.ts'
import { AuditChain } from './audit-chain.ts'
import { verifyAudit } from './audit-verify.ts'
import type { BackupEnd, BackupHeader, BackupRows, BackupTable } from './backup.ts'
import { BACKUP_FORMAT, tablesOf } from './backup.ts'
import type { Engine, EngineChoice } from './engine.ts'
import { openEngine, placeOf } from './engine.ts'
import { toApiError, toOpenError } from './failure.ts'
import { readJournal } from './journal-segment.ts'
import { lockFolder } from './lock.ts'
import { NEWEST_VERSION, migrate, refuseNewer, versionOf } from './migrate.ts'
import { foldAllotments } from './recovery.ts'
import type { Db } from './schema.ts'
import type { AuditVerification } from './audit-store.ts'
import type { SecretsVerification, Verification } from './storage.ts'
import { createBlock } from './usage-block.ts'
import { Vault } from './vault.ts'
import { verifyLedger } from './verify.ts'

export interface RestorePlace {
  readonly engine: EngineChoice
  readonly dataDir: string
  /** null: those of the folder, or of the backup where it holds any. */
  readonly masterKeys: readonly string[] | null
}

export interface Restored {
  readonly createTimeMs: number
  readonly rowCount: number
  /** Posted for what was allotted and not settled when the backup was made, over all budgets. */
  readonly lostNanos: number
  readonly ledger: Verification
  readonly audit: AuditVerification
  readonly secrets: SecretsVerification
}

/**
 * Restores a backup. STATE_CONFLICT when the place is not empty, the backup is damaged or of another version, or the
 * master key is not the one it was made under; then nothing was restored.
 */
export async function restoreBackup(place: RestorePlace, path: string): Promise<Restored> {
  const lock = lockFolder(place.dataDir)
  let engine: Engine | null = null
  try {
    const { header, end } = await readWhole(path)
    refuseUsed(place)
    const ring = ringOf(place, header)
    engine = await openEmpty(place.engine)
    const vault = new Vault(engine, ring)
    return await fill({ engine, vault, header, end }, path)
  } catch (error) {
    await engine?.db.destroy()
    // Made here, and empty: the next attempt is to find nothing.
    if (engine !== null && place.engine.kind === 'sqlite') removeSqlite(place.engine.path)
    throw engine === null ? error : toApiError(error, engine)
  } finally {
    await engine?.db.destroy()
    lock.release()
  }
}

function refuseUsed({ engine, dataDir }: RestorePlace): void {
  const { segments } = readJournal(dataDir)
  if (segments.length > 0) {
    throw notEmpty(`the data folder ${dataDir} has a journal of calls of another database`)
  }
  if (engine.kind === 'sqlite' && existsSync(engine.path))
    throw notEmpty(`there is a database at ${engine.path}`)
}

function notEmpty(why: string): ApiError {
  return new ApiError(
    'STATE_CONFLICT',
    `A backup is restored into an empty place only, and ${why}. Move it away, or set POLLUX_DATA_DIR or ` +
      'POLLUX_DATABASE_URL to an empty one. Nothing was changed.',
  )
}

/** A backup that brings its master keys fills a folder that has none. */
function ringOf({ dataDir, masterKeys }: RestorePlace, header: BackupHeader): KeyRing {
  if (masterKeys !== null) return new KeyRing(masterKeys)
  const path = join(dataDir, 'master-key')
  if (header.masterKeys !== null && !existsSync(path)) {
    writeFileSync(path, `${header.masterKeys.join('\n')}\n`, { mode: 0o600, flag: 'wx', flush: true })
  }
  if (existsSync(path)) return new KeyRing(masterKeysIn(dataDir))
  throw new ApiError(
    'STATE_CONFLICT',
    `There is no master key, and the backup holds none. Set POLLUX_MASTER_KEY, or put the file master-key into ${dataDir}. ` +
      'Nothing was changed.',
  )
}

async function openEmpty(choice: EngineChoice): Promise<Engine> {
  const engine = openEngine(choice)
  try {
    await refuseNewer(engine.db)
    const version = await versionOf(engine.db)
    if (version !== null && (await hasProjects(engine.db)))
      throw notEmpty(`there are projects at ${placeOf(choice)}`)
    await migrate(engine.db)
    return engine
  } catch (error) {
    await engine.db.destroy()
    throw toOpenError(error, choice)
  }
}

async function hasProjects(db: Db): Promise<boolean> {
  return (await db.selectFrom('project').select('number').limit(1).executeTakeFirst()) !== undefined
}

function removeSqlite(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
}

interface Target {
  readonly engine: Engine
  readonly vault: Vault
  readonly header: BackupHeader
  readonly end: BackupEnd
}

async function fill({ engine, vault, header, end }: Target, path: string): Promise<Restored> {
  return await engine.db.transaction().execute(async trx => {
    await makeTables(engine, trx, header.tables)
    await copyRows(trx, header, path)
    await vault.check(trx)
    const lostNanos = await postOpenAllotments(engine, trx)
    const signingKey = await vault.openSigningKey(trx)
    const verified = {
      ledger: await verifyLedger(trx),
      audit: await verifyAudit(trx, signingKey),
      secrets: await vault.verify(trx),
    }
    const { createTimeMs } = header
    const { rowCount, sha256 } = end
    const entry = systemEntry({
      methodName: 'pollux.v1.Backups.RestoreBackup',
      resourceName: ORGANIZATION,
      projectNumber: null,
    })
    await new AuditChain(engine, signingKey, null).append(
      trx,
      { ...entry, after: { createTimeMs, rowCount, sha256, lostNanos } },
      await engine.nowMs(trx),
    )
    return { createTimeMs, rowCount, lostNanos, ...verified }
  })
}

/** Tables of months are made when their first record comes; everything that a new database begins with goes. */
async function makeTables(engine: Engine, trx: Db, tables: readonly BackupTable[]): Promise<void> {
  for (const { name } of tables) {
    const block = /^usage_record_(\d{6})$/.exec(name)?.[1]
    if (block !== undefined) await createBlock(trx, block)
  }
  const here = new Map((await tablesOf(engine, trx)).map(({ name, columns }) => [name, columns.toSorted()]))
  for (const { name, columns } of tables) {
    if (JSON.stringify(here.get(name)) !== JSON.stringify(columns.toSorted())) {
      throw damaged(`its table ${name} is another one than here`)
    }
  }
  for (const { name } of tables.toReversed()) await sql`delete from ${sql.table(name)}`.execute(trx)
}

/** SQLite takes 32,766 parameters in a statement, PostgreSQL 65,535. */
const PARAMETERS_MAX = 10_000

async function copyRows(trx: Db, { tables }: BackupHeader, path: string): Promise<void> {
  for await (const line of linesIn(path)) {
    const value = parseLine(line)
    if (!isRows(value)) continue
    const into = tables[value.table]
    if (into === undefined) throw damaged('it has rows of no table')
    await insertRows(trx, into, value.rows)
  }
}

async function insertRows(
  trx: Db,
  { name, columns }: BackupTable,
  rows: readonly (readonly unknown[])[],
): Promise<void> {
  const perStatement = Math.max(1, Math.floor(PARAMETERS_MAX / columns.length))
  const names = sql.join(columns.map(column => sql.ref(column)))
  for (let from = 0; from < rows.length; from += perStatement) {
    const tuples = rows.slice(from, from + perStatement).map(row => sql`(${sql.join(row)})`)
    await sql`insert into ${sql.table(name)} (${names}) values ${sql.join(tuples)}`.execute(trx)
  }
}

/** What was allotted to nodes may have been spent by calls under way: it counts as spent, so that the caps hold. */
async function postOpenAllotments(engine: Engine, trx: Db): Promise<number> {
  const nodes = await trx.selectFrom('allotment').select('node_id').distinct().orderBy('node_id').execute()
  const before = await lostSum(trx)
  const nowMs = await engine.nowMs(trx)
  for (const { node_id: nodeId } of nodes) {
    await foldAllotments(trx, { nodeId, posted: new Map(), isWhole: false }, nowMs)
  }
  return (await lostSum(trx)) - before
}

async function lostSum(trx: Db): Promise<number> {
  const { rows } = await sql<{ nanos: string }>`
    select cast(coalesce(sum(nanos), 0) as text) as nanos from ledger_entry where kind = 'lost'`.execute(trx)
  return Number(rows[0]?.nanos ?? 0)
}

/** Reads all of the file, before anything is touched. */
async function readWhole(path: string): Promise<{ readonly header: BackupHeader; readonly end: BackupEnd }> {
  const hash = createHash('sha256')
  let header: BackupHeader | null = null
  let end: BackupEnd | null = null
  let rowCount = 0
  for await (const line of linesIn(path)) {
    if (end !== null) throw damaged('something stands behind its end')
    const value = parseLine(line)
    if ('sha256' in value) {
      end = value as unknown as BackupEnd
      continue
    }
    hash.update(`${line}\n`)
    if (header === null) header = headerOf(value)
    else if (isRows(value)) rowCount += value.rows.length
  }
  if (header === null) throw damaged('it is empty')
  if (end === null) throw damaged('its end is missing')
  if (end.sha256 !== hash.digest('hex') || end.rowCount !== rowCount) throw damaged('its checksum is another')
  return { header, end }
}

function isRows(value: object): value is BackupRows {
  return 'rows' in value
}

function headerOf(value: object): BackupHeader {
  const header = value as BackupHeader
  if (header.format !== BACKUP_FORMAT || header.version !== 1) throw damaged('it is no backup of Pollux')
  if (header.schema === NEWEST_VERSION) return header
  throw new ApiError(
    'STATE_CONFLICT',
    `The backup is of version ${header.schema}, and this Pollux makes ${NEWEST_VERSION}. Restore it with the Pollux that ` +
      'made it, and start the newer one on what that restored. Nothing was changed.',
  )
}

/** Only a new line ends a line: texts may hold every other character that ends one elsewhere. */
async function* linesIn(path: string): AsyncGenerator<string> {
  const file = createReadStream(path)
  const text = file.pipe(createGunzip()).setEncoding('utf8')
  file.on('error', error => text.destroy(error))
  let rest = ''
  try {
    for await (const chunk of text as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      yield* lines
    }
  } catch (error) {
    if (error instanceof ApiError) throw error
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    throw damaged(`it cannot be read to its end (${code})`, error)
  } finally {
    file.destroy()
  }
  if (rest !== '') throw damaged('its last line has no end')
}

function parseLine(line: string): object {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // Told below.
  }
  throw damaged('a line of it is no JSON')
}

function damaged(why: string, cause?: unknown): ApiError {
  return new ApiError(
    'STATE_CONFLICT',
    `This file is no whole backup: ${why}. Nothing was restored; take another backup.`,
    cause === undefined ? {} : { cause },
  )
}
