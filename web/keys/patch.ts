/** An existing key in the form, and what the form changed of it. */
import type { BodyOf } from '../../src/contract/endpoint.ts'
import type { POLLUX_V1 } from '../../src/contract/pollux.v1.ts'
import { GEMINI_SERVICE } from '../../src/domain/method-name.ts'
import type { KeyJson } from '../queries.ts'
import { type ClientKind, EMPTY_DRAFT, type KeyDraft, METHODS, bodyOf } from './draft.ts'

type KeyPatch = BodyOf<typeof POLLUX_V1.updateKey>
type RestrictionsJson = NonNullable<KeyJson['restrictions']>

const FIELDS = [
  'displayName',
  'environment',
  'restrictions',
  'allowedModels',
  'allowedTools',
  'expireTime',
] as const

export function draftOf(key: KeyJson, project: string): KeyDraft {
  const { restrictions = {}, allowedModels, allowedTools, environment, expireTime } = key
  return {
    ...EMPTY_DRAFT,
    ...clientsOf(restrictions),
    project,
    name: key.displayName ?? '',
    environment: environment ?? '',
    methods: methodsOf(restrictions) ?? [],
    models: (allowedModels ?? []).join('\n'),
    tools: allowedTools ?? null,
    ...(expireTime ? { expiry: 'at' as const, expireTime: localInput(expireTime) } : {}),
  }
}

/**
 * The fields that differ, null where one is cleared. What the form did not touch is not sent: it may hold what the form
 * cannot show, such as other services, or a list of models that allows none.
 */
export function patchOf(key: KeyJson, before: KeyDraft, after: KeyDraft): KeyPatch {
  const nowMs = Date.now()
  const [was, is] = [bodyOf(before, nowMs), bodyOf(after, nowMs)]
  const changed = FIELDS.filter(field => JSON.stringify(was[field]) !== JSON.stringify(is[field]))
  const patch = Object.fromEntries(changed.map(field => [field, is[field] ?? null])) as KeyPatch
  if (!changed.includes('restrictions') || canEditMethods(key)) return patch
  const { apiTargets } = key.restrictions ?? {}
  return {
    ...patch,
    restrictions: { ...is.restrictions, ...(apiTargets === undefined ? {} : { apiTargets }) },
  }
}

/** Whether the form can show which methods the key may call. */
export function canEditMethods({ restrictions = {} }: KeyJson): boolean {
  return methodsOf(restrictions) !== null
}

/** null: other services, every method of one, or spellings that are no box of the form. */
function methodsOf({ apiTargets = [] }: RestrictionsJson): readonly string[] | null {
  const known: ReadonlySet<string> = new Set(METHODS)
  const isPlain = apiTargets.every(
    ({ service, methods = [] }) =>
      service === GEMINI_SERVICE && methods.length > 0 && methods.every(method => known.has(method)),
  )
  return isPlain ? apiTargets.flatMap(({ methods = [] }) => methods) : null
}

function clientsOf(restrictions: RestrictionsJson): Partial<KeyDraft> {
  const { serverKeyRestrictions, browserKeyRestrictions, androidKeyRestrictions, iosKeyRestrictions } =
    restrictions
  const applications = androidKeyRestrictions?.allowedApplications?.map(
    app => `${app.packageName} ${app.sha1Fingerprint}`,
  )
  const lists: readonly (readonly [ClientKind, readonly string[] | undefined])[] = [
    ['addresses', serverKeyRestrictions?.allowedIps],
    ['referrers', browserKeyRestrictions?.allowedReferrers],
    ['applications', applications],
    ['bundleIds', iosKeyRestrictions?.allowedBundleIds],
  ]
  const [kind, entries = []] = lists.find(([, entries = []]) => entries.length > 0) ?? []
  return kind === undefined ? {} : { clients: kind, [kind]: entries.join('\n') }
}

/** A time as `<input type="datetime-local">` has it, in the browser's zone. */
function localInput(time: string): string {
  const at = new Date(time)
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19)
}
