import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SERVED_PLAINLY, type Served, costOf, nanosUp, nanosUpExact, tierOf } from './cost.ts'
import { MODALITIES, type Modality, type PriceRow, TEXT_ONLY, type UsdRates, parsePrice } from './price.ts'
import { type ModalityCount, NO_USAGE, type Usage } from './usage.ts'

const flash: PriceRow = {
  model: 'm',
  effectiveFrom: null,
  input: { text: 0.3, image: 0.3, audio: 1 },
  cached: { text: 0.03, image: 0.03, audio: 0.1 },
  output: { text: 2.5, image: 30 },
  priorityFactor: 1.8,
  flexFactor: 0.5,
  tools: { googleSearch: { usdPer1000: 14, unit: 'searchQuery' } },
}
const price = parsePrice(flash, null)
const used = (fields: Partial<Usage>): Usage => ({ ...NO_USAGE, ...fields })
const served = (fields: Partial<Served>): Served => ({ ...SERVED_PLAINLY, ...fields })
const counts = (named: Readonly<Partial<Record<Modality, number>>>): ModalityCount[] =>
  Object.entries(named).map(([modality, tokenCount]) => ({ modality: modality.toUpperCase(), tokenCount }))
const NO_DETAILS = { prompt: [], cached: [], toolUsePrompt: [], candidates: [] }

test('nothing used costs nothing', () => {
  expect(costOf(NO_USAGE, price)).toBe(0)
})

describe('rounding', () => {
  test('is once, at the end, and up', () => {
    // Each of the three lines alone would round up to a nano-dollar of its own.
    const thin = parsePrice(
      { ...flash, input: { text: 0.0001 }, cached: { text: 0.0001 }, output: { text: 0.0001 } },
      null,
    )
    expect(costOf(used({ promptTokens: 1 }), thin)).toBe(1)
    expect(
      costOf(used({ promptTokens: 4, cachedTokens: 2, candidatesTokens: 3, thoughtsTokens: 3 }), thin),
    ).toBe(1)
    expect(
      costOf(used({ promptTokens: 4, cachedTokens: 2, candidatesTokens: 3, thoughtsTokens: 4 }), thin),
    ).toBe(2)
  })

  test('of pico-dollars is exact to the last whole number a double holds', () => {
    const picos = fc.bigInt({ min: 0n, max: BigInt(Number.MAX_SAFE_INTEGER) })
    fc.assert(
      fc.property(picos, exact => {
        expect(nanosUp(Number(exact))).toBe(nanosUpExact(exact))
      }),
    )
    expect(nanosUp(Number.MAX_SAFE_INTEGER)).toBe(9_007_199_254_741)
    expect(nanosUpExact(10n ** 30n)).toBe(Number.MAX_SAFE_INTEGER)
  })
})

describe('what details leave open is read the dearest way', () => {
  test('prompt tokens they do not name are of the dearest modality they name', () => {
    const details = { ...NO_DETAILS, prompt: counts({ text: 10, audio: 10 }) }
    expect(costOf(used({ promptTokens: 100, details }), price)).toBe(10 * 300 + 90 * 1000)
  })

  test('tokens are text where nothing is named', () => {
    const details = { ...NO_DETAILS, prompt: counts({ audio: 10 }) }
    expect(costOf(used({ promptTokens: 10, candidatesTokens: 7, details }), price)).toBe(10 * 1000 + 7 * 2500)
  })

  test('more named than the total counts as named', () => {
    const details = { ...NO_DETAILS, prompt: counts({ text: 10, audio: 20 }) }
    expect(costOf(used({ promptTokens: 5, details }), price)).toBe(10 * 300 + 20 * 1000)
  })

  test('cached tokens they do not name are of the modality with the least discount', () => {
    const details = { ...NO_DETAILS, prompt: counts({ text: 10, audio: 10 }) }
    // Text saves 0.27 a token, audio 0.90: the ten texts are cached first, then two of the audio.
    expect(costOf(used({ promptTokens: 20, cachedTokens: 12, details }), price)).toBe(
      10 * 30 + 2 * 100 + 8 * 1000,
    )
  })

  test('a cached token is never billed as input too, even where details contradict each other', () => {
    const details = { ...NO_DETAILS, prompt: counts({ text: 10, audio: 90 }), cached: counts({ text: 50 }) }
    expect(costOf(used({ promptTokens: 100, cachedTokens: 50, details }), price)).toBe(50 * 30 + 50 * 1000)
  })

  test('more cached than the prompt has is billed as cached', () => {
    expect(costOf(used({ promptTokens: 10, cachedTokens: 25 }), price)).toBe(25 * 30)
    const details = { ...NO_DETAILS, prompt: counts({ audio: 10 }) }
    expect(costOf(used({ promptTokens: 10, cachedTokens: 25, details }), price)).toBe(25 * 100)
  })

  test('a modality that costs nothing to know counts once, however often it is named', () => {
    const details = { ...NO_DETAILS, prompt: [...counts({ text: 4 }), ...counts({ text: 6 })] }
    expect(costOf(used({ promptTokens: 10, details }), price)).toBe(10 * 300)
  })
})

