/** Calls one by one: what the usage record of each says. */
import { z } from 'zod'
import { OUTCOMES } from '../domain/usage.ts'
import { endpoint } from './endpoint.ts'
import { PageQuery, Time } from './fields.ts'

const Nanos = z.string().regex(/^\d+$/).meta({ description: 'Nano-dollars, decimal.' })

const ModalityCounts = z.array(z.object({ modality: z.string(), tokenCount: z.number() }))

/** To the microsecond; the duration and the first byte are whole milliseconds. */
const Moment = z.number().optional()

const CallJson = z
  .object({
    name: z.string().meta({ description: '`projects/{number}/calls/{id}`' }),
    callId: z.string().meta({ description: 'The request id: x-request-id of the reply.' }),
    startTime: Time,
    durationMs: z.number().meta({ description: 'From the start until its usage was known and booked.' }),
    receivedMs: Moment.meta({
      description: 'From the start until its key was known and its body read. Absent: not measured.',
    }),
    admittedMs: Moment.meta({
      description:
        'From the start until it was let in: until its limits and budgets had room. Absent: not measured.',
    }),
    firstByteMs: z
      .number()
      .optional()
      .meta({ description: "From the start to the upstream's first byte. Absent: none came." }),
    lastByteMs: Moment.meta({
      description:
        "From the start to the upstream's last byte. Absent: its answer did not end, or that was not measured.",
    }),
    projectId: z.string().optional().meta({ description: 'Absent once the project is purged.' }),
    keyUid: z.string(),
    keyId: z.string().optional().meta({ description: 'Absent once the key is purged.' }),
    keyDisplayName: z.string().optional(),
    method: z.string(),
    model: z
      .string()
      .meta({ description: 'The one asked for, after alias. Empty where the method has none.' }),
    modelVersion: z.string().optional().meta({ description: 'The one that answered.' }),
    outcome: z.enum(OUTCOMES).meta({
      description:
        'posted: answered with its usage. unmetered: nothing is billed for it. void: refused by the upstream or never sent. estimated: its usage was not seen.',
    }),
    httpStatus: z.number().meta({ description: 'What the caller was given; 499: it left first.' }),
    promptTokens: z.number(),
    cachedTokens: z.number(),
    toolUsePromptTokens: z.number(),
    candidatesTokens: z.number(),
    thoughtsTokens: z.number(),
    totalTokens: z.number(),
    tokenDetails: z
      .object({
        prompt: ModalityCounts,
        cached: ModalityCounts,
        toolUsePrompt: ModalityCounts,
        candidates: ModalityCounts,
      })
      .optional(),
    serviceTier: z.string().optional(),
    requestBytes: z.number(),
    responseBytes: z.number(),
    costNanos: Nanos.optional().meta({ description: 'Absent: no price is known.' }),
    priceFactor: z.string().optional().meta({
      description: "The factor of its project's tier that is in its cost, a decimal. Absent: 1.",
    }),
    heldNanos: Nanos.meta({ description: 'The worst case that was reserved on its budgets.' }),
    postedNanos: Nanos.meta({ description: 'What of the cost was posted to them.' }),
    clampedOutputTokens: z.number().optional().meta({ description: 'The output limit it was lowered to.' }),
  })
  .meta({ id: 'Call' })

/** A line of a budget's books: what the call reserved and what was posted for it. */
const LedgerLine = z
  .object({
    budget: z.string(),
    periodStartTime: Time,
    heldNanos: Nanos,
    postedNanos: Nanos,
    freedNanos: Nanos.meta({ description: 'What was held and not posted: free again.' }),
  })
  .meta({ id: 'LedgerLine' })

const FILTER = {
  project: z.string().optional().meta({ description: 'Id or number. Absent: all one may look into.' }),
  key: z.string().optional().meta({ description: 'Id or uid of one key of the project.' }),
  model: z.string().optional().meta({ description: 'The one asked for, after alias.' }),
  method: z.string().optional().meta({ description: 'Bare name, e.g. GenerateContent.' }),
  outcome: z.enum(OUTCOMES).optional(),
  status: z
    .string()
    .regex(/^[1-5](?:\d\d|xx)$/i, 'must be an HTTP status such as 429, or a class of them such as 4xx')
    .optional()
    .meta({ description: 'An HTTP status, or a class such as 4xx.' }),
}

export const CALLS_V1 = {
  listCalls: endpoint({
    id: 'pollux.v1.calls.list',
    method: 'GET',
    path: '/pollux/v1/calls',
    permission: 'pollux.usage.get',
    resource: 'filtered',
    query: PageQuery.extend({
      ...FILTER,
      callId: z.string().optional(),
      startTime: Time.optional(),
      endTime: Time.optional().meta({ description: 'Exclusive.' }),
    }),
    body: null,
    response: z.object({ calls: z.array(CallJson), nextPageToken: z.string().optional() }),
    errors: ['RESOURCE_NOT_FOUND'],
    audit: null,
    summary:
      'Lists calls that were let in, newest first. A page looks at a bounded number of them, so it may be short, or empty, and not be the last.',
  }),
  tailCalls: endpoint({
    id: 'pollux.v1.calls.tail',
    method: 'GET',
    path: '/pollux/v1/calls:tail',
    permission: 'pollux.usage.get',
    resource: 'filtered',
    query: z.object({
      ...FILTER,
      tailToken: z
        .string()
        .optional()
        .meta({ description: 'Of the reply before. Absent: from now on, so there are no calls yet.' }),
    }),
    body: null,
    response: z.object({ calls: z.array(CallJson), tailToken: z.string() }),
    errors: ['RESOURCE_NOT_FOUND'],
    audit: null,
    summary:
      'Lists the calls that ended since the reply before, oldest first, each once. Ask again for more.',
  }),
  getCall: endpoint({
    id: 'pollux.v1.calls.get',
    method: 'GET',
    path: '/pollux/v1/projects/{project}/calls/{call}',
    permission: 'pollux.usage.get',
    query: z.object({
      startTime: Time.optional().meta({
        description: 'Of the call, if known: then it is found however long ago it was.',
      }),
    }),
    body: null,
    response: CallJson.extend({ ledger: z.array(LedgerLine) }).meta({ id: 'CallWithLedger' }),
    errors: ['RESOURCE_NOT_FOUND'],
    audit: null,
    summary: 'Reads a call by its request id, with what it did to each budget that bound it.',
  }),
} as const
