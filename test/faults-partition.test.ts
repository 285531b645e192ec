/**
 * A network that is cut between a node and its database, or Redis, in one direction or in both, while two nodes spend from
 * one budget: by no books is more spent than the cap, nothing acknowledged is lost, and a disabled key is refused in time.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'undici'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type Place, type Places, tryPlaces } from '../bench/place.ts'
import { LEDGER_V1, PROJECT_BUDGETS_V1 } from '../src/contract/budgets.v1.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { type BillingUpstream, startBillingUpstream } from './billing-upstream.ts'
import { type Direction, type Fault, type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { type Pollux, startPollux } from './pollux.ts'
import { startRedis } from './redis.ts'
import { seededRandom } from './seeded-random.ts'
import { MIXED, type SpendKey, type Told, drawCall, makeCall } from './spend-clients.ts'

const PROJECT = 'default-project'
const CAP_NANOS = 1_000_000_000n
const CLIENTS = 4
/** Keys whose disabling is watched: no cap but the switch stops them. */
const WATCHED_PROJECT = 'without-a-cap'
const CUT_MS = 2_500
/** A second by promise, and as much again for a call that was let in before to reach the upstream on a busy machine. */
const REFUSED_WITHIN_MS = 2_000

const places = await tryPlaces('postgres')
const redis = await startRedis()
const missing = 'skip' in places ? places.skip : 'skip' in redis ? redis.skip : null
afterAll(async () => {
  if (!('skip' in places)) await places.close()
  if (!('skip' in redis)) await redis.stop()
})

type Link = 'database' | 'Redis'
const CUTS: readonly (readonly [Link, Fault['kind'] & ('freeze' | 'half-open'), Direction])[] = [
  ['database', 'freeze', 'reply'],
  ['database', 'half-open', 'request'],
  ['database', 'half-open', 'both'],
  ['Redis', 'freeze', 'reply'],
  ['Redis', 'half-open', 'request'],
]

