import { describe, expect, it } from 'vitest'
import { previousOf, previousUntil, rangeOf } from './range.ts'

const NOW = Date.UTC(2026, 10, 21, 16, 43, 20)
const at = (text: string): number => Date.parse(`${text}Z`)
const chosen = { range: '24h', from: '', to: '', by: '' }

describe('the range of the usage screen', () => {
  it.each([
    ['1h', '2026-11-21T15:44', '2026-11-21T16:44', 'minute'],
    ['24h', '2026-11-20T17:00', '2026-11-21T17:00', 'hour'],
    ['7d', '2026-11-15T00:00', '2026-11-22T00:00', 'day'],
    ['month', '2026-11-01T00:00', '2026-11-22T00:00', 'day'],
    ['nonsense', '2026-11-20T16:00', '2026-11-21T17:00', 'hour'],
  ])('%s is whole buckets from %s to %s by %s', (range, start, end, granularity) => {
    expect(rangeOf({ ...chosen, range }, NOW)).toEqual({ startMs: at(start), endMs: at(end), granularity })
  })

  it('takes a custom range as UTC, and the day before its end where it makes no sense', () => {
    const custom = { range: 'custom', from: '2026-11-01T00:00', to: '2026-11-03T12:00', by: 'hour' }
    expect(rangeOf(custom, NOW)).toEqual({
      startMs: at('2026-11-01T00:00'),
      endMs: at('2026-11-03T12:00'),
      granularity: 'hour',
    })
    expect(rangeOf({ ...custom, from: '2026-12-01T00:00' }, NOW).startMs).toBe(at('2026-11-02T12:00'))
  })

  it('is never cut into more buckets than can be told apart', () => {
    expect(rangeOf({ ...chosen, range: '90d', by: 'minute' }, NOW).granularity).toBe('day')
    expect(rangeOf({ ...chosen, range: '24h', by: 'minute' }, NOW).granularity).toBe('hour')
  })

  it('is compared with as much time right before', () => {
    const range = rangeOf({ ...chosen, range: '7d' }, NOW)
    const before = previousOf(range)
    expect([before.startMs, before.endMs]).toEqual([at('2026-11-08T00:00'), at('2026-11-15T00:00')])
  })

  it('is compared up to the minute it has come to', () => {
    const day = { granularity: 'day' as const }
    expect(
      previousUntil({ ...day, startMs: at('2026-11-01T00:00'), endMs: at('2026-11-22T00:00') }, NOW),
    ).toEqual({
      whole: { ...day, startMs: at('2026-10-11T00:00'), endMs: at('2026-10-31T00:00') },
      part: { granularity: 'minute', startMs: at('2026-10-31T00:00'), endMs: at('2026-10-31T16:44') },
    })
    // The first of a month: no day of it is over.
    const first = { ...day, startMs: at('2026-11-21T00:00'), endMs: at('2026-11-22T00:00') }
    expect(previousUntil(first, NOW)).toEqual({
      whole: null,
      part: { granularity: 'minute', startMs: at('2026-11-20T00:00'), endMs: at('2026-11-20T16:44') },
    })
    const over = { ...day, startMs: at('2026-11-10T00:00'), endMs: at('2026-11-12T00:00') }
    expect(previousUntil(over, NOW)).toEqual({ whole: previousOf(over), part: null })
  })
})
