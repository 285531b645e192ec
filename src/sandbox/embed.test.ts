import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSandbox } from './server.ts'
import type { Sandbox } from './server.ts'

const CREDENTIAL = 'upstream-credential-of-the-test'
let sandbox: Sandbox

beforeAll(async () => {
  sandbox = await startSandbox({ credential: CREDENTIAL })
})
afterAll(() => sandbox.close())

interface Answer {
  embedding: { values: number[] }
  embeddings: { values: number[] }[]
  usageMetadata: object
}

async function embed(method: string, body: object, model = 'gemini-embedding-001'): Promise<Response> {
  return fetch(`${sandbox.origin}/v1beta/models/${model}:${method}`, {
    method: 'POST',
    headers: { 'x-goog-api-key': CREDENTIAL },
    body: JSON.stringify(body),
  })
}

const content = (text: string): object => ({ parts: [{ text }] })

async function vector(text: string, rest: object = {}): Promise<number[]> {
  const reply = (await (await embed('embedContent', { content: content(text), ...rest })).json()) as Answer
  return reply.embedding.values
}

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0)

test.each<[string, object, number]>([
  ['by default', {}, 3072],
  ['at the top', { outputDimensionality: 768 }, 768],
  ['in snake_case', { output_dimensionality: 1536 }, 1536],
  ['in embedContentConfig', { embedContentConfig: { outputDimensionality: 128 } }, 128],
  ['of one', { outputDimensionality: 1 }, 1],
])('the dimension asked for %s, of length 1', async (_, rest, size) => {
  const values = await vector('the quick brown fox', rest)
  expect(values).toHaveLength(size)
  expect(Math.sqrt(dot(values, values))).toBeCloseTo(1, 5)
})

test('the same text is the same vector, a similar one is closer than a different one', async () => {
  const [fox, again, foxes, money] = await Promise.all([
    vector('The quick brown fox jumps over the lazy dog'),
    vector('The quick brown fox jumps over the lazy dog'),
    vector('A quick brown fox jumped over lazy dogs'),
    vector('Interest rates rose again in November'),
  ])
  expect(again).toEqual(fox)
  expect(dot(fox, foxes)).toBeGreaterThan(dot(fox, money) + 0.2)
})

test('a batch answers in order what single calls answer, and sums the usage', async () => {
  const texts = ['one', 'two words', 'and three words']
  const requests = texts.map(text => ({ model: 'models/gemini-embedding-001', content: content(text) }))
  const reply = (await (await embed('batchEmbedContents', { requests })).json()) as Answer
  expect(reply.embeddings.map(one => one.values)).toEqual(await Promise.all(texts.map(text => vector(text))))
  expect(reply.usageMetadata).toEqual({
    promptTokenCount: 8,
    promptTokenDetails: [{ modality: 'TEXT', tokenCount: 8 }],
  })
})

test.each<[string, string, object]>([
  ['no content', 'embedContent', {}],
  ['an empty text', 'embedContent', { content: content('') }],
  ['an unknown name', 'embedContent', { content: content('a'), contents: [] }],
  ['too many dimensions', 'embedContent', { content: content('a'), outputDimensionality: 3073 }],
  ['no requests', 'batchEmbedContents', { requests: [] }],
  [
    '101 requests',
    'batchEmbedContents',
    { requests: Array.from({ length: 101 }, () => ({ content: content('a') })) },
  ],
  [
    'another model',
    'batchEmbedContents',
    { requests: [{ model: 'models/gemini-embedding-2', content: content('a') }] },
  ],
])('%s is 400', async (_, method, body) => {
  const response = await embed(method, body)
  expect(response.status).toBe(400)
  expect(await response.json()).toMatchObject({ error: { status: 'INVALID_ARGUMENT' } })
})
