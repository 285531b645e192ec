import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Budget } from '../domain/budget.ts'
import { ApiError } from '../domain/error.ts'
import type { ModelLimit } from '../domain/model-limits.ts'
import { type PriceRow, parsePrice } from '../domain/price.ts'
import type { UsedTool } from '../domain/tool.ts'
import { BoundedAsk, boundsOf, clampRuleOf, defaultLimit, unpriced } from './bounds.ts'
import { type Demand, NO_DEMAND } from './demand.ts'
import { routeOf } from './methods.ts'

const limit: ModelLimit = {
  inputTokenLimit: 1_000,
  outputTokenLimit: 500,
  thinkingBudgetMin: 0,
  isKnown: true,
}
/** A token that is read costs 1,000 nano-dollars, and one that is written 10,000. */
const row: PriceRow = {
  model: 'm',
  effectiveFrom: null,
  input: { text: 1 },
  output: { text: 10, image: 30 },
  tools: { googleSearch: { usdPer1000: 14, unit: 'searchQuery' } },
}
const LIST_PRICE = 10_000

const budget = (part: Partial<Budget> = {}) =>
  ({ policy: 'clamp', defaultMaxOutputTokens: null, toolCeilingsNanos: {}, ...part }) as Budget

interface Given {
  readonly demand?: Partial<Demand>
  readonly tools?: readonly UsedTool[]
  readonly verb?: string
}

/** A call with a prompt of at most 100 tokens, but for what is given. */
function grantOf({ demand = {}, tools = [], verb = 'generateContent' }: Given = {}) {
  const prompt = { ...NO_DEMAND.prompt, textBytes: 36 }
  return {
    demand: { ...NO_DEMAND, prompt, ...demand },
    tools: new Set(tools),
    method: routeOf('POST', `/v1beta/models/m:${verb}`).method,
  }
}

const bounds = (given: Given = {}, ...path: Budget[]) => boundsOf(grantOf(given), limit, path)

function askOf(given: Given = {}, path: readonly Budget[] = [budget()], basisPoints = LIST_PRICE) {
  const grant = grantOf(given)
  const charge = { price: parsePrice(row, null), basisPoints }
  return new BoundedAsk(boundsOf(grant, limit, path), charge, clampRuleOf(grant, limit, path))
}

function refusalOf(make: () => unknown): ApiError {
  try {
    make()
  } catch (error) {
    if (error instanceof ApiError) return error
    throw error
  }
  throw new Error('it was not refused')
}

describe('what bounds a call', () => {
  it('is what it asks for itself', () => {
    const demand = {
      maxOutputTokens: 70,
      candidateCount: 3,
      inputModalities: ['text', 'audio'],
      tier: 'flex',
    } as const
    expect(bounds({ demand, tools: ['googleSearch'] })).toEqual({
      promptTokensBound: 100,
      outputTokensBound: 70,
      candidateCount: 3,
      inputModalities: ['text', 'audio'],
      outputModalities: ['text'],
      tier: 'flex',
      tools: new Set(['googleSearch']),
      toolCeilingsNanos: {},
    })
  })

  it.each<[string, number]>([
    ['generateContent', 500],
    ['streamGenerateContent', 500],
    ['embedContent', 0],
    ['batchEmbedContents', 0],
  ])('%s writes at most %i tokens where it names no limit', (verb, tokens) => {
    expect(bounds({ verb }).outputTokensBound).toBe(tokens)
  })

  it('is what the model reads, for each request of a batch', () => {
    const prompt = { ...NO_DEMAND.prompt, textBytes: 100_000 }
    const promptOf = (requests: number) =>
      bounds({ verb: 'batchEmbedContents', demand: { prompt, requests } }).promptTokensBound
    expect([promptOf(1), promptOf(3)]).toEqual([1_000, 3_000])
  })

  it.each<[readonly UsedTool[], readonly string[]]>([
    [[], ['text']],
    [['googleSearch'], ['text']],
    [['imageOutput'], ['text', 'image']],
    [['audioOutput'], ['text', 'audio']],
    [
      ['audioOutput', 'imageOutput'],
      ['text', 'image', 'audio'],
    ],
  ])('with %j it writes %j', (tools, modalities) => {
    expect(bounds({ tools }).outputModalities).toEqual(modalities)
  })

  it('is the least ceiling that a budget of the path sets for a tool', () => {
    const path = [
      budget({ toolCeilingsNanos: { googleSearch: 5, urlContext: 9 } }),
      budget(),
      budget({ toolCeilingsNanos: { googleSearch: 3, codeExecution: 8 } }),
      budget({ toolCeilingsNanos: { googleSearch: 4 } }),
    ]
    expect(bounds({}, ...path).toolCeilingsNanos).toEqual({
      googleSearch: 3,
      urlContext: 9,
      codeExecution: 8,
    })
    expect(bounds({}, budget()).toolCeilingsNanos).toEqual({})
  })

  it('is a default of the budgets only below the limit of the model: that one need not be sent', () => {
    const given = (tokens: number) =>
      defaultLimit(grantOf(), limit, [budget({ defaultMaxOutputTokens: tokens })])
    expect([given(501), given(500), given(499)]).toEqual([null, null, 499])
    const path = [400, 300, 300, 350].map(tokens => budget({ defaultMaxOutputTokens: tokens }))
    expect(defaultLimit(grantOf(), limit, path)).toBe(300)
  })
})

