/** HTTP as bytes on a socket, for what no client library would send. */
import { connect } from 'node:net'

export interface RawReply {
  readonly status: number
  /** By lower-case name; the last one wins. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface RawExchange {
  readonly replies: readonly RawReply[]
  /** From the connection's start to its end. */
  readonly tookMs: number
}

const WAIT_MS = 15_000

/**
 * Writes the parts one after the other and resolves with every reply once the server has closed the connection. Rejects
 * when it does not, and when it resets the connection before a reply was whole.
 */
export function exchange(port: number, ...parts: readonly (string | Buffer)[]): Promise<RawExchange> {
  return new Promise((resolve, reject) => {
    const startMs = performance.now()
    const socket = connect(port, '127.0.0.1')
    const received: Buffer[] = []
    let failure: Error | null = null
    socket.setTimeout(WAIT_MS, () => socket.destroy(new Error(`open after ${WAIT_MS} ms`)))
    socket.on('data', chunk => received.push(chunk))
    // The server may close while we still write: only what could be read of its reply counts.
    socket.on('error', error => (failure = error))
    socket.on('close', () => {
      try {
        const replies = parseReplies(Buffer.concat(received))
        if (replies.length === 0 && failure !== null) throw failure
        resolve({ replies, tookMs: performance.now() - startMs })
      } catch (error) {
        reject(new Error(`${String(error)}; received: ${Buffer.concat(received).toString('latin1')}`))
      }
    })
    socket.on('connect', () => {
      for (const part of parts) socket.write(part)
    })
  })
}

function parseReplies(bytes: Buffer): RawReply[] {
  const replies: RawReply[] = []
  let rest = bytes
  while (rest.length > 0) {
    const end = rest.indexOf('\r\n\r\n')
    if (end === -1) throw new Error('the head of a reply is not whole')
    const [first = '', ...lines] = rest.toString('latin1', 0, end).split('\r\n')
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(first)?.[1])
    if (!Number.isInteger(status)) throw new Error(`not a status line: ${first}`)
    const headers: Record<string, string> = {}
    for (const line of lines) {
      const colon = line.indexOf(':')
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
    }
    const after = rest.subarray(end + 4)
    const hasNone = status === 204 || status < 200
    const { body, length } = hasNone ? { body: '', length: 0 } : parseBody(after, headers)
    replies.push({ status, headers, body })
    rest = after.subarray(length)
  }
  return replies
}

function parseBody(
  bytes: Buffer,
  headers: Readonly<Record<string, string>>,
): { readonly body: string; readonly length: number } {
  if (headers['transfer-encoding'] === 'chunked') return parseChunks(bytes)
  const length = Number(headers['content-length'] ?? bytes.length)
  if (bytes.length < length) throw new Error('the body of a reply is not whole')
  return { body: bytes.toString('utf8', 0, length), length }
}

function parseChunks(bytes: Buffer): { readonly body: string; readonly length: number } {
  const chunks: Buffer[] = []
  let at = 0
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at)
    if (lineEnd === -1) throw new Error('a chunk is not whole')
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16)
    at = lineEnd + 2
    chunks.push(bytes.subarray(at, at + size))
    at += size + 2
    if (size === 0) return { body: Buffer.concat(chunks).toString('utf8'), length: at }
  }
}
