/**
 * The caps of tiers: each project of a tier with a spend cap has a budget of scope `tier`, by month, which the ledger keeps
 * like any other. It follows in the transaction that changes the tier or gives a project another one, so that there is no
 * moment in which they differ.
 */
import type { AuditEntry } from '../domain/audit.ts'
import type { Budget } from '../domain/budget.ts'
import { type Opening, openBudgets } from './budget-opening.ts'
import { type BudgetRow, budgetOf } from './budget-row.ts'
import { newEtag } from './etag.ts'
import type { Db } from './schema.ts'

/** What made the budgets follow. */
export interface TierCause extends Opening {
  /** The entry of the change itself: those of the budgets say the same of who and why. */
  readonly audit: AuditEntry
}

/**
 * Brings the budgets to what the tiers say now: of the projects of a tier, or of one project. Gives an audit entry for each
 * that was made, changed or removed. Removing one and making it again changes nothing of what it holds: a new one opens with
 * the records of the month.
 */
export async function followTiers(
  trx: Db,
  which: { readonly tier: string } | { readonly projectNumber: string },
  cause: TierCause,
): Promise<readonly AuditEntry[]> {
  let query = trx
    .selectFrom('project')
    .leftJoin('tier', 'tier.id', 'project.tier')
    .leftJoin('budget', join =>
      join
        .onRef('budget.project_number', '=', 'project.number')
        .on('budget.scope', '=', 'tier')
        .on('budget.delete_time', 'is', null),
    )
    .select(['project.number', 'tier.spend_cap as wanted', 'budget.uid', 'budget.cap'])
    .where('project.purge_time', 'is', null)
  query =
    'tier' in which
      ? query.where('project.tier', '=', which.tier)
      : query.where('project.number', '=', which.projectNumber)
  const entries: AuditEntry[] = []
  // Those that are there in the order in which everybody locks them.
  for (const { uid, cap, wanted } of await query.orderBy('budget.uid').execute()) {
    if (uid !== null && cap !== wanted) entries.push(await changeCap(trx, { uid, wanted }, cause))
  }
  const unmade = (await query.orderBy('project.number').execute()).flatMap(({ number, uid, wanted }) =>
    uid !== null || wanted === null ? [] : { ...DRAFT, projectNumber: number, capNanos: wanted },
  )
  const made = await openBudgets(trx, unmade, cause)
  entries.push(...made.map(budget => entryOf(cause, null, budgetOf(budget))))
  return entries
}

const DRAFT = {
  scope: 'tier',
  lineage: null,
  period: 'month',
  policy: 'clamp',
  defaultMaxOutputTokens: null,
  toolCeilingsNanos: {},
} as const

async function changeCap(
  trx: Db,
  { uid, wanted }: { readonly uid: string; readonly wanted: number | null },
  cause: TierCause,
): Promise<AuditEntry> {
  const { nowMs } = cause
  const before = await trx.selectFrom('budget').selectAll().where('uid', '=', uid).executeTakeFirstOrThrow()
  const columns: Partial<BudgetRow> = wanted === null ? { delete_time: nowMs } : { cap: wanted }
  const after = await trx
    .updateTable('budget')
    .set({ ...columns, etag: newEtag(), update_time: nowMs })
    .where('uid', '=', uid)
    .returningAll()
    .executeTakeFirstOrThrow()
  return entryOf(cause, budgetOf(before), wanted === null ? null : budgetOf(after))
}

function entryOf({ audit }: TierCause, before: Budget | null, after: Budget | null): AuditEntry {
  const projectNumber = (before ?? after)?.projectNumber ?? null
  return {
    ...audit,
    insertId: crypto.randomUUID(),
    methodName: 'pollux.v1.Budgets.FollowTier',
    resourceName: `projects/${projectNumber ?? ''}/budgets/tier`,
    projectNumber,
    request: null,
    before,
    after,
  }
}
