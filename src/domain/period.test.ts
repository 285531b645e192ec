import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { DEFAULT_TIME_ZONE, periodWindow } from './period.ts'

const HOUR_MS = 3_600_000
const iso = (ms: number | null): string => (ms === null ? 'never' : new Date(ms).toISOString())

test('a total never ends', () => {
  expect(periodWindow('total', 'no zone is asked', Date.now())).toEqual({ startMs: 0, endMs: null })
})

test.each([
  ['day', DEFAULT_TIME_ZONE, '2026-11-21T12:00Z', '2026-11-21T08:00Z', '2026-11-22T08:00Z'],
  ['day', DEFAULT_TIME_ZONE, '2026-11-21T07:59:59.999Z', '2026-11-20T08:00Z', '2026-11-21T08:00Z'],
  // 23 and 25 hours.
  ['day', DEFAULT_TIME_ZONE, '2026-03-08T12:00Z', '2026-03-08T08:00Z', '2026-03-09T07:00Z'],
  ['day', DEFAULT_TIME_ZONE, '2026-11-01T12:00Z', '2026-11-01T07:00Z', '2026-11-02T08:00Z'],
  ['month', DEFAULT_TIME_ZONE, '2026-11-21T12:00Z', '2026-11-01T07:00Z', '2026-12-01T08:00Z'],
  ['month', DEFAULT_TIME_ZONE, '2026-03-31T23:00Z', '2026-03-01T08:00Z', '2026-04-01T07:00Z'],
  ['month', 'UTC', '2026-12-31T23:59:59.999Z', '2026-12-01T00:00Z', '2027-01-01T00:00Z'],
  ['month', 'Asia/Kolkata', '2026-01-31T18:30Z', '2026-01-31T18:30Z', '2026-02-28T18:30Z'],
  ['day', 'Australia/Lord_Howe', '2026-04-04T20:00Z', '2026-04-04T13:00Z', '2026-04-05T13:30Z'],
  // Midnight is skipped: the day starts at one o'clock.
  ['day', 'Africa/Cairo', '2026-04-24T12:00Z', '2026-04-23T22:00Z', '2026-04-24T21:00Z'],
  ['day', 'America/Sao_Paulo', '2018-11-04T12:00Z', '2018-11-04T03:00Z', '2018-11-05T02:00Z'],
  // The hour before midnight comes twice, and both times it is the old day.
  ['day', 'America/Sao_Paulo', '2018-02-18T02:30Z', '2018-02-17T02:00Z', '2018-02-18T03:00Z'],
  // One minute into the new day the clock went back to 23:01 of the old one: the new day had begun.
  ['day', 'America/St_Johns', '2010-11-07T02:45Z', '2010-11-07T02:30Z', '2010-11-08T03:30Z'],
  // The 30th did not take place.
  ['day', 'Pacific/Apia', '2011-12-30T09:59Z', '2011-12-29T10:00Z', '2011-12-30T10:00Z'],
  ['day', 'Pacific/Apia', '2011-12-30T10:00Z', '2011-12-30T10:00Z', '2011-12-31T10:00Z'],
] as const)('the %s in %s that holds %s', (period, zone, at, start, end) => {
  const { startMs, endMs } = periodWindow(period, zone, Date.parse(at))
  expect([iso(startMs), iso(endMs)]).toEqual([iso(Date.parse(start)), iso(Date.parse(end))])
})

test('a zone that does not exist is refused', () => {
  expect(() => periodWindow('day', 'Mars/Olympus', 0)).toThrow(RangeError)
})

test('the hot path gets the same window without asking the calendar', () => {
  const atMs = Date.UTC(2026, 5, 5, 12)
  const window = periodWindow('month', DEFAULT_TIME_ZONE, atMs)
  expect(periodWindow('month', DEFAULT_TIME_ZONE, atMs + HOUR_MS)).toBe(window)
  expect(periodWindow('day', DEFAULT_TIME_ZONE, atMs)).not.toBe(window)
})

const dates = new Map<string, Intl.DateTimeFormat>()

/** What a calendar on the wall shows: a sortable date, or month. */
function shown(period: 'day' | 'month', zone: string, atMs: number): string {
  let format = dates.get(zone)
  format ??= new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short' })
  dates.set(zone, format)
  return format.format(atMs).slice(0, period === 'day' ? 10 : 7)
}

const anyZone = fc.constantFrom(...Intl.supportedValuesOf('timeZone'))
const anyPeriod = fc.constantFrom('day', 'month')
const anyTime = fc.integer({ min: Date.UTC(1971, 0), max: Date.UTC(2060, 0) })
/** Within hours of a moment at which the zone's clocks change in some year, if they do. */
const nearChange = fc
  .tuple(anyZone, fc.integer({ min: 1971, max: 2050 }), fc.integer({ min: -30, max: 30 }), fc.nat(3_599_999))
  .map(([zone, year, hours, ms]) => ({ zone, atMs: changeIn(zone, year) + hours * HOUR_MS + ms }))

function changeIn(zone: string, year: number): number {
  const clock = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeStyle: 'short', hourCycle: 'h23' })
  const hourOf = (atMs: number): string => clock.format(atMs)
  for (let atMs = Date.UTC(year, 0); atMs < Date.UTC(year + 1, 0); atMs += 24 * HOUR_MS) {
    if (hourOf(atMs) !== hourOf(atMs + 24 * HOUR_MS)) return atMs
  }
  return Date.UTC(year, 6)
}

function checkWindow(period: 'day' | 'month', zone: string, atMs: number): void {
  const { startMs, endMs } = periodWindow(period, zone, atMs)
  if (endMs === null) throw new Error('a day ends')
  expect(startMs).toBeLessThanOrEqual(atMs)
  expect(endMs).toBeGreaterThan(atMs)
  // Windows meet, whichever moment of them is asked about.
  expect(periodWindow(period, zone, startMs)).toEqual({ startMs, endMs })
  expect(periodWindow(period, zone, endMs - 1)).toEqual({ startMs, endMs })
  expect(periodWindow(period, zone, startMs - 1).endMs).toBe(startMs)
  expect(periodWindow(period, zone, endMs).startMs).toBe(endMs)
  // Its first moment is the first to show its date; at its end a later one is shown.
  const date = shown(period, zone, startMs)
  expect(shown(period, zone, startMs - 1) < date).toBe(true)
  expect(shown(period, zone, endMs) > date).toBe(true)
  expect(shown(period, zone, atMs) <= date).toBe(true)
}

test('windows hold their moment, meet each other and start with their date, in every zone', () => {
  fc.assert(
    fc.property(anyPeriod, anyZone, anyTime, (period, zone, atMs) => checkWindow(period, zone, atMs)),
    {
      numRuns: 1_500,
    },
  )
})

test('so they do around every change of the clocks', () => {
  fc.assert(
    fc.property(anyPeriod, nearChange, (period, { zone, atMs }) => checkWindow(period, zone, atMs)),
    {
      numRuns: 500,
    },
  )
}, 30_000)
