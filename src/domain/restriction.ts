/** The restrictions of a key: read from a management request, compiled once, checked on every call, explained. */
import { compileAddresses, formatAddress, parseAddress, parseCidr } from './address.ts'
import { ApiError, fieldViolation, invalidField, type Detail, type Reason } from './error.ts'
import type { AllowedTool, AndroidApplication, ApiTarget, Restrictions } from './key.ts'
import { GEMINI_SERVICE } from './method-name.ts'
import { compileModels } from './model.ts'
import { asObject, camelCase } from './proto-json.ts'
import { compileReferrers, parseReferrer } from './referrer.ts'
import { compileTargets, type MethodName } from './target.ts'
import { isAllowable, toolName, type UsedTool } from './tool.ts'

/** Entries of a key's client restriction (docs: manage API keys, limits); the same bound for targets and methods. */
export const RESTRICTION_ENTRIES_MAX = 1200

const REFERRER_CHARS_MAX = 2048
const NAME_CHARS_MAX = 512
const SHOWN_CHARS_MAX = 2048
const FINGERPRINT = /^(?:[0-9a-f]{40}|(?:[0-9a-f]{2}:){19}[0-9a-f]{2})$/i

const canonicalFingerprint = (text: string) => text.replaceAll(':', '').toUpperCase()

type Fields = ReadonlyMap<string, unknown>

/** A request message's fields by camelCase name; null counts as left out. Unknown fields are refused, not dropped. */
function readFields(input: unknown, field: string, known: readonly string[]): Fields {
  const message = asObject(input)
  if (message === null) throw invalidField(field, `must be an object with the fields ${known.join(', ')}.`)
  const fields = new Map<string, unknown>()
  for (const [spelling, value] of Object.entries(message)) {
    const name = camelCase(spelling)
    if (!known.includes(name))
      throw invalidField(field, `has an unknown field; known are ${known.join(', ')}.`)
    if (fields.has(name)) {
      const description = 'is given in two spellings; send one of them.'
      throw new ApiError('FIELD_AMBIGUOUS', `Ambiguous value at '${field}.${name}': ${description}`, {
        details: [fieldViolation(`${field}.${name}`, description)],
      })
    }
    fields.set(name, value ?? undefined)
  }
  return fields
}

function readList(value: unknown, field: string): readonly unknown[] {
  if (value === undefined) return []
  if (!Array.isArray(value)) throw invalidField(field, 'must be a list.')
  if (value.length > RESTRICTION_ENTRIES_MAX) {
    throw invalidField(field, `must have at most ${RESTRICTION_ENTRIES_MAX} entries.`)
  }
  return value
}

function readText(value: unknown, field: string, charsMax = NAME_CHARS_MAX): string {
  const text = typeof value === 'string' ? value.trim() : ''
  if (text === '' || text.length > charsMax) {
    throw invalidField(field, `must be a string of 1 to ${charsMax} characters.`)
  }
  return text
}

function readTexts(value: unknown, field: string, charsMax?: number): readonly string[] {
  return readList(value, field).map((entry, index) => readText(entry, `${field}[${index}]`, charsMax))
}

function readAddresses(value: unknown, field: string): readonly string[] {
  const entries = readTexts(value, field)
  const wrong = entries.findIndex(entry => parseCidr(entry) === null)
  if (wrong === -1) return entries
  throw invalidField(
    `${field}[${wrong}]`,
    'must be an IPv4 or IPv6 address or a CIDR range, for example 203.0.113.7, 198.51.100.0/24 or 2001:db8::/32.',
  )
}

function readApplication(value: unknown, field: string): AndroidApplication {
  const fields = readFields(value, field, ['sha1Fingerprint', 'packageName'])
  const fingerprint = readText(fields.get('sha1Fingerprint'), `${field}.sha1Fingerprint`)
  if (!FINGERPRINT.test(fingerprint)) {
    throw invalidField(
      `${field}.sha1Fingerprint`,
      'must be a SHA-1 fingerprint: 40 hexadecimal digits, with colons between bytes or without.',
    )
  }
  const packageName = readText(fields.get('packageName'), `${field}.packageName`)
  return { sha1Fingerprint: canonicalFingerprint(fingerprint), packageName }
}

function readTarget(value: unknown, field: string): ApiTarget {
  const fields = readFields(value, field, ['service', 'methods'])
  const service = readText(fields.get('service'), `${field}.service`)
  const methods = readTexts(fields.get('methods'), `${field}.methods`)
  const wrong = methods.findIndex(method => method.slice(0, -1).includes('*'))
  if (wrong !== -1) throw invalidField(`${field}.methods[${wrong}]`, 'may have * as its last symbol only.')
  return methods.length === 0 ? { service } : { service, methods }
}

