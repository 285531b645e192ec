/** What a tier says of money, where calls meet it: on one node and on two, whose tiers change under load. */
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { type EngineName, type Place, tryPlaces } from '../bench/place.ts'
import { LEDGER_V1, PROJECT_BUDGETS_V1 } from '../src/contract/budgets.v1.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { TIERS_V1 } from '../src/contract/quotas.v1.ts'
import { chargedNanos } from '../src/domain/cost.ts'
import { run } from './command-line.ts'
import { ADMIN_TOKEN, type Pollux, startPollux } from './pollux.ts'
import { seededRandom } from './seeded-random.ts'

const PROJECT = 'default-project'
const MODEL = 'gemini-2.5-flash'
const USAGE = { promptTokenCount: 7, candidatesTokenCount: 3, totalTokenCount: 10 }
/** 7 x 300 + 3 x 2,500. */
const LIST_NANOS = 9_600
const CALLS_MIN = 80
const CHANGES_MIN = 30
const CLIENTS = 8

interface Scene {
  readonly place: Place
  readonly nodes: readonly Pollux[]
  readonly keyString: string
}

const closers: (() => unknown)[] = []
afterAll(async () => {
  for (const close of closers.toReversed()) await close()
})

async function startUpstream(): Promise<Server> {
  const answer = JSON.stringify({
    candidates: [{ content: { parts: [{ text: 'hi' }] }, finishReason: 'STOP' }],
    usageMetadata: USAGE,
  })
  const upstream = createServer((request, response) => {
    request.resume().on('end', () => {
      response.setHeader('content-type', 'application/json')
      setTimeout(() => response.end(answer), 2)
    })
  })
  await new Promise<void>(resolve => upstream.listen(0, '127.0.0.1', resolve))
  closers.push(() => upstream.close())
  return upstream
}

async function startScene(engine: EngineName, count: number): Promise<Scene> {
  const places = await tryPlaces(engine)
  if ('skip' in places) throw new Error(places.skip)
  closers.push(() => places.close())
  const place = await places.fresh()
  closers.push(() => place.remove())
  const upstream = await startUpstream()
  const env = {
    ...place.env,
    POLLUX_GEMINI_BASE_URL: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
    GEMINI_API_KEY: 'upstream-credential-of-the-test',
    POLLUX_LOG_LEVEL: 'error',
  }
  const nodes: Pollux[] = []
  for (let node = 0; node < count; node++) {
    // The records of SQLite are in the folder of the only node.
    const pollux = await startPollux({ env, ...(engine === 'sqlite' ? { dataDir: place.dataDir } : {}) })
    nodes.push(pollux)
    closers.push(() => pollux.stop())
  }
  const [first] = nodes
  const params = { project: PROJECT }
  const key = await first?.client.call(POLLUX_V1.createKey, { params, body: {} })
  return { place, nodes, keyString: key?.keyString ?? '' }
}

const nodeAt = ({ nodes }: Scene, index: number): Pollux => {
  const node = nodes[index % nodes.length]
  if (node === undefined) throw new Error('no node')
  return node
}

async function generate(scene: Scene, node = 0): Promise<{ status: number; body: unknown }> {
  const response = await fetch(`${nodeAt(scene, node).origin}/v1beta/models/${MODEL}:generateContent`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-goog-api-key': scene.keyString },
    body: JSON.stringify({
      contents: [{ parts: [{ text: 'sing' }] }],
      generationConfig: { maxOutputTokens: 10 },
    }),
  })
  return { status: response.status, body: await response.json() }
}

async function setTier(scene: Scene, tier: string, body: object, node = 0): Promise<void> {
  const query = { updateMask: Object.keys(body).join(','), allowMissing: true }
  await nodeAt(scene, node).client.call(TIERS_V1.updateTier, { params: { tier }, query, body })
}

async function giveTier(scene: Scene, tier: string, node = 0): Promise<void> {
  await nodeAt(scene, node).client.call(POLLUX_V1.updateProject, {
    params: { project: PROJECT },
    query: { updateMask: 'tier' },
    body: { tier },
  })
}

const budgetOfTier = async (scene: Scene) => {
  const params = { project: PROJECT, budget: 'tier' }
  return await nodeAt(scene, 0).client.call(PROJECT_BUDGETS_V1.getBudget, { params })
}

