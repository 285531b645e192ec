import type { Exchange, ExchangeHandler } from './connection.ts'
import type { ReplyHead } from './reply-parser.ts'

/** A request as it is sent upstream, without the credential. */
export interface UpstreamRequest {
  readonly httpMethod: 'GET' | 'POST'
  /** Path and query, starting with the API version. */
  readonly path: string
  /** Its fields as text: lower-case names, each line with its end. */
  readonly fields: string
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
export interface AnswerHead extends ReplyHead {
  /** performance.now() when the head came. */
  readonly atMs: number
}

/** A reply that came whole. */
export interface WholeAnswer extends AnswerHead {
  readonly body: Buffer
  /** performance.now() when it ended. */
  readonly endedAtMs: number
}

/** The head of a reply, and its body once somebody takes it. */
export class UpstreamAnswer implements AnswerHead {
  readonly status: number
  readonly contentType: string | null
  readonly retryAfter: string | null
  readonly serviceTier: string | null
  readonly atMs: number
  readonly #exchange: Exchange
  /** What came before a consumer did. */
  #early: Buffer[] = []
  #consumer: BodyConsumer | null = null
  #outcome: { readonly cause: Error | null } | null = null

  constructor({ status, contentType, retryAfter, serviceTier }: ReplyHead, exchange: Exchange) {
    this.status = status
    this.contentType = contentType
    this.retryAfter = retryAfter
    this.serviceTier = serviceTier
    this.atMs = performance.now()
    this.#exchange = exchange
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
    this.#exchange.pause()
  }

  resume(): void {
    this.#exchange.resume()
  }

  /** Closes the connection; the consumer is told by `fail`. */
  abort(cause: Error): void {
    this.#exchange.abort(cause)
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
 * Turns what comes over a connection into one answer, given at its head. Every exchange ends exactly once, which is what
 * lets every admission be settled exactly once.
 */
export class HeadHandler implements ExchangeHandler {
  readonly #waiting: Waiting<UpstreamAnswer>
  readonly #sender: Sender | null
  #exchange: Exchange | null = null
  #answer: UpstreamAnswer | null = null

  constructor(waiting: Waiting<UpstreamAnswer>, sender: Sender | null) {
    this.#waiting = waiting
    this.#sender = sender
  }

  onSent(exchange: Exchange): void {
    this.#exchange = exchange
    this.#sender?.started(exchange)
  }

  onHead(head: ReplyHead): void {
    if (this.#exchange === null) return
    this.#answer = new UpstreamAnswer(head, this.#exchange)
    this.#waiting.resolve(this.#answer)
  }

  onData(chunk: Buffer): void {
    this.#answer?.push(chunk)
  }

  onEnd(): void {
    this.#answer?.finish(null)
  }

  onError(cause: Error): void {
    if (this.#answer === null) this.#waiting.fail(cause, this.#exchange !== null)
    else this.#answer.finish(cause)
  }
}

/** As above, but the answer is given once it is whole: one promise for a unary call. */
export class WholeHandler implements ExchangeHandler {
  readonly #waiting: Waiting<WholeAnswer>
  readonly #sender: Sender | null
  readonly #bytesMax: number
  #exchange: Exchange | null = null
  #head: ReplyHead | null = null
  #atMs = 0
  readonly #chunks: Buffer[] = []
  #bytes = 0

  constructor(waiting: Waiting<WholeAnswer>, sender: Sender | null, bytesMax: number) {
    this.#waiting = waiting
    this.#sender = sender
    this.#bytesMax = bytesMax
  }

  onSent(exchange: Exchange): void {
    this.#exchange = exchange
    this.#sender?.started(exchange)
  }

  onHead(head: ReplyHead): void {
    this.#head = head
    this.#atMs = performance.now()
  }

  onData(chunk: Buffer): void {
    this.#bytes += chunk.length
    this.#chunks.push(chunk)
    if (this.#bytes > this.#bytesMax) this.#exchange?.abort(new BodyTooLarge(this.#bytesMax))
  }

  onEnd(): void {
    if (this.#head === null) return
    const { status, contentType, retryAfter, serviceTier } = this.#head
    const body = joined(this.#chunks)
    const endedAtMs = performance.now()
    this.#waiting.resolve({ status, contentType, retryAfter, serviceTier, atMs: this.#atMs, body, endedAtMs })
  }

  onError(cause: Error): void {
    this.#waiting.fail(cause, this.#exchange !== null)
  }
}
