/** Cost above what calls had held: kept beside what is posted, and every budget it hit is frozen (MONEY.md rule 19). */
import { type AuditEntry, systemEntry } from '../domain/audit.ts'
import type { RowOverrun } from './append-queue.ts'
import type { BudgetRow } from './budget-row.ts'
import { budgetOf } from './budget-row.ts'
import { newEtag } from './etag.ts'
import type { Db } from './schema.ts'

/** The live budgets of the rows. */
export async function budgetsOfRows(db: Db, rowIds: readonly number[]): Promise<readonly BudgetRow[]> {
  if (rowIds.length === 0) return []
  return await db
    .selectFrom('budget')
    .selectAll()
    .where('delete_time', 'is', null)
    .where('uid', 'in', row => row.selectFrom('budget_period').select('budget_uid').where('id', 'in', rowIds))
    .orderBy('uid')
    .execute()
}

/** Adds the overruns to their rows and freezes the budgets; what the audit trail has to say of each. */
export async function postOverruns(
  trx: Db,
  overruns: readonly RowOverrun[],
  nowMs: number,
): Promise<readonly AuditEntry[]> {
  const entries: AuditEntry[] = []
  for (const found of await budgetsOfRows(
    trx,
    overruns.map(({ rowId }) => rowId),
  )) {
    const frozen = await trx
      .updateTable('budget')
      .set({ frozen_time: nowMs, update_time: nowMs, etag: newEtag() })
      .where('uid', '=', found.uid)
      .where('frozen_time', 'is', null)
      .returningAll()
      .executeTakeFirst()
    if (frozen === undefined) continue
    const [before, after] = [budgetOf(found), budgetOf(frozen)]
    const entry = systemEntry({
      methodName: 'pollux.v1.Budgets.FreezeBudget',
      resourceName: `budgets/${after.uid}`,
      projectNumber: after.projectNumber,
    })
    entries.push({ ...entry, before, after })
  }
  for (const { rowId, nanos } of overruns.toSorted((left, right) => left.rowId - right.rowId)) {
    await trx
      .updateTable('budget_period')
      .set(row => ({ overrun: row('overrun', '+', nanos) }))
      .where('id', '=', rowId)
      .execute()
  }
  return entries
}
