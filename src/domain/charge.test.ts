import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { affordableNanos, chargedNanos } from './cost.ts'

const amount = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const factor = fc.integer({ min: 1, max: 1_000_000 })

describe('what a project is charged', () => {
  it.each([
    [100, 10_000, 100],
    [100, 12_500, 125],
    [3, 12_500, 4],
    [1, 1, 1],
    [0, 12_500, 0],
    [8, 5_000, 4],
    [9, 5_000, 5],
    [Number.MAX_SAFE_INTEGER, 10_001, Number.MAX_SAFE_INTEGER],
  ])('for %d nanos at %d ten-thousandths is %d', (nanos, basisPoints, charged) => {
    expect(chargedNanos(nanos, basisPoints)).toBe(charged)
  })

  it('is the exact product, rounded up once', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 40 }), factor, (nanos, basisPoints) => {
        const charged = BigInt(chargedNanos(nanos, basisPoints)) * 10_000n
        const product = BigInt(nanos) * BigInt(basisPoints)
        expect(charged >= product && charged < product + 10_000n).toBe(true)
      }),
    )
  })

  it('never falls where the price rises, so that a bound stays one', () => {
    fc.assert(
      fc.property(amount, amount, factor, (one, other, basisPoints) => {
        const [less, more] = [Math.min(one, other), Math.max(one, other)]
        expect(chargedNanos(less, basisPoints)).toBeLessThanOrEqual(chargedNanos(more, basisPoints))
      }),
    )
  })

  it('fits into what is free exactly as long as the price is affordable', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 45 }), factor, (free, basisPoints) => {
        const most = affordableNanos(free, basisPoints)
        expect(chargedNanos(most, basisPoints)).toBeLessThanOrEqual(free)
        if (most < Number.MAX_SAFE_INTEGER) expect(chargedNanos(most + 1, basisPoints)).toBeGreaterThan(free)
      }),
    )
  })
})