describe('without details tokens are of the dearest modality that the call can have had', () => {
  const asked = (
    inputModalities: readonly Modality[],
    outputModalities: readonly Modality[] = TEXT_ONLY,
  ) => ({
    inputModalities,
    outputModalities,
  })
  const film = parsePrice({ ...flash, input: { text: 1, image: 2, video: 3, audio: 4 } }, null)
  test.each<[string, Partial<Usage>, number]>([
    ['pictures', used({ candidatesTokens: 10, thoughtsTokens: 1 }), 10 * 30_000 + 2500],
    ['sound in', used({ promptTokens: 10 }), 10 * 1000],
    ['sound in a tool’s answer', used({ toolUsePromptTokens: 10 }), 10 * 1000],
    ['sound in, of which some was cached', used({ promptTokens: 10, cachedTokens: 4 }), 6 * 1000 + 4 * 100],
    [
      'pictures, though the prompt has details',
      { candidatesTokens: 10, promptTokens: 5, details: { ...NO_DETAILS, prompt: counts({ text: 5 }) } },
      10 * 30_000 + 5 * 300,
    ],
    [
      'sound in, though the output has details',
      { candidatesTokens: 10, promptTokens: 5, details: { ...NO_DETAILS, candidates: counts({ text: 10 }) } },
      10 * 2500 + 5 * 1000,
    ],
    [
      'pictures that details in part leave out',
      { candidatesTokens: 10, details: { ...NO_DETAILS, candidates: counts({ text: 4 }) } },
      4 * 2500 + 6 * 30_000,
    ],
  ])('%s', (_, usage, nanos) => {
    const both = asked(['text', 'audio'], ['text', 'image'])
    expect(costOf(used(usage), price, SERVED_PLAINLY, both)).toBe(nanos)
  })

  test('the sound of a film and the pages of a document', () => {
    const usage = used({ promptTokens: 10 })
    expect(costOf(usage, film, SERVED_PLAINLY, asked(['text', 'video']))).toBe(10 * 4000)
    expect(costOf(usage, film, SERVED_PLAINLY, asked(['text', 'document']))).toBe(10 * 2000)
  })

  test('a modality without a price is none that the call can have had', () => {
    const any = asked(MODALITIES, MODALITIES)
    expect(costOf(used({ promptTokens: 10, candidatesTokens: 10 }), price, SERVED_PLAINLY, any)).toBe(
      10 * 1000 + 10 * 30_000,
    )
    expect(costOf(used({ promptTokens: 10 }), parsePrice({ ...flash, input: {} }, null))).toBeNull()
  })

  test('details that say text say so', () => {
    const details = { ...NO_DETAILS, prompt: counts({ text: 10 }), candidates: counts({ text: 10 }) }
    const usage = used({ promptTokens: 10, candidatesTokens: 10, details })
    expect(costOf(usage, price, SERVED_PLAINLY, asked(MODALITIES, MODALITIES))).toBe(10 * 300 + 10 * 2500)
    expect(costOf(usage, price)).toBe(10 * 300 + 10 * 2500)
  })
})