describe.each<[EngineName, number]>([
  ['sqlite', 1],
  ['postgres', 2],
])('on %s with %d node(s)', (engine, count) => {
  let scene: Scene

  test('the factor is in what the project is charged, and the record says it', async () => {
    scene = await startScene(engine, count)
    expect((await generate(scene)).status).toBe(200)
    await setTier(scene, 'interns', { priceFactor: '1.2345', spendCap: '1000000000' })
    await giveTier(scene, 'interns')
    expect((await generate(scene)).status).toBe(200)
    const records = (await scene.place.readRecords()).filter(({ model }) => model === MODEL)
    const charged = records.map(record => [record.cost_nanos, record.price_basis_points])
    // 9,600 x 1.2345 = 11,851.2
    expect(charged).toEqual([
      [LIST_NANOS, null],
      [11_852, 12_345],
    ])
    // What was spent before the tier came counts for its month.
    expect((await budgetOfTier(scene)).posted).toBe(String(LIST_NANOS + 11_852))
  }, 120_000)

  test('the cap refuses by the name of the tier, is listed, and only the tier changes it', async () => {
    await setTier(scene, 'interns', { spendCap: '20000' })
    const refused = await generate(scene, count - 1)
    expect(refused.status).toBe(402)
    expect(refused.body).toMatchObject({
      error: {
        message: expect.stringMatching(/^The monthly budget of the tier is spent: the cap is \$0\.00002\./),
        details: [{ metadata: { budget: expect.stringMatching(/^projects\/\d+\/budgets\/tier$/) } }, {}],
      },
    })
    const { origin, client } = nodeAt(scene, 0)
    const listed = await run({ url: origin, token: ADMIN_TOKEN }, ['budgets', 'list'])
    expect(listed.out).toMatch(/default-project \(interns\) +month +EXHAUSTED +\$0\.00002 +\$0\.000021452/)
    const params = { project: PROJECT, budget: 'tier' }
    const refusal = { reason: 'STATE_CONFLICT' }
    await expect(
      client.call(PROJECT_BUDGETS_V1.updateBudget, {
        params,
        query: { updateMask: 'cap' },
        body: { cap: '9' },
      }),
    ).rejects.toMatchObject(refusal)
    await expect(client.call(PROJECT_BUDGETS_V1.deleteBudget, { params })).rejects.toMatchObject(refusal)
  })

  test('tiers that change under load leave no wrong ledger and no wrong record', async () => {
    const seed = Math.floor(Math.random() * 1e6)
    const random = seededRandom(seed)
    const below = (end: number): number => Math.floor(random() * end)
    const done = { calls: 0, changes: 0 }
    const isEnough = (): boolean => done.calls >= CALLS_MIN && done.changes >= CHANGES_MIN
    const statuses = new Map<number, number>()
    const client = async (node: number): Promise<void> => {
      while (!isEnough()) {
        const { status } = await generate(scene, node)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
        if (status === 200) done.calls += 1
      }
    }
    const change = async (): Promise<void> => {
      while (!isEnough()) {
        const tier = ['interns', 'staff'][below(2)] ?? ''
        const spendCap = [null, '2000000', '90000000'][below(3)] ?? null
        const priceFactor = [null, '1.2345', '0.3333', '7'][below(4)] ?? null
        await setTier(scene, tier, { spendCap, priceFactor }, below(count))
        if (below(2) === 0) await giveTier(scene, ['interns', 'staff', ''][below(3)] ?? '', below(count))
        done.changes += 1
        await delay(below(60))
      }
    }
    await setTier(scene, 'staff', {})
    await Promise.all([...Array.from({ length: CLIENTS }, (_, index) => client(index)), change(), change()])
    expect(
      [...statuses.keys()].filter(status => ![200, 402, 429, 503].includes(status)),
      `seed ${seed}`,
    ).toEqual([])
    const records = (await scene.place.readRecords()).filter(record => record.outcome === 'posted')
    expect(records.length).toBeGreaterThanOrEqual(CALLS_MIN)
    expect(new Set(records.map(record => record.price_basis_points)).size).toBeGreaterThan(2)
    for (const { cost_nanos: cost, posted_nanos: posted, price_basis_points: factor, ledger } of records) {
      expect(cost, `seed ${seed}`).toBe(chargedNanos(LIST_NANOS, factor ?? 10_000))
      if (ledger !== '') expect(posted).toBe(cost)
    }
    const verified = await nodeAt(scene, 0).client.call(LEDGER_V1.verifyLedger, { body: {} })
    expect(verified, `seed ${seed}`).toMatchObject({ drifts: [], overruns: 0 })
  }, 120_000)

  test('nothing is spent past a cap that is set while calls come, and nearly all of it is', async () => {
    await setTier(scene, 'interns', { spendCap: '1000000000', priceFactor: '1.2345' })
    await giveTier(scene, 'interns')
    const cap = Number((await budgetOfTier(scene)).posted) + 4_000_000
    await setTier(scene, 'interns', { spendCap: String(cap) })
    // Every node goes by it (MONEY.md rule 4).
    await delay(1_000)
    const spend = async (node: number): Promise<void> => {
      for (;;) {
        const { status } = await generate(scene, node)
        if (status === 402) return
        expect([200, 429]).toContain(status)
      }
    }
    await Promise.all(Array.from({ length: CLIENTS }, (_, index) => spend(index)))
    const { posted } = await budgetOfTier(scene)
    expect(Number(posted)).toBeLessThanOrEqual(cap)
    expect(Number(posted)).toBeGreaterThan(cap - 200_000)
    const verified = await nodeAt(scene, 0).client.call(LEDGER_V1.verifyLedger, { body: {} })
    expect(verified).toMatchObject({ drifts: [], overruns: 0 })
  }, 120_000)
})
