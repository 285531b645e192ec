/**
 * What its duties cost, against one mock upstream: the upstream alone; then a bare Node proxy in turn with Pollux that has
 * restricted keys and durable usage, and in turn with Pollux that has every duty on. Servers on one core, load and upstream
 * on another. Prints every round and the median of the ratios; then what Pollux adds to the latency of a call at a fixed
 * rate.
 * `npm run bench -- [rounds] [seconds]`
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LoadResult, load } from './load.ts'
import { populate } from './populate.ts'

const ROUNDS = Number(process.argv[2] ?? 5)
const DURATION_MS = Number(process.argv[3] ?? 5) * 1000
/** Before the first round: until code is compiled, and every key that is called has been looked up. */
const FIRST_WARM_UP_MS = 15_000
const WARM_UP_MS = 1_000
/** Enough for all to be bound by the core, not by how long a commit takes. */
const CONNECTIONS = 256
const KEYS = 100_000
/** So many of the keys are called, in turn, and have a budget of their own. */
const CALLED_KEYS = 1_000
const FEW_KEYS = 100
const RATE = 1_000
const SERVER_CORE = '0'
const LOAD_CORE = '1'

interface Contender {
  readonly name: string
  readonly port: number
  readonly keyStrings: readonly string[]
}

const children: ChildProcess[] = []
const dataDir = await mkdtemp(join(tmpdir(), 'pollux-bench-'))
try {
  await pin(process.pid, LOAD_CORE)
  const upstreamPort = await startOnCore(LOAD_CORE, ['bench/mock-upstream.ts'])
  const upstream = `http://127.0.0.1:${upstreamPort}`
  const barePort = await startOnCore(SERVER_CORE, ['bench/bare-proxy.ts', upstream])
  const direct = { name: 'direct', port: upstreamPort, keyStrings: ['none'] }
  const bare = { name: 'bare proxy', port: barePort, keyStrings: ['none'] }
  console.log(
    `${CONNECTIONS} connections, ${ROUNDS} rounds of ${DURATION_MS / 1000} s each. Every key is restricted by address, method,\n` +
      'model and tools; usage is durable before the last byte (SQLite, synchronous=FULL).\n' +
      `  without budgets  ${FEW_KEYS} keys\n` +
      `  every duty       ${KEYS} keys, ${CALLED_KEYS} of them called; three nested budgets, holds in the journal\n`,
  )
  await measure(bare, { warmUpMs: FIRST_WARM_UP_MS })
  console.log(`direct ${describe(await measure(direct))}`)
  const unbudgeted = await startPollux('without budgets', upstream, { keys: FEW_KEYS, budgets: false })
  await compareThroughput(bare, unbudgeted)
  unbudgeted.stop()
  const complete = await startPollux('every duty', upstream, { keys: KEYS, budgets: true })
  await compareThroughput(bare, complete)
  await compareLatency(bare, complete)
} finally {
  for (const child of children) child.kill('SIGKILL')
  await rm(dataDir, { recursive: true, force: true })
}

function measure(
  { port, keyStrings }: Contender,
  options: { readonly warmUpMs?: number; readonly callsPerSecond?: number } = {},
): Promise<LoadResult> {
  return load({
    port,
    connections: CONNECTIONS,
    durationMs: DURATION_MS,
    warmUpMs: WARM_UP_MS,
    keyStrings,
    ...options,
  })
}

/** In pairs, with nothing else on the core: a second Pollux, even if nobody calls it, would keep its books beside. */
async function compareThroughput(bare: Contender, contender: Contender): Promise<void> {
  await measure(contender, { warmUpMs: FIRST_WARM_UP_MS })
  const ratios: number[] = []
  for (let round = 1; round <= ROUNDS; round++) {
    const of = await measure(bare)
    const against = await measure(contender)
    const ratio = against.callsPerSecond / of.callsPerSecond
    ratios.push(ratio)
    console.log(`round ${round}  ${bare.name.padEnd(15)} ${describe(of)}`)
    console.log(`         ${contender.name.padEnd(15)} ${describe(against)}   throughput ${ratio.toFixed(3)}`)
  }
  console.log(`throughput against the bare proxy, ${contender.name}: ${spread(ratios, 3)}\n`)
}

async function compareLatency(bare: Contender, contender: Contender): Promise<void> {
  console.log(`at ${RATE} calls a second`)
  const added = { p50: [] as number[], p99: [] as number[] }
  for (let round = 1; round <= ROUNDS; round++) {
    const of = await measure(bare, { callsPerSecond: RATE })
    const against = await measure(contender, { callsPerSecond: RATE })
    added.p50.push(against.p50Ms - of.p50Ms)
    added.p99.push(against.p99Ms - of.p99Ms)
    console.log(`round ${round}  ${bare.name.padEnd(15)} ${describe(of)}`)
    console.log(`         ${contender.name.padEnd(15)} ${describe(against)}`)
  }
  console.log(`added latency, every duty: p50 ${spread(added.p50, 2)} ms; p99 ${spread(added.p99, 2)} ms`)
}

function spread(values: readonly number[], digits: number): string {
  const sorted = values.toSorted((left, right) => left - right)
  const at = (place: number): string => (sorted.at(place) ?? Number.NaN).toFixed(digits)
  return `median ${at(Math.floor(sorted.length / 2))}, from ${at(0)} to ${at(-1)}`
}

function describe(result: LoadResult): string {
  const failures = result.failures === 0 ? '' : ` (${result.failures} FAILED)`
  return `${Math.round(result.callsPerSecond)}/s p50 ${result.p50Ms.toFixed(2)} p99 ${result.p99Ms.toFixed(2)} ms${failures}`
}

async function startPollux(
  name: string,
  upstream: string,
  { keys, budgets }: { readonly keys: number; readonly budgets: boolean },
): Promise<Contender & { readonly stop: () => void }> {
  const folder = await mkdtemp(join(dataDir, 'node-'))
  const called = Math.min(keys, CALLED_KEYS)
  const keyStrings = await populate(folder, { keys, called, budgets })
  const port = 20_000 + ((process.pid * 2 + children.length) % 20_000)
  const child = spawnOnCore(SERVER_CORE, ['bin/pollux', 'start'], {
    POLLUX_PORT: String(port),
    POLLUX_DATA_DIR: folder,
    POLLUX_GEMINI_BASE_URL: upstream,
    GEMINI_API_KEY: 'upstream-credential',
  })
  await firstOutput(child)
  return { name, port, keyStrings, stop: () => void child.kill('SIGKILL') }
}

async function startOnCore(core: string, args: readonly string[]): Promise<number> {
  return Number(await firstOutput(spawnOnCore(core, [process.execPath, ...args], {})))
}

function spawnOnCore(
  core: string,
  command: readonly string[],
  environment: Readonly<Record<string, string>>,
): ChildProcess {
  const child = spawn('taskset', ['-c', core, ...command], {
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
