import { describe, expect, it } from 'vitest'
import { type QuotaCounter, type QuotaMetric, type QuotaRefusal, WINDOW_OF } from '../domain/quota.ts'
import { overQuota } from './quota-errors.ts'

const PROJECT = { number: '400000000000' }
const SERVICE = 'generativelanguage.googleapis.com'

function counter(metric: QuotaMetric, part: Partial<QuotaCounter> = {}): QuotaCounter {
  const window = WINDOW_OF[metric]
  return { id: 'c', scope: 'project', metric, window, model: 'm', limit: 5, quotaIdSuffix: '', ...part }
}

function refusal(metric: QuotaMetric, part: Partial<QuotaRefusal> & { of?: Partial<QuotaCounter> } = {}) {
  const { of, ...rest } = part
  return { counter: counter(metric, of), amount: 1, used: 5, resetInMs: 12_300, ...rest }
}

interface Detail {
  readonly '@type': string
  readonly retryDelay?: string
  readonly violations?: readonly Readonly<Record<string, unknown>>[]
}

const detail = (refusals: readonly QuotaRefusal[], type: string): Detail | undefined =>
  (overQuota(refusals, PROJECT).details as readonly Detail[]).find(found => found['@type'].endsWith(type))
const violationsOf = (...refusals: QuotaRefusal[]) => detail(refusals, '.QuotaFailure')?.violations ?? []
const delayOf = (...refusals: QuotaRefusal[]) => detail(refusals, '.RetryInfo')?.retryDelay

describe('the 429 of a rate limit', () => {
  it.each<[QuotaMetric, Partial<QuotaCounter>, string, string]>([
    ['requestsPerMinute', {}, 'requests', 'GenerateRequestsPerMinutePerProjectPerModel'],
    ['requestsPerMinute', { model: null }, 'requests', 'GenerateRequestsPerMinutePerProject'],
    ['requestsPerMinute', { scope: 'key' }, 'requests', 'GenerateRequestsPerMinutePerKeyPerModel'],
    ['requestsPerDay', {}, 'requests', 'GenerateRequestsPerDayPerProjectPerModel'],
    ['inputTokensPerMinute', {}, 'input_token_count', 'GenerateContentInputTokensPerModelPerMinute'],
    ['inputTokensPerMinute', { model: null }, 'input_token_count', 'GenerateContentInputTokensPerMinute'],
    [
      'inputTokensPerMinute',
      { scope: 'key' },
      'input_token_count',
      'GenerateContentInputTokensPerKeyPerModelPerMinute',
    ],
    ['imagesPerMinute', {}, 'images', 'GenerateImagesPerMinutePerProjectPerModel'],
    ['requestBytesPerDay', {}, 'request_bytes', 'GenerateRequestBytesPerDayPerProjectPerModel'],
    ['concurrentCalls', {}, 'concurrent_requests', 'GenerateConcurrentRequestsPerProjectPerModel'],
  ])('names %s of %o as Google does', (metric, of, name, quotaId) => {
    const [violation] = violationsOf(refusal(metric, { of }))
    const dimensions = of.model === null ? { location: 'global' } : { location: 'global', model: 'm' }
    expect(violation).toEqual({
      quotaMetric: `${SERVICE}/generate_content_${name}`,
      quotaId,
      quotaDimensions: dimensions,
      quotaValue: '5',
    })
  })

  it('names the tier a limit is from in metric and id', () => {
    const [violation] = violationsOf(refusal('requestsPerDay', { of: { quotaIdSuffix: 'PaidTier2' } }))
    expect(violation).toMatchObject({
      quotaMetric: `${SERVICE}/generate_content_paid_tier_2_requests`,
      quotaId: 'GenerateRequestsPerDayPerProjectPerModel-PaidTier2',
    })
  })

  it('says all limits that refused, a line each, and whose they are', () => {
    const error = overQuota(
      [refusal('requestsPerMinute'), refusal('requestsPerDay', { of: { model: null } })],
      PROJECT,
    )
    expect(error.message.split('\n').slice(1, 3)).toEqual([
      `* Quota exceeded for metric: ${SERVICE}/generate_content_requests, limit: 5, model: m`,
      `* Quota exceeded for metric: ${SERVICE}/generate_content_requests, limit: 5`,
    ])
    expect(error.message).toContain('projects/400000000000')
    expect(error).toMatchObject({ reason: 'RATE_LIMIT_EXCEEDED', errorInfo: false })
    expect(detail([refusal('requestsPerMinute')], '.Help')).toHaveProperty('links.0.url')
  })

  it.each<[string, readonly QuotaRefusal[], string, string]>([
    ['the end of its minute', [refusal('requestsPerMinute')], '13s', 'Please retry in 12.3s.'],
    [
      'the end of the last window',
      [refusal('requestsPerMinute'), refusal('imagesPerMinute', { resetInMs: 40_000 })],
      '40s',
      'Please retry in 40s.',
    ],
    ['a second at least', [refusal('requestsPerMinute', { resetInMs: 0 })], '1s', 'Please retry in 0s.'],
    ['a slot, which may be free at any moment', [refusal('concurrentCalls')], '1s', 'Please retry in 1s.'],
    [
      'midnight',
      [refusal('requestsPerMinute'), refusal('requestsPerDay', { resetInMs: 3_600_000 })],
      '3600s',
      'Requests for the day are used up; they come back at midnight of the zone of the quotas.',
    ],
    [
      'a day, where one call is more than the limit',
      [refusal('requestsPerMinute'), refusal('inputTokensPerMinute', { amount: 6 })],
      '86400s',
      'This call alone asks for 6, so waiting does not help: send a smaller one, or ask for a higher limit.',
    ],
    [
      'a day, where one is, beside others that it fills to the last',
      [
        refusal('requestBytesPerDay', { amount: 5 }),
        refusal('inputTokensPerMinute', { amount: 6 }),
        refusal('requestsPerMinute', { of: { limit: 0 } }),
      ],
      '86400s',
      'This call alone asks for 6, so waiting does not help: send a smaller one, or ask for a higher limit.',
    ],
    [
      'a day, where nothing is allowed',
      [refusal('requestsPerMinute', { of: { limit: 0 } })],
      '86400s',
      'Nothing of this is allowed, so waiting does not help: ask for a higher limit.',
    ],
  ])('has clients wait for %s', (_, refusals, delay, advice) => {
    expect(delayOf(...refusals)).toBe(delay)
    expect(overQuota(refusals, PROJECT).message.split('\n').at(-1)).toBe(advice)
  })

  it('takes a call of exactly the limit for one that may pass later', () => {
    expect(delayOf(refusal('inputTokensPerMinute', { amount: 5 }))).toBe('13s')
  })
})
