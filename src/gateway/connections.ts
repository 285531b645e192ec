/** The connections to the upstream: each call gets one to itself, a used one where one is free. */
import { Connection, type Endpoint, Exchange, type ExchangeHandler, type Timeouts } from './connection.ts'
import type { UpstreamRequest } from './upstream-answer.ts'

const CONNECTIONS_MAX = 4_096
/** The server's side bounds a unary call, as Google's SDKs state it; a stream's first byte comes far earlier. */
const TIMEOUTS: Timeouts = { connectMs: 10_000, headMs: 600_000, bodyMs: 300_000 }
/** How often silent and idle connections are looked for. */
const LOOK_EVERY_MS = 1_000

/** A target in origin-form without what could end the request line (RFC 9112 section 3.2.1). */
const TARGET = /^\/[\x21-\x7e]*$/
/** Field lines as they may leave: nothing in a value begins another line. */
const FIELD_LINES = /^(?:[a-z-]+: [\t\x20-\x7e\x80-\xff]*\r\n)*$/

export class Connections {
  readonly #endpoint: Endpoint
  /** The fields of every request, as text. */
  readonly #fields: string
  readonly #timeouts: Timeouts
  readonly #all = new Set<Connection>()
  /** The one that was used last is used next, so that what is too much becomes idle. */
  readonly #free: Connection[] = []
  /** Sent at the end of this turn of the event loop: one by one they would wake whoever receives them one by one. */
  readonly #turn: Exchange[] = []
  readonly #waiting: Exchange[] = []
  readonly #timer: NodeJS.Timeout
  #session: Buffer | undefined
  #isClosed = false

  /** To an origin: scheme, host and port. `fields` are sent with every request, each line with its end. */
  constructor(origin: string, fields: string, timeouts: Timeouts = TIMEOUTS) {
    this.#timeouts = timeouts
    const url = new URL(origin)
    const isTls = url.protocol === 'https:'
    // An IPv6 address stands in brackets in a URL only.
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
    this.#endpoint = { isTls, host, port: Number(url.port) || (isTls ? 443 : 80) }
    this.#fields = `host: ${url.host}\r\nconnection: keep-alive\r\n${fields}`
    this.#timer = setInterval(() => this.#look(), Math.min(LOOK_EVERY_MS, timeouts.connectMs))
    this.#timer.unref()
  }

  /**
   * Sends the request over a connection of its own. Throws for a target or field that would not stay one; everything else
   * the handler is told. Beyond 4,096 exchanges at once the next one waits; intake bounds how many do.
   */
  dispatch({ httpMethod, path, fields, body }: UpstreamRequest, handler: ExchangeHandler): void {
    if (!TARGET.test(path) || !FIELD_LINES.test(fields))
      throw new Error('the request cannot be written as one HTTP request')
    const length = httpMethod === 'GET' ? '' : `content-length: ${body.length}\r\n`
    const head = `${httpMethod} ${path} HTTP/1.1\r\n${this.#fields}${fields}${length}\r\n`
    this.#turn.push(new Exchange(head, body, handler))
    if (this.#turn.length === 1) setImmediate(this.#sendTurn)
  }

  /** Ends every exchange; nothing is sent any more. */
  close(): void {
    this.#isClosed = true
    clearInterval(this.#timer)
    for (const connection of this.#all) connection.fail(closed())
    for (const exchange of this.#waiting.splice(0)) exchange.handler.onError(closed())
  }

  readonly #sendTurn = (): void => {
    for (const exchange of this.#turn.splice(0)) this.#send(exchange)
  }

  #send(exchange: Exchange): void {
    const free = this.#free.pop()
    if (free !== undefined) free.send(exchange)
    else if (this.#isClosed) exchange.handler.onError(closed())
    else if (this.#all.size < CONNECTIONS_MAX) this.#open(exchange)
    else this.#waiting.push(exchange)
  }

  #open(exchange: Exchange): void {
    const connection = new Connection(
      {
        endpoint: this.#endpoint,
        timeouts: this.#timeouts,
        session: this.#session,
        onSession: session => (this.#session = session),
        onFree: this.#onFree,
        onGone: this.#onGone,
      },
      exchange,
    )
    this.#all.add(connection)
  }

  readonly #onFree = (connection: Connection): void => {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free.push(connection)
    else connection.send(next)
  }

  readonly #onGone = (connection: Connection): void => {
    this.#all.delete(connection)
    const place = this.#free.indexOf(connection)
    if (place !== -1) this.#free.splice(place, 1)
    const next = this.#isClosed ? undefined : this.#waiting.shift()
    if (next !== undefined) this.#open(next)
  }

  #look(): void {
    const nowMs = performance.now()
    for (const connection of this.#all) connection.look(nowMs)
  }
}

function closed(): Error {
  return new Error('the connections to the upstream are closed')
}
