/** Calls that a budget refused: how many, and from when to when. */
import type { Budget } from './budget.ts'

/** The money is spent, an overrun is not acknowledged, or other calls hold what is left for too long. */
export const CAP_HIT_REASONS = ['BUDGET_EXHAUSTED', 'BUDGET_FROZEN', 'SPEND_HELD'] as const
export type CapHitReason = (typeof CAP_HIT_REASONS)[number]

/** Calls that one budget refused for one reason. */
export interface CapHits {
  readonly budgetUid: string
  readonly reason: CapHitReason
  readonly calls: number
  readonly firstTimeMs: number
  readonly lastTimeMs: number
  /** The last of them. */
  readonly lastProjectNumber: string
  readonly lastKeyUid: string
  readonly lastCallId: string
}

/** All that a budget refused for one reason in one of its periods, by all nodes. */
export interface PeriodCapHits extends CapHits {
  readonly budget: Pick<Budget, 'scope' | 'projectNumber' | 'lineage' | 'period'>
  readonly periodStartMs: number
}
