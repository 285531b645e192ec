import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import type { ApiError, Reason } from '../domain/error.ts'
import { DATA_POLICY } from '../http/reply.ts'
import type { Call } from './call.ts'
import type { AnswerHead } from './upstream-answer.ts'

/** Longest wait we ask a client for: some sleep for as long as the header says (gemini-wire 3.6). */
const RETRY_AFTER_SECONDS_MAX = 60

/** Headers of a reply of the upstream. `contentType` replaces the upstream's. */
export function replyHeaders(call: Call, answer: AnswerHead, contentType?: string): OutgoingHttpHeaders {
  const headers = ownHeaders(call.request, call.id)
  const { serviceTier, retryAfter } = answer
  const given = contentType ?? answer.contentType
  if (given !== null) headers['content-type'] = given
  if (serviceTier !== null) headers['x-gemini-service-tier'] = serviceTier
  // A date, too, may be hours away.
  if (retryAfter !== null && Number(retryAfter) <= RETRY_AFTER_SECONDS_MAX)
    headers['retry-after'] = retryAfter
  return headers
}

/** Refusals of a moment: a second later it may be over, or another node is asked. */
const OVER_SOON: ReadonlySet<Reason> = new Set(['OVERLOADED', 'STORAGE_UNAVAILABLE', 'CLOCK_WRONG'])

/**
 * When a refused call may be made again, for clients that read headers. A 429 without a short wait says so instead: some
 * clients sleep for hours when they are told to, and others ask again at once (gemini-wire 3.5 and 3.6). Money does not come
 * back by asking again.
 */
export function retryHeaders({
  reason,
  httpStatus,
  details,
}: Pick<ApiError, 'reason' | 'httpStatus' | 'details'>): OutgoingHttpHeaders {
  if (OVER_SOON.has(reason)) return { 'retry-after': '1' }
  if (httpStatus !== 429) return httpStatus === 402 ? { 'x-should-retry': 'false' } : {}
  const retry = details.find(detail => detail['@type'] === 'type.googleapis.com/google.rpc.RetryInfo')
  const seconds = Number.parseInt(String(retry?.['retryDelay']), 10)
  if (seconds <= RETRY_AFTER_SECONDS_MAX) return { 'retry-after': String(seconds) }
  return { 'x-should-retry': 'false' }
}

/** What a page may read of a reply beside its body: all that we or the upstream say there. */
const EXPOSED = 'x-request-id, x-gemini-service-tier, x-pollux-max-output-tokens, x-should-retry, retry-after'

/** What every data-plane reply carries: nothing here is to be rendered, sniffed or cached (DESIGN.md, Doors). */
export function ownHeaders(request: IncomingMessage, requestId: string): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {
    'x-request-id': requestId,
    'x-content-type-options': 'nosniff',
    'content-security-policy': DATA_POLICY,
    'cache-control': 'no-store',
  }
  if (request.headers.origin !== undefined) {
    headers['access-control-allow-origin'] = '*'
    headers['access-control-expose-headers'] = EXPOSED
  }
  return headers
}

/**
 * The answer to a CORS preflight: the same for everybody, without a key, without credentials. A browser key is bound to
 * its referrers by the call itself. @google/genai for the web sets `user-agent`, which browsers but Chromium ask for.
 */
export const PREFLIGHT_HEADERS: OutgoingHttpHeaders = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET, POST, OPTIONS',
  'access-control-allow-headers':
    'authorization, content-type, user-agent, x-goog-api-client, x-goog-api-key, x-server-timeout, x-android-package, ' +
    'x-android-cert, x-ios-bundle-identifier',
  'access-control-max-age': '3600',
  vary: 'Origin',
}
