/** Times and durations as people write and read them. */

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
}
const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)$/
const DATE = /^\d{4}-\d\d-\d\d$/
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS
/** Beyond this many days a date says more than a distance. */
const DISTANCE_DAYS_MAX = 60
const YEARS_MAX = 100

/** `90d`, `24h`, `1h30m` in ms; null when it is none, is zero or longer than a century. Units: s, m, h, d, w. */
export function parseDuration(text: string): number | null {
  if (!/^(?:\d{1,9}[smhdw])+$/.test(text)) return null
  let sumMs = 0
  for (const [, count, unit] of text.matchAll(/(\d+)([smhdw])/g)) {
    sumMs += Number(count) * (UNIT_MS[unit ?? ''] ?? Number.NaN)
  }
  return sumMs > 0 && sumMs <= YEARS_MAX * 366 * DAY_MS ? sumMs : null
}

/** RFC 3339 with an offset, or a date for its first moment in UTC, as epoch ms; null when it is neither. */
export function parseInstant(text: string): number | null {
  if (!RFC_3339.test(text) && !DATE.test(text)) return null
  const timeMs = Date.parse(text)
  return Number.isNaN(timeMs) ? null : timeMs
}

/** `3 h ago`, `in 12 days`, `now` within a minute; a date for what is far away. */
export function relativeTime(timeMs: number, nowMs: number): string {
  // Whole seconds: `now` was taken a little before or after the time was.
  const distanceMs = Math.round(Math.abs(nowMs - timeMs) / 1_000) * 1_000
  if (distanceMs < MINUTE_MS) return 'now'
  if (distanceMs >= DISTANCE_DAYS_MAX * DAY_MS) return new Date(timeMs).toISOString().slice(0, 10)
  const distance =
    distanceMs < HOUR_MS
      ? `${Math.floor(distanceMs / MINUTE_MS)} min`
      : distanceMs < DAY_MS
        ? `${Math.floor(distanceMs / HOUR_MS)} h`
        : days(Math.floor(distanceMs / DAY_MS))
  return timeMs > nowMs ? `in ${distance}` : `${distance} ago`
}

function days(count: number): string {
  return count === 1 ? '1 day' : `${count} days`
}
