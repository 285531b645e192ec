import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'

/** The policy of every reply that is data: a browser that is led to show it runs, loads and frames nothing (CSP Level 3). */
export const DATA_POLICY = "sandbox; default-src 'none'; base-uri 'none'; frame-ancestors 'none'"

/** An answer on its way out. Only this file writes it to a socket. */
export interface Reply {
  readonly status: number
  readonly headers: OutgoingHttpHeaders
  readonly body: Buffer | ReplyStream
  /** True closes the connection after the reply: the rest of the request was not read. */
  readonly close?: boolean
}

/** A body that is written as it comes into being. */
export interface ReplyStream {
  /** Called once. Everything after `sink.end()` or `sink.cut()` is ignored. */
  start(sink: ReplySink): void
}

export interface ReplySink {
  /** False: hold back until `onDrain` is called. */
  write(chunk: Uint8Array): boolean
  end(): void
  /**
   * Ends the connection once everything is written, without the chunked terminator, so that the client knows the reply is
   * not whole.
   */
  cut(): void
  onDrain(listener: () => void): void
}

/** A text, and latin1 keeps every byte, leaves with its headers in a single write; a buffer in a second one. */
const ONE_WRITE_BYTES_MAX = 64 * 1024

/** For how long a client may take nothing of what is waiting for it before it counts as gone. */
const STALL_MS = 30_000

/** Writes a reply. When the client is gone or has been answered, a stream runs into the void: it has duties of its own. */
export function writeReply(response: ServerResponse, reply: Reply, stallMs = STALL_MS): void {
  const { body } = reply
  if (response.destroyed || response.headersSent) {
    if (!Buffer.isBuffer(body)) body.start(VOID)
    return
  }
  if (reply.close === true) response.shouldKeepAlive = false
  if (Buffer.isBuffer(body)) {
    reply.headers['content-length'] = body.length
    response.writeHead(reply.status, reply.headers)
    if (reply.close === true) endUnread(response, body)
    else if (body.length <= ONE_WRITE_BYTES_MAX) response.end(body.toString('latin1'), 'latin1')
    else response.end(body)
    boundStall(response, stallMs)
    return
  }
  startStream(response, { ...reply, body }, stallMs)
}

function startStream(
  response: ServerResponse,
  reply: Reply & { readonly body: ReplyStream },
  stallMs: number,
): void {
  const { body } = reply
  try {
    response.writeHead(reply.status, reply.headers)
    response.flushHeaders()
  } catch (error) {
    body.start(VOID)
    throw error
  }
  // Between two pieces the upstream may think for minutes.
  response.on('drain', () => response.setTimeout(0))
  body.start({
    write: chunk => {
      if (response.destroyed || response.write(chunk)) return true
      boundStall(response, stallMs)
      return false
    },
    end: () => {
      response.end()
      boundStall(response, stallMs)
    },
    // Not `response.destroy()`: what was written in this turn, the error above all, would be lost with it.
    cut: () => {
      boundStall(response, stallMs)
      response.socket?.destroySoon()
    },
    onDrain: listener => void response.on('drain', listener),
  })
}

/**
 * Closes the connection when nothing of what waits to be sent is taken for so long. The socket's own timer looks at
 * what was taken, so a slow reader is none that stalls; without a listener for it Node destroys the socket.
 */
function boundStall(response: ServerResponse, stallMs: number): void {
  if (response.writableLength > 0) response.setTimeout(stallMs)
}

/** For how long a refused client may go on sending before its connection is closed under it. */
const LINGER_MS = 2_000

/**
 * Sends a reply whole and closes later. Closing at once over bytes that are still coming in resets the connection, and
 * the client would see a broken pipe instead of the refusal (RFC 9112 section 9.6). What comes in is thrown away.
 */
function endUnread(response: ServerResponse, body: Buffer): void {
  const { req: request } = response
  // Whoever waits for `100 Continue` sends nothing.
  if (request.complete || request.headers.expect !== undefined) {
    response.end(body)
    return
  }
  response.write(body)
  const timer = setTimeout(() => response.end(), LINGER_MS)
  const end = (): void => {
    clearTimeout(timer)
    response.end()
  }
  request.once('end', end).once('close', end).resume()
}

const VOID: ReplySink = { write: () => true, end: () => {}, cut: () => {}, onDrain: () => {} }
