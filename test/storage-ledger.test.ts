import { sql } from 'kysely'
import { expect, test } from 'vitest'
import type { BudgetStatus } from '../src/domain/budget.ts'
import type { Standing, TakeAnswer } from '../src/domain/ledger.ts'
import { DEFAULT_TIME_ZONE } from '../src/domain/period.ts'
import type { UsageRecord } from '../src/domain/usage.ts'
import { openEngine } from '../src/storage/engine.ts'
import { Ledger } from '../src/storage/ledger.ts'
import type { Db } from '../src/storage/schema.ts'
import type { Change, Storage } from '../src/storage/storage.ts'
import type { Place } from './storage-fixture.ts'
import {
  auditEntry,
  behind,
  budgetDraft,
  createProject,
  describeOnBothEngines,
  describeOnPostgres,
  freshFolder,
  keyDraft,
  nodeOn,
  reasonOf,
  times,
  usageRecord,
} from './storage-fixture.ts'

const target = ({ uid }: BudgetStatus) => ({ id: uid, etag: null })
const exactly = ({ uid }: { readonly uid: string }, nanos: number) => ({
  budgetUid: uid,
  minNanos: nanos,
  wantNanos: nanos,
})

/** A key with a budget of its own, of its project and of the organization, each with the cap given. */
async function makePath(storage: Storage, caps: readonly [number, number, number]) {
  const { number } = await createProject(storage)
  const { uid, lineage } = await storage.keys.create(keyDraft(number), auditEntry(), null)
  const create = (draft: Parameters<typeof budgetDraft>[0]) =>
    storage.budgets.create(budgetDraft(draft), auditEntry())
  const [ofKey, ofProject, ofAll] = [
    await create({ scope: 'key', projectNumber: number, lineage, capNanos: caps[0] }),
    await create({ scope: 'project', projectNumber: number, capNanos: caps[1] }),
    await create({ capNanos: caps[2] }),
  ]
  return { keyUid: uid, projectNumber: number, ofKey, ofProject, ofAll }
}

const amounts = (standings: readonly Standing[]) =>
  standings.map(({ postedNanos, allottedNanos, allotment }) => [
    postedNanos,
    allottedNanos,
    allotment?.grantedNanos ?? null,
    allotment?.settledNanos ?? null,
  ])

const balances = async (storage: Storage) =>
  (await storage.budgets.list({})).map(({ balance }) => [
    balance.postedNanos,
    balance.allottedNanos,
    balance.overrunNanos,
  ])

/** A record on the rows of the standings, and the charges that go with it. */
function spend(standings: readonly Standing[], nanos: number, part: Partial<UsageRecord> = {}) {
  const record = usageRecord({
    ledger: standings.map(({ rowId }) => rowId),
    costNanos: nanos,
    postedNanos: nanos,
    heldNanos: nanos,
    ...part,
  })
  const charges = standings.map(({ allotment }) => ({
    allotmentId: allotment?.id ?? 'none',
    nanos: record.postedNanos,
  }))
  return [record, charges] as const
}

const ids = (standings: readonly Standing[]) => standings.flatMap(({ allotment }) => allotment?.id ?? [])

const record = sql.table('usage_record_202611')

async function insertTwice(db: Db): Promise<void> {
  await sql`create table twice as select * from ${record}`.execute(db)
  await sql`update twice set seq = 2`.execute(db)
  await sql`insert into ${record} select * from twice`.execute(db)
}

