/** Which time the usage screen is about. */
import type { UsageGranularity } from '../../src/domain/usage.ts'
import { BUCKET_MS } from './buckets.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

interface Preset {
  readonly id: string
  readonly text: string
  /** null: from the start of the month. */
  readonly lengthMs: number | null
  readonly granularity: UsageGranularity
}

export const PRESETS: readonly Preset[] = [
  { id: '1h', text: 'Last hour', lengthMs: HOUR_MS, granularity: 'minute' },
  { id: '24h', text: 'Last 24 hours', lengthMs: DAY_MS, granularity: 'hour' },
  { id: '7d', text: 'Last 7 days', lengthMs: 7 * DAY_MS, granularity: 'day' },
  { id: '30d', text: 'Last 30 days', lengthMs: 30 * DAY_MS, granularity: 'day' },
  { id: 'month', text: 'Month to date', lengthMs: null, granularity: 'day' },
  { id: '90d', text: 'Last 90 days', lengthMs: 90 * DAY_MS, granularity: 'day' },
]

export const GRANULARITIES: readonly (readonly [UsageGranularity, string])[] = [
  ['minute', 'by minute'],
  ['hour', 'by hour'],
  ['day', 'by day'],
]

/** More bars than this are no bars. */
const BUCKETS_MAX = 200

export interface RangeChoice {
  /** Of a preset, or `custom`. */
  readonly range: string
  /** `2026-11-21T12:00`, UTC, for `custom`. */
  readonly from: string
  readonly to: string
  /** Empty: what suits the range. */
  readonly by: string
}

export interface Range {
  readonly startMs: number
  readonly endMs: number
  readonly granularity: UsageGranularity
}

/**
 * Whole buckets, so that it only changes when a bucket ends. A granularity with too many buckets becomes the next wider one;
 * a custom range that makes no sense is the last day of it.
 */
export function rangeOf({ range, from, to, by }: RangeChoice, nowMs: number): Range {
  const preset = PRESETS.find(({ id }) => id === range)
  const [startMs, endMs] = preset === undefined ? customOf(from, to, nowMs) : [startOf(preset, nowMs), nowMs]
  const wanted =
    GRANULARITIES.find(([id]) => id === by)?.[0] ?? preset?.granularity ?? suiting(endMs - startMs)
  const granularity =
    GRANULARITIES.slice(GRANULARITIES.findIndex(([id]) => id === wanted))
      .map(([id]) => id)
      .find(id => (endMs - startMs) / BUCKET_MS[id] <= BUCKETS_MAX) ?? 'day'
  const width = BUCKET_MS[granularity]
  const end = Math.ceil(endMs / width) * width
  // A range up to now is as long as it says, with the open bucket as its last.
  const lengthMs = preset?.lengthMs ?? null
  const start = lengthMs === null ? Math.floor(startMs / width) * width : end - Math.max(width, lengthMs)
  return { startMs: start, endMs: end, granularity }
}

/** Two parts of the period before, of which the second is one bucket; null: there is none. */
export interface Previous {
  readonly whole: Range | null
  readonly part: Range | null
}

/** The period before, as far as the range itself has come: of its last bucket as much as the open one has had, to the minute. */
export function previousUntil(range: Range, nowMs: number): Previous {
  const before = previousOf(range)
  const width = BUCKET_MS[range.granularity]
  const openMs = Math.floor(nowMs / width) * width
  if (range.granularity === 'minute' || openMs < range.startMs || openMs >= range.endMs)
    return { whole: before, part: null }
  const startMs = before.startMs + openMs - range.startMs
  const endMs = startMs + Math.max(1, Math.ceil((nowMs - openMs) / BUCKET_MS.minute)) * BUCKET_MS.minute
  return {
    whole: openMs === range.startMs ? null : { ...before, endMs: startMs },
    part: { startMs, endMs, granularity: 'minute' },
  }
}

/** As long, right before. */
export function previousOf({ startMs, endMs, granularity }: Range): Range {
  return { startMs: startMs - (endMs - startMs), endMs: startMs, granularity }
}

function startOf({ lengthMs }: Preset, nowMs: number): number {
  if (lengthMs !== null) return nowMs - lengthMs
  const now = new Date(nowMs)
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1)
}

function customOf(from: string, to: string, nowMs: number): readonly [number, number] {
  const endMs = momentOf(to) ?? nowMs
  const startMs = momentOf(from) ?? endMs - DAY_MS
  return startMs < endMs ? [startMs, endMs] : [endMs - DAY_MS, endMs]
}

function momentOf(text: string): number | null {
  const time = Date.parse(`${text}Z`)
  return Number.isNaN(time) ? null : time
}

function suiting(lengthMs: number): UsageGranularity {
  return lengthMs <= 2 * HOUR_MS ? 'minute' : lengthMs <= 3 * DAY_MS ? 'hour' : 'day'
}
