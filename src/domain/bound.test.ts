import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type CallBounds,
  type ClampRule,
  clampTo,
  floorOf,
  mediaBoundTokens,
  outputBoundTokens,
  promptBoundTokens,
  worstCase,
} from './bound.ts'
import { SERVED_PLAINLY, costOf } from './cost.ts'
import { DEFAULT_MODEL_LIMIT, type ModelLimit } from './model-limits.ts'
import { MODALITIES, type Modality, type PriceRow, TEXT_ONLY, parsePrice } from './price.ts'
import { type ModalityCount, NO_USAGE, type Usage } from './usage.ts'

const limit: ModelLimit = {
  inputTokenLimit: 1000,
  outputTokenLimit: 500,
  thinkingBudgetMin: 128,
  isKnown: true,
}
const row: PriceRow = {
  model: 'm',
  effectiveFrom: null,
  input: { text: 1, audio: 3, image: 1 },
  cached: { text: 0.1 },
  output: { text: 10, image: 30 },
  inputOver200k: { text: 2, audio: 3, image: 2 },
  outputOver200k: { text: 15, image: 30 },
  priorityFactor: 2,
  flexFactor: 0.5,
  tools: {
    googleSearch: { usdPer1000: 14, unit: 'searchQuery' },
    codeExecution: { usdPer1000: 0 },
  },
}
const price = parsePrice(row, null)
const plain: CallBounds = {
  promptTokensBound: 1000,
  outputTokensBound: 2000,
  candidateCount: 1,
  inputModalities: TEXT_ONLY,
  outputModalities: TEXT_ONLY,
  tier: null,
  tools: new Set(),
  toolCeilingsNanos: {},
}
const bounds = (fields: Partial<CallBounds>): CallBounds => ({ ...plain, ...fields })

describe('the prompt bound', () => {
  const size = { textBytes: 100, parts: 2, mediaTokens: 0, hasReference: false }

  test('is the bytes and an allowance for the request and each part', () => {
    expect(promptBoundTokens(size, limit)).toBe(100 + 2 * 16 + 64)
    expect(promptBoundTokens({ ...size, mediaTokens: 300 }, limit)).toBe(496)
  })

  test('is never above what the model reads, where that is known', () => {
    expect(promptBoundTokens({ ...size, textBytes: 5000 }, limit)).toBe(1000)
    expect(promptBoundTokens({ ...size, textBytes: 5_000_000 }, DEFAULT_MODEL_LIMIT)).toBe(5_000_096)
  })

  test('is all the model reads where the prompt refers to something', () => {
    expect(promptBoundTokens({ ...size, hasReference: true }, limit)).toBe(1000)
    expect(promptBoundTokens({ ...size, hasReference: true }, DEFAULT_MODEL_LIMIT)).toBe(1_048_576)
    const long = { ...size, textBytes: 5_000_000, hasReference: true }
    expect(promptBoundTokens(long, DEFAULT_MODEL_LIMIT)).toBe(5_000_096)
  })

  test.each([
    ['image/png', 10, 6192],
    ['IMAGE/JPEG', 10_000_000, 6192],
    ['text/csv', 321, 321],
    ['application/json', 321, 321],
    ['application/jsonl', 321, null],
    ['image/gif', 10, null],
    ['audio/mp3', 10, 5],
    ['audio/MPEG', 11, 6],
    ['audio/aac', 10, null],
    ['audio/wav', 10, null],
    ['video/mp4', 10, null],
    ['application/pdf', 10, null],
    ['xtext/plain', 10, null],
    ['', 10, null],
  ])('of %s of %i bytes is %s', (mimeType, bytes, tokens) => {
    expect(mediaBoundTokens(mimeType, bytes)).toBe(tokens)
  })
})

test('the output bound is the call’s own limit, else the budgets’ default, else the model’s', () => {
  expect(outputBoundTokens(7, 8, limit)).toBe(7)
  expect(outputBoundTokens(null, 8, limit)).toBe(8)
  expect(outputBoundTokens(null, null, limit)).toBe(500)
})

