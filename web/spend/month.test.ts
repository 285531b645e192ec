import { describe, expect, it } from 'vitest'
import type { UsageReport } from '../queries.ts'
import { capDay, monthOf, monthSpend } from './month.ts'

const NOVEMBER = { startMs: Date.parse('2026-11-01T07:00:00Z'), endMs: Date.parse('2026-12-01T08:00:00Z') }
const row = (time: string, costNanos: string) => ({ time, costNanos }) as UsageReport['rows'][number]
const budget = (period: string, start: string, end: string) => ({
  period,
  periodStartTime: start,
  periodEndTime: end,
})

describe('the month', () => {
  const nowMs = Date.parse('2026-11-21T12:00:00Z')
  it('is that of a monthly budget that runs', () => {
    const day = budget('day', '2026-11-21T08:00:00Z', '2026-11-22T08:00:00Z')
    const old = budget('month', '2026-10-01T07:00:00Z', '2026-11-01T07:00:00Z')
    const runs = budget('month', '2026-11-01T07:00:00Z', '2026-12-01T08:00:00Z')
    expect(monthOf([day, old, runs], nowMs)).toEqual(NOVEMBER)
  })

  it('is that of UTC where none is', () => {
    expect(monthOf([], nowMs)).toEqual({ startMs: Date.UTC(2026, 10), endMs: Date.UTC(2026, 11) })
    expect(monthOf([], Date.UTC(2026, 11, 31)).endMs).toBe(Date.UTC(2027, 0))
  })
})

describe('what it cost', () => {
  it('is summed by day, up to the one that runs', () => {
    const hours = [
      row('2026-11-01T06:00:00Z', '1'),
      row('2026-11-01T07:00:00Z', '10'),
      row('2026-11-02T06:00:00Z', '5'),
      row('2026-11-03T08:00:00Z', '700'),
    ]
    const spend = monthSpend(hours, NOVEMBER, Date.parse('2026-11-03T12:00:00Z'))
    expect(spend.byDay).toEqual([15n, 0n, 700n])
    expect([spend.spentNanos, spend.daysInMonth]).toEqual([715n, 30])
  })

  it('goes on at its pace', () => {
    const third = NOVEMBER.startMs + (NOVEMBER.endMs - NOVEMBER.startMs) / 3
    const spend = monthSpend([row('2026-11-02T00:00:00Z', '1000')], NOVEMBER, third)
    expect(spend.forecastNanos).toBe(3000n)
    expect([capDay(3001n, spend), capDay(2000n, spend), capDay(1000n, spend)]).toEqual([null, 21, null])
  })

  it('has no pace in its first hour', () => {
    const spend = monthSpend([], NOVEMBER, NOVEMBER.startMs + 60_000)
    expect([spend.forecastNanos, capDay(5n, spend)]).toEqual([null, null])
  })
})
