/**
 * What costs other than tokens of text: pieces, speech, Live, embeddings, caches, tools. By the shipped price list, from
 * replies as Google sends them where there are any. Every case names where its numbers come from; sections are those of
 * the wire notes (gemini-wire), URLs those of public pages that agree.
 */
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SERVED_PLAINLY, type Served, type Units, costOf } from '../src/domain/cost.ts'
import { type AskedModalities, BILLED_UNITS, TEXT_ASKED, TEXT_ONLY } from '../src/domain/price.ts'
import { NO_USAGE, type Usage } from '../src/domain/usage.ts'
import { readReply, servedAs } from '../src/gateway/read-usage.ts'
import { loadPrices } from '../src/prices.ts'

const prices = loadPrices()
const NOW = '2026-11-21T00:00:00Z'
const VEO = 'https://docs.litellm.ai/docs/providers/gemini/videos'
const LYRIA = 'https://ai.google.dev/gemini-api/docs/music-generation'
const MAPS = 'https://discuss.ai.google.dev/t/128770'

/** Of, source, model, what it used, nanos. */
type Case<What> = readonly [string, string, string, What, number | null]

function priceOf(model: string, at = NOW) {
  const price = prices.find(model, Date.parse(at))
  if (price === null) throw new Error(`${model} has no price`)
  return price
}

const by = (named: Readonly<Record<string, number>>): { modality: string; tokenCount: number }[] =>
  Object.entries(named).map(([modality, tokenCount]) => ({ modality, tokenCount }))

describe('pieces', () => {
  test.each<Case<Units>>([
    [
      '8 s of film at 720p',
      `6.3: $0.40/s; ${VEO}`,
      'veo-3.1-generate-preview',
      { videoSecond720p: 8 },
      3.2e9,
    ],
    ['8 s at 1080p', '6.3: $0.40/s', 'veo-3.1-generate-preview', { videoSecond1080p: 8 }, 3.2e9],
    ['4 s at 4K', '6.3: $0.60/s', 'veo-3.1-generate-preview', { videoSecond4K: 4 }, 2.4e9],
    [
      '6 s of the fast one',
      `6.3: $0.10/s; ${VEO}`,
      'veo-3.1-fast-generate-preview',
      { videoSecond720p: 6 },
      6e8,
    ],
    ['4 s of the light one', '6.3: $0.05/s', 'veo-3.1-lite-generate-preview', { videoSecond720p: 4 }, 2e8],
    [
      'a resolution without a price',
      '6.3 lists 720p only',
      'veo-3.1-fast-generate-preview',
      { videoSecond4K: 1 },
      null,
    ],
    ['a song', `6.3: $0.08; ${LYRIA}`, 'lyria-3-pro-preview', { song: 1 }, 80_000_000],
    ['a clip of 30 s', `6.3: $0.04; ${LYRIA}`, 'lyria-3-clip-preview', { song: 1 }, 40_000_000],
    ['two songs', '6.3: $0.08 (3p)', 'lyria-3.5', { song: 2 }, 160_000_000],
    ['no film at all', '6.3', 'veo-3.1-generate-preview', { videoSecond720p: 0 }, 0],
    ['a film of a model that sings', '6.6: missing is unpriced', 'lyria-3.5', { videoSecond720p: 1 }, null],
  ])('%s (%s; %s)', (_of, _source, model, units, nanos) => {
    expect(costOf(NO_USAGE, priceOf(model), { ...SERVED_PLAINLY, units })).toBe(nanos)
  })

  test(`a song is what a reply has sound in, however many parts and pieces it comes in (${LYRIA})`, () => {
    const parts = [{ text: 'la la' }, { inlineData: { mimeType: 'audio/mpeg', data: 'AA==' } }]
    const whole = readReply({ candidates: [{ content: { parts: [...parts, ...parts] } }] })
    const served = servedAs(undefined, whole.grounding)
    expect(costOf({ ...NO_USAGE, promptTokens: 500 }, priceOf('lyria-3.5'), served)).toBe(80_000_000)
    const silent = readReply({ candidates: [{ content: { parts: [{ text: 'la' }] } }] })
    expect(costOf(NO_USAGE, priceOf('lyria-3.5'), servedAs(undefined, silent.grounding))).toBeNull()
    // Where tokens are billed, sound is no piece.
    const usage = { ...NO_USAGE, promptTokens: 1_000 }
    expect(costOf(usage, priceOf('gemini-3.8-flash'), served)).toBe(750_000)
  })
})

