import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { promptBoundTokens } from '../domain/bound.ts'
import type { Budget } from '../domain/budget.ts'
import { ApiError } from '../domain/error.ts'
import type { ModelLimit } from '../domain/model-limits.ts'
import { loadModelLimits } from '../prices.ts'
import { boundsOf, clampRuleOf, defaultLimit } from './bounds.ts'
import { inspectBody } from './inspect.ts'
import { type BodyKind, routeOf } from './methods.ts'

const limits = loadModelLimits()
const FLASH = 'gemini-3.8-flash'
const IMAGE_TOKENS = 24 * 258

function inspect(body: unknown, kind: BodyKind = 'generate', model = FLASH) {
  return inspectBody(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), kind, model)
}

const VERBS: Readonly<Partial<Record<BodyKind, string>>> = {
  generate: 'generateContent',
  embed: 'embedContent',
  batchEmbed: 'batchEmbedContents',
}
const methodOf = (kind: BodyKind) => routeOf('POST', `/v1beta/models/${FLASH}:${VERBS[kind] ?? ''}`).method

const demand = (body: unknown, kind: BodyKind = 'generate') => inspect(body, kind).demand

/** The bounds of a body as admission has them. */
function bounds(body: unknown, kind: BodyKind = 'generate', model = FLASH) {
  const inspected = inspect(body, kind, model)
  return boundsOf({ ...inspected, method: methodOf(kind) }, limits.find(model), [])
}

function refusalOf(body: unknown, kind: BodyKind = 'generate'): ApiError | null {
  try {
    inspect(body, kind)
    return null
  } catch (error) {
    if (error instanceof ApiError) return error
    throw error
  }
}

const reasonOf = (body: unknown): string | null => refusalOf(body)?.reason ?? null

const config = (generationConfig: unknown) => ({ generationConfig })
const parts = (...list: unknown[]) => ({ contents: [{ parts: list }] })
const blob = (mimeType: string, data: string) => ({ inlineData: { mimeType, data } })

