import { describe, expect, test } from 'vitest'
import { DEFAULT_MODEL_LIMIT, ModelLimits } from './model-limits.ts'

describe('ModelLimits', () => {
  const limits = new ModelLimits([
    { models: ['a', 'b'], inputTokenLimit: 100, outputTokenLimit: 10, thinkingBudgetMin: 1 },
  ])

  test('gives what the data says of an exact id', () => {
    const known = { inputTokenLimit: 100, outputTokenLimit: 10, thinkingBudgetMin: 1, isKnown: true }
    expect(limits.find('a')).toEqual(known)
    expect(limits.find('b')).toEqual(known)
  })

  test('gives the defaults for every other id', () => {
    expect(DEFAULT_MODEL_LIMIT).toMatchObject({
      inputTokenLimit: 1_048_576,
      outputTokenLimit: 65_536,
      isKnown: false,
    })
    for (const id of ['aa', 'A', '', 'gemini-40', 'my-gemini-4'])
      expect(limits.find(id), id).toBe(DEFAULT_MODEL_LIMIT)
  })

  test('lets a gemini-4 it does not know write a million tokens', () => {
    for (const id of ['gemini-4', 'gemini-4-neon', 'gemini-4.1-pro']) {
      expect(limits.find(id), id).toMatchObject({ outputTokenLimit: 1_048_576, isKnown: false })
    }
  })
})
