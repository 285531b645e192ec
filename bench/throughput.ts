/**
 * Throughput of Pollux against a bare Node proxy: server on one core, load and mock upstream on another, in turn, in
 * one run. Prints every pair, then the median of the ratios. `npm run bench -- [pairs] [seconds]`
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '../src/contract/client.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { type LoadResult, load } from './load.ts'

const PAIRS = Number(process.argv[2] ?? 5)
const DURATION_MS = Number(process.argv[3] ?? 5) * 1000
const WARM_UP_MS = 2_000
/** Enough for both to be bound by the core, not by how long a commit takes. */
const CONNECTIONS = 256
const KEYS = 100
const SERVER_CORE = '0'
const LOAD_CORE = '1'
const ADMIN_TOKEN = 'bench-admin-token-0123456789abcdefgh'

const children: ChildProcess[] = []
const dataDir = await mkdtemp(join(tmpdir(), 'pollux-bench-'))
try {
  await pin(process.pid, LOAD_CORE)
  const upstreamPort = await startOnCore(LOAD_CORE, ['bench/mock-upstream.ts'])
  const upstream = `http://127.0.0.1:${upstreamPort}`
  const barePort = await startOnCore(SERVER_CORE, ['bench/bare-proxy.ts', upstream])
  const polluxPort = await startPollux(upstream)
  const keyStrings = await issueKeys(polluxPort)
  console.log(
    `${CONNECTIONS} connections, ${KEYS} keys, every key restricted by address, method, model and tools;`,
  )
  console.log(
    `usage durable before the last byte (SQLite, synchronous=FULL). ${PAIRS} pairs of ${DURATION_MS / 1000} s each.\n`,
  )
  const ratios: number[] = []
  for (let pair = 1; pair <= PAIRS; pair++) {
    const bare = await measure(barePort, keyStrings)
    const pollux = await measure(polluxPort, keyStrings)
    const ratio = pollux.callsPerSecond / bare.callsPerSecond
    ratios.push(ratio)
    console.log(
      `pair ${pair}  bare ${describe(bare)}   pollux ${describe(pollux)}   throughput ${ratio.toFixed(3)}  ` +
        `added p50 ${(pollux.p50Ms - bare.p50Ms).toFixed(2)} ms, p99 ${(pollux.p99Ms - bare.p99Ms).toFixed(2)} ms`,
    )
  }
  ratios.sort((a, b) => a - b)
  const median = ratios[Math.floor(ratios.length / 2)] ?? 0
  console.log(
    `\nthroughput against the bare proxy: median ${median.toFixed(3)}, from ${ratios[0]?.toFixed(3)} to ${ratios.at(-1)?.toFixed(3)}`,
  )
} finally {
  for (const child of children) child.kill('SIGKILL')
  await rm(dataDir, { recursive: true, force: true })
}

function measure(port: number, keyStrings: readonly string[]): Promise<LoadResult> {
  return load({ port, connections: CONNECTIONS, durationMs: DURATION_MS, warmUpMs: WARM_UP_MS, keyStrings })
}

function describe(result: LoadResult): string {
  const failures = result.failures === 0 ? '' : ` (${result.failures} FAILED)`
  return `${Math.round(result.callsPerSecond)}/s p50 ${result.p50Ms.toFixed(2)} p99 ${result.p99Ms.toFixed(2)} ms${failures}`
}

async function startPollux(upstream: string): Promise<number> {
  const port = 20_000 + (process.pid % 20_000)
  const child = spawnOnCore(SERVER_CORE, ['src/main.ts', 'start'], {
    POLLUX_PORT: String(port),
    POLLUX_DATA_DIR: dataDir,
    POLLUX_ADMIN_TOKEN: ADMIN_TOKEN,
    POLLUX_GEMINI_BASE_URL: upstream,
    GEMINI_API_KEY: 'upstream-credential',
  })
  await firstOutput(child)
  return port
}

async function issueKeys(port: number): Promise<string[]> {
  const client = createClient({ baseUrl: `http://127.0.0.1:${port}`, token: ADMIN_TOKEN })
  const keyStrings: string[] = []
  for (let index = 0; index < KEYS; index++) {
    const key = await client.call(POLLUX_V1.createKey, {
      params: { project: 'default-project' },
      query: { keyId: `bench-${index}` },
      body: {
        displayName: `Bench ${index}`,
        restrictions: {
          serverKeyRestrictions: { allowedIps: ['10.0.0.0/8', '127.0.0.1', '2001:db8::/32'] },
          apiTargets: [
            { service: 'generativelanguage.googleapis.com', methods: ['GenerateContent', 'Count*'] },
          ],
        },
        allowedModels: ['gemini-3.8-flash', 'gemini-3.5-*'],
        allowedTools: ['googleSearch'],
      },
    })
    if (key.keyString !== undefined) keyStrings.push(key.keyString)
  }
  return keyStrings
}

async function startOnCore(core: string, args: readonly string[]): Promise<number> {
  return Number(await firstOutput(spawnOnCore(core, args, {})))
}

function spawnOnCore(
  core: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): ChildProcess {
  const child = spawn('taskset', ['-c', core, process.execPath, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'], ...environment },
  })
  children.push(child)
  return child
}

function firstOutput(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once('exit', code => reject(new Error(`${child.spawnargs.join(' ')} ended with ${code}`)))
    child.stdout?.once('data', (chunk: Buffer) => resolve(chunk.toString('utf8').trim()))
  })
}

function pin(pid: number, core: string): Promise<void> {
  return new Promise((resolve, reject) => {
    spawn('taskset', ['-cp', core, String(pid)], { stdio: 'ignore' }).once('exit', code =>
      code === 0 ? resolve() : reject(new Error('taskset (util-linux) is needed to pin processes to cores')),
    )
  })
}
