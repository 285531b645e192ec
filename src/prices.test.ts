import { expect, test } from 'vitest'
import { loadModelLimits, loadPrices } from './prices.ts'

test('every priced model has limits, its own or the defaults', () => {
  const limits = loadModelLimits()
  expect(limits.find('gemini-4-argon')).toMatchObject({ outputTokenLimit: 1_048_576, isKnown: true })
  expect(limits.find('gemini-3.8-flash')).toMatchObject({ outputTokenLimit: 65_536, isKnown: true })
  expect(limits.find('gemini-2.5-pro').thinkingBudgetMin).toBe(128)
  expect(limits.find('gemini-2.5-flash-lite').thinkingBudgetMin).toBe(512)
  for (const model of loadPrices().models()) {
    const { inputTokenLimit, outputTokenLimit, thinkingBudgetMin } = limits.find(model)
    expect(Number.isSafeInteger(inputTokenLimit) && inputTokenLimit > 0, model).toBe(true)
    expect(outputTokenLimit >= thinkingBudgetMin, model).toBe(true)
  }
})

test('models the package fills in have a standard price alone: it knows no factors and no fees', () => {
  const price = loadPrices().find('gemini-3-pro-preview', Date.parse('2026-11-21'))
  expect(price?.tiers.standard?.long.output.text).toBe(18_000_000)
  expect(price?.tiers).toMatchObject({ flex: null, priority: null, batch: null })
  expect(price?.tools).toEqual({})
})
