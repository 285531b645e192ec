/** Budgets for people: amounts in dollars. */
import { type Invocation, shownTime } from './command.ts'
import type { LEDGER_V1 } from '../contract/budgets.v1.ts'
import type { ResponseOf } from '../contract/endpoint.ts'
import type { BudgetJson } from './budget-flags.ts'
import { shownUsd } from './dollars.ts'
import { type Table, renderDetails } from './table.ts'

type CapHitJson = ResponseOf<typeof LEDGER_V1.searchCapHits>['capHits'][number]

type Viewer = Pick<Invocation<unknown>, 'io' | 'nowMs'>

export function budgetsTable(viewer: Viewer, budgets: readonly BudgetJson[]): Table {
  const money = (title: string, isKept = false) => ({ title, isWhole: true, isKept, align: 'right' as const })
  return {
    columns: [
      { title: 'BUDGET', isKept: true, isIdentity: true },
      { title: 'PERIOD', isKept: true, isWhole: true },
      { title: 'STATE', isKept: true, isWhole: true },
      money('CAP', true),
      money('POSTED', true),
      money('ALLOTTED'),
      money('FREE'),
      money('OVERRUN'),
      { title: 'ENDS', isWhole: true },
      { title: 'POLICY', isWhole: true },
    ],
    rows: budgets.map(budget => [
      ownerOf(budget),
      budget.period,
      budget.state,
      shownUsd(budget.cap),
      shownUsd(budget.posted),
      shownUsd(budget.allotted),
      shownUsd(budget.free),
      shownUsd(budget.overrun),
      shownTime(viewer, budget.periodEndTime, 'never'),
      budget.policy,
    ]),
  }
}

export function capHitsTable(viewer: Viewer, hits: readonly CapHitJson[]): Table {
  return {
    columns: [
      { title: 'BUDGET', isKept: true, isIdentity: true },
      { title: 'PERIOD', isKept: true, isWhole: true },
      { title: 'SINCE', isWhole: true },
      { title: 'REASON', isKept: true, isWhole: true },
      { title: 'CALLS', isKept: true, isWhole: true, align: 'right' as const },
      { title: 'FIRST', isWhole: true },
      { title: 'LAST', isKept: true, isWhole: true },
      { title: 'LAST KEY' },
    ],
    rows: hits.map(hit => [
      ownerOf(hit),
      hit.period,
      shownTime(viewer, hit.periodStartTime, ''),
      hit.reason,
      String(hit.calls),
      shownTime(viewer, hit.firstTime, ''),
      shownTime(viewer, hit.lastTime, ''),
      hit.lastKey === undefined ? '' : `${hit.lastProject ?? ''}/${hit.lastKey}`,
    ]),
  }
}

export function budgetDetails(viewer: Viewer, budget: BudgetJson): string {
  const time = (value: string | undefined, absent = ''): string => shownTime(viewer, value, absent)
  const ceilings = Object.entries(budget.toolCeilings ?? {}).map(
    ([tool, nanos]) => `${tool}=${shownUsd(nanos)}`,
  )
  return renderDetails([
    ['Budget', ownerOf(budget)],
    ['Period', budget.period],
    ['State', budget.state],
    ['Cap', shownUsd(budget.cap)],
    ['Posted', shownUsd(budget.posted)],
    ['Allotted', shownUsd(budget.allotted)],
    ['Free', shownUsd(budget.free)],
    ['Overrun', shownUsd(budget.overrun)],
    ['Policy', budget.policy],
    ['Default output', String(budget.defaultMaxOutputTokens ?? '')],
    ['Tool ceilings', ceilings.join(', ')],
    ['Since', time(budget.periodStartTime)],
    ['Ends', time(budget.periodEndTime, 'never')],
    ['Resource', budget.name],
    ['Created', time(budget.createTime)],
    ['Updated', time(budget.updateTime)],
    ['Etag', budget.etag],
  ])
}

/** `organization`, `web-shop`, `web-shop (tier-1)` or `web-shop/first-key` */
export function ownerOf({
  scope,
  project,
  key,
  tier,
}: Pick<BudgetJson, 'scope' | 'project' | 'key' | 'tier'>): string {
  if (project === undefined) return scope
  if (scope === 'tier') return `${project} (${tier?.replace(/^tiers\//, '') ?? 'tier'})`
  return key === undefined ? project : `${project}/${key}`
}
