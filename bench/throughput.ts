/**
 * What all duties cost: in turn, against one mock upstream, the upstream alone, a bare Node proxy, and Pollux with every
 * duty on. Servers on one core, load and upstream on another. Prints every pair, then the median of the ratios; then what
 * Pollux adds to the latency of a call at a fixed rate. `npm run bench -- [pairs] [seconds]`
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type LoadResult, load } from './load.ts'
import { populate } from './populate.ts'

const PAIRS = Number(process.argv[2] ?? 5)
const DURATION_MS = Number(process.argv[3] ?? 5) * 1000
/** Before the first pair: until code is compiled, and every key that is called has been looked up once. */
const FIRST_WARM_UP_MS = 15_000
const WARM_UP_MS = 1_000
/** Enough for both to be bound by the core, not by how long a commit takes. */
const CONNECTIONS = 128
const KEYS = 100_000
/** So many of the keys are called, in turn, and have a budget of their own. */
const CALLED_KEYS = 2_000
const RATE = 1_000
const SERVER_CORE = '0'
const LOAD_CORE = '1'

interface Contender {
  readonly name: string
  readonly port: number
}

const children: ChildProcess[] = []
const dataDir = await mkdtemp(join(tmpdir(), 'pollux-bench-'))
try {
  await pin(process.pid, LOAD_CORE)
  const keyStrings = await populate(dataDir, { keys: KEYS, budgetedKeys: CALLED_KEYS })
  const direct = { name: 'direct', port: await startOnCore(LOAD_CORE, ['bench/mock-upstream.ts']) }
  const upstream = `http://127.0.0.1:${direct.port}`
  const bare = { name: 'bare', port: await startOnCore(SERVER_CORE, ['bench/bare-proxy.ts', upstream]) }
  const pollux = { name: 'pollux', port: await startPollux(upstream) }
  const measure = (
    { port }: Contender,
    options: { readonly warmUpMs?: number; readonly callsPerSecond?: number } = {},
  ): Promise<LoadResult> =>
    load({
      port,
      connections: CONNECTIONS,
      durationMs: DURATION_MS,
      warmUpMs: WARM_UP_MS,
      keyStrings,
      ...options,
    })
  console.log(
    `${CONNECTIONS} connections; ${KEYS} keys, ${CALLED_KEYS} of them called; each restricted by address, method, model and\n` +
      'tools, under three nested budgets; holds in the journal, usage durable before the last byte (SQLite,\n' +
      `synchronous=FULL). ${PAIRS} pairs of ${DURATION_MS / 1000} s each.\n`,
  )
  for (const contender of [bare, pollux]) await measure(contender, { warmUpMs: FIRST_WARM_UP_MS })
  await comparePairs(
    () => measure(direct),
    () => measure(bare),
    () => measure(pollux),
  )
  await compareLatency(callsPerSecond => [
    () => measure(bare, { callsPerSecond }),
    () => measure(pollux, { callsPerSecond }),
  ])
} finally {
  for (const child of children) child.kill('SIGKILL')
  await rm(dataDir, { recursive: true, force: true })
}

type Measure = () => Promise<LoadResult>

async function comparePairs(direct: Measure, bare: Measure, pollux: Measure): Promise<void> {
  console.log(`direct ${describe(await direct())}`)
  const ratios: number[] = []
  for (let pair = 1; pair <= PAIRS; pair++) {
    const [of, against] = [await bare(), await pollux()]
    const ratio = against.callsPerSecond / of.callsPerSecond
    ratios.push(ratio)
    console.log(
      `pair ${pair}  bare ${describe(of)}   pollux ${describe(against)}   throughput ${ratio.toFixed(3)}`,
    )
  }
  console.log(`throughput against the bare proxy: ${spread(ratios, 3)}\n`)
}

async function compareLatency(
  at: (callsPerSecond: number) => [bare: Measure, pollux: Measure],
): Promise<void> {
  const [bare, pollux] = at(RATE)
  const added = { p50: [] as number[], p99: [] as number[] }
  for (let pair = 1; pair <= PAIRS; pair++) {
    const [of, against] = [await bare(), await pollux()]
    added.p50.push(against.p50Ms - of.p50Ms)
    added.p99.push(against.p99Ms - of.p99Ms)
    console.log(`pair ${pair}  at ${RATE}/s  bare ${describe(of)}   pollux ${describe(against)}`)
  }
  console.log(
    `added at ${RATE} calls a second: p50 ${spread(added.p50, 2)} ms, p99 ${spread(added.p99, 2)} ms`,
  )
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

async function startPollux(upstream: string): Promise<number> {
  const port = 20_000 + (process.pid % 20_000)
  const child = spawnOnCore(SERVER_CORE, ['src/main.ts', 'start'], {
    POLLUX_PORT: String(port),
    POLLUX_DATA_DIR: dataDir,
    POLLUX_GEMINI_BASE_URL: upstream,
    GEMINI_API_KEY: 'upstream-credential',
  })
  await firstOutput(child)
  return port
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
