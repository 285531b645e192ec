import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { exactDollars, shownBudget, shownDollars } from './dollars.ts'

const NANOS_PER_CENT = 10_000_000n
const CAP_NANOS_MAX = 10n ** 18n

/** What a shown amount says, in nano-dollars. */
function nanosOf(shown: string): bigint {
  const [whole = '', decimals = ''] = shown.replace('$', '').replaceAll(',', '').split('.')
  const nanos = BigInt(whole.replace('-', '') + decimals.padEnd(9, '0'))
  return whole.startsWith('-') ? -nanos : nanos
}

const amounts = fc.bigInt({ min: 0n, max: CAP_NANOS_MAX })
/** Many of them below a dollar. */
const anyAmount = fc.oneof(fc.bigInt({ min: 0n, max: 2_000_000_000n }), amounts)

describe('money to read', () => {
  it.each([
    [0n, '$0.00'],
    [102_019_999_999n, '$102.02'],
    [1_005_000_000n, '$1.00'],
    [1_015_000_000n, '$1.02'],
    [1_015_000_001n, '$1.02'],
    [1_234_567_890_000_000n, '$1,234,567.89'],
    [999_999_999n, '$1.00'],
    [37_600_000n, '$0.038'],
    [37_500_000n, '$0.038'],
    [36_500_000n, '$0.036'],
    [99_900_000n, '$0.10'],
    [400_000n, '$0.0004'],
    [1n, '$0.000000001'],
    [-2_506_000_000n, '-$2.51'],
  ])('%d nano-dollars are %s', (nanos, shown) => {
    expect(shownDollars(nanos)).toBe(shown)
  })

  it('is off by half of its last digit at most, never zero for something, and in order', () => {
    fc.assert(
      fc.property(anyAmount, anyAmount, (one, other) => {
        const [shown, next] = [nanosOf(shownDollars(one)), nanosOf(shownDollars(other))]
        const off = shown > one ? shown - one : one - shown
        expect(off * 2n <= (one >= 1_000_000_000n ? NANOS_PER_CENT : one / 10n)).toBe(true)
        expect(shown === 0n).toBe(one === 0n)
        if (one <= other) expect(shown <= next).toBe(true)
      }),
    )
  })

  it('is exact where it is copied', () => {
    fc.assert(
      fc.property(anyAmount, nanos => {
        expect(nanosOf(exactDollars(nanos))).toBe(nanos)
      }),
    )
  })
})

describe('a budget', () => {
  it.each([
    [210_000_000_000n, 102_019_999_999n, 0n, ['$210.00', '$102.02', '$0.00', '$107.98']],
    [10_000_000_000n, 400_000n, 0n, ['$10.00', '$0.0004', '$0.00', '$9.9996']],
    [1_000_000_000n, 994_000_000n, 6_000_000n, ['$1.00', '$0.994', '$0.006', '$0.00']],
    [1_000_000_000n, 1_500_000_000n, 0n, ['$1.00', '$1.50', '$0.00', '$0.00']],
  ])('of %d with %d posted and %d held adds up', (cap, posted, held, shown) => {
    expect(Object.values(shownBudget({ cap, posted, held }))).toEqual(shown)
  })

  it('is what is posted, held and free, as shown', () => {
    fc.assert(
      fc.property(anyAmount, fc.nat(1_000), fc.nat(1_000), (cap, one, other) => {
        const posted = (cap * BigInt(one)) / 2_000n
        const held = ((cap - posted) * BigInt(other)) / 1_000n
        const shown = shownBudget({ cap, posted, held })
        const sum = nanosOf(shown.posted) + nanosOf(shown.held) + nanosOf(shown.free)
        // Where nothing is free, rounding may pass the cap by the last digit.
        if (nanosOf(shown.free) > 0n) expect(sum).toBe(nanosOf(shown.cap))
        else expect(sum >= nanosOf(shown.cap)).toBe(true)
      }),
    )
  })
})
