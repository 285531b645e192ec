/**
 * The kills of bench/kills.ts on several nodes over one PostgreSQL and one Redis: a node at random is killed under load
 * while the others go on. Mostly it starts again at once; now and then it stays away until the others have taken it for
 * lost, and as often as told its folder is gone for good.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import {
  KEY_BUDGETS_V1,
  LEDGER_V1,
  ORGANIZATION_BUDGETS_V1,
  PROJECT_BUDGETS_V1,
} from '../src/contract/budgets.v1.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { type BillingUpstream, startBillingUpstream } from '../test/billing-upstream.ts'
import { type Pollux, freePort, startPollux } from '../test/pollux.ts'
import { type Random, seededRandom } from '../test/seeded-random.ts'
import type { SpendKey } from '../test/spend-clients.ts'
import { type Acknowledged, type Clients, startClients } from './acknowledged.ts'
import { type Compared, compare } from './kill-books.ts'
import { type Place, openPlaces } from './place.ts'

const CREDENTIAL = 'upstream-credential-of-the-kills'
const PROJECT = 'default-project'
const CLIENTS_A_NODE = 6
/** Long enough that most calls of a node are at the upstream when it is killed, and the others leave it room to start. */
const UPSTREAM_MS_MAX = 120
/** Far more than is spent: what is shown here is not the cap. */
const CAP_NANOS = 1_000_000_000_000_000n
const LIFE_MS = { min: 20, max: 900 }
/** How often a killed node stays away for longer than its lease, and how long. */
const AWAY_SHARE = 0.05
const AWAY_MS = 15_000
/** Until the leases of all who are gone have run out, and everything idle has gone back. */
const QUIET_MS = 60_000
const SEEN_BY_ALL_MS = 1_000

export interface NodeKillsOptions {
  readonly kills: number
  readonly nodes: number
  /** Of the kills, how many take the node's folder along. */
  readonly folders: number
  readonly seed: number
}

export interface NodeKillsResult extends Compared {
  readonly acknowledged: number
  readonly records: number
  readonly billedNanos: bigint
  /** By the records. */
  readonly recordedNanos: bigint
  /** By the budgets: with the estimates of what no record tells of. */
  readonly postedNanos: bigint
  readonly estimated: number
  readonly killsUnderLoad: number
  readonly away: number
  readonly ledgerErrors: readonly string[]
}

/** Runs the whole experiment. The upstream is in this process, so it outlives every kill. */
export async function proveNodeKills(options: NodeKillsOptions): Promise<NodeKillsResult> {
  const upstream = await startBillingUpstream({ seed: options.seed, latencyMsMax: UPSTREAM_MS_MAX })
  const places = await openPlaces('postgres')
  const place = await places.fresh({ redis: true })
  const env = {
    ...place.env,
    POLLUX_GEMINI_BASE_URL: upstream.origin,
    GEMINI_API_KEY: CREDENTIAL,
    POLLUX_LOG_LEVEL: 'error',
  }
  const run = new Run(options, { env, upstream })
  try {
    await run.begin()
    for (let kill = 1; kill <= options.kills; kill++) await run.kill(kill)
    const acknowledged = await run.end()
    return await resultOf(run, { acknowledged, place, upstream })
  } catch (error) {
    throw new Error(`the experiment broke off; the nodes said:\n${run.output()}`, { cause: error })
  } finally {
    await run.stop()
    await place.remove()
    await places.close()
    await upstream.close()
  }
}

interface Ended {
  readonly acknowledged: ReadonlyMap<string, Acknowledged>
  readonly place: Place
  readonly upstream: BillingUpstream
}

async function resultOf(run: Run, { acknowledged, place, upstream }: Ended): Promise<NodeKillsResult> {
  const records = await place.readRecords()
  const postedNanos = await run.check()
  return {
    ...compare({ acknowledged, records, bills: upstream.bills }),
    acknowledged: acknowledged.size,
    records: records.length,
    billedNanos: upstream.totalNanos(),
    recordedNanos: records.reduce((sum, { posted_nanos: nanos }) => sum + BigInt(nanos), 0n),
    postedNanos,
    estimated: records.filter(({ outcome }) => outcome === 'estimated').length,
    killsUnderLoad: run.killsUnderLoad,
    away: run.away,
    ledgerErrors: run.ledgerErrors,
  }
}

