/** The budgets of one parent: the same six methods for the organization, a project and a key. */
import { PROJECT_BUDGETS_V1 } from '../contract/budgets.v1.ts'
import type { BodyOf } from '../contract/endpoint.ts'
import type { BudgetPeriod, BudgetStatus } from '../domain/budget.ts'
import {
  assertDefaultMaxOutputTokens,
  parseBudgetPeriod,
  parseCap,
  parseToolCeilings,
} from '../domain/budget-fields.ts'
import { ApiError, invalidField } from '../domain/error.ts'
import { parseMask } from '../domain/field-mask.ts'
import { shownName } from '../domain/redaction.ts'
import type { BudgetDraft, BudgetPatch, Storage, Target } from '../storage/storage.ts'
import { auditEntry, budgetAuditState } from './audit.ts'
import { permit } from './authorize.ts'
import { type BudgetJson, budgetJson, inOrder } from './budget-json.ts'
import {
  type BudgetPlace,
  TIER_BUDGET_ID,
  budgetName,
  budgetsAt,
  parentName,
  requirePlace,
  tierPlace,
} from './budget-places.ts'
import type { AnyCall, ManagementCall } from './call.ts'
import { emptyToNull, presentFields } from './parse.ts'

type Table = typeof PROJECT_BUDGETS_V1
type BudgetBody = BodyOf<Table['createBudget']>

/** A call to one of the three collections: which one is told by the parameters of its path. */
type BudgetCall<Name extends keyof Table> = Omit<ManagementCall<Table[Name]>, 'params'> & {
  readonly params: Readonly<Record<string, string>>
}

const MUTABLE = ['cap', 'policy', 'defaultMaxOutputTokens', 'toolCeilings'] as const
type MutableField = (typeof MUTABLE)[number]

/** The handlers of all three collections. */
export function budgetHandlers(storage: Storage) {
  return {
    async listBudgets(call: BudgetCall<'listBudgets'>) {
      const place = await requirePlace(storage, call.params, call)
      const places = place.scope === 'project' ? [place, tierPlace(place)] : [place]
      const found = places.map(async place =>
        (await storage.budgets.list(budgetsAt(place))).map(status => budgetJson(status, place)),
      )
      return { budgets: (await Promise.all(found)).flat().sort(inOrder) }
    },
    async getBudget(call: BudgetCall<'getBudget'>) {
      const { place, status } = await requireBudget(storage, call)
      return budgetJson(status, place)
    },
    async createBudget(call: BudgetCall<'createBudget'>) {
      const place = await requirePlace(storage, call.params, call)
      const period = periodOf(call.query.budgetId, call.body)
      return budgetJson(await createBudget(storage, call, { place, period }), place)
    },
    updateBudget: (call: BudgetCall<'updateBudget'>) => updateBudget(storage, call),
    async deleteBudget(call: BudgetCall<'deleteBudget'>) {
      const { place, status } = await requireBudget(storage, call)
      refuseOfTier(place)
      const audit = budgetAudit(call, { name: budgetName(place, status.period), before: status, after: null })
      await storage.budgets.delete(targetOf(status, call.query.etag), audit)
      return {}
    },
    async acknowledgeBudget(call: BudgetCall<'acknowledgeBudget'>) {
      const { place, status } = await requireBudget(storage, call)
      const after = { ...status, frozenTimeMs: null }
      const audit = budgetAudit(call, { name: budgetName(place, status.period), before: status, after })
      return budgetJson(await storage.budgets.acknowledge(targetOf(status, call.body.etag), audit), place)
    },
  }
}

interface Named {
  readonly place: BudgetPlace
  readonly period: BudgetPeriod
}

/** Changes the fields of the mask. `allowMissing` makes the budget where there is none, whatever the mask (AIP-134). */
async function updateBudget(storage: Storage, call: BudgetCall<'updateBudget'>): Promise<BudgetJson> {
  const { query, body } = call
  const fields = parseMask(query.updateMask, MUTABLE, presentFields(body))
  const { place, period } = namedBy(await requirePlace(storage, call.params, call), call.params)
  refuseOfTier(place)
  if (period === null && query.allowMissing === true) throw invalidField('name', PERIODS_TEXT)
  if (period === null) throw budgetMissing(place, call.params['budget'] ?? '')
  periodOf(period, body)
  const change = { place, period, fields }
  const found = await findBudget(storage, change)
  if (found !== null) return await patchBudget(storage, call, { ...change, status: found })
  if (query.allowMissing !== true) throw budgetMissing(place, period)
  permit(call.principal, PROJECT_BUDGETS_V1.createBudget, place.projectNumber)
  if (emptyToNull(body.etag) !== null) {
    throw new ApiError(
      'ETAG_MISMATCH',
      `Budget ${budgetName(place, period)} does not exist, so it has no etag.`,
    )
  }
  try {
    return budgetJson(await createBudget(storage, call, { place, period }), place)
  } catch (error) {
    // Somebody else made it in between: then there is one to change.
    const status = isAlreadyExists(error) ? await findBudget(storage, change) : null
    if (status === null) throw error
    return await patchBudget(storage, call, { ...change, status })
  }
}

