/**
 * Group commit on the calling thread. Records gather while a batch is being committed and leave together when its answer
 * comes, so the batch grows with the load and an idle store commits a single record at once. A batch is never given up:
 * money that was spent is posted, once, in the order in which it was spent.
 */
import { ApiError } from '../domain/error.ts'
import type { UsageRecord } from '../domain/usage.ts'
import { BlockClock, amount, encodeRecord } from './record-row.ts'
import type { Charge } from '../domain/ledger.ts'
import type { RecordedCall } from './journal-segment.ts'

/** Records of one month: a JSON array of encoded records. */
export interface AppendBatch {
  readonly block: string
  readonly count: number
  readonly json: string
}

/** Cost above what was posted for it, on one budget row. */
export interface RowOverrun {
  readonly rowId: number
  readonly nanos: number
}

/** What is committed together. */
export interface AppendMessage {
  readonly batches: readonly AppendBatch[]
  /**
   * `[allotmentId, nanos]` pairs as a JSON array: all that was ever settled from the allotment, so that telling it twice
   * changes nothing. null: no allotment is charged.
   */
  readonly settled: string | null
  readonly overruns: readonly RowOverrun[]
}

/** Commits the message under a number of its own. The same number again is the same message, not a second one. */
export type SendMessage = (number: number, message: AppendMessage) => Promise<void>

/** Where records are kept that the store does not take in time. */
export interface RecordKeeper {
  /** Keeps the encoded records; they survive a crash once it returns. Throws STORAGE_UNAVAILABLE. */
  keep(encoded: readonly string[]): void
  /** The record of the call is in the store. */
  settled(callId: string): void
  /** The last of those that came into the store together. */
  recorded(call: RecordedCall): void
}

interface Waits {
  readonly waitMs: number
  readonly openCalls: () => number
}

/** Bounds one message and one transaction; what is beyond it leaves with the next batch. */
const BATCH_RECORDS_MAX = 4_096
/**
 * Under load commits are some time apart: one costs nearly the same for a single record as for fifty. The time follows
 * how long the last one took, so that a slow disk is not asked all the time and no call waits long. Where many records
 * come with each, calls wait for the processor rather than for the disk, and what fewer commits cost less is theirs.
 */
const COMMIT_GAP = { timesLast: 3, minMs: 2, maxMs: 12 }
const CROWDED_GAP = { timesLast: 5, minMs: 2, maxMs: 20 }
const CROWD_RECORDS = 32

/** How long after a commit was sent the next one may be. */
function gapAfter(tookMs: number, records: number): number {
  const { timesLast, minMs, maxMs } = records < CROWD_RECORDS ? COMMIT_GAP : CROWDED_GAP
  return Math.min(Math.max(tookMs * timesLast, minMs), maxMs)
}
const RETRY_EVERY_MS = 250
/** A commit that takes longer is an outage until it ends (MONEY.md rule 22). */
const COMMIT_SLOW_MS = 2_000

/** Adds what a call cost above what is posted for it, on every row of its path. */
export function addOverrun(
  overruns: Map<number, number>,
  { ledger, costNanos, postedNanos }: UsageRecord,
): void {
  if (costNanos === null || costNanos <= postedNanos) return
  for (const rowId of ledger) overruns.set(rowId, (overruns.get(rowId) ?? 0) + costNanos - postedNanos)
}

class Gathering {
  readonly blocks = new Map<string, string[]>()
  readonly callIds: string[] = []
  readonly onDurable: (() => void)[] = []
  readonly settled = new Map<string, number>()
  readonly overruns = new Map<number, number>()
  /** The last one added. */
  last: RecordedCall | null = null
  readonly done = Promise.withResolvers<void>()
  readonly startedMs = performance.now()
  /** Whoever appended was told that the store did not take the records in time. */
  isTold = false

  constructor() {
    // Whoever appended hears of a failure; a batch nobody awaits must not end the process.
    this.done.promise.catch(() => {})
  }