describe('unpriced is null, never a cost', () => {
  const unpriced = parsePrice({ model: 'm', effectiveFrom: null }, null)
  test.each<[string, Partial<Usage>, Partial<Served>]>([
    ['a tier without a price', { promptTokens: 1, serviceTier: 'batch' }, {}],
    ['a tier nobody knows', { promptTokens: 1, serviceTier: 'turbo' }, {}],
    ['a tier nobody knows, in the header', { promptTokens: 1 }, { tier: 'turbo' }],
    [
      'video in the prompt',
      { promptTokens: 1, details: { ...NO_DETAILS, prompt: counts({ video: 1 }) } },
      {},
    ],
    [
      'audio in the output',
      { candidatesTokens: 1, details: { ...NO_DETAILS, candidates: counts({ audio: 1 }) } },
      {},
    ],
    [
      'video in a tool prompt',
      { toolUsePromptTokens: 1, details: { ...NO_DETAILS, toolUsePrompt: counts({ video: 1 }) } },
      {},
    ],
    [
      'video in the cache',
      { promptTokens: 1, cachedTokens: 1, details: { ...NO_DETAILS, cached: counts({ video: 1 }) } },
      {},
    ],
    ...(['prompt', 'cached', 'toolUsePrompt', 'candidates'] as const).map(
      (part): [string, Partial<Usage>, Partial<Served>] => [
        `a modality nobody knows, in ${part}`,
        { promptTokens: 9, details: { ...NO_DETAILS, [part]: [{ modality: 'SMELL', tokenCount: 1 }] } },
        {},
      ],
    ),
    ['maps without a price', { promptTokens: 1 }, { mapsQueries: 1 }],
  ])('%s', (_, usage, reply) => {
    expect(costOf(used(usage), price, served(reply))).toBeNull()
  })

  test.each<[string, Partial<Usage>]>([
    ['prompt', { promptTokens: 1 }],
    ['cached', { promptTokens: 1, cachedTokens: 1 }],
    ['tool prompt', { toolUsePromptTokens: 1 }],
    ['candidates', { candidatesTokens: 1 }],
    ['thoughts', { thoughtsTokens: 1 }],
  ])('%s tokens of a model whose text has no price', (_, usage) => {
    expect(costOf(used(usage), unpriced)).toBeNull()
  })

  test.each<[string, Partial<Served>]>([
    ['queries', { searchQueries: 1 }],
    ['prompts', { searchPrompts: 1 }],
  ])('search %s without a price', (_, reply) => {
    expect(costOf(NO_USAGE, unpriced, served(reply))).toBeNull()
  })

  test('a model billed by other units than tokens, even without tokens', () => {
    expect(costOf(NO_USAGE, parsePrice({ ...flash, perUnitKind: 'billed' }, null))).toBeNull()
  })

  test('a piece that has no price, and a tier of pieces', () => {
    const films = parsePrice({ ...flash, perUnitKind: 'billed', perUnit: { videoSecond720p: 0.4 } }, null)
    expect(costOf(NO_USAGE, films, served({ units: { videoSecond4K: 1 } }))).toBeNull()
    expect(costOf(NO_USAGE, films, served({ units: { videoSecond720p: 1 }, tier: 'batch' }))).toBeNull()
    expect(costOf(NO_USAGE, films, served({ units: { videoSecond720p: 1 }, mapsQueries: 1 }))).toBeNull()
  })

  test('tokens that a cache keeps where no storage price is known', () => {
    expect(costOf(NO_USAGE, price, served({ storedTokenSeconds: 1 }))).toBeNull()
  })

  test('a modality named with no tokens is not used', () => {
    const details = {
      ...NO_DETAILS,
      prompt: [...counts({ text: 1, video: 0 }), { modality: 'SMELL', tokenCount: 0 }],
    }
    expect(costOf(used({ promptTokens: 1, details }), price)).toBe(300)
  })
})

