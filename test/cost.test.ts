/**
 * What real and published replies cost by the shipped price list: `usageMetadata` as Google sends it, read as the gateway
 * reads it. Every case names where its numbers come from; rates stand in the comment as dollars per million tokens.
 */
import { describe, expect, test } from 'vitest'
import { SERVED_PLAINLY, type Served, costOf } from '../src/domain/cost.ts'
import { NO_USAGE } from '../src/domain/usage.ts'
import { readReply } from '../src/gateway/read-usage.ts'
import { loadPrices } from '../src/prices.ts'

const prices = loadPrices()
const NOW = '2026-11-21T00:00:00Z'

interface Case {
  readonly of: string
  readonly source: string
  readonly model: string
  readonly at?: string
  readonly usage: Readonly<Record<string, unknown>>
  readonly served?: Partial<Served>
  /** Null: unpriced. */
  readonly nanos: number | null
}

const by = (named: Readonly<Record<string, number>>): { modality: string; tokenCount: number }[] =>
  Object.entries(named).map(([modality, tokenCount]) => ({ modality, tokenCount }))

const text: Case[] = [
  {
    of: 'prompt, answer and thoughts of a real call',
    source: 'gemini-wire 2.7, real sample of 2026-09-02; 0.75 / 3.75',
    model: 'gemini-3.6-flash',
    usage: {
      promptTokenCount: 1376,
      candidatesTokenCount: 1639,
      thoughtsTokenCount: 2132,
      totalTokenCount: 5147,
      serviceTier: 'standard',
    },
    nanos: 15_173_250,
  },
  {
    of: 'a prompt alone (blocked)',
    source: '2.7: blocked prompts return usage; 2.00',
    model: 'gemini-4-argon',
    usage: { promptTokenCount: 10 },
    nanos: 20_000,
  },
  {
    of: 'a million tokens each way',
    source: '6.2 argon 2.00 / 10.00',
    model: 'gemini-4-argon',
    usage: { promptTokenCount: 1_000_000, candidatesTokenCount: 1_000_000 },
    nanos: 12_000_000_000,
  },
  {
    of: 'carbon',
    source: '6.2 carbon 2.00 / 10.00',
    model: 'gemini-4-carbon',
    usage: { promptTokenCount: 1000, candidatesTokenCount: 1000 },
    nanos: 12_000_000,
  },
  {
    of: 'hydrogen, flat above 200,000',
    source: '6.2 hydrogen 1.50 / 7.50 flat to 1M',
    model: 'gemini-4-hydrogen',
    usage: { promptTokenCount: 300_000, candidatesTokenCount: 100 },
    nanos: 450_750_000,
  },
  {
    of: '3.5 Flash',
    source: '6.2: 1.50 / 9.00',
    model: 'gemini-3.5-flash',
    usage: { promptTokenCount: 100, candidatesTokenCount: 100 },
    nanos: 1_050_000,
  },
  {
    of: '3.5 Flash-Lite',
    source: '6.2: 0.30 / 2.50',
    model: 'gemini-3.5-flash-lite',
    usage: { promptTokenCount: 1, candidatesTokenCount: 1 },
    nanos: 2_800,
  },
  {
    of: '2.5 Flash-Lite, a single token',
    source: '6.2: 0.10',
    model: 'gemini-2.5-flash-lite',
    usage: { promptTokenCount: 1 },
    nanos: 100,
  },
  {
    of: 'thoughts alone, at the output price',
    source: '6.1: thinking is billed at the output price; 7.50',
    model: 'gemini-4-hydrogen',
    usage: { thoughtsTokenCount: 1000 },
    nanos: 7_500_000,
  },
  {
    of: 'nothing at all',
    source: '2.7: zero-valued fields are omitted',
    model: 'gemini-4-argon',
    usage: {},
    nanos: 0,
  },
  {
    of: 'a model that is free only',
    source: '6.2: gemma-4 free only, a known zero',
    model: 'gemma-4-31b-it',
    usage: { promptTokenCount: 5000, candidatesTokenCount: 900 },
    nanos: 0,
  },
  {
    of: 'an embedding',
    source: '6.3: gemini-embedding-001 0.15',
    model: 'gemini-embedding-001',
    usage: { promptTokenCount: 7 },
    nanos: 1_050,
  },
  {
    of: 'a model only the package has',
    source: '@pydantic/genai-prices 0.1.8: gemini-2.0-flash 0.10 / 0.40',
    model: 'gemini-2.0-flash',
    usage: { promptTokenCount: 10, candidatesTokenCount: 10 },
    nanos: 5_000,
  },
]

