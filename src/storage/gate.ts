/** Lets a bounded number of things happen at once; the others wait their turn, but not for ever. */
import { ApiError } from '../domain/error.ts'

export class Gate {
  readonly #waitMs: number
  readonly #waiting: (() => void)[] = []
  #free: number

  /** `width` at once; whoever has waited `waitMs` is refused. */
  constructor(width: number, waitMs: number) {
    this.#free = width
    this.#waitMs = waitMs
  }

  /** Runs `work` when it is its turn, in the order of the calls. STORAGE_UNAVAILABLE when that takes too long. */
  async pass<T>(work: () => Promise<T>): Promise<T> {
    await this.#enter()
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      // The place is handed on, so nobody can take it in between.
      if (next === undefined) this.#free += 1
      else next()
    }
  }

  async #enter(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1
      return
    }
    const turn = Promise.withResolvers<void>()
    this.#waiting.push(turn.resolve)
    const timer = setTimeout(() => {
      this.#waiting.splice(this.#waiting.indexOf(turn.resolve), 1)
      turn.reject(
        new ApiError(
          'STORAGE_UNAVAILABLE',
          'Too much is waiting for the database, so this was not done. Try again in a moment.',
        ),
      )
    }, this.#waitMs)
    await turn.promise
    clearTimeout(timer)
  }
}
