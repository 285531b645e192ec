import { expect, test } from 'vitest'
import { type PriceFields, changedPrice } from './price-flags.ts'

const listed: PriceFields = {
  input: { text: 0.75, audio: 1 },
  output: { text: 3.75 },
  batchFactor: 0.5,
  tools: { googleSearch: { usdPer1000: 14, freePerMonth: 5000 } },
  source: 'the list',
}

test('what no flag names stays; whose list it was does not', () => {
  expect(changedPrice(listed, {})).toEqual({
    input: { text: 0.75, audio: 1 },
    output: { text: 3.75 },
    batchFactor: 0.5,
    tools: { googleSearch: { usdPer1000: 14, freePerMonth: 5000 } },
  })
})

test('one number is for every modality that has a price, numbers by name for those', () => {
  expect(changedPrice(listed, { input: 0.6 }).input).toEqual({ text: 0.6, audio: 0.6 })
  expect(changedPrice(listed, { input: { audio: 2 } }).input).toEqual({ text: 0.75, audio: 2 })
  expect(changedPrice({}, { input: 0.6 }).input).toEqual({ text: 0.6 })
})

test('a fee keeps its unit and its free uses', () => {
  expect(changedPrice(listed, { tool: { googleSearch: 10 } }).tools).toEqual({
    googleSearch: { usdPer1000: 10, freePerMonth: 5000 },
  })
})

test('a price by the piece is billed by the piece, a price of tokens by the token', () => {
  expect(changedPrice({}, { unit: { song: 0.06 } })).toEqual({
    perUnit: { song: 0.06 },
    perUnitKind: 'billed',
  })
  const minutes: PriceFields = { perUnit: { audioInMinute: 0.003 }, perUnitKind: 'approximate' }
  expect(changedPrice(minutes, { input: 1 })).toEqual({ input: { text: 1 } })
  expect(changedPrice(minutes, { note: 'x' })).toEqual({ ...minutes, note: 'x' })
})
