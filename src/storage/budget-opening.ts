/** New budgets: they open with what their period's records already hold (MONEY.md rule 4). */
import { CAP_NANOS_MAX } from '../domain/budget.ts'
import { ApiError } from '../domain/error.ts'
import { periodWindow } from '../domain/period.ts'
import { ensureRow } from './budget-period.ts'
import type { BudgetRow } from './budget-row.ts'
import { newEtag } from './etag.ts'
import type { Db } from './schema.ts'
import { ALL_PROJECTS, type Spent, type SpentAsk, spentNow } from './spent.ts'
import type { BudgetDraft } from './storage.ts'

/** When budgets are opened, and what was read for them before, if it was. */
export interface Opening {
  readonly nowMs: number
  readonly timeZone: string
  readonly spent: Spent | null
}

/**
 * Makes budgets that differ in nothing but their project, and the rows of their current period. ALREADY_EXISTS where a scope
 * has one for the period. Throws UnreadRecords (commit.ts).
 */
export async function openBudgets(
  trx: Db,
  drafts: readonly BudgetDraft[],
  { nowMs, timeZone, spent }: Opening,
): Promise<readonly BudgetRow[]> {
  const [first] = drafts
  if (first === undefined) return []
  const { startMs } = periodWindow(first.period, timeZone, nowMs)
  const budgets: BudgetRow[] = []
  for (const draft of drafts) budgets.push(await insertBudget(trx, draft, nowMs))
  const { projectNumber, lineage } = first
  const ask: SpentAsk = {
    sinceMs: startMs,
    projectNumbers: projectNumber === null ? null : budgets.map(budget => budget.project_number),
    keyUids: lineage === null ? null : await keyUidsOf(trx, lineage),
  }
  const sums = await spentNow(trx, ask, spent)
  for (const budget of budgets) {
    const rowId = await ensureRow(trx, budget.uid, startMs)
    const sum = sums.get(projectNumber === null ? ALL_PROJECTS : budget.project_number) ?? 0n
    // Beyond the highest cap more makes no difference.
    const nanos = Math.min(Number(sum), CAP_NANOS_MAX)
    await trx
      .insertInto('ledger_entry')
      .values({ row_id: rowId, kind: 'opening', nanos, node_id: null, time: nowMs })
      .execute()
    await trx.updateTable('budget_period').set({ posted: nanos }).where('id', '=', rowId).execute()
  }
  return budgets
}

async function insertBudget(trx: Db, draft: BudgetDraft, nowMs: number): Promise<BudgetRow> {
  const row = await trx
    .insertInto('budget')
    .values({
      uid: crypto.randomUUID(),
      scope: draft.scope,
      project_number: draft.projectNumber ?? '',
      lineage: draft.lineage ?? '',
      period: draft.period,
      cap: draft.capNanos,
      policy: draft.policy,
      default_max_output_tokens: draft.defaultMaxOutputTokens,
      tool_ceilings: JSON.stringify(draft.toolCeilingsNanos),
      frozen_time: null,
      etag: newEtag(),
      create_time: nowMs,
      update_time: nowMs,
      delete_time: null,
    })
    .onConflict(conflict => conflict.doNothing())
    .returningAll()
    .executeTakeFirst()
  if (row !== undefined) return row
  throw new ApiError(
    'ALREADY_EXISTS',
    `There is a budget of the same scope and period (${draft.scope}, ${draft.period}) already. Change its cap instead.`,
  )
}

/** The keys of the lineage, in an order that stays. The first of them, which gave it its name, may be purged. */
async function keyUidsOf(trx: Db, lineage: string): Promise<readonly string[]> {
  const rows = await trx.selectFrom('key').select('uid').where('lineage', '=', lineage).execute()
  return [...new Set([lineage, ...rows.map(({ uid }) => uid)])].toSorted()
}
