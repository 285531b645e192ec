import type { Call } from './call.ts'

/**
 * Bounds for how long the upstream is waited for once the client has its answer or is gone (MONEY.md rule 17): from then
 * on the reply is wanted for its usage alone. For a call as a whole; a stream that is being passed on bounds itself.
 */
export class Drain {
  readonly #call: Call
  readonly #onClose: () => void
  #timer: NodeJS.Timeout | undefined
  #abort: ((cause: Error) => void) | null = null
  #isOver = false

  constructor(call: Call, drainMs: number) {
    this.#call = call
    this.#onClose = () => {
      this.#timer = setTimeout(() => this.#end(), drainMs)
    }
    if (call.response.destroyed) this.#onClose()
    else call.response.once('close', this.#onClose)
  }

  /** The request is on its way upstream; `abort` closes its connection. */
  started(abort: (cause: Error) => void): void {
    this.#abort = abort
    if (this.#isOver) this.#end()
  }

  /** The upstream is not waited for any more. */
  stop(): void {
    clearTimeout(this.#timer)
    this.#call.response.off('close', this.#onClose)
  }

  #end(): void {
    this.#isOver = true
    this.#abort?.(new Error('nobody waits for the reply and the drain time is over'))
  }
}
