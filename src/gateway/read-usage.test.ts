import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NO_USAGE } from '../domain/usage.ts'
import { boundByBytes, readReply } from './read-usage.ts'

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
        serviceTier: 'standard',
      },
    })
  })

  it('that is not there is null, and empty is zero', () => {
    expect(readReply({})).toEqual({ usage: null, modelVersion: null, grounding: null })
    expect(usageOf(null)).toBeNull()
    expect(usageOf([])).toBeNull()
    expect(usageOf({})).toEqual(NO_USAGE)
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
    expect(usageOf({ responseTokenCount: 9, responseTokensDetails: details })).toMatchObject({
      candidatesTokens: 9,
      details: { candidates: details },
    })
  })

  it('keeps modalities where there is more than text', () => {
    const image = { modality: 'IMAGE', tokenCount: 258 }
    expect(usageOf({ promptTokensDetails: [image] })?.details?.prompt).toEqual([image])
    expect(usageOf({ promptTokenDetails: image })?.details?.prompt).toEqual([image])
    expect(usageOf({ promptTokensDetails: [{ modality: 'TEXT', tokenCount: 2 }] })?.details).toBeNull()
    expect(
      usageOf({ promptTokensDetails: [null, 1, { tokenCount: 3 }, { modality: 5 }] })?.details,
    ).toBeNull()
  })

  it('with any garbage gives counts that can be summed', () => {
    const count = fc.oneof(
      fc.anything(),
      fc.double(),
      fc.maxSafeInteger(),
      fc.constantFrom('12', -1, 1.5, 2 ** 53, Infinity),
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

it('bytes bound tokens from above', () => {
  expect(boundByBytes(120)).toEqual({ ...NO_USAGE, promptTokens: 120, totalTokens: 120 })
})
