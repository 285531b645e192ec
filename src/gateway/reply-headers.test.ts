import { expect, it } from 'vitest'
import type { Call } from './call.ts'
import { replyHeaders } from './reply-headers.ts'

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
