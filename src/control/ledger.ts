/** The whole ledger: every budget there is, and whether its books are true. */
import type { LEDGER_V1 } from '../contract/budgets.v1.ts'
import { invalidField } from '../domain/error.ts'
import { mayDo } from '../domain/permission.ts'
import type { BudgetQuery, Storage } from '../storage/storage.ts'
import { budgetJson, inOrder } from './budget-json.ts'
import {
  type BudgetPlace,
  budgetName,
  budgetsAt,
  placeAbove,
  placeFinder,
  requirePlace,
} from './budget-places.ts'
import { capHits } from './cap-hits.ts'
import type { CallFacts, Handlers } from './call.ts'
import { timeJson } from './resource-names.ts'

export function ledgerHandlers(storage: Storage): Handlers<typeof LEDGER_V1> {
  return {
    async searchBudgets(call) {
      const queries = await budgetQueries(storage, call.query, call)
      const all = (await Promise.all(queries.map(query => storage.budgets.list(query)))).flat()
      const { principal } = call
      const found = all.filter(({ projectNumber }) => mayDo(principal, 'pollux.budgets.list', projectNumber))
      const placeOf = placeFinder(storage)
      const budgets = await Promise.all(found.map(async status => budgetJson(status, await placeOf(status))))
      return { budgets: budgets.sort(inOrder) }
    },
    searchCapHits: async call => ({ capHits: await capHits(storage, call, call.query) }),
    async verifyLedger() {
      const { rowsChecked, recordsChecked, overruns, drifts } = await storage.ledger.verify()
      const nameOf = await budgetNames(storage, new Set(drifts.map(({ budgetUid }) => budgetUid)))
      return {
        rowsChecked,
        recordsChecked,
        overruns,
        drifts: drifts.map(({ budgetUid, rowId, periodStartMs, what, bookedNanos, expectedNanos }) => ({
          budget: nameOf.get(budgetUid) ?? budgetUid,
          rowId,
          periodStartTime: timeJson(periodStartMs),
          what,
          booked: String(bookedNanos),
          expected: String(expectedNanos),
        })),
      }
    },
  }
}

interface Asked {
  readonly project?: string | undefined
  readonly key?: string | undefined
  readonly path?: boolean | undefined
}

async function budgetQueries(
  storage: Storage,
  { project, key, path = false }: Asked,
  call: CallFacts,
): Promise<readonly BudgetQuery[]> {
  if (key !== undefined && project === undefined) throw invalidField('project', 'a key needs its project')
  const parent =
    project === undefined ? { organization: '1' } : key === undefined ? { project } : { project, key }
  const place = await requirePlace(storage, parent, call)
  if (path) return pathOf(place).map(budgetsAt)
  const { scope: _, ...below } = budgetsAt(place)
  return [below]
}

function pathOf(place: BudgetPlace): readonly BudgetPlace[] {
  const above = placeAbove(place)
  return above === null ? [place] : [place, ...pathOf(above)]
}

async function budgetNames(
  storage: Storage,
  uids: ReadonlySet<string>,
): Promise<ReadonlyMap<string, string>> {
  const budgets = uids.size === 0 ? [] : await storage.budgets.list({})
  const placeOf = placeFinder(storage)
  const named = budgets
    .filter(({ uid }) => uids.has(uid))
    .map(async budget => [budget.uid, budgetName(await placeOf(budget), budget.period)] as const)
  return new Map(await Promise.all(named))
}