const cached: Case[] = [
  {
    of: 'cached tokens are part of the prompt',
    source: '2.7 cost formula; argon 2.00, cached 0.10',
    model: 'gemini-4-argon',
    usage: { promptTokenCount: 10_000, cachedContentTokenCount: 8_000, candidatesTokenCount: 100 },
    nanos: 5_800_000,
  },
  {
    of: 'a prompt cached whole',
    source: '6.1: 5 % on gemini-4',
    model: 'gemini-4-hydrogen',
    usage: { promptTokenCount: 6_000, cachedContentTokenCount: 6_000 },
    nanos: 450_000,
  },
  {
    of: 'a tenth of the input price',
    source: '6.2: 3.8 Flash 0.75, cached 0.075',
    model: 'gemini-3.8-flash',
    usage: { promptTokenCount: 5_000, cachedContentTokenCount: 4_096 },
    nanos: 985_200,
  },
  {
    of: 'cached tokens at priority',
    source: '6.6: priority also multiplies cached; 3.8 Flash 0.075 x 1.8',
    model: 'gemini-3.8-flash',
    usage: { promptTokenCount: 3, cachedContentTokenCount: 3, serviceTier: 'priority' },
    nanos: 405,
  },
  {
    of: 'cached audio',
    source: '6.2: 2.5 Flash audio 1.00, cached audio 0.10, cached text 0.03',
    model: 'gemini-2.5-flash',
    usage: {
      promptTokenCount: 3_000,
      cachedContentTokenCount: 1_500,
      promptTokensDetails: by({ TEXT: 1_000, AUDIO: 2_000 }),
      cacheTokensDetails: by({ TEXT: 500, AUDIO: 1_000 }),
    },
    nanos: 1_265_000,
  },
  {
    of: 'no cached price: no discount',
    source: '6.3: 2.5 Flash Image, no caching; 0.30',
    model: 'gemini-2.5-flash-image',
    usage: { promptTokenCount: 100, cachedContentTokenCount: 100 },
    nanos: 30_000,
  },
]

const toolPrompts: Case[] = [
  {
    of: 'tool-use prompt tokens are input beside the prompt',
    source: '2.7: not inside promptTokenCount; 3.8 Flash 0.75 / 3.75',
    model: 'gemini-3.8-flash',
    usage: { promptTokenCount: 100, toolUsePromptTokenCount: 900, candidatesTokenCount: 10 },
    nanos: 787_500,
  },
  {
    of: 'tool-use prompt tokens do not make a prompt long',
    source: '6.1: the test uses promptTokenCount; 3.1 Pro 2.00',
    model: 'gemini-3.1-pro-preview',
    usage: { promptTokenCount: 150_000, toolUsePromptTokenCount: 100_000 },
    nanos: 500_000_000,
  },
  {
    of: 'pictures a tool brought',
    source: '2.7 toolUsePromptTokensDetails; 2.5 Flash audio 1.00, image 0.30',
    model: 'gemini-2.5-flash',
    usage: { toolUsePromptTokenCount: 300, toolUsePromptTokensDetails: by({ IMAGE: 200, AUDIO: 100 }) },
    nanos: 160_000,
  },
]

const long: Case[] = [
  {
    of: 'exactly 200,000: still short',
    source: '6.1: when the prompt exceeds 200,000; 2.5 Pro 1.25 / 10.00',
    model: 'gemini-2.5-pro',
    usage: { promptTokenCount: 200_000, candidatesTokenCount: 1_000 },
    nanos: 260_000_000,
  },
  {
    of: '200,001: the whole request at the higher rate',
    source: '6.1; 2.5 Pro 2.50 / 15.00',
    model: 'gemini-2.5-pro',
    usage: { promptTokenCount: 200_001, candidatesTokenCount: 1_000 },
    nanos: 515_002_500,
  },
  {
    of: 'cached tokens count for the test and cost more too',
    source: '6.1; 3.1 Pro 4.00 / 18.00, cached 0.40',
    model: 'gemini-3.1-pro-preview',
    usage: {
      promptTokenCount: 250_000,
      cachedContentTokenCount: 200_000,
      candidatesTokenCount: 500,
      thoughtsTokenCount: 500,
    },
    nanos: 298_000_000,
  },
  {
    of: 'a model id beside its alias',
    source: '6.2: 3.1 Pro (+customtools)',
    model: 'gemini-3.1-pro-preview-customtools',
    usage: { promptTokenCount: 200_001 },
    nanos: 800_004_000,
  },
  {
    of: 'a package model with a tier from 200,000',
    source: '@pydantic/genai-prices 0.1.8: gemini-3-pro-preview 4 / 18',
    model: 'gemini-3-pro-preview',
    usage: { promptTokenCount: 200_001, candidatesTokenCount: 1 },
    nanos: 800_022_000,
  },
  {
    of: 'flex on a long prompt',
    source: '6.1: half; 2.5 Pro long 2.50 / 15.00, cached at standard 0.25',
    model: 'gemini-2.5-pro',
    usage: {
      promptTokenCount: 300_000,
      cachedContentTokenCount: 100_000,
      candidatesTokenCount: 1_000,
      serviceTier: 'flex',
    },
    nanos: 282_500_000,
  },
]