describe('what a body asks for', () => {
  it.each<[string, unknown, object]>([
    ['nothing', {}, { maxOutputTokens: null, candidateCount: 1, thinkingBudget: null, tier: null }],
    ['maxOutputTokens', config({ maxOutputTokens: 7 }), { maxOutputTokens: 7 }],
    ['max_output_tokens', { generation_config: { max_output_tokens: 7 } }, { maxOutputTokens: 7 }],
    ['mixed spellings', { generationConfig: { max_output_tokens: 7 } }, { maxOutputTokens: 7 }],
    ['a decimal text', config({ maxOutputTokens: '7' }), { maxOutputTokens: 7 }],
    ['a float that is whole', '{"generationConfig":{"maxOutputTokens":7.0e1}}', { maxOutputTokens: 70 }],
    ['an escaped key', '{"generationConfig":{"max\\u004futputTokens":7}}', { maxOutputTokens: 7 }],
    ['zero: no limit', config({ maxOutputTokens: 0 }), { maxOutputTokens: null }],
    ['less than zero: no limit', config({ maxOutputTokens: -5 }), { maxOutputTokens: null }],
    ['null: no limit', config({ maxOutputTokens: null }), { maxOutputTokens: null }],
    ['candidateCount', config({ candidateCount: 8 }), { candidateCount: 8 }],
    ['candidate_count as text', { generation_config: { candidate_count: '3' } }, { candidateCount: 3 }],
    ['no candidates: one', config({ candidateCount: 0 }), { candidateCount: 1 }],
    ['thinkingBudget', config({ thinkingConfig: { thinkingBudget: 64 } }), { thinkingBudget: 64 }],
    ['thinking_budget', config({ thinking_config: { thinking_budget: '64' } }), { thinkingBudget: 64 }],
    [
      'thinking as the model likes',
      config({ thinkingConfig: { thinkingBudget: -1 } }),
      { thinkingBudget: -1 },
    ],
    ['serviceTier', { serviceTier: 'priority' }, { tier: 'priority' }],
    ['service_tier', { service_tier: 'SERVICE_TIER_FLEX' }, { tier: 'SERVICE_TIER_FLEX' }],
    ['responseSchema', config({ responseSchema: { type: 'OBJECT' } }), { hasResponseSchema: true }],
    ['response_json_schema', config({ response_json_schema: {} }), { hasResponseSchema: true }],
    ['_responseJsonSchema', config({ _responseJsonSchema: {} }), { hasResponseSchema: true }],
    [
      'responseMimeType alone',
      config({ responseMimeType: 'application/json' }),
      { hasResponseSchema: false },
    ],
  ])('%s', (_, body, expected) => {
    expect(demand(body)).toMatchObject(expected)
  })

  it.each<[string, unknown, string, BodyKind?]>([
    ['a fraction', config({ maxOutputTokens: 1.5 }), 'generationConfig.maxOutputTokens'],
    ['a text that is no decimal', config({ maxOutputTokens: '1e3' }), 'generationConfig.maxOutputTokens'],
    ['a truth value', config({ candidateCount: true }), 'generationConfig.candidateCount'],
    ['a list for a number', config({ candidateCount: [4] }), 'generationConfig.candidateCount'],
    ['more than 2^53', config({ maxOutputTokens: 2 ** 53 }), 'generationConfig.maxOutputTokens'],
    [
      'a fraction of a thought',
      config({ thinkingConfig: { thinking_budget: 0.5 } }),
      'generationConfig.thinkingConfig.thinkingBudget',
    ],
    ['a list for the config', { generationConfig: [{ candidateCount: 8 }] }, 'generationConfig'],
    [
      'a list for the config, snake_case',
      { generation_config: [{ candidate_count: 8 }] },
      'generationConfig',
    ],
    [
      'a list for thinkingConfig',
      config({ thinkingConfig: [{ thinkingBudget: 1 }] }),
      'generationConfig.thinkingConfig',
    ],
    ['a number for the tier', { serviceTier: 2 }, 'serviceTier'],
    ['a list for the tier', { service_tier: ['priority'] }, 'serviceTier'],
    ['a list for a blob', parts({ inlineData: [{ mimeType: 'image/png', data: '' }] }), 'inlineData'],
    ['a text for a blob', parts({ inlineData: 'image/png' }), 'inlineData'],
    ['a list inside the parts', { contents: [{ parts: [[blob('image/png', '')]] }] }, 'parts'],
    ['a list inside the contents', { contents: [[{ parts: [blob('image/png', '')] }]] }, 'contents'],
    [
      'two tiers in one batch',
      { requests: [{ service_tier: 'priority' }, { service_tier: 'flex' }] },
      'serviceTier',
      'batchEmbed',
    ],
  ])('%s is refused by its name: another parser may read it as something', (_, body, field, kind) => {
    const refusal = refusalOf(body, kind)
    expect(refusal?.reason).toBe('FIELD_INVALID')
    expect(refusal?.message).toMatch(`Invalid value at '${field}': must be `)
  })

  it.each<[string, unknown, string, BodyKind?]>([
    ['a number', config({ maxOutputTokens: 1.5 }), 'must be a whole number'],
    ['a tier', { serviceTier: 2 }, 'must be a string'],
    ['a blob', parts({ inlineData: 'image/png' }), 'must be a JSON object'],
    [
      'the tiers of a batch',
      { requests: [{ service_tier: 'priority' }, { service_tier: 'flex' }] },
      'must be the same in all requests',
      'batchEmbed',
    ],
  ])('%s is refused with what it has to be', (_, body, expected, kind) => {
    expect(refusalOf(body, kind)?.message.endsWith(`': ${expected}`)).toBe(true)
  })

  it.each<[string, readonly object[], string | null]>([
    ['all of its requests name', [{ serviceTier: 'flex' }, { service_tier: 'flex' }], 'flex'],
    ['some of its requests name', [{}, { serviceTier: 'flex' }, {}], 'flex'],
    ['none names: none', [{}, {}], null],
  ])('the tier of a batch is the one that %s', (_, requests, tier) => {
    expect(demand({ requests }, 'batchEmbed').tier).toBe(tier)
  })

  it('contents that can hold no media are for the upstream to judge', () => {
    expect(reasonOf({ contents: ['a text for a content'] })).toBeNull()
    expect(reasonOf({ contents: [{ parts: ['a text for a part'] }] })).toBeNull()
  })

  it.each<[string, unknown]>([
    ['both spellings of the config', { generationConfig: {}, generation_config: { candidateCount: 8 } }],
    ['both spellings of a limit', config({ maxOutputTokens: 1, max_output_tokens: 9 })],
    ['both spellings of the tier', { serviceTier: 'flex', service_tier: 'priority' }],
    [
      'both spellings of a blob',
      parts({ inlineData: { mimeType: 'text/plain' }, inline_data: { mime_type: 'image/png' } }),
    ],
  ])('%s are refused', (_, body) => {
    expect(reasonOf(body)).toBe('FIELD_AMBIGUOUS')
  })

  it('a key that stands twice is refused', () => {
    expect(reasonOf('{"generationConfig":{"candidateCount":1,"candidateCount":8}}')).toBe('REQUEST_MALFORMED')
    expect(reasonOf('{"generationConfig":{"candidateCount":1,"candidate\\u0043ount":8}}')).toBe(
      'REQUEST_MALFORMED',
    )
  })
})

