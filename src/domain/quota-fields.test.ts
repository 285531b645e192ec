import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CAP_NANOS_MAX } from './budget.ts'
import { ApiError } from './error.ts'
import { ALLOWED_TOOLS } from './key.ts'
import { QUOTA_LIMITS_MAX, QUOTA_METRICS, QUOTA_VALUE_MAX } from './quota.ts'
import {
  type QuotaLimitText,
  assertQuotaIdSuffix,
  assertTierDisplayName,
  assertTierId,
  formatPriceFactor,
  parsePriceFactor,
  parseQuotaLimit,
  parseQuotaLimits,
  parseQuotaPlace,
  parseSpendCap,
  parseTools,
} from './quota-fields.ts'

/** What a refusal says: the field, and what would be valid; null: it is none. */
function refusalOf(act: () => unknown): { readonly field: string; readonly description: string } | null {
  try {
    act()
    return null
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason !== 'FIELD_INVALID') throw error
    const [field = '', description = ''] = /'([^']*)': (.*)$/.exec(error.message)?.slice(1) ?? []
    return { field, description }
  }
}

const limitText = (part: Partial<QuotaLimitText> = {}): QuotaLimitText => ({
  metric: 'requestsPerMinute',
  value: '5',
  ...part,
})

describe('the place of a limit', () => {
  it.each(QUOTA_METRICS)('may be %s', metric => {
    expect(parseQuotaPlace({ metric }, 'x')).toEqual({ metric, model: null })
  })

  it.each([
    ['one model', 'gemini-3.8-flash', 'gemini-3.8-flash'],
    ['each model apart', '*', '*'],
    ['all models together', undefined, null],
    ['all models together, as an empty text', '', null],
  ])('may be %s', (_, model, expected) => {
    expect(parseQuotaPlace(limitText({ model }), 'x')).toEqual({
      metric: 'requestsPerMinute',
      model: expected,
    })
  })

  it.each([undefined, '', 'requestsPerHour', 'REQUESTSPERMINUTE', 'toString'])(
    'is not of the metric %j, and the refusal lists those there are',
    metric => {
      expect(refusalOf(() => parseQuotaPlace(limitText({ metric }), 'limits[3]'))).toEqual({
        field: 'limits[3].metric',
        description:
          'must be one of requestsPerMinute, inputTokensPerMinute, requestsPerDay, imagesPerMinute, requestBytesPerDay, concurrentCalls',
      })
    },
  )

  it.each(['**', 'gemini-*', 'models/gemini-pro', 'a b', '-a'])('is not of the model %j', model => {
    expect(refusalOf(() => parseQuotaPlace(limitText({ model }), 'limits[3]'))).toEqual({
      field: 'limits[3].model',
      description: 'use a model id, `*` for each model apart, or leave it out for all models together',
    })
  })
})

describe('the value of a limit', () => {
  it.each([
    ['-1', -1],
    ['0', 0],
    ['1', 1],
    ['0042', 42],
    [String(QUOTA_VALUE_MAX), QUOTA_VALUE_MAX],
  ])('%s is read exactly', (value, expected) => {
    expect(parseQuotaLimit(limitText({ value, model: 'm' }), 'limit')).toEqual({
      metric: 'requestsPerMinute',
      model: 'm',
      value: expected,
    })
  })

  it('reads back every number that it may be', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1, max: QUOTA_VALUE_MAX }), value => {
        expect(parseQuotaLimit(limitText({ value: String(value) }), 'limit').value).toBe(value)
      }),
    )
  })

  it.each([
    undefined,
    '',
    '-2',
    '+1',
    '1.5',
    '1e3',
    '0x10',
    ' 1',
    '1 ',
    'x',
    'Infinity',
    '１',
    '-10',
    '10-1',
    String(QUOTA_VALUE_MAX + 1),
    // 17 digits, whatever they say.
    '00000000000000001',
  ])('%j is refused by its name', value => {
    expect(refusalOf(() => parseQuotaLimit(limitText({ value }), 'limit'))).toEqual({
      field: 'limit.value',
      description: 'use a whole number from 0 to 1000000000000000, or -1 for no limit',
    })
  })
})