/** The four client kinds of the oneof, each with a reader of its message. */
const CLIENT_READERS = {
  browserKeyRestrictions(value: unknown, field: string): Restrictions {
    const list = readFields(value, field, ['allowedReferrers']).get('allowedReferrers')
    const allowedReferrers = readTexts(list, `${field}.allowedReferrers`, REFERRER_CHARS_MAX)
    return { browserKeyRestrictions: { allowedReferrers } }
  },
  serverKeyRestrictions(value: unknown, field: string): Restrictions {
    const list = readFields(value, field, ['allowedIps']).get('allowedIps')
    return { serverKeyRestrictions: { allowedIps: readAddresses(list, `${field}.allowedIps`) } }
  },
  androidKeyRestrictions(value: unknown, field: string): Restrictions {
    const list = readFields(value, field, ['allowedApplications']).get('allowedApplications')
    const listField = `${field}.allowedApplications`
    const allowedApplications = readList(list, listField).map((entry, index) =>
      readApplication(entry, `${listField}[${index}]`),
    )
    return { androidKeyRestrictions: { allowedApplications } }
  },
  iosKeyRestrictions(value: unknown, field: string): Restrictions {
    const list = readFields(value, field, ['allowedBundleIds']).get('allowedBundleIds')
    return { iosKeyRestrictions: { allowedBundleIds: readTexts(list, `${field}.allowedBundleIds`) } }
  },
} as const

/**
 * Validates and normalises the restrictions of a management request (google.api.apikeys.v2.Restrictions as proto JSON,
 * camelCase or snake_case). Strings are trimmed and otherwise kept as written, fingerprints become 40 upper-case digits,
 * empty target and method lists are left out. A client kind without entries is kept and restricts nothing. Null and
 * undefined are no restrictions. Throws FIELD_INVALID or FIELD_AMBIGUOUS naming the field under `field`, never its value.
 */
export function parseRestrictions(input: unknown, field = 'key.restrictions'): Restrictions {
  if (input === undefined || input === null) return {}
  const kinds = Object.entries(CLIENT_READERS)
  const fields = readFields(input, field, [...kinds.map(([kind]) => kind), 'apiTargets'])
  const present = kinds.filter(([kind]) => fields.get(kind) !== undefined)
  if (present.length > 1) {
    const names = present.map(([kind]) => kind).join(' and ')
    throw invalidField(field, `may restrict one kind of client, but has ${names}; send one of them.`)
  }
  const apiTargets = readList(fields.get('apiTargets'), `${field}.apiTargets`).map((entry, index) =>
    readTarget(entry, `${field}.apiTargets[${index}]`),
  )
  const client = present.map(([kind, read]) => read(fields.get(kind), `${field}.${kind}`))[0] ?? {}
  return apiTargets.length === 0 ? client : { ...client, apiTargets }
}

/** Who calls, as far as the request says so. Headers as received, absent where the request has none. */
export interface ClientFacts {
  /** The client's address after trusted proxies. One that cannot be read is refused under an IP restriction. */
  readonly address: string
  readonly referer?: string
  /** Stands in for an absent or empty Referer. */
  readonly origin?: string
  /** X-Android-Package. */
  readonly androidPackage?: string
  /** X-Android-Cert: SHA-1 in hexadecimal, with or without colons. */
  readonly androidCert?: string
  /** X-Ios-Bundle-Identifier. */
  readonly iosBundleId?: string
}

/** Judges one fact of a call by `projects/<number>` of its key: null, or the refusal to throw. */
type Judge<Fact> = (fact: Fact, consumer: string) => ApiError | null

/** What a key may do, ready to check. Null where the key has no rule of a kind. */
export interface CompiledRestrictions {
  readonly client: Judge<ClientFacts> | null
  readonly method: Judge<MethodName> | null
  readonly model: Judge<string> | null
  readonly tools: Judge<ReadonlySet<UsedTool>> | null
}

const shown = (text: string | undefined) => (text ?? '').slice(0, SHOWN_CHARS_MAX) || '<empty>'

const localized = (message: string): readonly Detail[] => [
  { '@type': 'type.googleapis.com/google.rpc.LocalizedMessage', locale: 'en-US', message },
]

