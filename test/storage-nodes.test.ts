/** Several nodes on one database: who is taken for lost, what becomes of its money, and how it comes back. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import type { Standing } from '../src/domain/ledger.ts'
import { openEngine } from '../src/storage/engine.ts'
import type { Storage } from '../src/storage/storage.ts'
import { ceiling } from './ceiling.ts'
import {
  type EngineUnderTest,
  type Place,
  auditEntry,
  behind,
  budgetDraft,
  createProject,
  describeOnBothEngines,
  describeOnPostgres,
  freshFolder,
  nodeOn,
  reasonOf,
  startChild,
  times,
  usageRecord,
} from './storage-fixture.ts'

const CAP = 1_000

vi.setConfig({ testTimeout: 60_000 })

async function makeBudgets(storage: Storage) {
  const { number } = await createProject(storage)
  const ofProject = { scope: 'project', projectNumber: number } as const
  const made = [
    await storage.budgets.create(budgetDraft({ ...ofProject, capNanos: CAP }), auditEntry()),
    await storage.budgets.create(budgetDraft({ capNanos: CAP }), auditEntry()),
  ]
  return made.map(({ uid }) => uid)
}

const exactly = (budgetUids: readonly string[], nanos: number) =>
  budgetUids.map(budgetUid => ({ budgetUid, minNanos: nanos, wantNanos: nanos }))

const ids = (standings: readonly Standing[]) => standings.flatMap(({ allotment }) => allotment?.id ?? [])

/** Settles a call on the standings, now or long after they were lost. */
async function settle(storage: Storage, standings: readonly Standing[], nanos: number): Promise<void> {
  const ledger = standings.map(({ rowId }) => rowId)
  const record = usageRecord({ ledger, costNanos: nanos, postedNanos: nanos, heldNanos: nanos })
  await storage.usage.append(
    record,
    ids(standings).map(allotmentId => ({ allotmentId, nanos })),
  )
}

/** Every balance as [posted, allotted], once the books were found right. */
async function verified(storage: Storage) {
  expect(await storage.ledger.verify()).toMatchObject({ drifts: [], overruns: 0 })
  const list = await storage.budgets.list({})
  return list.map(({ balance }) => [balance.postedNanos, balance.allottedNanos])
}

/** Lets the leases of all nodes there are run out, and has others look after them, all at once where there may be many. */
async function loseAll(place: Place): Promise<void> {
  const lookers = place.engine.kind === 'sqlite' ? 1 : 4
  const engines = Array.from({ length: lookers }, () => openEngine(place.engine))
  try {
    const nodes = await Promise.all(
      engines.map((engine, number) => nodeOn(engine, `looker-${number}-${crypto.randomUUID()}`, 1)),
    )
    await delay(5)
    await behind(place, db =>
      db.updateTable('node').set({ lease_time: 1 }).where('lease_time', 'is not', null).execute(),
    )
    await Promise.all(nodes.map(({ lease }) => lease.resolveLost()))
  } finally {
    await Promise.all(engines.map(({ db }) => db.destroy()))
  }
}

async function losses(storage: Storage) {
  const { items } = await storage.audit.list({ projectNumber: null, limit: 20, cursor: null })
  return items.filter(({ methodName }) => methodName === 'pollux.v1.Ledger.LoseNode')
}

/** A process that held 10 for each of four calls, settled two of them at 7, and was killed. */
async function killedNode(engine: EngineUnderTest) {
  const place = await engine.place()
  const storage = await engine.open(place)
  const budgetUids = await makeBudgets(storage)
  await storage.close()
  const order = { record: usageRecord(), prefix: 'call', budgetUids, calls: 4 }
  const child = await startChild({ mode: 'hold', place, ...order })
  expect(child.said).toBe('held')
  await child.kill()
  return { place, budgetUids }
}

/** Another folder on the same database. */
const beside = ({ engine }: Place): Place => ({ engine, dataDir: freshFolder() })

describeOnBothEngines('a node that is not heard of', engine => {
  test('is taken for lost once, however many look: all that it had is posted', async () => {
    const place = await engine.place()
    const storage = await engine.open(place)
    const { standings } = await storage.ledger.take(exactly(await makeBudgets(storage), 50))
    await settle(storage, standings, 20)
    await loseAll(place)
    expect(await verified(storage)).toEqual(times(2, [50, 0]))
    await loseAll(place)
    expect(await verified(storage)).toEqual(times(2, [50, 0]))
    const [entry, ...more] = await losses(storage)
    expect(more).toEqual([])
    expect(entry).toMatchObject({
      principal: 'system',
      after: { lost: standings.map(({ rowId }) => ({ rowId, estimatedNanos: '30' })) },
    })
  })

  test('settles late what it held: the record takes the place of the estimate, and the rest is freed', async () => {
    const place = await engine.place()
    const storage = await engine.open(place)
    const budgetUids = await makeBudgets(storage)
    const { standings } = await storage.ledger.take(exactly(budgetUids, 50))
    await settle(storage, standings, 20)
    await loseAll(place)
    await settle(storage, standings, 7)
    await settle(storage, standings, 3)
    expect(await verified(storage)).toEqual(times(2, [50, 0]))
    await storage.ledger.close(ids(standings))
    await storage.ledger.close(ids(standings))
    expect(await verified(storage)).toEqual(times(2, [30, 0]))
  })

  test('may hold all that was lost to the last nano-dollar, and no cap is passed', async () => {
    const place = await engine.place()
    const storage = await engine.open(place)
    const budgetUids = await makeBudgets(storage)
    const { standings } = await storage.ledger.take(exactly(budgetUids, CAP))
    await loseAll(place)
    await settle(storage, standings, CAP)
    expect(await verified(storage)).toEqual(times(2, [CAP, 0]))
  })

  test('comes back with its journal: what was under way is posted, the rest of the estimate is freed', async () => {
    const { place } = await killedNode(engine)
    await loseAll(place)
    const storage = await engine.open(place)
    expect(await verified(storage)).toEqual(times(2, [34, 0]))
    expect(await losses(storage)).toHaveLength(1)
    await storage.close()
    expect(await verified(await engine.open(place))).toEqual(times(2, [34, 0]))
  })

  test('comes back without its journal: the estimate stays', async () => {
    const { place } = await killedNode(engine)
    await loseAll(place)
    rmSync(join(place.dataDir, 'journal'), { recursive: true })
    const storage = await engine.open(place)
    expect(await verified(storage)).toEqual(times(2, [40, 0]))
    await storage.close()
    expect(await verified(await engine.open(place))).toEqual(times(2, [40, 0]))
  })
})