describe('the limits of a tier', () => {
  /** As many places as there may be limits, and one more. */
  const many = Array.from({ length: QUOTA_LIMITS_MAX + 1 }, (_, place) => limitText({ model: `m${place}` }))

  it('are none, or as many as there may be, in their order', () => {
    expect(parseQuotaLimits([], 'limits')).toEqual([])
    const parsed = parseQuotaLimits(many.slice(1), 'limits')
    expect(parsed.map(({ model }) => model)).toEqual(many.slice(1).map(({ model }) => model))
  })

  it('are not more than that', () => {
    expect(refusalOf(() => parseQuotaLimits(many, 'limits'))).toEqual({
      field: 'limits',
      description: 'at most 500 limits',
    })
  })

  it.each<[string, Partial<QuotaLimitText>]>([
    ['another model', { model: 'other' }],
    ['each model apart', { model: '*' }],
    ['all models together', {}],
    ['another metric', { metric: 'requestsPerDay', model: 'm' }],
  ])('may hold one of %s beside that of a model', (_, part) => {
    expect(parseQuotaLimits([limitText({ model: 'm' }), limitText(part)], 'limits')).toHaveLength(2)
  })

  it.each<[string, QuotaLimitText, QuotaLimitText]>([
    ['a model', limitText({ model: 'm' }), limitText({ model: 'm', value: '9' })],
    ['each model', limitText({ model: '*' }), limitText({ model: '*' })],
    ['all models, however they are spelled', limitText({ model: '' }), limitText()],
  ])('name %s once for a metric', (_, one, other) => {
    const between = limitText({ metric: 'requestsPerDay' })
    expect(refusalOf(() => parseQuotaLimits([one, between, other], 'limits'))).toEqual({
      field: 'limits',
      description: 'name each metric and model once',
    })
  })

  it('are refused by the place of the one that is wrong', () => {
    const fieldOf = (part: Partial<QuotaLimitText>) =>
      refusalOf(() => parseQuotaLimits([limitText(), limitText({ model: 'm', ...part })], 'tier.limits'))
        ?.field
    expect([fieldOf({ metric: 'x' }), fieldOf({ model: 'a b' }), fieldOf({ value: 'x' })]).toEqual([
      'tier.limits[1].metric',
      'tier.limits[1].model',
      'tier.limits[1].value',
    ])
  })
})

describe('the names of a tier', () => {
  it.each(['a', 'free', 'tier-1', `a${'-'.repeat(61)}z`])('its id may be %s', id => {
    expect(refusalOf(() => assertTierId(id))).toBeNull()
  })

  it.each(['', 'A', '1a', '-a', 'a-', 'a_b', 'a b', 'é', 'a\n', 'a'.repeat(64)])(
    'its id may not be %j',
    id => {
      expect(refusalOf(() => assertTierId(id))).toEqual({
        field: 'tier.name',
        description: 'use 1 to 63 lower-case letters, digits and hyphens; start with a letter',
      })
    },
  )

  it('its display name may be anything of 63 characters at most', () => {
    expect(refusalOf(() => assertTierDisplayName(''))).toBeNull()
    expect(refusalOf(() => assertTierDisplayName('Ä'.repeat(63)))).toBeNull()
    expect(refusalOf(() => assertTierDisplayName('Ä'.repeat(64)))).toEqual({
      field: 'tier.displayName',
      description: 'use at most 63 characters',
    })
  })

  it.each(['', 'FreeTier', 'PaidTier2', '9', 'x'.repeat(32)])('its quota ids may end in %j', suffix => {
    expect(refusalOf(() => assertQuotaIdSuffix(suffix))).toBeNull()
  })

  it.each(['-', 'Free Tier', 'free_tier', 'é', 'x\n', 'x'.repeat(33)])(
    'its quota ids may not end in %j',
    suffix => {
      expect(refusalOf(() => assertQuotaIdSuffix(suffix))).toEqual({
        field: 'tier.quotaIdSuffix',
        description: 'use at most 32 letters and digits',
      })
    },
  )
})

describe('the tools of a tier', () => {
  it('are every tool, none, or those it names', () => {
    expect(parseTools(null)).toBeNull()
    expect(parseTools([])).toEqual([])
    expect(parseTools([...ALLOWED_TOOLS])).toEqual(ALLOWED_TOOLS)
    expect(parseTools(['urlContext', 'googleSearch'])).toEqual(['urlContext', 'googleSearch'])
  })

  it.each(['', 'search', 'GOOGLESEARCH', 'google_search'])('are refused with %j among them', name => {
    expect(refusalOf(() => parseTools(['googleSearch', name]))).toEqual({
      field: 'tier.allowedTools',
      description: 'tools are googleSearch, googleMaps, codeExecution, urlContext, imageOutput, audioOutput',
    })
  })
})

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
    expect(refusalOf(() => parsePriceFactor(text))).toEqual({
      field: 'tier.priceFactor',
      description: 'use a decimal from 0.0001 to 100 with at most 4 places, such as "1.25"',
    })
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
    expect(refusalOf(() => parseSpendCap(text))?.field).toBe('tier.spendCap')
  },
)

it('a spend cap of nothing is told from none', () => {
  expect(refusalOf(() => parseSpendCap('0'))?.description).toBe('must be above 0, or null for no cap')
})