describe('the worst case', () => {
  test.each<[string, Partial<CallBounds>, number]>([
    ['text', {}, 1000 * 1000 + 2000 * 10_000],
    ['every candidate', { candidateCount: 3 }, 1000 * 1000 + 6000 * 10_000],
    ['no output', { outputTokensBound: 0 }, 1000 * 1000],
    ['the dearest input', { inputModalities: ['text', 'audio'] }, 1000 * 3000 + 2000 * 10_000],
    ['the dearest output', { outputModalities: ['image'] }, 1000 * 1000 + 2000 * 30_000],
    ['priority', { tier: 'priority' }, 1000 * 2000 + 2000 * 20_000],
    ['flex, held as standard', { tier: 'flex' }, 1000 * 1000 + 2000 * 10_000],
    ['exactly 200,000', { promptTokensBound: 200_000 }, 200_000 * 1000 + 2000 * 10_000],
    ['more than 200,000', { promptTokensBound: 200_001 }, 200_001 * 2000 + 2000 * 15_000],
    [
      'a tool with a ceiling',
      { tools: new Set(['googleSearch']), toolCeilingsNanos: { googleSearch: 5 } },
      21_000_005,
    ],
    ['outputs, which are no tools', { tools: new Set(['imageOutput', 'audioOutput']) }, 21_000_000],
  ])('counts %s', (_, fields, nanos) => {
    expect(worstCase(bounds(fields), price)).toEqual({ nanos })
  })

  test('counts the sum of the ceilings of all tools', () => {
    const tools = new Set(['googleSearch', 'codeExecution'] as const)
    const toolCeilingsNanos = { googleSearch: 5, codeExecution: 7 }
    expect(worstCase(bounds({ tools, toolCeilingsNanos }), price)).toEqual({ nanos: 21_000_012 })
  })

  test('counts search that is billed by the prompt once, without a ceiling', () => {
    const old = parsePrice(
      { ...row, tools: { googleSearch: { usdPer1000: 35, unit: 'groundedPrompt' } } },
      null,
    )
    expect(worstCase(bounds({ tools: new Set(['googleSearch']) }), old)).toEqual({
      nanos: 21_000_000 + 35_000_000,
    })
  })

  test('rounds up', () => {
    const thin = parsePrice({ model: 'm', effectiveFrom: null, input: { text: 0.000001 } }, null)
    expect(worstCase(bounds({ promptTokensBound: 1, outputTokensBound: 0 }), thin)).toEqual({ nanos: 1 })
  })

  test('stays exact above 2^53 pico-dollars, and saturates above 2^53 nano-dollars', () => {
    const one = { text: 0.000001 }
    const thin = parsePrice({ model: 'm', effectiveFrom: null, input: one, output: one }, null)
    const many = bounds({ promptTokensBound: 1, outputTokensBound: 2 ** 27, candidateCount: 2 ** 27 })
    expect(worstCase(many, thin)).toEqual({ nanos: Number((2n ** 54n + 1n + 999n) / 1000n) })
    expect(worstCase(bounds({ candidateCount: 2 ** 50 }), price)).toEqual({ nanos: Number.MAX_SAFE_INTEGER })
    const withCeiling = {
      tools: new Set(['googleSearch'] as const),
      toolCeilingsNanos: { googleSearch: 9e15 },
    }
    expect(worstCase(bounds({ candidateCount: 2 ** 50, ...withCeiling }), price)).toEqual({
      nanos: Number.MAX_SAFE_INTEGER,
    })
  })

  test.each<[string, Partial<CallBounds>]>([
    ['codeExecution', { tools: new Set(['codeExecution']) }],
    ['googleSearch', { tools: new Set(['googleSearch']), toolCeilingsNanos: { codeExecution: 1 } }],
    ['fileSearch', { tools: new Set(['other:fileSearch']) }],
    ['computerUse', { tools: new Set(['imageOutput', 'other:computerUse']) }],
  ])('has no bound for %s without a ceiling', (unbounded, fields) => {
    expect(worstCase(bounds(fields), price)).toEqual({ unbounded })
  })

  test.each<[string, Partial<CallBounds>]>([
    ['tool urlContext', { tools: new Set(['urlContext']), toolCeilingsNanos: { urlContext: 1 } }],
    ["service tier 'batch'", { tier: 'batch' }],
    ["service tier 'turbo'", { tier: 'turbo' }],
    ['input of text, video', { inputModalities: ['text', 'video'] }],
    ['output of audio', { outputModalities: ['audio'] }],
  ])('is unpriced: %s', (unpriced, fields) => {
    expect(worstCase(bounds(fields), price)).toEqual({ unpriced })
  })

  test('is unpriced where minutes are billed', () => {
    expect(worstCase(plain, parsePrice({ ...row, perUnitKind: 'approximate' }, null))).toEqual({
      unpriced: 'tokens of m',
    })
  })

  test('is a song for each candidate where songs are billed, whatever the tokens', () => {
    const songs = parsePrice({ ...row, perUnitKind: 'billed', perUnit: { song: 0.08 } }, null)
    expect(worstCase(bounds({ candidateCount: 2 }), songs)).toEqual({ nanos: 160_000_000 })
    expect(worstCase(bounds({ tier: 'flex' }), songs)).toEqual({
      unpriced: "what m makes, in service tier 'flex'",
    })
    const films = parsePrice({ ...row, perUnitKind: 'billed', perUnit: { videoSecond720p: 0.4 } }, null)
    expect(worstCase(plain, films)).toHaveProperty('unpriced')
  })

  test('is at the price of sound where a model only speaks', () => {
    const speech = parsePrice({ ...row, outputOver200k: undefined, output: { audio: 20 } }, null)
    const spoken = bounds({ outputModalities: ['text', 'audio'] })
    expect(worstCase(spoken, speech)).toEqual({ nanos: 1000 * 1000 + 2000 * 20_000 })
  })

  test('counts the sound of a film and the pages of a document', () => {
    const rich = parsePrice(
      {
        ...row,
        input: { text: 1, video: 1, audio: 3, image: 2 },
        inputOver200k: undefined,
        outputOver200k: undefined,
      },
      null,
    )
    const worst = (...inputModalities: Modality[]) =>
      worstCase(bounds({ inputModalities, outputTokensBound: 0 }), rich)
    expect(worst('video')).toEqual({ nanos: 1000 * 3000 })
    expect(worst('document')).toEqual({ nanos: 1000 * 2000 })
    const silent = parsePrice({ ...row, input: { text: 1, video: 1 } }, null)
    expect(worstCase(bounds({ inputModalities: ['video'] }), silent)).toEqual({ unpriced: 'input of video' })
  })
})

