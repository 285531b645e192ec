import { CLOCK_SKEW_MAX_MS } from '../domain/clock.ts'
import { ApiError, type Detail } from '../domain/error.ts'
import { Lateness } from './lateness.ts'

export interface IntakeOptions {
  /** Calls under way now. */
  readonly openCalls: () => number
  readonly openCallsMax: number
  /** How far this machine's clock is ahead of the database's, or of what it was itself before, ms. */
  readonly clockSkewMs: () => number
  /** For how long the database has not said whether other nodes changed anything, ms; near 0 where there are none. */
  readonly changesAgeMs: () => number
}

/** How often the event loop is asked how late it is. */
const LOOK_EVERY_MS = 50
/** By then the database was asked several times: a call that asks it for its key would only wait. */
const SILENCE_MAX_MS = 3_000
/**
 * Whether a call may come in at all, decided before anything of it is looked at. Management and health checks do not ask
 * here: when calls are too many they are refused, so that the rest is answered.
 */
export class Intake {
  readonly #options: IntakeOptions
  readonly #timer: NodeJS.Timeout
  readonly #lateness = new Lateness(LOOK_EVERY_MS, performance.now())

  constructor(options: IntakeOptions) {
    this.#options = options
    this.#timer = setInterval(() => this.#lateness.look(performance.now()), LOOK_EVERY_MS)
    this.#timer.unref()
  }

  /** Whether calls are refused since the process cannot keep up. */
  get isOverloaded(): boolean {
    return this.#lateness.isLate || this.#options.openCalls() >= this.#options.openCallsMax
  }

  get isClockWrong(): boolean {
    return Math.abs(this.#options.clockSkewMs()) > CLOCK_SKEW_MAX_MS
  }

  /** Throws OVERLOADED, CLOCK_WRONG or STORAGE_UNAVAILABLE (503). */
  check(): void {
    if (this.isOverloaded) {
      const why = this.#lateness.isLate
        ? 'This process cannot keep up'
        : 'As many calls are under way as there may be'
      throw new ApiError('OVERLOADED', `${why}, so none is let in for a moment. Please retry.`, {
        details: [RETRY_SOON],
      })
    }
    if (this.#options.changesAgeMs() > SILENCE_MAX_MS) {
      throw new ApiError(
        'STORAGE_UNAVAILABLE',
        'The database does not answer, so nobody can tell whether the key is still valid. Please retry.',
        { details: [RETRY_SOON] },
      )
    }
    if (this.isClockWrong) {
      throw new ApiError(
        'CLOCK_WRONG',
        "The clock of this machine is far from the database's, or was set back, so nobody can tell which keys have expired. Set it right.",
        { details: [RETRY_SOON] },
      )
    }
  }

  close(): void {
    clearInterval(this.#timer)
  }
}

const RETRY_SOON: Detail = { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '1s' }
