import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type { CallFilter, UsageRecord } from '../src/domain/usage.ts'
import type { Storage } from '../src/storage/storage.ts'
import { createProject, describeOnBothEngines, reasonOf, usageRecord } from './storage-fixture.ts'

// Long ago, so that what rollups know decides where is looked.
const NOV_MS = Date.UTC(2024, 10, 1)
const DEC_MS = Date.UTC(2024, 11, 1)
const MINUTE_MS = 60_000

/** Every page of a list, as call ids. */
async function listed(storage: Storage, filter: CallFilter, limit: number): Promise<readonly string[]> {
  const ids: string[] = []
  let cursor: string | null = null
  do {
    const page: Awaited<ReturnType<Storage['usage']['list']>> = await storage.usage.list({
      ...filter,
      limit,
      cursor,
    })
    expect(page.items.length).toBeLessThanOrEqual(limit)
    ids.push(...page.items.map(({ callId }) => callId))
    cursor = page.nextCursor
  } while (cursor !== null)
  return ids
}

function isWanted(record: UsageRecord, filter: CallFilter): boolean {
  const { projectNumbers, keyUid, model, method, outcome, statuses, callId, startTimeMs, endTimeMs } = filter
  return (
    (projectNumbers === undefined || projectNumbers.includes(record.projectNumber)) &&
    (keyUid === undefined || record.keyUid === keyUid) &&
    (model === undefined || record.model === model) &&
    (method === undefined || record.method === method) &&
    (outcome === undefined || record.outcome === outcome) &&
    (statuses === undefined || (record.httpStatus >= statuses[0] && record.httpStatus <= statuses[1])) &&
    (callId === undefined || record.callId === callId) &&
    (startTimeMs === undefined || record.startTimeMs >= startTimeMs) &&
    (endTimeMs === undefined || record.startTimeMs < endTimeMs)
  )
}

const anyTime = fc.integer({ min: DEC_MS - 5 * MINUTE_MS, max: DEC_MS + 5 * MINUTE_MS })
const anyFilter = fc.record(
  {
    keyUid: fc.constantFrom('key-1', 'key-2', 'seldom'),
    model: fc.constantFrom('gemini-2.5-pro', 'gemini-2.5-flash'),
    method: fc.constantFrom('GenerateContent', 'CountTokens'),
    outcome: fc.constantFrom('posted', 'void'),
    statuses: fc.constantFrom([400, 499] as const, [200, 299] as const, [429, 429] as const),
    startTimeMs: anyTime,
    endTimeMs: anyTime,
  },
  { requiredKeys: [] },
)

