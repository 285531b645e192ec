import { ApiError, statusBody } from '../domain/error.ts'
import { redactCredentials } from '../domain/redaction.ts'

/** How Google wraps an error: alone, or as the only element of an array (streams without `alt=sse`). */
export type ErrorWrapping = 'object' | 'array'

/** Any thrown value as the ApiError to render: what is none is a bug, told as INTERNAL without its text. */
export function toApiError(thrown: unknown): ApiError {
  if (thrown instanceof ApiError) return thrown
  return new ApiError(
    'INTERNAL',
    'Internal error encountered. The request id leads to the details in the log.',
    {
      cause: thrown,
    },
  )
}

/**
 * The body of an error reply as bytes. Messages repeat what was sent, and people send keys in the strangest places: none
 * is repeated.
 */
export function renderError(error: ApiError, wrapping: ErrorWrapping = 'object'): Buffer {
  const body = statusBody(error)
  return Buffer.from(redactCredentials(JSON.stringify(wrapping === 'array' ? [body] : body, null, 2)))
}
