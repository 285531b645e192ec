import { describe, expect, test } from 'vitest'
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

describe('what an override holds over', () => {
  const DAY_MS = 24 * 3_600_000
  const HOUR_MS = 3_600_000
  const dated = new PriceBook({
    own: [
      { model: 'm', effectiveFrom: null, input: { text: 1 }, output: { text: 4 } },
      { model: 'm', effectiveFrom: '2027-01-01', input: { text: 2 }, output: { text: 8 } },
      { model: 'm', effectiveFrom: '2027-02-01', input: { text: 1 }, output: { text: 4 } },
      { model: 'm', effectiveFrom: '2027-03-01', input: { text: 1 }, output: { text: 4 }, note: 'the same' },
    ],
    fallback: [],
    file: [],
  })
  const risesMs = FROM_MS - 14 * HOUR_MS
  const fallsMs = Date.UTC(2027, 1, 1) + 12 * HOUR_MS
  const begins = (effectiveTimeMs: number, model = 'm') =>
    dated.heldOver(override({ effectiveTimeMs, model })).map(({ fromMs }) => fromMs)

  test('is what the list has later: a rise from the earliest zone, a cut from the latest', () => {
    expect(begins(FROM_MS - DAY_MS)).toEqual([risesMs, fallsMs])
    expect(begins(risesMs - 1)).toEqual([risesMs, fallsMs])
    expect(begins(risesMs)).toEqual([fallsMs])
    expect(begins(fallsMs)).toEqual([])
    expect(begins(0, 'x')).toEqual([])
  })

  test('ends where the next override of the model begins', () => {
    dated.override([
      override({ effectiveTimeMs: FROM_MS - DAY_MS }),
      override({ uid: 'v', effectiveTimeMs: risesMs + 1 }),
      override({ uid: 'w', model: 'x', effectiveTimeMs: 0 }),
    ])
    expect(begins(FROM_MS - DAY_MS)).toEqual([risesMs])
    expect(begins(risesMs + 1)).toEqual([fallsMs])
    dated.override([])
  })
})
