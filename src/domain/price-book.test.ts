import { expect, test } from 'vitest'
import { PriceBook, type PriceOverride } from './price-book.ts'

const FROM_MS = Date.UTC(2027, 0, 1)
const override = (part: Partial<PriceOverride> = {}): PriceOverride => ({
  uid: 'u',
  model: 'm',
  effectiveTimeMs: FROM_MS,
  fields: { input: { text: 3 } },
  createTimeMs: 0,
  ...part,
})
const bookOf = (): PriceBook =>
  new PriceBook({
    own: [{ model: 'm', effectiveFrom: null, input: { text: 1 } }],
    fallback: [{ model: 'f', effectiveFrom: null, input: { text: 4 }, origin: 'package' }],
    file: [{ model: 'f', effectiveFrom: null, input: { text: 2 }, origin: 'file' }],
  })

test('what was set goes before the file, the file before what ships', () => {
  const book = bookOf()
  expect(book.find('f', FROM_MS)).toMatchObject({ origin: 'file' })
  book.override([override({ model: 'f' }), override()])
  expect(book.find('f', FROM_MS)).toMatchObject({ origin: 'operator' })
  expect(book.find('f', FROM_MS - 1)).toMatchObject({ origin: 'file' })
  expect(book.find('m', FROM_MS - 1)).toMatchObject({ origin: 'shipped' })
  expect(book.models().sort()).toEqual(['f', 'm'])
})

test('what was set before is replaced, and a price that a call holds stays as it was', () => {
  const book = bookOf()
  book.override([override()])
  const held = book.find('m', FROM_MS)
  book.override([])
  expect(book.find('m', FROM_MS)).toMatchObject({ origin: 'shipped' })
  expect(held?.tiers.standard?.short.input.text).toBe(3_000_000)
})

test('prices that cannot be read leave those in force', () => {
  const book = bookOf()
  book.override([override()])
  expect(() => book.override([override({ fields: { input: { text: -1 } } })])).toThrow('is no price')
  expect(book.find('m', FROM_MS)).toMatchObject({ origin: 'operator' })
})
