import { describe, expect, it } from 'vitest'
import { redactCredentials } from '../domain/redaction.ts'
import { judgeError } from './upstream-error.ts'

const CREDENTIAL = `AIza${'Sy0-_'.repeat(7)}`
const scrub = (text: string) => redactCredentials(text.replaceAll(CREDENTIAL, '[redacted]'))

const info = (reason: string, metadata: object = {}) => ({
  '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
  reason,
  domain: 'googleapis.com',
  metadata,
})

function judge(
  httpStatus: number,
  status: string,
  message: string,
  details: readonly unknown[] = [],
  asArray = false,
) {
  const error = { code: httpStatus, message, status, ...(details.length > 0 ? { details } : {}) }
  const body = Buffer.from(JSON.stringify(asArray ? [{ error }] : { error }))
  const judged = judgeError({ httpStatus, body, asArray, scrub })
  return { ...judged, text: judged.body.toString(), json: JSON.parse(judged.body.toString()) as unknown }
}

/** Every native error of gemini-wire 3.2, as the upstream would send it about us. */
const OURS: [string, number, string, string, unknown[]][] = [
  [
    'no key at all',
    403,
    'PERMISSION_DENIED',
    "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
    [],
  ],
  [
    'unknown key',
    400,
    'INVALID_ARGUMENT',
    'API key not valid. Please pass a valid API key.',
    [info('API_KEY_INVALID')],
  ],
  [
    'unknown key, without details',
    400,
    'INVALID_ARGUMENT',
    'API key not valid. Please pass a valid API key.',
    [],
  ],
  [
    'deleted key',
    400,
    'INVALID_ARGUMENT',
    'API Key not found. Please pass a valid API key.',
    [info('API_KEY_INVALID')],
  ],
  [
    'expired key',
    400,
    'INVALID_ARGUMENT',
    'API key expired. Please renew the API key.',
    [info('API_KEY_INVALID')],
  ],
  [
    'two credentials',
    400,
    'INVALID_ARGUMENT',
    'Multiple authentication credentials received. Please pass only one.',
    [],
  ],
  [
    'bad OAuth',
    401,
    'UNAUTHENTICATED',
    'Request had invalid authentication credentials. Expected OAuth 2 access token.',
    [info('ACCESS_TOKEN_TYPE_UNSUPPORTED')],
  ],
  [
    'API restriction',
    403,
    'PERMISSION_DENIED',
    'Requests to this API generativelanguage.googleapis.com method google.ai.generativelanguage.v1beta.GenerativeService.StreamGenerateContent are blocked.',
    [info('API_KEY_SERVICE_BLOCKED', { consumer: 'projects/4711' })],
  ],
  [
    'referrer restriction',
    403,
    'PERMISSION_DENIED',
    'Requests from referer <empty> are blocked.',
    [info('API_KEY_HTTP_REFERRER_BLOCKED', { consumer: 'projects/4711' })],
  ],
  [
    'IP restriction',
    403,
    'PERMISSION_DENIED',
    'The provided API key has an IP address restriction. The originating IP address of the call (203.0.113.5) violates this restriction.',
    [info('API_KEY_IP_ADDRESS_BLOCKED', { callerIp: '203.0.113.5' })],
  ],
  [
    'Android restriction',
    403,
    'PERMISSION_DENIED',
    'Requests from this Android client application <empty> are blocked.',
    [info('API_KEY_ANDROID_APP_BLOCKED')],
  ],
  [
    'iOS restriction',
    403,
    'PERMISSION_DENIED',
    'Requests from this iOS client application <empty> are blocked.',
    [info('API_KEY_IOS_APP_BLOCKED')],
  ],
  [
    'API disabled',
    403,
    'PERMISSION_DENIED',
    'Generative Language API has not been used in project 4711 before or it is disabled.',
    [info('SERVICE_DISABLED', { consumer: 'projects/4711' })],
  ],
  [
    'suspended',
    403,
    'PERMISSION_DENIED',
    `Permission denied: Consumer 'api_key:${CREDENTIAL}' has been suspended.`,
    [info('CONSUMER_SUSPENDED', { containerInfo: `api_key:${CREDENTIAL}` })],
  ],
  [
    'suspended, under another status',
    500,
    'INTERNAL',
    `Consumer 'api_key:${CREDENTIAL}' has been suspended.`,
    [],
  ],
  [
    'leaked key',
    403,
    'PERMISSION_DENIED',
    'Your API key was reported as leaked. Please use another API key.',
    [],
  ],
  [
    'project banned',
    403,
    'PERMISSION_DENIED',
    'Your project has been denied access. Please contact support.',
    [],
  ],
  ['country', 400, 'FAILED_PRECONDITION', 'User location is not supported for the API use.', []],
  [
    'prepay empty',
    402,
    'RESOURCE_EXHAUSTED',
    'Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects',
    [],
  ],
  [
    'prepay empty, until mid-2026',
    429,
    'RESOURCE_EXHAUSTED',
    'Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects',
    [],
  ],
  [
    'project spend cap',
    429,
    'RESOURCE_EXHAUSTED',
    'Your project has exceeded its monthly spending cap. Please go to AI Studio at https://ai.studio/spend',
    [],
  ],
]

