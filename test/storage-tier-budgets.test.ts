/** The caps of tiers in the ledger: they follow the tier and the project, at every moment and whoever comes first. */
import { beforeAll, expect, test } from 'vitest'
import { EMPTY_TIER } from './tiers.ts'
import type { TierDraft } from '../src/storage/quota-store.ts'
import type { Storage } from '../src/storage/storage.ts'
import { auditEntry, createProject, describeOnBothEngines, keyDraft, usageRecord } from './storage-fixture.ts'

const CAPS = [null, 5_000, 7_000] as const

describeOnBothEngines('the cap of a tier', engine => {
  let storage: Storage
  beforeAll(async () => {
    storage = await engine.open()
  })
  const put = async (id: string, part: Partial<TierDraft>) =>
    await storage.tiers.put({ id, etag: null }, { ...EMPTY_TIER, ...part }, auditEntry())
  const give = async (number: string, tier: string | null) =>
    await storage.projects.update(
      { id: number, etag: null },
      { tier },
      auditEntry({ projectNumber: number }),
      null,
    )
  const capsOf = async (projectNumber: string) =>
    (await storage.budgets.list({ scope: 'tier', projectNumber })).map(({ capNanos, period, balance }) => [
      capNanos,
      period,
      balance.postedNanos,
    ])

  test('comes with the tier, follows its changes, and goes with it', async () => {
    const { number } = await createProject(storage)
    await storage.usage.append(
      usageRecord({ projectNumber: number, costNanos: 900, startTimeMs: Date.now() }),
      [],
    )
    await put('follow', { spendCapNanos: 5_000 })
    expect(await capsOf(number)).toEqual([])
    await give(number, 'follow')
    expect(await capsOf(number)).toEqual([[5_000, 'month', 900]])
    await put('follow', { spendCapNanos: 800 })
    expect(await capsOf(number)).toEqual([[800, 'month', 900]])
    await put('follow', { spendCapNanos: null })
    expect(await capsOf(number)).toEqual([])
    await put('follow', { spendCapNanos: 6_000 })
    await put('other', { spendCapNanos: 1_000 })
    await give(number, 'other')
    expect(await capsOf(number)).toEqual([[1_000, 'month', 900]])
    await give(number, null)
    expect(await capsOf(number)).toEqual([])
    expect(await storage.ledger.verify()).toMatchObject({ drifts: [] })
    const { items } = await storage.audit.list({ projectNumber: number, limit: 50, cursor: null })
    const followed = items.filter(({ methodName }) => methodName === 'pollux.v1.Budgets.FollowTier')
    expect(followed.map(({ principal, resourceName }) => [principal, resourceName])).toEqual(
      Array.from({ length: 6 }, () => ['tokens/admin', `projects/${number}/budgets/tier`]),
    )
  })

  test('stands beside the own budget of the project, and both bind its keys', async () => {
    await put('beside', { spendCapNanos: 5_000 })
    const draft = { projectId: 'beside', displayName: '', labels: {}, modelAliases: {}, tier: 'beside' }
    const { number } = await storage.projects.create(draft, auditEntry(), null)
    const key = keyDraft(number)
    await storage.keys.create(key, auditEntry(), null)
    const own = { scope: 'project', projectNumber: number, lineage: null, period: 'month' } as const
    const rest = { policy: 'clamp', defaultMaxOutputTokens: null, toolCeilingsNanos: {} } as const
    await storage.budgets.create({ ...own, capNanos: 9_000, ...rest }, auditEntry())
    const found = await storage.keys.findByDigest(key.digest)
    expect(found?.budgets.map(({ scope, capNanos }) => [scope, capNanos])).toEqual([
      ['project', 9_000],
      ['tier', 5_000],
    ])
  })

  test('is that of the tier the project has at last, whichever of both is changed when', async () => {
    const projects = [
      await createProject(storage),
      await createProject(storage),
      await createProject(storage),
    ]
    const tiers = ['race-a', 'race-b']
    await put('race-a', { spendCapNanos: 1_000 })
    let random = 1
    const draw = (below: number): number => {
      random = (random * 48_271) % 2_147_483_647
      return random % below
    }
    for (let round = 0; round < 12; round++) {
      const changes = Array.from({ length: 6 }, () => {
        const tier = tiers[draw(2)] ?? ''
        const project = projects[draw(3)]?.number ?? ''
        return draw(2) === 0 ? give(project, tier) : put(tier, { spendCapNanos: CAPS[draw(3)] ?? null })
      })
      await Promise.all(changes)
      const now = new Map((await storage.tiers.list()).map(tier => [tier.id, tier.spendCapNanos]))
      for (const { number } of projects) {
        const tier = (await storage.projects.find(number))?.tier ?? ''
        const cap = now.get(tier) ?? null
        expect([tier, (await capsOf(number)).map(([nanos]) => nanos)]).toEqual([
          tier,
          cap === null ? [] : [cap],
        ])
      }
    }
    expect(await storage.ledger.verify()).toMatchObject({ drifts: [] })
  }, 60_000)

  test('is gone for good with its project', async () => {
    await put('gone', { spendCapNanos: 5_000 })
    const { number } = await createProject(storage)
    await give(number, 'gone')
    await storage.projects.delete({ id: number, etag: null }, auditEntry(), null)
    expect(await capsOf(number)).toHaveLength(1)
    await storage.keys.purge(Date.now() + 60_000, auditEntry())
    expect(await capsOf(number)).toEqual([])
  })
})
