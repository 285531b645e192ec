/** New budgets: they open with what their period's records already hold (MONEY.md rule 4). */
import { sql } from 'kysely'
import { CAP_NANOS_MAX } from '../domain/budget.ts'
import { ApiError } from '../domain/error.ts'
import { periodWindow } from '../domain/period.ts'
import { ensureRow } from './budget-period.ts'
import type { BudgetRow } from './budget-row.ts'
import { newEtag } from './etag.ts'
import { BlockClock } from './record-row.ts'
import type { Db } from './schema.ts'
import type { BudgetDraft } from './storage.ts'
import { listBlocks, recordTable } from './usage-block.ts'

/** Makes the budget and the row of its current period. ALREADY_EXISTS where the scope has one for the period. */
export async function openBudget(
  trx: Db,
  draft: BudgetDraft,
  { nowMs, timeZone }: { readonly nowMs: number; readonly timeZone: string },
): Promise<BudgetRow> {
  const budget = await insertBudget(trx, draft, nowMs)
  const { startMs } = periodWindow(draft.period, timeZone, nowMs)
  const rowId = await ensureRow(trx, budget.uid, startMs)
  const nanos = await sumOfRecords(trx, budget, startMs)
  await trx
    .insertInto('ledger_entry')
    .values({ row_id: rowId, kind: 'opening', nanos, node_id: null, time: nowMs })
    .execute()
  await trx.updateTable('budget_period').set({ posted: nanos }).where('id', '=', rowId).execute()
  return budget
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

/** What the records of the scope since `sinceMs` cost. Beyond the highest cap more makes no difference. */
async function sumOfRecords(trx: Db, budget: BudgetRow, sinceMs: number): Promise<number> {
  const ofScope =
    budget.scope === 'organization'
      ? sql`true`
      : budget.scope === 'project' || budget.scope === 'tier'
        ? sql`project_number = ${budget.project_number}`
        : sql`project_number = ${budget.project_number} and key_uid in (select uid from key where lineage = ${budget.lineage} union select ${budget.lineage})`
  const firstBlock = new BlockClock().blockOf(sinceMs)
  let sum = 0n
  for (const block of await listBlocks(trx)) {
    if (block < firstBlock) break
    const { rows } = await sql<{ nanos: string }>`
      select cast(coalesce(sum(cost_nanos), 0) as text) as nanos from ${sql.table(recordTable(block))}
      where ${ofScope} and start_time >= ${sinceMs} and outcome in ('posted', 'estimated')`.execute(trx)
    sum += BigInt(rows[0]?.nanos ?? 0)
  }
  return Math.min(Number(sum), CAP_NANOS_MAX)
}
