import { describe, expect, test } from 'vitest'
import { ApiError } from './error.ts'
import { type PriceRow, dearerPrice, parsePrice } from './price.ts'

const row = (fields: Partial<PriceRow>): PriceRow => ({ model: 'm', effectiveFrom: null, ...fields })
const parsed = (fields: Partial<PriceRow>) => parsePrice(row(fields), null)
const text = (usd: number) => ({ text: usd })

describe('rates', () => {
  test.each([
    [0.0375, 37_500],
    [0.075, 75_000],
    [1.25, 1_250_000],
    [120, 120_000_000],
    [0, 0],
    [0.000001, 1],
  ])('$%d per million tokens are %i pico-dollars per token', (usd, picos) => {
    expect(parsed({ input: text(usd) }).tiers.standard?.short.input.text).toBe(picos)
  })

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY, 1e-7, 0.0000015, 1e21, 1001])('%d is refused', usd => {
    expect(() => parsed({ input: text(usd) })).toThrow(ApiError)
  })

  test('what is missing is unknown, not zero', () => {
    const lines = parsed({ input: text(1) }).tiers.standard?.short
    expect(lines?.input.audio).toBeNull()
    expect(lines?.output.text).toBeNull()
  })

  test('a document costs what text costs, unless it has its own price', () => {
    expect(parsed({ input: text(1) }).tiers.standard?.short.input.document).toBe(1_000_000)
    expect(parsed({ input: { text: 1, document: 2 } }).tiers.standard?.short.input.document).toBe(2_000_000)
  })

  test('a modality without a cached price has no discount', () => {
    const { cached } = parsed({ input: { text: 1, audio: 3 }, cached: text(0.1) }).tiers.standard?.short ?? {}
    expect(cached).toMatchObject({ text: 100_000, audio: 3_000_000, image: null })
  })

  test('without long-context prices both contexts cost the same', () => {
    const { standard } = parsed({ input: text(1) }).tiers
    expect(standard?.long).toBe(standard?.short)
  })

  test('with long-context prices a line that lacks one is unknown there', () => {
    const { standard } = parsed({ input: text(1), output: text(2), inputOver200k: text(3) }).tiers
    expect(standard?.long.input.text).toBe(3_000_000)
    expect(standard?.long.output.text).toBeNull()
  })
})

describe('service tiers', () => {
  // gemini-wire 6.1, readings of 2026-09-27: 2.5 Flash priority 0.54 / 4.50, cached 0.054.
  const flash = parsed({
    input: text(0.3),
    output: text(2.5),
    cached: text(0.03),
    inputOver200k: text(0.6),
    batchFactor: 0.5,
    flexFactor: 0.5,
    priorityFactor: 1.8,
  })

  test('priority multiplies input, output and cached', () => {
    const { priority } = flash.tiers
    expect(priority?.short.input.text).toBe(540_000)
    expect(priority?.short.output.text).toBe(4_500_000)
    expect(priority?.short.cached.text).toBe(54_000)
    expect(priority?.long.input.text).toBe(1_080_000)
  })

  test.each(['batch', 'flex'] as const)('%s halves input and output and leaves cached', tier => {
    const lines = flash.tiers[tier]?.short
    expect(lines?.input.text).toBe(150_000)
    expect(lines?.output.text).toBe(1_250_000)
    expect(lines?.cached.text).toBe(30_000)
  })

  test('a tier without a factor has no price', () => {
    const plain = parsed({ input: text(1) })
    expect(plain.tiers).toMatchObject({ batch: null, flex: null, priority: null })
    expect(plain.most.priority).toBeNull()
  })

  test('a factor that leaves a fraction of a pico-dollar is refused', () => {
    expect(() => parsed({ input: text(0.000001), flexFactor: 0.5 })).toThrow(ApiError)
  })

  test('the most a tier costs is the dearer of it and standard, and of input and cached', () => {
    expect(flash.most.flex?.short.input.text).toBe(300_000)
    expect(flash.most.priority?.short.input.text).toBe(540_000)
    const odd = parsed({
      input: text(1),
      cached: text(2),
      inputOver200k: text(0.5),
      cachedOver200k: text(0.1),
    })
    expect(odd.most.standard?.short.input.text).toBe(2_000_000)
    expect(odd.most.standard?.long.input.text).toBe(2_000_000)
  })
})

