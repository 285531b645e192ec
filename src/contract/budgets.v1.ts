/**
 * Budgets and the ledger (MONEY.md). A budget's id is its period, so that a name says all there can be only one of:
 * `organizations/1/budgets/month`, `projects/P/budgets/day`, `projects/P/keys/K/budgets/total`. The three collections are
 * one function of their parent.
 */
import { z } from 'zod'
import { BUDGET_PERIODS, BUDGET_POLICIES, BUDGET_SCOPES, UNBOUNDED_TOOLS } from '../domain/budget.ts'
import { CAP_HIT_REASONS } from '../domain/cap-hit.ts'
import { endpoint } from './endpoint.ts'
import { NO_QUERY, Time, UpdateMask, outputOnly } from './fields.ts'

const nanos = (description: string) =>
  z.string().meta({ description: `${description} Nano-dollars, decimal.` })

const Budget = z
  .object({
    name: outputOnly(z.string()),
    scope: outputOnly(z.enum(BUDGET_SCOPES)),
    project: outputOnly(z.string()).optional(),
    key: outputOnly(z.string()).optional(),
    tier: outputOnly(
      z.string().meta({ description: 'Of scope tier: the tier whose spend cap it is. Change it there.' }),
    ).optional(),
    period: z.enum(BUDGET_PERIODS).meta({
      description:
        'Days and months of the organization. Fixed: it is the id, but for the cap of a tier, whose id is `tier`.',
    }),
    cap: nanos('What may be spent in one period. Below what is posted it stops all spending.'),
    policy: z
      .enum(BUDGET_POLICIES)
      .meta({ description: 'What becomes of a call whose worst case does not fit. New budgets: clamp.' }),
    defaultMaxOutputTokens: z
      .int()
      .nullish()
      .meta({ description: "The output limit of calls that name none. null: the model's own." }),
    // Any name is taken here and judged by domain/budget-fields.ts: zod's refusal would repeat it.
    toolCeilings: z
      .record(z.string(), z.string())
      .optional()
      .meta({
        description: `The most one call may spend on a tool without a bound (${UNBOUNDED_TOOLS.join(', ')}), nano-dollars by tool. A tool that is left out is refused.`,
      }),
    state: outputOnly(z.enum(['ACTIVE', 'FROZEN', 'EXHAUSTED'])),
    posted: outputOnly(nanos('Spent in the current period.')),
    allotted: outputOnly(nanos('Held for calls that have not settled.')),
    overrun: outputOnly(nanos('Spent above what calls had held and what still fitted.')),
    free: outputOnly(nanos('What is neither posted nor allotted.')),
    periodStartTime: outputOnly(Time),
    periodEndTime: outputOnly(Time).optional(),
    etag: z.string(),
    createTime: outputOnly(Time),
    updateTime: outputOnly(Time),
  })
  .meta({ id: 'Budget' })

const BudgetInput = Budget.partial().meta({ id: 'BudgetInput' })
const BudgetList = z.object({ budgets: z.array(Budget) })
const EtagBody = z.object({ etag: z.string().optional() })
const EtagQuery = z.object({ etag: z.string().optional() })

/** The table of one collection. `parent` is the template of its parent, `scope` the word for it in method names. */
function budgetEndpoints<const Parent extends string>(
  parent: Parent,
  { plural, scope }: { readonly plural: string; readonly scope: string },
) {
  const collection = `/pollux/v1/${parent}/budgets` as const
  const budget = `${collection}/{budget}` as const
  const id = `pollux.v1.${plural}.budgets`
  const changed = ['RESOURCE_NOT_FOUND', 'ETAG_MISMATCH'] as const
  const audit = (verb: string): string => `pollux.v1.Budgets.${verb}${scope}Budget`
  return {
    listBudgets: endpoint({
      id: `${id}.list`,
      method: 'GET',
      path: collection,
      permission: 'pollux.budgets.list',
      query: NO_QUERY,
      body: null,
      response: BudgetList,
      errors: ['RESOURCE_NOT_FOUND'],
      audit: null,
      summary: 'Lists the budgets of exactly this parent: at most one for each period.',
    }),
    getBudget: endpoint({
      id: `${id}.get`,
      method: 'GET',
      path: budget,
      permission: 'pollux.budgets.get',
      query: NO_QUERY,
      body: null,
      response: Budget,
      errors: ['RESOURCE_NOT_FOUND'],
      audit: null,
      summary: 'Reads a budget with the balance of its current period.',
    }),
    createBudget: endpoint({
      id: `${id}.create`,
      method: 'POST',
      path: collection,
      permission: 'pollux.budgets.create',
      query: z.object({ budgetId: z.enum(BUDGET_PERIODS).optional().meta({ description: 'The period.' }) }),
      body: BudgetInput,
      response: Budget,
      errors: ['RESOURCE_NOT_FOUND', 'ALREADY_EXISTS'],
      audit: audit('Create'),
      summary: 'Makes a budget. It opens with what its current period has cost so far.',
    }),
    updateBudget: endpoint({
      id: `${id}.patch`,
      method: 'PATCH',
      path: budget,
      permission: 'pollux.budgets.update',
      stepUp: true,
      query: z.object({
        updateMask: UpdateMask,
        allowMissing: z.boolean().optional().meta({ description: 'Make the budget if there is none.' }),
      }),
      body: BudgetInput,
      response: Budget,
      errors: [...changed, 'MASK_INVALID'],
      audit: audit('Update'),
      summary: 'Changes a budget. A cap below what is posted is accepted: it stops all spending.',
    }),
    deleteBudget: endpoint({
      id: `${id}.delete`,
      method: 'DELETE',
      path: budget,
      permission: 'pollux.budgets.delete',
      stepUp: true,
      query: EtagQuery,
      body: null,
      response: z.object({}),
      errors: changed,
      audit: audit('Delete'),
      summary: 'Removes a budget. What it booked stays, and is verified.',
    }),
    acknowledgeBudget: endpoint({
      id: `${id}.acknowledge`,
      method: 'POST',
      path: `${budget}:acknowledge`,
      permission: 'pollux.budgets.update',
      stepUp: true,
      query: NO_QUERY,
      body: EtagBody,
      response: Budget,
      errors: changed,
      audit: audit('Acknowledge'),
      summary: 'Ends the freeze after an overrun. Idempotent.',
    }),
  } as const
}