const rule: ClampRule = { policy: 'clamp', hasResponseSchema: false, thinkingBudget: null, limit }
const FLOOR = 1000 * 1000 + (128 + 256) * 10_000

describe('the floor', () => {
  test('is the worst case of the smallest output the call may be clamped to', () => {
    expect(floorOf(plain, price, rule)).toEqual({ nanos: FLOOR })
    const noThoughts = { ...rule, limit: { ...limit, thinkingBudgetMin: 0 } }
    expect(floorOf(plain, price, noThoughts)).toEqual({ nanos: 1000 * 1000 + 256 * 10_000 })
  })

  test('is the worst case of the call’s own limit where that is smaller', () => {
    expect(floorOf(bounds({ outputTokensBound: 10 }), price, rule)).toEqual({
      nanos: 1000 * 1000 + 10 * 10_000,
    })
  })

  test.each<[string, Partial<ClampRule>]>([
    ['the policy is refuse', { policy: 'refuse' }],
    ['a responseSchema is set', { hasResponseSchema: true }],
  ])('is the full worst case where %s', (_, fields) => {
    expect(floorOf(plain, price, { ...rule, ...fields })).toEqual(worstCase(plain, price))
  })
})

describe('clamping', () => {
  const clamp = (freeNanos: number, fields: Partial<ClampRule> = {}, call = plain) =>
    clampTo(freeNanos, call, { price, rule: { ...rule, ...fields } })

  test('takes at most half of what is free', () => {
    expect(clamp(30_000_000)).toEqual({ maxOutputTokens: 1400, thinkingBudget: null, nanos: 15_000_000 })
    expect(clamp(30_000_019)).toMatchObject({ maxOutputTokens: 1400 })
    expect(clamp(30_020_000)).toMatchObject({ maxOutputTokens: 1401 })
  })

  test('never raises a limit', () => {
    expect(clamp(1e15)).toMatchObject({ maxOutputTokens: 2000, nanos: 21_000_000 })
  })

  test('takes the smallest limit where half would be less and all is enough: what fits is not refused', () => {
    expect(clamp(FLOOR)).toEqual({ maxOutputTokens: 384, thinkingBudget: null, nanos: FLOOR })
    expect(clamp(FLOOR - 1)).toBeNull()
    expect(clamp(2 * FLOOR)).toMatchObject({ maxOutputTokens: 384 })
    expect(clamp(2 * (FLOOR + 10_000))).toMatchObject({ maxOutputTokens: 385 })
  })

  test('is no help where the call may not be clamped, and not needed where it fits', () => {
    expect(clamp(20_000_000, { policy: 'refuse' })).toBeNull()
    expect(clamp(20_000_000, { hasResponseSchema: true })).toBeNull()
    expect(clamp(21_000_000, { policy: 'refuse' })).toMatchObject({ maxOutputTokens: 2000 })
  })

  test('is no help where the call has no price or no bound', () => {
    expect(clamp(1e15, {}, bounds({ tier: 'batch' }))).toBeNull()
    expect(clamp(1e15, {}, bounds({ tools: new Set(['codeExecution']) }))).toBeNull()
  })

  test('costs no search through limits where output is free', () => {
    const free = parsePrice({ ...row, output: { text: 0 } }, null)
    expect(clampTo(2_000_000, plain, { price: free, rule })).toMatchObject({ maxOutputTokens: 2000 })
  })

  test.each<[number | null, number | null]>([
    [null, null],
    [-1, null],
    [0, null],
    [1144, null],
    [1145, 1144],
    [24_576, 1144],
  ])('a thinkingBudget of %s becomes %s beside 1,400 tokens of output', (thinkingBudget, lowered) => {
    expect(clamp(30_000_000, { thinkingBudget })).toMatchObject({
      maxOutputTokens: 1400,
      thinkingBudget: lowered,
    })
  })

  test('a thinkingBudget is not lowered below what the model takes', () => {
    const small = bounds({ outputTokensBound: 300 })
    expect(clampTo(1e15, small, { price, rule: { ...rule, thinkingBudget: 200 } })?.thinkingBudget).toBe(128)
  })
})