describeOnBothEngines('the ledger', engine => {
  test('grants what is wanted, else the rest, and a path all of it or nothing', async () => {
    const storage = await engine.open()
    const { ofKey, ofProject, ofAll } = await makePath(storage, [100, 60, 1_000])
    const path = (minNanos: number, wantNanos: number) =>
      [ofAll, ofKey, ofProject].map(({ uid }) => ({ budgetUid: uid, minNanos, wantNanos }))
    const asked = await storage.ledger.take(path(0, 0))
    expect(asked).toMatchObject({ taken: true, nowMs: expect.any(Number) })
    expect(amounts(asked.standings)).toEqual(times(3, [0, 0, null, null]))
    expect(new Set(asked.standings.map(({ rowId }) => rowId))).toEqual(
      new Set([ofKey, ofProject, ofAll].map(({ balance }) => balance.rowId)),
    )
    const first = await storage.ledger.take(path(10, 70))
    expect(first.taken).toBe(true)
    const granted = (answer: TakeAnswer) =>
      new Map(answer.standings.map(({ budgetUid, allotment }) => [budgetUid, allotment?.grantedNanos]))
    expect(granted(first)).toEqual(
      new Map([
        [ofKey.uid, 70],
        [ofProject.uid, 60],
        [ofAll.uid, 70],
      ]),
    )
    // The project has nothing left, so the others get nothing either.
    const second = await storage.ledger.take(path(1, 30))
    expect(second.taken).toBe(false)
    expect(granted(second)).toEqual(granted(first))
    // The key has 30 left: not the least that was asked for.
    expect((await storage.ledger.take([exactly(ofKey, 31)])).taken).toBe(false)
    const third = await storage.ledger.take([{ budgetUid: ofKey.uid, minNanos: 30, wantNanos: 500 }])
    expect(third).toMatchObject({ taken: true, standings: [{ capNanos: 100, allottedNanos: 100 }] })
    expect(ids(third.standings)).toEqual(
      ids(first.standings.filter(({ budgetUid }) => budgetUid === ofKey.uid)),
    )
    expect((await storage.ledger.verify()).drifts).toEqual([])
  })

  test('a budget that does not exist has no standing, and nothing is taken beside it', async () => {
    const storage = await engine.open()
    const { ofKey, ofAll } = await makePath(storage, [100, 100, 100])
    await storage.ledger.take([exactly(ofAll, 1)])
    await storage.budgets.delete(target(ofAll), auditEntry())
    for (const none of [ofAll, { uid: 'no-such-budget' }]) {
      const answer = await storage.ledger.take([exactly(ofKey, 1), exactly(none, 1)])
      expect(answer.taken).toBe(false)
      expect(answer.standings.map(({ budgetUid }) => budgetUid)).toEqual([ofKey.uid])
    }
    expect(await reasonOf(storage.ledger.take([exactly(ofKey, 0.5)]))).toBe('INTERNAL')
    expect(await reasonOf(storage.ledger.take([exactly(ofKey, -1)]))).toBe('INTERNAL')
  })

  test('fifty takers at once get all of the cap and not a nano-dollar more', async () => {
    const place = await engine.place()
    const nodes = [await engine.open(place)]
    if (engine.kind === 'postgres') {
      nodes.push(await engine.open({ ...place, dataDir: freshFolder() }))
      nodes.push(await engine.open({ ...place, dataDir: freshFolder() }))
    }
    const [storage] = nodes
    if (storage === undefined) throw new Error('no node')
    const { ofKey, ofAll } = await makePath(storage, [1_000, 1_000, 777])
    const take = async (taker: number) => {
      const path = [ofKey, ofAll].map(({ uid }) => ({ budgetUid: uid, minNanos: 1, wantNanos: 17 + taker }))
      return await nodes[taker % nodes.length]?.ledger.take(taker % 2 === 0 ? path : path.toReversed())
    }
    const answers = await Promise.all(Array.from({ length: 50 }, (_, taker) => take(taker)))
    expect(answers.some(answer => answer?.taken === false)).toBe(true)
    const [key, , all] = await balances(storage)
    expect(all).toEqual([0, 777, 0])
    expect(key?.[1]).toBeLessThanOrEqual(1_000)
    const { drifts, rowsChecked } = await storage.ledger.verify()
    expect([drifts, rowsChecked]).toEqual([[], 3])
  })

  test('a cap below what is posted grants nothing more, and what was lowered can be raised', async () => {
    const storage = await engine.open()
    const { ofKey } = await makePath(storage, [100, 0, 0])
    const { standings } = await storage.ledger.take([exactly(ofKey, 40)])
    await storage.usage.append(...spend(standings, 30))
    const stopped = await storage.budgets.update(target(ofKey), { capNanos: 10 }, auditEntry())
    expect(stopped.balance).toMatchObject({ postedNanos: 30, allottedNanos: 10 })
    expect((await storage.ledger.take([exactly(ofKey, 1)])).taken).toBe(false)
    await storage.budgets.update(target(ofKey), { capNanos: 41 }, auditEntry())
    expect((await storage.ledger.take([exactly(ofKey, 1)])).taken).toBe(true)
    expect((await storage.ledger.verify()).drifts).toEqual([])
  })

  test('money that is not settled is given back; what is settled never is', async () => {
    const storage = await engine.open()
    const { ofKey, ofAll } = await makePath(storage, [100, 100, 100])
    const { standings } = await storage.ledger.take([exactly(ofKey, 50), exactly(ofAll, 50)])
    const [a = '', b = ''] = ids(standings)
    await storage.usage.append(...spend(standings, 20))
    const give = (nanos: number, allotmentId = a) => storage.ledger.give([{ allotmentId, nanos }])
    expect(await reasonOf(give(31))).toBe('INTERNAL')
    expect(await reasonOf(give(-1))).toBe('INTERNAL')
    expect(await reasonOf(give(1, 'none'))).toBe('INTERNAL')
    // All or nothing here, too.
    const both = storage.ledger.give([
      { allotmentId: a, nanos: 1 },
      { allotmentId: b, nanos: 31 },
    ])
    expect(await reasonOf(both)).toBe('INTERNAL')
    await give(30)
    const after = await storage.ledger.take([exactly(ofKey, 0), exactly(ofAll, 0)])
    expect(amounts(after.standings)).toEqual([
      [20, 0, 20, 20],
      [20, 30, 50, 20],
    ])
    expect((await storage.ledger.verify()).drifts).toEqual([])
  })

  test('records and what they settle are one; closing posts it and frees the rest, once', async () => {
    const storage = await engine.open()
    const { ofKey, ofProject, ofAll } = await makePath(storage, [100, 100, 100])
    const path = [ofKey, ofProject, ofAll].map(budget => exactly(budget, 50))
    const { standings } = await storage.ledger.take(path)
    const [key, project] = standings
    if (key === undefined || project === undefined) throw new Error('no standing')
    await Promise.all([
      storage.usage.append(...spend(standings, 7)),
      storage.usage.append(...spend([key, project], 5, { outcome: 'estimated' })),
      storage.usage.append(usageRecord({ costNanos: 1_000 }), []),
    ])
    expect(await balances(storage)).toEqual([
      [12, 38, 0],
      [12, 38, 0],
      [7, 43, 0],
    ])
    // Closing waits for what was charged before it.
    const charged = storage.usage.append(...spend(standings, 1))
    await Promise.all([storage.ledger.close(ids(standings)), charged])
    await storage.ledger.close(ids(standings))
    await storage.ledger.close([])
    expect(await balances(storage)).toEqual([
      [13, 0, 0],
      [13, 0, 0],
      [8, 0, 0],
    ])
    const again = await storage.ledger.take(path)
    expect(amounts(again.standings)).toEqual([
      [13, 50, 50, 0],
      [13, 50, 50, 0],
      [8, 50, 50, 0],
    ])
    await storage.usage.append(...spend(again.standings, 2))
    expect(await storage.ledger.verify()).toEqual({
      rowsChecked: 3,
      recordsChecked: 4,
      drifts: [],
      overruns: 0,
    })
  })

  test('cost above what was held is kept beside, freezes its budgets at once, and is acknowledged', async () => {
    const place = await engine.place()
    const storage = await engine.open(place)
    const { keyUid, ofKey, ofProject, ofAll } = await makePath(storage, [100, 100, 100])
    const { standings } = await storage.ledger.take([exactly(ofKey, 10), exactly(ofProject, 10)])
    const changes: Change[] = []
    storage.onChange(change => changes.push(change))
    await storage.usage.append(...spend(standings, 10, { costNanos: 15 }))
    const project = { kind: 'project', projectNumber: ofProject.projectNumber }
    expect(changes).toEqual(expect.arrayContaining([{ kind: 'key', keyUid }, project]))
    expect(await balances(storage)).toEqual([
      [10, 0, 5],
      [10, 0, 5],
      [0, 0, 0],
    ])
    const list = await storage.budgets.list({})
    expect(list.map(({ frozenTimeMs }) => frozenTimeMs !== null)).toEqual([true, true, false])
    expect(list.map(({ etag }, index) => etag === [ofKey, ofProject, ofAll][index]?.etag)).toEqual([
      false,
      false,
      true,
    ])
    const trail = await storage.audit.list({ projectNumber: null, limit: 2, cursor: null })
    expect(trail.items.map(({ methodName, principal }) => [methodName, principal])).toEqual(
      times(2, ['pollux.v1.Budgets.FreezeBudget', 'system']),
    )
    const frozen = await storage.ledger.take([exactly(ofKey, 1)])
    expect(frozen).toMatchObject({ taken: false, standings: [{ isFrozen: true }] })
    expect(await storage.ledger.verify()).toMatchObject({ drifts: [], overruns: 2 })
    const seen = await storage.budgets.acknowledge(target(ofKey), auditEntry())
    expect(seen).toMatchObject({ frozenTimeMs: null, balance: { overrunNanos: 5 } })
    expect((await storage.ledger.take([exactly(ofKey, 1)])).taken).toBe(true)
    expect(await storage.ledger.verify()).toMatchObject({ drifts: [], overruns: 1 })
    await storage.budgets.delete(target(ofProject), auditEntry())
    expect(await storage.ledger.verify()).toMatchObject({ drifts: [], overruns: 0 })
    const [report] = await storage.usage.report({
      projectNumber: '415104041262',
      startTimeMs: 0,
      endTimeMs: Date.UTC(2030, 0),
      granularity: 'day',
      groupBy: [],
    })
    expect(report?.totals).toMatchObject({ costNanos: '15', unpriced: 0 })
    const sums = await behind(place, db =>
      db.selectFrom('usage_minute').select('overrun_nanos').executeTakeFirst(),
    )
    expect(sums?.overrun_nanos).toBe(5)
  })

  test('each period has a row of its own; the old one drains where it is', async () => {
    const place = await engine.place()
    const storage = await engine.open(place)
    const made = await storage.budgets.create(budgetDraft({ period: 'day', capNanos: 100 }), auditEntry())
    const real = openEngine(place.engine)
    let nowMs = made.balance.periodEndMs ?? 0
    const node = await nodeOn(real, 'another-node')
    const ledger = new Ledger({ ...real, nowMs: async () => nowMs }, node, DEFAULT_TIME_ZONE)
    try {
      nowMs -= 1
      const today = await ledger.take([exactly(made, 100)])
      expect(today).toMatchObject({ taken: true, nowMs, standings: [{ rowId: made.balance.rowId }] })
      expect((await ledger.take([exactly(made, 1)])).taken).toBe(false)
      nowMs += 1
      const tomorrow = await ledger.take([exactly(made, 99)])
      expect(tomorrow).toMatchObject({
        taken: true,
        standings: [{ periodStartMs: nowMs, postedNanos: 0, allottedNanos: 99 }],
      })
      expect(tomorrow.standings[0]?.rowId).not.toBe(made.balance.rowId)
      // A clock that is set back finds the row of its day again.
      nowMs -= 1
      expect((await ledger.take([exactly(made, 1)])).standings[0]?.rowId).toBe(made.balance.rowId)
      await ledger.close(ids(today.standings))
      expect((await ledger.verify()).drifts).toEqual([])
    } finally {
      await real.db.destroy()
    }
  })

  test.each<[string, string, (db: Db) => Promise<unknown>]>([
    ['posted', 'posted', db => db.updateTable('budget_period').set({ posted: 1 }).execute()],
    ['allotted', 'allotted', db => db.updateTable('budget_period').set({ allotted: 49 }).execute()],
    ['overrun', 'overrun', db => db.updateTable('budget_period').set({ overrun: 1 }).execute()],
    ['settled', 'posted', db => db.updateTable('allotment').set({ settled: 8 }).execute()],
    ['granted', 'allotted', db => db.updateTable('allotment').set({ granted: 51 }).execute()],
    [
      'a record changed',
      'posted',
      db => sql`update ${record} set posted_nanos = 6, cost_nanos = 6`.execute(db),
    ],
    ['a record dearer', 'overrun', db => sql`update ${record} set cost_nanos = 8`.execute(db)],
    ['a record gone', 'posted', db => sql`delete from ${record}`.execute(db)],
    ['a record moved', 'posted', db => sql`update ${record} set ledger = ''`.execute(db)],
    ['a record of no row', 'posted', db => sql`update ${record} set ledger = ledger || ',99'`.execute(db)],
    ['a record twice', 'posted', insertTwice],
    [
      'an entry made up',
      'posted',
      db => db.updateTable('ledger_entry').set({ nanos: 1 }).where('kind', '=', 'opening').execute(),
    ],
  ])('verification finds: %s', async (_, drift, tamper) => {
    const place = await engine.place()
    const storage = await engine.open(place)
    const { ofKey } = await makePath(storage, [100, 0, 0])
    const { standings } = await storage.ledger.take([exactly(ofKey, 50)])
    await storage.usage.append(...spend(standings, 7))
    expect((await storage.ledger.verify()).drifts).toEqual([])
    await behind(place, tamper)
    const { drifts } = await storage.ledger.verify()
    expect(drifts.length).toBeGreaterThan(0)
    expect(new Set(drifts.map(found => found.what))).toEqual(new Set([drift]))
    expect(drifts.every(({ bookedNanos, expectedNanos }) => bookedNanos !== expectedNanos)).toBe(true)
  })
})