describeOnBothEngines('calls', engine => {
  test('a list holds every record the filter lets through, once, newest first, whatever the page', async () => {
    const storage = await engine.open()
    const projects = [
      await createProject(storage),
      await createProject(storage),
      await createProject(storage),
    ]
    const numbers = projects.map(({ number }) => number)
    const anyRecord = fc.record({
      // Few moments, so that many records have the same.
      startTimeMs: fc.integer({ min: -5, max: 5 }).map(minute => DEC_MS + minute * MINUTE_MS - 1),
      projectNumber: fc.constantFrom(...numbers),
      keyUid: fc.constantFrom('key-1', 'key-1', 'key-1', 'key-2', 'seldom'),
      model: fc.constantFrom('gemini-2.5-pro', 'gemini-2.5-flash'),
      method: fc.constantFrom('GenerateContent', 'CountTokens'),
      outcome: fc.constantFrom('posted' as const, 'void' as const),
      httpStatus: fc.constantFrom(200, 200, 400, 429, 503),
    })
    const [sample = []] = fc.sample(fc.array(anyRecord, { minLength: 300, maxLength: 300 }), {
      numRuns: 1,
      seed: 7,
    })
    const all = sample.map(part => usageRecord(part))
    await Promise.all(all.map(record => storage.usage.append(record, [])))
    const startOf = new Map(all.map(({ callId, startTimeMs }) => [callId, startTimeMs]))
    await fc.assert(
      fc.asyncProperty(
        anyFilter,
        fc.option(fc.subarray(numbers)),
        fc.integer({ min: 1, max: 40 }),
        async (part, projectNumbers, limit) => {
          const filter: CallFilter = { ...part, ...(projectNumbers === null ? {} : { projectNumbers }) }
          const ids = await listed(storage, filter, limit)
          const wanted = all.filter(record => isWanted(record, filter)).map(({ callId }) => callId)
          expect(ids.toSorted()).toEqual(wanted.toSorted())
          const starts = ids.map(id => startOf.get(id) ?? 0)
          expect(starts).toEqual(starts.toSorted((one, other) => other - one))
        },
      ),
      { numRuns: 40 },
    )
  }, 240_000)

  test('a page that finds nothing among many records says where to go on, and the call is found', async () => {
    const storage = await engine.open()
    const { number: projectNumber } = await createProject(storage)
    const needle = usageRecord({ projectNumber, startTimeMs: NOV_MS, outcome: 'void' })
    await storage.usage.append(needle, [])
    const hay = Array.from({ length: 25_000 }, (_, at) =>
      usageRecord({ projectNumber, startTimeMs: NOV_MS + 1 + at }),
    )
    await Promise.all(hay.map(record => storage.usage.append(record, [])))
    const first = await storage.usage.list({ outcome: 'void', limit: 10, cursor: null })
    expect(first.items).toEqual([])
    expect(first.nextCursor).not.toBeNull()
    const second = await storage.usage.list({ outcome: 'void', limit: 10, cursor: first.nextCursor })
    expect(second).toEqual({ items: [needle], nextCursor: null })
    // What rollups know is found without looking at the others.
    const seldom = usageRecord({ projectNumber, startTimeMs: NOV_MS - 1, keyUid: 'seldom' })
    await storage.usage.append(seldom, [])
    const ofKey = await storage.usage.list({ keyUid: 'seldom', limit: 10, cursor: null })
    expect(ofKey).toEqual({ items: [seldom], nextCursor: null })
  })

  test('a cursor is refused by another filter', async () => {
    const storage = await engine.open()
    const { number: projectNumber } = await createProject(storage)
    for (const model of ['a', 'b', 'c']) await storage.usage.append(usageRecord({ projectNumber, model }), [])
    const { nextCursor: cursor } = await storage.usage.list({ limit: 1, cursor: null })
    expect(await reasonOf(storage.usage.list({ model: 'a', limit: 1, cursor }))).toBe('FIELD_INVALID')
    expect(await reasonOf(storage.usage.tail({ limit: 1, cursor }))).toBe('FIELD_INVALID')
  })

  test('a tail tells every record committed since, once, also one that started long before', async () => {
    const storage = await engine.open()
    const append = async (part: Partial<UsageRecord>): Promise<string> => {
      const record = usageRecord(part)
      await storage.usage.append(record, [])
      return record.callId
    }
    await append({})
    // The month after that of the fixture's records.
    const next = Date.UTC(2026, 11, 1)
    let { items, nextCursor: cursor } = await storage.usage.tail({ keyUid: 'key-1', limit: 2, cursor: null })
    expect(items).toEqual([])
    const wanted = [
      await append({ startTimeMs: next }),
      await append({ startTimeMs: next - 5 }),
      await append({ startTimeMs: next + 1 }),
    ]
    await append({ keyUid: 'key-2' })
    const seen: string[] = []
    for (let look = 0; look < 4; look++) {
      ;({ items, nextCursor: cursor } = await storage.usage.tail({ keyUid: 'key-1', limit: 2, cursor }))
      seen.push(...items.map(({ callId }) => callId))
    }
    expect(seen.toSorted()).toEqual(wanted.toSorted())
    expect(
      (await storage.usage.tail({ keyUid: 'key-1', projectNumbers: [], limit: 2, cursor })).items,
    ).toEqual([])
  })
})
