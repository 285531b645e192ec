import type { ApiError } from '../domain/error.ts'
import { toApiError } from '../http/render.ts'
import { type Placed, Roster } from '../http/roster.ts'
import type { Admission, Call, Grant, KeyEntry } from './call.ts'
import type { CallCopy } from './call-copy.ts'
import type { Abortable, Sender } from './upstream-answer.ts'

/**
 * A call that was let in and is not settled yet. Knows what its client was told, and bounds for how long the upstream is
 * waited for once the client has its answer or is gone (MONEY.md rule 17): from then on the reply is wanted for its usage
 * alone. A stream that is being passed on bounds itself.
 */
export class OpenCall implements Sender, Placed {
  readonly call: Call
  readonly admission: Admission
  /** Null unless its project keeps bodies. */
  readonly copy: CallCopy | null
  /** performance.now() when it was let in. */
  readonly admittedAtMs = performance.now()
  /** The key as it was when it was last found to allow the call: at admission, or at the last change since. */
  entry: KeyEntry
  /** Ends the client's side at once with this error. The upstream's side goes on until its usage is known. */
  onCut: (error: ApiError) => void
  place = -1
  readonly #drainMs: number
  #cutStatus: number | null = null
  #exchange: Abortable | null = null
  #timer: NodeJS.Timeout | null = null
  /** What ends the upstream's side: that the drain time is over, or that it is not waited for any more. */
  #state: 'open' | 'drained' | 'stopped' = 'open'

  constructor(
    call: Call,
    admission: Admission,
    options: {
      readonly drainMs: number
      readonly onCut: OpenCall['onCut']
      readonly copy?: CallCopy | null
    },
  ) {
    this.call = call
    this.admission = admission
    this.copy = options.copy ?? null
    this.entry = admission.grant.caller.entry
    this.#drainMs = options.drainMs
    this.onCut = options.onCut
    if (call.response.destroyed) this.#drain()
    else call.response.on('close', () => this.#drain())
  }

  get grant(): Grant {
    return this.admission.grant
  }

  /** The status the client was given, or 499 when it left before it was; null while it waits. */
  given(): number | null {
    return this.#cutStatus ?? (this.call.response.destroyed ? 499 : null)
  }

  cut(error: ApiError): void {
    this.#cutStatus = error.httpStatus
    this.onCut(error)
  }

  started(exchange: Abortable): void {
    this.#exchange = exchange
    if (this.#state === 'drained') this.#abort()
  }

  /** The upstream is not waited for any more, or somebody else sees to it. */
  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#state = 'stopped'
  }

  #drain(): void {
    if (this.#state !== 'open' || this.#timer !== null) return
    this.#timer = setTimeout(() => {
      this.#state = 'drained'
      this.#abort()
    }, this.#drainMs)
  }

  #abort(): void {
    this.#exchange?.abort(new Error('nobody waits for the reply and the drain time is over'))
  }
}

/** Calls under way, so that a change to a key reaches what it let in. */
export class OpenCalls extends Roster<OpenCall> {
  /** Runs `check` for every call of the keys that `concerns` picks, and cuts those for which it throws. */
  async recheck(
    concerns: (entry: KeyEntry) => boolean,
    check: (open: OpenCall) => Promise<void> | void,
  ): Promise<void> {
    for (const open of this.all().filter(open => concerns(open.entry))) {
      // It may have ended while another one was looked at.
      if (open.place === -1) continue
      try {
        await check(open)
      } catch (thrown) {
        open.cut(toApiError(thrown))
      }
    }
  }
}
