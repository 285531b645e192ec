/** Caps that stop calls, or soon will. */
import { spendPath } from '../paths.ts'
import type { BudgetJson } from '../queries.ts'
import { shownDollars } from '../ui/dollars.ts'
import { type Kind, type Notice, noticesOfKind } from './kind.ts'

const NEAR_PERCENT = 80
const PERIOD_TEXT = { month: 'monthly', day: 'daily', total: 'total' } as const

export interface NamedBudget {
  /** Of what it caps. */
  readonly of: string
  readonly budget: BudgetJson
}

const EVERYWHERE = spendPath({ project: null, key: null })

const KINDS: readonly Kind<NamedBudget>[] = [
  {
    id: 'frozen',
    look: 'wrong',
    is: ({ budget }) => budget.state === 'FROZEN',
    idOf: periodOf,
    one: ({ of, budget }) => ({
      title: `${of}: ${PERIOD_TEXT[budget.period]} cap frozen`,
      why: `Calls cost ${shownDollars(budget.overrun)} more than could be held for them. The calls it binds get 402 until somebody acknowledges that.`,
      to: spendPathOf(budget),
      action: 'Acknowledge the overrun',
    }),
    many: count => ({
      title: `${count} caps are frozen`,
      why: 'Calls cost more than could be held for them. The calls they bind get 402 until somebody acknowledges that.',
      to: EVERYWHERE,
      action: 'Acknowledge the overruns',
    }),
  },
  {
    id: 'reached',
    look: 'wrong',
    is: ({ budget }) => budget.state === 'EXHAUSTED',
    idOf: periodOf,
    one: ({ of, budget }) => ({
      title: `${of}: ${PERIOD_TEXT[budget.period]} cap reached`,
      why: `${spentOf(budget)} are spent. Calls get 402 until ${endOf(budget)}the cap is raised.`,
      to: spendPathOf(budget),
      action: 'Raise the cap',
    }),
    many: count => ({
      title: `${count} caps are reached`,
      why: 'Calls they bind get 402 until their periods end or the caps are raised.',
      to: EVERYWHERE,
      action: 'Look at the caps',
    }),
  },
  {
    id: 'near',
    look: 'look',
    is: ({ budget: { state, posted, cap } }) =>
      state === 'ACTIVE' && cap !== '0' && percentOf(posted, cap) >= NEAR_PERCENT,
    idOf: periodOf,
    one: ({ of, budget }) => ({
      title: `${of}: ${percentOf(budget.posted, budget.cap)} % of its ${PERIOD_TEXT[budget.period]} cap spent`,
      why: `${spentOf(budget)} are spent. At the cap calls get 402.`,
      to: spendPathOf(budget),
      action: 'Look at the cap',
    }),
    many: count => ({
      title: `${count} caps are nearly reached`,
      why: `At least ${NEAR_PERCENT} % of each is spent. At the cap calls get 402.`,
      to: EVERYWHERE,
      action: 'Look at the caps',
    }),
  },
]

export function budgetNotices(budgets: readonly NamedBudget[]): readonly Notice[] {
  return KINDS.flatMap(kind => noticesOfKind(kind, budgets))
}

/** In the next period it is news again. */
function periodOf({ budget: { name, periodStartTime } }: NamedBudget): string {
  return `${name} ${periodStartTime}`
}

function percentOf(posted: string, cap: string): number {
  return Number((BigInt(posted) * 100n) / BigInt(cap))
}

function spentOf({ posted, cap }: BudgetJson): string {
  return `${shownDollars(posted)} of ${shownDollars(cap)}`
}

function endOf({ periodEndTime }: BudgetJson): string {
  return periodEndTime === undefined ? '' : `${periodEndTime.slice(0, 10)} (UTC) or until `
}

function spendPathOf({ project, key }: BudgetJson): string {
  return spendPath({ project: project ?? null, key: key ?? null })
}
