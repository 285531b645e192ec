/** Whether an event loop cannot keep up, from how late it comes to look at the clock. */

/** A turn that begins later than this is late. */
const LATE_MS = 200
/** The loop is late when every look was, for so long: a single long turn is no overload, however long. */
const LATE_FOR_MS = 500

export class Lateness {
  readonly #everyMs: number
  #lookedMs: number
  /** When the first of the late looks in a row was taken; null while the loop is in time. */
  #lateSinceMs: number | null = null
  #isLate = false

  /** `everyMs` is how often somebody means to look. */
  constructor(everyMs: number, nowMs: number) {
    this.#everyMs = everyMs
    this.#lookedMs = nowMs
  }

  get isLate(): boolean {
    return this.#isLate
  }

  look(nowMs: number): void {
    const lateMs = nowMs - this.#lookedMs - this.#everyMs
    this.#lookedMs = nowMs
    this.#lateSinceMs = lateMs < LATE_MS ? null : (this.#lateSinceMs ?? nowMs)
    this.#isLate = this.#lateSinceMs !== null && nowMs - this.#lateSinceMs > LATE_FOR_MS
  }
}
