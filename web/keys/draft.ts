/** A key that is being described: what the form holds, what it means, and what is wrong with it. */
import type { BodyOf } from '../../src/contract/endpoint.ts'
import type { POLLUX_V1 } from '../../src/contract/pollux.v1.ts'
import { type BudgetPeriod, type BudgetPolicy, CAP_NANOS_MAX } from '../../src/domain/budget.ts'
import type { AllowedTool, Environment, Restrictions } from '../../src/domain/key.ts'
import { assertKeyDisplayName, assertKeyId, parseAllowedModels } from '../../src/domain/key-fields.ts'
import { GEMINI_SERVICE } from '../../src/domain/method-name.ts'
import { formatUsd, parseUsd } from '../../src/domain/money.ts'
import type { QuotaMetric } from '../../src/domain/quota.ts'
import { parseQuotaLimit } from '../../src/domain/quota-fields.ts'
import { parseRestrictions } from '../../src/domain/restriction.ts'
import { problemOf } from './problem.ts'

/** The methods that the data plane serves, by their bare names. */
export const METHODS = [
  'GenerateContent',
  'StreamGenerateContent',
  'CountTokens',
  'EmbedContent',
  'BatchEmbedContents',
  'ListModels',
  'GetModel',
] as const

export const CLIENT_KINDS = ['any', 'addresses', 'referrers', 'applications', 'bundleIds'] as const
export type ClientKind = (typeof CLIENT_KINDS)[number]

/** Whole days from now; `never`; or `at`, the moment in `expireTime`. */
export type Expiry = `${number}` | 'never' | 'at'

export interface KeyDraft {
  readonly project: string
  readonly name: string
  readonly environment: Environment | ''
  /** Google's rule: one kind of client a key. */
  readonly clients: ClientKind
  /** Lists, one entry a line; the one of `clients` counts. */
  readonly addresses: string
  readonly referrers: string
  readonly applications: string
  readonly bundleIds: string
  /** Empty: every method. */
  readonly methods: readonly string[]
  /** One a line; empty: every model. */
  readonly models: string
  /** null: every tool. */
  readonly tools: readonly AllowedTool[] | null
  /** Requests a minute, input tokens a minute, requests a day, over all models; empty: no limit of its own. */
  readonly rpm: string
  readonly tpm: string
  readonly rpd: string
  /** Dollars; empty: no cap. */
  readonly cap: string
  readonly period: BudgetPeriod
  readonly policy: BudgetPolicy
  readonly expiry: Expiry
  /** As `<input type="datetime-local">` has it. */
  readonly expireTime: string
}

export const EMPTY_DRAFT: KeyDraft = {
  project: '',
  name: '',
  environment: '',
  clients: 'any',
  addresses: '',
  referrers: '',
  applications: '',
  bundleIds: '',
  methods: [],
  models: '',
  tools: null,
  rpm: '',
  tpm: '',
  rpd: '',
  cap: '',
  period: 'month',
  policy: 'clamp',
  expiry: 'never',
  expireTime: '',
}

type KeyInput = BodyOf<typeof POLLUX_V1.createKey>

/** The non-empty lines of a list. */
export function linesOf(text: string): readonly string[] {
  return text
    .split(/[\n,]/)
    .map(line => line.trim())
    .filter(line => line !== '')
}

/** The restrictions that the form describes, as the API has them; not checked. */
function restrictionsOf(draft: KeyDraft): Restrictions {
  const apiTargets =
    draft.methods.length === 0 ? {} : { apiTargets: [{ service: GEMINI_SERVICE, methods: draft.methods }] }
  return { ...clientRestrictions(draft), ...apiTargets }
}

function clientRestrictions(draft: KeyDraft): Restrictions {
  switch (draft.clients) {
    case 'addresses':
      return { serverKeyRestrictions: { allowedIps: linesOf(draft.addresses) } }
    case 'referrers':
      return { browserKeyRestrictions: { allowedReferrers: linesOf(draft.referrers) } }
    case 'applications': {
      const allowedApplications = linesOf(draft.applications).map(line => {
        const [packageName = '', sha1Fingerprint = ''] = line.split(/\s+/)
        return { packageName, sha1Fingerprint }
      })
      return { androidKeyRestrictions: { allowedApplications } }
    }
    case 'bundleIds':
      return { iosKeyRestrictions: { allowedBundleIds: linesOf(draft.bundleIds) } }
    case 'any':
    default:
      return {}
  }
}