  add(block: string, encoded: string, record: UsageRecord): void {
    const records = this.blocks.get(block)
    if (records === undefined) this.blocks.set(block, [encoded])
    else records.push(encoded)
    this.callIds.push(record.callId)
    this.last = record
    addOverrun(this.overruns, record)
  }

  /** Lets go of everything: whatever still refers to the gathering must not keep its calls in memory. */
  forget(): void {
    this.blocks.clear()
    this.last = null
    this.callIds.length = 0
    this.onDurable.length = 0
  }

  message(): AppendMessage {
    return {
      batches: Array.from(this.blocks, ([block, records]) => ({
        block,
        count: records.length,
        json: `[${records.join(',')}]`,
      })),
      settled: this.settled.size === 0 ? null : JSON.stringify([...this.settled]),
      overruns: Array.from(this.overruns, ([rowId, nanos]) => ({ rowId, nanos })),
    }
  }
}

export class AppendQueue {
  readonly #send: SendMessage
  readonly #keeper: RecordKeeper
  readonly #waitMs: number
  readonly #openCalls: () => number
  readonly #clock = new BlockClock()
  /** All that was settled from each open allotment since it was opened. */
  readonly #settled = new Map<string, number>()
  /** Not sent yet, oldest first. Only the last one still takes records. */
  #waiting: Gathering[] = []
  #sending: Gathering | null = null
  #scheduled = false
  /** Until the next commit may be sent; null while it is sent in this turn, or none is due. */
  #gap: NodeJS.Timeout | null = null
  #sentMs = 0
  /** How long after the last commit was sent the next one may be. */
  #gapMs = COMMIT_GAP.minMs
  #number = 0
  #failure: unknown = null
  #watching = false
  #closed = false

  /**
   * `send` resolves when the message is committed; while it rejects it is asked again with the same one. Whoever has
   * waited `waitMs` for a record is told STORAGE_UNAVAILABLE, after `keeper` has kept the record; it is posted all the
   * same. `openCalls` says how many calls are under way, those that wait here among them.
   */
  constructor(send: SendMessage, keeper: RecordKeeper, { waitMs, openCalls }: Waits) {
    this.#send = send
    this.#keeper = keeper
    this.#waitMs = waitMs
    this.#openCalls = openCalls
  }

