/** How long a new token or key counts, as the forms offer it. */
const DAY_MS = 86_400_000
/** A year is all there is: what this clock is ahead of the server's, and the way there, must fit in. */
const MARGIN_MS = 5 * 60_000

export const EXPIRY_DAYS = [
  ['7', '7 days'],
  ['30', '30 days'],
  ['90', '90 days'],
  ['180', '180 days'],
  ['365', 'a year, the longest there is'],
] as const

export const EXPIRY_DAYS_DEFAULT = '90'

/** RFC 3339, this many days from `nowMs`. */
export function expireTimeIn(days: string, nowMs: number): string {
  return new Date(nowMs + Number(days) * DAY_MS - MARGIN_MS).toISOString()
}
