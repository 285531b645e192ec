import type { PROJECT_BUDGETS_V1 } from '../contract/budgets.v1.ts'
import type { ResponseOf } from '../contract/endpoint.ts'
import { BUDGET_PERIODS, BUDGET_SCOPES, type BudgetStatus } from '../domain/budget.ts'
import { budgetState, freeNanos } from '../domain/budget-fields.ts'
import { type BudgetPlace, budgetName } from './budget-places.ts'
import { timeJson } from './resource-names.ts'

export type BudgetJson = ResponseOf<typeof PROJECT_BUDGETS_V1.getBudget>

/** The Budget of /pollux/v1, as it hangs at `place`. Amounts are decimal strings of nano-dollars. */
export function budgetJson(status: BudgetStatus, place: BudgetPlace): BudgetJson {
  const { balance, defaultMaxOutputTokens, toolCeilingsNanos } = status
  const ceilings = Object.entries(toolCeilingsNanos).map(([tool, nanos]) => [tool, String(nanos)])
  return {
    name: budgetName(place, status.period),
    scope: status.scope,
    ...(place.projectId === null ? {} : { project: place.projectId }),
    ...(status.scope !== 'tier' || place.tier === null ? {} : { tier: `tiers/${place.tier}` }),
    ...(place.keyId === null ? {} : { key: place.keyId }),
    period: status.period,
    cap: String(status.capNanos),
    policy: status.policy,
    ...(defaultMaxOutputTokens === null ? {} : { defaultMaxOutputTokens }),
    ...(ceilings.length === 0 ? {} : { toolCeilings: Object.fromEntries(ceilings) }),
    state: budgetState(status),
    posted: String(balance.postedNanos),
    allotted: String(balance.allottedNanos),
    overrun: String(balance.overrunNanos),
    free: String(freeNanos(status)),
    periodStartTime: timeJson(balance.periodStartMs),
    ...(balance.periodEndMs === null ? {} : { periodEndTime: timeJson(balance.periodEndMs) }),
    etag: status.etag,
    createTime: timeJson(status.createTimeMs),
    updateTime: timeJson(status.updateTimeMs),
  }
}

/** Compares: from the organization down, then by project, key and period. */
export function inOrder(one: BudgetJson, other: BudgetJson): number {
  return (
    BUDGET_SCOPES.indexOf(one.scope) - BUDGET_SCOPES.indexOf(other.scope) ||
    (one.project ?? '').localeCompare(other.project ?? '') ||
    (one.key ?? '').localeCompare(other.key ?? '') ||
    BUDGET_PERIODS.indexOf(one.period) - BUDGET_PERIODS.indexOf(other.period)
  )
}