interface Member {
  readonly port: number
  dataDir: string
  pollux: Pollux
  readonly clients: Clients
}

interface Surroundings {
  readonly env: Readonly<Record<string, string>>
  readonly upstream: BillingUpstream
}

class Run {
  readonly ledgerErrors: string[] = []
  killsUnderLoad = 0
  away = 0
  readonly #options: NodeKillsOptions
  readonly #env: Readonly<Record<string, string>>
  readonly #upstream: BillingUpstream
  readonly #random: Random
  readonly #members: Member[] = []
  readonly #folders: string[] = []

  constructor(options: NodeKillsOptions, { env, upstream }: Surroundings) {
    this.#options = options
    this.#env = env
    this.#upstream = upstream
    this.#random = seededRandom(options.seed)
  }

  /** Starts all nodes, with a key under three budgets, and clients for each. */
  async begin(): Promise<void> {
    const started: { readonly port: number; readonly dataDir: string; readonly pollux: Pollux }[] = []
    let key: SpendKey | null = null
    for (let node = 0; node < this.#options.nodes; node++) {
      const home = { port: await freePort(), dataDir: await this.#newFolder() }
      const pollux = await startPollux({ ...home, env: this.#env })
      started.push({ ...home, pollux })
      key ??= await makeKey(pollux)
    }
    await delay(SEEN_BY_ALL_MS)
    for (const [node, one] of started.entries()) {
      if (key === null) throw new Error('no node')
      const { origin } = one.pollux
      const clients = startClients({
        origin,
        key,
        count: CLIENTS_A_NODE,
        random: this.#random,
        prefix: `node-${node}`,
      })
      this.#members.push({ ...one, clients })
    }
  }

  /** Lets a node at random live for a while, kills it, and has it back, or another in its place. */
  async kill(number: number): Promise<void> {
    const random = this.#random
    const member = this.#members[Math.floor(random() * this.#members.length)]
    if (member === undefined) throw new Error('no node')
    const { kills, folders } = this.#options
    // Spread evenly over the kills.
    const isGone = Math.floor((number * folders) / kills) > Math.floor(((number - 1) * folders) / kills)
    const isAway = !isGone && random() < AWAY_SHARE
    await member.clients.firstReply()
    await delay(LIFE_MS.min + random() * (LIFE_MS.max - LIFE_MS.min))
    if (member.clients.underWay() > 0) this.killsUnderLoad++
    await member.pollux.kill('SIGKILL')
    member.clients.serverGone()
    if (isGone) {
      await rm(member.dataDir, { recursive: true })
      member.dataDir = await this.#newFolder()
    }
    if (isAway) {
      this.away++
      await delay(AWAY_MS)
    }
    const { port, dataDir, clients } = member
    member.pollux = await startPollux({ env: this.#env, port, dataDir })
    await clients.firstReply()
    await this.#verify(member.pollux, `after kill ${number}`)
  }

  /** Stops the clients and waits until nothing is allotted any more, also of those who are gone. */
  async end(): Promise<ReadonlyMap<string, Acknowledged>> {
    const all = await Promise.all(this.#members.map(({ clients }) => clients.stop()))
    const { client } = this.#first()
    const deadlineMs = performance.now() + QUIET_MS
    for (;;) {
      const { budgets } = await client.call(LEDGER_V1.searchBudgets, {})
      if (budgets.every(({ allotted }) => allotted === '0')) break
      if (performance.now() > deadlineMs) {
        this.ledgerErrors.push('money is allotted long after every client has stopped')
        break
      }
      await delay(100)
    }
    return new Map(all.flatMap(acknowledged => [...acknowledged]))
  }

  /** The ledger is clean, and every budget has posted the same, no less than was billed. */
  async check(): Promise<bigint> {
    const pollux = this.#first()
    await this.#verify(pollux, 'at the end')
    const { budgets } = await pollux.client.call(LEDGER_V1.searchBudgets, {})
    const [first = 0n, ...others] = budgets.map(({ posted }) => BigInt(posted))
    if (budgets.length !== 3) this.ledgerErrors.push(`${budgets.length} budgets`)
    const least = this.#upstream.totalNanos()
    for (const posted of [first, ...others]) {
      if (posted < least) this.ledgerErrors.push(`${posted} posted, below the ${least} billed`)
    }
    return first
  }

  /** What the nodes wrote. */
  output(): string {
    return this.#members.map(({ pollux }) => pollux.output()).join('\n')
  }

  async stop(): Promise<void> {
    for (const { pollux } of this.#members) await pollux.kill('SIGKILL')
    for (const folder of this.#folders) await rm(folder, { recursive: true, force: true })
  }

  #first(): Pollux {
    const [member] = this.#members
    if (member === undefined) throw new Error('no node')
    return member.pollux
  }

  async #newFolder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'pollux-node-'))
    this.#folders.push(folder)
    return folder
  }

  async #verify({ client }: Pollux, where: string): Promise<void> {
    const { drifts, overruns } = await client.call(LEDGER_V1.verifyLedger, { body: {} })
    for (const drift of drifts) this.ledgerErrors.push(`${where}: drift ${JSON.stringify(drift)}`)
    if (overruns > 0) this.ledgerErrors.push(`${where}: ${overruns} overruns`)
  }
}

async function makeKey({ client }: Pollux): Promise<SpendKey> {
  const keyId = 'kills'
  const params = { project: PROJECT }
  const made = await client.call(POLLUX_V1.createKey, { params, query: { keyId }, body: {} })
  const { uid, keyString = '' } = made
  const body = { cap: String(CAP_NANOS) }
  const [month, total] = [{ budgetId: 'month' }, { budgetId: 'total' }] as const
  const organization = { organization: '1' }
  await client.call(ORGANIZATION_BUDGETS_V1.createBudget, { params: organization, query: month, body })
  await client.call(PROJECT_BUDGETS_V1.createBudget, { params, query: total, body })
  await client.call(KEY_BUDGETS_V1.createBudget, { params: { ...params, key: uid }, query: month, body })
  return { uid, keyId, keyString }
}

/** What is wrong with a result, a line each; nothing when the promises hold. */
export function nodeViolations(result: NodeKillsResult): string[] {
  const found = [
    ...result.lost.map(id => `lost: ${id}`),
    ...result.doubled.map(id => `doubled: ${id}`),
    ...result.unequal.map(id => `other counts or cost than told: ${id}`),
    ...result.ledgerErrors,
  ]
  if (result.acknowledged === 0) found.push('no reply was acknowledged, so nothing was shown')
  if (result.postedNanos < result.recordedNanos) found.push('less is posted than the records say')
  return found
}

/** The result in one line. */
export function nodeSummary(options: NodeKillsOptions, result: NodeKillsResult): string {
  const dollars = (nanos: bigint): string => `$${(Number(nanos) / 1e9).toFixed(6)}`
  return (
    `kills on ${options.nodes} nodes: ${options.kills} kills (${result.killsUnderLoad} with calls under way, ` +
    `${result.away} away beyond the lease, ${options.folders} with the folder), ` +
    `${result.acknowledged} replies acknowledged, ${result.records} records, ${result.lost.length} lost, ` +
    `${result.doubled.length} doubled, ${result.unequal.length} unequal; ${dollars(result.billedNanos)} billed, ` +
    `${dollars(result.recordedNanos)} recorded (${result.estimated} holds estimated), ` +
    `${dollars(result.postedNanos)} posted with the estimates of lost nodes; ` +
    `${result.ledgerErrors.length} ledger errors; seed ${options.seed}`
  )
}
