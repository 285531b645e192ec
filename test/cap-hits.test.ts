/** Which budgets refused calls: counted by all nodes, in one row for a period and a reason, and read over the API. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KEY_BUDGETS_V1, LEDGER_V1 } from '../src/contract/budgets.v1.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import type { CapHits } from '../src/domain/cap-hit.ts'
import type { Storage } from '../src/storage/storage.ts'
import { run } from './command-line.ts'
import { ADMIN_TOKEN, type Pollux, startPollux } from './pollux.ts'
import { auditEntry, budgetDraft, createProject, describeOnBothEngines } from './storage-fixture.ts'

const NOON_MS = Date.UTC(2026, 10, 21, 12)
const DAY_MS = 86_400_000

describeOnBothEngines('cap hits', engine => {
  let storage: Storage
  let uid: string
  let projectNumber: string
  const hits = (part: Partial<CapHits> = {}): CapHits => ({
    budgetUid: uid,
    reason: 'BUDGET_EXHAUSTED',
    calls: 1,
    firstTimeMs: NOON_MS,
    lastTimeMs: NOON_MS,
    lastProjectNumber: projectNumber,
    lastKeyUid: 'key',
    lastCallId: 'call',
    ...part,
  })
  beforeAll(async () => {
    storage = await engine.open()
    projectNumber = (await createProject(storage)).number
    const draft = budgetDraft({ scope: 'project', projectNumber, period: 'day', capNanos: 1 })
    uid = (await storage.budgets.create(draft, auditEntry())).uid
  })

  test('add up, whoever counted them and in whatever order they come', async () => {
    const later = hits({ calls: 3, lastTimeMs: NOON_MS + 9, lastCallId: 'last' })
    const earlier = hits({ calls: 2, firstTimeMs: NOON_MS - 9, lastTimeMs: NOON_MS - 1, lastCallId: 'first' })
    await Promise.all([storage.capHits.add([later]), storage.capHits.add([earlier])])
    await Promise.all(Array.from({ length: 10 }, () => storage.capHits.add([hits({ lastCallId: 'middle' })])))
    const found = await storage.capHits.list({ projectNumber, limit: 10 })
    expect(found).toEqual([
      {
        ...hits({ calls: 15, firstTimeMs: NOON_MS - 9, lastTimeMs: NOON_MS + 9, lastCallId: 'last' }),
        budget: { scope: 'project', projectNumber, lineage: null, period: 'day' },
        periodStartMs: Date.UTC(2026, 10, 21, 8),
      },
    ])
  })

  test('are apart by period and reason, outlive their budget, and are forgotten after 400 days', async () => {
    await storage.capHits.add([
      hits({ reason: 'SPEND_HELD', lastTimeMs: NOON_MS + 1 }),
      hits({ budgetUid: 'nobody' }),
    ])
    await storage.capHits.add([hits({ lastTimeMs: NOON_MS + DAY_MS })])
    await storage.budgets.delete({ id: uid, etag: null }, auditEntry())
    await storage.capHits.add([hits({ firstTimeMs: 0, lastTimeMs: Date.now() - 401 * DAY_MS })])
    const found = await storage.capHits.list({ limit: 10 })
    expect(found.map(({ reason, calls, periodStartMs }) => [reason, calls, periodStartMs])).toEqual([
      ['BUDGET_EXHAUSTED', 1, Date.UTC(2026, 10, 22, 8)],
      ['BUDGET_EXHAUSTED', 15, Date.UTC(2026, 10, 21, 8)],
      ['SPEND_HELD', 1, Date.UTC(2026, 10, 21, 8)],
    ])
    expect(await storage.capHits.list({ limit: 1 })).toHaveLength(1)
    expect(await storage.capHits.list({ projectNumber: '1', limit: 10 })).toEqual([])
  })
})

describe('a budget that refuses calls', () => {
  let pollux: Pollux
  beforeAll(async () => {
    pollux = await startPollux()
  }, 60_000)
  afterAll(() => pollux.stop())

  test('says so over the API and on the command line, with the key that was last', async () => {
    const params = { project: 'default-project', key: 'poor' }
    const { keyString = '' } = await pollux.client.call(POLLUX_V1.createKey, {
      params,
      query: { keyId: 'poor' },
      body: {},
    })
    await pollux.client.call(KEY_BUDGETS_V1.createBudget, {
      params,
      query: { budgetId: 'month' },
      body: { cap: '1' },
    })
    for (let call = 0; call < 3; call++) {
      const response = await fetch(`${pollux.origin}/v1beta/models/gemini-2.5-flash:generateContent`, {
        method: 'POST',
        headers: { 'x-goog-api-key': keyString, 'content-type': 'application/json' },
        body: JSON.stringify({ contents: [{ parts: [{ text: 'Hello' }] }] }),
      })
      expect(response.status).toBe(402)
    }
    const read = async () => (await pollux.client.call(LEDGER_V1.searchCapHits, { query: params })).capHits
    await expect.poll(async () => (await read())[0]?.calls, { timeout: 10_000 }).toBe(3)
    const [hit] = await read()
    expect(hit).toMatchObject({
      scope: 'key',
      project: 'default-project',
      key: 'poor',
      period: 'month',
      reason: 'BUDGET_EXHAUSTED',
      lastProject: 'default-project',
      lastKey: 'poor',
    })
    const shell = { url: pollux.origin, token: ADMIN_TOKEN }
    const { out } = await run(shell, ['budgets', 'hits'])
    expect(out).toMatch(/^default-project\/poor +month .*BUDGET_EXHAUSTED +3 .*default-project\/poor$/m)
  }, 60_000)
})