describe('what a prompt can be billed for', () => {
  const { inputTokenLimit } = limits.find(FLASH)
  const film = blob('video/mp4', 'AAAA')

  it.each<[string, unknown, readonly string[]]>([
    ['a film', parts(film), ['text', 'video']],
    [
      'a film under the other spelling',
      { contents: { parts: { inline_data: { mime_type: 'video/mp4' } } } },
      ['text', 'video'],
    ],
    ['sound', parts(blob('audio/wav', 'AAAA')), ['text', 'audio']],
    ['a PDF', parts(blob('application/pdf', 'AAAA')), ['text', 'document']],
    ['a film as an instruction', { systemInstruction: { parts: film } }, ['text', 'video']],
    [
      'a film that a function answered with',
      parts({ functionResponse: { name: 'f', response: {}, parts: [film] } }),
      ['text', 'video'],
    ],
    [
      'a type that is none',
      parts({ inlineData: { mimeType: 5, data: 'AAAA' } }),
      ['text', 'image', 'audio', 'video', 'document'],
    ],
    ['a type that says nothing', parts(blob('', 'AAAA')), ['text', 'image', 'audio', 'video', 'document']],
    [
      'a public film',
      parts({ fileData: { fileUri: 'https://www.youtube.com/watch?v=x' } }),
      ['text', 'image', 'audio', 'video', 'document'],
    ],
    ['a continuation', { continuation_token: 'x' }, ['text', 'image', 'audio', 'video', 'document']],
  ])('%s: as much as the model reads', (_, body, modalities) => {
    const { promptTokensBound, inputModalities } = bounds(body)
    expect(promptTokensBound).toBe(inputTokenLimit)
    expect(inputModalities.toSorted()).toEqual(modalities.toSorted())
  })

  it.each<[string, readonly string[]]>([
    ['image/png', ['image', 'text']],
    ['IMAGE/HEIC', ['image', 'text']],
    ['audio/mp3', ['audio', 'text']],
    ['text/csv', ['text']],
    ['Text/Plain', ['text']],
    ['application/json', ['text']],
    ['Application/JSON', ['text']],
    ['text', ['text']],
    ['application/jsonl', ['audio', 'document', 'image', 'text', 'video']],
    ['json', ['audio', 'document', 'image', 'text', 'video']],
    ['application/image', ['audio', 'document', 'image', 'text', 'video']],
  ])('a blob of type %s can hold %j, and nothing else is billed for it', (mimeType, modalities) => {
    expect(bounds(parts(blob(mimeType, 'AAAA'))).inputModalities.toSorted()).toEqual(modalities)
  })

  it('several blobs: as much as all of them, in whatever any of them holds', () => {
    const both = parts(
      blob('image/png', 'AAAA'),
      blob('text/plain', 'AAAA'),
      blob('audio/mp3', 'A'.repeat(400)),
    )
    const { prompt, inputModalities } = demand(both)
    // 4 characters of base64 are 3 bytes; a token of MP3 is 2 of them.
    expect(prompt.mediaTokens).toBe(IMAGE_TOKENS + 3 + 150)
    expect(prompt.textBytes).toBe(Buffer.byteLength(JSON.stringify(both)) - 408)
    expect(prompt.hasReference).toBe(false)
    expect(inputModalities.toSorted()).toEqual(['audio', 'image', 'text'])
  })

  it('an image: as much as an image takes, whatever its bytes', () => {
    const few = bounds(parts(blob('image/png', 'A'.repeat(8))))
    const many = bounds(parts(blob('image/png', 'A'.repeat(4_000_000))))
    expect(few.promptTokensBound).toBeGreaterThan(IMAGE_TOKENS)
    expect(many.promptTokensBound).toBe(few.promptTokensBound)
    const three = bounds(parts(...Array.from({ length: 3 }, () => blob('image/jpeg', 'AAAA'))))
    expect(three.promptTokensBound).toBeGreaterThan(3 * IMAGE_TOKENS)
  })

  it('many small parts: the tokens around each of them count', () => {
    const { promptTokensBound } = bounds(parts(...Array.from({ length: 1_000 }, () => ({ text: '' }))))
    expect(promptTokensBound).toBeGreaterThanOrEqual(1_000 * 16)
  })

  it('a text in base64: a token for each byte of it', () => {
    const data = Buffer.from('x'.repeat(3_000)).toString('base64')
    const { promptTokensBound } = bounds(parts(blob('text/csv', data)))
    expect(promptTokensBound).toBeGreaterThanOrEqual(3_000)
    expect(promptTokensBound).toBeLessThan(3_000 + 300)
  })

  it('each request of a batch is read apart, so the limit of the model bounds each', () => {
    const model = 'gemini-embedding-001'
    const long = { content: { parts: [{ text: 'x'.repeat(5_000) }] } }
    const limit = limits.find(model).inputTokenLimit
    const batch = (count: number) => ({ requests: Array.from({ length: count }, () => long) })
    expect(bounds(long, 'embed', model).promptTokensBound).toBe(limit)
    expect(bounds(batch(1), 'batchEmbed', model).promptTokensBound).toBe(limit)
    expect(bounds(batch(100), 'batchEmbed', model).promptTokensBound).toBe(100 * limit)
    const films = { requests: [{ content: { parts: [film] } }, { content: { parts: [film] } }] }
    const reads = limits.find('gemini-embedding-2').inputTokenLimit
    expect(bounds(films, 'batchEmbed', 'gemini-embedding-2').promptTokensBound).toBe(2 * reads)
    expect(bounds(batch(3), 'batchEmbed', model).outputTokensBound).toBe(0)
  })
})

