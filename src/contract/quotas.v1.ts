/** Rate limits and tiers. A limit is told apart by its metric and model, so that it needs no id. */
import { z } from 'zod'
import { ALLOWED_TOOLS } from '../domain/key.ts'
import { QUOTA_METRICS } from '../domain/quota.ts'
import { REFUSAL_REASONS } from '../domain/refused-call.ts'
import { endpoint } from './endpoint.ts'
import { NO_QUERY, Time, UpdateMask, outputOnly } from './fields.ts'

const MODEL_TEXT =
  'A model id after alias; `*`: each model without a limit of its own, counted apart; absent: all models together.'
const Metric = z.enum(QUOTA_METRICS)

const QuotaLimit = z
  .object({
    metric: Metric,
    model: z.string().optional().meta({ description: MODEL_TEXT }),
    value: z
      .string()
      .meta({ description: 'Decimal. 0 lets nothing through; -1: no limit, where a wider one would apply.' }),
  })
  .meta({ id: 'QuotaLimit' })

const PlacedLimit = QuotaLimit.extend({
  source: z.enum(['project', 'tier', 'key']).meta({ description: 'Whose limit it is.' }),
  key: z.string().optional().meta({ description: 'The id of the key, for a limit of one.' }),
}).meta({ id: 'PlacedQuotaLimit' })

/** What is missing in it is told by the handler, after what is missing on the path. */
const QuotaLimitInput = QuotaLimit.partial().meta({ id: 'QuotaLimitInput' })
const MISSING = ['RESOURCE_NOT_FOUND'] as const

/** The limits of one parent: setting and removing them. */
function limitEndpoints<const Parent extends string>(
  parent: Parent,
  { plural, scope }: { readonly plural: string; readonly scope: string },
) {
  const collection = `/pollux/v1/${parent}/quotaLimits` as const
  const id = `pollux.v1.${plural}.quotaLimits`
  const audit = (verb: string): string => `pollux.v1.Quotas.${verb}${scope}QuotaLimit`
  return {
    setQuotaLimit: endpoint({
      id: `${id}.set`,
      method: 'POST',
      path: `${collection}:set`,
      permission: 'pollux.quotas.update',
      query: NO_QUERY,
      body: QuotaLimitInput,
      response: QuotaLimit,
      errors: [...MISSING, 'RESOURCE_QUOTA_EXCEEDED'],
      audit: audit('Set'),
      summary: 'Makes or changes the limit of a metric and model. It binds the next call.',
    }),
    unsetQuotaLimit: endpoint({
      id: `${id}.unset`,
      method: 'POST',
      path: `${collection}:unset`,
      permission: 'pollux.quotas.update',
      query: NO_QUERY,
      body: QuotaLimitInput,
      response: z.object({}),
      errors: MISSING,
      audit: audit('Unset'),
      summary: "Removes the limit of a metric and model. A project's tier may have one of its own for it.",
    }),
  } as const
}

export const PROJECT_QUOTAS_V1 = limitEndpoints('projects/{project}', {
  plural: 'projects',
  scope: 'Project',
})
export const KEY_QUOTAS_V1 = limitEndpoints('projects/{project}/keys/{key}', { plural: 'keys', scope: 'Key' })

const QuotaUsage = z
  .object({
    scope: z.enum(['project', 'key']),
    key: z.string().optional(),
    metric: Metric,
    model: z.string().optional().meta({ description: 'The model that is counted. Absent: all together.' }),
    limit: z.string(),
    used: z.string().meta({ description: 'In the current window; tokens of open calls at their bound.' }),
    resetTime: Time.optional().meta({ description: 'Absent for concurrent calls.' }),
  })
  .meta({ id: 'QuotaUsage' })

const QuotaRefusals = z
  .object({
    reason: z.enum(REFUSAL_REASONS).meta({
      description:
        'RATE_LIMIT_EXCEEDED: a limit of the project or key. SPEND_HELD: other calls held what was left of a budget. ' +
        'UPSTREAM: Google answered 429.',
    }),
    scope: z.enum(['project', 'key']).optional().meta({ description: 'Whose limit it was.' }),
    metric: Metric.optional(),
    model: z.string().optional().meta({ description: 'Absent: none, or one of too many to be told apart.' }),
    key: z.string().optional().meta({ description: 'The id of the key; its uid when it was purged.' }),
    keyDisplayName: z.string().optional(),
    calls: z.int().meta({ description: 'A call that two limits refused counts for both.' }),
    lastTime: Time.meta({ description: 'Of the newest of them.' }),
  })
  .meta({ id: 'QuotaRefusals' })

