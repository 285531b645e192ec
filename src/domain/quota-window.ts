/** The windows in which rates are counted: fixed ones, as Google's are. */
import { type BoundedWindow, periodWindow } from './period.ts'
import type { QuotaWindow } from './quota.ts'

const MINUTE_MS = 60_000

/** The minute of UTC, or the day of `zone`, that holds `atMs`. */
export function rateWindow(kind: Exclude<QuotaWindow, 'slots'>, zone: string, atMs: number): BoundedWindow {
  if (kind === 'day') return periodWindow('day', zone, atMs)
  const startMs = Math.floor(atMs / MINUTE_MS) * MINUTE_MS
  return { startMs, endMs: startMs + MINUTE_MS }
}

/**
 * Midnights of the zone from the day before `atMs` to two days after, ascending: whoever knows the time may be off by a
 * day and still finds its own among them.
 */
export function midnightsAround(zone: string, atMs: number): readonly number[] {
  const today = periodWindow('day', zone, atMs)
  const yesterday = periodWindow('day', zone, today.startMs - 1)
  const tomorrow = periodWindow('day', zone, today.endMs)
  return [yesterday.startMs, today.startMs, today.endMs, tomorrow.endMs]
}
