import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CAP_NANOS_MAX } from './budget.ts'
import { ApiError } from './error.ts'
import { formatPriceFactor, parsePriceFactor, parseSpendCap } from './quota-fields.ts'

describe('a price factor', () => {
  it.each([
    ['1', 10_000],
    ['1.25', 12_500],
    ['0.0001', 1],
    ['0.5000', 5_000],
    ['100', 1_000_000],
    ['100.0000', 1_000_000],
    ['007.5', 75_000],
    [null, 10_000],
  ])('%s is read exactly', (text, basisPoints) => {
    expect(parsePriceFactor(text)).toBe(basisPoints)
  })

  it.each([
    '',
    '0',
    '0.0000',
    '-1',
    '+1',
    '1e1',
    '.5',
    '1.',
    '1.00001',
    '100.0001',
    '101',
    '1000',
    ' 1',
    '1,5',
  ])('%j is refused by its name', text => {
    expect(() => parsePriceFactor(text)).toThrow(ApiError)
    expect(() => parsePriceFactor(text)).toThrow(/tier\.priceFactor/)
  })

  it('reads back every value that it may be', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), basisPoints => {
        expect(parsePriceFactor(formatPriceFactor(basisPoints))).toBe(basisPoints)
      }),
    )
  })
})

it.each([
  [null, null],
  ['1', 1],
  [String(CAP_NANOS_MAX), CAP_NANOS_MAX],
])('the spend cap %s is whole nano-dollars', (text, nanos) => {
  expect(parseSpendCap(text)).toBe(nanos)
})

it.each(['0', '', '-1', '1.5', String(CAP_NANOS_MAX + 1)])(
  'the spend cap %j is refused by its name',
  text => {
    expect(() => parseSpendCap(text)).toThrow(/tier\.spendCap/)
  },
)
