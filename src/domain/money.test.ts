import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CAP_NANOS_MAX } from './budget.ts'
import { formatUsd, parseUsd } from './money.ts'

describe('parseUsd', () => {
  test.each([
    ['1.00', 1_000_000_000],
    ['0', 0],
    ['10', 10_000_000_000],
    ['0.000000001', 1],
    ['0.1', 100_000_000],
    ['1.0000000010000', 1_000_000_001],
    ['007.50', 7_500_000_000],
    ['9000000', CAP_NANOS_MAX],
    ['9000000.000000000', CAP_NANOS_MAX],
  ])('%s is %i nano-dollars', (text, nanos) => {
    expect(parseUsd(text)).toBe(nanos)
  })

  test.each([
    ['', 'blank'],
    [' ', 'blank'],
    [' 1.00', 'a blank before'],
    ['1.00\n', 'a line end'],
    ['-1.00', 'negative'],
    ['+1.00', 'a sign'],
    ['0.0000000001', 'a tenth of a nano-dollar'],
    ['1.0000000001', 'finer than a nano-dollar'],
    ['1e3', 'an exponent'],
    ['0x10', 'hexadecimal'],
    ['1.', 'no decimals after the point'],
    ['.5', 'no dollars before the point'],
    ['1,000.00', 'a thousands separator'],
    ['$1.00', 'a currency sign'],
    ['1.0.0', 'two points'],
    ['NaN', 'no number'],
    ['Infinity', 'no number'],
    ['١', 'other digits'],
    ['9000000.000000001', 'a nano-dollar above the greatest cap'],
    ['999999999', 'above the greatest cap'],
    ['9007199254740993', 'above 2^53'],
  ])('%j is refused: %s', text => {
    expect(parseUsd(text)).toBeNull()
  })
})

describe('formatUsd', () => {
  test.each([
    [0, '0.00'],
    [1, '0.000000001'],
    [37_500, '0.0000375'],
    [1_000_000_000, '1.00'],
    [1_500_000_000, '1.50'],
    [1_234_567_890, '1.23456789'],
    [-2_500_000_000, '-2.50'],
    [-1, '-0.000000001'],
    [12_345_678_901_234_567_890_123n, '12345678901234.567890123'],
  ])('%s nano-dollars are %s', (nanos, text) => {
    expect(formatUsd(nanos)).toBe(text)
  })

  test('parseUsd reads back exactly what formatUsd writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: CAP_NANOS_MAX }), nanos => {
        expect(parseUsd(formatUsd(nanos))).toBe(nanos)
      }),
    )
  })
})