describe('fees', () => {
  const grounded = parsePrice(
    { ...flash, tools: { googleMaps: { usdPer1000: 25, unit: 'groundedPrompt' } } },
    null,
  )
  const queried = parsePrice({ ...flash, tools: { googleMaps: { usdPer1000: 25, unit: 'query' } } }, null)
  test.each([0, 1, 5])('of maps, %i times: for the prompt once, or for each query', mapsQueries => {
    expect(costOf(NO_USAGE, grounded, served({ mapsQueries }))).toBe(Math.min(1, mapsQueries) * 25_000_000)
    expect(costOf(NO_USAGE, queried, served({ mapsQueries }))).toBe(mapsQueries * 25_000_000)
  })

  test('of search, where only maps have a price, are unknown', () => {
    expect(costOf(NO_USAGE, queried, served({ searchPrompts: 1 }))).toBeNull()
    expect(costOf(NO_USAGE, queried, served({ searchQueries: 1 }))).toBeNull()
  })

  test.each([
    [1, 1],
    [3_600, 1_000],
    [3_601, 1_001],
    [7_200, 2_000],
  ])(
    'of %i tokens kept for a second, at a dollar for a million in an hour: %i',
    (storedTokenSeconds, nanos) => {
      const kept = parsePrice({ ...flash, cacheStoragePerMTokenHour: 1 }, null)
      expect(costOf(NO_USAGE, kept, served({ storedTokenSeconds }))).toBe(nanos)
      // One rounding for all of it.
      expect(costOf(used({ promptTokens: 1 }), kept, served({ storedTokenSeconds }))).toBe(300 + nanos)
    },
  )
})

describe('the tier', () => {
  test.each<[string | null, string | null, number]>([
    [null, null, 300],
    ['standard', 'priority', 300],
    ['priority', 'standard', 540],
    [null, 'priority', 540],
    ['unspecified', 'flex', 150],
    ['', 'flex', 150],
    ['SERVICE_TIER_UNSPECIFIED', 'PRIORITY', 540],
    ['Flex', null, 150],
    ['unspecified', null, 300],
  ])('usage %s, header %s: %i', (serviceTier, tier, nanos) => {
    expect(costOf(used({ promptTokens: 1, serviceTier }), price, served({ tier }))).toBe(nanos)
  })

  test('has the names of the enum too', () => {
    expect(tierOf('SERVICE_TIER_FLEX')).toBe('flex')
    expect(tierOf('toString')).toBeNull()
  })
})

test('counts that no real reply has cost exactly, or the greatest safe integer', () => {
  const huge = Number.MAX_SAFE_INTEGER
  const cheap = parsePrice({ model: 'm', effectiveFrom: null, input: { text: 0.000001 } }, null)
  // 2^53 - 1 tokens at one pico-dollar, and as many tool tokens: above 2^53 pico-dollars, so added as big integers.
  const usage = used({ promptTokens: huge, toolUsePromptTokens: huge })
  expect(costOf(usage, cheap)).toBe(18_014_398_509_482)
  expect(costOf(used({ candidatesTokens: huge }), price)).toBe(huge)
})

const usd = fc.integer({ min: 0, max: 500_000_000 }).map(micros => micros / 1_000_000)
const rates: fc.Arbitrary<UsdRates> = fc.record({
  text: usd,
  image: usd,
  audio: usd,
  video: usd,
  document: usd,
})
const rows: fc.Arbitrary<PriceRow> = fc.record({
  model: fc.constant('m'),
  effectiveFrom: fc.constant(null),
  input: rates,
  cached: rates,
  output: rates,
  inputOver200k: rates,
  cachedOver200k: rates,
  outputOver200k: rates,
  tools: fc.record({
    googleSearch: fc.record({ usdPer1000: usd, unit: fc.constantFrom('searchQuery', 'groundedPrompt') }),
    googleMaps: fc.record({ usdPer1000: usd, unit: fc.constant('query') }),
  }),
})
const tokens = fc.oneof(fc.nat(300), fc.nat(1_200_000), fc.nat(Number.MAX_SAFE_INTEGER))
type Counts = Record<Modality, number>
const anyCounts = (amount: fc.Arbitrary<number>): fc.Arbitrary<Counts> =>
  fc.record({ text: amount, image: amount, audio: amount, video: amount, document: amount })
const sum = (of: Counts): number => MODALITIES.reduce((total, modality) => total + of[modality], 0)

/** Dollars per million as pico-dollars, by way of decimal text: nothing of `parsePrice`. */
const picosOf = (rates: UsdRates | undefined, modality: Modality): bigint =>
  BigInt((rates?.[modality] ?? 0).toFixed(6).replace('.', ''))

