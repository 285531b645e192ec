/** An upstream on a bare socket that breaks off where it is told to. Plans are found by the request's user-agent. */
import { once } from 'node:events'
import { type AddressInfo, type Socket, createServer } from 'node:net'

export interface Plan {
  /** The whole reply, status line included. */
  readonly reply: Buffer
  /** How many of its bytes are sent; default all. */
  readonly bytes?: number
  /**
   * And then: `keep` the connection, `end` it (FIN), `reset` it (RST), or `stall` until `goOn` is called, which sends the
   * rest and keeps the connection.
   */
  readonly after: 'keep' | 'end' | 'reset' | 'stall'
}

export interface Planned {
  /** Resolves when the bytes are out. */
  readonly sent: Promise<void>
  /** Resolves when the connection is closed, by whichever side. */
  readonly closed: Promise<void>
  goOn(): void
}

export interface CuttingUpstream {
  readonly origin: string
  /** Sets what the request with this user-agent gets. */
  plan(name: string, plan: Plan): Planned
  /** Connections that are open. */
  connections(): number
  close(): Promise<void>
}

interface Pending {
  readonly plan: Plan
  readonly sent: PromiseWithResolvers<void>
  readonly closed: PromiseWithResolvers<void>
  readonly resumed: PromiseWithResolvers<void>
}

export async function startCuttingUpstream(): Promise<CuttingUpstream> {
  const plans = new Map<string, Pending>()
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, socket => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
    // One listener for each of its requests.
    socket.setMaxListeners(0)
    let received = Buffer.alloc(0)
    socket.on('data', chunk => {
      received = Buffer.concat([received, chunk])
      const head = received.indexOf('\r\n\r\n')
      if (head === -1) return
      const text = received.subarray(0, head).toString('latin1')
      const length = Number(/^content-length: *(\d+)$/im.exec(text)?.[1] ?? 0)
      if (received.length < head + 4 + length) return
      received = received.subarray(head + 4 + length)
      const name = /^user-agent: *(.*)$/im.exec(text)?.[1] ?? ''
      const pending = plans.get(name)
      if (pending === undefined) socket.destroy(new Error(`no plan for '${name}'`))
      else void answer(socket, pending)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    plan(name, plan) {
      const pending: Pending = {
        plan,
        sent: Promise.withResolvers(),
        closed: Promise.withResolvers(),
        resumed: Promise.withResolvers(),
      }
      plans.set(name, pending)
      return {
        sent: pending.sent.promise,
        closed: pending.closed.promise,
        goOn: () => pending.resumed.resolve(),
      }
    },
    connections: () => sockets.size,
    async close() {
      for (const socket of sockets) socket.destroy()
      const closed = once(server, 'close')
      server.close()
      await closed
    },
  }
}

async function answer(socket: Socket, { plan, sent, closed, resumed }: Pending): Promise<void> {
  socket.once('close', () => closed.resolve())
  const { reply, bytes = reply.length } = plan
  if (bytes > 0) await write(socket, reply.subarray(0, bytes))
  sent.resolve()
  switch (plan.after) {
    case 'keep':
      return
    case 'end':
      socket.end()
      return
    case 'reset':
      socket.resetAndDestroy()
      return
    case 'stall':
      await Promise.race([resumed.promise, closed.promise])
      if (!socket.destroyed && bytes < reply.length) await write(socket, reply.subarray(bytes))
  }
}

function write(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise(resolve => socket.write(bytes, () => resolve()))
}

/** The head of a reply of the Gemini API. */
function headOf(status: number, headers: Readonly<Record<string, string | number>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} Status\r\n${lines.join('')}\r\n`
}

/** A reply whose length is said in front. */
export function wholeReply(status: number, body: string, type = 'application/json; charset=UTF-8'): Buffer {
  return Buffer.from(
    headOf(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) }) + body,
  )
}

/** A reply in chunks, one for each piece. */
export function chunkedReply(pieces: readonly string[], type: string): Buffer {
  const chunks = pieces.map(piece => `${Buffer.byteLength(piece).toString(16)}\r\n${piece}\r\n`)
  return Buffer.from(
    `${headOf(200, { 'content-type': type, 'transfer-encoding': 'chunked' })}${chunks.join('')}0\r\n\r\n`,
  )
}

export const FRAMINGS = ['chunked', 'until it closes'] as const

/** A reply that ends well, whatever it says: in one chunk and a last one, or with its connection. */
export function endedReply(framing: (typeof FRAMINGS)[number], body: Buffer, type: string): Buffer {
  const isChunked = framing === 'chunked'
  const head = headOf(200, {
    'content-type': type,
    ...(isChunked ? { 'transfer-encoding': 'chunked' } : { connection: 'close' }),
  })
  if (!isChunked) return Buffer.concat([Buffer.from(head), body])
  const chunk =
    body.length === 0 ? [] : [Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n')]
  return Buffer.concat([Buffer.from(head), ...chunk, Buffer.from('0\r\n\r\n')])
}

/** Where the body of a reply starts. */
export function bodyStart(reply: Buffer): number {
  return reply.indexOf('\r\n\r\n') + 4
}
