/** One connection to the upstream, over which one call after the other goes, never two at once (RFC 9112 section 9.3). */
import { type Socket, connect, isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { type ReplyHead, ReplyParser } from './reply-parser.ts'

/** Where connections lead. */
export interface Endpoint {
  readonly isTls: boolean
  readonly host: string
  readonly port: number
}

/** What becomes of an exchange: at most one head, any number of pieces, then exactly one of `onEnd` and `onError`. */
export interface ExchangeHandler {
  /** The request is about to be written: from now on the upstream may see it. */
  onSent(exchange: Exchange): void
  onHead(head: ReplyHead): void
  onData(chunk: Buffer): void
  onEnd(): void
  onError(cause: Error): void
}

/** Why an exchange failed, where no error of the system says it. */
export class ExchangeFailure extends Error {
  readonly code: 'CONNECT_TIMEOUT' | 'REPLY_TIMEOUT' | 'CONNECTION_LOST'

  constructor(code: ExchangeFailure['code'], message: string) {
    super(message)
    this.code = code
  }
}

/** How long a connection may be silent, ms. */
export interface Timeouts {
  readonly connectMs: number
  /** From the request to the head of its reply. */
  readonly headMs: number
  /** Between two pieces of a reply. */
  readonly bodyMs: number
}

/** How long an idle connection is kept where the upstream does not say: most servers keep theirs for five seconds. */
const IDLE_MS = 4_000
const IDLE_MS_MAX = 600_000
/** An upstream that says for how long it keeps a connection means the time at its end. */
const IDLE_MARGIN_MS = 1_000
const TCP_KEEP_ALIVE_MS = 60_000
const READ_BYTES = 64 * 1024
/** A body up to this leaves with its head in a single write: latin1 keeps every byte. */
const ONE_WRITE_BYTES_MAX = 64 * 1024

/** Lent to whichever socket is read at the moment: a read is over before the next one begins. */
const READ_BUFFER = Buffer.alloc(READ_BYTES)

/** A request as it is written, and who waits for its reply. */
export class Exchange {
  /** Request line and fields up to the empty line, as latin1. */
  readonly head: string
  readonly body: Buffer
  readonly handler: ExchangeHandler
  /** The connection it is on; null before it was sent and after it ended. */
  connection: Connection | null = null

  constructor(head: string, body: Buffer, handler: ExchangeHandler) {
    this.head = head
    this.body = body
    this.handler = handler
  }

  /** Takes no more of the reply for now. */
  pause(): void {
    this.connection?.pause()
  }

  resume(): void {
    this.connection?.resume()
  }

  /** Closes its connection; the handler is told. Nothing once the exchange has ended. */
  abort(cause: Error): void {
    this.connection?.fail(cause)
  }
}

export interface ConnectionOptions {
  readonly endpoint: Endpoint
  readonly timeouts: Timeouts
  /** Of an earlier connection, to take up again (RFC 8446 section 2.2). */
  readonly session: Buffer | undefined
  readonly onSession: (session: Buffer) => void
  /** Its exchange is over and another may follow. */
  readonly onFree: (connection: Connection) => void
  /** Nothing more goes over it. */
  readonly onGone: (connection: Connection) => void
}

export class Connection {
  readonly #options: ConnectionOptions
  readonly #socket: Socket
  #isConnected = false
  #isGone = false
  #exchange: Exchange | null
  #parser: ReplyParser | null = null
  #isPaused = false
  /** Whether the reply under way has begun. */
  #hasHead = false
  /** performance.now() at which the silence has been too long, or the idle connection is closed. */
  #deadlineMs: number

  /** Connects, and sends the exchange as soon as that is done. */
  constructor(options: ConnectionOptions, first: Exchange) {
    this.#options = options
    this.#exchange = first
    this.#deadlineMs = performance.now() + options.timeouts.connectMs
    this.#socket = this.#connect()
  }

  /** Sends the next exchange over a connection that is free. */
  send(exchange: Exchange): void {
    this.#exchange = exchange
    this.#write(exchange)
  }

  pause(): void {
    this.#isPaused = true
    this.#socket.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#deadlineMs = performance.now() + this.#options.timeouts.bodyMs
    this.#socket.resume()
  }

  /** Closes the connection where it has been silent or idle for too long. */
  look(nowMs: number): void {
    if (nowMs < this.#deadlineMs || this.#isPaused) return
    if (!this.#isConnected)
      this.fail(new ExchangeFailure('CONNECT_TIMEOUT', 'the connection was not established in time'))
    else this.fail(new ExchangeFailure('REPLY_TIMEOUT', 'the upstream was silent for too long'))
  }

  /** Closes the connection; whoever waits for a reply over it is told why. */
  fail(cause: Error): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#socket.destroy()
    this.#options.onGone(this)
    const exchange = this.#release()
    exchange?.handler.onError(cause)
  }

  #connect(): Socket {
    const { isTls, host, port } = this.#options.endpoint
    const onread = {
      buffer: READ_BUFFER,
      callback: (length: number, buffer: Uint8Array): boolean => this.#read(length, buffer as Buffer),
    }
    const common = { host, port, onread, noDelay: true, keepAlive: true }
    const socket = isTls
      ? connectTls({
          ...common,
          ALPNProtocols: ['http/1.1'],
          // A server name is never an address (RFC 6066 section 3).
          servername: isIP(host) === 0 ? host : '',
          session: this.#options.session,
        })
      : connect({ ...common, keepAliveInitialDelay: TCP_KEEP_ALIVE_MS })
    socket.once(isTls ? 'secureConnect' : 'connect', () => this.#connected())
    if (isTls) socket.on('session', this.#options.onSession)
    socket.on('end', () => this.#ended())
    socket.on('error', cause => this.fail(cause))
    socket.on('close', () => this.fail(lost()))
    return socket
  }

  #connected(): void {
    if (this.#isGone) return
    this.#isConnected = true
    if (this.#exchange !== null) this.#write(this.#exchange)
  }

  #write(exchange: Exchange): void {
    exchange.connection = this
    this.#parser = new ReplyParser(this.#events)
    this.#hasHead = false
    this.#deadlineMs = performance.now() + this.#options.timeouts.headMs
    exchange.handler.onSent(exchange)
    // Whoever was told may have broken it off.
    if (exchange.connection !== this) return
    const { head, body } = exchange
    if (body.length <= ONE_WRITE_BYTES_MAX) {
      this.#socket.write(head + body.toString('latin1'), 'latin1')
      return
    }
    this.#socket.cork()
    this.#socket.write(head, 'latin1')
    this.#socket.write(body)
    this.#socket.uncork()
  }

  /** True: go on reading. */
  #read(length: number, buffer: Buffer): boolean {
    if (this.#isGone) return false
    if (this.#parser === null) {
      // An answer to nothing would be taken for the answer to the next call.
      this.fail(lost())
      return false
    }
    if (this.#hasHead) this.#deadlineMs = performance.now() + this.#options.timeouts.bodyMs
    try {
      const used = this.#parser.read(buffer, length)
      if (this.#parser.isDone) this.#finish(used === length)
    } catch (error) {
      this.fail(error instanceof Error ? error : new Error(String(error)))
    }
    return !this.#isGone
  }

  /** What the parser says of the reply under way; nothing once the exchange was broken off. */
  readonly #events = {
    onHead: (head: ReplyHead): void => {
      this.#hasHead = true
      this.#deadlineMs = performance.now() + this.#options.timeouts.bodyMs
      this.#exchange?.handler.onHead(head)
    },
    onData: (chunk: Buffer): void => this.#exchange?.handler.onData(chunk),
  }

  /** The reply is whole. `isClean`: nothing came after it, which would be taken for the answer to the next call. */
  #finish(isClean: boolean): void {
    const parser = this.#parser
    if (parser === null || this.#isGone) return
    const { isKept, keepAliveSeconds } = parser.persistence
    const idleMs =
      keepAliveSeconds === null ? IDLE_MS : Math.min(keepAliveSeconds * 1_000 - IDLE_MARGIN_MS, IDLE_MS_MAX)
    // A reply that came before the request was taken whole leaves a connection in which the rest of it is stuck.
    const isFree = isKept && isClean && idleMs > 0 && this.#socket.writableLength === 0
    const exchange = this.#release()
    if (isFree) {
      this.#deadlineMs = performance.now() + idleMs
      if (this.#isPaused) this.resume()
      this.#options.onFree(this)
    } else {
      this.fail(lost())
    }
    exchange?.handler.onEnd()
  }

  /** The upstream sends nothing more. */
  #ended(): void {
    this.#parser?.end()
    if (this.#parser?.isDone === true) this.#finish(false)
    else this.fail(lost())
  }

  /** The exchange that is over, whose handler has to be told. */
  #release(): Exchange | null {
    const exchange = this.#exchange
    this.#exchange = null
    this.#parser = null
    if (exchange !== null) exchange.connection = null
    return exchange
  }
}

function lost(): ExchangeFailure {
  return new ExchangeFailure('CONNECTION_LOST', 'the upstream closed the connection')
}