const usd = fc.integer({ min: 0, max: 200_000_000 }).map(half => (half * 2) / 1_000_000)
const rates = fc.record({ text: usd, image: usd, audio: usd, video: usd, document: usd })
const some = fc.option(rates, { nil: undefined })
const factor = fc.constantFrom(undefined, 0.5, 1.5, 2)
const rows = fc
  .record({
    input: rates,
    output: rates,
    cached: some,
    long: fc.option(fc.record({ input: rates, output: rates, cached: some }), { nil: undefined }),
    flexFactor: factor,
    priorityFactor: factor,
  })
  .map(({ long, ...fields }): PriceRow => ({
    model: 'm',
    effectiveFrom: null,
    ...fields,
    inputOver200k: long?.input,
    outputOver200k: long?.output,
    cachedOver200k: long?.cached,
  }))

const asked = fc.subarray([...MODALITIES], { minLength: 1 })
const callBounds: fc.Arbitrary<CallBounds> = fc.record({
  promptTokensBound: fc.oneof(fc.nat(1000), fc.integer({ min: 199_990, max: 200_010 }), fc.nat(40_000_000)),
  outputTokensBound: fc.oneof(fc.nat(2000), fc.nat(1_048_576)),
  candidateCount: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 8 })),
  inputModalities: asked,
  outputModalities: asked,
  tier: fc.constantFrom(null, 'standard', 'flex', 'priority'),
  tools: fc.constant(new Set<never>()),
  toolCeilingsNanos: fc.constant({}),
})

/** A part of a whole, by a share between 0 and 1; both ends are likely. */
const share = fc.oneof(fc.constantFrom(0, 1), fc.double({ min: 0, max: 1, noNaN: true }))
const shares = fc.record({
  prompt: share,
  cached: share,
  output: share,
  thoughts: share,
  isDowngraded: fc.boolean(),
  hasDetails: fc.boolean(),
  named: fc.array(share, { minLength: 15, maxLength: 15 }),
})

type Shares = typeof shares extends fc.Arbitrary<infer T> ? T : never

function countsWithin(
  total: number,
  modalities: readonly Modality[],
  named: readonly number[],
): ModalityCount[] {
  let left = total
  return modalities.map((modality, index) => {
    const tokenCount = Math.floor(left * (named[index] ?? 0))
    left -= tokenCount
    return { modality: modality.toUpperCase(), tokenCount }
  })
}

