/**
 * Group commit on the calling thread. Records gather while a batch is being committed and leave together when its answer
 * comes, so the batch grows with the load and an idle store commits a single record at once.
 */
import { ApiError } from '../domain/error.ts'
import type { UsageRecord } from '../domain/usage.ts'
import { BlockClock, encodeRecord } from './record-row.ts'

/** Records of one month: a JSON array of encoded records. */
export interface AppendBatch {
  readonly block: string
  readonly count: number
  readonly json: string
}

/** Commits the batches under a number of their own. The same number again is the same batch, not a second one. */
export type SendBatch = (number: number, batches: readonly AppendBatch[]) => Promise<void>

/** Bounds one message and one transaction; what is beyond it leaves with the next batch. */
const BATCH_RECORDS_MAX = 4_096
/** Under load commits are at least this far apart: a commit costs the same for one record as for fifty. */
const COMMIT_EVERY_MS = 2
const RETRY_EVERY_MS = 250

class Gathering {
  readonly blocks = new Map<string, string[]>()
  readonly done = Promise.withResolvers<void>()
  count = 0

  constructor() {
    // Whoever appended hears of a failure; a batch nobody awaits must not end the process.
    this.done.promise.catch(() => {})
  }

  batches(): AppendBatch[] {
    return Array.from(this.blocks, ([block, records]) => ({
      block,
      count: records.length,
      json: `[${records.join(',')}]`,
    }))
  }
}

export class AppendQueue {
  readonly #send: SendBatch
  #retryForMs: number
  readonly #clock = new BlockClock()
  /** Not sent yet, oldest first. Only the last one still takes records. */
  #waiting: Gathering[] = []
  #sending: Gathering | null = null
  #scheduled = false
  #sentMs = 0
  #number = 0
  #failing = false
  #closed = false

  /**
   * `send` resolves when the batches are committed. While it rejects with STORAGE_UNAVAILABLE it is asked again with the
   * same batch, for `retryForMs`; then every record of the batch is told.
   */
  constructor(send: SendBatch, retryForMs: number) {
    this.#send = send
    this.#retryForMs = retryForMs
  }

  /** False from the first failed commit to the next one that succeeds. */
  get isFlowing(): boolean {
    return !this.#failing
  }

  /** From now on a failure is told at once: nobody will be there for another attempt. */
  close(): void {
    this.#retryForMs = 0
    this.#closed = true
  }

  /** Resolves when the record is durable. */
  append(record: UsageRecord): Promise<void> {
    let gathering: Gathering
    try {
      const block = this.#clock.blockOf(record.startTimeMs)
      const encoded = encodeRecord(record)
      gathering = this.#open()
      const records = gathering.blocks.get(block)
      if (records === undefined) gathering.blocks.set(block, [encoded])
      else records.push(encoded)
      gathering.count += 1
    } catch (error) {
      return Promise.reject(error)
    }
    if (this.#sending === null) this.#schedule()
    return gathering.done.promise
  }

  /** Resolves when everything appended so far was committed or refused. */
  async settled(): Promise<void> {
    const last = this.#waiting.at(-1) ?? this.#sending
    await last?.done.promise.catch(() => {})
  }

  #open(): Gathering {
    const last = this.#waiting.at(-1)
    if (last !== undefined && last.count < BATCH_RECORDS_MAX) return last
    const fresh = new Gathering()
    this.#waiting.push(fresh)
    return fresh
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    const send = (): void => {
      this.#scheduled = false
      void this.#sendNext()
    }
    // After the callbacks that are ready now, which may append too.
    if (performance.now() - this.#sentMs >= COMMIT_EVERY_MS) setImmediate(send)
    else setTimeout(send, COMMIT_EVERY_MS)
  }

  async #sendNext(): Promise<void> {
    const next = this.#waiting.shift()
    if (next === undefined) return
    this.#sending = next
    this.#sentMs = performance.now()
    try {
      await this.#commit(next.batches())
      next.done.resolve()
    } catch (error) {
      next.done.reject(error)
    }
    this.#sending = null
    if (this.#waiting.length > 0) this.#schedule()
  }

  async #commit(batches: readonly AppendBatch[]): Promise<void> {
    const number = ++this.#number
    const deadlineMs = performance.now() + this.#retryForMs
    for (;;) {
      try {
        await this.#send(number, batches)
        this.#failing = false
        return
      } catch (error) {
        if (!(error instanceof ApiError) || error.reason !== 'STORAGE_UNAVAILABLE') throw error
        this.#failing = true
        if (performance.now() + RETRY_EVERY_MS > deadlineMs) {
          void this.#probe()
          throw error
        }
        await new Promise(resolve => setTimeout(resolve, RETRY_EVERY_MS))
      }
    }
  }

  /** Empty batches, until one is answered: nothing else would find out that the store is back. */
  async #probe(): Promise<void> {
    while (this.#failing && this.#sending === null && !this.#closed) {
      await new Promise(resolve => setTimeout(resolve, RETRY_EVERY_MS).unref())
      try {
        await this.#send(++this.#number, [])
        this.#failing = false
      } catch {
        // Still away, as the records that were refused have been told.
      }
    }
  }
}
