/** The one error of Pollux, and the one table of reasons it can have. Rendered as google.rpc.Status by http/render. */

/** Canonical codes (google/rpc/code.proto) with the HTTP status Google maps each to (google.rpc.Code comments). */
const HTTP_STATUS = {
  INVALID_ARGUMENT: 400,
  FAILED_PRECONDITION: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  NOT_FOUND: 404,
  ABORTED: 409,
  ALREADY_EXISTS: 409,
  RESOURCE_EXHAUSTED: 429,
  CANCELLED: 499,
  INTERNAL: 500,
  UNIMPLEMENTED: 501,
  UNAVAILABLE: 503,
  DEADLINE_EXCEEDED: 504,
} as const

export type CanonicalCode = keyof typeof HTTP_STATUS

interface ReasonRow {
  readonly status: CanonicalCode
  /** Where the HTTP status differs from the one its canonical code maps to. */
  readonly http?: number
  /** ErrorInfo.domain: Google's reasons under Google's domain, ours under our own. */
  readonly domain: 'googleapis.com' | 'pollux'
}

const google = (status: CanonicalCode): ReasonRow => ({ status, domain: 'googleapis.com' })
const ours = (status: CanonicalCode, http?: number): ReasonRow =>
  http === undefined ? { status, domain: 'pollux' } : { status, http, domain: 'pollux' }

/** Every reason an error can have. Google's own first: googleapis google/api/error_reason.proto. */
const REASONS = {
  API_KEY_INVALID: google('INVALID_ARGUMENT'),
  API_KEY_SERVICE_BLOCKED: google('PERMISSION_DENIED'),
  API_KEY_HTTP_REFERRER_BLOCKED: google('PERMISSION_DENIED'),
  API_KEY_IP_ADDRESS_BLOCKED: google('PERMISSION_DENIED'),
  API_KEY_ANDROID_APP_BLOCKED: google('PERMISSION_DENIED'),
  API_KEY_IOS_APP_BLOCKED: google('PERMISSION_DENIED'),
  CREDENTIALS_MISSING: google('PERMISSION_DENIED'),
  OVERLOADED_CREDENTIALS: google('INVALID_ARGUMENT'),
  ACCESS_TOKEN_MISSING: ours('UNAUTHENTICATED'),
  ACCESS_TOKEN_INVALID: ours('UNAUTHENTICATED'),
  SESSION_ENDED: ours('UNAUTHENTICATED'),
  SIGN_IN_FAILED: ours('UNAUTHENTICATED'),
  SIGN_IN_THROTTLED: ours('RESOURCE_EXHAUSTED'),
  SIGN_IN_DOOR_REFUSED: ours('PERMISSION_DENIED'),
  ISSUER_UNAVAILABLE: ours('UNAVAILABLE'),
  LINK_INVALID: ours('FAILED_PRECONDITION'),
  STEP_UP_REQUIRED: ours('PERMISSION_DENIED'),
  CROSS_SITE_REFUSED: ours('PERMISSION_DENIED'),
  IAM_PERMISSION_DENIED: google('PERMISSION_DENIED'),
  CONSUMER_INVALID: google('PERMISSION_DENIED'),
  RESOURCE_QUOTA_EXCEEDED: google('RESOURCE_EXHAUSTED'),
  RATE_LIMIT_EXCEEDED: google('RESOURCE_EXHAUSTED'),

  API_KEY_MODEL_BLOCKED: ours('PERMISSION_DENIED'),
  API_KEY_TOOL_BLOCKED: ours('PERMISSION_DENIED'),
  REQUEST_MALFORMED: ours('INVALID_ARGUMENT'),
  REQUEST_TARGET_REFUSED: ours('INVALID_ARGUMENT'),
  REQUEST_HEADERS_REFUSED: ours('INVALID_ARGUMENT'),
  CONTENT_TYPE_REFUSED: ours('INVALID_ARGUMENT', 415),
  BODY_TOO_LARGE: ours('INVALID_ARGUMENT', 413),
  FIELD_INVALID: ours('INVALID_ARGUMENT'),
  FIELD_AMBIGUOUS: ours('INVALID_ARGUMENT'),
  MASK_INVALID: ours('INVALID_ARGUMENT'),
  OBJECT_NOT_OWNED: ours('INVALID_ARGUMENT'),
  HOST_REFUSED: ours('INVALID_ARGUMENT', 421),
  METHOD_UNKNOWN: ours('NOT_FOUND'),
  MODEL_NOT_FOUND: ours('NOT_FOUND'),
  BUDGET_EXHAUSTED: ours('RESOURCE_EXHAUSTED', 402),
  BUDGET_FROZEN: ours('RESOURCE_EXHAUSTED', 402),
  SPEND_HELD: ours('RESOURCE_EXHAUSTED'),
  MODEL_UNPRICED: ours('FAILED_PRECONDITION'),
  TOOL_UNBOUNDED: ours('FAILED_PRECONDITION'),
  RESOURCE_NOT_FOUND: ours('NOT_FOUND'),
  ALREADY_EXISTS: ours('ALREADY_EXISTS'),
  ETAG_MISMATCH: ours('ABORTED'),
  STATE_CONFLICT: ours('FAILED_PRECONDITION'),
  BODIES_NOT_KEPT: ours('NOT_FOUND'),
  KEY_STRING_SHOWN_ONCE: ours('FAILED_PRECONDITION'),
  KEY_IN_USE: ours('FAILED_PRECONDITION'),
  SECRET_UNREADABLE: ours('INTERNAL'),
  OVERLOADED: ours('UNAVAILABLE'),
  CLOCK_WRONG: ours('UNAVAILABLE'),
  SHUTTING_DOWN: ours('UNAVAILABLE'),
  STORAGE_UNAVAILABLE: ours('UNAVAILABLE'),
  DATABASE_DAMAGED: ours('UNAVAILABLE'),
  REQUEST_TIMEOUT: ours('DEADLINE_EXCEEDED', 408),
  UPSTREAM_CREDENTIAL_REFUSED: ours('UNAVAILABLE'),
  UPSTREAM_UNREACHABLE: ours('UNAVAILABLE', 502),
  UPSTREAM_BROKEN: ours('UNAVAILABLE', 502),
  UPSTREAM_TIMEOUT: ours('DEADLINE_EXCEEDED'),
  CLIENT_GONE: ours('CANCELLED'),
  INTERNAL: ours('INTERNAL'),
} as const satisfies Record<string, ReasonRow>