describe('usage of other models than those of text', () => {
  test.each<Case<Readonly<Record<string, unknown>> & { at?: string; tier?: string }>>([
    [
      'speech of 3.8 Flash-Lite TTS',
      '6.3: 0.50 / 6.00 until 2026-12-31',
      'gemini-3.8-flash-lite-tts',
      { promptTokenCount: 100, candidatesTokenCount: 800, candidatesTokensDetails: by({ AUDIO: 800 }) },
      4_850_000,
    ],
    [
      'the same from 2027 on',
      '6.3: then 1.00 / 12.00',
      'gemini-3.8-flash-lite-tts',
      {
        at: '2027-02-01T00:00:00Z',
        promptTokenCount: 100,
        candidatesTokenCount: 800,
        candidatesTokensDetails: by({ AUDIO: 800 }),
      },
      9_700_000,
    ],
    [
      'speech whose output names no modality: a model that only speaks has one output price',
      '6.3: 3.8 Flash TTS audio out 9.00',
      'gemini-3.8-flash-tts',
      { promptTokenCount: 2, candidatesTokenCount: 10 },
      91_000,
    ],
    [
      'thoughts before speech',
      '6.1: thinking is billed at the output price; 3.1 TTS 1.00 / 20.00',
      'gemini-3.1-flash-tts-preview',
      { thoughtsTokenCount: 10, candidatesTokenCount: 10, candidatesTokensDetails: by({ AUDIO: 10 }) },
      400_000,
    ],
    [
      'speech of 2.5 in a batch',
      '6.3: 0.50 / 10.00; 6.1: batch is half',
      'gemini-2.5-flash-preview-tts',
      {
        tier: 'batch',
        promptTokenCount: 1_000,
        candidatesTokenCount: 1_000,
        candidatesTokensDetails: by({ AUDIO: 1_000 }),
      },
      5_250_000,
    ],
    [
      'a Live turn with sound, film and text in, sound and text out',
      '6.3: 3.8 Live text 0.75, audio 3.00, video 1.00; out text 4.50, audio 12.00; 4.3',
      'gemini-3.8-live',
      {
        promptTokenCount: 1_000,
        promptTokensDetails: by({ TEXT: 100, AUDIO: 600, VIDEO: 300 }),
        responseTokenCount: 500,
        responseTokensDetails: by({ AUDIO: 400, TEXT: 100 }),
      },
      7_425_000,
    ],
    [
      'native audio of 2.5',
      '6.3: text 0.50, audio and video 3.00; out text 2.00, audio 12.00',
      'gemini-2.5-flash-native-audio',
      {
        promptTokenCount: 300,
        promptTokensDetails: by({ TEXT: 100, AUDIO: 100, VIDEO: 100 }),
        responseTokenCount: 100,
        responseTokensDetails: by({ AUDIO: 100 }),
        thoughtsTokenCount: 50,
      },
      1_950_000,
    ],
    [
      'a minute of sound in Live: about $0.005',
      '6.3; 25 tokens a second in Live',
      'gemini-3.1-flash-live-preview',
      { promptTokenCount: 1_500, promptTokensDetails: by({ AUDIO: 1_500 }) },
      4_500_000,
    ],
    [
      'a minute of speech in Live: about $0.018',
      '6.3; 25 tokens a second in Live',
      'gemini-3.8-live-extended-thinking',
      { responseTokenCount: 1_500, responseTokensDetails: by({ AUDIO: 1_500 }) },
      18_000_000,
    ],
    [
      'a text embedded',
      '6.3: gemini-embedding-2 text 0.20',
      'gemini-embedding-2',
      { promptTokenCount: 6, promptTokenDetails: by({ TEXT: 6 }) },
      1_200,
    ],
    [
      'a picture embedded: 258 tokens are $0.000116, about $0.00012',
      '6.3: image 0.45',
      'gemini-embedding-2',
      { promptTokenCount: 258, promptTokenDetails: by({ IMAGE: 258 }) },
      116_100,
    ],
    [
      'a second of sound embedded: 25 tokens, about $0.00016',
      '6.3: audio 6.50',
      'gemini-embedding-2',
      { promptTokenCount: 25, promptTokenDetails: by({ AUDIO: 25 }) },
      162_500,
    ],
    [
      'a text, a picture and sound embedded together',
      '6.3: 0.20, 0.45, 6.50',
      'gemini-embedding-2',
      { promptTokenCount: 30, promptTokenDetails: by({ TEXT: 10, IMAGE: 10, AUDIO: 10 }) },
      71_500,
    ],
    [
      'embeddings in a batch',
      '6.3: 0.15, batch 0.075',
      'gemini-embedding-001',
      { tier: 'batch', promptTokenCount: 1_000 },
      75_000,
    ],
    [
      'a picture of nano-banana-2.1 at 1K: $0.0336',
      '6.3: image out 30.00, 1,120 tokens',
      'gemini-nano-banana-2.1',
      { candidatesTokenCount: 1_120, candidatesTokensDetails: by({ IMAGE: 1_120 }) },
      33_600_000,
    ],
    [
      'a picture of 3 Pro at 4K: $0.24',
      '6.3: 2,000 tokens at 120.00',
      'gemini-3-pro-image-preview',
      { candidatesTokenCount: 2_000, candidatesTokensDetails: by({ IMAGE: 2_000 }) },
      240_000_000,
    ],
    [
      'a picture of 3.1 Flash at 4K: $0.151',
      '6.3: 60.00; 2,520 tokens',
      'gemini-3.1-flash-image',
      { candidatesTokenCount: 2_520, candidatesTokensDetails: by({ IMAGE: 2_520 }) },
      151_200_000,
    ],
    [
      'a picture and words about it, in a batch',
      '6.3: 3.00 and 60.00; 6.1: half',
      'gemini-3.1-flash-image',
      {
        tier: 'batch',
        candidatesTokenCount: 1_220,
        candidatesTokensDetails: by({ IMAGE: 1_120, TEXT: 100 }),
      },
      33_750_000,
    ],
    [
      'a picture to draw from',
      '6.3: 3.1 Flash-Lite Image 0.25 in, 30.00 out',
      'gemini-3.1-flash-lite-image',
      {
        promptTokenCount: 560,
        promptTokensDetails: by({ IMAGE: 560 }),
        candidatesTokenCount: 1_120,
        candidatesTokensDetails: by({ IMAGE: 1_120 }),
      },
      33_740_000,
    ],
    [
      'a second of film of Omni at 720p: about $0.10',
      '6.3: video out 17.50',
      'gemini-omni-1.1-flash',
      { candidatesTokenCount: 5_792, candidatesTokensDetails: by({ VIDEO: 5_792 }) },
      101_360_000,
    ],
    [
      'pages that a tool fetched, with sound in them',
      '6.4: URL context has no fee, tokens are billed; 3.1 Flash-Lite 0.25, audio 0.50',
      'gemini-3.1-flash-lite',
      {
        promptTokenCount: 100,
        toolUsePromptTokenCount: 5_000,
        toolUsePromptTokensDetails: by({ TEXT: 4_000, AUDIO: 1_000 }),
      },
      1_525_000,
    ],
    [
      'cached sound of 3.1 Flash-Lite',
      '6.2: audio 0.50, cached 0.05',
      'gemini-3.1-flash-lite',
      {
        promptTokenCount: 2_000,
        promptTokensDetails: by({ AUDIO: 2_000 }),
        cachedContentTokenCount: 1_000,
        cacheTokensDetails: by({ AUDIO: 1_000 }),
      },
      550_000,
    ],
    [
      'minutes of a transcript',
      '6.6: approximate, the token price is unknown',
      'gemini-3.5-transcribe-live',
      { promptTokenCount: 10, responseTokenCount: 10 },
      null,
    ],
    [
      'a picture from a model that speaks',
      '6.6: missing is unpriced',
      'gemini-3.8-flash-tts',
      { candidatesTokenCount: 1, candidatesTokensDetails: by({ IMAGE: 1 }) },
      null,
    ],
  ])('%s (%s; %s)', (_of, _source, model, { at, tier = null, ...metadata }, nanos) => {
    // Lines of a bill stand alone here; no reply is without a prompt.
    const { usage: read } = readReply({ usageMetadata: { promptTokenCount: 1, ...metadata } })
    const usage = { ...(read ?? NO_USAGE), promptTokens: Number(metadata['promptTokenCount'] ?? 0) }
    expect(costOf(usage, priceOf(model, at), { ...SERVED_PLAINLY, tier })).toBe(nanos)
  })
})

