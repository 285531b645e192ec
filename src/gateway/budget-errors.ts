/** How a budget refuses: which one, why, and when it may be tried again (gemini-wire 3.6). */
import type { Budget } from '../domain/budget.ts'
import type { CapHitReason } from '../domain/cap-hit.ts'
import { ApiError, type Detail } from '../domain/error.ts'
import { formatUsd } from '../domain/money.ts'
import { ORGANIZATION } from '../domain/project.ts'

const PERIOD_WORDS = { month: 'monthly', day: 'daily', total: 'total' } as const
const RETRY_SECONDS = 1

/** The resource name of a budget by immutable ids. */
function budgetName({ scope, projectNumber, lineage, period }: Budget): string {
  if (scope === 'organization') return `${ORGANIZATION}/budgets/${period}`
  const project = `projects/${projectNumber ?? ''}`
  if (scope === 'tier') return `${project}/budgets/tier`
  return scope === 'project'
    ? `${project}/budgets/${period}`
    : `${project}/keys/${lineage ?? ''}/budgets/${period}`
}

/** A refusal that says which budget it was, for who counts them. */
export class BudgetRefusal extends ApiError {
  readonly budgetUid: string
  readonly capHit: CapHitReason

  constructor(reason: CapHitReason, message: string, { budget, ...extras }: RefusalFacts) {
    super(reason, message, extras)
    this.capHit = reason
    this.budgetUid = budget.uid
  }
}

interface RefusalFacts {
  readonly budget: Budget
  readonly metadata: Readonly<Record<string, string>>
  readonly details: readonly Detail[]
}

/**
 * What is posted leaves less than the call needs, which waiting for others does not change: 402, which no official client
 * retries. `needed` is what would have to fit.
 */
export function exhausted(
  budget: Budget,
  row: { readonly capNanos: number; readonly posted: number; readonly periodEndMs: number | null },
  neededNanos: number,
): ApiError {
  const resetTime = row.periodEndMs === null ? null : new Date(row.periodEndMs).toISOString()
  const [cap, remainingNanos] = [formatUsd(row.capNanos), row.capNanos - row.posted]
  const when = resetTime === null ? 'It does not reset' : `It resets at ${resetTime}`
  const message =
    remainingNanos > 0
      ? `${spoken(budget)} has $${formatUsd(remainingNanos)} of $${cap} left, and this call needs $${formatUsd(neededNanos)}. ` +
        `Send less, ask for less output (maxOutputTokens), or raise its cap. ${when}.`
      : `${spoken(budget)} is spent: the cap is $${cap}. ${when}${resetTime === null ? ': raise its cap to go on' : '; raise its cap to go on before'}.`
  const metadata = {
    remaining: String(Math.max(0, remainingNanos)),
    required: String(neededNanos),
    ...(resetTime === null ? {} : { resetTime }),
  }
  return refusal('BUDGET_EXHAUSTED', message, { budget, metadata })
}

/** A call cost more than it may: nothing is admitted until somebody has looked. */
export function frozen(budget: Budget): ApiError {
  const message =
    `${spoken(budget)} is frozen: a call cost more than its worst case. ` +
    'Look at its overrun, and acknowledge it with `pollux budgets acknowledge`.'
  return refusal('BUDGET_FROZEN', message, { budget, metadata: {} })
}

/** Other calls hold what is left: worth another try in a moment. `asOf` tells when that was looked at. */
export function spendHeld(budget: Budget): ApiError {
  const message =
    `${spoken(budget)} is not spent, but other calls hold what is left of it. ` +
    `Please retry in ${RETRY_SECONDS}s.`
  return new BudgetRefusal('SPEND_HELD', message, {
    budget,
    metadata: { budget: budgetName(budget), asOf: new Date().toISOString() },
    details: [
      violation(budget, message),
      { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${RETRY_SECONDS}s` },
    ],
  })
}

/** The ledger does not answer, so nobody knows what is left. */
export function unavailable(cause: unknown): ApiError {
  if (cause instanceof ApiError) return cause
  return new ApiError('STORAGE_UNAVAILABLE', 'Budgets cannot be asked at the moment. Please retry.', {
    cause,
  })
}

function refusal(
  reason: 'BUDGET_EXHAUSTED' | 'BUDGET_FROZEN',
  message: string,
  { budget, metadata }: { readonly budget: Budget; readonly metadata: Readonly<Record<string, string>> },
): ApiError {
  return new BudgetRefusal(reason, message, {
    budget,
    metadata: { budget: budgetName(budget), ...metadata },
    details: [violation(budget, message)],
  })
}

function violation(budget: Budget, description: string) {
  return {
    '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
    violations: [{ subject: budgetName(budget), description }],
  }
}

function spoken({ scope, period }: Budget): string {
  return `The ${PERIOD_WORDS[period]} budget of the ${scope}`
}
