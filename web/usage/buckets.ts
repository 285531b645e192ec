/** Buckets of time as charts show them. Like those of the rollups they are UTC. */
import type { UsageGranularity } from '../../src/domain/usage.ts'
import type { ChartBucket } from '../chart/series.ts'

export const BUCKET_MS: Readonly<Record<UsageGranularity, number>> = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
}

const time = new Intl.DateTimeFormat('en', {
  timeZone: 'UTC',
  hour: '2-digit',
  minute: '2-digit',
  hourCycle: 'h23',
})
const day = new Intl.DateTimeFormat('en', { timeZone: 'UTC', month: 'short', day: 'numeric' })
const weekday = new Intl.DateTimeFormat('en', {
  timeZone: 'UTC',
  weekday: 'short',
  month: 'short',
  day: 'numeric',
  year: 'numeric',
})

/** The starts of all buckets that touch `[startMs, endMs)`. */
export function bucketStarts(
  startMs: number,
  endMs: number,
  granularity: UsageGranularity,
): readonly number[] {
  const width = BUCKET_MS[granularity]
  const first = Math.floor(startMs / width)
  return Array.from(
    { length: Math.max(0, Math.ceil(endMs / width) - first) },
    (_, at) => (first + at) * width,
  )
}

/** As a chart names it; open while `nowMs` is in it. */
export function chartBucket(startMs: number, granularity: UsageGranularity, nowMs: number): ChartBucket {
  const isDay = granularity === 'day'
  const isMidnight = startMs % BUCKET_MS.day === 0
  return {
    id: String(startMs),
    label: isDay || isMidnight ? day.format(startMs) : time.format(startMs),
    title: isDay ? weekday.format(startMs) : `${day.format(startMs)}, ${time.format(startMs)}`,
    isOpen: startMs <= nowMs && nowMs < startMs + BUCKET_MS[granularity],
  }
}
