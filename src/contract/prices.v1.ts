/**
 * Prices: what a model costs at a time, and what the operator set. A price is written as in `prices/prices.json` and in the
 * operator's file: dollars per million tokens by modality, so that a row can be copied from one place to another.
 */
import { z } from 'zod'
import { BILLED_UNITS, FEE_TOOLS, MODALITIES, PRICED_TIERS } from '../domain/price.ts'
import { endpoint } from './endpoint.ts'
import { NO_QUERY, Time, outputOnly } from './fields.ts'

const rates = (of: string) =>
  z
    .strictObject(
      Object.fromEntries(MODALITIES.map(modality => [modality, z.number().optional()])) as Record<
        (typeof MODALITIES)[number],
        z.ZodOptional<z.ZodNumber>
      >,
    )
    .optional()
    .meta({ description: `${of}, dollars per million tokens by modality.` })

const factor = (of: string) =>
  z
    .number()
    .optional()
    .meta({ description: `What ${of} costs, as a multiple of standard. Absent: it has no known price.` })

const ToolFee = z.strictObject({
  usdPer1000: z.number().optional(),
  unit: z.string().optional().meta({ description: '`groundedPrompt`: once per call; else every query.' }),
  freePerDay: z.int().optional().meta({ description: 'Told only: the first unit is charged.' }),
  freePerMonth: z.int().optional(),
  usdPerMTok: z.number().optional(),
})

const FIELDS = {
  input: rates('Prompt tokens'),
  cached: rates('Prompt tokens out of a cache'),
  output: rates('Output; thoughts cost what text does'),
  inputOver200k: rates('The same of prompts above 200,000 tokens'),
  cachedOver200k: rates('The same of prompts above 200,000 tokens'),
  outputOver200k: rates('The same of prompts above 200,000 tokens'),
  cacheStoragePerMTokenHour: z
    .number()
    .optional()
    .meta({ description: 'Dollars for a million tokens that an explicit cache keeps for an hour.' }),
  batchFactor: factor('batch'),
  flexFactor: factor('flex'),
  priorityFactor: factor('priority'),
  tools: z
    .record(z.string(), ToolFee)
    .optional()
    .meta({ description: `Fees beside tokens: ${FEE_TOOLS.join(', ')}.` }),
  perUnit: z
    .record(z.string(), z.number())
    .optional()
    .meta({ description: `Dollars by the piece: ${BILLED_UNITS.join(', ')}.` }),
  perUnitKind: z
    .enum(['billed', 'equivalent', 'approximate'])
    .optional()
    .meta({ description: '`billed`: pieces are billed and tokens are not. Else tokens are.' }),
  source: z.string().max(500).optional(),
  note: z.string().max(500).optional(),
} as const

const PriceFields = z.strictObject(FIELDS).meta({ id: 'PriceFields' })

/** One row of the operator's file: as in `prices/prices.json`, whose further fields are read and left alone. */
export const PriceFileRow = z.strictObject({
  model: z.string(),
  aliases: z.array(z.string()).optional(),
  effectiveFrom: z.string().nullable(),
  ...FIELDS,
  freeTier: z.boolean().optional(),
  shutdown: z.string().optional(),
  sourceDate: z.string().optional(),
})

/** As they are computed with: pico-dollars, decimal. */
const picos = (description: string) => z.record(z.string(), z.string()).meta({ description })

const Lines = z.object({
  input: picos('Pico-dollars per prompt token by modality; what is missing has no known price.'),
  cached: picos('Pico-dollars per cached token by modality.'),
  output: picos('Pico-dollars per output token by modality.'),
})

const Price = z
  .object({
    model: z.string(),
    origin: z
      .enum(['shipped', 'package', 'file', 'operator'])
      .meta({ description: "Our list, @pydantic/genai-prices, the operator's file, or a price override." }),
    startTime: Time.optional().meta({
      description: 'When it came into force; absent: before any date known.',
    }),
    endTime: Time.optional().meta({ description: 'When another price follows.' }),
    isPriced: z
      .boolean()
      .meta({ description: 'false: what is known of it says nothing exact; refused under a budget.' }),
    fields: PriceFields.meta({
      description:
        'The price as it is written. In the hours in which a date has begun in some time zones only, the later row.',
    }),
    tiers: z
      .partialRecord(
        z.enum(PRICED_TIERS),
        z.object({
          ...Lines.shape,
          over200k: Lines.optional().meta({ description: 'For the whole of a call with a longer prompt.' }),
          storage: z.string().optional().meta({ description: 'Pico-dollars per token and hour.' }),
        }),
      )
      .optional()
      .meta({ description: 'What calls are charged at, by service tier. Not in lists.' }),
  })
  .meta({ id: 'Price' })

