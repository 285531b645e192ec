import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ApiError } from '../domain/error.ts'
import { inspectBody } from './inspect.ts'
import type { BodyKind } from './methods.ts'

const MODEL = 'gemini-3.8-flash'
const inspect = (body: unknown, kind: BodyKind = 'generate') =>
  inspectBody(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), kind, MODEL)

function reasonOf(body: unknown, kind: BodyKind = 'generate'): string | null {
  try {
    inspect(body, kind)
    return null
  } catch (error) {
    if (error instanceof ApiError) return error.reason
    throw error
  }
}

const part = (fields: unknown) => ({ contents: [{ role: 'user', parts: [{ text: 'hi' }, fields] }] })
const file = (fileUri: unknown) => part({ fileData: { fileUri } })

describe('references to objects of the upstream project are refused', () => {
  it.each<[string, unknown, BodyKind?]>([
    ['cachedContent', { cachedContent: 'cachedContents/a' }],
    ['cached_content', { cached_content: 'cachedContents/a' }],
    ['a cachedContent that is no text', { cachedContent: {} }],
    ['fileSearch', { tools: [{ fileSearch: { fileSearchStoreNames: ['fileSearchStores/a'] } }] }],
    ['file_search, alone instead of in a list', { tools: { file_search: {} } }],
    ['fileSearch beside another tool', { tools: [{ googleSearch: {}, fileSearch: {} }] }],
    ['retrieval', { tools: [{ retrieval: {} }] }],
    ['fileData', part({ fileData: { fileUri: 'files/a' } })],
    ['file_data', part({ file_data: { file_uri: 'files/a' } })],
    ['mixed spellings', part({ fileData: { file_uri: 'files/a' } })],
    ['fileData without a URI', part({ fileData: { mimeType: 'image/png' } })],
    ['a lone content and part', { contents: { parts: { fileData: { fileUri: 'files/a' } } } }],
    ['systemInstruction', { systemInstruction: { parts: [{ fileData: { fileUri: 'files/a' } }] } }],
    ['system_instruction', { system_instruction: { parts: { file_data: { file_uri: 'files/a' } } } }],
    [
      'a function response',
      part({ functionResponse: { name: 'f', parts: [{ fileData: { fileUri: 'files/a' } }] } }),
    ],
    ['function_response', part({ function_response: { parts: { file_data: { file_uri: 'files/a' } } } })],
    ['embedContent', { content: { parts: [{ fileData: { fileUri: 'files/a' } }] } }, 'embed'],
    [
      'batchEmbedContents',
      { requests: [{}, { content: { parts: [{ fileData: { fileUri: 'files/a' } }] } }] },
      'batchEmbed',
    ],
    [
      'a lone request',
      { requests: { content: { parts: [{ fileData: { fileUri: 'files/a' } }] } } },
      'batchEmbed',
    ],
    ['countTokens', file('files/a'), 'countTokens'],
    ['generateContentRequest', { generateContentRequest: { cachedContent: 'a' } }, 'countTokens'],
    ['generate_content_request', { generate_content_request: file('files/a') }, 'countTokens'],
  ])('%s', (_, body, kind) => {
    expect(reasonOf(body, kind)).toBe('OBJECT_NOT_OWNED')
  })

  it.each([
    'files/abc',
    '/v1beta/files/abc',
    'https://generativelanguage.googleapis.com/v1beta/files/abc',
    'https://GenerativeLanguage.GoogleAPIs.com/v1beta/files/abc',
    'https://generativelanguage.googleapis.com./v1beta/files/abc',
    'https://generativelanguage.googleapis.com:443/v1beta/files/abc',
    'https://user@generativelanguage.googleapis.com/v1beta/files/abc',
    String.raw`https:\\generativelanguage.googleapis.com\v1beta\files\abc`,
    'https:generativelanguage.googleapis.com/v1beta/files/abc',
    ' https://generativelanguage.google\tapis.com/v1beta/files/abc',
    'https://generativelanguage%2egoogleapis.com/v1beta/files/abc',
    'https://generativelanguage。googleapis。com/v1beta/files/abc',
    'https://other-pollux.example/v1beta/files/abc',
    'https://other-pollux.example/v1beta/%66iles/abc',
    'https://generativelanguage.googleapis.com@evil.example/v1beta/files/abc',
    'https://evil.example/?https://generativelanguage.googleapis.com/v1beta%2ffiles%2Fabc',
    'https://storage.googleapis.com/bucket/object',
    'https://bucket.storage.googleapis.com/object',
    'https://storage.cloud.google.com/bucket/object',
    'gs://bucket/object',
    'ftp://example.com/a',
    'data:text/plain,x',
    '',
    7,
    null,
    ['https://example.com/a.mp4'],
  ])('fileUri %s', uri => {
    expect(reasonOf(file(uri))).toBe('OBJECT_NOT_OWNED')
  })

  it.each([
    'https://www.youtube.com/watch?v=abc',
    'https://youtu.be/abc',
    'https://example.com/files/a.pdf',
    'http://example.com/a%20%C3%A9%ff.png?x=%2f',
    'https://notgoogleapis.com/v1/a',
  ])('but a public one is none: %s', uri => {
    expect(reasonOf(file(uri))).toBeNull()
  })

  it('nor are names that stand in the payload of a function, in a schema or in text', () => {
    const payload = {
      cachedContent: 'x',
      fileData: { fileUri: 'files/a' },
      tools: [{ fileSearch: {} }],
      a: [[1]],
    }
    const body = {
      contents: [
        { parts: [{ functionCall: { name: 'f', args: payload } }] },
        { parts: [{ functionResponse: { name: 'f', response: payload } }] },
        { parts: [{ text: JSON.stringify(payload) }] },
      ],
      tools: [{ functionDeclarations: [{ name: 'f', parametersJsonSchema: { properties: payload } }] }],
      generationConfig: { responseJsonSchema: { properties: payload } },
    }
    expect(reasonOf(body)).toBeNull()
  })
})

