/**
 * Clients race against a cap of one dollar, each until its own 402, with an upstream that bills the most it may. Budgets are
 * nested, organization by month, project in total, keys by day; meanwhile every second key is succeeded by another one of its
 * lineage, which its clients go over to.
 * `node bench/cap.ts [runs] [sqlite|postgres] [seed] [--nodes N]`; exits with 1 when a cap was passed by either side's
 * books, when less than 95 % of it could be spent, or when something was refused that fitted. Nodes that are counted share one
 * PostgreSQL and one Redis, and the clients are spread over them.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import {
  KEY_BUDGETS_V1,
  LEDGER_V1,
  ORGANIZATION_BUDGETS_V1,
  PROJECT_BUDGETS_V1,
} from '../src/contract/budgets.v1.ts'
import type { ResponseOf } from '../src/contract/endpoint.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { type BillingUpstream, startBillingUpstream } from '../test/billing-upstream.ts'
import { type Pollux, startPollux } from '../test/pollux.ts'
import {
  MIXED,
  type RaceOptions,
  STREAMS,
  type SpendKey,
  type Told,
  UNARY,
  race,
} from '../test/spend-clients.ts'
import { type TracedBudget, type Verdict, judge } from '../test/spend-trace.ts'
import type { Form } from '../test/traffic.ts'
import { openSuccessors } from './successors.ts'
import { type EngineName, type Place, type Places, engineNamed, nodesNamed, openPlaces } from './place.ts'

const CREDENTIAL = 'upstream-credential-of-the-cap'
const PROJECT = 'default-project'
const CAP_NANOS = 1_000_000_000n
const USABLE_SHARE = 0.95
const KEYS = 8
/** Keys with a cap of their own: those stop early and leave the rest to the others. */
const CAPPED_KEYS = 2
const KEY_CAP_NANOS = 80_000_000n
const RACE_MS = 120_000
/** How long after a change every node goes by it (MONEY.md rule 4). */
const SEEN_BY_ALL_MS = 1_000
/** How long idle money may take to go back. */
const RETURN_MS = 5_000

export interface CapOptions {
  readonly clients: number
  readonly forms: readonly [Form, ...Form[]]
  readonly seed: number
  /** Share of calls in which the upstream fails. */
  readonly faultShare: number
  /** How many processes, with a Redis beside their database; without it one process, and none. */
  readonly nodes?: number | undefined
}

export interface CapResult extends Verdict {
  readonly options: CapOptions
  readonly calls: number
  readonly postedNanos: bigint
  readonly billedNanos: bigint
  readonly durationMs: number
}

/** One race on a Pollux of its own. */
export async function raceToCap(places: Places, options: CapOptions): Promise<CapResult> {
  const upstream = await startBillingUpstream({ ...options, latencyMsMax: 25 })
  const place = await places.fresh({ redis: options.nodes !== undefined })
  const env = {
    ...place.env,
    POLLUX_GEMINI_BASE_URL: upstream.origin,
    GEMINI_API_KEY: CREDENTIAL,
    POLLUX_LOG_LEVEL: 'error',
  }
  const nodes: Pollux[] = []
  try {
    const first = await startPollux({ env, dataDir: place.dataDir })
    nodes.push(first)
    for (let node = 1; node < (options.nodes ?? 1); node++) nodes.push(await startPollux({ env }))
    return await raceOn([first, ...nodes.slice(1)], { upstream, place, options })
  } finally {
    for (const node of nodes) await node.stop()
    await place.remove()
    await upstream.close()
  }
}

interface Scene {
  readonly upstream: BillingUpstream
  readonly place: Place
  readonly options: CapOptions
}

async function raceOn(nodes: readonly [Pollux, ...Pollux[]], scene: Scene): Promise<CapResult> {
  const { upstream, place, options } = scene
  const [pollux, ...others] = nodes
  const keys = await prepare(pollux)
  if (others.length > 0) await delay(SEEN_BY_ALL_MS)
  const startedMs = performance.now()
  const origins = [pollux.origin, ...others.map(({ origin }) => origin)] as const
  const lineages: Lineages = new Map(keys.map(key => [key, [key]]))
  const told = await raceWithSuccessors(place, lineages, { ...options, origins, keys, timeoutMs: RACE_MS })
  const durationMs = performance.now() - startedMs
  const budgets = await settled(pollux, lineages)
  const records = await place.readRecords()
  const verification = await pollux.client.call(LEDGER_V1.verifyLedger, { body: {} })
  const verdict = judge({ told, bills: upstream.bills, records, budgets })
  const posted = budgets.find(({ cap }) => cap === CAP_NANOS)?.posted ?? 0n
  const stopped = told.filter(({ status }) => status === 402).length
  const violations = [...verdict.violations]
  if (stopped !== options.clients) {
    violations.push(`${options.clients - stopped} of ${options.clients} clients never got their 402`)
  }
  if (Number(posted) < Number(CAP_NANOS) * USABLE_SHARE) violations.push(`only ${posted} could be spent`)
  violations.push(...unused(lineages, told))
  for (const drift of verification.drifts) violations.push(`drift: ${JSON.stringify(drift)}`)
  for (const node of nodes) {
    if (violations.length > 0 && node.output().includes('"level"')) violations.push(node.output())
  }
  return {
    ...verdict,
    violations,
    options,
    calls: records.length,
    postedNanos: posted,
    billedNanos: upstream.totalNanos(),
    durationMs,
  }
}

/** Each key of the beginning, and who succeeded it: one budget binds them all. */
type Lineages = ReadonlyMap<SpendKey, SpendKey[]>