describeOnPostgres('nodes beside each other', engine => {
  test('a node whose folder is gone stays posted as estimated, and the others go on', async () => {
    const { place, budgetUids } = await killedNode(engine)
    rmSync(place.dataDir, { recursive: true })
    await loseAll(place)
    const storage = await engine.open(beside(place))
    expect(await verified(storage)).toEqual(times(2, [40, 0]))
    expect((await storage.ledger.take(exactly(budgetUids, CAP - 40))).taken).toBe(true)
    expect((await storage.ledger.take(exactly(budgetUids, 1))).taken).toBe(false)
  })

  test('a node that was lost is told, then gets new money beside what it still has to settle', async () => {
    const place = await engine.place()
    const storage = await engine.open(place)
    let told = 0
    storage.ledger.onLost(() => (told += 1))
    const budgetUids = await makeBudgets(storage)
    const before = await storage.ledger.take(exactly(budgetUids, 50))
    await loseAll(place)
    // Nothing is granted, or given back, on what it was before.
    if (told === 0) {
      expect(await reasonOf(storage.ledger.take(exactly(budgetUids, 1)))).toBe('STORAGE_UNAVAILABLE')
    }
    await expect.poll(() => told, { timeout: 10_000 }).toBe(1)
    await expect
      .poll(
        () =>
          storage.ledger.take(exactly(budgetUids, 5)).then(
            ({ taken }) => taken,
            () => false,
          ),
        {
          timeout: 10_000,
        },
      )
      .toBe(true)
    expect(storage.ledger.leasedUntilMs()).toBeGreaterThan(performance.now())
    const after = await storage.ledger.take(exactly(budgetUids, 0))
    expect(ids(after.standings)).not.toEqual(ids(before.standings))
    await settle(storage, before.standings, 10)
    await settle(storage, after.standings, 2)
    expect(await verified(storage)).toEqual(times(2, [52, 3]))
    await storage.ledger.close([...ids(before.standings), ...ids(after.standings)])
    expect(await verified(storage)).toEqual(times(2, [12, 0]))
  })

  test('a node that lives is not taken for lost, nor is one that left with nothing', async () => {
    const place = await engine.place()
    const left = await engine.open(place)
    const budgetUids = await makeBudgets(left)
    await left.close()
    const lives = await engine.open(beside(place))
    await lives.ledger.take(exactly(budgetUids, 50))
    const looker = openEngine(place.engine)
    try {
      const { lease } = await nodeOn(looker, 'looker', 1)
      await delay(5)
      await lease.resolveLost()
    } finally {
      await looker.db.destroy()
    }
    expect(await verified(lives)).toEqual(times(2, [0, 50]))
  })

  test('who could not renew its own lease in time does not judge others', async () => {
    const place = await engine.place()
    const storage = await engine.open(place)
    await storage.ledger.take(exactly(await makeBudgets(storage), 50))
    const looker = openEngine(place.engine)
    try {
      const { lease } = await nodeOn(looker, 'looker', 60_000)
      await behind(place, db =>
        db.updateTable('node').set({ lease_time: 1 }).where('id', '<>', 'looker').execute(),
      )
      await lease.resolveLost()
    } finally {
      await looker.db.destroy()
    }
    expect(await verified(storage)).toEqual(times(2, [0, 50]))
  })

  test('a process that another runs as, from a copy of its folder, is refused a lease', async () => {
    const place = await engine.place()
    await (await engine.open(place)).close()
    const [one, other] = [openEngine(place.engine), openEngine(place.engine)]
    try {
      const first = await nodeOn(one, 'copied')
      await nodeOn(other, 'copied')
      let told = 0
      expect(await reasonOf(first.lease.renew(() => (told += 1)))).toBe('STATE_CONFLICT')
      expect(told).toBe(1)
    } finally {
      await Promise.all([one.db.destroy(), other.db.destroy()])
    }
  })

  test('a recall reaches every other node at once, and not the one that made it', async () => {
    const place = await engine.place()
    const nodes = [
      await engine.open(place),
      await engine.open(beside(place)),
      await engine.open(beside(place)),
    ]
    const heard: [node: number, rowIds: readonly number[], atMs: number][] = []
    for (const [number, storage] of nodes.entries())
      storage.ledger.onRecall(({ lacking }) => heard.push([number, lacking, performance.now()]))
    const askedMs = performance.now()
    await nodes[0]?.ledger.recall([7, 3])
    await expect.poll(() => heard.length, { timeout: 5_000, interval: 5 }).toBe(2)
    await delay(600)
    expect(new Set(heard.map(([number]) => number))).toEqual(new Set([1, 2]))
    expect(heard.map(([, rowIds]) => new Set(rowIds))).toEqual(times(2, new Set([3, 7])))
    expect(Math.max(...heard.map(([, , atMs]) => atMs)) - askedMs).toBeLessThan(ceiling(500))
  })
})