describe('a field under both of its spellings is refused', () => {
  it.each<[unknown, BodyKind?]>([
    [{ cachedContent: null, cached_content: 'a' }],
    [{ generationConfig: {}, generation_config: {} }],
    [{ systemInstruction: {}, system_instruction: {} }],
    [{ generationConfig: { maxOutputTokens: 1, max_output_tokens: 2 } }],
    [{ generationConfig: { candidateCount: 1, candidate_count: 2 } }],
    [{ generation_config: { thinking_config: { thinkingBudget: 1, thinking_budget: 2 } } }],
    [{ tools: [{ fileSearch: null, file_search: {} }] }],
    [{ contents: [{ parts: [{ fileData: null, file_data: {} }] }] }],
    [
      file('https://example.com') &&
        part({ fileData: { fileUri: 'https://example.com', file_uri: 'files/a' } }),
    ],
    [part({ functionResponse: { parts: [{ fileData: null, file_data: {} }] } })],
    [{ generateContentRequest: {}, generate_content_request: {} }, 'countTokens'],
    [{ generateContentRequest: { cachedContent: null, cached_content: 'a' } }, 'countTokens'],
    [{ requests: [{ outputDimensionality: 1, output_dimensionality: 2 }] }, 'batchEmbed'],
  ])('%j', (body, kind) => {
    expect(reasonOf(body, kind)).toBe('FIELD_AMBIGUOUS')
  })
})

describe('what cannot be read as a message is not forwarded', () => {
  it.each<[unknown, BodyKind?]>([
    [{ contents: [[{ parts: [{ fileData: { fileUri: 'files/a' } }] }]] }],
    [{ contents: [{ parts: [[{ fileData: { fileUri: 'files/a' } }]] }] }],
    [part({ fileData: [{ fileUri: 'files/a' }] })],
    [part({ functionResponse: [{ parts: [] }] })],
    [part({ functionResponse: { parts: [[{ fileData: { fileUri: 'files/a' } }]] } })],
    [{ systemInstruction: [[{ parts: [{ fileData: {} }] }]] }],
    [{ tools: [[{ fileSearch: {} }]] }],
    [{ generationConfig: [{ candidateCount: 8 }] }],
    [{ generationConfig: { thinkingConfig: [] } }],
    [{ requests: [[{ content: {} }]] }, 'batchEmbed'],
    [{ generateContentRequest: [{ cachedContent: 'a' }] }, 'countTokens'],
  ])('%j', (body, kind) => {
    expect(reasonOf(body, kind)).toBe('FIELD_INVALID')
  })

  it.each(['[]', '"a"', 'null', '1'])('a body that is no object: %s', body => {
    expect(reasonOf(body)).toBe('REQUEST_MALFORMED')
  })
})

