/**
 * Clients that hold connections instead of using them: slow heads, slow bodies, readers that take nothing, idle
 * connections, bombs of headers, bodies in a million pieces. Honest calls beside them are all answered, in their time.
 */
import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startBillingUpstream, type BillingUpstream } from './billing-upstream.ts'
import { ceiling } from './ceiling.ts'
import { createKeyString } from './client-keys.ts'
import { type Pollux, startPollux } from './pollux.ts'
import { exchange } from './raw-socket.ts'
import { type Sent, send } from './traffic.ts'

/** Ten seconds, and one in which the server looks. */
const CLOSED_WITHIN_MS = 11_000
const SLOW_HEADS = 100
const SLOW_BODIES = 50
const IDLE = 500
const HONEST_EVERY_MS = 50
const TINY_CHUNKS = 1 << 20

let pollux: Pollux
let upstream: BillingUpstream
let port: number
let keys = 0
beforeAll(async () => {
  upstream = await startBillingUpstream({ seed: 1, latencyMsMax: 1 })
  const env = { POLLUX_GEMINI_BASE_URL: upstream.origin, GEMINI_API_KEY: 'credential-of-slow-clients' }
  pollux = await startPollux({ env })
  port = Number(new URL(pollux.origin).port)
})
afterAll(async () => {
  expect(pollux.process.exitCode).toBeNull()
  await pollux.stop()
  await upstream.close()
})

interface Attacker {
  readonly socket: Socket
  /** What the server said, and how long it let it wait. */
  readonly ended: Promise<{ readonly text: string; readonly afterMs: number }>
}

/** A connection that says `first`, then a byte every half second. */
function drip(first: string, byte: string): Attacker {
  const startedMs = performance.now()
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', chunk => chunks.push(chunk)).on('error', () => {})
  socket.write(first)
  const timer = setInterval(() => socket.writable && socket.write(byte), 500)
  const ended = once(socket, 'close').then(() => {
    clearInterval(timer)
    return { text: Buffer.concat(chunks).toString('latin1'), afterMs: performance.now() - startedMs }
  })
  return { socket, ended }
}

const head = (keyString: string, ...lines: string[]): string =>
  [
    'POST /v1beta/models/gemini-2.5-flash-lite:generateContent HTTP/1.1',
    'Host: pollux.test',
    `x-goog-api-key: ${keyString}`,
    'content-type: application/json',
    ...lines,
  ].join('\r\n')

describe('while connections are held by slow clients', () => {
  test('honest calls are all answered, and whoever is slow is told so and closed in time', async () => {
    const keyString = await createKeyString(pollux, `honest-${++keys}`)
    const honest: Promise<Sent>[] = []
    const call = (): void =>
      void honest.push(send(pollux.origin, { keyString, model: 'gemini-2.5-flash-lite' }))
    const traffic = setInterval(call, HONEST_EVERY_MS)
    const idle = Array.from({ length: IDLE }, () => connect(port, '127.0.0.1').on('error', () => {}))
    const slowHeads = Array.from({ length: SLOW_HEADS }, () => drip(head(keyString, 'X-Slow: '), 'a'))
    const body = head(keyString, 'content-length: 1000', '', '{"contents":[{"parts":[{"text":"')
    const slowBodies = Array.from({ length: SLOW_BODIES }, () => drip(body, 'a'))
    const bombs = Array.from({ length: 20 }, (_, number) =>
      exchange(
        port,
        head(keyString, ...Array.from({ length: 1_300 }, (_, line) => `X-${number}-${line}: a`), '', ''),
      ),
    )
    const held = Promise.all(bombs)
    held.catch(() => {})
    const heads = await Promise.all(slowHeads.map(({ ended }) => ended))
    const bodies = await Promise.all(slowBodies.map(({ ended }) => ended))
    clearInterval(traffic)
    for (const { replies } of await held) {
      expect(replies.map(({ status }) => status)).toEqual([400])
    }
    for (const { text, afterMs } of [...heads, ...bodies]) {
      expect(text).toMatch(/^HTTP\/1\.1 408 /)
      // A refused client is given two seconds to read why.
      expect(afterMs).toBeLessThan(ceiling(CLOSED_WITHIN_MS + 2_000))
    }
    const answers = await Promise.all(honest)
    expect(answers.length).toBeGreaterThan(50)
    expect(answers.filter(({ status }) => status !== 200)).toEqual([])
    for (const socket of idle) socket.destroy()
  }, 90_000)

  test('a body in a million pieces is read like any other, and management is answered meanwhile', async () => {
    const keyString = await createKeyString(pollux, `honest-${++keys}`)
    const text = `{"contents":[{"parts":[{"text":"${'a'.repeat(TINY_CHUNKS - 40)}"}]}]}`
    const pieces = Buffer.from(text.replaceAll(/./g, '1\r\n$&\r\n'))
    const sent = exchange(
      port,
      `${head(keyString, 'connection: close', 'transfer-encoding: chunked')}\r\n\r\n`,
      pieces,
      '0\r\n\r\n',
    )
    const startedMs = performance.now()
    await delay(50)
    expect((await fetch(`${pollux.origin}/healthz`)).status).toBe(200)
    expect(performance.now() - startedMs).toBeLessThan(ceiling(2_000))
    expect((await sent).replies.map(({ status }) => status)).toEqual([200])
  }, 60_000)
})
