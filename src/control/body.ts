import { ApiError } from '../domain/error.ts'

/** Largest body of a management request. Twenty thousand restrictions fit. */
export const BODY_BYTES_MAX = 1024 * 1024

const JSON_TYPE = /^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i
const UTF8 = new TextDecoder('utf-8', { fatal: true })

/**
 * The JSON object of a body; undefined for an empty one, which clients send with and without a content type. Throws
 * CONTENT_TYPE_REFUSED and REQUEST_MALFORMED.
 */
export function decodeJson(body: Buffer, contentType: string | undefined): unknown {
  if (body.length === 0) return undefined
  if (contentType === undefined || !JSON_TYPE.test(contentType)) throw notJson()
  let value: unknown
  try {
    value = JSON.parse(UTF8.decode(body))
  } catch {
    // The parser's own message repeats part of the body, which may be a secret.
    throw new ApiError('REQUEST_MALFORMED', 'Invalid JSON payload received: the body is not JSON in UTF-8.')
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new ApiError('REQUEST_MALFORMED', 'Invalid JSON payload received: the body must be one JSON object.')
}

function notJson(): ApiError {
  return new ApiError('CONTENT_TYPE_REFUSED', 'The body must be JSON: send Content-Type: application/json.')
}

/** What the framework refuses by itself, in our words; anything it does not refuse is returned as it is. */
export function fromFastify(thrown: unknown): unknown {
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return thrown
  switch (thrown.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new ApiError(
        'BODY_TOO_LARGE',
        `Request payload size exceeds the limit: ${BODY_BYTES_MAX} bytes.`,
      )
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return notJson()
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new ApiError('REQUEST_MALFORMED', 'The body is not as long as its Content-Length says.')
    case 'FST_ERR_BAD_URL':
      return new ApiError('REQUEST_TARGET_REFUSED', 'The path has a malformed percent escape.')
    case 'ECONNRESET':
      return new ApiError('CLIENT_GONE', 'The client closed the request before its body was complete.')
    default:
      return thrown
  }
}
