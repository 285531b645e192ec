/** Budgets. Locks are taken in the order budget, row, allotment, epoch. */
import type { AuditEntry } from '../domain/audit.ts'
import type { Budget, BudgetStatus } from '../domain/budget.ts'
import { CAP_NANOS_MAX } from '../domain/budget.ts'
import { ApiError, invalidField } from '../domain/error.ts'
import { openBudgets } from './budget-opening.ts'
import { selectWithCurrentRow, statusOf } from './budget-period.ts'
import type { BudgetRow } from './budget-row.ts'
import { budgetOf, changesOf } from './budget-row.ts'
import type { Committer, Outcome } from './commit.ts'
import type { Engine } from './engine.ts'
import { requireLineage } from './key-row.ts'
import { newEtag, requireEtag } from './etag.ts'
import { requireProject } from './projects.ts'
import type { Db } from './schema.ts'
import type { BudgetDraft, BudgetOfRow, BudgetPatch, BudgetQuery, BudgetStore, Target } from './storage.ts'

export class Budgets implements BudgetStore {
  readonly #engine: Engine
  readonly #committer: Committer
  readonly #timeZone: string

  constructor(engine: Engine, committer: Committer, timeZone: string) {
    this.#engine = engine
    this.#committer = committer
    this.#timeZone = timeZone
  }

  async create(draft: BudgetDraft, audit: AuditEntry): Promise<BudgetStatus> {
    requireCap(draft.capNanos)
    return await this.#committer.commit({ audit, operation: null }, async (trx, nowMs, spent) => {
      await requirePlace(trx, draft)
      const [budget] = await openBudgets(trx, [draft], { nowMs, timeZone: this.#timeZone, spent })
      if (budget === undefined) throw new Error('a budget was asked for and none was made')
      return await this.#outcomeOf(trx, budget, nowMs)
    })
  }

  async list(query: BudgetQuery): Promise<readonly BudgetStatus[]> {
    const nowMs = await this.#engine.nowMs(this.#engine.db)
    let rows = selectWithCurrentRow(this.#engine.db, this.#timeZone, nowMs)
    if (query.scope !== undefined) rows = rows.where('budget.scope', '=', query.scope)
    if (query.projectNumber !== undefined)
      rows = rows.where('budget.project_number', '=', query.projectNumber)
    if (query.lineage !== undefined) rows = rows.where('budget.lineage', '=', query.lineage)
    if (query.period !== undefined) rows = rows.where('budget.period', '=', query.period)
    return (await rows.execute()).map(row => statusOf(row, this.#timeZone, nowMs))
  }

  async ofRows(rowIds: readonly number[]): Promise<readonly BudgetOfRow[]> {
    if (rowIds.length === 0) return []
    const rows = await this.#engine.db
      .selectFrom('budget_period')
      .innerJoin('budget', 'budget.uid', 'budget_period.budget_uid')
      .selectAll('budget')
      .select(['budget_period.id', 'budget_period.period_start'])
      .where('budget_period.id', 'in', rowIds)
      .orderBy('budget_period.id')
      .execute()
    return rows.map(row => ({ rowId: row.id, periodStartMs: row.period_start, budget: budgetOf(row) }))
  }

  async update(target: Target, patch: BudgetPatch, audit: AuditEntry): Promise<BudgetStatus> {
    const { capNanos, policy, defaultMaxOutputTokens, toolCeilingsNanos } = patch
    if (capNanos !== undefined) requireCap(capNanos)
    return await this.#change(target, audit, {
      ...(capNanos === undefined ? {} : { cap: capNanos }),
      ...(policy === undefined ? {} : { policy }),
      ...(defaultMaxOutputTokens === undefined ? {} : { default_max_output_tokens: defaultMaxOutputTokens }),
      ...(toolCeilingsNanos === undefined ? {} : { tool_ceilings: JSON.stringify(toolCeilingsNanos) }),
    })
  }

  async acknowledge(target: Target, audit: AuditEntry): Promise<BudgetStatus> {
    return await this.#change(target, audit, { frozen_time: null })
  }

  async delete(target: Target, audit: AuditEntry): Promise<void> {
    await this.#committer.commit({ audit, operation: null }, async (trx, nowMs) => {
      const row = await updateBudget(trx, target, { delete_time: nowMs, update_time: nowMs })
      return { result: row.uid, changes: await changesOf(trx, [row]), resource: budgetOf(row) }
    })
  }

  async #change(target: Target, audit: AuditEntry, columns: Partial<BudgetRow>): Promise<BudgetStatus> {
    return await this.#committer.commit({ audit, operation: null }, async (trx, nowMs) => {
      const row = await updateBudget(trx, target, { ...columns, update_time: nowMs })
      if (columns.frozen_time === null) {
        await trx
          .updateTable('budget_period')
          .set(period => ({ acknowledged: period.ref('overrun') }))
          .where('budget_uid', '=', row.uid)
          .execute()
      }
      return await this.#outcomeOf(trx, row, nowMs)
    })
  }

  async #outcomeOf(trx: Db, budget: BudgetRow, nowMs: number): Promise<Outcome<BudgetStatus>> {
    const row = await selectWithCurrentRow(trx, this.#timeZone, nowMs)
      .where('budget.uid', '=', budget.uid)
      .executeTakeFirstOrThrow()
    return {
      result: statusOf(row, this.#timeZone, nowMs),
      changes: await changesOf(trx, [budget]),
      resource: budgetOf(budget),
    }
  }
}

