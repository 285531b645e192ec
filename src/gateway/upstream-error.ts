import type { CanonicalCode, Detail } from '../domain/error.ts'
import { ApiError } from '../domain/error.ts'
import { type JsonObject, asObject, listOf } from '../domain/proto-json.ts'
import { renderError } from '../http/render.ts'

/** An error body of the upstream, judged: what the caller may see of it, and whether it concerns our own credential. */
export interface JudgedError {
  readonly httpStatus: number
  readonly body: Buffer
  /** Set when the refusal is about our credential, project or billing: not the caller's fault, and not told to it. */
  readonly credentialReason: string | null
}

/** ErrorInfo reasons that speak of the consumer, which upstream is us (googleapis google/api/error_reason.proto). */
const CONSUMER_REASONS: ReadonlySet<string> = new Set([
  'API_KEY_INVALID',
  'API_KEY_SERVICE_BLOCKED',
  'API_KEY_HTTP_REFERRER_BLOCKED',
  'API_KEY_IP_ADDRESS_BLOCKED',
  'API_KEY_ANDROID_APP_BLOCKED',
  'API_KEY_IOS_APP_BLOCKED',
  'SERVICE_DISABLED',
  'BILLING_DISABLED',
  'CONSUMER_SUSPENDED',
  'CONSUMER_INVALID',
  'USER_PROJECT_DENIED',
  'CREDENTIALS_MISSING',
  'ACCESS_TOKEN_TYPE_UNSUPPORTED',
])

/** Texts of errors about us that carry no reason (gemini-wire 3.2): keys, billing, and where our server stands. */
const CONSUMER_TEXT =
  /api[ _]?key|credential|billing|prepayment|project has been denied|location is not supported/i

/** A 429 that is no rate of the caller's: our money with Google has run out, and waiting does not help (3.2). */
const SPENT_TEXT = /prepayment|spending cap/i

/** Google asks for payment of us, not of the caller; the rest are refusals of whoever we are. */
const CONSUMER_STATUSES: ReadonlySet<number> = new Set([401, 402, 403])

/**
 * Judges a failed reply. Errors about the caller's request pass with their own code, message and details, scrubbed;
 * errors about our credential become one 503. `scrub` takes credentials out of texts.
 */
export function judgeError(reply: {
  readonly httpStatus: number
  readonly body: Buffer
  readonly asArray: boolean
  readonly scrub: (text: string) => string
}): JudgedError {
  const error = errorIn(reply.body)
  const message = typeof error?.['message'] === 'string' ? error['message'] : ''
  const details = listOf(error?.['details'])
  const reason = reasonOf(details)
  const isOurs =
    CONSUMER_STATUSES.has(reply.httpStatus) ||
    (reason !== null && CONSUMER_REASONS.has(reason)) ||
    (reply.httpStatus === 429 && SPENT_TEXT.test(message)) ||
    (!blamesField(details) &&
      ((reply.httpStatus === 400 && CONSUMER_TEXT.test(message)) || reply.scrub(message) !== message))
  if (isOurs) {
    return {
      httpStatus: 503,
      body: renderError(CREDENTIAL_REFUSED, reply.asArray ? 'array' : 'object'),
      credentialReason: reason ?? `HTTP_${reply.httpStatus}`,
    }
  }
  const status = typeof error?.['status'] === 'string' ? error['status'] : canonicalOf(reply.httpStatus)
  const passed = {
    code: reply.httpStatus,
    message: message === '' ? `The upstream answered with HTTP ${reply.httpStatus}.` : message,
    status,
    ...(details.length > 0 ? { details } : {}),
  }
  const text = reply.scrub(JSON.stringify(reply.asArray ? [{ error: passed }] : { error: passed }, null, 2))
  return { httpStatus: reply.httpStatus, body: Buffer.from(text), credentialReason: null }
}

/** What the caller is told when our credential was refused: nothing about it, and that waiting or the operator helps. */
export const CREDENTIAL_REFUSED = new ApiError(
  'UPSTREAM_CREDENTIAL_REFUSED',
  'The upstream refused this gateway, not your request. Its operator has been told. Please retry later.',
)

/** The `error` object of Google's body, alone or first in an array; null when the body is anything else. */
function errorIn(body: Buffer): JsonObject | null {
  let parsed: unknown
  try {
    parsed = JSON.parse(body.toString('utf8'))
  } catch {
    // An HTML page of some proxy, or half a body: there is nothing in it for the caller.
    return null
  }
  return asObject(asObject(listOf(parsed)[0])?.['error'])
}

/** Whether the error names fields of the request: then its text repeats the caller's words, and judges nothing of us. */
function blamesField(details: readonly unknown[]): boolean {
  return details.some(detail => asObject(detail)?.['@type'] === 'type.googleapis.com/google.rpc.BadRequest')
}

function reasonOf(details: readonly unknown[]): string | null {
  for (const detail of details) {
    const reason = (detail as Detail | null)?.['reason']
    if (typeof reason === 'string') return reason
  }
  return null
}

const CANONICAL: ReadonlyMap<number, CanonicalCode> = new Map([
  [400, 'INVALID_ARGUMENT'],
  [404, 'NOT_FOUND'],
  [409, 'ABORTED'],
  [429, 'RESOURCE_EXHAUSTED'],
  [499, 'CANCELLED'],
  [501, 'UNIMPLEMENTED'],
  [503, 'UNAVAILABLE'],
  [504, 'DEADLINE_EXCEEDED'],
])

function canonicalOf(httpStatus: number): CanonicalCode {
  return CANONICAL.get(httpStatus) ?? (httpStatus < 500 ? 'INVALID_ARGUMENT' : 'INTERNAL')
}
