/** Budgets and calls for tests of what is between them: the node's ledger, its escrow, the state a reader is told. */
import type { Budget } from '../src/domain/budget.ts'
import type { Ask } from '../src/gateway/ask.ts'

/** A project's budget for all time; a test says what matters to it. */
export function budgetOf(part: Pick<Budget, 'uid' | 'capNanos'> & Partial<Budget>): Budget {
  return {
    scope: 'project',
    projectNumber: '1',
    lineage: null,
    period: 'total',
    policy: 'clamp',
    defaultMaxOutputTokens: null,
    toolCeilingsNanos: {},
    frozenTimeMs: null,
    etag: 'etag',
    createTimeMs: 0,
    updateTimeMs: 0,
    ...part,
  }
}

/** A call that needs all of it: it cannot be clamped. */
export const exactly = (nanos: number): Ask => ({
  worstNanos: nanos,
  floorNanos: nanos,
  clampTo: () => null,
})

/** A call that takes half of what is free, but not less than its floor. */
export const atLeast = (floorNanos: number, worstNanos: number): Ask => ({
  worstNanos,
  floorNanos,
  clampTo(freeNanos) {
    if (freeNanos < floorNanos) return null
    const nanos = Math.max(floorNanos, Math.floor(freeNanos / 2))
    return { nanos, maxOutputTokens: nanos, thinkingBudget: null }
  },
})
