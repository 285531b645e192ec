/**
 * Many streams of events at once: what each costs in memory, whether any event is lost or comes out of order, how much later
 * one arrives than without Pollux, and how fast management and a revocation are meanwhile.
 * `node bench/streams.ts [streams] [events] [everyMs]`; exits with 1 where an event was lost or a promise was not kept.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { type Pollux, startPollux } from '../test/pollux.ts'
import { openCall } from '../test/traffic.ts'

const PARAMS = { project: 'default-project' }
const MODEL = 'gemini-2.5-flash-lite'
/** So many are opened at a time. */
const OPEN_TOGETHER = 100
const REVOCATIONS = 10

export const STREAM_PROMISES = { rssBytes: 35 * 1024, addedP99Ms: 20, revocationP99Ms: 100, readP99Ms: 100 }

export interface StreamsOptions {
  readonly streams: number
  readonly events: number
  readonly everyMs: number
}

export interface StreamsResult {
  /** By which the process grew for each stream, both its sides counted. */
  readonly rssBytesPerStream: number
  /** Events that did not come, or not in their order. */
  readonly lost: number
  readonly received: number
  /** Of an event, from the upstream's write to the client's read, less the same without Pollux. */
  readonly addedP99Ms: number
  /** From the answer to the change to the end of the stream. */
  readonly revocationP99Ms: number
  readonly readP99Ms: number
}

