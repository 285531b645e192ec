/**
 * Ends Pollux with SIGKILL at random moments under load, again and again on the same data folder, with budgets above each
 * other, and compares what clients were told and the upstream billed with what is in the books.
 * `node bench/kills.ts [kills] [sqlite|postgres] [seed] [--nodes N] [--folders N]`; exits with 1 when usage was lost, doubled or altered, when money
 * is missing or was made up, when a report is not the sum of the records, or when restarts are slow.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { setTimeout as delay } from 'node:timers/promises'
import {
  KEY_BUDGETS_V1,
  LEDGER_V1,
  ORGANIZATION_BUDGETS_V1,
  PROJECT_BUDGETS_V1,
} from '../src/contract/budgets.v1.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { type BillingUpstream, startBillingUpstream } from '../test/billing-upstream.ts'
import { ADMIN_TOKEN, type Pollux, freePort, startPollux } from '../test/pollux.ts'
import { type Random, seededRandom } from '../test/seeded-random.ts'
import type { SpendKey } from '../test/spend-clients.ts'
import { type Clients, startClients } from './acknowledged.ts'
import { type Compared, type Money, compare, compareMoney } from './kill-books.ts'
import { nodeSummary, nodeViolations, proveNodeKills } from './node-kills.ts'
import { type EngineName, engineNamed, nodesNamed, openPlaces } from './place.ts'
import { readReports, reportErrors } from './rollups.ts'

const CREDENTIAL = 'upstream-credential-of-the-kills'
const PROJECT = 'default-project'
const CLIENTS = 16
/** Far more than is spent: what is shown here is not the cap. */
const CAP_NANOS = String(1_000_000_000_000_000)
/** Range of the time a process is left to live after its first good reply. */
const LIFE_MS = { min: 20, max: 900 }
/** Some restarts are killed as well, before or soon after they have recovered. */
const KILLED_START_SHARE = 0.15
const KILLED_START_MS_MAX = 1_200
export const RESTART_MEDIAN_MS_MAX = 2_000

export interface KillsOptions {
  readonly kills: number
  readonly engine: EngineName
  readonly seed: number
}

export interface KillsResult extends Compared {
  readonly acknowledged: number
  readonly records: number
  readonly money: Money
  /** What was wrong with the ledger, or with what was posted, at a start or at the end. */
  readonly ledgerErrors: readonly string[]
  /** Where a report is not the sum of the records. */
  readonly rollupErrors: readonly string[]
  /** From spawn to the first good reply, for each start after a kill, sorted. */
  readonly restartsMs: readonly number[]
  /** How long each verification of the ledger took, in order. */
  readonly verifiesMs: readonly number[]
  /** Kills that found calls under way. */
  readonly killsUnderLoad: number
  /** Kills of a process that was still starting. */
  readonly startsKilled: number
}

/** Runs the whole experiment. The upstream is in this process, so it outlives every kill. */
export async function proveKills(options: KillsOptions): Promise<KillsResult> {
  const random = seededRandom(options.seed)
  const upstream = await startBillingUpstream({ seed: options.seed, latencyMsMax: 5 })
  const places = await openPlaces(options.engine)
  const place = await places.fresh()
  const env = {
    ...place.env,
    POLLUX_GEMINI_BASE_URL: upstream.origin,
    GEMINI_API_KEY: CREDENTIAL,
    POLLUX_LOG_LEVEL: 'error',
  }
  const run = new Run({ env, port: await freePort(), dataDir: place.dataDir }, upstream, random)
  try {
    const key = await run.begin()
    const { origin } = run.pollux
    const clients = startClients({ origin, key, count: CLIENTS, random })
    for (let kill = 1; kill <= options.kills; kill++) await run.kill(clients)
    const acknowledged = await clients.stop()
    await run.end()
    const reports = await readReports(run.pollux, PROJECT)
    const records = await place.readRecords()
    const books = { acknowledged, records, bills: upstream.bills }
    const money = compareMoney(books, (options.kills + run.startsKilled) * CLIENTS)
    await run.check({ leastNanos: money.postedNanos, mostNanos: money.postedNanos })
    return {
      ...compare(books),
      acknowledged: acknowledged.size,
      records: records.length,
      money,
      ledgerErrors: run.ledgerErrors,
      rollupErrors: reportErrors(reports, records),
      restartsMs: run.restartsMs.sort((a, b) => a - b),
      verifiesMs: run.verifiesMs,
      killsUnderLoad: run.killsUnderLoad,
      startsKilled: run.startsKilled,
    }
  } catch (error) {
    throw new Error(`the experiment broke off; Pollux said:\n${run.output()}`, { cause: error })
  } finally {
    await run.stop()
    await place.remove()
    await places.close()
    await upstream.close()
  }
}

