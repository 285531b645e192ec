/**
 * A backup: every table as of one moment, in lines of JSON that either engine can take back, compressed. It is read beside
 * a Pollux that goes on serving. The last line has the digest of all others, so half a backup is none.
 */
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { ApiError } from '../domain/error.ts'
import type { Engine, EngineChoice } from './engine.ts'
import { openEngine, openToInspect, placeOf } from './engine.ts'
import { toOpenError } from './failure.ts'
import { NEWEST_VERSION, refuseNewer, versionOf } from './migrate.ts'
import type { Db } from './schema.ts'

/** The first line. */
export interface BackupHeader {
  readonly format: typeof BACKUP_FORMAT
  readonly version: 1
  /** The last migration of the database. */
  readonly schema: string
  readonly createTimeMs: number
  /** In the order in which they can be filled: a table stands behind those that it refers to. */
  readonly tables: readonly BackupTable[]
  /** Only if somebody asked for it. */
  readonly masterKeys: readonly string[] | null
}

export interface BackupTable {
  readonly name: string
  readonly columns: readonly string[]
}

/** Every line between the first and the last: rows of the table with this place in the header. */
export interface BackupRows {
  readonly table: number
  readonly rows: readonly (readonly unknown[])[]
}

/** The last line. */
export interface BackupEnd {
  readonly rowCount: number
  /** Of all lines before, hexadecimal. */
  readonly sha256: string
}

export const BACKUP_FORMAT = 'pollux backup'

export interface Backup extends BackupEnd {
  readonly createTimeMs: number
  readonly bytes: number
}

/**
 * Writes a backup to a file that does not exist yet (0600). `masterKeys` go into it where they are given: then the file
 * alone reveals every secret. STATE_CONFLICT when the file or no database is there, or it is of another version.
 */
export async function writeBackup(
  choice: EngineChoice,
  path: string,
  masterKeys: readonly string[] | null,
): Promise<Backup> {
  const engine = await openExisting(choice)
  try {
    return await engine.snapshot(trx => writeSnapshot({ engine, trx, masterKeys }, path))
  } finally {
    await engine.db.destroy()
  }
}

interface Source {
  readonly engine: Engine
  readonly trx: Db
  readonly masterKeys: readonly string[] | null
}

async function openExisting(choice: EngineChoice): Promise<Engine> {
  const place = placeOf(choice)
  try {
    const found = openToInspect(choice)
    if (found === null) throw new ApiError('STATE_CONFLICT', `There is no database at ${place}.`)
    try {
      await refuseNewer(found)
      const version = await versionOf(found)
      if (version !== NEWEST_VERSION) {
        throw new ApiError(
          'STATE_CONFLICT',
          `The database at ${place} is at version ${version ?? 'none'}, not ${NEWEST_VERSION}. Start this Pollux on it ` +
            'once, or back it up with the Pollux that runs on it.',
        )
      }
    } finally {
      await found.destroy()
    }
    return openEngine(choice)
  } catch (error) {
    throw toOpenError(error, choice)
  }
}

async function writeSnapshot(source: Source, path: string): Promise<Backup> {
  const draft = `${path}.part`
  const file = await open(draft, 'wx', 0o600).catch((cause: unknown) => {
    throw new ApiError(
      'STATE_CONFLICT',
      `The file ${draft} cannot be made: it exists, or its folder does not.`,
      {
        cause,
      },
    )
  })
  await file.close()
  try {
    if (await exists(path))
      throw new ApiError('STATE_CONFLICT', `${path} exists already. Choose another name.`)
    const createTimeMs = await source.engine.nowMs(source.trx)
    const end = { rowCount: 0, sha256: '' }
    const lines = Readable.from(linesOf(source, createTimeMs, end))
    await pipeline(lines, createGzip(), createWriteStream(draft, { flags: 'w', flush: true }))
    const { size: bytes } = await stat(draft)
    await rename(draft, path)
    return { createTimeMs, bytes, ...end }
  } catch (error) {
    await rm(draft, { force: true })
    throw error
  }
}

async function* linesOf(
  { engine, trx, masterKeys }: Source,
  createTimeMs: number,
  end: { rowCount: number; sha256: string },
): AsyncGenerator<string> {
  const hash = createHash('sha256')
  const line = (value: BackupHeader | BackupRows): string => {
    const text = `${JSON.stringify(value)}\n`
    hash.update(text)
    return text
  }
  const tables = await tablesOf(engine, trx)
  yield line({ format: BACKUP_FORMAT, version: 1, schema: NEWEST_VERSION, createTimeMs, tables, masterKeys })
  for (const [table, { name, columns }] of tables.entries()) {
    for await (const rows of engine.readRows(trx, name, columns)) {
      end.rowCount += rows.length
      yield line({ table, rows })
    }
  }
  end.sha256 = hash.digest('hex')
  yield `${JSON.stringify({ rowCount: end.rowCount, sha256: end.sha256 } satisfies BackupEnd)}\n`
}

/** All tables but Kysely's own, those that are referred to first. */
export async function tablesOf(engine: Engine, trx: Db): Promise<readonly BackupTable[]> {
  const references = await engine.references(trx)
  const waiting = (await trx.introspection.getTables())
    .filter(table => !table.isView)
    .map(({ name, columns }) => ({ name, columns: columns.map(column => column.name) }))
    .sort((left, right) => (left.name < right.name ? -1 : 1))
  const ordered: BackupTable[] = []
  while (waiting.length > 0) {
    const isWaiting = new Set(waiting.map(({ name }) => name))
    const next = waiting.findIndex(
      ({ name }) =>
        !references.some(({ table, target }) => table === name && target !== name && isWaiting.has(target)),
    )
    if (next === -1) throw new Error('tables refer to each other in a circle')
    ordered.push(...waiting.splice(next, 1))
  }
  return ordered
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch {
    return false
  }
}
