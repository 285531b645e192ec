import type { OutgoingHttpHeaders, ServerResponse } from 'node:http'

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

/** Writes a reply. When the client is gone or has been answered, a stream runs into the void: it has duties of its own. */
export function writeReply(response: ServerResponse, reply: Reply): void {
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
    else response.end(body)
    return
  }
  response.writeHead(reply.status, reply.headers)
  response.flushHeaders()
  body.start({
    write: chunk => response.destroyed || response.write(chunk),
    end: () => void response.end(),
    // Not `response.destroy()`: what was written in this turn, the error above all, would be lost with it.
    cut: () => response.socket?.destroySoon(),
    onDrain: listener => void response.on('drain', listener),
  })
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