  /** False from the first failed commit to the next one that succeeds, and while one takes longer than two seconds. */
  get isFlowing(): boolean {
    if (this.#failure !== null) return false
    return this.#sending === null || performance.now() - this.#sentMs < COMMIT_SLOW_MS
  }

  /** From now on nothing is tried again: nobody will be there to answer. What is not committed is kept. */
  close(): void {
    this.#closed = true
  }

  /**
   * Resolves when the record is durable and its charges are settled. INTERNAL, and nothing is stored, for a number that
   * is none. `onDurable` is called then, also where the promise was rejected for having taken too long.
   */
  append(record: UsageRecord, charges: readonly Charge[], onDurable?: () => void): Promise<void> {
    let gathering: Gathering
    try {
      const block = this.#clock.blockOf(record.startTimeMs)
      const encoded = encodeRecord(record)
      for (const { nanos } of charges) amount(nanos)
      gathering = this.#open()
      gathering.add(block, encoded, record)
      if (onDurable !== undefined) gathering.onDurable.push(onDurable)
    } catch (error) {
      return Promise.reject(error)
    }
    for (const { allotmentId, nanos } of charges) {
      const settled = (this.#settled.get(allotmentId) ?? 0) + nanos
      this.#settled.set(allotmentId, settled)
      gathering.settled.set(allotmentId, settled)
    }
    if (this.#sending === null) this.#schedule()
    return gathering.done.promise
  }

  /** Resolves when everything appended so far was committed, or whoever appended it was told that it was not. */
  async settled(): Promise<void> {
    const last = this.#waiting.at(-1) ?? this.#sending
    await last?.done.promise.catch(() => {})
  }

  /** Whether charges to the allotment are not committed yet. */
  owes(allotmentId: string): boolean {
    return this.#pending().some(gathering => gathering.settled.has(allotmentId))
  }

  /** The allotment is closed: it will not be charged again. */
  forget(allotmentId: string): void {
    this.#settled.delete(allotmentId)
  }

  #open(): Gathering {
    const last = this.#waiting.at(-1)
    if (last !== undefined && !last.isTold && last.callIds.length < BATCH_RECORDS_MAX) return last
    const fresh = new Gathering()
    this.#waiting.push(fresh)
    return fresh
  }

  /** Sends what waits when its time has come; what waits for that already is sent before it once it is ripe. */
  #schedule(): void {
    if (this.#scheduled && (this.#gap === null || !this.#isRipe())) return
    this.#scheduled = true
    clearTimeout(this.#gap ?? undefined)
    this.#gap = null
    const waitMs = this.#sentMs + this.#gapMs - performance.now()
    // After the callbacks that are ready now, which may append too.
    if (waitMs < 1 || this.#isRipe()) setImmediate(this.#sendScheduled)
    else this.#gap = setTimeout(this.#sendScheduled, waitMs)
  }

  readonly #sendScheduled = (): void => {
    this.#scheduled = false
    this.#gap = null
    void this.#sendNext()
  }

  /** Many records, of half of the calls there are: what more could come waits for these, and the processor would idle. */
  #isRipe(): boolean {
    const records = this.#waiting[0]?.callIds.length ?? 0
    return records >= CROWD_RECORDS && records * 2 >= this.#openCalls()
  }

  async #sendNext(): Promise<void> {
    const next = this.#waiting.shift()
    if (next === undefined) return
    this.#sending = next
    this.#sentMs = performance.now()
    this.#watch()
    if (await this.#commit(next.message())) {
      this.#gapMs = gapAfter(performance.now() - this.#sentMs, next.callIds.length)
      next.done.resolve()
      if (next.last !== null) this.#keeper.recorded(next.last)
      for (const callId of next.callIds) this.#keeper.settled(callId)
      for (const onDurable of next.onDurable) onDurable()
      next.forget()
    } else {
      this.#tell(this.#pending())
    }
    this.#sending = null
    if (this.#waiting.length > 0) this.#schedule()
  }

  /** Tries until it is committed; false when the queue was closed before. */
  async #commit(message: AppendMessage): Promise<boolean> {
    const number = ++this.#number
    for (;;) {
      try {
        await this.#send(number, message)
        this.#failure = null
        return true
      } catch (error) {
        this.#failure = error
        if (this.#closed) return false
        await new Promise(resolve => setTimeout(resolve, RETRY_EVERY_MS))
      }
    }
  }

  #pending(): readonly Gathering[] {
    return this.#sending === null ? this.#waiting : [this.#sending, ...this.#waiting]
  }

  /** Looks after those who wait too long, also when a commit is never answered. */
  #watch(): void {
    if (this.#watching) return
    this.#watching = true
    const look = (): void => {
      this.#watching = false
      if (this.#sending === null) return
      const overdueMs = performance.now() - this.#waitMs
      this.#tell(this.#pending().filter(gathering => gathering.startedMs <= overdueMs))
      this.#watch()
    }
    setTimeout(look, RETRY_EVERY_MS).unref()
  }

  #tell(gatherings: readonly Gathering[]): void {
    const untold = gatherings.filter(gathering => !gathering.isTold)
    if (untold.length === 0) return
    let refusal = new ApiError(
      'STORAGE_UNAVAILABLE',
      'The database did not take the usage of the call in time. It is kept and will be posted; look whether the ' +
        'database runs and has space.',
      { cause: this.#failure },
    )
    try {
      this.#keeper.keep(untold.flatMap(gathering => [...gathering.blocks.values()].flat()))
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      refusal = error
    }
    for (const gathering of untold) {
      gathering.isTold = true
      gathering.done.reject(refusal)
    }
  }
}
