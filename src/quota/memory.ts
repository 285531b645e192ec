/** Rate counters of one process. Every answer is given at once: what is not asked over a wire costs no promise. */
import type {
  QuotaAllocation,
  QuotaAnswer,
  QuotaCounter,
  QuotaReading,
  QuotaRefusal,
  QuotaTake,
} from '../domain/quota.ts'
import { rateWindow } from '../domain/quota-window.ts'

interface Count {
  startMs: number
  endMs: number
  used: number
}

/** Counters in memory before those whose window is over are thrown away. */
const COUNTS_SWEPT_AT = 10_000

export class MemoryQuota {
  readonly #timeZone: string
  readonly #now: () => number
  readonly #counts = new Map<string, Count>()
  #sweepAt = COUNTS_SWEPT_AT

  /** `timeZone`: an IANA name, at whose midnights days begin. */
  constructor(timeZone: string, now: () => number = Date.now) {
    this.#timeZone = timeZone
    this.#now = now
  }

  allocate(takes: readonly QuotaTake[], callId: string): QuotaAnswer {
    const nowMs = this.#now()
    const counts = takes.map(({ counter }) => this.#countOf(counter, nowMs))
    let refusals: QuotaRefusal[] | null = null
    for (const [place, { counter, amount }] of takes.entries()) {
      const { used, endMs } = counts[place] ?? NOTHING
      if (used + amount <= counter.limit) continue
      refusals ??= []
      refusals.push({ counter, amount, used, resetInMs: endMs === Infinity ? 0 : endMs - nowMs })
    }
    if (refusals !== null) return { kind: 'refused', refusals }
    const windows = counts.map((count, place) => {
      count.used += takes[place]?.amount ?? 0
      return count.startMs
    })
    return { kind: 'granted', allocation: { callId, takes, windows } }
  }

  /** Leaves `kept` of each take counted, in the window it was taken in, and gives the rest back. */
  release({ takes, windows }: QuotaAllocation, kept: readonly number[]): void {
    for (const [place, { counter, amount }] of takes.entries()) {
      const count = this.#counts.get(counter.id)
      if (count === undefined || count.startMs !== windows[place]) continue
      count.used = Math.max(0, count.used + (kept[place] ?? amount) - amount)
      if (counter.window === 'slots' && count.used === 0) this.#counts.delete(counter.id)
    }
  }

  read(counters: readonly QuotaCounter[]): Promise<readonly QuotaReading[]> {
    const nowMs = this.#now()
    const readings = counters.map(counter => {
      const { used, endMs } = this.#countOf(counter, nowMs)
      return { used, resetTimeMs: endMs === Infinity ? null : endMs }
    })
    return Promise.resolve(readings)
  }

  close(): void {
    this.#counts.clear()
  }

  #countOf({ id, window }: QuotaCounter, nowMs: number): Count {
    const known = this.#counts.get(id)
    if (known !== undefined && nowMs >= known.startMs && nowMs < known.endMs) return known
    const bounds = window === 'slots' ? SLOTS : rateWindow(window, this.#timeZone, nowMs)
    const count = { ...bounds, used: 0 }
    this.#counts.set(id, count)
    if (this.#counts.size >= this.#sweepAt) this.#sweep(nowMs)
    return count
  }

  /** A caller may name ever new models: only counters that still count anything stay. */
  #sweep(nowMs: number): void {
    for (const [id, { used, endMs }] of this.#counts) {
      if (nowMs >= endMs || (endMs === Infinity && used === 0)) this.#counts.delete(id)
    }
    this.#sweepAt = Math.max(COUNTS_SWEPT_AT, this.#counts.size * 2)
  }
}

const SLOTS = { startMs: 0, endMs: Infinity }
const NOTHING = { used: 0, endMs: 0 }