const help = {
  '@type': 'type.googleapis.com/google.rpc.Help',
  links: [{ url: 'https://ai.google.dev/gemini-api/docs/rate-limits' }],
}
const retry = { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '43s' }
const badRequest = (description: string) => ({
  '@type': 'type.googleapis.com/google.rpc.BadRequest',
  fieldViolations: [{ field: 'x', description }],
})

const THEIRS: [string, number, string, string, unknown[]][] = [
  [
    'unknown model',
    404,
    'NOT_FOUND',
    'models/x is not found for API version v1beta, or is not supported for generateContent.',
    [],
  ],
  [
    'bad argument',
    400,
    'INVALID_ARGUMENT',
    'The input token count exceeds the maximum number of tokens allowed.',
    [],
  ],
  [
    'unknown field',
    400,
    'INVALID_ARGUMENT',
    'Invalid JSON payload received. Unknown name "x": Cannot find field.',
    [badRequest('Unknown name "x"')],
  ],
  [
    'unknown field that is called like something of ours',
    400,
    'INVALID_ARGUMENT',
    'Invalid JSON payload received. Unknown name "billing_credential": Cannot find field.',
    [badRequest('Unknown name')],
  ],
  [
    'quota',
    429,
    'RESOURCE_EXHAUSTED',
    'You exceeded your current quota, please check your plan and billing details.',
    [help, retry],
  ],
  [
    'spend-rate limit',
    429,
    'RESOURCE_EXHAUSTED',
    "You exceeded your spend-based rate limit. Your spending rate has exceeded the allowed limit for your account's billing history and tier.",
    [],
  ],
  ['bare 429', 429, 'RESOURCE_EXHAUSTED', 'Resource has been exhausted (e.g. check quota).', []],
  ['overload', 503, 'UNAVAILABLE', 'The model is overloaded. Please try again later.', []],
  ['timeout', 504, 'DEADLINE_EXCEEDED', 'Deadline expired before operation could complete.', []],
  ['internal', 500, 'INTERNAL', 'An internal error has occurred.', []],
  ['cancelled', 499, 'CANCELLED', 'The operation was cancelled.', []],
]

describe.each([false, true])('in an array: %s', asArray => {
  it.each(OURS)(
    'about us becomes 503 and says nothing of it: %s',
    (_, httpStatus, status, message, details) => {
      const judged = judge(httpStatus, status, message, details, asArray)
      expect(judged.httpStatus).toBe(503)
      expect(judged.credentialReason).toMatch(/^[A-Z_]+$|^HTTP_\d{3}$/)
      expect(judged.text).not.toMatch(/AIza|4711|203\.0\.113|prepay|api.?key|billing|location/i)
      const error = { code: 503, status: 'UNAVAILABLE', details: [{ reason: 'UPSTREAM_CREDENTIAL_REFUSED' }] }
      expect(judged.json).toMatchObject(asArray ? [{ error }] : { error })
    },
  )

  it.each(THEIRS)('about the request passes as it is: %s', (_, httpStatus, status, message, details) => {
    const judged = judge(httpStatus, status, message, details, asArray)
    const error = { code: httpStatus, message, status, ...(details.length > 0 ? { details } : {}) }
    expect(judged.json).toEqual(asArray ? [{ error }] : { error })
    expect(judged.credentialReason).toBeNull()
    expect(judged.httpStatus).toBe(httpStatus)
  })
})

describe('whatever the body is', () => {
  it.each([
    ['a page', '<html>404</html>'],
    ['nothing', ''],
    ['half of one', '{"error":{"mess'],
    ['no object', '[1,2]'],
    ['an error of another shape', '{"error":"no"}'],
    ['a message of another type', '{"error":{"message":{"a":1},"status":7}}'],
  ])('%s: the caller gets an error of the right shape', (_, body) => {
    for (const [httpStatus, status] of [
      [404, 'NOT_FOUND'],
      [418, 'INVALID_ARGUMENT'],
      [500, 'INTERNAL'],
      [529, 'INTERNAL'],
    ] as const) {
      const judged = judgeError({ httpStatus, body: Buffer.from(body), asArray: false, scrub })
      expect(JSON.parse(judged.body.toString())).toEqual({
        error: { code: httpStatus, message: `The upstream answered with HTTP ${httpStatus}.`, status },
      })
    }
  })

  it.each([400, 401, 403, 404, 429, 500, 503])(
    'no credential leaves, wherever HTTP %i puts it',
    httpStatus => {
      const places = [
        { error: { message: `x ${CREDENTIAL}` } },
        { error: { message: 'x', status: CREDENTIAL } },
        {
          error: {
            message: 'x',
            details: [info('X', { [CREDENTIAL]: `api_key:${CREDENTIAL}` }), badRequest(CREDENTIAL)],
          },
        },
        { error: { message: `Unknown name "${CREDENTIAL}"`, details: [badRequest('x')] } },
        { error: { message: 'x', details: CREDENTIAL } },
      ]
      for (const place of places) {
        const body = Buffer.from(JSON.stringify(place))
        const judged = judgeError({ httpStatus, body, asArray: false, scrub })
        expect(judged.body.toString()).not.toContain(CREDENTIAL.slice(0, 12))
        expect(() => JSON.parse(judged.body.toString()) as unknown).not.toThrow()
      }
    },
  )
})
