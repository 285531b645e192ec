/**
 * Group commit on the calling thread. Records gather while a batch is being committed and leave together when its answer
 * comes, so the batch grows with the load and an idle store commits a single record at once.
 */
import type { UsageRecord } from '../domain/usage.ts'
import { BlockClock, encodeRecord } from './record-row.ts'

/** Records of one month: a JSON array of encoded records. */
export interface AppendBatch {
  readonly block: string
  readonly json: string
}

/** Bounds one message and one transaction; what is beyond it leaves with the next batch. */
const BATCH_RECORDS_MAX = 4_096

class Gathering {
  readonly blocks = new Map<string, string[]>()
  readonly done = Promise.withResolvers<void>()
  count = 0

  constructor() {
    // Whoever appended hears of a failure; a batch nobody awaits must not end the process.
    this.done.promise.catch(() => {})
  }
}

export class AppendQueue {
  readonly #send: (batches: readonly AppendBatch[]) => Promise<void>
  readonly #clock = new BlockClock()
  /** Not sent yet, oldest first. Only the last one still takes records. */
  #waiting: Gathering[] = []
  #sending: Gathering | null = null
  #scheduled = false

  /** `send` resolves when the batches are committed and rejects with what every record of them is told. */
  constructor(send: (batches: readonly AppendBatch[]) => Promise<void>) {
    this.#send = send
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
    if (this.#sending === null && !this.#scheduled) {
      // After the callbacks that are ready now, which may append too.
      this.#scheduled = true
      setImmediate(() => this.#sendNext())
    }
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

  #sendNext(): void {
    this.#scheduled = false
    const next = this.#waiting.shift()
    if (next === undefined) return
    this.#sending = next
    const batches: AppendBatch[] = []
    for (const [block, records] of next.blocks) batches.push({ block, json: `[${records.join(',')}]` })
    this.#send(batches).then(
      () => this.#finish(() => next.done.resolve()),
      (error: unknown) => this.#finish(() => next.done.reject(error)),
    )
  }

  #finish(tell: () => void): void {
    this.#sending = null
    tell()
    this.#sendNext()
  }
}