describe.skipIf(missing !== null)('a node that is cut off while another one goes on', () => {
  let place: Place
  let upstream: BillingUpstream
  let whole: Pollux
  let cut: Pollux
  let key: SpendKey
  const links = new Map<Link, FaultProxy>()
  const told: Told[] = []
  const stopped = new AbortController()
  const traffic: Promise<void>[] = []

  beforeAll(async () => {
    if ('skip' in redis) return
    place = await (places as Places).fresh()
    upstream = await startBillingUpstream({ seed: 8, latencyMsMax: 20 })
    const env = {
      ...place.env,
      POLLUX_GEMINI_BASE_URL: upstream.origin,
      GEMINI_API_KEY: 'upstream-credential-of-the-partition',
      POLLUX_LOG_LEVEL: 'silent',
    }
    whole = await startPollux({ env: { ...env, POLLUX_REDIS_URL: redis.url } })
    const { pathname, searchParams } = new URL(
      place.env['POLLUX_DATABASE_URL']?.replace('postgres:///', 'postgres://h/') ?? '',
    )
    const database = await startFaultProxy({
      path: `${searchParams.get('host')}/.s.PGSQL.${searchParams.get('port')}`,
    })
    const bus = await startFaultProxy({ host: '127.0.0.1', port: Number(new URL(redis.url).port) })
    links.set('database', database).set('Redis', bus)
    cut = await startPollux({
      env: {
        ...env,
        POLLUX_DATABASE_URL: `postgres://pollux@127.0.0.1:${database.port}${pathname}`,
        POLLUX_REDIS_URL: `redis://127.0.0.1:${bus.port}`,
      },
    })
    await whole.client.call(POLLUX_V1.createProject, { body: { projectId: WATCHED_PROJECT } })
    key = await makeKey('spender', PROJECT)
    await whole.client.call(PROJECT_BUDGETS_V1.createBudget, {
      params: { project: PROJECT },
      query: { budgetId: 'total' },
      body: { cap: String(CAP_NANOS) },
    })
    // Every node goes by the budget (MONEY.md rule 4).
    await delay(1_000)
    traffic.push(callWithoutEnd('cut', cut))
    // The cap lasts for seconds: the node that is never cut off would else have spent it while the other one hangs.
    await vi.waitUntil(() => told.some(({ status }) => status === 200), { timeout: 20_000 })
    traffic.push(callWithoutEnd('whole', whole))
  })
  afterAll(async () => {
    stopped.abort()
    await Promise.all(traffic)
    await Promise.all([whole.stop(), cut.stop()])
    await Promise.all([...links.values()].map(link => link.close()))
    await upstream.close()
    await place.remove()
  })

  async function makeKey(keyId: string, project: string): Promise<SpendKey> {
    const options = { params: { project }, query: { keyId }, body: {} }
    const { uid, keyString = '' } = await whole.client.call(POLLUX_V1.createKey, options)
    return { uid, keyId, keyString }
  }

  /** Clients that call a node whatever they are told. */
  async function callWithoutEnd(name: string, { origin }: Pollux): Promise<void> {
    const random = seededRandom(name.length)
    const pool = new Pool(origin, { connections: CLIENTS })
    let calls = 0
    const client = async (): Promise<void> => {
      while (!stopped.signal.aborted) {
        told.push(await makeCall(pool, drawCall(`${name}-${++calls}`, random, MIXED), key))
        await delay(50)
      }
    }
    await Promise.all(Array.from({ length: CLIENTS }, client))
    await pool.destroy()
  }

  async function known(subject: SpendKey): Promise<void> {
    const pool = new Pool(cut.origin)
    const call = async () =>
      (await makeCall(pool, drawCall(`known-${told.length}`, seededRandom(1), ['unary']), subject)).status
    await expect.poll(call, { timeout: 20_000, interval: 100 }).toBeOneOf([200, 402])
    await pool.destroy()
  }

  /** Calls the cut node with a key that the other node has disabled, and gives when the upstream saw the last such call. */
  async function lastBilledMs(subject: SpendKey, untilMs: number): Promise<number> {
    const calls: Promise<Told>[] = []
    const pool = new Pool(cut.origin, { connections: 64 })
    const random = seededRandom(3)
    const prefix = `${subject.keyId}-`
    while (performance.now() < untilMs) {
      calls.push(makeCall(pool, drawCall(`${prefix}${calls.length}`, random, ['unary']), subject))
      await delay(25)
    }
    await Promise.all(calls)
    await pool.destroy()
    const billed = upstream.bills.filter(({ name }) => name.startsWith(prefix))
    return Math.max(0, ...billed.map(({ atMs }) => atMs))
  }

  test.each(CUTS)(
    'from its %s (%s, %s): a disabled key is refused there in time',
    async (link, kind, direction) => {
      const subject = await makeKey(`subject-${link.toLowerCase()}-${kind}-${direction}`, WATCHED_PROJECT)
      // The cut node knows the key, and would go on taking it.
      await known(subject)
      links.get(link)?.set({ kind }, direction)
      const disabled = await whole.client.call(POLLUX_V1.disableKey, {
        params: { project: WATCHED_PROJECT, key: subject.keyId },
        body: {},
      })
      expect(disabled.uid).toBe(subject.uid)
      const disabledMs = performance.timeOrigin + performance.now()
      const lastMs = await lastBilledMs(subject, performance.now() + CUT_MS)
      links.get(link)?.set({ kind: 'none' })
      expect(lastMs - disabledMs).toBeLessThan(REFUSED_WITHIN_MS)
    },
    60_000,
  )

  test('and afterwards: no more was spent than the cap, by its books and by those of the upstream; nothing was lost', async () => {
    // Both nodes go on until nothing more fits.
    await expect
      .poll(() => told.filter(({ status, name }) => status === 402 && name.startsWith('cut-')).length, {
        timeout: 60_000,
      })
      .toBeGreaterThan(0)
    stopped.abort()
    await Promise.all(traffic)
    const budget = async () => (await whole.client.call(LEDGER_V1.searchBudgets, {})).budgets.at(0)
    await expect.poll(async () => (await budget())?.allotted, { timeout: 40_000 }).toBe('0')
    const { drifts, overruns } = await whole.client.call(LEDGER_V1.verifyLedger, { body: {} })
    expect([drifts, overruns]).toEqual([[], 0])
    const posted = BigInt((await budget())?.posted ?? -1)
    expect(posted).toBeLessThanOrEqual(CAP_NANOS)
    const billed = upstream.bills.filter(({ name }) => /^(?:whole|cut)-/.test(name))
    expect(billed.reduce((sum, { nanos }) => sum + nanos, 0n)).toBeLessThanOrEqual(posted)
    const records = new Map((await place.readRecords()).map(record => [record.call_id, record]))
    const good = told.filter(({ status }) => status === 200)
    expect(good.length).toBeGreaterThan(100)
    expect(good.filter(({ requestId }) => records.get(requestId)?.outcome !== 'posted')).toEqual([])
    expect(new Set(good.map(({ name }) => name.split('-')[0]))).toContain('cut')
  }, 120_000)
})