describe('units and tools', () => {
  test.each([
    ['billed', false],
    ['approximate', false],
    ['equivalent', true],
    [undefined, true],
  ] as const)('perUnitKind %s: priced by token is %s', (perUnitKind, isByToken) => {
    expect(parsed({ perUnitKind }).isByToken).toBe(isByToken)
  })

  test('fees are per query, or per prompt that was grounded', () => {
    const { tools } = parsed({
      tools: {
        googleSearch: { usdPer1000: 35, unit: 'groundedPrompt', freePerDay: 1500 },
        googleMaps: { usdPer1000: 14, unit: 'query', freePerMonth: 5000 },
        codeExecution: { usdPer1000: 0 },
        fileSearchIndexing: {},
      },
    })
    expect(tools).toEqual({
      googleSearch: { unit: 'prompt', picos: 35_000_000_000, free: { units: 1500, per: 'day' } },
      googleMaps: { unit: 'query', picos: 14_000_000_000, free: { units: 5000, per: 'month' } },
      codeExecution: { unit: 'query', picos: 0, free: null },
    })
  })

  test('pieces have a price of their own where they are billed, and only there', () => {
    const perUnit = { videoSecond720p: 0.4, videoSecond4K: 0.000001, clip30s: 0.04 }
    expect(parsed({ perUnitKind: 'billed', perUnit }).units).toEqual({
      videoSecond720p: 400_000_000_000,
      videoSecond4K: 1_000_000,
      song: 40_000_000_000,
    })
    expect(parsed({ perUnitKind: 'equivalent', perUnit }).units).toBeNull()
    expect(parsed({ perUnitKind: 'approximate', perUnit: { audioInMinute: 0.003 } }).units).toBeNull()
    expect(() => parsed({ perUnitKind: 'billed', perUnit: { reel: 1 } })).toThrow(ApiError)
  })

  test('what a cache keeps is billed by token and hour; priority multiplies that, flex and batch do not', () => {
    const factors = { batchFactor: 0.5, flexFactor: 0.5, priorityFactor: 1.8 }
    const { tiers } = parsed({ cacheStoragePerMTokenHour: 1, ...factors })
    expect(tiers.standard?.storage).toBe(1_000_000)
    expect(tiers.priority?.storage).toBe(1_800_000)
    expect([tiers.flex?.storage, tiers.batch?.storage]).toEqual([1_000_000, 1_000_000])
    expect(parsed({}).tiers.standard?.storage).toBeNull()
  })

  test('a model without a price for text it writes has that of its dearest output', () => {
    const { output } = parsed({ input: text(1), output: { audio: 9, image: 3 } }).tiers.standard?.short ?? {}
    expect(output).toMatchObject({ text: 9_000_000, audio: 9_000_000, image: 3_000_000, video: null })
  })
})

describe('dearerPrice', () => {
  test('takes the dearer of each line and lacks what either lacks', () => {
    const one = parsed({ input: { text: 1, audio: 3 }, output: text(8), flexFactor: 0.5 })
    const other = parsed({ input: { text: 2 }, output: text(4) })
    const dearer = dearerPrice(one, other)
    expect(dearer.tiers.standard?.short.input).toMatchObject({ text: 2_000_000, audio: null })
    expect(dearer.tiers.standard?.short.output.text).toBe(8_000_000)
    expect(dearer.tiers.flex).toBeNull()
    expect(dearer.most.standard?.short.output.text).toBe(8_000_000)
  })

  test('takes the dearer fee; of two units none', () => {
    const fee = (usdPer1000: number, unit: string) =>
      parsed({ tools: { googleSearch: { usdPer1000, unit } } })
    expect(dearerPrice(fee(14, 'query'), fee(35, 'query')).tools.googleSearch?.picos).toBe(35e9)
    expect(dearerPrice(fee(14, 'query'), fee(35, 'groundedPrompt')).tools.googleSearch).toBeUndefined()
  })

  test('takes the dearer piece and storage; of a piece that only one has, none', () => {
    const made = (perUnit: Record<string, number>, perHour: number) =>
      parsed({ perUnitKind: 'billed', perUnit, cacheStoragePerMTokenHour: perHour })
    const dearer = dearerPrice(made({ song: 1, videoSecond720p: 1 }, 3), made({ song: 2 }, 1))
    expect(dearer.units).toEqual({ song: 2e12 })
    expect(dearer.tiers.standard?.storage).toBe(3_000_000)
  })

  test('is priced by token only where both are', () => {
    expect(dearerPrice(parsed({}), parsed({ perUnitKind: 'billed' })).isByToken).toBe(false)
  })
})
