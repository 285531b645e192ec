/** What can be done to keys, the same for both surfaces: validated, audited, and stored with its operation. */
import { randomUUID } from 'node:crypto'
import type { BodyOf } from '../contract/endpoint.ts'
import type { POLLUX_V1 } from '../contract/pollux.v1.ts'
import { digestOf } from '../domain/digest.ts'
import { ApiError } from '../domain/error.ts'
import { parseMask } from '../domain/field-mask.ts'
import type { Key, Restrictions } from '../domain/key.ts'
import {
  assertAnnotations,
  assertKeyDisplayName,
  assertKeyId,
  parseAllowedModels,
  parseExpireTime,
} from '../domain/key-fields.ts'
import { maskKeyString, mintKeyString } from '../domain/keystring.ts'
import { mayDo } from '../domain/permission.ts'
import { parseRestrictions } from '../domain/restriction.ts'
import type { KeyDraft, KeyGrant, KeyPatch, OperationDraft, Storage } from '../storage/storage.ts'
import { auditEntry, keyAuditState } from './audit.ts'
import type { AnyCall, CallFacts } from './call.ts'
import { requireKey, requireProject } from './lookup.ts'
import { emptyToNull, presentFields } from './parse.ts'
import { keyName, keyParent } from './resource-names.ts'

/** The fields that API Keys v2 lets a client change. */
export const MUTABLE_V2 = ['displayName', 'restrictions', 'annotations'] as const
/** The fields that /pollux/v1 lets a client change; disabling has methods of its own. */
export const MUTABLE = [...MUTABLE_V2, 'expireTime', 'allowedModels', 'allowedTools', 'environment'] as const

type MutableField = (typeof MUTABLE)[number]
type KeyBody = BodyOf<typeof POLLUX_V1.createKey>
type KeyParams = { readonly project: string; readonly key: string }
type UsageCheck = 'CHECK_EXISTING_USAGE_UNSPECIFIED' | 'SKIP' | 'CHECK' | undefined

/** How long ago the last accepted call must be for `checkExistingUsage=CHECK` (API Keys v2, delete). */
const UNUSED_MS = 7 * 86_400_000

export interface KeysContext {
  readonly storage: Storage
  readonly now: () => number
}

/** Makes the operation for a project's number; null on the surface that has none. */
type OperationMaker = ((projectNumber: string) => OperationDraft) | null

export interface CreateRequest {
  readonly project: string
  readonly keyId: string | undefined
  readonly body: KeyBody
  readonly operation: OperationMaker
}

/** Makes a key; the keyString is returned here and is nowhere else from then on. */
export async function createKey(context: KeysContext, call: AnyCall, request: CreateRequest) {
  const { storage, now } = context
  const { keyId, body } = request
  const project = await requireProject(storage, request.project, call)
  if (keyId !== undefined) assertKeyId(keyId)
  const fields = readFields(body, new Set(MUTABLE), now())
  const keyString = mintKeyString('key')
  const uid = randomUUID()
  const draft: KeyDraft = {
    ...fields,
    uid,
    keyId: keyId ?? null,
    projectNumber: project.number,
    maskedKeyString: maskKeyString(keyString),
    digest: digestOf(keyString),
    keyString,
  }
  const operation = request.operation?.(project.number) ?? null
  const audit = auditEntry(call, {
    resourceName: keyName({ projectNumber: project.number, keyId: keyId ?? uid }),
    projectNumber: project.number,
    before: null,
    after: keyAuditState(fields),
  })
  const key = await storage.keys.create(draft, audit, operation)
  return { key, keyString, operationName: operation?.name ?? '' }
}

export interface UpdateRequest {
  readonly params: KeyParams
  readonly query: { readonly updateMask?: string | undefined; readonly checkExistingUsage?: UsageCheck }
  readonly body: KeyBody
  readonly mutable: readonly MutableField[]
  readonly operation: OperationMaker
}

/** Changes the fields of the mask. A mask that covers nothing still makes a new etag, as a touch. */
export async function updateKey(context: KeysContext, call: AnyCall, request: UpdateRequest) {
  const { query, body, mutable } = request
  const fields = parseMask(query.updateMask, mutable, presentFields(body))
  const { key } = await requireKey(context.storage, request.params, call)
  const unusedSinceMs = unusedSince(query.checkExistingUsage, context.now())
  const patch: KeyPatch = {
    ...readFields(body, fields, context.now()),
    ...(unusedSinceMs === null ? {} : { unusedSinceMs }),
  }
  return await patchKey(context, call, { key, patch, etag: body.etag, operation: request.operation })
}

/** Switches a key off, or on again. A key that is so already is returned as it is. */
export async function setKeyDisabled(
  context: KeysContext,
  call: AnyCall,
  request: { readonly params: KeyParams; readonly etag: string | undefined; readonly disabled: boolean },
): Promise<Key> {
  const { key } = await requireKey(context.storage, request.params, call)
  const isUnchanged = (key.disabledTimeMs !== null) === request.disabled && key.deleteTimeMs === null
  if (isUnchanged && (request.etag === undefined || request.etag === key.etag)) return key
  const patch: KeyPatch = { disabledTimeMs: request.disabled ? context.now() : null }
  return (await patchKey(context, call, { key, patch, etag: request.etag, operation: null })).key
}