/** The cost by rational arithmetic, from prices as they are written and counts that say everything. */
function reference(
  row: PriceRow,
  parts: Record<'uncached' | 'cached' | 'tool' | 'out', Counts>,
  rest: Rest,
): number {
  const isLong = rest.promptTokens > 200_000
  const [input, cached, output] = isLong
    ? [row.inputOver200k, row.cachedOver200k, row.outputOver200k]
    : [row.input, row.cached, row.output]
  let picos = BigInt(rest.thoughts) * picosOf(output, 'text')
  for (const modality of MODALITIES) {
    picos += BigInt(parts.uncached[modality]) * picosOf(input, modality)
    picos += BigInt(parts.tool[modality]) * picosOf(input, modality)
    picos += BigInt(parts.cached[modality]) * picosOf(cached, modality)
    picos += BigInt(parts.out[modality]) * picosOf(output, modality)
  }
  const { googleSearch, googleMaps } = row.tools ?? {}
  const searches = googleSearch?.unit === 'groundedPrompt' ? rest.prompts : rest.queries
  picos += BigInt(searches) * BigInt(Math.round((googleSearch?.usdPer1000 ?? 0) * 1e6)) * 1000n
  picos += BigInt(rest.maps) * BigInt(Math.round((googleMaps?.usdPer1000 ?? 0) * 1e6)) * 1000n
  const nanos = (picos + 999n) / 1000n
  return nanos > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(nanos)
}

interface Rest {
  readonly promptTokens: number
  readonly thoughts: number
  readonly queries: number
  readonly prompts: number
  readonly maps: number
}