const tiers: Case[] = [
  {
    of: 'flex halves input and output',
    source: '6.1; 3.8 Flash batch and flex 0.375 / 1.875 (6.2)',
    model: 'gemini-3.8-flash',
    usage: { promptTokenCount: 1_000, candidatesTokenCount: 1_000, serviceTier: 'flex' },
    nanos: 2_250_000,
  },
  {
    of: 'flex leaves cached at the standard price',
    source: '6.1, 2.5 rows of 2026-09-27; 2.5 Flash 0.30, cached 0.03',
    model: 'gemini-2.5-flash',
    usage: { promptTokenCount: 2_000, cachedContentTokenCount: 1_000, serviceTier: 'FLEX' },
    nanos: 180_000,
  },
  {
    of: 'priority',
    source: '6.1: 3.7 Flash 1.35 / 6.75',
    model: 'gemini-3.7-flash',
    usage: { promptTokenCount: 1_000, candidatesTokenCount: 1_000, serviceTier: 'priority' },
    nanos: 8_100_000,
  },
  {
    of: 'priority, cached',
    source: '6.1: 2.5 Flash 0.54 / 4.50, cached 0.054',
    model: 'gemini-2.5-flash',
    usage: {
      promptTokenCount: 2_000,
      cachedContentTokenCount: 1_000,
      candidatesTokenCount: 100,
      serviceTier: 'priority',
    },
    nanos: 1_044_000,
  },
  {
    of: 'priority of 2.5 Flash-Lite',
    source: '6.1: 0.18 / 0.72, cached 0.018',
    model: 'gemini-2.5-flash-lite',
    usage: {
      promptTokenCount: 2_000,
      cachedContentTokenCount: 1_000,
      candidatesTokenCount: 1_000,
      serviceTier: 'priority',
    },
    nanos: 918_000,
  },
  {
    of: 'priority that was served as standard',
    source: '2.7: a downgraded request is billed standard',
    model: 'gemini-3.7-flash',
    usage: { promptTokenCount: 1_000, serviceTier: 'standard' },
    served: { tier: 'priority' },
    nanos: 750_000,
  },
  {
    of: 'the tier by the header alone',
    source: '2.7: x-gemini-service-tier',
    model: 'gemini-3.7-flash',
    usage: { promptTokenCount: 1_000 },
    served: { tier: 'priority' },
    nanos: 1_350_000,
  },
  {
    of: 'unspecified',
    source: '2.7: unspecified is standard',
    model: 'gemini-3.7-flash',
    usage: { promptTokenCount: 1_000, serviceTier: 'unspecified' },
    nanos: 750_000,
  },
  {
    of: 'batch',
    source: '6.2: 3.8 Flash batch 0.375 / 1.875',
    model: 'gemini-3.8-flash',
    usage: { promptTokenCount: 1_000, candidatesTokenCount: 1_000 },
    served: { tier: 'batch' },
    nanos: 2_250_000,
  },
  {
    of: 'priority where no such price is listed',
    source: 'prices.json: gemini-4-argon has no priorityFactor',
    model: 'gemini-4-argon',
    usage: { promptTokenCount: 1, serviceTier: 'priority' },
    nanos: null,
  },
  {
    of: 'a tier nobody knows',
    source: '2.8: never free',
    model: 'gemini-3.8-flash',
    usage: { promptTokenCount: 1, serviceTier: 'express' },
    nanos: null,
  },
]

