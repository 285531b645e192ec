/** What a month has cost so far, and what it will have cost if it goes on like this. */
import type { UsageReport } from '../queries.ts'

const DAY_MS = 86_400_000

export interface Month {
  readonly startMs: number
  /** The first moment of the next one. */
  readonly endMs: number
}

export interface MonthSpend {
  /** Nano-dollars of each day from the first on, up to the one that runs. */
  readonly byDay: readonly bigint[]
  readonly daysInMonth: number
  readonly spentNanos: bigint
  /** At the pace of the month so far; null while that is less than an hour. */
  readonly forecastNanos: bigint | null
}

/**
 * The organization's month, as its monthly budgets have it; without one, the month of UTC. Budgets of an earlier month, of
 * which the answer is old, are none.
 */
export function monthOf(
  budgets: readonly {
    readonly period: string
    readonly periodStartTime: string
    readonly periodEndTime?: string | undefined
  }[],
  nowMs: number,
): Month {
  for (const { period, periodStartTime, periodEndTime } of budgets) {
    if (period !== 'month' || periodEndTime === undefined) continue
    const month = { startMs: Date.parse(periodStartTime), endMs: Date.parse(periodEndTime) }
    if (month.startMs <= nowMs && nowMs < month.endMs) return month
  }
  const now = new Date(nowMs)
  const [year, index] = [now.getUTCFullYear(), now.getUTCMonth()]
  return { startMs: Date.UTC(year, index), endMs: Date.UTC(year, index + 1) }
}

/** Sums hours into days of 24 hours from the start of the month: a day that is set back or forth ends an hour off. */
export function monthSpend(hours: UsageReport['rows'], month: Month, nowMs: number): MonthSpend {
  const daysInMonth = Math.round((month.endMs - month.startMs) / DAY_MS)
  const today = Math.min(daysInMonth - 1, Math.floor((nowMs - month.startMs) / DAY_MS))
  const byDay = Array.from({ length: today + 1 }, () => 0n)
  let spentNanos = 0n
  for (const { time, costNanos } of hours) {
    const day = time === undefined ? -1 : Math.floor((Date.parse(time) - month.startMs) / DAY_MS)
    if (day < 0) continue
    const place = Math.min(day, today)
    byDay[place] = (byDay[place] ?? 0n) + BigInt(costNanos)
    spentNanos += BigInt(costNanos)
  }
  return { byDay, daysInMonth, spentNanos, forecastNanos: forecast(spentNanos, month, nowMs) }
}

const HOUR_MS = 3_600_000

function forecast(spentNanos: bigint, { startMs, endMs }: Month, nowMs: number): bigint | null {
  const elapsedMs = Math.min(nowMs, endMs) - startMs
  if (elapsedMs < HOUR_MS) return null
  return (spentNanos * BigInt(endMs - startMs)) / BigInt(elapsedMs)
}

/** On which day the cap is reached at this pace, from 1; null: not in this month. */
export function capDay(
  capNanos: bigint,
  { spentNanos, forecastNanos, daysInMonth }: MonthSpend,
): number | null {
  if (forecastNanos === null || forecastNanos < capNanos || forecastNanos === 0n || spentNanos >= capNanos)
    return null
  return Number((capNanos * BigInt(daysInMonth)) / forecastNanos) + 1
}
