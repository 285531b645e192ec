/** The keys that the client suites call with, and what a caller of each must be told, whatever its language. */
import { setTimeout as delay } from 'node:timers/promises'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import type { BodyOf } from '../src/contract/endpoint.ts'
import type { Pollux } from './pollux.ts'

export const PROJECT = 'default-project'
export const MODEL = 'gemini-3.8-flash'
export const ALLOWED_REFERRER = 'https://shop.example.com/cart'

/** A call, and the google.rpc.Status that must come back for it. */
export interface Refusal {
  readonly name: string
  /** Null: the call carries no key. */
  readonly keyString: string | null
  readonly model: string
  /** True switches Google Search on. */
  readonly search: boolean
  readonly code: number
  readonly status: string
  readonly message: string
  /** ErrorInfo.reason; null where Google's own body has no ErrorInfo. */
  readonly reason: string | null
}

export interface ClientKeys {
  /** May do everything. */
  readonly plain: string
  /** Bound to `https://shop.example.com`. */
  readonly referrer: string
  readonly refusals: readonly Refusal[]
}

/** Makes a key of the default project and returns its keyString. */
export async function createKeyString(
  pollux: Pollux,
  keyId: string,
  body: BodyOf<typeof POLLUX_V1.createKey> = {},
): Promise<string> {
  const key = await pollux.client.call(POLLUX_V1.createKey, {
    params: { project: PROJECT },
    query: { keyId },
    body,
  })
  if (key.keyString === undefined) throw new Error(`no keyString for ${keyId}`)
  return key.keyString
}

/** Makes every key, and waits until the one that has to be expired is. */
export async function createClientKeys(pollux: Pollux): Promise<ClientKeys> {
  const make = (keyId: string, body: BodyOf<typeof POLLUX_V1.createKey> = {}): Promise<string> =>
    createKeyString(pollux, keyId, body)
  const expireTimeMs = Date.now() + 1_000
  const expired = await make('expired', { expireTime: new Date(expireTimeMs).toISOString() })
  const plain = await make('plain')
  const disabled = await make('disabled')
  await pollux.client.call(POLLUX_V1.disableKey, { params: { project: PROJECT, key: 'disabled' }, body: {} })
  const deleted = await make('deleted')
  await pollux.client.call(POLLUX_V1.deleteKey, { params: { project: PROJECT, key: 'deleted' } })
  const referrer = await make('referrer', {
    restrictions: { browserKeyRestrictions: { allowedReferrers: ['https://shop.example.com/*'] } },
  })
  const address = await make('address', {
    restrictions: { serverKeyRestrictions: { allowedIps: ['203.0.113.7'] } },
  })
  const model = await make('model', { allowedModels: ['gemini-2.5-*'] })
  const tool = await make('tool', { allowedTools: [] })
  const method = await make('method', {
    restrictions: {
      apiTargets: [{ service: 'generativelanguage.googleapis.com', methods: ['CountTokens'] }],
    },
  })
  await delay(Math.max(0, expireTimeMs + 10 - Date.now()))
  const keys = { plain, disabled, deleted, expired, referrer, address, model, tool, method }
  return { plain, referrer, refusals: [...keyRefusals(keys), ...upstreamRefusals(plain)] }
}

type Named = Readonly<
  Record<'disabled' | 'deleted' | 'expired' | 'referrer' | 'address' | 'model' | 'tool' | 'method', string>
>

const refusal = (
  name: string,
  keyString: string | null,
  told: Pick<Refusal, 'code' | 'status' | 'message' | 'reason'> & Partial<Refusal>,
): Refusal => ({ name, keyString, model: MODEL, search: false, ...told })

