/** What somebody who answers for the keys would look at first. */
import type { KeyRow } from './rows.ts'

const DAY_MS = 86_400_000
const IDLE_DAYS = 90
const UNMISSED_DAYS = 30
export const EXPIRES_SOON_DAYS = 7
export const OLD_DAYS = 90

export const RISKS = [
  'no-cap',
  'never-expires',
  'expires-soon',
  'old',
  'idle',
  'unrestricted',
  'safe-to-remove',
] as const
export type Risk = (typeof RISKS)[number]

export const RISK_TEXT: Readonly<Record<Risk, { readonly title: string; readonly about: string }>> = {
  'no-cap': {
    title: 'No cap',
    about: 'No budget of the key, its project or the organization ends what it spends.',
  },
  'never-expires': {
    title: 'Never expires',
    about: 'It works until somebody thinks of it. A date makes sure that somebody does.',
  },
  'expires-soon': {
    title: `Expires in ${EXPIRES_SOON_DAYS} days`,
    about: 'From then on its calls are refused. Give it a later date, or the application another key.',
  },
  old: {
    title: `Older than ${OLD_DAYS} days`,
    about: 'Whoever ever saw it can still use it. Let a new key take its place, then delete it.',
  },
  idle: {
    title: `Idle ${IDLE_DAYS} days`,
    about: `It works, and nobody has used it for ${IDLE_DAYS} days. Disable it and see whether it is missed.`,
  },
  unrestricted: {
    title: 'Unrestricted',
    about: 'Whoever finds it may call everything from everywhere.',
  },
  'safe-to-remove': {
    title: 'Safe to remove',
    about: `Disabled or expired, and without a call for ${UNMISSED_DAYS} days: nothing can break.`,
  },
}

export function isRisk(text: string): text is Risk {
  return RISKS.some(risk => risk === text)
}

/** Whether the key is one of these at `nowMs`. */
export function hasRisk({ key, status, chips, isCapped }: KeyRow, risk: Risk, nowMs: number): boolean {
  const isOver = status === 'disabled' || status === 'expired'
  const isLive = status !== 'deleted' && !isOver
  const idleMs = nowMs - Date.parse(key.lastUsedTime ?? key.createTime)
  const risks: Readonly<Record<Risk, boolean>> = {
    'no-cap': isLive && !isCapped,
    'never-expires': isLive && !key.expireTime,
    'expires-soon': isLive && expiresSoon(key, nowMs),
    old: isLive && isOld(key, nowMs),
    idle: isLive && idleMs >= IDLE_DAYS * DAY_MS,
    unrestricted: isLive && chips.length === 0,
    'safe-to-remove': isOver && idleMs >= UNMISSED_DAYS * DAY_MS,
  }
  return risks[risk]
}

type Dates = Pick<KeyRow['key'], 'createTime' | 'expireTime'>

export function expiresSoon({ expireTime }: Dates, nowMs: number): boolean {
  return Boolean(expireTime) && Date.parse(expireTime ?? '') - nowMs < EXPIRES_SOON_DAYS * DAY_MS
}

export function isOld({ createTime }: Dates, nowMs: number): boolean {
  return nowMs - Date.parse(createTime) >= OLD_DAYS * DAY_MS
}