describe('caches and tools', () => {
  const HOUR = 3_600
  test.each<Case<Partial<Served> & { at?: string }>>([
    [
      'a million tokens kept an hour',
      '6.2: 3.5 Flash 1.00',
      'gemini-3.5-flash',
      { storedTokenSeconds: 1e6 * HOUR },
      1e9,
    ],
    [
      'the same of 3.8 Flash before 2027',
      '6.2: 0.50 -> 1.00',
      'gemini-3.8-flash',
      { storedTokenSeconds: 1e6 * HOUR },
      5e8,
    ],
    [
      'and after',
      '6.2: 0.50 -> 1.00',
      'gemini-3.8-flash',
      { at: '2027-02-01T00:00:00Z', storedTokenSeconds: 1e6 * HOUR },
      1e9,
    ],
    [
      'two days of 2.5 Pro',
      '6.2: 4.50',
      'gemini-2.5-pro',
      { storedTokenSeconds: 200_000 * 48 * HOUR },
      43_200_000_000,
    ],
    [
      'a token for a second, rounded up once',
      '6.2: 4.50 / 3,600 = 1,250 pico-dollars',
      'gemini-2.5-pro',
      { storedTokenSeconds: 1 },
      2,
    ],
    [
      'at priority',
      '6.1: 2.5 Flash storage 1.80',
      'gemini-2.5-flash',
      { tier: 'priority', storedTokenSeconds: 1e6 * HOUR },
      1.8e9,
    ],
    [
      'in a batch: the standard price',
      '6.1: storage stays at the standard value',
      'gemini-2.5-flash',
      { tier: 'batch', storedTokenSeconds: 1e6 * HOUR },
      1e9,
    ],
    [
      'where no storage price is listed',
      '6.2: Gemini 4 implicit only',
      'gemini-4-argon',
      { storedTokenSeconds: 1 },
      null,
    ],
    [
      'searches for words and for pictures',
      '6.4: $14 per 1,000, each query',
      'gemini-3-pro-image',
      { searchQueries: 2, searchPrompts: 1 },
      28_000_000,
    ],
    [
      'the first search of a month',
      '6.4: 5,000 are free for all that use the project; charged here',
      'gemini-4-carbon',
      { searchQueries: 1, searchPrompts: 1 },
      14_000_000,
    ],
    [
      'a prompt of 2.5 Pro answered with maps, however many candidates',
      `6.4: $25 per 1,000 grounded prompts; ${MAPS}`,
      'gemini-2.5-pro',
      { mapsQueries: 3 },
      25_000_000,
    ],
    [
      'maps and search together',
      '6.4: $25 and $35 per 1,000',
      'gemini-2.5-flash',
      { mapsQueries: 1, searchQueries: 5, searchPrompts: 1 },
      60_000_000,
    ],
  ])('%s (%s; %s)', (_of, _source, model, { at, ...served }, nanos) => {
    expect(costOf(NO_USAGE, priceOf(model, at), { ...SERVED_PLAINLY, ...served })).toBe(nanos)
  })
})