export type Reason = keyof typeof REASONS

/** A google.rpc detail message as JSON, e.g. `{'@type': 'type.googleapis.com/google.rpc.Help', links: []}`. */
export type Detail = { readonly '@type': string } & Readonly<Record<string, unknown>>

interface Extras {
  /** ErrorInfo.metadata. Values are public: never a key. */
  readonly metadata?: Readonly<Record<string, string>>
  /** Further details after the ErrorInfo: Help, RetryInfo, QuotaFailure, BadRequest. */
  readonly details?: readonly Detail[]
  /** What really went wrong. Logged, never sent. */
  readonly cause?: unknown
  /** False leaves ErrorInfo out, where Google's own body has no details (unregistered callers, two credentials). */
  readonly errorInfo?: boolean
}

/** A refusal or failure with a public message (what happened, which rule, what to do) and a private cause. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly reason: Reason
  readonly metadata: Readonly<Record<string, string>>
  readonly furtherDetails: readonly Detail[]
  readonly errorInfo: boolean

  constructor(reason: Reason, message: string, extras: Extras = {}) {
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause })
    this.reason = reason
    this.metadata = extras.metadata ?? {}
    this.furtherDetails = extras.details ?? []
    this.errorInfo = extras.errorInfo ?? true
  }

  /** The canonical code's name, e.g. `PERMISSION_DENIED`. */
  get status(): CanonicalCode {
    return REASONS[this.reason].status
  }

  /** The HTTP status code. */
  get httpStatus(): number {
    const row: ReasonRow = REASONS[this.reason]
    return row.http ?? HTTP_STATUS[row.status]
  }

  /** All details in the order Google sends them: ErrorInfo first. */
  get details(): readonly Detail[] {
    if (!this.errorInfo) return this.furtherDetails
    const info: Detail = {
      '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
      reason: this.reason,
      domain: REASONS[this.reason].domain,
      metadata: this.metadata,
    }
    return [info, ...this.furtherDetails]
  }
}

/** google.rpc.Status as the JSON body that Google's REST surface sends. */
export interface StatusBody {
  readonly error: {
    readonly code: number
    readonly message: string
    readonly status: CanonicalCode
    readonly details?: readonly Detail[]
  }
}

/** The JSON body of an error. `details` is absent, not empty, where there is none (as Google sends it). */
export function statusBody(error: ApiError): StatusBody {
  const { httpStatus: code, message, status, details } = error
  return { error: details.length > 0 ? { code, message, status, details } : { code, message, status } }
}

/** A google.rpc.BadRequest detail that names the field a client has to mend. */
export function fieldViolation(field: string, description: string): Detail {
  return {
    '@type': 'type.googleapis.com/google.rpc.BadRequest',
    fieldViolations: [{ field, description }],
  }
}

/** An INVALID_ARGUMENT about one field of a request: the message says which, and what would be valid. */
export function invalidField(field: string, description: string): ApiError {
  return new ApiError('FIELD_INVALID', `Invalid value at '${field}': ${description}`, {
    details: [fieldViolation(field, description)],
  })
}
