/** Counts refused calls on the near side of the thread: a flood of them costs the database a few rows in a second. */
import type { ApiError } from '../domain/error.ts'
import type { RefusedCall } from '../domain/refused-call.ts'
import type { RefusalRow } from './quota-store.ts'

const HOUR_MS = 3_600_000
const SEND_EVERY_MS = 1_000
const SEND_AGAIN_MS = 5_000
/** Rows of one hour that are told apart; the model of a call is whatever its caller writes, so there is an end to it. */
const ROWS_MAX = 5_000

interface Tallied extends RefusalRow {
  calls: number
  lastTimeMs: number
}

/**
 * What is not sent yet is lost with the process: a second of counts. After an answer that was lost they may be sent
 * twice. Nothing is decided by them.
 */
export class RefusalTally {
  readonly #send: (rows: readonly RefusalRow[]) => Promise<void>
  readonly #onFailure: (error: ApiError) => void
  #pending = new Map<string, Tallied>()
  /** What was told apart in the current hour, sent or not. */
  readonly #known = new Set<string>()
  #hour = 0
  #timer: NodeJS.Timeout | null = null
  #sending: Promise<void> = Promise.resolve()
  #failing = false

  /** `onFailure` hears of the first failure of an outage. */
  constructor(
    send: (rows: readonly RefusalRow[]) => Promise<void>,
    onFailure: (error: ApiError) => void = () => {},
  ) {
    this.#send = send
    this.#onFailure = onFailure
  }

  count({ timeMs, projectNumber, keyUid, model, reason, quota }: RefusedCall): void {
    const bucketTimeMs = Math.floor(timeMs / HOUR_MS) * HOUR_MS
    if (bucketTimeMs > this.#hour) {
      this.#hour = bucketTimeMs
      this.#known.clear()
    }
    const of = { projectNumber, bucketTimeMs, reason, scope: quota?.scope ?? '', metric: quota?.metric ?? '' }
    const place = Object.values(of).join(' ')
    const exact = `${place} ${model} ${keyUid}`
    const isApart = this.#known.has(exact) || this.#known.size < ROWS_MAX
    if (isApart) this.#known.add(exact)
    const row = isApart ? { ...of, model, keyUid } : { ...of, model: '', keyUid: '' }
    this.#add(isApart ? exact : `${place}  `, { ...row, calls: 1, lastTimeMs: timeMs })
    this.#schedule(SEND_EVERY_MS)
  }

  /** Resolves when what was counted so far is in the database; rejects when it cannot be put there now. */
  async settled(): Promise<void> {
    const sent = this.#sending.then(() => this.#sendAll())
    this.#sending = sent.catch(() => {})
    await sent
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #add(id: string, row: RefusalRow): void {
    const known = this.#pending.get(id)
    if (known === undefined) {
      this.#pending.set(id, { ...row })
      return
    }
    known.calls += row.calls
    known.lastTimeMs = Math.max(known.lastTimeMs, row.lastTimeMs)
  }

  #schedule(afterMs: number): void {
    if (this.#timer !== null) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.settled().catch(() => this.#schedule(SEND_AGAIN_MS))
    }, afterMs)
    this.#timer.unref()
  }

  async #sendAll(): Promise<void> {
    const rows = this.#pending
    if (rows.size === 0) return
    this.#pending = new Map()
    try {
      await this.#send([...rows.values()])
      this.#failing = false
    } catch (error) {
      for (const [id, row] of rows) this.#add(id, row)
      if (!this.#failing) this.#onFailure(error as ApiError)
      this.#failing = true
      throw error
    }
  }
}