describe('replies that name no modality', () => {
  const PICTURE: AskedModalities = { inputModalities: TEXT_ONLY, outputModalities: ['text', 'image'] }
  const SOUND: AskedModalities = { inputModalities: ['text', 'audio'], outputModalities: TEXT_ONLY }
  test.each<readonly [string, string, string, AskedModalities, object, number]>([
    [
      'a picture of 1K',
      '6.3: 2.00 in, 120/M, 1K = 1,120 tok = $0.134',
      'gemini-3-pro-image',
      PICTURE,
      { promptTokenCount: 10, candidatesTokenCount: 1120 },
      20_000 + 134_400_000,
    ],
    [
      'a picture of 1K and the prompt',
      '6.3: 0.50 in, 60/M, $0.067',
      'gemini-3.1-flash-image',
      PICTURE,
      { promptTokenCount: 100, candidatesTokenCount: 1120 },
      50_000 + 67_200_000,
    ],
    [
      'a picture whose prompt alone is told',
      '6.3: 0.50 in, 60/M, $0.067',
      'gemini-3.1-flash-image',
      PICTURE,
      { promptTokenCount: 100, promptTokensDetails: by({ TEXT: 100 }), candidatesTokenCount: 1120 },
      50_000 + 67_200_000,
    ],
    [
      'text of a model that draws, told to be text',
      '6.3: 0.50 in, 3.00 text out',
      'gemini-3.1-flash-image',
      PICTURE,
      {
        promptTokenCount: 100,
        promptTokensDetails: by({ TEXT: 100 }),
        candidatesTokenCount: 20,
        candidatesTokensDetails: by({ TEXT: 20 }),
      },
      50_000 + 60_000,
    ],
    [
      'sound in',
      '6.2: 1.00 audio in, 2.50 out',
      'gemini-2.5-flash',
      SOUND,
      { promptTokenCount: 1000, candidatesTokenCount: 100 },
      1_000_000 + 250_000,
    ],
    [
      'sound in, half of it cached',
      '6.2: 1.00 audio in, 0.10 cached',
      'gemini-2.5-flash',
      SOUND,
      { promptTokenCount: 1000, cachedContentTokenCount: 500 },
      500_000 + 50_000,
    ],
    [
      'sound in, embedded',
      '6.3: audio 6.50',
      'gemini-embedding-2',
      SOUND,
      { promptTokenCount: 32 },
      32 * 6_500,
    ],
    [
      'text of a call for text',
      '6.2: 0.30 in, 2.50 out',
      'gemini-2.5-flash',
      TEXT_ASKED,
      { promptTokenCount: 1000, candidatesTokenCount: 100 },
      300_000 + 250_000,
    ],
  ])('%s (%s; %s)', (_of, _source, model, asked, usageMetadata, nanos) => {
    const usage = readReply({ usageMetadata }).usage ?? NO_USAGE
    expect(costOf(usage, priceOf(model), SERVED_PLAINLY, asked)).toBe(nanos)
  })
})

