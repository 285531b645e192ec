import { ApiError } from '../domain/error.ts'
import { type JsonObject, asObject, fieldOf, listOf } from '../domain/proto-json.ts'
import type { Usage } from '../domain/usage.ts'
import { renderError, toApiError } from '../http/render.ts'
import type { ReplySink, ReplyStream } from '../http/reply.ts'
import { type Grounding, moreGrounded, readReply, servedAs } from './read-usage.ts'
import type { Ending } from './settle.ts'
import type { Piece, Splitter } from './splitter.ts'
import type { BodyConsumer, UpstreamAnswer } from './upstream-answer.ts'
import { CREDENTIAL_REFUSED, judgeError } from './upstream-error.ts'
import { failureOf } from './upstream.ts'

export interface StreamMeterOptions {
  readonly answer: UpstreamAnswer
  readonly splitter: Splitter
  /** Server-sent events; else a growing array. Decides how an error is said inside the stream. */
  readonly events: boolean
  readonly pieceBytesMax: number
  readonly scrub: (text: string) => string
  /** Makes the usage durable. Called exactly once. */
  readonly settle: (ending: Ending) => Promise<void>
  /** Told when the upstream complained about our credential in the middle of a stream. */
  readonly onCredentialRefused: (reason: string) => void
}

/**
 * Passes a stream on piece by piece, unchanged, and reads its usage on the way. From the piece that finishes the last
 * candidate seen on, everything is held until the usage is durable (MONEY.md rule 20): no client sees an end that a crash
 * could undo. When the client leaves or is cut, the upstream is read on for its usage, for at most `drainMs`.
 *
 * That the connection ended well does not make a stream whole: a proxy in between may end what it did not get, and a reply
 * without a length ends with the connection. Only one that says it is finished is posted by its usage (rule 17).
 */
export class StreamMeter implements ReplyStream, BodyConsumer {
  readonly #options: StreamMeterOptions
  #sink: ReplySink | null = null
  #usage: Usage | null = null
  #modelVersion: string | null = null
  #grounding: Grounding | null = null
  readonly #seen = new Set<number>()
  readonly #finished = new Set<number>()
  #isBlocked = false
  /** The upstream said an error inside the stream. */
  #isFailed = false
  #held: Buffer[] | null = null
  /** The client was told the error that the upstream said: nothing comes after it. */
  #refused = false
  #responseBytes = 0
  #pieces = 0
  #draining: NodeJS.Timeout | null = null
  /** The upstream's side is over: there is nothing to drain. */
  #isOver = false
  /** What the client was cut with before its reply began. */
  #cutEarly: ApiError | null = null
  /** Set once the caller has been given its last byte, or left. */
  #clientStatus: number | null = null

  constructor(options: StreamMeterOptions) {
    this.#options = options
  }

