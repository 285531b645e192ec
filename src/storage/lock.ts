/** The data folder: made on first use, owned by one process at a time, remembered as one node. */
import { randomBytes } from 'node:crypto'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ApiError } from '../domain/error.ts'

export interface FolderLock {
  /** Gives the folder back. The end of the process does so too, however it ends. */
  release(): void
}

const NODE_ID = /^[0-9a-f]{16}$/
const SQLITE_BUSY = 5

/**
 * Takes the folder for this process, making it (0700) if there is none. The lock is the kernel's, on a file that
 * SQLite holds open exclusively, so a killed process leaves nothing behind. STATE_CONFLICT when another process has it;
 * STORAGE_UNAVAILABLE when it cannot be made or written.
 */
export function lockFolder(dataDir: string): FolderLock {
  const path = resolve(dataDir)
  const file = join(path, 'lock')
  let database: DatabaseSync
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    closeSync(openSync(file, 'a', 0o600))
    database = new DatabaseSync(file)
  } catch (error) {
    throw notWritable(path, error)
  }
  try {
    database.exec('begin exclusive')
  } catch (error) {
    database.close()
    const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0
    if (code !== SQLITE_BUSY) throw notWritable(path, error)
    throw new ApiError(
      'STATE_CONFLICT',
      `The data folder ${path} is in use by another Pollux. A folder belongs to one process: stop the other one, ` +
        'or set POLLUX_DATA_DIR to a folder of its own.',
      { cause: error },
    )
  }
  return { release: () => database.close() }
}

/** The id under which this folder's process appends usage records: random, made once, 16 hexadecimal digits. */
export function nodeIdOf(dataDir: string): string {
  const file = join(resolve(dataDir), 'node-id')
  try {
    const id = readFileSync(file, 'utf8').trim()
    if (NODE_ID.test(id)) return id
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) {
      throw notWritable(resolve(dataDir), error)
    }
  }
  const id = randomBytes(8).toString('hex')
  try {
    writeFileSync(file, `${id}\n`, { mode: 0o600, flush: true })
  } catch (error) {
    throw notWritable(resolve(dataDir), error)
  }
  return id
}

function notWritable(path: string, error: unknown): ApiError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
  return new ApiError(
    'STORAGE_UNAVAILABLE',
    `The data folder ${path} cannot be written (${code}). Pollux keeps its database and its lock there: make the ` +
      'folder writable for the user Pollux runs as, or set POLLUX_DATA_DIR to one that is.',
    { cause: error },
  )
}