async function raceWithSuccessors(
  place: Place,
  lineages: Lineages,
  options: Omit<RaceOptions, 'succeed'>,
): Promise<readonly Told[]> {
  const successors = await openSuccessors(place)
  const succeed = async (key: SpendKey): Promise<SpendKey> => {
    const successor = await successors.make(key)
    lineages.get(key)?.push(successor)
    return successor
  }
  try {
    return await race({ ...options, succeed })
  } finally {
    await successors.close()
  }
}

/** A race in which no successor was let in has proved nothing about them. */
function unused(lineages: Lineages, told: readonly Told[]): string[] {
  const used = new Set(told.filter(({ status }) => status === 200).map(({ keyUid }) => keyUid))
  const successors = [...lineages.values()].flatMap(([, ...rest]) => rest)
  if (successors.some(({ uid }) => used.has(uid))) return []
  return [`none of ${successors.length} successors was let in`]
}

/** Keys, and budgets above each other: the project's binds, some keys have their own, the organization's is wider. */
async function prepare({ client }: Pollux): Promise<[SpendKey, ...SpendKey[]]> {
  const keys = await Promise.all(
    Array.from({ length: KEYS }, async (_, place) => {
      const keyId = `racer-${place}`
      const input = { params: { project: PROJECT }, query: { keyId }, body: {} }
      const { uid, keyString = '' } = await client.call(POLLUX_V1.createKey, input)
      return { uid, keyId, keyString }
    }),
  )
  const [first, ...rest] = keys
  if (first === undefined) throw new Error('no key')
  await client.call(ORGANIZATION_BUDGETS_V1.createBudget, {
    params: { organization: '1' },
    query: { budgetId: 'month' },
    body: { cap: String(CAP_NANOS * 2n) },
  })
  await client.call(PROJECT_BUDGETS_V1.createBudget, {
    params: { project: PROJECT },
    query: { budgetId: 'total' },
    body: { cap: String(CAP_NANOS) },
  })
  for (const { uid } of keys.slice(0, CAPPED_KEYS)) {
    await client.call(KEY_BUDGETS_V1.createBudget, {
      params: { project: PROJECT, key: uid },
      query: { budgetId: 'day' },
      body: { cap: String(KEY_CAP_NANOS) },
    })
  }
  return [first, ...rest]
}

type BudgetView = ResponseOf<typeof LEDGER_V1.searchBudgets>['budgets'][number]

/** The budgets once nothing of them is allotted any more, or as they are when that takes too long. */
async function settled(pollux: Pollux, lineages: Lineages): Promise<readonly TracedBudget[]> {
  const deadlineMs = performance.now() + RETURN_MS
  for (;;) {
    const { budgets } = await pollux.client.call(LEDGER_V1.searchBudgets, {})
    const isSettled = budgets.every(({ allotted }) => allotted === '0')
    if (isSettled || performance.now() > deadlineMs) return budgets.map(view => traced(view, lineages))
    await delay(50)
  }
}

function traced(view: BudgetView, lineages: Lineages): TracedBudget {
  const { name, cap, posted, allotted, overrun, scope } = view
  const isNamed = ({ keyId }: SpendKey): boolean => name.includes(`/keys/${keyId}/`)
  // A lineage goes by the name of its newest key.
  const bound = [...lineages.values()].filter(keys => scope !== 'key' || keys.some(isNamed)).flat()
  if (bound.length === 0) throw new Error(`no key of this race is named in ${name}`)
  return {
    name,
    cap: BigInt(cap),
    posted: BigInt(posted),
    allotted: BigInt(allotted),
    overrun: BigInt(overrun),
    keyUids: new Set(bound.map(({ uid }) => uid)),
  }
}

/** A result in one line. */
export function summary({ options, ...result }: CapResult): string {
  const share = (nanos: bigint): string => `${(Number(nanos) / Number(CAP_NANOS / 100n)).toFixed(3)} %`
  return (
    `${options.nodes ?? 1} nodes, ${options.clients} clients, ${options.forms.join('+')}: ${result.calls} calls, ` +
    `${share(result.postedNanos)} posted, ${share(result.billedNanos)} billed; ` +
    `${result.refused402} x 402, ${result.refused429} x 429, ${result.clamped} clamped ` +
    `(${result.clampedNeedlessly} needlessly), ${result.violations.length} violations; ` +
    `${(result.durationMs / 1000).toFixed(1)} s; seed ${options.seed}`
  )
}

interface Runs {
  readonly runs: number
  readonly engine: EngineName
  readonly seed: number
  readonly nodes: number | undefined
}

async function main({ runs, engine, seed, nodes }: Runs): Promise<boolean> {
  const places = await openPlaces(engine)
  let clean = 0
  try {
    for (let run = 0; run < runs; run++) {
      const result = await raceToCap(places, {
        clients: run % 2 === 0 ? 200 : 1_000,
        forms: [MIXED, UNARY, STREAMS][Math.floor(run / 2) % 3] ?? MIXED,
        seed: seed + run,
        faultShare: run % 4 === 3 ? 0.02 : 0,
        nodes,
      })
      console.log(`run ${run + 1} on ${engine}: ${summary(result)}`)
      for (const violation of result.violations.slice(0, 20)) console.error(`  ${violation}`)
      if (result.violations.length === 0) clean++
    }
  } finally {
    await places.close()
  }
  console.log(`cap races on ${engine}: ${clean} of ${runs} without a violation`)
  return clean === runs
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { nodes: { type: 'string' } },
  })
  const [runs = '20', engine = 'sqlite', seed = String(Date.now() % 1_000_000)] = positionals
  const nodes = values.nodes === undefined ? undefined : nodesNamed(values.nodes, engineNamed(engine))
  const isClean = await main({ runs: Number(runs), engine: engineNamed(engine), seed: Number(seed), nodes })
  process.exitCode = isClean ? 0 : 1
}