describe('the bound is never below what the dearest biller bills', () => {
  /** A token for each byte of text, some around every message, and the most for every image. */
  const MESSAGE_TOKENS = 16
  const REQUEST_TOKENS = 50

  interface Biller {
    readonly message: unknown
    readonly tokens: number
  }

  const text = fc
    .oneof(fc.string({ maxLength: 40 }), fc.string({ unit: 'grapheme', maxLength: 20 }))
    .map(value => ({ value, tokens: Buffer.byteLength(value) }))
  const spelled = (camel: string, snake: string) => fc.constantFrom(camel, snake)
  const textPart: fc.Arbitrary<Biller> = text.map(({ value, tokens }) => ({
    message: { text: value },
    tokens: tokens + MESSAGE_TOKENS,
  }))
  const image: fc.Arbitrary<Biller> = fc
    .tuple(
      spelled('inlineData', 'inline_data'),
      spelled('mimeType', 'mime_type'),
      fc.constantFrom('image/png', 'image/webp', 'IMAGE/JPEG'),
      fc.base64String({ maxLength: 60 }),
    )
    .map(([field, type, mimeType, data]) => ({
      message: { [field]: { [type]: mimeType, data } },
      tokens: IMAGE_TOKENS + MESSAGE_TOKENS,
    }))
  const table: fc.Arbitrary<Biller> = text.map(({ value, tokens }) => ({
    message: { inlineData: { mimeType: 'text/csv', data: Buffer.from(value).toString('base64') } },
    tokens: tokens + MESSAGE_TOKENS,
  }))
  const answer: fc.Arbitrary<Biller> = fc
    .tuple(spelled('functionResponse', 'function_response'), text, image)
    .map(([field, said, media]) => ({
      message: { [field]: { name: 'f', response: { said: said.value }, parts: [media.message] } },
      tokens: said.tokens + media.tokens + 2 * MESSAGE_TOKENS,
    }))
  const part = fc.oneof({ weight: 3, arbitrary: textPart }, image, table, answer)
  const content: fc.Arbitrary<Biller> = fc
    .tuple(fc.array(part, { maxLength: 20 }), fc.boolean())
    .map(([list, isLone]) => ({
      message: {
        role: 'user',
        parts: isLone && list.length === 1 ? list[0]?.message : list.map(one => one.message),
      },
      tokens: MESSAGE_TOKENS + list.reduce((sum, one) => sum + one.tokens, 0),
    }))
  const request = fc.record({
    contents: fc.array(content, { maxLength: 4 }),
    instruction: fc.option(fc.tuple(spelled('systemInstruction', 'system_instruction'), content)),
    declared: fc.array(text, { maxLength: 3 }),
    maxOutputTokens: fc.integer({ min: -1, max: 100_000 }),
    candidateCount: fc.integer({ min: 0, max: 8 }),
    asText: fc.boolean(),
  })

  it('for any body of text, images, tables, answers of functions and declarations', () => {
    fc.assert(
      fc.property(request, given => {
        const number = (value: number) => (given.asText ? String(value) : value)
        const [field, instruction] = given.instruction ?? []
        const body = {
          contents: given.contents.map(({ message }) => message),
          ...(field === undefined ? {} : { [field]: instruction?.message }),
          tools: [{ functionDeclarations: given.declared.map(({ value }) => ({ name: value })) }],
          generationConfig: {
            maxOutputTokens: number(given.maxOutputTokens),
            candidateCount: number(given.candidateCount),
          },
        }
        const billed =
          REQUEST_TOKENS +
          (instruction?.tokens ?? 0) +
          [...given.contents, ...given.declared].reduce((sum, { tokens }) => sum + tokens + MESSAGE_TOKENS, 0)
        const { promptTokensBound, outputTokensBound, candidateCount } = bounds(body)
        expect(promptTokensBound).toBeGreaterThanOrEqual(billed)
        const limit = limits.find(FLASH).outputTokenLimit
        const written = given.maxOutputTokens > 0 ? given.maxOutputTokens : limit
        expect(outputTokensBound * candidateCount).toBeGreaterThanOrEqual(
          written * Math.max(1, given.candidateCount),
        )
      }),
      { numRuns: 500 },
    )
  })

  it('a model of unknown limits is bound by the bytes alone', () => {
    const unknown: ModelLimit = {
      inputTokenLimit: 10,
      outputTokenLimit: 10,
      thinkingBudgetMin: 0,
      isKnown: false,
    }
    const { prompt } = demand(parts({ text: 'x'.repeat(100) }))
    expect(promptBoundTokens(prompt, unknown)).toBeGreaterThanOrEqual(100)
  })
})

