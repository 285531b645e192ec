import { expect, test } from 'vitest'
import { loadPrices } from '../prices.ts'
import { type Caller, callsOf } from './calls.ts'
import { PROJECTS } from './plan.ts'
import { Random } from './random.ts'

const NOON_MS = Date.UTC(2026, 10, 21, 12)
const HOUR_MS = 3_600_000

const CALLERS: readonly Caller[] = PROJECTS.flatMap(({ projectId, keys }) =>
  keys.flatMap(({ keyId, traffic }) =>
    traffic === null || traffic.untilDaysAgo !== undefined
      ? []
      : [{ projectNumber: projectId, keyUid: keyId, priceBasisPoints: 10_000, traffic }],
  ),
)

const callsAt = (nowMs: number, seed = 1) =>
  callsOf(CALLERS, { random: new Random(seed), prices: loadPrices(), nowMs })

test('the same seed and moment give the same calls, another seed gives others', () => {
  expect(callsAt(NOON_MS)).toEqual(callsAt(NOON_MS))
  expect(callsAt(NOON_MS, 2)).not.toEqual(callsAt(NOON_MS))
})

test('an hour later the same calls are there, and those of the hour', () => {
  const firstMs = NOON_MS - 50 * 24 * HOUR_MS
  const recent = (nowMs: number) => callsAt(nowMs).filter(({ startTimeMs }) => startTimeMs >= firstMs)
  const [before, after] = [recent(NOON_MS), recent(NOON_MS + HOUR_MS)]
  expect(after.slice(0, before.length)).toEqual(before)
  expect(after.length).toBeGreaterThan(before.length)
})
