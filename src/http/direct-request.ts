import { IncomingMessage } from 'node:http'

/** Where the bytes of a body go. */
export interface BodySink {
  readonly onData: (chunk: Buffer) => void
  readonly onEnd: () => void
}

/**
 * A request whose body can be taken as the parser hands it over. For a body that is held in memory as a whole the
 * buffering and the events of a stream would cost more than reading it.
 */
export class DirectRequest extends IncomingMessage {
  #sink: BodySink | null = null

  /** Whether the rest of the body goes to `sink`: not where some of it is in the stream already. */
  pourInto(sink: BodySink): boolean {
    if (this.complete || this.readableLength > 0 || this.readableFlowing !== null) return false
    this.#sink = sink
    return true
  }

  /** What comes in from now on stays in the stream, which stops the socket when it is full. */
  stopPouring(): void {
    this.#sink = null
  }

  /** Called by Node's parser with each part of the body, and with null at its end. */
  override push(chunk: unknown, encoding?: BufferEncoding): boolean {
    const sink = this.#sink
    if (sink === null) return super.push(chunk, encoding)
    if (chunk !== null) {
      sink.onData(chunk as Buffer)
      return true
    }
    this.#sink = null
    const more = super.push(null)
    sink.onEnd()
    return more
  }
}
