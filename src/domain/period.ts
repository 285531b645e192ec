/** The calendar of budgets: days and months of a time zone, as Google's quotas and invoices have them (MONEY.md rule 1). */
import type { BudgetPeriod } from './budget.ts'

/** `[startMs, endMs)`, epoch ms; `endMs` null: never. */
export interface PeriodWindow {
  readonly startMs: number
  readonly endMs: number | null
}

/** Google's own: quotas reset at its midnight, invoices close by its month. */
export const DEFAULT_TIME_ZONE = 'America/Los_Angeles'

const FOREVER: PeriodWindow = { startMs: 0, endMs: null }

/** A day or a month. */
export interface BoundedWindow extends PeriodWindow {
  readonly endMs: number
}

/** The window found last, by zone: time goes on, so the next question is nearly always about the same one. */
const lastWindows = {
  day: new Map<string, BoundedWindow>(),
  month: new Map<string, BoundedWindow>(),
} as const

/**
 * The day or month that holds `atMs` (epoch ms) by the clocks of `zone` (an IANA name; RangeError for any other). It
 * starts at the first moment of its date: later than midnight where a clock change skips midnight, and with the first of
 * two where one repeats it. Windows follow each other without gap or overlap.
 */
export function periodWindow(period: 'day' | 'month', zone: string, atMs: number): BoundedWindow
export function periodWindow(period: BudgetPeriod, zone: string, atMs: number): PeriodWindow
export function periodWindow(period: BudgetPeriod, zone: string, atMs: number): PeriodWindow {
  if (period === 'total') return FOREVER
  const known = lastWindows[period].get(zone)
  if (known !== undefined && atMs >= known.startMs && atMs < known.endMs) return known
  const found = findWindow(period, zone, atMs)
  lastWindows[period].set(zone, found)
  return found
}

function findWindow(period: 'day' | 'month', zone: string, atMs: number): BoundedWindow {
  const local = new Date(atMs + offsetMs(zone, atMs))
  const [year, month, day] = [local.getUTCFullYear(), local.getUTCMonth(), local.getUTCDate()]
  const midnightAfter = (count: number): number =>
    firstMoment(zone, period === 'day' ? Date.UTC(year, month, day + count) : Date.UTC(year, month + count))
  let startMs = midnightAfter(0)
  // A clock set back over midnight shows the old date again: that hour belongs to the new one, which has begun.
  for (let count = 1; ; count += 1) {
    const endMs = midnightAfter(count)
    if (endMs > atMs) return { startMs, endMs }
    startMs = endMs
  }
}

/** More than any zone is away from UTC. */
const OFFSET_MAX_MS = 16 * 3_600_000

/** The first moment at which the clocks of the zone show `midnightMs` (given as if they showed UTC) or later. */
function firstMoment(zone: string, midnightMs: number): number {
  let fromMs = midnightMs - OFFSET_MAX_MS
  let toMs = midnightMs + OFFSET_MAX_MS
  const before = offsetMs(zone, fromMs)
  const after = offsetMs(zone, toMs)
  if (before === after) return midnightMs - before
  // The clocks change somewhere between: `toMs` becomes the first moment of the new offset.
  while (toMs - fromMs > 1) {
    const middleMs = Math.floor((fromMs + toMs) / 2)
    if (offsetMs(zone, middleMs) === before) fromMs = middleMs
    else toMs = middleMs
  }
  const byOldClockMs = midnightMs - before
  return byOldClockMs < toMs ? byOldClockMs : Math.max(toMs, midnightMs - after)
}

const clocks = new Map<string, Intl.DateTimeFormat>()

function clockOf(zone: string): Intl.DateTimeFormat {
  let clock = clocks.get(zone)
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    clocks.set(zone, clock)
  }
  return clock
}

/** How far the clocks of the zone are ahead of UTC at a moment, ms. */
function offsetMs(zone: string, atMs: number): number {
  const shown: Partial<Record<Intl.DateTimeFormatPartTypes, number>> = {}
  for (const { type, value } of clockOf(zone).formatToParts(atMs)) shown[type] = Number(value)
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = shown
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(atMs / 1_000) * 1_000
}
