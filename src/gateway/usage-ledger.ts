import { setTimeout as delay } from 'node:timers/promises'
import { toApiError } from '../http/render.ts'
import type { UsageRecord } from '../domain/usage.ts'
import type { UsageLog } from './call.ts'

const PROBE_MS = 250

/**
 * Makes usage durable, with patience for a store that is away for a moment, and knows whether it is: while it is not,
 * no call is admitted (MONEY.md rule 22).
 */
export class UsageLedger {
  readonly #log: UsageLog
  readonly #waitMs: number
  #probing: Promise<void> | null = null

  constructor(log: UsageLog, waitMs: number) {
    this.#log = log
    this.#waitMs = waitMs
  }

  get isUp(): boolean {
    return this.#probing === null
  }

  /** Resolves when the record is durable; rejects with STORAGE_UNAVAILABLE when it is not within the wait. */
  async post(record: UsageRecord): Promise<void> {
    const deadlineMs = performance.now() + this.#waitMs
    for (;;) {
      try {
        await this.#log.append(record)
        return
      } catch (thrown) {
        const error = toApiError(thrown)
        this.#startProbing()
        if (error.reason !== 'STORAGE_UNAVAILABLE' || performance.now() + PROBE_MS > deadlineMs) throw error
        await delay(PROBE_MS)
      }
    }
  }

  #startProbing(): void {
    this.#probing ??= this.#probe().then(() => {
      this.#probing = null
    })
  }

  async #probe(): Promise<void> {
    for (;;) {
      await delay(PROBE_MS, undefined, { ref: false })
      try {
        await this.#log.ping()
        return
      } catch {
        // Still away. The failed append that started the probing has been told already.
      }
    }
  }
}