describe('what a body asks for', () => {
  it.each<[unknown, number, BodyKind?]>([
    [{}, 1],
    [{ generationConfig: {} }, 1],
    [{ generationConfig: { candidateCount: 3 } }, 3],
    [{ generation_config: { candidate_count: 3 } }, 3],
    [{ generationConfig: { candidateCount: '3' } }, 3],
    [{ generationConfig: { candidateCount: 0 } }, 1],
    [{ generationConfig: { candidateCount: -3 } }, 1],
    [{ generationConfig: { candidateCount: null } }, 1],
    [{ generateContentRequest: { generationConfig: { candidateCount: 4 } } }, 4, 'countTokens'],
  ])('%j: %i candidates', (body, count, kind) => {
    expect(inspect(body, kind).demand.candidateCount).toBe(count)
  })

  it('every model it names, without the prefix', () => {
    expect(inspect({ model: 'models/a' }).models).toEqual(['a'])
    expect(inspect({ model: 'tunedModels/a' }).models).toEqual(['tunedModels/a'])
    expect(inspect({ requests: [{ model: 'models/a' }, { model: 'b' }] }, 'batchEmbed').models).toEqual([
      'a',
      'b',
    ])
    expect(inspect({ generateContentRequest: { model: 'a' } }, 'countTokens').models).toEqual(['a'])
    expect(inspect({ generate_content_request: { model: 'a' } }, 'countTokens').models).toEqual(['a'])
  })

  it('no model of a function call', () => {
    expect(inspect(part({ functionCall: { args: { model: 'a' } } })).models).toEqual([])
  })

  it('tools of the request it wraps', () => {
    const body = { generate_content_request: { tools: [{ google_search: {} }] } }
    expect([...inspect(body, 'countTokens').tools]).toEqual(['googleSearch'])
  })
})

/** One way to write a proto JSON field: its spelling, and a lone value or a list where the field is repeated. */
const spell = (name: string, choose: fc.GeneratorValue) =>
  choose(fc.boolean) ? name : name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
const repeat = (value: unknown, choose: fc.GeneratorValue) => {
  const harmless = { text: 'x' }
  return choose(() => fc.constantFrom(value, [value], [{}, value], [value, harmless], [null, value].slice(1)))
}

describe('for any request', () => {
  type Wrap = (inner: unknown, choose: fc.GeneratorValue) => unknown
  const field =
    (name: string, repeated: boolean): Wrap =>
    (inner, choose) => ({
      ...(choose(fc.boolean) ? { harmless: [] } : {}),
      [spell(name, choose)]: repeated ? repeat(inner, choose) : inner,
    })
  const inPart: Wrap[] = [field('parts', true)]
  const answered: Wrap[] = [field('parts', true), field('functionResponse', false), field('parts', true)]
  const requests: Record<'generate' | 'embed', Wrap[]> = {
    generate: [field('contents', true), field('systemInstruction', false)],
    embed: [field('content', false)],
  }
  const references = [
    { fileUri: 'files/a' },
    { file_uri: 'https://generativelanguage.googleapis.com/v1beta/files/a' },
    {},
  ]
  const around: [BodyKind, Wrap[]][] = [
    ['generate', []],
    ['countTokens', []],
    ['countTokens', [field('generateContentRequest', false)]],
    ['embed', []],
    ['batchEmbed', [field('requests', true)]],
  ]

  it('no reference escapes, whatever the spelling, nesting or lone value', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...around),
        fc.constantFrom(...references),
        fc.constantFrom(inPart, answered),
        fc.gen(),
        ([kind, outer], reference, inner, choose) => {
          const isEmbed = kind === 'embed' || kind === 'batchEmbed'
          const holder = choose(() => fc.constantFrom(...requests[isEmbed ? 'embed' : 'generate']))
          const way = [field('fileData', false), ...inner, holder, ...outer]
          const body = way.reduce<unknown>((value, wrap) => wrap(value, choose), reference)
          expect(reasonOf(body, kind)).toBe('OBJECT_NOT_OWNED')
        },
      ),
      { numRuns: 500 },
    )
  })

  it('no candidate count and no model escapes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 8 }), fc.boolean(), fc.gen(), (count, wrapped, choose) => {
        const config = { [spell('candidateCount', choose)]: choose(fc.boolean) ? count : String(count) }
        const request = { [spell('generationConfig', choose)]: config, model: 'models/other' }
        const body = wrapped ? { [spell('generateContentRequest', choose)]: request } : request
        const found = inspect(body, 'countTokens')
        expect(found.demand.candidateCount).toBe(count)
        expect(found.models).toEqual(['other'])
      }),
    )
  })
})
