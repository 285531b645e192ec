import { cpSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Standing } from '../src/domain/ledger.ts'
import type { UsageRecord } from '../src/domain/usage.ts'
import { encodeRecord } from '../src/storage/record-row.ts'
import type { Storage } from '../src/storage/storage.ts'
import { ceiling } from './ceiling.ts'
import type { EngineUnderTest, Place } from './storage-fixture.ts'
import {
  auditEntry,
  behind,
  budgetDraft,
  createProject,
  describeOnBothEngines,
  freshFolder,
  holdOf,
  startChild,
  times,
  usageRecord,
} from './storage-fixture.ts'

const PROJECT = '415104041262'
const CAP = 1_000_000_000

const folderOf = (place: Place) => join(place.dataDir, 'journal')
const segmentsOf = (place: Place) => readdirSync(folderOf(place)).toSorted()
const newestOf = (place: Place) => join(folderOf(place), segmentsOf(place).at(-1) ?? '')

const recordsOf = (storage: Storage) => storage.usage.recent({ projectNumber: PROJECT, limit: 1_000_000 })

/** Two budgets over each other, in a place that no storage has open any more. */
async function prepare(engine: EngineUnderTest) {
  const place = await engine.place()
  const storage = await engine.open(place)
  const { number } = await createProject(storage)
  const budgets = [
    await storage.budgets.create(
      budgetDraft({ scope: 'project', projectNumber: number, capNanos: CAP }),
      auditEntry(),
    ),
    await storage.budgets.create(budgetDraft({ capNanos: CAP }), auditEntry()),
  ]
  await storage.close()
  return { place, budgetUids: budgets.map(({ uid }) => uid) }
}

async function hold(place: Place, budgetUids: readonly string[], calls: number): Promise<void> {
  const child = await startChild({
    mode: 'hold',
    place,
    record: usageRecord(),
    prefix: 'call',
    budgetUids,
    calls,
  })
  expect(child.said).toBe('held')
  await child.kill()
}

/** Every balance as [posted, allotted], once the books were found right. */
async function verified(storage: Storage) {
  const { drifts, overruns } = await storage.ledger.verify()
  expect([drifts, overruns]).toEqual([[], 0])
  const list = await storage.budgets.list({})
  return list.map(({ balance }) => [balance.postedNanos, balance.allottedNanos])
}

