import { expect, it } from 'vitest'
import { ApiError, type Reason } from '../domain/error.ts'
import type { Call } from './call.ts'
import { replyHeaders, retryHeaders } from './reply-headers.ts'

const call = { id: 'c', request: { headers: {} } } as unknown as Call
const NOTHING = { status: 200, contentType: null, retryAfter: null, serviceTier: null, atMs: 0 }

it.each([
  ['11', '11'],
  ['0.5', '0.5'],
  ['60', '60'],
  ['61', undefined],
  ['40000', undefined],
  ['Wed, 21 Oct 2099 07:28:00 GMT', undefined],
  ['soon', undefined],
])('retry-after %s reaches the caller as %s: some clients sleep for as long as it says', (sent, passed) => {
  expect(replyHeaders(call, { ...NOTHING, retryAfter: sent })['retry-after']).toBe(passed)
})

it.each<[Reason, string | undefined, object]>([
  ['OVERLOADED', undefined, { 'retry-after': '1' }],
  ['STORAGE_UNAVAILABLE', undefined, { 'retry-after': '1' }],
  ['CLOCK_WRONG', '1s', { 'retry-after': '1' }],
  ['UPSTREAM_CREDENTIAL_REFUSED', undefined, {}],
  ['UPSTREAM_TIMEOUT', undefined, {}],
  ['API_KEY_INVALID', undefined, {}],
  ['BUDGET_EXHAUSTED', undefined, { 'x-should-retry': 'false' }],
  ['RATE_LIMIT_EXCEEDED', '43s', { 'retry-after': '43' }],
  ['RATE_LIMIT_EXCEEDED', '61s', { 'x-should-retry': 'false' }],
  ['RATE_LIMIT_EXCEEDED', undefined, { 'x-should-retry': 'false' }],
])('%s with a delay of %s is told as %o to those who read headers', (reason, retryDelay, headers) => {
  const details =
    retryDelay === undefined ? [] : [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay }]
  expect(retryHeaders(new ApiError(reason, 'Refused.', { details }))).toEqual(headers)
})

it('nothing of the upstream passes but what is listed', () => {
  const headers = replyHeaders(call, { ...NOTHING, contentType: 'application/json', serviceTier: 'flex' })
  expect(Object.keys(headers).toSorted()).toEqual([
    'cache-control',
    'content-security-policy',
    'content-type',
    'x-content-type-options',
    'x-gemini-service-tier',
    'x-request-id',
  ])
})