describe('what the budgets of a path set', () => {
  const budget = (part: Partial<Budget>) =>
    ({ policy: 'clamp', defaultMaxOutputTokens: null, toolCeilingsNanos: {}, ...part }) as Budget
  const grant = (body: unknown, kind: BodyKind = 'generate') => ({
    ...inspect(body, kind),
    method: methodOf(kind),
  })
  const limit = limits.find(FLASH)
  const path = [
    budget({ defaultMaxOutputTokens: 900 }),
    budget({ defaultMaxOutputTokens: 300 }),
    budget({ defaultMaxOutputTokens: null }),
  ]

  it.each<[string, ReturnType<typeof grant>, readonly Budget[], number | null]>([
    ['the least default, where the call names no limit', grant({}), path, 300],
    ['nothing, where it does', grant(config({ maxOutputTokens: 5_000 })), path, null],
    ['the default also where it says zero', grant(config({ maxOutputTokens: 0 })), path, 300],
    ['nothing above the limit of the model', grant({}), [budget({ defaultMaxOutputTokens: 100_000 })], null],
    ['nothing for an embedding', grant({ content: {} }, 'embed'), path, null],
    ['nothing without defaults', grant({}), [budget({})], null],
  ])('%s', (_, given, budgets, expected) => {
    expect(defaultLimit(given, limit, budgets)).toBe(expected)
    if (expected !== null) expect(boundsOf(given, limit, budgets).outputTokensBound).toBe(expected)
  })

  it('the strictest policy', () => {
    const policyOf = (...policies: readonly Budget['policy'][]) =>
      clampRuleOf(
        grant({}),
        limit,
        policies.map(policy => budget({ policy })),
      ).policy
    expect([policyOf('clamp', 'clamp'), policyOf('clamp', 'refuse'), policyOf('refuse', 'clamp')]).toEqual([
      'clamp',
      'refuse',
      'refuse',
    ])
    expect(clampRuleOf(grant({ content: {} }, 'embed'), limit, [budget({})]).policy).toBe('refuse')
  })
})
