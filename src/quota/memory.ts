/** Rate counters of one process. Every answer is given at once: what is not asked over a wire costs no promise. */
import type { QuotaAllocation, QuotaAnswer, QuotaCounter, QuotaReading, QuotaTake } from '../domain/quota.ts'
import { rateWindow } from '../domain/quota-window.ts'

interface Count {
  readonly startMs: number
  readonly endMs: number
  used: number
}

/** Counters in memory before those whose window is over are thrown away. */
const COUNTS_SWEPT_AT = 10_000

export class MemoryQuota {
  /** Nobody else has to be asked, so no call is let through uncounted. */
  readonly isEnforced = true
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
    const asked = takes.map(({ counter, amount }) => ({
      counter,
      amount,
      count: this.#countOf(counter, nowMs),
    }))
    const refusals = asked
      .filter(({ counter, amount, count }) => count.used + amount > counter.limit)
      .map(({ counter, amount, count: { used, endMs } }) => {
        return { counter, amount, used, resetInMs: endMs === Infinity ? 0 : endMs - nowMs }
      })
    if (refusals.length > 0) return { kind: 'refused', refusals }
    if (this.#counts.size >= this.#sweepAt) this.#sweep(nowMs)
    const windows = asked.map(({ counter, amount, count }) => {
      count.used += amount
      this.#counts.set(counter.id, count)
      return count.startMs
    })
    return { kind: 'granted', allocation: { callId, takes, windows } }
  }

  /** Leaves `kept` of each take counted, in the window it was taken in, and gives the rest back. */
  release({ takes, windows }: QuotaAllocation, kept: readonly number[]): void {
    for (const [place, { counter, amount }] of takes.entries()) {
      const count = this.#counts.get(counter.id)
      if (count === undefined || count.startMs !== windows[place]) continue
      count.used += (kept[place] ?? amount) - amount
      // Below nothing where a clock that was set far back had begun the window anew.
      if (count.used <= 0) this.#counts.delete(counter.id)
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

  /** Counters in memory. One that counts nothing is not among them, however often it is asked for. */
  get size(): number {
    return this.#counts.size
  }

  /** What is counted now; where nothing is, a count that is not kept until something is taken. */
  #countOf({ id, window }: QuotaCounter, nowMs: number): Count {
    const known = this.#counts.get(id)
    if (known !== undefined && isWithin(known, nowMs)) return known
    const bounds = window === 'slots' ? SLOTS : rateWindow(window, this.#timeZone, nowMs)
    return { ...bounds, used: 0 }
  }

  /** A caller may name ever new models: only counters whose window is not over stay. */
  #sweep(nowMs: number): void {
    for (const [id, { endMs }] of this.#counts) if (nowMs >= endMs) this.#counts.delete(id)
    this.#sweepAt = Math.max(COUNTS_SWEPT_AT, this.#counts.size * 2)
  }
}

/**
 * Whether what is taken now counts in this window. What comes in the one before does, too: a clock that was set back opens no
 * window again. What comes earlier begins anew: the clock was wrong when this window was begun.
 */
function isWithin({ startMs, endMs }: Count, nowMs: number): boolean {
  return nowMs < endMs && nowMs >= startMs - (endMs - startMs)
}

const SLOTS = { startMs: 0, endMs: Infinity }
