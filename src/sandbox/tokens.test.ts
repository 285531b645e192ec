import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { mediaTokens, startWithin, sumByModality, textTokens } from './tokens.ts'

test.each([
  ['', 0],
  ['a', 1],
  ['Say hello', 3],
  ['four', 1],
  ['東京都', 2],
  ['한국어 글', 3],
])('%j counts %i', (text, tokens) => {
  expect(textTokens(text)).toBe(tokens)
})

test.each([
  ['image/webp', 5_000_000, 'IMAGE', 258],
  ['audio/wav', 16_001, 'AUDIO', 64],
  ['video/mp4', 1, 'VIDEO', 258],
  ['text/plain', 9, 'TEXT', 3],
  ['application/pdf', 1, 'DOCUMENT', 258],
])('%s of %i bytes is %s and counts %i', (mimeType, bytes, modality, tokenCount) => {
  expect(mediaTokens(mimeType, bytes)).toEqual({ modality, tokenCount })
})

const text = fc.string({ unit: fc.constantFrom('a', ' ', 'é', '字', '한', '🗼', '𠮷') })

test('a start within n tokens counts at most n, and one character more would not', () => {
  fc.assert(
    fc.property(text, fc.nat({ max: 20 }), (words, tokensMax) => {
      const start = startWithin(words, tokensMax)
      expect(words.startsWith(start)).toBe(true)
      expect(start.isWellFormed()).toBe(true)
      expect(textTokens(start)).toBeLessThanOrEqual(tokensMax)
      const next = Array.from(words.slice(start.length))[0]
      if (next !== undefined) expect(textTokens(start + next)).toBeGreaterThan(tokensMax)
    }),
  )
})

test('sums keep the order and leave out what is zero', () => {
  expect(
    sumByModality([
      { modality: 'IMAGE', tokenCount: 1 },
      { modality: 'TEXT', tokenCount: 2 },
      { modality: 'AUDIO', tokenCount: 0 },
      { modality: 'IMAGE', tokenCount: 3 },
    ]),
  ).toEqual([
    { modality: 'IMAGE', tokenCount: 4 },
    { modality: 'TEXT', tokenCount: 2 },
  ])
})
