/**
 * How long a caller waits for a database that says nothing at all. One that is slow is waited for as long as its own time-outs
 * allow; one that hangs is told from it by its answers to anybody: the looks for changes ask a short question all the time.
 *
 * What is given up does not happen later: nothing is asked, least of all to commit, unless somebody waits for it (`Asking`).
 * Where the database falls silent on the commit itself, nobody can know, and the caller is told so.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { ApiError } from '../domain/error.ts'

/** Nothing was heard for so long: looks come every 250 ms, and take 800 ms at most. */
const SILENT_MS = 1_000
const CHECK_EVERY_MS = 50

/** Monotonic, and the same in all threads, as performance.now() is not. */
function machineMs(): number {
  return Number(process.hrtime.bigint() / 1_000_000n)
}

const deadline = new AsyncLocalStorage<number>()

/** Runs work, whose calls of storage then share one deadline. */
export type Patiently = <Result>(work: () => Promise<Result>) => Promise<Result>

/**
 * What runs work whose calls of storage end `waitMs` from now if the database is silent then, and later if it falls silent:
 * with STORAGE_UNAVAILABLE, which says whether something can have been changed.
 */
export function patience(waitMs: number): Patiently {
  const untilMs = machineMs() + waitMs
  return work => deadline.run(untilMs, work)
}

/** When the wait of whoever calls is over (`machineMs`); undefined where nobody is in a hurry. */
export function deadlineMs(): number | undefined {
  return deadline.getStore()
}

interface Waited {
  /** Something was sent that changes the database as soon as it arrives. */
  isCommitting: boolean
  isGivenUp: boolean
}

const waited = new AsyncLocalStorage<Waited>()

/** Throws STORAGE_UNAVAILABLE where nobody waits for the work any more. */
export function assertWanted(): void {
  if (waited.getStore()?.isGivenUp === true) throw givenUp()
}

/** Statements that change nothing; anything else is taken for a change. */
const READING = /^\s*(?:select|declare|fetch|close|set|show)\b/i
const BEGIN = /^\s*(?:begin|start transaction)\b/i
const COMMIT = /^\s*commit\b/i
const ROLLBACK = /^\s*rollback\b/i

/** What is asked over one connection, from its taking to its release. */
export class Asking {
  #isTransaction = false
  #hasWritten = false

  /** Before the statement is sent, in the same tick. STORAGE_UNAVAILABLE where nobody waits for it; a rollback is always wanted. */
  about(statement: string): void {
    if (ROLLBACK.test(statement)) return
    assertWanted()
    if (BEGIN.test(statement)) this.#isTransaction = true
    else if (!COMMIT.test(statement)) {
      if (READING.test(statement)) return
      this.#hasWritten = true
      if (this.#isTransaction) return
    }
    const call = waited.getStore()
    if (call !== undefined && this.#hasWritten) call.isCommitting = true
  }
}

/** In the thread that asks the database. */
export class Patience {
  #heardMs = machineMs()

  /** The database has answered something. */
  heard(): void {
    this.#heardMs = machineMs()
  }

  /** Waits for `work` until `untilMs`, and beyond as long as the database answers anything. STORAGE_UNAVAILABLE else. */
  async wait<Result>(untilMs: number, work: () => Promise<Result>): Promise<Result> {
    const call: Waited = { isCommitting: false, isGivenUp: false }
    const silence = Promise.withResolvers<never>()
    let timer: NodeJS.Timeout
    let isSuspect = false
    const check = (): void => {
      const isSilent = machineMs() - this.#heardMs >= SILENT_MS
      // Once more: where this thread stood still, answers may lie unread.
      if (!isSilent || !isSuspect) {
        isSuspect = isSilent
        timer = setTimeout(check, CHECK_EVERY_MS)
        return
      }
      call.isGivenUp = true
      silence.reject(call.isCommitting ? unknown() : givenUp())
    }
    timer = setTimeout(check, Math.max(0, untilMs - machineMs()))
    try {
      return await Promise.race([waited.run(call, work), silence.promise])
    } finally {
      clearTimeout(timer)
    }
  }
}

function givenUp(): ApiError {
  return new ApiError(
    'STORAGE_UNAVAILABLE',
    'The database does not answer. What it was asked for now was not done, and will not be. Try again; if this lasts, look whether it runs.',
  )
}

function unknown(): ApiError {
  return new ApiError(
    'STORAGE_UNAVAILABLE',
    'The database fell silent while it was told to commit, so nobody knows whether the change was made. Look before you repeat it.',
  )
}