describe('against a reference in exact arithmetic', () => {
  const TEXT = (amount: number): Counts => ({ text: amount, image: 0, audio: 0, video: 0, document: 0 })

  test('text alone, at any size', () => {
    const usages = fc.tuple(tokens, tokens, tokens, tokens, tokens)
    fc.assert(
      fc.property(rows, usages, (row, [prompt, cachedAsked, tool, out, thoughts]) => {
        const cached = Math.min(prompt, cachedAsked)
        const usage = used({
          promptTokens: prompt,
          cachedTokens: cached,
          toolUsePromptTokens: tool,
          candidatesTokens: out,
          thoughtsTokens: thoughts,
        })
        const parts = {
          uncached: TEXT(prompt - cached),
          cached: TEXT(cached),
          tool: TEXT(tool),
          out: TEXT(out),
        }
        const rest = { promptTokens: prompt, thoughts, queries: 0, prompts: 0, maps: 0 }
        expect(costOf(usage, parsePrice(row, null))).toBe(reference(row, parts, rest))
      }),
      { numRuns: 1000 },
    )
  })

  const amount = fc.oneof(fc.nat(100), fc.nat(200_000), fc.nat(2 ** 45))
  const parts = fc.record({
    uncached: anyCounts(amount),
    cached: anyCounts(amount),
    tool: anyCounts(amount),
    out: anyCounts(amount),
  })
  const others = fc.record({ thoughts: amount, queries: fc.nat(500), prompts: fc.nat(1), maps: fc.nat(20) })

  test('every modality, tools and long prompts', () => {
    fc.assert(
      fc.property(rows, parts, others, (row, part, other) => {
        const prompt = {} as Counts
        for (const modality of MODALITIES) prompt[modality] = part.uncached[modality] + part.cached[modality]
        const usage = used({
          promptTokens: sum(prompt),
          cachedTokens: sum(part.cached),
          toolUsePromptTokens: sum(part.tool),
          candidatesTokens: sum(part.out),
          thoughtsTokens: other.thoughts,
          details: {
            prompt: counts(prompt),
            cached: counts(part.cached),
            toolUsePrompt: counts(part.tool),
            candidates: counts(part.out),
          },
        })
        const reply = {
          ...SERVED_PLAINLY,
          searchQueries: other.queries,
          searchPrompts: other.prompts,
          mapsQueries: other.maps,
        }
        const rest = { ...other, promptTokens: sum(prompt) }
        expect(costOf(usage, parsePrice(row, null), reply)).toBe(reference(row, part, rest))
      }),
      { numRuns: 1000 },
    )
  })

  test('without details no split of the tokens would have cost more', () => {
    const modalities = fc.subarray([...MODALITIES], { minLength: 1 })
    const small = anyCounts(fc.nat(1000))
    fc.assert(
      fc.property(
        rows,
        fc.tuple(modalities, modalities),
        fc.record({ uncached: small, cached: small, tool: small, out: small }),
        fc.subarray(['prompt', 'cached', 'toolUsePrompt', 'candidates'] as const),
        (row, [inputModalities, outputModalities], part, known) => {
          const asked = { inputModalities, outputModalities }
          const only = (of: Counts, among: readonly Modality[]): Counts => {
            const kept = { text: 0, image: 0, audio: 0, video: 0, document: 0 }
            for (const modality of among) kept[modality] = of[modality]
            return kept
          }
          const uncached = only(part.uncached, inputModalities)
          const cached = only(part.cached, inputModalities)
          const prompt = only(part.uncached, inputModalities)
          for (const modality of MODALITIES) prompt[modality] += cached[modality]
          const tool = only(part.tool, inputModalities)
          const out = only(part.out, outputModalities)
          const details = {
            prompt: counts(prompt),
            cached: counts(cached),
            toolUsePrompt: counts(tool),
            candidates: counts(out),
          }
          const whole = used({
            promptTokens: sum(prompt),
            cachedTokens: sum(cached),
            toolUsePromptTokens: sum(tool),
            candidatesTokens: sum(out),
            details,
          })
          const parsed = parsePrice(row, null)
          const told = costOf(whole, parsed, SERVED_PLAINLY, asked) ?? -1
          const parts = { uncached, cached, tool, out }
          const rest = { promptTokens: sum(prompt), thoughts: 0, queries: 0, prompts: 0, maps: 0 }
          expect(told).toBe(reference(row, parts, rest))
          const fewer = { ...NO_DETAILS, ...Object.fromEntries(known.map(name => [name, details[name]])) }
          const open = costOf({ ...whole, details: fewer }, parsed, SERVED_PLAINLY, asked)
          expect(open).toBeGreaterThanOrEqual(told)
          const none = costOf({ ...whole, details: null }, parsed, SERVED_PLAINLY, asked)
          expect(none).toBeGreaterThanOrEqual(open ?? -1)
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('details that say less never cost less', () => {
    const small = anyCounts(fc.nat(1000))
    fc.assert(
      fc.property(rows, small, small, fc.nat(1000), (row, uncached, cached, hidden) => {
        const prompt = {} as Counts
        for (const modality of MODALITIES) prompt[modality] = uncached[modality] + cached[modality] + 1
        const whole = used({
          promptTokens: sum(prompt),
          cachedTokens: sum(cached),
          details: { ...NO_DETAILS, prompt: counts(prompt), cached: counts(cached) },
        })
        const parsed = parsePrice(row, null)
        const told = costOf(whole, parsed) ?? -1
        const without = { ...NO_DETAILS, prompt: counts(prompt) }
        expect(costOf({ ...whole, details: without }, parsed)).toBeGreaterThanOrEqual(told)
        const some = { ...prompt, image: Math.max(1, prompt.image - hidden) }
        const partly = { ...NO_DETAILS, prompt: counts(some) }
        const plain = { ...whole, cachedTokens: 0 }
        expect(costOf({ ...plain, details: partly }, parsed)).toBeGreaterThanOrEqual(
          costOf({ ...plain, details: without }, parsed) ?? -1,
        )
      }),
    )
  })
})

test('what a cache keeps is rounded up once, together with everything else', () => {
  const parsed = parsePrice(
    { ...flash, priorityFactor: undefined, cacheStoragePerMTokenHour: 0.000001 },
    null,
  )
  const stored = (storedTokenSeconds: number) => costOf(NO_USAGE, parsed, served({ storedTokenSeconds }))
  // A pico-dollar for each token and hour: 3,600,000 token-seconds are a nano-dollar.
  expect([stored(3_600_000), stored(3_600_001), stored(0)]).toEqual([1, 2, 0])
})
