import { describe, expect, test } from 'vitest'
import { firstCallOf } from './first-call.ts'
import { callSnippets } from './quick-start.ts'

const PRICED = [
  'gemini-2.5-flash-image',
  'gemini-2.5-pro-preview-tts',
  'gemini-2.5-pro',
  'gemini-3.8-flash',
  'gemini-embedding-001',
]

describe('the first call', () => {
  test.each<[models: string, methods: readonly string[], call: string | null]>([
    ['', [], 'gemini-3.8-flash:generateContent'],
    ['*', [], 'gemini-3.8-flash:generateContent'],
    ['gemini-2.5-pro*', [], 'gemini-2.5-pro:generateContent'],
    ['models/gemini-2.5-pro', [], 'gemini-2.5-pro:generateContent'],
    ['gemini-embedding-001', [], 'gemini-embedding-001:embedContent'],
    ['gemini-embedding-*', ['EmbedContent'], 'gemini-embedding-001:embedContent'],
    ['gemini-embedding-001\ngemini-9-new', [], 'gemini-9-new:generateContent'],
    ['gemini-2.5-flash-*', [], 'gemini-2.5-flash-image:generateContent'],
    ['', ['EmbedContent', 'CountTokens'], 'gemini-embedding-001:embedContent'],
    ['gemini-embedding-001', ['GenerateContent'], null],
    ['gemini-3.8-flash', ['EmbedContent'], null],
    ['', ['ListModels'], null],
    ['gemini-9-*', [], null],
  ])('of a key for the models %j and the methods %j is %j', (models, methods, expected) => {
    const call = firstCallOf({ models, methods }, PRICED)
    expect(call === null ? null : `${call.model}:${call.method}`).toBe(expected)
  })

  test('is the one of every snippet', () => {
    const words = { generateContent: /generate_?content/i, embedContent: /embed_?content/i }
    for (const method of ['generateContent', 'embedContent'] as const) {
      const other = words[method === 'embedContent' ? 'generateContent' : 'embedContent']
      for (const { code } of callSnippets({ model: 'some-model', method })) {
        expect(code).toMatch(words[method])
        expect(code).not.toMatch(other)
        expect(code).toContain('some-model')
      }
    }
  })
})
