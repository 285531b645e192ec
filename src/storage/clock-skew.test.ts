import { expect, test } from 'vitest'
import { ClockSkew } from './clock-skew.ts'

const HOUR_MS = 3_600_000

function scene() {
  let [wallMs, steadyMs] = [Date.parse('2026-03-08T07:30:30Z'), 5_000]
  const skew = new ClockSkew(
    () => wallMs,
    () => steadyMs,
  )
  return {
    skew,
    passes: (ms: number): void => {
      wallMs += ms
      steadyMs += ms
    },
    isSet: (byMs: number): void => void (wallMs += byMs),
  }
}

test('a clock that runs is right, also after it was set forward', () => {
  const { skew, passes, isSet } = scene()
  passes(HOUR_MS)
  expect(skew.ms()).toBe(0)
  isSet(40 * 24 * HOUR_MS)
  expect(skew.ms()).toBe(0)
  passes(HOUR_MS)
  expect(skew.ms()).toBe(0)
})

test('a clock that is set back is off by that, until it is set right', () => {
  const { skew, passes, isSet } = scene()
  isSet(-HOUR_MS)
  expect(skew.ms()).toBe(-HOUR_MS)
  passes(60_000)
  expect(skew.ms()).toBe(60 - HOUR_MS)
  isSet(HOUR_MS)
  expect(skew.ms()).toBe(0)
})

test('a clock that is set back is off also by what it had been set forward, once that was seen', () => {
  const { skew, isSet } = scene()
  isSet(HOUR_MS)
  skew.ms()
  isSet(-HOUR_MS)
  expect(skew.ms()).toBe(-HOUR_MS)
})

test('a clock that runs fast and is set right every hour is never off by much', () => {
  const { skew, passes, isSet } = scene()
  for (let hour = 0; hour < 1_000; hour++) {
    passes(HOUR_MS)
    isSet(-500)
    expect(skew.ms()).toBeGreaterThanOrEqual(-500)
  }
})

test('a clock that was compared is off by what was found, and by what it is set since', () => {
  const { skew, passes, isSet } = scene()
  skew.compared(-200)
  expect(skew.ms()).toBe(-200)
  isSet(-HOUR_MS)
  expect(skew.ms()).toBe(-200 - HOUR_MS)
  isSet(2 * HOUR_MS)
  passes(60_000)
  expect(skew.ms()).toBe(HOUR_MS - 200)
  skew.compared(0)
  expect(skew.ms()).toBe(0)
})