/** Any usage that keeps to the bounds, with details that say all, something, nonsense or nothing. */
function usageWithin(call: CallBounds, of: Shares): Usage {
  const promptTokens = Math.floor(call.promptTokensBound * of.prompt)
  const cachedTokens = Math.floor(promptTokens * of.cached)
  const output = Math.floor(call.outputTokensBound * call.candidateCount * of.output)
  const thoughtsTokens = Math.floor(output * of.thoughts)
  const candidatesTokens = output - thoughtsTokens
  const input = ['text', ...call.inputModalities] as const
  const details = {
    prompt: countsWithin(promptTokens, input, of.named),
    cached: countsWithin(cachedTokens, input, of.named.slice(5)),
    toolUsePrompt: [],
    candidates: countsWithin(candidatesTokens, ['text', ...call.outputModalities], of.named.slice(10)),
  }
  return {
    ...NO_USAGE,
    promptTokens,
    cachedTokens,
    candidatesTokens,
    thoughtsTokens,
    details: of.hasDetails ? details : null,
    serviceTier: of.isDowngraded ? 'standard' : call.tier,
  }
}

describe('no usage within the bounds', () => {
  test('costs more than the worst case', () => {
    fc.assert(
      fc.property(rows, callBounds, shares, (row, call, of) => {
        const parsed = parsePrice(row, null)
        const worst = worstCase(call, parsed)
        fc.pre('nanos' in worst)
        const cost = costOf(usageWithin(call, of), parsed, SERVED_PLAINLY, call)
        expect(cost).toBeLessThanOrEqual(worst.nanos)
      }),
      { numRuns: 3000 },
    )
  })

  test('costs more than the worst case with the tool charges that the ceiling allows', () => {
    const search = { googleSearch: { usdPer1000: 14, unit: 'searchQuery' } }
    fc.assert(
      fc.property(
        rows,
        callBounds,
        shares,
        fc.nat(1000),
        fc.nat(50),
        (row, call, of, toolTokens, queries) => {
          const parsed = parsePrice({ ...row, tools: search }, null)
          const usage = usageWithin(call, of)
          const served = { ...SERVED_PLAINLY, searchQueries: queries }
          const tool = { ...usage, toolUsePromptTokens: toolTokens }
          const ceiling = (costOf(tool, parsed, served) ?? 0) - (costOf(usage, parsed) ?? 0) + 1
          const tools = new Set(['googleSearch'] as const)
          const worst = worstCase({ ...call, tools, toolCeilingsNanos: { googleSearch: ceiling } }, parsed)
          fc.pre('nanos' in worst)
          expect(costOf(tool, parsed, served)).toBeLessThanOrEqual(worst.nanos)
        },
      ),
    )
  })

  test('costs more than the clamp took, which is at most what is free and the most that fits', () => {
    fc.assert(
      fc.property(rows, callBounds, shares, fc.nat(2_000_000_000), (row, call, of, freeNanos) => {
        const parsed = parsePrice(row, null)
        const clamped = clampTo(freeNanos, call, { price: parsed, rule })
        const floor = floorOf(call, parsed, rule)
        fc.pre('nanos' in floor)
        expect(clamped !== null).toBe(floor.nanos <= freeNanos)
        if (clamped === null) return
        const lowered = { ...call, outputTokensBound: clamped.maxOutputTokens }
        expect(worstCase(lowered, parsed)).toEqual({ nanos: clamped.nanos })
        expect(clamped.nanos).toBeLessThanOrEqual(Math.max(floor.nanos, freeNanos / 2))
        const cost = costOf(usageWithin(lowered, of), parsed, SERVED_PLAINLY, lowered)
        expect(cost).toBeLessThanOrEqual(clamped.nanos)
        if (clamped.maxOutputTokens === call.outputTokensBound) return
        const next = worstCase({ ...lowered, outputTokensBound: clamped.maxOutputTokens + 1 }, parsed)
        expect('nanos' in next ? next.nanos : 0).toBeGreaterThan(freeNanos / 2)
      }),
      { numRuns: 1000 },
    )
  })
})

test('a call for a picture is clamped to no less than room for one', () => {
  const rule: ClampRule = {
    policy: 'clamp',
    hasResponseSchema: false,
    thinkingBudget: null,
    limit: { ...limit, thinkingBudgetMin: 0 },
  }
  const picture = bounds({ outputTokensBound: 32_768, outputModalities: ['text', 'image'] })
  const floorNanos = 1000 * 1000 + 4096 * 30_000
  expect(floorOf(picture, price, rule)).toEqual({ nanos: floorNanos })
  expect(clampTo(floorNanos, picture, { price, rule })?.maxOutputTokens).toBe(4096)
  expect(clampTo(floorNanos - 1, picture, { price, rule })).toBeNull()
  // Who asks for less is not given more.
  expect(floorOf({ ...picture, outputTokensBound: 2000 }, price, rule)).toEqual(
    worstCase({ ...picture, outputTokensBound: 2000 }, price),
  )
})