export const ORGANIZATION_BUDGETS_V1 = budgetEndpoints('organizations/{organization}', {
  plural: 'organizations',
  scope: 'Organization',
})
export const PROJECT_BUDGETS_V1 = budgetEndpoints('projects/{project}', {
  plural: 'projects',
  scope: 'Project',
})
export const KEY_BUDGETS_V1 = budgetEndpoints('projects/{project}/keys/{key}', {
  plural: 'keys',
  scope: 'Key',
})

const Verification = z
  .object({
    rowsChecked: z.number(),
    recordsChecked: z.number(),
    overruns: z.number().meta({ description: 'Rows with an overrun that nobody has acknowledged.' }),
    drifts: z.array(
      z.object({
        budget: z.string().meta({ description: 'The name of the budget; its uid once it is deleted.' }),
        rowId: z.number(),
        periodStartTime: Time,
        what: z.enum(['posted', 'allotted', 'overrun']),
        booked: nanos('What the budget says.'),
        expected: nanos('What its records and allotments say.'),
      }),
    ),
  })
  .meta({ id: 'Verification' })

const CapHit = z
  .object({
    budget: z.string().meta({ description: 'Its name, also after it was deleted.' }),
    scope: z.enum(BUDGET_SCOPES),
    project: z.string().optional(),
    key: z.string().optional(),
    tier: z.string().optional(),
    period: z.enum(BUDGET_PERIODS),
    periodStartTime: Time,
    reason: z
      .enum(CAP_HIT_REASONS)
      .meta({ description: 'As calls were told. SPEND_HELD: other calls held what was left.' }),
    calls: z.number(),
    firstTime: Time,
    lastTime: Time,
    lastProject: z.string().optional().meta({ description: 'Of the last refused call.' }),
    lastKey: z.string().optional(),
    lastCallId: z.string(),
  })
  .meta({ id: 'CapHit' })

export const LEDGER_V1 = {
  searchBudgets: endpoint({
    id: 'pollux.v1.budgets.list',
    method: 'GET',
    path: '/pollux/v1/budgets',
    permission: 'pollux.budgets.list',
    resource: 'filtered',
    query: z.object({
      project: z.string().optional().meta({ description: 'Id or number. Absent: the organization.' }),
      key: z.string().optional().meta({ description: 'Id or uid of a key of the project.' }),
      path: z.boolean().optional().meta({
        description:
          'The budgets that bind calls there, i.e. its own and those above, instead of those below.',
      }),
    }),
    body: null,
    response: BudgetList,
    errors: ['RESOURCE_NOT_FOUND'],
    audit: null,
    summary: 'Lists every budget of the organization, a project or a key, and of all that is below.',
  }),
  searchCapHits: endpoint({
    id: 'pollux.v1.capHits.list',
    method: 'GET',
    path: '/pollux/v1/capHits',
    permission: 'pollux.budgets.list',
    resource: 'filtered',
    query: z.object({
      project: z.string().optional().meta({ description: 'Id or number. Absent: the organization.' }),
      key: z.string().optional().meta({ description: 'Id or uid of a key of the project.' }),
    }),
    body: null,
    response: z.object({ capHits: z.array(CapHit) }),
    errors: ['RESOURCE_NOT_FOUND'],
    audit: null,
    summary:
      'Lists which budgets refused calls, by period and reason, the last first: at most 200, of the last 400 days.',
  }),
  verifyLedger: endpoint({
    id: 'pollux.v1.ledger.verify',
    method: 'POST',
    path: '/pollux/v1/ledger:verify',
    permission: 'pollux.ledger.verify',
    query: NO_QUERY,
    body: z.object({}),
    response: Verification,
    errors: [],
    audit: null,
    summary: 'Recomputes every budget from its records and tells where they differ. Changes nothing.',
  }),
} as const
