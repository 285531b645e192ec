import type { Dispatcher } from 'undici'
import type { IncomingHttpHeaders } from 'node:http'

/** A request as it is sent upstream, without the credential. */
export interface UpstreamRequest {
  readonly httpMethod: 'GET' | 'POST'
  /** Path and query, starting with the API version. */
  readonly path: string
  /** Names and values in turn, as undici takes them fastest. */
  readonly headers: readonly string[]
  readonly body: Buffer
  /** Told when it is on its way, with the means to break it off; again when it has to be sent anew. */
  readonly onStart?: (abort: (cause: Error) => void) => void
}

/** Receives a body: any number of `data`, then exactly one of `end` and `fail`. */
export interface BodyConsumer {
  data(chunk: Buffer): void
  end(): void
  fail(cause: Error): void
}

/** The head of a reply, and its body once somebody takes it. */
export class UpstreamAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** performance.now() when the head came. */
  readonly atMs: number
  readonly #controller: Dispatcher.DispatchController
  /** What came before a consumer did. */
  #early: Buffer[] = []
  #consumer: BodyConsumer | null = null
  #outcome: { readonly cause: Error | null } | null = null

  constructor(status: number, headers: IncomingHttpHeaders, controller: Dispatcher.DispatchController) {
    this.status = status
    this.headers = headers
    this.atMs = performance.now()
    this.#controller = controller
  }

  /** Hands the body over, from its first byte. */
  consume(consumer: BodyConsumer): void {
    this.#consumer = consumer
    for (const chunk of this.#early) consumer.data(chunk)
    this.#early = []
    if (this.#outcome !== null) settle(consumer, this.#outcome.cause)
  }

  /** The whole body. Rejects when it breaks off, and with BodyTooLarge beyond `bytesMax`. */
  collect(bytesMax: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = []
      let bytes = 0
      this.consume({
        data: chunk => {
          bytes += chunk.length
          chunks.push(chunk)
          if (bytes > bytesMax) this.abort(new BodyTooLarge(bytesMax))
        },
        end: () =>
          resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)),
        fail: reject,
      })
    })
  }

  pause(): void {
    this.#controller.pause()
  }

  resume(): void {
    this.#controller.resume()
  }

  /** Closes the connection; the consumer is told by `fail`. */
  abort(cause: Error): void {
    this.#controller.abort(cause)
  }

  /** For the dispatch handler only. */
  push(chunk: Buffer): void {
    if (this.#consumer === null) this.#early.push(chunk)
    else this.#consumer.data(chunk)
  }

  /** For the dispatch handler only. */
  finish(cause: Error | null): void {
    if (this.#outcome !== null) return
    this.#outcome = { cause }
    if (this.#consumer !== null) settle(this.#consumer, cause)
  }
}

class BodyTooLarge extends Error {
  constructor(bytesMax: number) {
    super(`the reply is larger than ${bytesMax} bytes`)
  }
}

function settle(consumer: BodyConsumer, cause: Error | null): void {
  if (cause === null) consumer.end()
  else consumer.fail(cause)
}

/**
 * The handler that turns undici's callbacks into one answer. undici calls exactly one of onResponseEnd and
 * onResponseError, which is what lets every admission be settled exactly once.
 */
export function answering(waiting: {
  readonly resolve: (answer: UpstreamAnswer) => void
  readonly fail: (cause: Error, sent: boolean) => void
  readonly onStart?: UpstreamRequest['onStart']
}): Dispatcher.DispatchHandler {
  let sent = false
  let answer: UpstreamAnswer | null = null
  return {
    onRequestStart(controller) {
      sent = true
      waiting.onStart?.(cause => controller.abort(cause))
    },
    onResponseStart(controller, status, headers) {
      // An interim reply is not the answer (RFC 9110 section 15.2).
      if (status < 200) return
      answer = new UpstreamAnswer(status, headers, controller)
      waiting.resolve(answer)
    },
    onResponseData(_controller, chunk) {
      answer?.push(chunk)
    },
    onResponseEnd() {
      answer?.finish(null)
    },
    onResponseError(_controller, cause) {
      if (answer === null) waiting.fail(cause, sent)
      else answer.finish(cause)
    },
  }
}