describeOnPostgres('the ledger of a path under load', engine => {
  test('takes, appends, gives and closes of several nodes never wait for each other in a ring', async () => {
    const place = await engine.place()
    const { engine: choice } = place
    const nodes = await Promise.all(
      Array.from({ length: 3 }, () => engine.open({ engine: choice, dataDir: freshFolder() })),
    )
    const [first] = nodes
    if (first === undefined) throw new Error('no node')
    const { ofKey, ofProject, ofAll } = await makePath(first, [1e9, 1e9, 1e9])
    const path = [ofAll, ofKey, ofProject].map(budget => exactly(budget, 100))
    const work = async (storage: Storage, worker: number): Promise<void> => {
      for (let turn = 0; turn < 25; turn += 1) {
        const { standings } = await storage.ledger.take(worker % 2 === 0 ? path : path.toReversed())
        const part = turn === 12 ? { costNanos: 4 } : {}
        await storage.usage.append(...spend(worker % 2 === 0 ? standings : standings.toReversed(), 3, part))
        await storage.ledger.give(ids(standings).map(allotmentId => ({ allotmentId, nanos: 1 })))
      }
    }
    const acknowledging = setInterval(() => {
      for (const budget of [ofAll, ofKey, ofProject]) {
        void first.budgets.acknowledge(target(budget), auditEntry()).catch(() => {})
      }
    }, 20)
    const results = await Promise.allSettled(
      nodes.flatMap(storage => Array.from({ length: 4 }, (_, worker) => work(storage, worker))),
    )
    clearInterval(acknowledging)
    // A frozen budget grants nothing, and then there may be nothing to give: that is INTERNAL, a ring never is.
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ reason: 'INTERNAL' })
    }
    expect((await first.ledger.verify()).drifts).toEqual([])
    // Appends are tried again, so only the server tells whether one of them met a ring; it counts when they leave.
    await Promise.all(nodes.map(storage => storage.close()))
    expect(await deadlocks(place)).toBe(0)
  }, 60_000)
})

async function deadlocks(place: Place): Promise<number> {
  return await behind(place, async db => {
    const { rows } = await sql<{ deadlocks: number }>`
      select deadlocks from pg_stat_database where datname = current_database()`.execute(db)
    return rows[0]?.deadlocks ?? -1
  })
}
