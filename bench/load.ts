/** A closed-loop load over raw sockets, so that the load costs less than what is measured. */
import { connect } from 'node:net'

export interface LoadResult {
  readonly callsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly failures: number
}

/**
 * Keeps `connections` calls under way for `durationMs`, each with one of the keys, after a warm-up of `warmUpMs`. With
 * `callsPerSecond` the calls are sent at that rate instead, and their latency counts from when they were due: a server
 * that stalls is not spared the calls it kept from being sent.
 */
export async function load(options: {
  readonly port: number
  readonly connections: number
  readonly durationMs: number
  readonly warmUpMs: number
  readonly keyStrings: readonly string[]
  readonly callsPerSecond?: number
}): Promise<LoadResult> {
  const latenciesMs: number[] = []
  let failures = 0
  const startMs = performance.now() + options.warmUpMs
  const endMs = startMs + options.durationMs
  await Promise.all(
    Array.from({ length: options.connections }, (_, index) =>
      client({
        ...options,
        endMs,
        offset: index,
        paceMs:
          options.callsPerSecond === undefined ? 0 : (options.connections / options.callsPerSecond) * 1_000,
        onReply: (sentMs, isOk) => {
          const nowMs = performance.now()
          if (nowMs < startMs || nowMs > endMs) return
          latenciesMs.push(nowMs - sentMs)
          if (!isOk) failures++
        },
      }),
    ),
  )
  latenciesMs.sort((a, b) => a - b)
  const at = (share: number): number => latenciesMs[Math.floor(latenciesMs.length * share)] ?? Number.NaN
  return {
    callsPerSecond: latenciesMs.length / (options.durationMs / 1000),
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    failures,
  }
}

const BODY = JSON.stringify({
  contents: [
    { role: 'user', parts: [{ text: 'Tell me a story about a fox and a dog, in one sentence. '.repeat(4) }] },
  ],
  generationConfig: { maxOutputTokens: 256, temperature: 0.4 },
})

function requestOf(port: number, keyString: string): Buffer {
  return Buffer.from(
    `POST /v1beta/models/gemini-3.8-flash:generateContent HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n` +
      `x-goog-api-key: ${keyString}\r\nx-goog-api-client: google-genai-sdk/3.1.0 gl-node/v24\r\n` +
      `user-agent: google-genai-sdk/3.1.0 gl-node/v24\r\naccept: */*\r\n` +
      `content-type: application/json\r\ncontent-length: ${BODY.length}\r\n\r\n${BODY}`,
  )
}

function client(options: {
  readonly port: number
  readonly keyStrings: readonly string[]
  readonly endMs: number
  readonly offset: number
  /** Between two calls of a connection; 0: the next one at once. */
  readonly paceMs: number
  readonly connections: number
  readonly onReply: (sentMs: number, isOk: boolean) => void
}): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: options.port, host: '127.0.0.1', noDelay: true })
    let turn = options.offset * 7_919
    let sentMs = 0
    let dueMs = performance.now() + (options.paceMs * options.offset) / options.connections
    let pending = ''
    let last = 'nothing'
    const send = (): void => {
      if (performance.now() > options.endMs) {
        socket.destroy()
        resolve()
        return
      }
      const waitMs = options.paceMs === 0 ? 0 : dueMs - performance.now()
      if (waitMs > 0) {
        setTimeout(send, Math.ceil(waitMs))
        return
      }
      const keyString = options.keyStrings[turn++ % options.keyStrings.length] ?? ''
      sentMs = options.paceMs === 0 ? performance.now() : dueMs
      dueMs += options.paceMs
      socket.write(requestOf(options.port, keyString))
    }
    socket.on('connect', send)
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`the server closed the connection after: ${last}`)))
    socket.on('data', chunk => {
      pending += chunk.toString('latin1')
      const head = pending.indexOf('\r\n\r\n')
      if (head === -1) return
      const header = pending.slice(0, head)
      const length = /content-length: *(\d+)/i.exec(header)?.[1]
      const isWhole =
        length === undefined ? pending.endsWith('0\r\n\r\n') : pending.length >= head + 4 + Number(length)
      if (!isWhole) return
      last = header.startsWith('HTTP/1.1 200') ? '200' : pending
      pending = ''
      options.onReply(sentMs, header.startsWith('HTTP/1.1 200'))
      send()
    })
  })
}