const PriceOverride = z
  .object({
    name: outputOnly(z.string()).meta({ readOnly: true, description: '`priceOverrides/<id>`' }),
    model: z.string().meta({ description: 'Exact id, without `models/`.' }),
    effectiveTime: Time.optional().meta({
      description: "From when on it holds, until the model's next one. Absent: now.",
    }),
    price: PriceFields.meta({ description: 'The whole price: what is left out has no price.' }),
    createTime: outputOnly(Time),
    laterPrices: outputOnly(z.array(z.object({ startTime: Time, fields: PriceFields })))
      .optional()
      .meta({
        readOnly: true,
        description:
          'Prices that the lists have for the model later, and that this one holds over until the next override: none of ' +
          'its lines follows them. Absent: there are none.',
      }),
  })
  .meta({ id: 'PriceOverride' })

const PriceOverrideInput = PriceOverride.partial({ name: true, createTime: true }).meta({
  id: 'PriceOverrideInput',
})

const AtQuery = z.object({ at: Time.optional().meta({ description: 'Absent: now.' }) })

export const PRICES_V1 = {
  listPrices: endpoint({
    id: 'pollux.v1.prices.list',
    method: 'GET',
    path: '/pollux/v1/prices',
    permission: 'pollux.prices.list',
    // What models cost is no project's secret: who may read it in one may read it.
    resource: 'filtered',
    query: AtQuery,
    body: null,
    response: z.object({ atTime: Time, prices: z.array(Price) }),
    errors: [],
    audit: null,
    summary: 'Lists what every model costs at a time.',
  }),
  getPrice: endpoint({
    id: 'pollux.v1.prices.get',
    method: 'GET',
    path: '/pollux/v1/prices/{model}',
    permission: 'pollux.prices.get',
    resource: 'filtered',
    query: AtQuery,
    body: null,
    response: Price,
    errors: ['RESOURCE_NOT_FOUND'],
    audit: null,
    summary: 'Reads what a model costs at a time.',
  }),
  listPriceOverrides: endpoint({
    id: 'pollux.v1.priceOverrides.list',
    method: 'GET',
    path: '/pollux/v1/priceOverrides',
    permission: 'pollux.priceOverrides.list',
    query: NO_QUERY,
    body: null,
    response: z.object({ priceOverrides: z.array(PriceOverride) }),
    errors: [],
    audit: null,
    summary: 'Lists the prices that were set here, by model and time.',
  }),
  createPriceOverride: endpoint({
    id: 'pollux.v1.priceOverrides.create',
    method: 'POST',
    path: '/pollux/v1/priceOverrides',
    permission: 'pollux.priceOverrides.create',
    stepUp: true,
    query: NO_QUERY,
    body: PriceOverrideInput,
    response: PriceOverride,
    errors: ['ALREADY_EXISTS', 'RESOURCE_QUOTA_EXCEEDED'],
    audit: 'pollux.v1.Prices.CreatePriceOverride',
    summary:
      'Sets the price of a model from a time on. Calls that are let in from then on are charged at it.',
  }),
  deletePriceOverride: endpoint({
    id: 'pollux.v1.priceOverrides.delete',
    method: 'DELETE',
    path: '/pollux/v1/priceOverrides/{priceOverride}',
    permission: 'pollux.priceOverrides.delete',
    stepUp: true,
    query: NO_QUERY,
    body: null,
    response: z.object({}),
    errors: ['RESOURCE_NOT_FOUND'],
    audit: 'pollux.v1.Prices.DeletePriceOverride',
    summary: 'Removes a price that was set here: what it was laid over holds again.',
  }),
} as const