interface Home {
  readonly env: Readonly<Record<string, string>>
  readonly port: number
  readonly dataDir: string
}

/** One Pollux after the other on the same folder. */
class Run {
  readonly ledgerErrors: string[] = []
  readonly restartsMs: number[] = []
  readonly verifiesMs: number[] = []
  killsUnderLoad = 0
  startsKilled = 0
  readonly #home: Home
  readonly #upstream: BillingUpstream
  readonly #random: Random
  #pollux: Pollux | null = null

  constructor(home: Home, upstream: BillingUpstream, random: Random) {
    this.#home = home
    this.#upstream = upstream
    this.#random = random
  }

  get pollux(): Pollux {
    if (this.#pollux === null) throw new Error('no Pollux runs')
    return this.#pollux
  }

  /** Starts the first one; gives a key under three budgets. */
  async begin(): Promise<SpendKey> {
    this.#pollux = await startPollux(this.#home)
    const { client } = this.pollux
    const keyId = 'kills'
    const params = { project: PROJECT }
    const { uid, keyString = '' } = await client.call(POLLUX_V1.createKey, {
      params,
      query: { keyId },
      body: {},
    })
    const body = { cap: CAP_NANOS }
    const [month, total] = [{ budgetId: 'month' }, { budgetId: 'total' }] as const
    const organization = { organization: '1' }
    await client.call(ORGANIZATION_BUDGETS_V1.createBudget, { params: organization, query: month, body })
    await client.call(PROJECT_BUDGETS_V1.createBudget, { params, query: total, body })
    await client.call(KEY_BUDGETS_V1.createBudget, { params: { ...params, key: uid }, query: month, body })
    return { uid, keyId, keyString }
  }

  /** Lets it live for a while, kills it, starts the next and looks at the ledger while calls go on. */
  async kill(clients: Clients): Promise<void> {
    const random = this.#random
    await clients.firstReply()
    await delay(LIFE_MS.min + random() * (LIFE_MS.max - LIFE_MS.min))
    if (clients.underWay() > 0) this.killsUnderLoad++
    await this.pollux.kill('SIGKILL')
    clients.serverGone()
    if (random() < KILLED_START_SHARE) {
      this.startsKilled++
      await killStart(this.#home, random() * KILLED_START_MS_MAX)
      clients.serverGone()
    }
    const leastNanos = this.#upstream.totalNanos()
    const spawnedMs = performance.now()
    const [started] = await Promise.all([startPollux(this.#home), clients.firstReply()])
    this.restartsMs.push(performance.now() - spawnedMs)
    this.#pollux = started
    await this.check({ leastNanos })
  }

  /** Waits until no call is open and nothing is allotted. */
  async end(): Promise<void> {
    for (let attempt = 0; attempt < 200; attempt++) {
      const metrics = await this.pollux.client.call(POLLUX_V1.getMetrics, {})
      const { budgets } = await this.pollux.client.call(LEDGER_V1.searchBudgets, {})
      const isQuiet = budgets.every(({ allotted }) => allotted === '0')
      if (isQuiet && /^pollux_open_calls 0$/m.test(metrics)) return
      await delay(50)
    }
    this.ledgerErrors.push('calls are open, or money is allotted, long after every client has stopped')
  }

  /** The ledger is clean, and each budget shows at least so much, and at most that, as posted. */
  async check(bounds: { readonly leastNanos: bigint; readonly mostNanos?: bigint }): Promise<void> {
    const { leastNanos, mostNanos = BigInt(CAP_NANOS) } = bounds
    const { client } = this.pollux
    const startedMs = performance.now()
    const { drifts, overruns } = await client.call(LEDGER_V1.verifyLedger, { body: {} })
    this.verifiesMs.push(performance.now() - startedMs)
    const { budgets } = await client.call(LEDGER_V1.searchBudgets, {})
    const where = `after start ${this.restartsMs.length}`
    for (const drift of drifts) this.ledgerErrors.push(`${where}: drift ${JSON.stringify(drift)}`)
    if (overruns > 0) this.ledgerErrors.push(`${where}: ${overruns} overruns`)
    if (budgets.length !== 3) this.ledgerErrors.push(`${where}: ${budgets.length} budgets`)
    for (const { name, posted } of budgets) {
      if (BigInt(posted) >= leastNanos && BigInt(posted) <= mostNanos) continue
      this.ledgerErrors.push(
        `${where}: ${name} has ${posted} posted, not ${leastNanos} or more, ${mostNanos} or less`,
      )
    }
  }

  /** What the last Pollux wrote. */
  output(): string {
    return this.#pollux?.output() ?? 'nothing'
  }

  async stop(): Promise<void> {
    await this.#pollux?.kill('SIGKILL')
  }
}

/** Starts a Pollux and kills it, wherever it is by then. */
async function killStart({ env, port, dataDir }: Home, afterMs: number): Promise<void> {
  const child: ChildProcess = spawn(join(import.meta.dirname, '..', 'bin', 'pollux'), ['start'], {
    stdio: 'ignore',
    env: {
      PATH: process.env['PATH'],
      POLLUX_DATA_DIR: dataDir,
      POLLUX_PORT: String(port),
      POLLUX_ADMIN_TOKEN: ADMIN_TOKEN,
      ...env,
    },
  })
  const gone = once(child, 'exit')
  await delay(afterMs)
  child.kill('SIGKILL')
  await gone
}

/** What is wrong with a result, a line each; nothing when the promises hold. */
export function violations(result: KillsResult): string[] {
  const found = [
    ...result.lost.map(id => `lost: ${id}`),
    ...result.doubled.map(id => `doubled: ${id}`),
    ...result.unequal.map(id => `other counts or cost than told: ${id}`),
    ...result.money.errors,
    ...result.ledgerErrors,
    ...result.rollupErrors,
  ]
  if (result.acknowledged === 0) found.push('no reply was acknowledged, so nothing was shown')
  const medianMs = medianOf(result.restartsMs)
  if (!(medianMs < RESTART_MEDIAN_MS_MAX)) found.push(`median restart took ${Math.round(medianMs)} ms`)
  return found
}

function medianOf(sorted: readonly number[]): number {
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** The result in one line. */
export function summary(options: KillsOptions, result: KillsResult): string {
  const { restartsMs, money } = result
  const seconds = (ms: number | undefined): string => ((ms ?? Number.NaN) / 1000).toFixed(2)
  const dollars = (nanos: bigint): string => `$${(Number(nanos) / 1e9).toFixed(6)}`
  return (
    `kills on ${options.engine}: ${options.kills} kills (${result.killsUnderLoad} with calls under way) and ` +
    `${result.startsKilled} of a start, ${result.acknowledged} replies acknowledged, ${result.records} records, ` +
    `${result.lost.length} lost, ${result.doubled.length} doubled, ${result.unequal.length} unequal; ` +
    `${dollars(money.billedNanos)} billed, ${dollars(money.postedNanos)} posted, of which ${money.estimated} holds ` +
    `of ${dollars(money.estimatedNanos)} estimated; ${result.verifiesMs.length} verifications, ` +
    `${result.ledgerErrors.length + money.errors.length} ledger errors, ${result.rollupErrors.length} rollup errors; ` +
    `restart median ${seconds(medianOf(restartsMs))} s, max ${seconds(restartsMs.at(-1))} s; ` +
    `last verification ${seconds(result.verifiesMs.at(-1))} s; seed ${options.seed}`
  )
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { nodes: { type: 'string', default: '1' }, folders: { type: 'string', default: '0' } },
  })
  const [kills = '500', engine = 'sqlite', seed = String(Date.now() % 1_000_000)] = positionals
  const options = { kills: Number(kills), engine: engineNamed(engine), seed: Number(seed) }
  const nodes = nodesNamed(values.nodes, options.engine)
  let found: readonly string[]
  if (nodes > 1) {
    const ofNodes = { ...options, nodes, folders: Number(values.folders) }
    const result = await proveNodeKills(ofNodes)
    console.log(nodeSummary(ofNodes, result))
    found = nodeViolations(result)
  } else {
    const result = await proveKills(options)
    console.log(summary(options, result))
    found = violations(result)
  }
  for (const violation of found.slice(0, 50)) console.error(violation)
  process.exitCode = found.length === 0 ? 0 : 1
}