async function patchBudget(
  storage: Storage,
  call: BudgetCall<'updateBudget'>,
  change: Named & { readonly fields: ReadonlySet<MutableField>; readonly status: BudgetStatus },
): Promise<BudgetJson> {
  const { place, period, status } = change
  const patch = readFields(call.body, change.fields)
  const name = budgetName(place, period)
  const audit = budgetAudit(call, { name, before: status, after: { ...status, ...patch } })
  return budgetJson(await storage.budgets.update(targetOf(status, call.body.etag), patch, audit), place)
}

async function createBudget(
  storage: Storage,
  call: AnyCall & { readonly body: BudgetBody },
  { place, period }: Named,
): Promise<BudgetStatus> {
  const { scope, projectNumber, lineage } = place
  const draft = { scope, projectNumber, lineage, period, ...readFields(call.body, new Set(MUTABLE)) }
  const audit = budgetAudit(call, { name: budgetName(place, period), before: null, after: draft })
  return await storage.budgets.create(draft, audit)
}

async function requireBudget(
  storage: Storage,
  call: AnyCall,
): Promise<{ readonly place: BudgetPlace; readonly status: BudgetStatus }> {
  const { place, period } = namedBy(await requirePlace(storage, call.params, call), call.params)
  const status = period === null ? null : await findBudget(storage, { place, period })
  if (status === null) throw budgetMissing(place, call.params['budget'] ?? '')
  return { place, status }
}

/** What the id of a path names there; period null: nothing. */
function namedBy(
  place: BudgetPlace,
  { budget = '' }: Readonly<Record<string, string>>,
): { readonly place: BudgetPlace; readonly period: BudgetPeriod | null } {
  if (budget === TIER_BUDGET_ID && place.scope === 'project')
    return { place: tierPlace(place), period: 'month' }
  return { place, period: parseBudgetPeriod(budget) }
}

/** The cap of a tier follows the tier, which would change it back. */
function refuseOfTier({ scope, tier }: BudgetPlace): void {
  if (scope !== 'tier') return
  throw new ApiError(
    'STATE_CONFLICT',
    `This is the spend cap of the project's tier. Change tiers/${tier ?? ''}, or give the project another tier; a budget ` +
      'of its own binds beside it.',
  )
}

async function findBudget(storage: Storage, { place, period }: Named): Promise<BudgetStatus | null> {
  const [status = null] = await storage.budgets.list({ ...budgetsAt(place), period })
  return status
}

function budgetMissing(place: BudgetPlace, id: string): ApiError {
  const parent = parentName(place)
  return new ApiError(
    'RESOURCE_NOT_FOUND',
    `Budget '${shownName(id)}' does not exist in ${parent}. List the budgets to see all.`,
  )
}

const PERIODS_TEXT = 'the id of a budget is its period: month, day or total'

/** The period of a new budget, by its id or its field, which may not contradict each other. */
function periodOf(id: BudgetPeriod | undefined, { period }: BudgetBody): BudgetPeriod {
  const chosen = id ?? period
  if (chosen === undefined) throw invalidField('budgetId', PERIODS_TEXT)
  if (period !== undefined && period !== chosen) {
    throw invalidField('budget.period', `must be ${chosen}: ${PERIODS_TEXT}`)
  }
  return chosen
}

function isAlreadyExists(error: unknown): boolean {
  return error instanceof ApiError && error.reason === 'ALREADY_EXISTS'
}

function targetOf({ uid }: BudgetStatus, etag: string | undefined): Target {
  return { id: uid, etag: emptyToNull(etag) }
}

function budgetAudit(
  call: AnyCall,
  {
    name,
    before,
    after,
  }: { readonly name: string; readonly before: BudgetStatus | null; readonly after: BudgetDraft | null },
) {
  return auditEntry(call, {
    resourceName: name,
    projectNumber: (before ?? after)?.projectNumber ?? null,
    before: before === null ? null : budgetAuditState(before),
    after: after === null ? null : budgetAuditState(after),
  })
}

/** The validated values of `fields`; a field that the body leaves out gets the value of a new budget. */
function readFields(body: BudgetBody, fields: ReadonlySet<MutableField>): Required<BudgetPatch> {
  const readers: { readonly [F in MutableField]: () => BudgetPatch } = {
    cap: () => ({ capNanos: parseCap(body.cap ?? '') }),
    policy: () => ({ policy: body.policy ?? 'clamp' }),
    defaultMaxOutputTokens: () => ({ defaultMaxOutputTokens: outputTokens(body.defaultMaxOutputTokens) }),
    toolCeilings: () => ({ toolCeilingsNanos: parseToolCeilings(body.toolCeilings ?? {}) }),
  }
  return Object.assign({}, ...[...fields].map(field => readers[field]())) as Required<BudgetPatch>
}

function outputTokens(tokens: number | null | undefined): number | null {
  if (tokens === null || tokens === undefined) return null
  assertDefaultMaxOutputTokens(tokens)
  return tokens
}
