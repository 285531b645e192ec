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
}

/** What can break an exchange off. */
export interface Abortable {
  abort(cause: Error): void
}

/** Who waits for an exchange: told when it is on its way, again when it has to be sent anew. */
export interface Sender {
  started(exchange: Abortable): void
}

/** Receives a body: any number of `data`, then exactly one of `end` and `fail`. */
export interface BodyConsumer {
  data(chunk: Buffer): void
  end(): void
  fail(cause: Error): void
}

/** The head of a reply. */
export interface AnswerHead {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** performance.now() when the head came. */
  readonly atMs: number
}

/** A reply that came whole. */
export interface WholeAnswer extends AnswerHead {
  readonly body: Buffer
}

/** The head of a reply, and its body once somebody takes it. */
export class UpstreamAnswer implements AnswerHead {
  readonly status: number
  readonly headers: IncomingHttpHeaders
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
    if (this.#outcome !== null) finish(consumer, this.#outcome.cause)
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
        end: () => resolve(joined(chunks)),
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
    if (this.#consumer !== null) finish(this.#consumer, cause)
  }
}

class BodyTooLarge extends Error {
  constructor(bytesMax: number) {
    super(`the reply is larger than ${bytesMax} bytes`)
  }
}

function finish(consumer: BodyConsumer, cause: Error | null): void {
  if (cause === null) consumer.end()
  else consumer.fail(cause)
}

function joined(chunks: readonly Buffer[]): Buffer {
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)
}

/** What becomes of an exchange: exactly one of the two is called. */
interface Waiting<Answer> {
  readonly resolve: (answer: Answer) => void
  /** `sent` false: the connection was never established, so the upstream saw nothing. */
  readonly fail: (cause: Error, sent: boolean) => void
}

/**
 * The handler that turns undici's callbacks into one answer, given at its head. undici calls exactly one of onResponseEnd
 * and onResponseError, which is what lets every admission be settled exactly once.
 */
export class HeadHandler implements Dispatcher.DispatchHandler {
  readonly #waiting: Waiting<UpstreamAnswer>
  readonly #sender: Sender | null
  #sent = false
  #answer: UpstreamAnswer | null = null

  constructor(waiting: Waiting<UpstreamAnswer>, sender: Sender | null) {
    this.#waiting = waiting
    this.#sender = sender
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#sent = true
    this.#sender?.started(controller)
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
  ): void {
    // An interim reply is not the answer (RFC 9110 section 15.2).
    if (status < 200) return
    this.#answer = new UpstreamAnswer(status, headers, controller)
    this.#waiting.resolve(this.#answer)
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#answer?.push(chunk)
  }

  onResponseEnd(): void {
    this.#answer?.finish(null)
  }

  onResponseError(_controller: Dispatcher.DispatchController, cause: Error): void {
    if (this.#answer === null) this.#waiting.fail(cause, this.#sent)
    else this.#answer.finish(cause)
  }
}

/** As above, but the answer is given once it is whole: one promise for a unary call. */
export class WholeHandler implements Dispatcher.DispatchHandler {
  readonly #waiting: Waiting<WholeAnswer>
  readonly #sender: Sender | null
  readonly #bytesMax: number
  #sent = false
  #status = 0
  #headers: IncomingHttpHeaders = {}
  #atMs = 0
  readonly #chunks: Buffer[] = []
  #bytes = 0

  constructor(waiting: Waiting<WholeAnswer>, sender: Sender | null, bytesMax: number) {
    this.#waiting = waiting
    this.#sender = sender
    this.#bytesMax = bytesMax
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#sent = true
    this.#sender?.started(controller)
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
  ): void {
    if (status < 200) return
    this.#status = status
    this.#headers = headers
    this.#atMs = performance.now()
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length
    this.#chunks.push(chunk)
    if (this.#bytes > this.#bytesMax) controller.abort(new BodyTooLarge(this.#bytesMax))
  }

  onResponseEnd(): void {
    const body = joined(this.#chunks)
    this.#waiting.resolve({ status: this.#status, headers: this.#headers, atMs: this.#atMs, body })
  }

  onResponseError(_controller: Dispatcher.DispatchController, cause: Error): void {
    this.#waiting.fail(cause, this.#sent)
  }
}