function judgeReferrer(allowed: readonly string[]): Judge<ClientFacts> {
  const matches = compileReferrers(allowed)
  return (client, consumer) => {
    const text = client.referer || client.origin || ''
    const referrer = parseReferrer(text)
    if (referrer !== null && matches(referrer)) return null
    // A page's query may carry secrets, and it decides nothing: it is not repeated.
    const httpReferrer = shown(text.replace(/[?#].*$/s, ''))
    const message = `Requests from referer ${httpReferrer} are blocked.`
    return new ApiError('API_KEY_HTTP_REFERRER_BLOCKED', message, {
      metadata: { consumer, service: GEMINI_SERVICE, httpReferrer },
      details: localized(message),
    })
  }
}

function judgeAddress(allowed: readonly string[]): Judge<ClientFacts> {
  const matches = compileAddresses(allowed)
  // The same few servers call again and again.
  let lastAllowed: string | null = null
  return (client, consumer) => {
    if (client.address === lastAllowed) return null
    const address = parseAddress(client.address)
    if (address !== null && matches(address)) {
      lastAllowed = client.address
      return null
    }
    const callerIp = address === null ? shown(client.address) : formatAddress(address)
    const message = `The provided API key has an IP address restriction. The originating IP address of the call (${callerIp}) violates this restriction.`
    return new ApiError('API_KEY_IP_ADDRESS_BLOCKED', message, {
      metadata: { consumer, service: GEMINI_SERVICE, callerIp },
    })
  }
}

function judgeAndroid(allowed: readonly AndroidApplication[]): Judge<ClientFacts> {
  const identity = (packageName: string, fingerprint: string) =>
    `${canonicalFingerprint(fingerprint)}\n${packageName}`
  const applications = new Set(allowed.map(app => identity(app.packageName, app.sha1Fingerprint)))
  return ({ androidPackage, androidCert }, consumer) => {
    if (androidPackage && androidCert && applications.has(identity(androidPackage, androidCert))) return null
    const name = shown(androidPackage)
    const message = `Requests from this Android client application ${name} are blocked.`
    return new ApiError('API_KEY_ANDROID_APP_BLOCKED', message, {
      metadata: { consumer, service: GEMINI_SERVICE, androidPackage: name },
      details: localized(message),
    })
  }
}

function judgeIos(allowed: readonly string[]): Judge<ClientFacts> {
  const bundleIds = new Set(allowed)
  return ({ iosBundleId }, consumer) => {
    if (iosBundleId && bundleIds.has(iosBundleId)) return null
    const name = shown(iosBundleId)
    const message = `Requests from this iOS client application ${name} are blocked.`
    return new ApiError('API_KEY_IOS_APP_BLOCKED', message, {
      metadata: { consumer, service: GEMINI_SERVICE, iosBundleId: name },
      details: localized(message),
    })
  }
}

/** A kind without entries restricts nothing (spec: management-wire 1.2). */
function judgeClient(restrictions: Restrictions): Judge<ClientFacts> | null {
  const referrers = restrictions.browserKeyRestrictions?.allowedReferrers ?? []
  if (referrers.length > 0) return judgeReferrer(referrers)
  const addresses = restrictions.serverKeyRestrictions?.allowedIps ?? []
  if (addresses.length > 0) return judgeAddress(addresses)
  const applications = restrictions.androidKeyRestrictions?.allowedApplications ?? []
  if (applications.length > 0) return judgeAndroid(applications)
  const bundleIds = restrictions.iosKeyRestrictions?.allowedBundleIds ?? []
  return bundleIds.length > 0 ? judgeIos(bundleIds) : null
}

function judgeMethod(targets: readonly ApiTarget[]): Judge<MethodName> {
  const matches = compileTargets(targets)
  return (method, consumer) => {
    if (matches(method)) return null
    const { service, fullName: methodName } = method
    const message = `Requests to this API ${service} method ${methodName} are blocked.`
    return new ApiError('API_KEY_SERVICE_BLOCKED', message, {
      metadata: { consumer, service, apiName: service, methodName },
      details: localized(message),
    })
  }
}

function judgeModel(allowed: readonly string[]): Judge<string> {
  const matches = compileModels(allowed)
  return (modelId, consumer) => {
    if (matches(modelId)) return null
    const model = shown(modelId)
    const message = `Requests to model ${model} are blocked for this API key. Call a model that the key allows, or add this model to the key's allowedModels.`
    return new ApiError('API_KEY_MODEL_BLOCKED', message, {
      metadata: { consumer, service: GEMINI_SERVICE, model },
    })
  }
}

/** What a caller can do about a refused tool, in the words of the request. */
function toolRemedy(tool: UsedTool): string {
  if (!isAllowable(tool)) return "Leave it out of the request, or remove the key's allowedTools."
  const isOutput = tool === 'imageOutput' || tool === 'audioOutput'
  const other = isOutput ? 'Ask for other responseModalities' : 'Leave it out of the request'
  return `${other}, or add ${tool} to the key's allowedTools.`
}

function judgeTools(allowed: readonly AllowedTool[]): Judge<ReadonlySet<UsedTool>> {
  const tools = new Set<UsedTool>(allowed)
  return (used, consumer) => {
    for (const refused of used) {
      if (isAllowable(refused) && tools.has(refused)) continue
      const tool = toolName(refused)
      const message = `Requests that use ${tool} are blocked for this API key. ${toolRemedy(refused)}`
      return new ApiError('API_KEY_TOOL_BLOCKED', message, {
        metadata: { consumer, service: GEMINI_SERVICE, tool },
      })
    }
    return null
  }
}

/**
 * Compiles a key's restrictions, allowedModels and allowedTools, once per version of the key. Null and empty restrictions
 * allow everything; an empty models or tools list allows none.
 */
export function compileRestrictions(
  restrictions: Restrictions | null,
  allowed: { readonly models: readonly string[] | null; readonly tools: readonly AllowedTool[] | null },
): CompiledRestrictions {
  const targets = restrictions?.apiTargets ?? []
  return {
    client: restrictions === null ? null : judgeClient(restrictions),
    method: targets.length === 0 ? null : judgeMethod(targets),
    model: allowed.models === null ? null : judgeModel(allowed.models),
    tools: allowed.tools === null ? null : judgeTools(allowed.tools),
  }
}

function pass(refusal: ApiError | null | undefined): void {
  if (refusal) throw refusal
}

/** Throws API_KEY_{HTTP_REFERRER,IP_ADDRESS,ANDROID_APP,IOS_APP}_BLOCKED unless the client may use the key. */
export function checkClient(rules: CompiledRestrictions, client: ClientFacts, consumer: string): void {
  pass(rules.client?.(client, consumer))
}

/** Throws API_KEY_SERVICE_BLOCKED unless an API target allows the method. */
export function checkMethod(rules: CompiledRestrictions, method: MethodName, consumer: string): void {
  pass(rules.method?.(method, consumer))
}

/** Throws API_KEY_MODEL_BLOCKED unless allowedModels names the model: an id resolved from aliases, without `models/`. */
export function checkModel(rules: CompiledRestrictions, modelId: string, consumer: string): void {
  pass(rules.model?.(modelId, consumer))
}

/** Throws API_KEY_TOOL_BLOCKED unless every used tool is in allowedTools. */
export function checkTools(
  rules: CompiledRestrictions,
  tools: ReadonlySet<UsedTool>,
  consumer: string,
): void {
  pass(rules.tools?.(tools, consumer))
}

/** A described call. What is absent (a model in ListModels) is not judged. */
export interface CallFacts {
  /** `projects/<number>`. */
  readonly consumer: string
  readonly client?: ClientFacts
  readonly method?: MethodName
  readonly modelId?: string
  readonly tools?: ReadonlySet<UsedTool>
}

/** What one kind of rule says about a call. NOT_APPLICABLE: the key has no such rule, or the call no such fact. */
export type Verdict = { readonly rule: 'client' | 'method' | 'model' | 'tools' } & (
  | { readonly outcome: 'ALLOWED' | 'NOT_APPLICABLE' }
  | { readonly outcome: 'REFUSED'; readonly reason: Reason; readonly message: string }
)

/** All four rules on a described call, in the order in which a real call meets them; the first REFUSED is its error. */
export function explain(rules: CompiledRestrictions, facts: CallFacts): readonly Verdict[] {
  const verdict = <Fact>(
    rule: Verdict['rule'],
    judge: Judge<Fact> | null,
    fact: Fact | undefined,
  ): Verdict => {
    if (judge === null || fact === undefined) return { rule, outcome: 'NOT_APPLICABLE' }
    const refusal = judge(fact, facts.consumer)
    if (refusal === null) return { rule, outcome: 'ALLOWED' }
    return { rule, outcome: 'REFUSED', reason: refusal.reason, message: refusal.message }
  }
  return [
    verdict('client', rules.client, facts.client),
    verdict('method', rules.method, facts.method),
    verdict('model', rules.model, facts.modelId),
    verdict('tools', rules.tools, facts.tools),
  ]
}
