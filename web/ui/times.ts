/** Times as people say them. */
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
/** After this a date says more than a distance. */
const DISTANCE_MAX_MS = 30 * DAY_MS

const distance = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' })
const date = new Intl.DateTimeFormat('en', { year: 'numeric', month: 'short', day: 'numeric' })
const moment = new Intl.DateTimeFormat('en', {
  year: 'numeric',
  month: 'short',
  day: 'numeric',
  hour: 'numeric',
  minute: '2-digit',
  second: '2-digit',
  timeZoneName: 'short',
})

/** Where clocks go by the browser's time zone, its name: `America/Los Angeles`. Usage goes by UTC, and says so. */
export const SHOWN_ZONE = moment.resolvedOptions().timeZone.replaceAll('_', ' ')

/** `3 min. ago`, `in 5 days`, or a date when it is farther than a month. */
export function shownDistance(time: string, nowMs: number): string {
  const awayMs = Date.parse(time) - nowMs
  const farMs = Math.abs(awayMs)
  if (farMs > DISTANCE_MAX_MS) return date.format(Date.parse(time))
  if (farMs < MINUTE_MS) return awayMs < 0 ? 'just now' : 'in a moment'
  if (farMs < HOUR_MS) return distance.format(Math.trunc(awayMs / MINUTE_MS), 'minute')
  if (farMs < DAY_MS) return distance.format(Math.trunc(awayMs / HOUR_MS), 'hour')
  return distance.format(Math.trunc(awayMs / DAY_MS), 'day')
}

/** To the second, in the browser's time zone, which it names. */
export function shownMoment(time: string): string {
  return moment.format(Date.parse(time))
}
