/** An upstream on a bare socket that keeps every byte it was sent, and answers as it is told to. */
import { once } from 'node:events'
import { type AddressInfo, type Socket, createServer } from 'node:net'

export interface Recorded {
  readonly method: string
  readonly target: string
  /** In the order in which they came, names as they came. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
}

export interface RecordingUpstream {
  readonly origin: string
  readonly host: string
  /** Every request so far. */
  readonly requests: readonly Recorded[]
  /** Connections that were ever made. */
  connections(): number
  /** What writes the answers from now on; null: an answer of the model again. */
  answerWith(answer: ((socket: Socket, request: Recorded) => void) | null): void
  close(): Promise<void>
}

/** A whole HTTP reply. */
export function httpReply(status: string, body: string, headers: readonly string[] = []): string {
  const lines = ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`, ...headers]
  return `HTTP/1.1 ${status}\r\n${lines.join('\r\n')}\r\n\r\n${body}`
}

/** What a model answers. */
export function modelReply(text: string): string {
  return JSON.stringify({
    candidates: [{ content: { role: 'model', parts: [{ text }] }, finishReason: 'STOP', index: 0 }],
    usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 },
    modelVersion: 'gemini-2.5-flash',
  })
}

export async function startRecordingUpstream(): Promise<RecordingUpstream> {
  const requests: Recorded[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const ordinary = (socket: Socket): void => void socket.write(httpReply('200 OK', modelReply('oak')))
  let answer: (socket: Socket, request: Recorded) => void = ordinary
  const server = createServer({ noDelay: true }, socket => {
    connections += 1
    sockets.add(socket)
    let received: Buffer = Buffer.alloc(0)
    socket.on('close', () => sockets.delete(socket))
    // Whoever called may leave at any time.
    socket.on('error', () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      for (;;) {
        const read = readRequest(received)
        if (read === null) return
        received = received.subarray(read.length)
        requests.push(read.request)
        answer(socket, read.request)
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return {
    origin: `http://${host}`,
    host,
    requests,
    connections: () => connections,
    answerWith: next => void (answer = next ?? ordinary),
    async close() {
      for (const socket of sockets) socket.destroy()
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}

function readRequest(bytes: Buffer): { readonly request: Recorded; readonly length: number } | null {
  const end = bytes.indexOf('\r\n\r\n')
  if (end === -1) return null
  const [line = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const [method = '', target = ''] = line.split(' ')
  const headers = lines.map(text => {
    const colon = text.indexOf(':')
    return [text.slice(0, colon), text.slice(colon + 1).trim()] as const
  })
  const declared = headers.find(([name]) => name.toLowerCase() === 'content-length')?.[1]
  const length = end + 4 + Number(declared ?? 0)
  if (bytes.length < length) return null
  return { request: { method, target, headers, body: bytes.subarray(end + 4, length) }, length }
}