async function patchKey(
  { storage }: KeysContext,
  call: AnyCall,
  change: {
    readonly key: Key
    readonly patch: KeyPatch
    readonly etag: string | undefined
    readonly operation: OperationMaker
  },
) {
  const { key, patch } = change
  const operation = change.operation?.(key.projectNumber) ?? null
  const audit = auditEntry(call, {
    resourceName: keyName(key),
    projectNumber: key.projectNumber,
    before: keyAuditState(key),
    after: keyAuditState({ ...key, ...patch }),
  })
  const target = { id: key.uid, etag: emptyToNull(change.etag) }
  return {
    key: await storage.keys.update(target, patch, audit, operation),
    operationName: operation?.name ?? '',
  }
}

export interface DeleteRequest {
  readonly params: KeyParams
  readonly query: { readonly etag?: string | undefined; readonly checkExistingUsage?: UsageCheck }
  readonly operation: OperationMaker
}

export async function deleteKey({ storage, now }: KeysContext, call: AnyCall, request: DeleteRequest) {
  const { key } = await requireKey(storage, request.params, call)
  const { etag, checkExistingUsage } = request.query
  const operation = request.operation?.(key.projectNumber) ?? null
  const audit = auditEntry(call, {
    resourceName: keyName(key),
    projectNumber: key.projectNumber,
    before: keyAuditState(key),
    after: keyAuditState({ ...key, deleteTimeMs: now() }),
  })
  const target = {
    id: key.uid,
    etag: emptyToNull(etag),
    unusedSinceMs: unusedSince(checkExistingUsage, now()),
  }
  return { key: await storage.keys.delete(target, audit, operation), operationName: operation?.name ?? '' }
}

export async function undeleteKey(
  { storage }: KeysContext,
  call: AnyCall,
  request: {
    readonly params: KeyParams
    readonly etag?: string | undefined
    readonly operation: OperationMaker
  },
) {
  const { key } = await requireKey(storage, request.params, call)
  const operation = request.operation?.(key.projectNumber) ?? null
  const audit = auditEntry(call, {
    resourceName: keyName(key),
    projectNumber: key.projectNumber,
    before: keyAuditState(key),
    after: keyAuditState({ ...key, deleteTimeMs: null }),
  })
  const target = { id: key.uid, etag: emptyToNull(request.etag) }
  return { key: await storage.keys.undelete(target, audit, operation), operationName: operation?.name ?? '' }
}

/** Where the key of a keyString is. Throws RESOURCE_NOT_FOUND when no key that the caller may look up has this string. */
export async function lookupKey(
  { storage }: KeysContext,
  { principal }: Pick<CallFacts, 'principal'>,
  keyString: string,
) {
  const { key } = await findByKeyString(storage, keyString, ({ projectNumber }) =>
    mayDo(principal, 'apikeys.keys.lookup', projectNumber),
  )
  return { parent: keyParent(key.projectNumber), name: keyName(key) }
}

/** The key of a keyString. Throws RESOURCE_NOT_FOUND when no key that the caller may know of has this string. */
export async function findByKeyString(
  storage: Storage,
  keyString: string,
  mayKnow: (key: Key) => boolean,
): Promise<KeyGrant> {
  const grant = await storage.keys.findByDigest(digestOf(keyString.trim()))
  if (grant !== null && mayKnow(grant.key)) return grant
  throw new ApiError(
    'RESOURCE_NOT_FOUND',
    'No key has this keyString: it was never issued here, or is purged.',
  )
}

/** The keyString of a recoverable key. The reveal is audited before it is answered; KEY_STRING_SHOWN_ONCE where none is kept. */
export async function getKeyString({ storage }: KeysContext, call: AnyCall, params: KeyParams) {
  const { key } = await requireKey(storage, params, call)
  const audit = auditEntry(call, {
    resourceName: keyName(key),
    projectNumber: key.projectNumber,
    before: null,
    after: null,
  })
  return { keyString: await storage.keys.reveal(key.uid, audit) }
}

type Fields = Required<Omit<KeyPatch, 'disabledTimeMs' | 'unusedSinceMs'>>

/** The validated values of `fields`; a field that the body leaves out is cleared. */
function readFields(body: KeyBody, fields: ReadonlySet<MutableField>, nowMs: number): Fields {
  const readers: { readonly [F in MutableField]: () => Partial<Fields> } = {
    displayName: () => ({ displayName: checked(body.displayName ?? '', assertKeyDisplayName) }),
    annotations: () => ({ annotations: checked(body.annotations ?? {}, assertAnnotations) }),
    restrictions: () => ({ restrictions: orNull(parseRestrictions(body.restrictions)) }),
    expireTime: () => ({ expireTimeMs: mapped(body.expireTime, time => parseExpireTime(time, nowMs)) }),
    allowedModels: () => ({ allowedModels: mapped(body.allowedModels, parseAllowedModels) }),
    allowedTools: () => ({ allowedTools: mapped(body.allowedTools, tools => [...new Set(tools)]) }),
    environment: () => ({ environment: body.environment ?? null }),
  }
  return Object.assign({}, ...[...fields].map(field => readers[field]())) as Fields
}

function checked<T>(value: T, assert: (value: T) => void): T {
  assert(value)
  return value
}

function mapped<T, U>(value: T | null | undefined, map: (value: T) => U): U | null {
  return value === null || value === undefined ? null : map(value)
}

function orNull(restrictions: Restrictions): Restrictions | null {
  return Object.keys(restrictions).length === 0 ? null : restrictions
}

function unusedSince(check: UsageCheck, nowMs: number): number | null {
  return check === 'CHECK' ? nowMs - UNUSED_MS : null
}