describe('every price of the list', () => {
  const known = prices
    .models()
    .map(model => prices.find(model, Date.parse(NOW)))
    .filter(price => price !== null)
  const anyPrice = fc.constantFrom(...known)
  const count = fc.oneof(fc.nat(10), fc.nat(300_000))
  const MODALITY_NAMES = ['TEXT', 'IMAGE', 'AUDIO', 'VIDEO', 'DOCUMENT'] as const
  const counts = fc.array(fc.record({ modality: fc.constantFrom(...MODALITY_NAMES), tokenCount: count }), {
    maxLength: 4,
  })
  const usages = fc
    .record({
      prompt: count,
      cached: count,
      tool: count,
      out: count,
      thoughts: count,
      details: fc.option(
        fc.record({ prompt: counts, cached: fc.constant([]), toolUsePrompt: counts, candidates: counts }),
      ),
    })
    .map(({ prompt, cached, tool, out, thoughts, details }): Usage => ({
      ...NO_USAGE,
      promptTokens: prompt,
      cachedTokens: Math.min(prompt, cached),
      toolUsePromptTokens: tool,
      candidatesTokens: out,
      thoughtsTokens: thoughts,
      details,
    }))
  const served = fc
    .record({
      queries: fc.nat(5),
      maps: fc.nat(2),
      stored: fc.nat(1e9),
      units: fc.option(fc.dictionary(fc.constantFrom(...BILLED_UNITS), fc.nat(20))),
      tier: fc.constantFrom(null, 'standard', 'flex', 'priority', 'batch'),
    })
    .map(({ queries, maps, stored, units, tier }): Served => ({
      tier,
      searchQueries: queries,
      searchPrompts: Math.min(1, queries),
      mapsQueries: maps,
      storedTokenSeconds: stored,
      units,
    }))

  test('charges whole nano-dollars, never less than nothing, or says that it does not know', () => {
    fc.assert(
      fc.property(anyPrice, usages, served, (price, usage, reply) => {
        const nanos = costOf(usage, price, reply)
        expect(nanos === null || (Number.isSafeInteger(nanos) && nanos >= 0)).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  test('charges more use never less', () => {
    const more = fc.constantFrom<(usage: Usage, reply: Served, by: number) => [Usage, Served]>(
      (usage, reply, n) => [{ ...usage, promptTokens: usage.promptTokens + n }, reply],
      (usage, reply, n) => [{ ...usage, toolUsePromptTokens: usage.toolUsePromptTokens + n }, reply],
      (usage, reply, n) => [{ ...usage, candidatesTokens: usage.candidatesTokens + n }, reply],
      (usage, reply, n) => [{ ...usage, thoughtsTokens: usage.thoughtsTokens + n }, reply],
      (usage, reply, n) => [usage, { ...reply, searchQueries: reply.searchQueries + n, searchPrompts: 1 }],
      (usage, reply, n) => [usage, { ...reply, mapsQueries: reply.mapsQueries + n }],
      (usage, reply, n) => [usage, { ...reply, storedTokenSeconds: reply.storedTokenSeconds + n }],
      (usage, reply, n) => [
        usage,
        { ...reply, units: { ...reply.units, song: (reply.units?.song ?? 0) + n } },
      ],
    )
    fc.assert(
      fc.property(anyPrice, usages, served, more, fc.integer({ min: 1, max: 1_000 }), (...given) => {
        const [price, usage, reply, add, n] = given
        const before = costOf(usage, price, reply)
        const [moreUsage, moreReply] = add(usage, reply, n)
        const after = costOf(moreUsage, price, moreReply)
        if (before !== null && after !== null) expect(after).toBeGreaterThanOrEqual(before)
      }),
      { numRuns: 2_000 },
    )
  })
})