export const QUOTAS_V1 = {
  listQuotaLimits: endpoint({
    id: 'pollux.v1.projects.quotaLimits.list',
    method: 'GET',
    path: '/pollux/v1/projects/{project}/quotaLimits',
    permission: 'pollux.quotas.get',
    query: NO_QUERY,
    body: null,
    response: z.object({ tier: z.string().optional(), limits: z.array(PlacedLimit) }),
    errors: MISSING,
    audit: null,
    summary:
      'Lists every limit of a project: its own, those of its tier that are in force, and those of its keys.',
  }),
  getQuotaUsage: endpoint({
    id: 'pollux.v1.projects.getQuotaUsage',
    method: 'GET',
    path: '/pollux/v1/projects/{project}/quotaUsage',
    permission: 'pollux.quotas.get',
    query: NO_QUERY,
    body: null,
    response: z.object({ project: z.string(), counters: z.array(QuotaUsage) }),
    errors: MISSING,
    audit: null,
    summary: 'Tells how far each limit is used now, for models with a limit of their own or calls today.',
  }),
  getQuotaRefusals: endpoint({
    id: 'pollux.v1.projects.getQuotaRefusals',
    method: 'GET',
    path: '/pollux/v1/projects/{project}/quotaRefusals',
    permission: 'pollux.quotas.get',
    query: z.object({
      startTime: Time.optional().meta({ description: 'Default: 24 hours ago. Counted by whole hours.' }),
      endTime: Time.optional().meta({ description: 'Default: now.' }),
    }),
    body: null,
    response: z.object({
      project: z.string(),
      startTime: Time,
      endTime: Time,
      refusals: z.array(QuotaRefusals),
    }),
    errors: MISSING,
    audit: null,
    summary:
      'Counts the calls of the last seven days at most that were answered 429, by what refused them; the 500 largest.',
  }),
} as const

const Tier = z
  .object({
    name: outputOnly(z.string()),
    displayName: z.string().optional(),
    quotaIdSuffix: z
      .string()
      .optional()
      .meta({ description: 'What ends the quota ids in refusals, e.g. PaidTier2.' }),
    limits: z.array(QuotaLimit).optional().meta({ description: 'Each is counted by project.' }),
    allowedModels: z
      .array(z.string())
      .nullish()
      .meta({ description: 'Model ids or prefix*. null: every model.' }),
    allowedMethods: z
      .array(z.string())
      .nullish()
      .meta({ description: 'As the methods of an API target of a key. null: every method.' }),
    allowedTools: z
      .array(z.enum(ALLOWED_TOOLS))
      .nullish()
      .meta({ description: 'null: every tool; []: none.' }),
    spendCap: z.string().nullish().meta({
      description:
        'What each project of the tier may spend in a month, nano-dollars, decimal. It is a budget of the project, of scope tier. null: no cap.',
    }),
    priceFactor: z.string().nullish().meta({
      description:
        'What its projects are charged is the price times this, rounded up to a nano-dollar: a decimal, 0.0001 to 100. null: 1.',
    }),
    isShipped: outputOnly(z.boolean()),
    source: outputOnly(z.string()).optional(),
    etag: z.string().optional(),
    createTime: outputOnly(Time).optional(),
    updateTime: outputOnly(Time).optional(),
  })
  .meta({ id: 'Tier' })

const TIER = '/pollux/v1/tiers/{tier}'

export const TIERS_V1 = {
  listTiers: endpoint({
    id: 'pollux.v1.tiers.list',
    method: 'GET',
    path: '/pollux/v1/tiers',
    permission: 'pollux.tiers.get',
    query: NO_QUERY,
    body: null,
    response: z.object({ tiers: z.array(Tier) }),
    errors: [],
    audit: null,
    summary: "Lists the shipped tiers and the operator's own.",
  }),
  getTier: endpoint({
    id: 'pollux.v1.tiers.get',
    method: 'GET',
    path: TIER,
    permission: 'pollux.tiers.get',
    query: NO_QUERY,
    body: null,
    response: Tier,
    errors: MISSING,
    audit: null,
    summary: 'Reads a tier.',
  }),
  updateTier: endpoint({
    id: 'pollux.v1.tiers.patch',
    method: 'PATCH',
    path: TIER,
    permission: 'pollux.tiers.update',
    stepUp: true,
    query: z.object({
      updateMask: UpdateMask,
      allowMissing: z.boolean().optional().meta({ description: 'Make the tier if there is none.' }),
    }),
    body: Tier.partial().meta({ id: 'TierInput' }),
    response: Tier,
    errors: [...MISSING, 'ETAG_MISMATCH', 'MASK_INVALID'],
    audit: 'pollux.v1.Tiers.UpdateTier',
    summary:
      'Makes or changes a tier. A change of a shipped one is kept as a tier of the same id, which replaces it.',
  }),
  deleteTier: endpoint({
    id: 'pollux.v1.tiers.delete',
    method: 'DELETE',
    path: TIER,
    permission: 'pollux.tiers.delete',
    stepUp: true,
    query: z.object({ etag: z.string().optional() }),
    body: null,
    response: z.object({}),
    errors: [...MISSING, 'ETAG_MISMATCH', 'STATE_CONFLICT'],
    audit: 'pollux.v1.Tiers.DeleteTier',
    summary: 'Removes a tier that no project has. The shipped tier of the same id, if there is one, is back.',
  }),
} as const
