/** What drifting may take from a clock that is compared with no other, for each ms: more than any machine's does. */
const DRIFT = 1 / 1_000

/**
 * How far this machine's clock is off. Between comparisons with the database's the monotonic clock tells, at once. Where the
 * database has no clock of its own, one that goes forward is right, and one that goes back is off: what it called over stays
 * over (what has expired, what was counted).
 */
export class ClockSkew {
  readonly #wall: () => number
  readonly #steady: () => number
  #isCompared = false
  #lookedMs: number
  /** The right time less the monotonic clock's. */
  #rightMs: number

  constructor(wall: () => number = () => Date.now(), steady: () => number = () => performance.now()) {
    this.#wall = wall
    this.#steady = steady
    this.#lookedMs = steady()
    this.#rightMs = wall() - this.#lookedMs
  }

  /** The machine's clock was so far ahead of the database's just now, ms. From then on that is what it is measured by. */
  compared(skewMs: number): void {
    this.#isCompared = true
    this.#rightMs = this.#wall() - this.#steady() - skewMs
  }

  /** How far the machine's clock is ahead, ms; behind is negative. */
  ms(): number {
    const steadyMs = this.#steady()
    const offsetMs = this.#wall() - steadyMs
    if (!this.#isCompared) {
      this.#rightMs = Math.max(offsetMs, this.#rightMs - (steadyMs - this.#lookedMs) * DRIFT)
      this.#lookedMs = steadyMs
    }
    return Math.round(offsetMs - this.#rightMs)
  }
}