const dated: Case[] = [
  {
    of: 'the last moment before December begins anywhere',
    source: '6.2 argon 2.00 until 2026-11-30; rule 18',
    model: 'gemini-4-argon',
    at: '2026-11-30T09:59:59.999Z',
    usage: { promptTokenCount: 1_000, candidatesTokenCount: 1_000 },
    nanos: 12_000_000,
  },
  {
    of: 'December begins at UTC+14',
    source: '6.2 argon then 4.00 / 20.00; rule 18',
    model: 'gemini-4-argon',
    at: '2026-11-30T10:00:00.000Z',
    usage: { promptTokenCount: 1_000, candidatesTokenCount: 1_000 },
    nanos: 24_000_000,
  },
  {
    of: 'December has begun everywhere',
    source: '6.2 argon, cached 0.20',
    model: 'gemini-4-argon',
    at: '2026-12-01T12:00:00Z',
    usage: { promptTokenCount: 1_000, cachedContentTokenCount: 1_000 },
    nanos: 200_000,
  },
  {
    of: 'the last moment of the promotion',
    source: '6.2: 3.8 Flash 0.75 until 2026-12-31; rule 18',
    model: 'gemini-3.8-flash',
    at: '2026-12-31T09:59:59.999Z',
    usage: { promptTokenCount: 1_000 },
    nanos: 750_000,
  },
  {
    of: '2027 begins at UTC+14',
    source: '6.2: 3.8 Flash 1.50 from 2027-01-01; rule 18',
    model: 'gemini-3.8-flash',
    at: '2026-12-31T10:00:00.000Z',
    usage: { promptTokenCount: 1_000 },
    nanos: 1_500_000,
  },
  {
    of: 'a model without dates',
    source: '6.2: 3.5 Flash 1.50',
    model: 'gemini-3.5-flash',
    at: '2030-01-01T00:00:00Z',
    usage: { promptTokenCount: 1_000 },
    nanos: 1_500_000,
  },
]

const modalities: Case[] = [
  {
    of: 'audio in the prompt',
    source: '6.2: 2.5 Flash 0.30, audio 1.00',
    model: 'gemini-2.5-flash',
    usage: {
      promptTokenCount: 1_100,
      promptTokensDetails: by({ TEXT: 100, AUDIO: 1_000 }),
      candidatesTokenCount: 10,
    },
    nanos: 1_055_000,
  },
  {
    of: 'audio in the prompt of 3 Flash',
    source: '6.2: 0.50, audio 1.00',
    model: 'gemini-3-flash-preview',
    usage: { promptTokenCount: 200, promptTokensDetails: by({ TEXT: 100, AUDIO: 100 }) },
    nanos: 150_000,
  },
  {
    of: 'a PDF',
    source: 'document costs what text costs; 2.5 Flash 0.30',
    model: 'gemini-2.5-flash',
    usage: { promptTokenCount: 258, promptTokensDetails: by({ DOCUMENT: 258 }) },
    nanos: 77_400,
  },
  {
    of: 'a picture and a film',
    source: '6.2: text/img/video 0.30',
    model: 'gemini-2.5-flash',
    usage: { promptTokenCount: 558, promptTokensDetails: by({ IMAGE: 258, VIDEO: 300 }) },
    nanos: 167_400,
  },
  {
    of: 'a picture drawn',
    source: '6.3: 1,120 tokens at 120 = 0.134; text 2.00 / 12.00',
    model: 'gemini-3-pro-image',
    usage: {
      promptTokenCount: 10,
      candidatesTokenCount: 1_120,
      candidatesTokensDetails: by({ IMAGE: 1_120 }),
      thoughtsTokenCount: 100,
    },
    nanos: 135_620_000,
  },
  {
    of: 'the picture of 2.5',
    source: '6.3: 1,290 tokens = 0.039 (0.0387)',
    model: 'gemini-2.5-flash-image',
    usage: { candidatesTokenCount: 1_290, candidatesTokensDetails: by({ IMAGE: 1_290 }) },
    nanos: 38_700_000,
  },
  {
    of: 'speech',
    source: '6.3: 3.8 Flash TTS 0.50 / audio 9.00',
    model: 'gemini-3.8-flash-tts',
    usage: {
      promptTokenCount: 20,
      candidatesTokenCount: 500,
      promptTokensDetails: by({ TEXT: 20 }),
      candidatesTokensDetails: by({ AUDIO: 500 }),
    },
    nanos: 4_510_000,
  },
  {
    of: 'Live names its output otherwise',
    source: '2.7: responseTokenCount; 6.3 3.8 Live audio 3.00 / 12.00',
    model: 'gemini-3.8-live',
    usage: {
      promptTokenCount: 100,
      promptTokensDetails: by({ AUDIO: 100 }),
      responseTokenCount: 50,
      responseTokensDetails: by({ AUDIO: 50 }),
    },
    nanos: 900_000,
  },
  {
    of: 'an embedded film',
    source: '6.3: gemini-embedding-2 video 12.00',
    model: 'gemini-embedding-2',
    usage: { promptTokenCount: 66, promptTokenDetails: by({ VIDEO: 66 }) },
    nanos: 792_000,
  },
  {
    of: 'audio to a model that lists none',
    source: 'prices.json: computer use has no audio price',
    model: 'gemini-2.5-computer-use-preview-10-2025',
    usage: { promptTokenCount: 10, promptTokensDetails: by({ AUDIO: 10 }) },
    nanos: null,
  },
  {
    of: 'an image from a model that lists none',
    source: '6.2: text out only',
    model: 'gemini-3.8-flash',
    usage: { candidatesTokenCount: 10, candidatesTokensDetails: by({ IMAGE: 10 }) },
    nanos: null,
  },
]

