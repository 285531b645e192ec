/** The second sink of the audit trail: a file of JSON lines, opened anew for each entry so that it may be rotated. */
import { type FileHandle, constants, open } from 'node:fs/promises'
import { ApiError } from '../domain/error.ts'

/** Together with the wait for the database this stays below the two seconds in which a change is refused. */
const WAIT_MS = 1_500
/** Nobody who reads a pipe keeps us waiting: a pipe without a reader is refused by the kernel. */
const FLAGS = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK

export class AuditFile {
  readonly #path: string
  /** An attempt left half a line: the next one starts with a new line. */
  #isTorn = false
  /** A write that the kernel has not answered; until it does nothing else is tried. */
  #hanging: Promise<unknown> | null = null

  constructor(path: string) {
    this.#path = path
  }

  /** Resolves when the line is on the disk. STORAGE_UNAVAILABLE when it cannot be written, or that takes 1.5 s. */
  async append(line: string): Promise<void> {
    if (this.#hanging !== null) throw this.#refusal('an earlier write has not come back')
    const writing = this.#write(line)
    const patience = Promise.withResolvers<never>()
    const timer = setTimeout(() => {
      this.#hanging = writing
      void writing.catch(() => {}).finally(() => (this.#hanging = null))
      patience.reject(this.#refusal('it took longer than 1.5 s'))
    }, WAIT_MS)
    try {
      await Promise.race([writing, patience.promise])
    } catch (error) {
      throw error instanceof ApiError ? error : this.#refusal(codeOf(error), error)
    } finally {
      clearTimeout(timer)
    }
  }

  /** Refuses a path that cannot be written, before anything is served. */
  async probe(): Promise<void> {
    try {
      await (await this.#open()).close()
    } catch (error) {
      throw this.#refusal(codeOf(error), error)
    }
  }

  async #write(line: string): Promise<void> {
    const file = await this.#open()
    try {
      const bytes = Buffer.from(`${this.#isTorn ? '\n' : ''}${line}\n`)
      this.#isTorn = true
      const { bytesWritten } = await file.write(bytes)
      if (bytesWritten < bytes.length) throw new Error('only a part was written')
      this.#isTorn = false
      if ((await file.stat()).isFile()) await file.datasync()
    } finally {
      await file.close()
    }
  }

  #open(): Promise<FileHandle> {
    return open(this.#path, FLAGS, 0o600)
  }

  #refusal(why: string, cause?: unknown): ApiError {
    return new ApiError(
      'STORAGE_UNAVAILABLE',
      `The audit file ${this.#path} cannot be written (${why}), so nothing was changed or revealed. Make it writable, ` +
        'or unset POLLUX_AUDIT_FILE.',
      cause === undefined ? {} : { cause },
    )
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
