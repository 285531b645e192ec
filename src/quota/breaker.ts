/** Consecutive failures after which nothing is asked for a while. */
const FAILURES_MAX = 3
/** How long that while is; then one question is let through to see. */
const PAUSE_MS = 1_000

/** Bounds how long somebody waits for a service that may be away, and asks it less while it is. */
export class Breaker {
  readonly #waitMs: number
  readonly #onOutage: (error: unknown) => void
  #failures = 0
  #pausedUntilMs = 0

  /** `onOutage` hears of the failure that begins an outage. */
  constructor(waitMs: number, onOutage: (error: unknown) => void) {
    this.#waitMs = waitMs
    this.#onOutage = onOutage
  }

  /** What `ask` answers, or null: it failed, took longer than the wait, or was not asked. Never rejects. */
  async run<Answer>(ask: () => Promise<Answer>): Promise<Answer | null> {
    if (this.#failures >= FAILURES_MAX) {
      if (performance.now() < this.#pausedUntilMs) return null
      // Whoever comes meanwhile does not wait behind this one.
      this.#pausedUntilMs = performance.now() + PAUSE_MS
    }
    const { promise, resolve } = Promise.withResolvers<Answer | null>()
    let isOpen = true
    const end = (answer: Answer | null, error?: unknown): void => {
      // An answer that comes late is none: a service that is always late would keep everybody waiting.
      if (!isOpen) return
      isOpen = false
      clearTimeout(timer)
      if (error === undefined) this.#failures = 0
      else this.failed(error)
      resolve(answer)
    }
    const late = (): void => end(null, new Error(`no answer within ${this.#waitMs} ms`))
    // After a busy turn the timer comes first, though the answer is there: it is read before it counts as late.
    const timer = setTimeout(() => setImmediate(late), this.#waitMs)
    ask().then(
      answer => end(answer),
      (error: unknown) => end(null, error ?? new Error('failed for no reason')),
    )
    return await promise
  }

  failed(error: unknown): void {
    this.#failures += 1
    if (this.#failures === FAILURES_MAX) {
      this.#pausedUntilMs = performance.now() + PAUSE_MS
      this.#onOutage(error)
    }
  }
}