  start(sink: ReplySink): void {
    this.#sink = sink
    sink.onDrain(() => this.#options.answer.resume())
    if (this.#cutEarly !== null) {
      this.#writeError(this.#cutEarly)
      sink.end()
    }
    this.#options.answer.consume(this)
  }

  /** The client left, or was answered otherwise: nothing more is written, the upstream is drained. */
  leave(drainMs: number, httpStatus = 499): void {
    if (this.#clientStatus === null) this.#drain(httpStatus, drainMs)
  }

  /** Ends the client's side now, with the error as the last piece where a piece can still stand. */
  cut(error: ApiError, drainMs: number): void {
    if (this.#clientStatus !== null) return
    if (this.#sink === null) {
      this.#cutEarly = error
    } else {
      this.#writeError(error)
      this.#sink.end()
    }
    this.#drain(error.httpStatus, drainMs)
  }

  data(chunk: Buffer): void {
    for (const piece of this.#options.splitter.push(chunk)) this.#take(piece)
    if (this.#options.splitter.rest().length > this.#options.pieceBytesMax) {
      this.#options.answer.abort(new Error('one piece of the stream is larger than a reply may be'))
    }
  }

  end(): void {
    void this.#finish(null)
  }

  fail(cause: Error): void {
    void this.#finish(cause)
  }

  #take(piece: Piece): void {
    if (piece.json !== null) {
      const isError = asObject(piece.json['error']) !== null
      this.#isFailed ||= isError
      if (isError && this.#clientStatus === null && !this.#refused) {
        this.#refuse(piece.json)
        return
      }
      this.#read(piece.json)
    }
    if (this.#clientStatus !== null || this.#refused) return
    const bytes = piece.json === null ? this.#scrubbed(piece.bytes) : piece.bytes
    if (this.#held !== null) this.#held.push(bytes)
    else this.#write(bytes)
  }

  /** What could not be read may be an error in some other shape: no credential of ours leaves in it. */
  #scrubbed(bytes: Buffer): Buffer {
    const text = bytes.toString('utf8')
    const scrubbed = this.#options.scrub(text)
    return scrubbed === text ? bytes : Buffer.from(scrubbed)
  }

  #read(json: JsonObject): void {
    const { usage, modelVersion, grounding } = readReply(json)
    this.#grounding = moreGrounded(this.#grounding, grounding)
    // A running total: the last one is the bill (gemini-wire 2.3), also where it cannot be read.
    if (fieldOf(json, 'usageMetadata') !== undefined) this.#usage = usage
    this.#modelVersion = modelVersion ?? this.#modelVersion
    for (const element of listOf(fieldOf(json, 'candidates'))) {
      const candidate = asObject(element)
      if (candidate === null) continue
      const index = typeof candidate['index'] === 'number' ? candidate['index'] : 0
      this.#seen.add(index)
      if ((candidate['finishReason'] ?? null) !== null) this.#finished.add(index)
    }
    if (asObject(json['promptFeedback'])?.['blockReason'] !== undefined) this.#isBlocked = true
    if (this.#isOver || this.#isFinished()) this.#held ??= []
    // Another candidate has begun after all: how many there will be is not told.
    else this.#release()
  }

  /** Whether nothing more has to come: every candidate seen is finished, or the prompt was blocked. */
  #isFinished(): boolean {
    return this.#isBlocked || (this.#finished.size > 0 && this.#finished.size === this.#seen.size)
  }

  #release(): void {
    const held = this.#held ?? []
    this.#held = null
    if (this.#clientStatus !== null) return
    for (const bytes of held) this.#write(bytes)
  }

  /** An error in the middle of a stream: passed on scrubbed, or as our own when it is about our credential. */
  #refuse(json: JsonObject): void {
    const code = asObject(json['error'])?.['code']
    const httpStatus = typeof code === 'number' && code >= 400 && code < 600 ? code : 500
    const { scrub, onCredentialRefused } = this.#options
    const body = Buffer.from(JSON.stringify(json))
    const judged = judgeError({ httpStatus, body, asArray: false, scrub })
    if (judged.credentialReason !== null) onCredentialRefused(judged.credentialReason)
    if (judged.credentialReason === null) this.#writeText(judged.body.toString('utf8'))
    else this.#writeError(CREDENTIAL_REFUSED)
    this.#refused = true
    this.#held = null
  }

  #write(bytes: Buffer): void {
    this.#pieces++
    this.#responseBytes += bytes.length
    if (this.#sink?.write(bytes) === false) this.#options.answer.pause()
  }

  #writeError(error: ApiError): void {
    this.#writeText(renderError(error).toString('utf8'))
  }

  /** Says `json` as one more piece. An event is one line per `data:`, so the JSON is put on one. */
  #writeText(json: string): void {
    const line = JSON.stringify(JSON.parse(json))
    const separator = this.#pieces === 0 ? '[' : ',\r\n'
    this.#write(Buffer.from(this.#options.events ? `data: ${line}\r\n\r\n` : `${separator}${line}`))
    if (!this.#options.events) this.#write(Buffer.from(']'))
  }

  #drain(httpStatus: number, drainMs: number): void {
    this.#clientStatus = httpStatus
    this.#held = null
    if (this.#isOver) return
    this.#options.answer.resume()
    this.#draining = setTimeout(() => this.#options.answer.abort(new Error('drained long enough')), drainMs)
  }

  async #finish(cause: Error | null): Promise<void> {
    const endedAtMs = performance.now()
    this.#isOver = true
    if (this.#draining !== null) clearTimeout(this.#draining)
    if (cause === null) this.#takeLast()
    const failure = cause === null ? this.#shortfall() : failureOf(cause)
    try {
      await this.#options.settle({
        outcome: failure === null && this.#usage !== null ? 'posted' : 'estimated',
        httpStatus: this.#clientStatus ?? 200,
        usage: this.#usage,
        modelVersion: this.#modelVersion,
        served: servedAs(this.#options.answer.serviceTier, this.#grounding),
        firstByteAtMs: this.#options.answer.atMs,
        lastByteAtMs: cause === null ? endedAtMs : null,
        responseBytes: this.#responseBytes + (this.#held ?? []).reduce((sum, bytes) => sum + bytes.length, 0),
      })
    } catch (thrown) {
      this.#end(toApiError(thrown))
      return
    }
    this.#end(failure)
  }

  /** What is wrong with a stream whose connection ended well; null: nothing. */
  #shortfall(): ApiError | null {
    if (this.#isFinished() && !this.#isFailed && this.#options.splitter.isWhole()) return null
    return new ApiError('UPSTREAM_BROKEN', 'The upstream ended its stream before the reply was whole.')
  }

  /** Lets the held pieces go, or says what went wrong instead of an end. */
  #end(error: ApiError | null): void {
    if (this.#clientStatus !== null) return
    this.#clientStatus = error?.httpStatus ?? 200
    if (this.#refused) {
      this.#sink?.end()
      return
    }
    if (error !== null) {
      this.#writeError(error)
      this.#sink?.cut()
      return
    }
    for (const bytes of this.#held ?? []) this.#sink?.write(bytes)
    this.#sink?.end()
  }

  /** What the stream ended with: held like every end, and its usage counts. */
  #takeLast(): void {
    const last = this.#options.splitter.last()
    if (last.bytes.length === 0) return
    this.#held ??= []
    this.#take(last)
  }
}
