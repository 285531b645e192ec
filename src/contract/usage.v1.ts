/** Usage reports: of a project, or of all that the caller may look into. */
import { z } from 'zod'
import { USAGE_DIMENSIONS, USAGE_GRANULARITIES, USAGE_ORDERS } from '../domain/usage.ts'
import { endpoint } from './endpoint.ts'
import { Time } from './fields.ts'

const UsageTotalsJson = z
  .object({
    calls: z.number(),
    errors: z.number().meta({ description: 'Calls that were answered with a status of 400 or above.' }),
    estimated: z.number().meta({ description: 'Calls whose usage was not seen and had to be estimated.' }),
    promptTokens: z.number(),
    cachedTokens: z.number(),
    toolUsePromptTokens: z.number(),
    candidatesTokens: z.number(),
    thoughtsTokens: z.number(),
    totalTokens: z.number(),
    requestBytes: z.number(),
    responseBytes: z.number(),
    costNanos: z.string().meta({ description: 'What the calls cost, nano-dollars, decimal.' }),
    unpriced: z.number().meta({ description: 'Calls without a known price: costNanos leaves them out.' }),
    imageTokens: z
      .number()
      .meta({ description: 'Of prompts and candidates, as the other modalities. The rest of them is text.' }),
    audioTokens: z.number(),
    videoTokens: z.number(),
    documentTokens: z.number(),
    durationMs: z.number().meta({ description: 'Of all calls together: divided by calls it is their mean.' }),
    durationMaxMs: z
      .number()
      .meta({ description: 'Of the longest call; in an `other` row, of the whole bucket.' }),
  })
  .meta({ id: 'UsageTotals' })

const UsageReport = z
  .object({
    project: z
      .string()
      .optional()
      .meta({ description: 'Absent: every project that the caller may look into.' }),
    startTime: Time,
    endTime: Time,
    granularity: z.enum(USAGE_GRANULARITIES),
    groupBy: z.array(z.enum(USAGE_DIMENSIONS)),
    rows: z.array(
      UsageTotalsJson.extend({
        project: z.string().optional(),
        keyUid: z.string().optional(),
        keyId: z.string().optional().meta({ description: 'Absent once the key is purged.' }),
        keyDisplayName: z.string().optional(),
        environment: z.string().optional().meta({
          description:
            'Of the key, without keys in groupBy as it was when the calls were counted. Empty: none.',
        }),
        model: z.string().optional(),
        method: z.string().optional(),
        status: z.int().optional().meta({ description: 'The HTTP status that callers were given.' }),
        time: Time.optional(),
        other: z
          .boolean()
          .optional()
          .meta({ description: 'What is in none of the groups that `limit` left.' }),
      }).meta({ id: 'UsageRow' }),
    ),
  })
  .meta({ id: 'UsageReport' })

const UsageQueryFields = z.object({
  model: z.string().optional().meta({ description: 'Of calls that asked for this model.' }),
  status: z.int().optional().meta({ description: 'Of calls that were answered with this HTTP status.' }),
  startTime: Time.optional().meta({ description: 'Absent: the start of the current month, UTC.' }),
  endTime: Time.optional().meta({ description: 'Exclusive. Absent: now.' }),
  granularity: z.enum(USAGE_GRANULARITIES).optional().meta({ description: 'Absent: day.' }),
  groupBy: z
    .array(z.enum(USAGE_DIMENSIONS))
    .optional()
    .meta({ description: 'Comma-separated or repeated. Absent: key and model.' }),
  limit: z
    .int()
    .optional()
    .meta({
      description:
        'So many of the groups, 1 to 50, those that count most over the whole interval; what the others add up to is in ' +
        'rows with `other`. Absent: all, or FIELD_INVALID where they are too many.',
    }),
  orderBy: z
    .enum(USAGE_ORDERS)
    .optional()
    .meta({ description: 'What counts for limit; latency is the mean of a call. Absent: cost.' }),
})
const OneKey = z.string().optional().meta({ description: 'Id or uid of one key.' })

/** Part of /pollux/v1 (pollux.v1.ts). */
export const USAGE_ENDPOINTS = {
  getUsage: endpoint({
    id: 'pollux.v1.usage.get',
    method: 'GET',
    path: '/pollux/v1/projects/{project}/usage',
    permission: 'pollux.usage.get',
    query: UsageQueryFields.extend({ key: OneKey }),
    body: null,
    response: UsageReport,
    errors: ['RESOURCE_NOT_FOUND'],
    audit: null,
    summary: 'Sums of calls and tokens. The interval is widened to whole buckets of the granularity.',
  }),
  searchUsage: endpoint({
    id: 'pollux.v1.usage.search',
    method: 'GET',
    path: '/pollux/v1/usage',
    permission: 'pollux.usage.get',
    resource: 'filtered',
    query: UsageQueryFields.extend({
      project: z.string().optional().meta({ description: 'Id or number of one project.' }),
      key: OneKey.meta({ description: 'Id or uid of one key of the project.' }),
    }),
    body: null,
    response: UsageReport,
    errors: ['RESOURCE_NOT_FOUND'],
    audit: null,
    summary: 'The same over every project in which the caller may look at usage, or over one of them.',
  }),
} as const
