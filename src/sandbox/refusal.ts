/** Google's errors that are not about the request's content: credentials, quota, failures. Texts: gemini-wire.md 3.2, 3.3. */
import { ApiError } from '../domain/error.ts'

const SERVICE = 'generativelanguage.googleapis.com'
const DOCS = 'https://ai.google.dev/gemini-api/docs/rate-limits'

function localized(message: string): { '@type': string; locale: string; message: string } {
  return { '@type': 'type.googleapis.com/google.rpc.LocalizedMessage', locale: 'en-US', message }
}

/** 403: no credential came along. */
export function unregisteredCaller(): ApiError {
  const message =
    "Method doesn't allow unregistered callers (callers without established identity). " +
    'Please use API Key or other form of API consumer identity to call this API.'
  return new ApiError('CREDENTIALS_MISSING', message, { errorInfo: false })
}

/** 400: the credential is not the sandbox's. */
export function invalidCredential(): ApiError {
  const message = 'API key not valid. Please pass a valid API key.'
  return new ApiError('API_KEY_INVALID', message, {
    metadata: { service: SERVICE },
    details: [localized(message)],
  })
}

/**
 * 403 as Google answers to a suspended key: with the received credential in clear text. On purpose, so that tests can
 * prove that no caller, log or record ever gets to see it.
 */
export function suspendedConsumer(credential: string): ApiError {
  const message = `Permission denied: Consumer 'api_key:${credential}' has been suspended.`
  const info = {
    '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
    reason: 'CONSUMER_SUSPENDED',
    domain: 'googleapis.com',
    metadata: { consumer: 'projects/1', service: SERVICE, containerInfo: `api_key:${credential}` },
  }
  return new ApiError('CONSUMER_INVALID', message, { errorInfo: false, details: [info, localized(message)] })
}

/** 429 with everything Google's quota error carries. */
export function quotaExceeded(model: string): ApiError {
  const metric = `${SERVICE}/generate_content_free_tier_requests`
  const message =
    'You exceeded your current quota, please check your plan and billing details. For more information on this ' +
    `error, head to: ${DOCS}. To monitor your current usage, head to: https://ai.dev/rate-limit. \n` +
    `* Quota exceeded for metric: ${metric}, limit: 20, model: ${model}\nPlease retry in 43.12412593s.`
  return new ApiError('RESOURCE_QUOTA_EXCEEDED', message, {
    errorInfo: false,
    details: [
      {
        '@type': 'type.googleapis.com/google.rpc.Help',
        links: [{ description: 'Learn more about Gemini API quotas', url: DOCS }],
      },
      {
        '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
        violations: [
          {
            quotaMetric: metric,
            quotaId: 'GenerateRequestsPerDayPerProjectPerModel-FreeTier',
            quotaDimensions: { location: 'global', model },
            quotaValue: '20',
          },
        ],
      },
      { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '43s' },
    ],
  })
}

/** 500. */
export function internalError(cause?: unknown): ApiError {
  const message =
    'An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting'
  return new ApiError('INTERNAL', message, { errorInfo: false, cause })
}

/** 503. */
export function overloaded(): ApiError {
  return new ApiError('OVERLOADED', 'The model is overloaded. Please try again later.', { errorInfo: false })
}

/** 404: no such path, or not with this verb. */
export function unknownPath(): ApiError {
  return new ApiError('METHOD_UNKNOWN', 'Method not found.', { errorInfo: false })
}