/** Opens the streams and watches them to their end. */
export async function proveStreams(options: StreamsOptions): Promise<StreamsResult> {
  allowManyFiles()
  const upstream = spawn(
    process.execPath,
    [join(import.meta.dirname, 'stream-upstream.ts'), ...[options.events, options.everyMs].map(String)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let pollux: Pollux | null = null
  try {
    const port = await portOf(upstream)
    const env = {
      POLLUX_GEMINI_BASE_URL: `http://127.0.0.1:${port}`,
      GEMINI_API_KEY: 'credential-of-streams',
    }
    pollux = await startPollux({ env: { ...env, POLLUX_LOG_LEVEL: 'error' } })
    const direct = await watchAll(port, 'none', options)
    return await throughPollux(pollux, direct, options)
  } finally {
    await pollux?.stop()
    upstream.kill('SIGKILL')
  }
}

async function throughPollux(
  pollux: Pollux,
  direct: Watched,
  options: StreamsOptions,
): Promise<StreamsResult> {
  const making = { params: PARAMS, query: { keyId: 'streaming' }, body: {} }
  const { keyString = '' } = await pollux.client.call(POLLUX_V1.createKey, making)
  // Code is compiled and pages are touched by the first of them.
  await watchAll(portIn(pollux.origin), keyString, { ...options, streams: Math.min(options.streams, 100) })
  const before = rssBytes(pollux)
  const opened = Promise.withResolvers<void>()
  const watching = watchAll(portIn(pollux.origin), keyString, options, opened.resolve)
  await opened.promise
  const [reads, revocations] = await Promise.all([readOften(pollux), revokeOften(pollux)])
  const after = rssBytes(pollux)
  const watched = await watching
  return {
    rssBytesPerStream: (after - before) / options.streams,
    lost: watched.lost,
    received: watched.latenciesMs.length,
    addedP99Ms: p99(watched.latenciesMs) - p99(direct.latenciesMs),
    revocationP99Ms: p99(revocations),
    readP99Ms: p99(reads),
  }
}

interface Watched {
  readonly latenciesMs: number[]
  readonly lost: number
}

/** Opens all streams, tells when all are open, and resolves when all have ended. */
async function watchAll(
  port: number,
  keyString: string,
  { streams, events }: StreamsOptions,
  onOpen: () => void = () => {},
): Promise<Watched> {
  const latenciesMs: number[] = []
  const ended: Promise<number>[] = []
  for (let made = 0; made < streams; made += OPEN_TOGETHER) {
    const some = Array.from({ length: Math.min(OPEN_TOGETHER, streams - made) }, () =>
      watch(port, keyString, latenciesMs),
    )
    await Promise.all(some.map(({ begun }) => begun))
    ended.push(...some.map(one => one.ended))
  }
  onOpen()
  const received = await Promise.all(ended)
  return { latenciesMs, lost: received.reduce((sum, count) => sum + events - count, 0) }
}

const SAID = /"text": ?"#(\d+) ([\d.]+)"/g

/** One stream; `ended` gives how many events came, each in its order. */
function watch(port: number, keyString: string, latenciesMs: number[]) {
  const begun = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<number>()
  const body = JSON.stringify({ contents: [{ parts: [{ text: 'Speak' }] }] })
  const socket = connect(port, '127.0.0.1')
  let count = 0
  let rest = ''
  socket.on('error', () => {})
  socket.on('data', chunk => {
    const nowMs = performance.timeOrigin + performance.now()
    begun.resolve()
    const text = rest + chunk.toString('latin1')
    let end = 0
    for (const match of text.matchAll(SAID)) {
      end = match.index + match[0].length
      if (Number(match[1]) === count) count += 1
      latenciesMs.push(nowMs - Number(match[2]))
    }
    rest = text.slice(Math.max(end, text.length - 200))
    if (text.endsWith('0\r\n\r\n')) socket.end()
  })
  socket.on('close', () => {
    begun.resolve()
    ended.resolve(count)
  })
  socket.write(
    `POST /v1beta/models/${MODEL}:streamGenerateContent?alt=sse HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n` +
      `x-goog-api-key: ${keyString}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  )
  return { begun: begun.promise, ended: ended.promise }
}

/** How long the list of keys takes, asked again and again for two seconds. */
async function readOften({ client }: Pollux): Promise<readonly number[]> {
  const tookMs: number[] = []
  const untilMs = performance.now() + 2_000
  while (performance.now() < untilMs) {
    const startMs = performance.now()
    await client.call(POLLUX_V1.listKeys, { params: PARAMS, query: {} })
    tookMs.push(performance.now() - startMs)
    await delay(20)
  }
  return tookMs
}

/** How long a stream goes on after the change that ends it was acknowledged. */
async function revokeOften({ client, origin }: Pollux): Promise<readonly number[]> {
  const tookMs: number[] = []
  for (let number = 0; number < REVOCATIONS; number++) {
    const keyId = `revoked-${number}`
    const made = await client.call(POLLUX_V1.createKey, { params: PARAMS, query: { keyId }, body: {} })
    const open = openCall(origin, { keyString: made.keyString ?? '', form: 'sse', model: MODEL })
    await open.begun
    await client.call(POLLUX_V1.disableKey, { params: { ...PARAMS, key: keyId }, body: {} })
    const revokedMs = performance.now()
    const { atMs } = await open.ended
    tookMs.push(Math.max(0, atMs - revokedMs))
  }
  return tookMs
}

function p99(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right)
  return sorted[Math.ceil(sorted.length * 0.99) - 1] ?? Number.NaN
}

function rssBytes({ process: { pid } }: Pollux): number {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kibibytes) * 1024
}

function portIn(origin: string): number {
  return Number(new URL(origin).port)
}

async function portOf(upstream: ChildProcess): Promise<number> {
  if (upstream.stdout === null) throw new Error('the upstream has no output')
  const [chunk] = (await once(upstream.stdout, 'data')) as [Buffer]
  return Number(chunk.toString('utf8'))
}

/** Each stream takes two files of Pollux. Only root may have more than the system's limit. */
function allowManyFiles(): void {
  try {
    execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=65536:65536'], { stdio: 'ignore' })
  } catch {
    // Then the limit is what it is, and streams that do not fit are lost.
  }
}

/** Promises that were not kept. */
export function broken(result: StreamsResult): readonly string[] {
  const { lost, rssBytesPerStream, addedP99Ms, revocationP99Ms, readP99Ms } = result
  const checks = [
    [lost === 0, `${lost} events lost`],
    [rssBytesPerStream <= STREAM_PROMISES.rssBytes, `${Math.round(rssBytesPerStream)} bytes a stream`],
    [addedP99Ms <= STREAM_PROMISES.addedP99Ms, `${addedP99Ms.toFixed(1)} ms added to an event`],
    [revocationP99Ms <= STREAM_PROMISES.revocationP99Ms, `${revocationP99Ms.toFixed(1)} ms to revoke`],
    [readP99Ms <= STREAM_PROMISES.readP99Ms, `${readP99Ms.toFixed(1)} ms to read`],
  ] as const
  return checks.filter(([isKept]) => !isKept).map(([, what]) => what)
}

export function streamsSummary({ streams }: StreamsOptions, result: StreamsResult): string {
  return (
    `${streams} streams: ${(result.rssBytesPerStream / 1024).toFixed(1)} KiB of memory each, ${result.lost} of ` +
    `${result.lost + result.received} events lost, p99 ${result.addedP99Ms.toFixed(1)} ms added to an event, ` +
    `revocation p99 ${result.revocationP99Ms.toFixed(1)} ms, management p99 ${result.readP99Ms.toFixed(1)} ms`
  )
}

if (import.meta.main) {
  const [streams = 10_000, events = 20, everyMs = 2_000] = process.argv.slice(2).map(Number)
  const options = { streams, events, everyMs }
  const result = await proveStreams(options)
  const violations = broken(result)
  for (const violation of violations) console.log(`not kept: ${violation}`)
  console.log(streamsSummary(options, result))
  process.exit(violations.length === 0 ? 0 : 1)
}
