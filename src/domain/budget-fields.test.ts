import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type BudgetStatus, CAP_NANOS_MAX } from './budget.ts'
import {
  assertDefaultMaxOutputTokens,
  budgetState,
  freeNanos,
  parseBudgetPeriod,
  parseCap,
  parseToolCeilings,
} from './budget-fields.ts'
import { ApiError } from './error.ts'

/** The field that a refusal names. */
function fieldOf(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    expect(error).toBeInstanceOf(ApiError)
    const violation = (error as ApiError).details[1] as { fieldViolations?: { field: string }[] } | undefined
    return violation?.fieldViolations?.[0]?.field
  }
  return null
}

describe('a cap', () => {
  it.each([
    ['0', 0],
    ['1', 1],
    ['0007', 7],
    ['1000000000', 1_000_000_000],
    [String(CAP_NANOS_MAX), CAP_NANOS_MAX],
  ])('%s is whole nano-dollars', (text, nanos) => {
    expect(parseCap(text)).toBe(nanos)
  })

  it.each(['', ' 1', '-1', '-0', '+1', '1.5', '1.0', '1e9', '0x10', '1_000', '１', '1'.repeat(31)])(
    '%j is refused by its name',
    text => {
      expect(fieldOf(() => parseCap(text))).toBe('budget.cap')
    },
  )

  it('is refused above the most, also where a number would round it down', () => {
    expect(fieldOf(() => parseCap(String(CAP_NANOS_MAX + 1)))).toBe('budget.cap')
    expect(fieldOf(() => parseCap('9007199254740993'))).toBe('budget.cap')
    fc.assert(
      fc.property(fc.bigInt({ min: BigInt(CAP_NANOS_MAX) + 1n, max: 10n ** 30n - 1n }), nanos => {
        expect(fieldOf(() => parseCap(String(nanos)))).toBe('budget.cap')
      }),
    )
  })

  it('reads back every amount that it may be', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: CAP_NANOS_MAX }), nanos => {
        expect(parseCap(String(nanos))).toBe(nanos)
      }),
    )
  })
})

describe('tool ceilings', () => {
  it('are nano-dollars by tool', () => {
    expect(parseToolCeilings({ googleSearch: '1', urlContext: '200' })).toEqual({
      googleSearch: 1,
      urlContext: 200,
    })
    expect(parseToolCeilings({})).toEqual({})
  })

  it.each([
    [{ googleSearch: '-1' }, 'budget.toolCeilings.googleSearch'],
    [{ googleSearch: '0' }, 'budget.toolCeilings.googleSearch'],
    [{ googleSearch: '1', codeExecution: '0.1' }, 'budget.toolCeilings.codeExecution'],
    [{ imageOutput: '1' }, 'budget.toolCeilings'],
    [{ constructor: '1' }, 'budget.toolCeilings'],
  ])('%j is refused by its name', (ceilings, field) => {
    expect(fieldOf(() => parseToolCeilings(ceilings))).toBe(field)
  })
})

it.each([0, -1, 1.5, 2 ** 31, Number.NaN, Number.POSITIVE_INFINITY])('%d is no output limit', tokens => {
  expect(fieldOf(() => assertDefaultMaxOutputTokens(tokens))).toBe('budget.defaultMaxOutputTokens')
})

it.each([1, 8_192, 2 ** 31 - 1])('%d is an output limit', tokens => {
  expect(fieldOf(() => assertDefaultMaxOutputTokens(tokens))).toBeNull()
})

it.each([
  ['month', 'month'],
  ['day', 'day'],
  ['total', 'total'],
  ['week', null],
  ['', null],
  ['toString', null],
])('the id %j names the period %j', (id, period) => {
  expect(parseBudgetPeriod(id)).toBe(period)
})

describe('the state of a budget', () => {
  const status = (capNanos: number, postedNanos: number, more: Partial<BudgetStatus> = {}): BudgetStatus => ({
    uid: 'uid',
    scope: 'organization',
    projectNumber: null,
    lineage: null,
    period: 'total',
    capNanos,
    policy: 'clamp',
    defaultMaxOutputTokens: null,
    toolCeilingsNanos: {},
    frozenTimeMs: null,
    etag: 'etag',
    createTimeMs: 0,
    updateTimeMs: 0,
    balance: {
      rowId: 1,
      periodStartMs: 0,
      periodEndMs: null,
      postedNanos,
      allottedNanos: 10,
      overrunNanos: 0,
    },
    ...more,
  })

  it.each([
    [100, 0, 'ACTIVE', 90],
    [100, 99, 'ACTIVE', 0],
    [100, 100, 'EXHAUSTED', 0],
    [50, 100, 'EXHAUSTED', 0],
    [0, 0, 'EXHAUSTED', 0],
  ] as const)('with a cap of %d and %d posted is %s, and %d is free', (cap, posted, state, free) => {
    expect([budgetState(status(cap, posted)), freeNanos(status(cap, posted))]).toEqual([state, free])
  })

  it('is FROZEN after an overrun, however much is left', () => {
    expect(budgetState(status(100, 0, { frozenTimeMs: 1 }))).toBe('FROZEN')
    expect(budgetState(status(100, 100, { frozenTimeMs: 1 }))).toBe('FROZEN')
  })
})