/** Sums of money stay below 2^53 as long as no cap passes its bound, whatever the control plane let through. */
function requireCap(capNanos: number): void {
  if (Number.isSafeInteger(capNanos) && capNanos >= 0 && capNanos <= CAP_NANOS_MAX) return
  throw invalidField('budget.cap', `use whole nano-dollars from 0 to ${CAP_NANOS_MAX}`)
}

/** RESOURCE_NOT_FOUND unless the project, or a key of the lineage in it, exists; deleted ones do until they are purged. */
async function requirePlace(trx: Db, { scope, projectNumber, lineage }: BudgetDraft): Promise<void> {
  const isComplete = (projectNumber !== null) === (scope !== 'organization')
  if (!isComplete || (lineage !== null) !== (scope === 'key')) {
    throw new Error(`a budget of scope ${scope} cannot hang on project ${projectNumber}, lineage ${lineage}`)
  }
  if (projectNumber !== null) await requireProject(trx, projectNumber)
  if (lineage !== null) await requireLineage(trx, projectNumber ?? '', lineage)
}

async function updateBudget(trx: Db, target: Target, columns: Partial<BudgetRow>): Promise<BudgetRow> {
  let update = trx
    .updateTable('budget')
    .set({ ...columns, etag: newEtag() })
    .where('uid', '=', target.id)
    .where('delete_time', 'is', null)
  if (target.etag !== null) update = update.where('etag', '=', target.etag)
  const row = await update.returningAll().executeTakeFirst()
  if (row === undefined) throw await refusal(trx, target)
  return row
}

async function refusal(trx: Db, target: Target): Promise<Error> {
  const row = await trx
    .selectFrom('budget')
    .selectAll()
    .where('uid', '=', target.id)
    .where('delete_time', 'is', null)
    .executeTakeFirst()
  if (row === undefined) {
    return new ApiError(
      'RESOURCE_NOT_FOUND',
      'The budget does not exist or was deleted. List the budgets to see which there are.',
    )
  }
  const name = nameOf(budgetOf(row))
  requireEtag(name, row.etag, target.etag)
  return new ApiError('STATE_CONFLICT', `${name} was changed by somebody else just now. Try again.`)
}

function nameOf({ scope, period, projectNumber }: Budget): string {
  const place = projectNumber === null ? '' : ` in projects/${projectNumber}`
  return `The ${period} budget of the ${scope}${place}`
}