describe('what is asked for a call', () => {
  it('is its worst case, and the least it may be clamped to', () => {
    expect(askOf()).toMatchObject({
      promptTokensBound: 100,
      worstNanos: 100 * 1_000 + 500 * 10_000,
      floorNanos: 100 * 1_000 + 256 * 10_000,
    })
  })

  it('is never clamped to less than the model thinks, and something to see', () => {
    const thinking = { ...limit, thinkingBudgetMin: 100 }
    const grant = grantOf()
    const charge = { price: parsePrice(row, null), basisPoints: LIST_PRICE }
    const ask = new BoundedAsk(bounds(), charge, clampRuleOf(grant, thinking, []))
    expect(ask.floorNanos).toBe(100 * 1_000 + 356 * 10_000)
  })

  it.each<[string, Given, readonly Budget[]]>([
    ['a budget of its path refuses', {}, [budget(), budget({ policy: 'refuse' })]],
    ['its answer has a schema', { demand: { hasResponseSchema: true } }, [budget()]],
    ['it embeds', { verb: 'embedContent' }, [budget()]],
  ])('is all of it or nothing where %s', (_, given, path) => {
    const ask = askOf(given, path)
    expect(ask.floorNanos).toBe(ask.worstNanos)
    expect(ask.clampTo(ask.worstNanos - 1)).toBeNull()
    expect(ask.clampTo(Number.MAX_SAFE_INTEGER)).toBeNull()
  })

  it('is half of what is free where it is clamped, and its floor where half is less', () => {
    const ask = askOf()
    expect(ask.clampTo(8_000_000)).toEqual({ nanos: 4_000_000, maxOutputTokens: 390, thinkingBudget: null })
    expect(ask.clampTo(ask.floorNanos)).toEqual({
      nanos: ask.floorNanos,
      maxOutputTokens: 256,
      thinkingBudget: null,
    })
    expect(ask.clampTo(ask.floorNanos - 1)).toBeNull()
  })

  it('has a budget for thoughts that leaves room for what is seen', () => {
    const ask = askOf({ demand: { thinkingBudget: 300 } })
    expect(ask.clampTo(8_000_000)).toMatchObject({ maxOutputTokens: 390, thinkingBudget: 390 - 256 })
  })

  it('follows the prompt as Google has counted it, under the same rules', () => {
    const counted = askOf({}, [budget({ policy: 'refuse' })]).withPromptTokens(40)
    expect(counted).toMatchObject({ promptTokensBound: 40, worstNanos: 5_040_000, floorNanos: 5_040_000 })
    expect(askOf().withPromptTokens(40)).toMatchObject({ worstNanos: 5_040_000, floorNanos: 2_600_000 })
  })

  it('is what the project is charged: the factor of its tier is in all of it', () => {
    const half = askOf({}, [budget()], LIST_PRICE / 2)
    expect(half).toMatchObject({ worstNanos: 2_550_000, floorNanos: 1_330_000 })
    expect(half.clampTo(4_000_000)).toMatchObject({ nanos: 2_000_000, maxOutputTokens: 390 })
    expect(half.withPromptTokens(40).worstNanos).toBe(2_520_000)
    expect(askOf({}, [budget({ policy: 'refuse' })], LIST_PRICE * 3)).toMatchObject({
      worstNanos: 15_300_000,
      floorNanos: 15_300_000,
    })
  })

  it('fits into what is free however it is clamped, and its floor is never refused', () => {
    const basisPoints = fc.integer({ min: 1, max: 100_000 })
    fc.assert(
      fc.property(basisPoints, fc.integer({ min: 0, max: 60_000_000 }), (points, freeNanos) => {
        const ask = askOf({}, [budget()], points)
        const clamped = ask.clampTo(freeNanos)
        if (clamped !== null) expect(clamped.nanos).toBeLessThanOrEqual(freeNanos)
        expect(ask.floorNanos).toBeLessThanOrEqual(ask.worstNanos)
        expect(ask.clampTo(ask.floorNanos)?.nanos).toBe(ask.floorNanos)
      }),
    )
  })
})

describe('what no budget can count is refused', () => {
  it('a tool without a bound, by its name, and what to do about it', () => {
    const refused = refusalOf(() => askOf({ tools: ['googleSearch'] }))
    expect(refused).toMatchObject({
      reason: 'TOOL_UNBOUNDED',
      httpStatus: 400,
      metadata: { tool: 'googleSearch' },
    })
    expect(refused.message).toMatch(/googleSearch .*no bound.*Leave it out, or .*ceiling per call for it/)
    const path = [budget({ toolCeilingsNanos: { googleSearch: 7 } }), budget()]
    expect(askOf({ tools: ['googleSearch'] }, path).worstNanos).toBe(5_100_007)
  })

  it('a tool, a tier or an output without a price, by the name of the model', () => {
    for (const [given, what] of [
      [{ tools: ['urlContext'] }, 'tool urlContext'],
      [{ tools: ['audioOutput'] }, 'output of text, audio'],
      [{ demand: { tier: 'turbo' } }, "service tier 'turbo'"],
    ] as const) {
      const refused = refusalOf(() => askOf(given))
      expect(refused).toMatchObject({ reason: 'MODEL_UNPRICED', httpStatus: 400 })
      expect(refused.message).toContain(`m: no price is known for ${what}`)
    }
  })

  it('a model without a price, and what to do about it', () => {
    const refused = unpriced("no price is known for the model 'm'")
    expect(refused).toMatchObject({ reason: 'MODEL_UNPRICED', httpStatus: 400 })
    expect(refused.message).toMatch(
      /budget applies to this key, and no price is known for the model 'm'\. Call a model with .*price, or use a key without a budget/,
    )
  })
})
