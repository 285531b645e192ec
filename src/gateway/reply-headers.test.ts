import { expect, it } from 'vitest'
import type { Call } from './call.ts'
import { replyHeaders } from './reply-headers.ts'
import type { UpstreamAnswer } from './upstream-answer.ts'

const call = { id: 'c', request: { headers: {} } } as unknown as Call
const headersOf = (headers: Record<string, string>) =>
  replyHeaders(call, { headers } as unknown as UpstreamAnswer)

it.each([
  ['11', '11'],
  ['0.5', '0.5'],
  ['60', '60'],
  ['61', undefined],
  ['40000', undefined],
  ['Wed, 21 Oct 2099 07:28:00 GMT', undefined],
  ['soon', undefined],
])('retry-after %s reaches the caller as %s: some clients sleep for as long as it says', (sent, passed) => {
  expect(headersOf({ 'retry-after': sent })['retry-after']).toBe(passed)
})

it('nothing of the upstream passes but what is listed', () => {
  const sent = {
    'content-type': 'application/json',
    'set-cookie': 'a=b',
    server: 'x',
    'alt-svc': 'h3',
    location: '/',
  }
  const headers = headersOf({ ...sent, 'x-gemini-service-tier': 'flex', 'x-goog-api-key': 'AIza' })
  expect(Object.keys(headers).toSorted()).toEqual([
    'cache-control',
    'content-security-policy',
    'content-type',
    'x-content-type-options',
    'x-gemini-service-tier',
    'x-request-id',
  ])
})
