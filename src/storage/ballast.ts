/**
 * Room on the disk for changes alone, in a file beside the SQLite database. A change that finds the disk full, such as the
 * revocation of a key, is made in that room; what it leaves is taken back at once, and no usage is stored before all of it is
 * back. So neither calls nor another program that fills the disk get at it, but for what they write during a change.
 */
import { randomFillSync } from 'node:crypto'
import { closeSync, fstatSync, openSync, statSync, truncateSync, writeSync } from 'node:fs'
import { type Kysely, sql } from 'kysely'
import { Gate } from './gate.ts'
import type { Database, Db } from './schema.ts'

/** Twice what a log has that is copied into the database as a whole (1,000 pages). A change takes some 60 KB of the log. */
const BALLAST_BYTES = 8 * 1024 * 1024
/** Bytes that do not compress, so that they take the room they say. */
const PIECE = randomFillSync(Buffer.alloc(64 * 1024))
/** SQLite's own (sqlite.org/pragma.html#pragma_wal_autocheckpoint). */
const CHECKPOINT_PAGES = 1_000
const LEND_WAIT_MS = 10_000

const SQLITE_FULL = 13
const NO_ROOM = new Set(['ENOSPC', 'EDQUOT'])

/** Usage is not stored while the ballast is not whole: what calls write would take the rest of it. */
class BallastSpent extends Error {
  readonly errcode = SQLITE_FULL
}

/** Whether the disk has no room, for the database or for the audit file. */
export function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if ('errcode' in error && (Number(error.errcode) & 0xff) === SQLITE_FULL) return true
  if ('code' in error && NO_ROOM.has(String(error.code))) return true
  return isDiskFull(error.cause)
}

export class Ballast {
  readonly #path: string
  readonly #databasePath: string
  readonly #turn = new Gate(1, LEND_WAIT_MS)
  #isWhole = false
  #isLent = false

  constructor(databasePath: string) {
    this.#databasePath = databasePath
    this.#path = `${databasePath}-ballast`
  }

  get isWhole(): boolean {
    return this.#isWhole
  }

  /** Takes as much room as there is, up to the whole. */
  fill(): void {
    try {
      const file = openSync(this.#path, 'a', 0o600)
      try {
        let bytes = fstatSync(file).size
        while (bytes < BALLAST_BYTES)
          bytes += writeSync(file, PIECE, 0, Math.min(PIECE.length, BALLAST_BYTES - bytes))
        this.#isWhole = true
      } finally {
        closeSync(file)
      }
    } catch {
      this.#isWhole = false
    }
  }

  /** Makes the ballast whole again before usage is stored. Throws what is taken for a full disk where there is no room. */
  async regain(db: Db): Promise<void> {
    if (!this.#isLent) this.fill()
    if (!this.#isWhole) throw new BallastSpent()
    await checkpointEvery(db, CHECKPOINT_PAGES)
  }

  /** Makes a change that found the disk full, in a transaction that begins with `free`. */
  async lend<Result>(
    db: Kysely<Database>,
    change: (free: (trx: Db) => Promise<void>) => Promise<Result>,
  ): Promise<Result> {
    return await this.#turn.pass(async () => {
      const lentBytes = statSync(this.#path, { throwIfNoEntry: false })?.size ?? 0
      this.#isLent = true
      try {
        const result = await change(async trx => {
          await checkpointEvery(trx, 0)
          this.#isWhole = false
          if (lentBytes > 0) truncateSync(this.#path)
        })
        await this.#shortenLog(db, lentBytes).catch(() => {})
        return result
      } finally {
        this.#isLent = false
        this.fill()
      }
    })
  }

  /**
   * Copies the log into the database, so that the next changes are written over it. Not where that could take most of the
   * room: half done it helps nobody, and the room would be gone.
   */
  async #shortenLog(db: Db, lentBytes: number): Promise<void> {
    const { rows } = await sql<{ bytes: number }>`
      select page_count * page_size as bytes from pragma_page_count, pragma_page_size`.execute(db)
    const growth = (rows[0]?.bytes ?? Infinity) - statSync(this.#databasePath).size
    if (growth * 2 < lentBytes) await sql`pragma wal_checkpoint(passive)`.execute(db)
  }
}

/** After how many pages of the log a commit copies it into the database; 0: never. */
async function checkpointEvery(db: Db, pages: number): Promise<void> {
  await sql`pragma wal_autocheckpoint = ${sql.lit(pages)}`.execute(db)
}
