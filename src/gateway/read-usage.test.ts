import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NO_USAGE } from '../domain/usage.ts'
import { readReply } from './read-usage.ts'

const usageOf = (usageMetadata: unknown) => readReply({ usageMetadata }).usage

describe('usageMetadata', () => {
  it('of a real reply', () => {
    const usageMetadata = {
      promptTokenCount: 1376,
      candidatesTokenCount: 1639,
      thoughtsTokenCount: 2132,
      totalTokenCount: 5147,
      promptTokensDetails: [{ modality: 'TEXT', tokenCount: 1376 }],
      serviceTier: 'STANDARD',
    }
    expect(readReply({ usageMetadata, modelVersion: 'gemini-3.6-flash' })).toEqual({
      grounding: null,
      modelVersion: 'gemini-3.6-flash',
      usage: {
        ...NO_USAGE,
        promptTokens: 1376,
        candidatesTokens: 1639,
        thoughtsTokens: 2132,
        totalTokens: 5147,
        details: {
          prompt: [{ modality: 'TEXT', tokenCount: 1376 }],
          cached: [],
          toolUsePrompt: [],
          candidates: [],
        },
        serviceTier: 'standard',
      },
    })
  })

  it('that is not there is null', () => {
    expect(readReply({})).toEqual({ usage: null, modelVersion: null, grounding: null })
    expect(usageOf(null)).toBeNull()
    expect(usageOf([])).toBeNull()
  })

  it.each([
    ['empty', {}],
    ['with something else, as Vertex has in its first chunks', { trafficType: 'ON_DEMAND' }],
    ['without a prompt', { candidatesTokenCount: 5, totalTokenCount: 5 }],
    ['with a prompt of nothing', { promptTokenCount: 0, candidatesTokenCount: 5 }],
    ['with a prompt below nothing', { promptTokenCount: -7 }],
    ['with a part of a token', { promptTokenCount: 7.5 }],
    ['with a text that is no count', { promptTokenCount: '7e3' }],
    ['with a list', { promptTokenCount: [7] }],
    ['with an output that is no count', { promptTokenCount: 7, candidatesTokenCount: 'many' }],
    ['with thoughts below nothing', { promptTokenCount: 7, thoughtsTokenCount: -3 }],
    [
      'with a modality of no count',
      { promptTokenCount: 7, candidatesTokensDetails: [{ modality: 'IMAGE', tokenCount: '?' }] },
    ],
  ])('that cannot be read is null: %s', (_, metadata) => expect(usageOf(metadata)).toBeNull())

  it('of the shapes that a sound reply has is read', () => {
    // A stream's first chunk, a blocked prompt, an embedding.
    expect(usageOf({ promptTokenCount: 7, totalTokenCount: 7 })).toMatchObject({ promptTokens: 7 })
    expect(usageOf({ promptTokenCount: 6, cachedContentTokenCount: 6 })).toMatchObject({ cachedTokens: 6 })
    expect(usageOf({ promptTokenCount: 3, totalTokenCount: 'x' })).toMatchObject({ totalTokens: 3 })
    expect(usageOf({ promptTokenCount: 3, candidatesTokenCount: null })).toMatchObject({ totalTokens: 3 })
  })

  it('has counts as proto JSON writes int64', () => {
    const image = { modality: 'IMAGE', tokenCount: '258' }
    const metadata = { promptTokenCount: '265', thoughtsTokenCount: '3', promptTokensDetails: [image] }
    expect(usageOf(metadata)).toMatchObject({
      promptTokens: 265,
      thoughtsTokens: 3,
      totalTokens: 268,
      details: { prompt: [{ modality: 'IMAGE', tokenCount: 258 }] },
    })
  })

  it('without a total: the sum of what counts once', () => {
    const metadata = {
      promptTokenCount: 10,
      cachedContentTokenCount: 4,
      toolUsePromptTokenCount: 3,
      candidatesTokenCount: 5,
      thoughtsTokenCount: 7,
    }
    expect(usageOf(metadata)).toMatchObject({ cachedTokens: 4, toolUsePromptTokens: 3, totalTokens: 25 })
  })

  it('names the output also responseTokenCount, as Live does', () => {
    const details = [{ modality: 'AUDIO', tokenCount: 9 }]
    expect(
      usageOf({ promptTokenCount: 1, responseTokenCount: 9, responseTokensDetails: details }),
    ).toMatchObject({
      candidatesTokens: 9,
      details: { candidates: details },
    })
  })

  it('keeps modalities as they are told, and null where none is', () => {
    const image = { modality: 'IMAGE', tokenCount: 258 }
    const detailsOf = (metadata: object) => usageOf({ promptTokenCount: 300, ...metadata })?.details
    expect(detailsOf({ promptTokensDetails: [image] })?.prompt).toEqual([image])
    expect(detailsOf({ promptTokenDetails: image })?.prompt).toEqual([image])
    const text = { modality: 'TEXT', tokenCount: 2 }
    expect(detailsOf({ promptTokensDetails: [text] })?.prompt).toEqual([text])
    expect(detailsOf({ promptTokensDetails: [] })).toBeNull()
    expect(detailsOf({ promptTokensDetails: [null, 1, { tokenCount: 3 }, { modality: 5 }] })).toBeNull()
  })

  it('with any garbage gives counts that can be summed', () => {
    const count = fc.oneof(
      fc.anything(),
      fc.double(),
      fc.maxSafeInteger(),
      fc.constantFrom(7, '12', -1, 1.5, 2 ** 53, Infinity),
    )
    const names = [
      'promptTokenCount',
      'candidatesTokenCount',
      'thoughtsTokenCount',
      'totalTokenCount',
      'cachedContentTokenCount',
    ]
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...names, 'promptTokensDetails', 'serviceTier'), count),
        metadata => {
          const { details, serviceTier, ...counts } = usageOf(metadata) ?? NO_USAGE
          for (const value of Object.values(counts)) expect(value).toBeGreaterThanOrEqual(0)
          for (const value of Object.values(counts)) expect(Number.isInteger(value)).toBe(true)
          expect(details === null || typeof details === 'object').toBe(true)
          expect(serviceTier === null || typeof serviceTier === 'string').toBe(true)
        },
      ),
    )
  })
})
