/**
 * A TCP proxy that does to connections what networks do: for tests, between Pollux and what it talks to, or between a client
 * and Pollux. A fault counts from the moment it is set, for connections that are open already too.
 */
import { once } from 'node:events'
import { type AddressInfo, type NetConnectOpts, type Socket, connect, createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** What happens to bytes on their way. */
export type Fault =
  | { readonly kind: 'none' }
  /** Each piece is late by this much. */
  | { readonly kind: 'latency'; readonly ms: number }
  /** So many bytes at a time, and a pause after each. */
  | { readonly kind: 'slice'; readonly bytes: number; readonly pauseMs: number }
  /** Bytes stop and are kept; when the fault ends they go on. */
  | { readonly kind: 'freeze' }
  /** Bytes vanish and nobody is told: the other side is gone without a farewell. The connection never works again. */
  | { readonly kind: 'half-open' }
  /** After so many bytes more the connection ends, with a reset or as if the sender had closed it. */
  | { readonly kind: 'limit'; readonly bytes: number; readonly by: 'reset' | 'end' }

/** Which way: to the server, from it, or both. */
export type Direction = 'request' | 'reply' | 'both'

export interface FaultProxy {
  readonly port: number
  /** How many connections were taken so far. */
  readonly taken: number
  set(fault: Fault, direction?: Direction): void
  /** Resets every open connection. */
  reset(): void
  /** Resets every open connection and refuses new ones, until `start`. */
  stop(): Promise<void>
  start(): Promise<void>
  close(): Promise<void>
}

/** A reset; a socket file knows none, there it is an end without a farewell. */
function sever(socket: Socket): void {
  if (socket.remoteFamily === undefined) socket.destroy()
  else socket.resetAndDestroy()
}

/** One direction of one connection. */
interface Pipe {
  readonly direction: 'request' | 'reply'
  readonly from: Socket
  readonly to: Socket
  /** Nothing comes out any more. */
  isDead: boolean
}

/** Starts a proxy in front of `target` on a port of 127.0.0.1. */
export async function startFaultProxy(target: NetConnectOpts): Promise<FaultProxy> {
  const faults: Record<'request' | 'reply', Fault> = { request: { kind: 'none' }, reply: { kind: 'none' } }
  let changed = Promise.withResolvers<void>()
  let left = { request: Infinity, reply: Infinity }
  const pipes = new Set<Pipe>()
  const sockets = new Set<Socket>()
  let taken = 0

  const thawed = async (direction: Pipe['direction']): Promise<Exclude<Fault, { kind: 'freeze' }>> => {
    for (;;) {
      const fault = faults[direction]
      if (fault.kind !== 'freeze') return fault
      await changed.promise
    }
  }

  const run = async (pipe: Pipe): Promise<void> => {
    const { from, to, direction } = pipe
    try {
      for await (const chunk of from) await pass(pipe, chunk as Buffer)
      await thawed(direction)
      if (!pipe.isDead) to.end()
    } catch {
      // A connection that broke on one side breaks on the other, unless nobody is to hear of it.
      if (!pipe.isDead) sever(to)
    } finally {
      pipes.delete(pipe)
    }
  }

  const pass = async (pipe: Pipe, chunk: Buffer): Promise<void> => {
    const { direction, from, to } = pipe
    const fault = await thawed(direction)
    if (pipe.isDead) return
    if (fault.kind === 'half-open') {
      pipe.isDead = true
      return
    }
    switch (fault.kind) {
      case 'latency':
        await delay(fault.ms)
        break
      case 'slice':
        for (let at = 0; at < chunk.length; at += fault.bytes) {
          to.write(chunk.subarray(at, at + fault.bytes))
          await delay(fault.pauseMs)
        }
        return
      case 'limit': {
        const part = chunk.subarray(0, left[direction])
        left[direction] -= part.length
        if (part.length > 0) to.write(part)
        if (left[direction] > 0) return
        pipe.isDead = true
        from.destroy()
        // What was written must get there before the connection ends.
        if (fault.by === 'end') to.end()
        else setTimeout(() => sever(to), 20)
        return
      }
      case 'none':
        break
    }
    if (!to.write(chunk)) await Promise.race([once(to, 'drain'), once(to, 'close')])
  }

  const server = createServer({ allowHalfOpen: true }, client => {
    taken += 1
    const upstream = connect({ ...target, allowHalfOpen: true } as NetConnectOpts)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket
        .setNoDelay(true)
        .on('error', () => {})
        .on('close', () => sockets.delete(socket))
    }
    for (const pipe of [
      { direction: 'request', from: client, to: upstream, isDead: false },
      { direction: 'reply', from: upstream, to: client, isDead: false },
    ] as const satisfies Pipe[]) {
      pipes.add(pipe)
      void run(pipe)
    }
  })
  const listen = async (port: number): Promise<number> => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  const reset = (): void => {
    for (const socket of sockets) sever(socket)
  }
  const stop = async (): Promise<void> => {
    const closed = once(server, 'close')
    server.close()
    reset()
    await closed
  }
  const port = await listen(0)
  return {
    port,
    get taken() {
      return taken
    },
    set(fault, direction = 'both') {
      for (const way of ['request', 'reply'] as const) {
        if (direction !== 'both' && direction !== way) continue
        faults[way] = fault
        left = { ...left, [way]: fault.kind === 'limit' ? fault.bytes : Infinity }
        if (fault.kind !== 'half-open') continue
        for (const pipe of pipes) if (pipe.direction === way) pipe.isDead = true
      }
      changed.resolve()
      changed = Promise.withResolvers()
    },
    reset,
    stop,
    async start() {
      await listen(port)
    },
    async close() {
      if (server.listening) await stop()
    },
  }
}
