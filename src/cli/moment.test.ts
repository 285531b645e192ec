import { describe, expect, test } from 'vitest'
import { DAY_MS, parseDuration, parseInstant, relativeTime } from './moment.ts'

describe('durations', () => {
  test.each([
    ['90d', 90 * DAY_MS],
    ['2w', 14 * DAY_MS],
    ['24h', DAY_MS],
    ['30m', 1_800_000],
    ['1h30m', 5_400_000],
    ['45s', 45_000],
    ['90', null],
    ['d', null],
    ['-1d', null],
    ['0d', null],
    ['1.5d', null],
    ['90 d', null],
    ['1y', null],
    ['999999999w', null],
    ['', null],
  ])('%j is %j ms', (text, durationMs) => {
    expect(parseDuration(text)).toBe(durationMs)
  })
})

describe('moments', () => {
  test.each([
    ['2027-01-31', Date.UTC(2027, 0, 31)],
    ['2027-01-31T12:00:00Z', Date.UTC(2027, 0, 31, 12)],
    ['2027-01-31T12:00:00.5+02:00', Date.UTC(2027, 0, 31, 10, 0, 0, 500)],
    ['2027-01-31T12:00:00', null],
    ['2027-13-31', null],
    ['31.1.2027', null],
    ['tomorrow', null],
    ['7', null],
  ])('%j is %j', (text, timeMs) => {
    expect(parseInstant(text)).toBe(timeMs)
  })
})

describe('relative times', () => {
  const nowMs = Date.UTC(2026, 5, 15, 12)
  test.each([
    [0, 'now'],
    [-59_000, 'now'],
    [59_000, 'now'],
    [-60_000, '1 min ago'],
    [-3_599_000, '59 min ago'],
    [-3_599_999, '1 h ago'],
    [30 * DAY_MS - 400, 'in 30 days'],
    [-2 * 3_600_000, '2 h ago'],
    [-DAY_MS, '1 day ago'],
    [12 * DAY_MS, 'in 12 days'],
    [-59 * DAY_MS, '59 days ago'],
    [-60 * DAY_MS, '2026-04-16'],
    [365 * DAY_MS, '2027-06-15'],
  ])('%i ms from now is %j', (offsetMs, shown) => {
    expect(relativeTime(nowMs + offsetMs, nowMs)).toBe(shown)
  })
})
