/** Bodies of calls on the near side of the thread: a bounded number of bytes that wait to be written. */
import type { CallBodies } from '../domain/call-bodies.ts'
import type { ApiError } from '../domain/error.ts'
import type { BodyRemote, BodyStore } from './body-store.ts'

const HELD_BYTES_MAX = 32 * 1024 * 1024
/** Some milliseconds of the thread's time. */
const BATCH_BYTES_MAX = 256 * 1024
/** Between batches; longer where they take long, so that usage has most of the thread. */
const REST = { minMs: 100, timesLast: 2 }
const SEND_AGAIN_MS = 5_000

interface BodyQueueOptions {
  readonly bytesMax?: number
  /** Hears how many calls' bodies were lost. */
  readonly onDrop?: (calls: number) => void
  /** Hears of the first failure of an outage. */
  readonly onFailure?: (error: ApiError) => void
}

/** What waits here is lost with the process. While the database is away it waits, as long as there is room. */
export class BodyQueue implements Pick<BodyStore, 'take' | 'give' | 'keep' | 'drop' | 'settled'> {
  readonly #send: BodyRemote['add']
  readonly #bytesMax: number
  readonly #onDrop: (calls: number) => void
  readonly #onFailure: (error: ApiError) => void
  readonly #waiting: CallBodies[] = []
  #bytesHeld = 0
  #timer: NodeJS.Timeout | null = null
  #sending: Promise<void> = Promise.resolve()
  #failing = false

  constructor(send: BodyRemote['add'], options: BodyQueueOptions = {}) {
    this.#send = send
    this.#bytesMax = options.bytesMax ?? HELD_BYTES_MAX
    this.#onDrop = options.onDrop ?? (() => {})
    this.#onFailure = options.onFailure ?? (() => {})
  }

  take(bytes: number): boolean {
    if (this.#bytesHeld + bytes > this.#bytesMax) return false
    this.#bytesHeld += bytes
    return true
  }

  give(bytes: number): void {
    this.#bytesHeld -= bytes
  }

  keep(bodies: CallBodies): void {
    this.#waiting.push(bodies)
    this.#schedule(REST.minMs)
  }

  drop(): void {
    this.#onDrop(1)
  }

  async settled(): Promise<void> {
    const sent = this.#sending.then(() => this.#sendAll())
    this.#sending = sent.catch(() => {})
    await sent
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #schedule(afterMs: number): void {
    if (this.#timer !== null) return
    this.#timer = setTimeout(() => {
      this.#sending = this.#sending.then(() => this.#sendNext())
    }, afterMs)
    this.#timer.unref()
  }

  async #sendAll(): Promise<void> {
    while (this.#waiting.length > 0) await this.#sendBatch()
  }

  async #sendNext(): Promise<void> {
    const startMs = performance.now()
    let afterMs = SEND_AGAIN_MS
    try {
      await this.#sendBatch()
      afterMs = Math.max(REST.minMs, (performance.now() - startMs) * REST.timesLast)
    } catch {
      // Told by `onFailure`.
    }
    this.#timer = null
    if (this.#waiting.length > 0) this.#schedule(afterMs)
  }

  /** Rejects with STORAGE_UNAVAILABLE, and then nothing has changed. What is refused otherwise would be again: it is dropped. */
  async #sendBatch(): Promise<void> {
    const batch = this.#nextBatch()
    if (batch.length === 0) return
    try {
      await this.#send(batch)
      this.#failing = false
    } catch (thrown) {
      const error = thrown as ApiError
      if (!this.#failing) this.#onFailure(error)
      this.#failing = true
      if (error.reason === 'STORAGE_UNAVAILABLE') {
        this.#waiting.unshift(...batch)
        throw error
      }
      this.#onDrop(batch.length)
    }
    for (const bodies of batch) this.give(bytesOf(bodies))
  }

  #nextBatch(): readonly CallBodies[] {
    let bytes = 0
    const count = this.#waiting.findIndex(bodies => {
      bytes += bytesOf(bodies)
      return bytes > BATCH_BYTES_MAX
    })
    return this.#waiting.splice(0, count === -1 ? this.#waiting.length : Math.max(count, 1))
  }
}

function bytesOf({ request, reply }: CallBodies): number {
  return request.bytes.length + reply.bytes.length
}

export function bodiesOver(remote: BodyRemote, queue: BodyQueue): BodyStore {
  return {
    take: bytes => queue.take(bytes),
    give: bytes => queue.give(bytes),
    keep: bodies => queue.keep(bodies),
    drop: () => queue.drop(),
    settled: () => queue.settled(),
    setRetention: (...args) => remote.setRetention(...args),
    reveal: (...args) => remote.reveal(...args),
    purge: nowMs => remote.purge(nowMs),
  }
}