describeOnBothEngines('after kill -9', engine => {
  test('what was under way is posted as estimated, what was recorded stays, and nothing stays allotted', async () => {
    const { place, budgetUids } = await prepare(engine)
    await hold(place, budgetUids, 9)
    const storage = await engine.open(place)
    // Five were settled at 7, four were under way at 10.
    expect(await verified(storage)).toEqual(times(2, [75, 0]))
    const records = await recordsOf(storage)
    expect(records).toHaveLength(9)
    const estimated = records.filter(({ outcome }) => outcome === 'estimated')
    expect(estimated.map(({ callId }) => callId).toSorted()).toEqual(
      [1, 3, 5, 7].map(number => `call-${number}`),
    )
    expect(estimated[0]).toMatchObject({
      httpStatus: 499,
      durationMs: 0,
      costNanos: 10,
      postedNanos: 10,
      heldNanos: 10,
      ledger: [1, 2],
    })
    expect(segmentsOf(place)).toHaveLength(1)
    const [report] = await storage.usage.report({
      projectNumber: PROJECT,
      startTimeMs: 0,
      endTimeMs: Date.UTC(2030, 0),
      granularity: 'day',
      groupBy: [],
    })
    expect(report?.totals).toMatchObject({ calls: 9, estimated: 4, costNanos: '75' })
  })

  test('recovering twice changes nothing, nor does a line that was cut', async () => {
    const { place, budgetUids } = await prepare(engine)
    await hold(place, budgetUids, 4)
    const kept = freshFolder()
    cpSync(folderOf(place), kept, { recursive: true })
    writeFileSync(newestOf(place), '["hold","torn",17953', { flag: 'a' })
    await (await engine.open(place)).close()
    // As if it had been killed after the commit, before the segments were removed.
    rmSync(folderOf(place), { recursive: true })
    cpSync(kept, folderOf(place), { recursive: true })
    const storage = await engine.open(place)
    expect(await verified(storage)).toEqual(times(2, [34, 0]))
    expect(await recordsOf(storage)).toHaveLength(4)
    await storage.close()
    const again = await engine.open(place)
    expect(await verified(again)).toEqual(times(2, [34, 0]))
  })

  test('a record that the database did not take in time is posted as it was', async () => {
    const { place, budgetUids } = await prepare(engine)
    await hold(place, budgetUids, 4)
    const used = (callId: string, part: Partial<UsageRecord>): string => {
      const record = usageRecord({ callId, ledger: [1, 2], heldNanos: 10, ...part })
      return `["usage",${encodeRecord(record)}]\n`
    }
    const usages = [
      used('call-1', { costNanos: 3, postedNanos: 3 }),
      // Recorded after all, and one that no budget was in force for.
      used('call-2', { costNanos: 7, postedNanos: 7 }),
      used('free', { ledger: [], costNanos: 1_000 }),
    ]
    writeFileSync(newestOf(place), usages.join(''), { flag: 'a' })
    const storage = await engine.open(place)
    expect(await verified(storage)).toEqual(times(2, [7 + 7 + 3 + 10, 0]))
    const records = await recordsOf(storage)
    expect(records).toHaveLength(5)
    expect(records.find(({ callId }) => callId === 'call-1')).toMatchObject({
      outcome: 'posted',
      httpStatus: 200,
      costNanos: 3,
    })
  })

  test('an overrun that was only in the journal freezes its budgets', async () => {
    const { place, budgetUids } = await prepare(engine)
    await hold(place, budgetUids, 2)
    const dear = usageRecord({
      callId: 'call-1',
      ledger: [1, 2],
      costNanos: 25,
      postedNanos: 10,
      heldNanos: 10,
    })
    writeFileSync(newestOf(place), `["usage",${encodeRecord(dear)}]\n`, { flag: 'a' })
    const storage = await engine.open(place)
    expect(await storage.ledger.verify()).toMatchObject({ drifts: [], overruns: 2 })
    const list = await storage.budgets.list({})
    expect(list.map(({ frozenTimeMs, balance }) => [frozenTimeMs !== null, balance.overrunNanos])).toEqual(
      times(2, [true, 15]),
    )
  })

  test.each<[string, number, (place: Place) => void]>([
    // Two are known to have settled 7; of the other two nothing is known, or that they held 10.
    ['is lost', 26, place => rmSync(folderOf(place), { recursive: true })],
    [
      'is of an earlier run of the machine',
      6,
      place => {
        const text = readFileSync(newestOf(place), 'utf8')
        writeFileSync(newestOf(place), text.replace(/"[0-9a-f-]{36}"/, '"another"'))
      },
    ],
  ])('all that was allotted is posted where the journal %s', async (_, nanos, lose) => {
    const { place, budgetUids } = await prepare(engine)
    await hold(place, budgetUids, 4)
    lose(place)
    const storage = await engine.open(place)
    expect(await verified(storage)).toEqual(times(2, [40, 0]))
    const lost = await behind(place, db =>
      db.selectFrom('ledger_entry').select('nanos').where('kind', '=', 'lost').execute(),
    )
    expect(lost).toEqual(times(2, { nanos }))
    await storage.close()
    // Only once.
    const again = await engine.open(place)
    expect(await verified(again)).toEqual(times(2, [40, 0]))
  })

  test('a folder that was closed leaves nothing to post, whatever is allotted', async () => {
    const { place, budgetUids } = await prepare(engine)
    const storage = await engine.open(place)
    const takes = budgetUids.map(budgetUid => ({ budgetUid, minNanos: 1, wantNanos: CAP }))
    await storage.ledger.take(takes)
    await storage.close()
    // The machine may have been started anew since.
    const text = readFileSync(newestOf(place), 'utf8')
    writeFileSync(newestOf(place), text.replace(/"[0-9a-f-]{36}"/, '"another"'))
    const again = await engine.open(place)
    expect(await verified(again)).toEqual(times(2, [0, 0]))
  })

  test('a full segment of the journal does not make the start long', async () => {
    const { place, budgetUids } = await prepare(engine)
    const storage = await engine.open(place)
    const takes = budgetUids.map(budgetUid => ({ budgetUid, minNanos: CAP, wantNanos: CAP }))
    const { standings } = await storage.ledger.take(takes)
    const calls = await settleMany(storage, standings, 20_000)
    await storage.close()
    const startMs = performance.now()
    const again = await engine.open(place)
    // On an idle machine 0.4 s more than without one.
    expect(performance.now() - startMs).toBeLessThan(ceiling(2_000))
    expect(await verified(again)).toEqual(times(2, [calls * 10, 0]))
  }, 60_000)

  test('at any moment under load: nothing acknowledged is lost, nothing doubled, and the books agree', async () => {
    const { place, budgetUids } = await prepare(engine)
    const acknowledgedPath = freshFolder()
    for (let run = 1; run <= 4; run += 1) {
      const child = await startChild({
        mode: 'spend',
        place,
        acknowledgedPath,
        record: usageRecord(),
        prefix: `run-${run}`,
        budgetUids,
      })
      expect(child.said).toBe('open')
      const before = countLines(acknowledgedPath)
      await expect
        .poll(() => countLines(acknowledgedPath), { timeout: 15_000, interval: 5 })
        .toBeGreaterThan(before + 10)
      await new Promise(resolve => setTimeout(resolve, Math.random() * 300))
      await child.kill()
    }
    const acknowledged = readFileSync(acknowledgedPath, 'utf8').trimEnd().split('\n')
    const storage = await engine.open(place)
    const records = await recordsOf(storage)
    const ids = new Set(records.map(({ callId }) => callId))
    expect(ids.size).toBe(records.length)
    expect(acknowledged.filter(callId => !ids.has(callId))).toEqual([])
    const estimated = new Set(
      records.filter(({ outcome }) => outcome === 'estimated').map(({ callId }) => callId),
    )
    expect(acknowledged.filter(callId => estimated.has(callId))).toEqual([])
    // At most what was open at each kill.
    expect(estimated.size).toBeLessThanOrEqual(6 * 32)
    const posted = records.reduce((sum, { postedNanos }) => sum + postedNanos, 0)
    expect(await verified(storage)).toEqual(times(2, [posted, 0]))
  }, 60_000)
})

function countLines(path: string): number {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length : 0
}

/** Half of the calls with a record, half of them under way. */
async function settleMany(storage: Storage, standings: readonly Standing[], calls: number): Promise<number> {
  const allotmentIds = standings.flatMap(({ allotment }) => allotment?.id ?? [])
  const charges = allotmentIds.map(allotmentId => ({ allotmentId, nanos: 10 }))
  const startTimeMs = Date.UTC(2026, 10, 21)
  const records = Array.from({ length: calls }, (_, number) =>
    usageRecord({
      callId: crypto.randomUUID(),
      startTimeMs: startTimeMs + Math.floor(number / 10),
      ledger: standings.map(({ rowId }) => rowId),
      costNanos: 10,
      postedNanos: 10,
      heldNanos: 10,
    }),
  )
  await Promise.all(records.map(record => storage.journal.append(holdOf(record, allotmentIds))))
  await Promise.all(
    records.filter((_, number) => number % 2 === 0).map(record => storage.usage.append(record, charges)),
  )
  return calls
}
