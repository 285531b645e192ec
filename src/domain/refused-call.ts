/** Calls that were answered 429, counted by what refused them: rates say how much is used, this says who was turned away. */
import type { QuotaCounter, QuotaMetric } from './quota.ts'

/** `UPSTREAM`: Google refused the call by a limit of its own. */
export const REFUSAL_REASONS = ['RATE_LIMIT_EXCEEDED', 'SPEND_HELD', 'UPSTREAM'] as const
export type RefusalReason = (typeof REFUSAL_REASONS)[number]

/** For how long counts of refusals are kept. */
export const REFUSALS_KEPT_MS = 7 * 86_400_000

/** One call and one thing that refused it: a call that two limits refuse stands for two. */
export interface RefusedCall {
  /** Epoch ms. */
  readonly timeMs: number
  readonly projectNumber: string
  readonly keyUid: string
  /** After alias; empty where the method names none. */
  readonly model: string
  readonly reason: RefusalReason
  /** The limit; null where it was none of ours. */
  readonly quota: Pick<QuotaCounter, 'scope' | 'metric'> | null
}

/** Refused calls of a project that have everything but the moment in common. */
export interface RefusalCount {
  readonly reason: RefusalReason
  /** Whose limit it was; null with `metric`. */
  readonly scope: QuotaCounter['scope'] | null
  readonly metric: QuotaMetric | null
  /** Empty: none was named, or more were than are told apart. */
  readonly model: string
  /** Empty: more keys were refused than are told apart. */
  readonly keyUid: string
  readonly calls: number
  /** Of the newest one, epoch ms. */
  readonly lastTimeMs: number
}
