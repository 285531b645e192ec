/** Budgets as rows, how those of a key are found, and whom a change of one is told to. */
import type { Selectable } from 'kysely'
import type { Budget, BudgetPeriod, BudgetPolicy, BudgetScope } from '../domain/budget.ts'
import type { BudgetTable, Db } from './schema.ts'
import type { Change } from './storage.ts'

export type BudgetRow = Selectable<BudgetTable>

/** The budget a row stands for. */
export function budgetOf(row: BudgetRow): Budget {
  return {
    uid: row.uid,
    scope: row.scope as BudgetScope,
    projectNumber: row.project_number === '' ? null : row.project_number,
    lineage: row.lineage === '' ? null : row.lineage,
    period: row.period as BudgetPeriod,
    capNanos: row.cap,
    policy: row.policy as BudgetPolicy,
    defaultMaxOutputTokens: row.default_max_output_tokens,
    toolCeilingsNanos: JSON.parse(row.tool_ceilings) as Budget['toolCeilingsNanos'],
    frozenTimeMs: row.frozen_time,
    etag: row.etag,
    createTimeMs: row.create_time,
    updateTimeMs: row.update_time,
  }
}

/** Every budget in force on the path of a key: its own, its project's, that of the project's tier, the organization's (MONEY.md rule 2). */
// oxlint-disable-next-line typescript/explicit-module-boundary-types -- Kysely's builder type is the inferred one
export function selectPath(db: Db, key: { readonly project_number: string; readonly lineage: string }) {
  const { project_number: project, lineage } = key
  const at = (scope: BudgetScope, where: { readonly project_number: string; readonly lineage: string }) =>
    db
      .selectFrom('budget')
      .selectAll()
      .where(row => row.and({ scope, ...where }))
      .where('delete_time', 'is', null)
  // Not one `or`: SQLite would read every budget there is.
  return at('organization', { project_number: '', lineage: '' })
    .unionAll(at('project', { project_number: project, lineage: '' }))
    .unionAll(at('tier', { project_number: project, lineage: '' }))
    .unionAll(at('key', { project_number: project, lineage }))
}

/** What a change of these budgets touches: every key of the lineage, the project, or everything. */
export async function changesOf(
  db: Db,
  budgets: readonly Pick<BudgetRow, 'scope' | 'project_number' | 'lineage'>[],
): Promise<readonly Change[]> {
  if (budgets.some(budget => budget.scope === 'organization')) return [{ kind: 'all' }]
  const projects = budgets.filter(({ scope }) => scope === 'project' || scope === 'tier')
  const changes: Change[] = projects.map(budget => ({
    kind: 'project',
    projectNumber: budget.project_number,
  }))
  const lineages = budgets.filter(budget => budget.scope === 'key').map(budget => budget.lineage)
  if (lineages.length === 0) return changes
  const keys = await db.selectFrom('key').select('uid').where('lineage', 'in', lineages).execute()
  return [...changes, ...keys.map(({ uid }) => ({ kind: 'key', keyUid: uid }) as const)]
}
