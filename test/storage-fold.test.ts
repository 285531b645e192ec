/** Folding in parts: what a fold leaves behind that ends between two of them. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import type { Db } from '../src/storage/schema.ts'
import type { EngineUnderTest, Place } from './storage-fixture.ts'
import { behind, describeOnBothEngines, reasonOf, usageRecord } from './storage-fixture.ts'

const KEYS = 400
const CALLS = 3
const EVERYTHING = {
  projectNumber: '415104041262',
  startTimeMs: 0,
  endTimeMs: Date.UTC(2030, 0),
  granularity: 'day',
  groupBy: ['key'],
} as const

/** From now on no part above 40 can be written. */
async function breakParts({ kind }: EngineUnderTest, db: Db): Promise<void> {
  if (kind === 'sqlite') {
    await sql`create trigger broken before update on usage_watermark when new.part > 40
      begin select raise(abort, 'broken'); end`.execute(db)
    return
  }
  await sql`create function break() returns trigger as $$ begin raise exception 'broken'; end $$
    language plpgsql`.execute(db)
  await sql`create trigger broken before update on usage_watermark for each row when (new.part > 40)
    execute function break()`.execute(db)
}

async function mendParts({ kind }: EngineUnderTest, db: Db): Promise<void> {
  await (kind === 'sqlite' ? sql`drop trigger broken` : sql`drop trigger broken on usage_watermark`).execute(
    db,
  )
}

async function countedCalls(place: Place): Promise<number> {
  let calls = 0
  await behind(place, async db => {
    const { rows } = await sql<{ calls: number | null }>`
      select cast(sum(calls) as bigint) as calls from usage_day`.execute(db)
    calls = rows[0]?.calls ?? 0
  })
  return calls
}

describeOnBothEngines('folding in parts', engine => {
  test('a fold that ends between two parts counts nothing twice and leaves nothing out', async () => {
    const place = await engine.place()
    const storage = await engine.open(place)
    await behind(place, db => breakParts(engine, db))
    const append = async (): Promise<void> => {
      const records = Array.from({ length: KEYS * CALLS }, (_, call) =>
        usageRecord({ keyUid: `key-${call % KEYS}` }),
      )
      await Promise.all(records.map(record => storage.usage.append(record, [])))
    }
    await append()
    expect(await reasonOf(storage.usage.report(EVERYTHING))).toBe('INTERNAL')
    const counted = await countedCalls(place)
    expect(counted).toBeGreaterThan(0)
    expect(counted).toBeLessThan(KEYS * CALLS)
    // The parts that are behind are brought to where the others are before what has come since is folded.
    await append()
    await behind(place, db => mendParts(engine, db))
    const rows = await storage.usage.report(EVERYTHING)
    expect(rows.length).toBe(KEYS)
    expect(rows.filter(({ totals }) => totals.calls !== 2 * CALLS)).toEqual([])
    const recent = await storage.usage.recent({ ...EVERYTHING, keyUid: 'key-7', limit: 100 })
    expect(recent.length).toBe(2 * CALLS)
  })

  test('a report is of everything appended before it, while folds of many keys and appends go on', async () => {
    const storage = await engine.open()
    for (const appended of [600, 1_200, 1_800]) {
      const records = Array.from({ length: 600 }, (_, call) => usageRecord({ keyUid: `key-${call}` }))
      await Promise.all(records.map(record => storage.usage.append(record, [])))
      const later = usageRecord({ projectNumber: '100000000000' })
      const [, ...reports] = await Promise.all([
        storage.usage.append(later, []),
        storage.usage.report({ ...EVERYTHING, groupBy: [] }),
        storage.usage.report({ ...EVERYTHING, groupBy: [] }),
      ])
      expect(reports.map(([row]) => row?.totals.calls)).toEqual([appended, appended])
    }
  })
})