const tools: Case[] = [
  {
    of: 'each search of Gemini 3',
    source: '6.4: $14 per 1,000 search queries',
    model: 'gemini-3.8-flash',
    usage: { promptTokenCount: 1_000 },
    served: { searchQueries: 3, searchPrompts: 1 },
    nanos: 42_750_000,
  },
  {
    of: 'a grounded prompt of 2.5, however many searches',
    source: '6.4: $35 per 1,000 grounded prompts',
    model: 'gemini-2.5-flash',
    usage: { promptTokenCount: 1_000 },
    served: { searchQueries: 3, searchPrompts: 1 },
    nanos: 35_300_000,
  },
  {
    of: 'maps',
    source: '6.4: $14 per 1,000',
    model: 'gemini-3.8-flash',
    usage: {},
    served: { mapsQueries: 2 },
    nanos: 28_000_000,
  },
  {
    of: 'maps where no price is listed',
    source: 'prices.json: 2.5 Flash-Lite lists none',
    model: 'gemini-2.5-flash-lite',
    usage: { promptTokenCount: 1 },
    served: { mapsQueries: 1 },
    nanos: null,
  },
  {
    of: 'search with a model of the package',
    source: '6.6: the package has no units for grounding',
    model: 'gemini-2.0-flash',
    usage: { promptTokenCount: 1 },
    served: { searchQueries: 1, searchPrompts: 1 },
    nanos: null,
  },
]

const otherUnits: Case[] = [
  {
    of: 'seconds of film',
    source: '6.6: billed by units',
    model: 'veo-3.1-generate-preview',
    usage: {},
    nanos: null,
  },
  {
    of: 'minutes of transcript',
    source: '6.6: approximate, token price unknown',
    model: 'gemini-3.5-transcribe',
    usage: { promptTokenCount: 10 },
    nanos: null,
  },
]

describe.each([
  ['text', text],
  ['cached input', cached],
  ['tool-use prompts', toolPrompts],
  ['prompts above 200,000 tokens', long],
  ['service tiers', tiers],
  ['dated prices', dated],
  ['modalities', modalities],
  ['tools with a fee', tools],
  ['other units', otherUnits],
] as const)('%s', (_, cases) => {
  test.each(cases)('$of ($model; $source): $nanos', ({ model, at, usage, served, nanos }) => {
    const price = prices.find(model, Date.parse(at ?? NOW))
    if (price === null) throw new Error(`no price of ${model}`)
    // Lines of a bill stand alone here; no reply is without a prompt.
    const { usage: read } = readReply({
      usageMetadata: { promptTokenCount: 1, ...usage },
      modelVersion: model,
    })
    const line = { ...(read ?? NO_USAGE), promptTokens: Number(usage['promptTokenCount'] ?? 0) }
    expect(costOf(line, price, { ...SERVED_PLAINLY, ...served })).toBe(nanos)
  })
})

describe('models without a price', () => {
  test.each([
    ['gemini-decision-1', '6.3: not found'],
    ['gemini-omni-1.2-flash', '6.3: not found'],
    ['gemini-flash-latest', '6.6: priced by modelVersion'],
    ['gemini-3.8-flash-preview', '6.6: no prefix matches'],
    ['gemini-2.5-pro-preview-06-05', '6.6: no pattern of the package matches'],
    ['gemma-3', '6.6: an empty record of the package is unpriced'],
    ['gemini-1.5-flash', 'a package record with a tier from 128,000'],
    ['gemini-2.5-flash-preview', 'a package record marked deprecated'],
    ['claude-opus-5', 'what Vertex AI sells'],
    ['gemma-4-26b-a4b-it-maas', 'what Vertex AI sells'],
    ['models/gemini-3.8-flash', 'the prefix is the caller’s to strip'],
  ])('%s (%s)', model => {
    expect(prices.find(model, Date.parse(NOW))).toBeNull()
  })
})