/** The body that makes the key, or changes one to this. Unset fields are left out. */
export function bodyOf(draft: KeyDraft, nowMs: number): KeyInput {
  const restrictions = restrictionsOf(draft)
  const models = linesOf(draft.models)
  const expireTime = expireTimeOf(draft, nowMs)
  return {
    displayName: draft.name.trim(),
    ...(draft.environment === '' ? {} : { environment: draft.environment }),
    ...(Object.keys(restrictions).length === 0
      ? {}
      : { restrictions: restrictions as NonNullable<KeyInput['restrictions']> }),
    ...(models.length === 0 ? {} : { allowedModels: [...models] }),
    ...(draft.tools === null ? {} : { allowedTools: [...draft.tools] }),
    ...(expireTime === null ? {} : { expireTime }),
  }
}

function expireTimeOf({ expiry, expireTime }: KeyDraft, nowMs: number): string | null {
  if (expiry === 'never') return null
  if (expiry === 'at') {
    const atMs = Date.parse(expireTime)
    return Number.isNaN(atMs) ? null : new Date(atMs).toISOString()
  }
  return new Date(nowMs + Number(expiry) * 86_400_000).toISOString()
}

/** Nano-dollars as the API has them; null without a cap, or with one that cannot be read. */
export function capOf({ cap }: KeyDraft): string | null {
  const nanos = cap.trim() === '' ? null : parseUsd(cap.trim())
  return nanos === null ? null : String(nanos)
}

/** What the three limits of the form count. */
export const QUOTA_FIELDS = {
  rpm: 'requestsPerMinute',
  tpm: 'inputTokensPerMinute',
  rpd: 'requestsPerDay',
} as const satisfies Readonly<Record<'rpm' | 'tpm' | 'rpd', QuotaMetric>>
export type QuotaField = keyof typeof QUOTA_FIELDS

/** The limits that the form describes, as the API has them; not checked. */
export function quotasOf(
  draft: KeyDraft,
): readonly { readonly metric: QuotaMetric; readonly value: string }[] {
  return (Object.keys(QUOTA_FIELDS) as QuotaField[]).flatMap(field => {
    const value = draft[field].trim()
    return value === '' ? [] : [{ metric: QUOTA_FIELDS[field], value }]
  })
}

export type Problems = Readonly<
  Record<'name' | 'clients' | 'models' | QuotaField | 'cap' | 'expiry', string | null>
>

/** What the server would refuse, said while it is typed. */
export function problemsOf(draft: KeyDraft, nowMs: number): Problems {
  const isEmptyList = draft.clients !== 'any' && linesOf(draft[draft.clients]).length === 0
  const expireTime = expireTimeOf(draft, nowMs)
  const quota = (field: QuotaField): string | null =>
    draft[field].trim() === ''
      ? null
      : problemOf(() => parseQuotaLimit({ metric: QUOTA_FIELDS[field], value: draft[field].trim() }, 'limit'))
  return {
    rpm: quota('rpm'),
    tpm: quota('tpm'),
    rpd: quota('rpd'),
    name: problemOf(() => assertKeyDisplayName(draft.name)),
    clients: isEmptyList
      ? 'Add an entry: an empty list restricts nothing.'
      : problemOf(() => parseRestrictions(clientRestrictions(draft))),
    models: problemOf(() => parseAllowedModels(linesOf(draft.models))),
    cap: capProblem(draft),
    expiry:
      draft.expiry === 'at' && (expireTime === null || Date.parse(expireTime) <= nowMs)
        ? 'Choose a moment in the future.'
        : null,
  }
}

function capProblem(draft: KeyDraft): string | null {
  const text = draft.cap.trim()
  if (text === '' || capOf(draft) !== null) return null
  return Number(text) > Number(CAP_MAX)
    ? `A cap is at most $${CAP_MAX}.`
    : 'Write dollars in digits, such as 10.00, with nine decimals at most.'
}

/** In dollars. */
const CAP_MAX = formatUsd(CAP_NANOS_MAX)

/** A readable id that follows from the name and is not taken; undefined: the server chooses a UUID. */
export function keyIdOf(name: string, taken: ReadonlySet<string>): string | undefined {
  const stem = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^[^a-z]+|-+$/g, '')
    .slice(0, 55)
  if (problemOf(() => assertKeyId(stem)) !== null) return undefined
  let id = stem
  for (let place = 2; taken.has(id); place++) id = `${stem}-${place}`
  return id
}
