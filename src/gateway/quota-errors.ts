/** The 429 of a rate limit, in Google's shape: clients read when to come again from it (gemini-wire 3.3 and 3.6). */
import { ApiError } from '../domain/error.ts'
import { GEMINI_SERVICE } from '../domain/method-name.ts'
import type { Project } from '../domain/project.ts'
import type { QuotaCounter, QuotaMetric, QuotaRefusal } from '../domain/quota.ts'

/**
 * What RetryInfo says where waiting does not help: above 300 s gemini-cli gives up; told nothing of a minute it asks ten times,
 * a minute apart. Clients that read headers get no time at all (gemini-wire 3.5).
 */
const NEVER_RETRY_SECONDS = 86_400
/** A slot may be free at any moment. */
const SLOT_RETRY_MS = 1_000
const HELP = {
  '@type': 'type.googleapis.com/google.rpc.Help',
  links: [
    {
      description: 'Learn more about Gemini API quotas',
      url: 'https://ai.google.dev/gemini-api/docs/rate-limits',
    },
  ],
} as const

/**
 * RATE_LIMIT_EXCEEDED with all limits that refused. `retryDelay` is the time until the last of their windows ends: seconds
 * for minutes, hours for days, and a day where waiting does not help. ErrorInfo is absent, as in Google's.
 */
export function overQuota(refusals: readonly QuotaRefusal[], project: Pick<Project, 'number'>): ApiError {
  const lines = refusals.map(({ counter }) => {
    const model = counter.model === null ? '' : `, model: ${counter.model}`
    return `\n* Quota exceeded for metric: ${quotaMetric(counter)}, limit: ${counter.limit}${model}`
  })
  // A call that asks for more than a whole window holds would be refused in every window.
  const hopeless = refusals.find(({ counter, amount }) => amount > counter.limit)
  const waitMs = Math.max(
    ...refusals.map(({ counter, resetInMs }) => (counter.window === 'slots' ? SLOT_RETRY_MS : resetInMs)),
  )
  const isDaily = refusals.some(({ counter }) => counter.window === 'day')
  const advice =
    hopeless !== undefined
      ? hopelessAdvice(hopeless)
      : isDaily
        ? 'Requests for the day are used up; they come back at midnight of the zone of the quotas.'
        : `Please retry in ${waitMs / 1_000}s.`
  const retrySeconds = hopeless === undefined ? Math.max(1, Math.ceil(waitMs / 1_000)) : NEVER_RETRY_SECONDS
  return new ApiError(
    'RATE_LIMIT_EXCEEDED',
    `You exceeded a rate limit that the operator of this gateway has set for projects/${project.number} or its key. For more information on this error, head to: ${HELP.links[0].url}. ${lines.join('')}\n${advice}`,
    {
      errorInfo: false,
      details: [
        HELP,
        {
          '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
          violations: refusals.map(({ counter }) => violation(counter)),
        },
        { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${retrySeconds}s` },
      ],
    },
  )
}

function hopelessAdvice({ counter, amount }: QuotaRefusal): string {
  return counter.limit === 0
    ? 'Nothing of this is allowed, so waiting does not help: ask for a higher limit.'
    : `This call alone asks for ${amount}, so waiting does not help: send a smaller one, or ask for a higher limit.`
}

function violation(counter: QuotaCounter) {
  return {
    quotaMetric: quotaMetric(counter),
    quotaId: quotaId(counter),
    quotaDimensions: { location: 'global', ...(counter.model === null ? {} : { model: counter.model }) },
    quotaValue: String(counter.limit),
  }
}

const METRIC_NAMES: Readonly<Record<QuotaMetric, string>> = {
  requestsPerMinute: 'requests',
  requestsPerDay: 'requests',
  inputTokensPerMinute: 'input_token_count',
  imagesPerMinute: 'images',
  requestBytesPerDay: 'request_bytes',
  concurrentCalls: 'concurrent_requests',
}

/** `PaidTier2` -> `paid_tier_2_` */
function tierWords(suffix: string): string {
  return suffix === '' ? '' : `${suffix.replaceAll(/(?<=[a-z])(?=[A-Z0-9])/g, '_').toLowerCase()}_`
}

function quotaMetric({ metric, quotaIdSuffix }: QuotaCounter): string {
  return `${GEMINI_SERVICE}/generate_content_${tierWords(quotaIdSuffix)}${METRIC_NAMES[metric]}`
}

/** In Google's patterns; a limit of a key, or of all models together, says so in the place of the other. */
function quotaId({ metric, scope, model, quotaIdSuffix }: QuotaCounter): string {
  const place = `${scope === 'key' ? 'PerKey' : 'PerProject'}${model === null ? '' : 'PerModel'}`
  const tokenPlace = `${scope === 'key' ? 'PerKey' : ''}${model === null ? '' : 'PerModel'}`
  const ids: Readonly<Record<QuotaMetric, string>> = {
    requestsPerMinute: `GenerateRequestsPerMinute${place}`,
    requestsPerDay: `GenerateRequestsPerDay${place}`,
    inputTokensPerMinute: `GenerateContentInputTokens${tokenPlace}PerMinute`,
    imagesPerMinute: `GenerateImagesPerMinute${place}`,
    requestBytesPerDay: `GenerateRequestBytesPerDay${place}`,
    concurrentCalls: `GenerateConcurrentRequests${place}`,
  }
  return quotaIdSuffix === '' ? ids[metric] : `${ids[metric]}-${quotaIdSuffix}`
}