/** Refusals of the gateway's own. `message` may leave the API version open, as `{version}`. */
function keyRefusals(keys: Named): Refusal[] {
  const invalid = (message: string) => ({
    code: 400,
    status: 'INVALID_ARGUMENT',
    message,
    reason: 'API_KEY_INVALID',
  })
  const blocked = (reason: string, message: string) => ({
    code: 403,
    status: 'PERMISSION_DENIED',
    message,
    reason,
  })
  return [
    refusal(
      'bad key',
      'AIzaSyNotAKeyOfThisGateway',
      invalid('API key not valid. Please pass a valid API key.'),
    ),
    refusal('no key', null, {
      code: 403,
      status: 'PERMISSION_DENIED',
      message:
        "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or " +
        'other form of API consumer identity to call this API.',
      reason: null,
    }),
    refusal(
      'disabled key',
      keys.disabled,
      invalid('API key disabled. Ask its owner to enable it, or pass another API key.'),
    ),
    refusal('expired key', keys.expired, invalid('API key expired. Please renew the API key.')),
    refusal('deleted key', keys.deleted, invalid('API Key not found. Please pass a valid API key.')),
    refusal(
      'blocked referrer',
      keys.referrer,
      blocked('API_KEY_HTTP_REFERRER_BLOCKED', 'Requests from referer <empty> are blocked.'),
    ),
    refusal(
      'blocked address',
      keys.address,
      blocked(
        'API_KEY_IP_ADDRESS_BLOCKED',
        'The provided API key has an IP address restriction. ' +
          'The originating IP address of the call (127.0.0.1) violates this restriction.',
      ),
    ),
    refusal(
      'blocked model',
      keys.model,
      blocked(
        'API_KEY_MODEL_BLOCKED',
        `Requests to model ${MODEL} are blocked for this API key. ` +
          "Call a model that the key allows, or add this model to the key's allowedModels.",
      ),
    ),
    refusal('blocked tool', keys.tool, {
      ...blocked(
        'API_KEY_TOOL_BLOCKED',
        'Requests that use googleSearch are blocked for this API key. ' +
          "Leave it out of the request, or add googleSearch to the key's allowedTools.",
      ),
      search: true,
    }),
    refusal(
      'blocked method',
      keys.method,
      blocked(
        'API_KEY_SERVICE_BLOCKED',
        'Requests to this API generativelanguage.googleapis.com method ' +
          'google.ai.generativelanguage.{version}.GenerativeService.{method} are blocked.',
      ),
    ),
  ]
}

/** What the upstream answers, or must not be seen to have answered. */
function upstreamRefusals(plain: string): Refusal[] {
  return [
    refusal('unknown model', plain, {
      model: 'gemini-unheard-of',
      code: 404,
      status: 'NOT_FOUND',
      message:
        'models/gemini-unheard-of is not found for API version {version}, or is not supported for {verb}. ' +
        'Call ModelService.ListModels to see the list of available models and their supported methods.',
      reason: null,
    }),
    refusal('quota', plain, {
      model: 'sandbox-429',
      code: 429,
      status: 'RESOURCE_EXHAUSTED',
      message:
        'You exceeded your current quota, please check your plan and billing details. For more information on this ' +
        'error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. To monitor your current usage, head to: ' +
        'https://ai.dev/rate-limit. \n* Quota exceeded for metric: ' +
        'generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 20, model: sandbox-429\n' +
        'Please retry in 43.12412593s.',
      reason: null,
    }),
    refusal('upstream failure', plain, {
      model: 'sandbox-500',
      code: 500,
      status: 'INTERNAL',
      message:
        'An internal error has occurred. Please retry or report in ' +
        'https://developers.generativeai.google/guide/troubleshooting',
      reason: null,
    }),
    refusal('upstream credential refused', plain, {
      model: 'sandbox-credential',
      code: 503,
      status: 'UNAVAILABLE',
      message:
        'The upstream refused this gateway, not your request. Its operator has been told. Please retry later.',
      reason: 'UPSTREAM_CREDENTIAL_REFUSED',
    }),
  ]
}

/** The message of a refusal for one version and verb, e.g. `v1` and `generateContent`. */
export function messageFor(refusal: Refusal, version: string, verb: string): string {
  const method = verb.charAt(0).toUpperCase() + verb.slice(1)
  return refusal.message.replace('{version}', version).replace('{method}', method).replace('{verb}', verb)
}

/** The reason that an error body gives, or null. */
export function reasonIn(body: { error: { details?: readonly Record<string, unknown>[] } }): string | null {
  for (const detail of body.error.details ?? []) {
    if (detail['@type'] === 'type.googleapis.com/google.rpc.ErrorInfo') return String(detail['reason'])
  }
  return null
}

/** Whatever in a text could be a credential: of the sandbox, of Google, of ours. */
export const CREDENTIAL_LIKE = /sandbox-[0-9a-f]{8}-|AIza[\w-]{10,}|plx_\w{20,}|suspended/i
