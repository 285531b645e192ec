import { expect, test } from 'vitest'
import type { RefusedCall } from '../src/domain/refused-call.ts'
import { RefusalTally } from '../src/storage/refusal-tally.ts'
import type { RefusalRow } from '../src/storage/quota-store.ts'
import { describeOnBothEngines } from './storage-fixture.ts'

const HOUR_MS = 3_600_000
const NOON_MS = Date.UTC(2026, 10, 21, 12)
const CALL: RefusedCall = {
  timeMs: NOON_MS,
  projectNumber: '100',
  keyUid: 'web',
  model: 'gemini-3.8-flash',
  reason: 'RATE_LIMIT_EXCEEDED',
  quota: { scope: 'project', metric: 'requestsPerMinute' },
}
const DAY = { projectNumber: '100', startTimeMs: NOON_MS - 23 * HOUR_MS, endTimeMs: NOON_MS + HOUR_MS }

describeOnBothEngines('refused calls', engine => {
  test('are counted by what refused them, and a project sees its own', async () => {
    const storage = await engine.open()
    for (let call = 0; call < 3; call++) storage.refusals.count({ ...CALL, timeMs: NOON_MS + call })
    storage.refusals.count({ ...CALL, timeMs: NOON_MS - HOUR_MS })
    storage.refusals.count({ ...CALL, keyUid: 'job', reason: 'SPEND_HELD', quota: null })
    storage.refusals.count({ ...CALL, projectNumber: '200' })
    const same = { keyUid: 'web', model: CALL.model, reason: CALL.reason }
    expect(await storage.refusals.report(DAY)).toEqual([
      { ...same, scope: 'project', metric: 'requestsPerMinute', calls: 4, lastTimeMs: NOON_MS + 2 },
      {
        ...same,
        keyUid: 'job',
        reason: 'SPEND_HELD',
        scope: null,
        metric: null,
        calls: 1,
        lastTimeMs: NOON_MS,
      },
    ])
    const lastHour = { ...DAY, startTimeMs: NOON_MS }
    expect((await storage.refusals.report(lastHour)).map(({ calls }) => calls)).toEqual([3, 1])
  })

  test('of before and after a restart are one count', async () => {
    const place = await engine.place()
    const before = await engine.open(place)
    before.refusals.count(CALL)
    await before.close()
    const after = await engine.open(place)
    after.refusals.count(CALL)
    expect((await after.refusals.report(DAY)).map(({ calls }) => calls)).toEqual([2])
  })

  test('are forgotten by the hour', async () => {
    const storage = await engine.open()
    storage.refusals.count(CALL)
    storage.refusals.count({ ...CALL, timeMs: NOON_MS - HOUR_MS })
    expect(await storage.refusals.report(DAY)).toHaveLength(1)
    expect(await storage.refusals.purge(NOON_MS)).toBe(1)
    expect((await storage.refusals.report(DAY)).map(({ calls }) => calls)).toEqual([1])
  })
})

test('a flood of invented models costs no more rows than there is room for, and no call is lost', async () => {
  const sent: RefusalRow[] = []
  const tally = new RefusalTally(async rows => void sent.push(...rows))
  const calls = 20_000
  for (let call = 0; call < calls; call++) tally.count({ ...CALL, model: `model-${call}` })
  await tally.settled()
  tally.stop()
  expect(sent.length).toBeLessThanOrEqual(5_001)
  expect(sent.reduce((sum, row) => sum + row.calls, 0)).toBe(calls)
  expect(sent.filter(row => row.model === '')).toHaveLength(1)
})

test('what could not be sent is sent with what came after', async () => {
  const sent: RefusalRow[] = []
  const failures: unknown[] = []
  let isAway = true
  const tally = new RefusalTally(
    async rows => {
      if (isAway) throw new Error('away')
      sent.push(...rows)
    },
    error => failures.push(error),
  )
  tally.count(CALL)
  await expect(tally.settled()).rejects.toThrow('away')
  await expect(tally.settled()).rejects.toThrow('away')
  isAway = false
  tally.count(CALL)
  await tally.settled()
  tally.stop()
  expect(sent).toMatchObject([{ calls: 2, model: CALL.model }])
  expect(failures).toHaveLength(1)
})
