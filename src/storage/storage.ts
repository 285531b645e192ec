/**
 * What must survive a crash, as one object per aggregate. Everything here runs off the event loop: `open.ts` puts the
 * engine into a thread of its own and hands out this interface. Every method rejects with ApiError: the reasons it
 * names, else STORAGE_UNAVAILABLE when the database cannot be reached.
 */
import type { AuditEntry } from '../domain/audit.ts'
import type { Key } from '../domain/key.ts'
import type { Principal, Role } from '../domain/permission.ts'
import type { ModelAlias, Project } from '../domain/project.ts'
import type { UsageQuery, UsageRecord, UsageRow } from '../domain/usage.ts'

export interface Storage {
  readonly projects: ProjectStore
  readonly keys: KeyStore
  readonly tokens: TokenStore
  readonly operations: OperationStore
  readonly usage: UsageStore
  readonly audit: AuditStore
  readonly node: NodeStore
  /**
   * Called before the promise of the change resolves, for changes made through this object, and within a second for
   * those of other processes (then as `{ kind: 'all' }`). What a listener drops from its cache is never served again.
   */
  onChange(listener: (change: Change) => void): void
  /** Monotonic ms (performance.now) of the moment up to which no other process's change can have been missed. */
  freshAsOfMs(): number
  close(): Promise<void>
}

/** What a committed change touched. */
export type Change =
  | { readonly kind: 'key'; readonly keyUid: string }
  | { readonly kind: 'project'; readonly projectNumber: string }
  | { readonly kind: 'all' }

export interface Page<T> {
  readonly items: readonly T[]
  /** Where the next page starts; null at the end. */
  readonly nextCursor: string | null
}

/** Which page: at most `limit` items after `cursor` (null: from the start). A cursor this store did not make: FIELD_INVALID. */
export interface PageRequest {
  readonly limit: number
  readonly cursor: string | null
}

export interface ProjectStore {
  /** ALREADY_EXISTS when the id is or ever was in use. Makes number, etag and times. */
  create(draft: ProjectDraft, audit: AuditEntry, operation: OperationDraft | null): Promise<Project>
  /** By id or number; deleted ones too until they are purged; null when there is none. */
  find(idOrNumber: string): Promise<Project | null>
  /** Sorted by display name, then number. */
  list(query: { readonly showDeleted: boolean } & PageRequest): Promise<Page<Project>>
  /** RESOURCE_NOT_FOUND, STATE_CONFLICT when deleted, ETAG_MISMATCH when `etag` is given and is not the current one. */
  update(
    target: Target,
    patch: ProjectPatch,
    audit: AuditEntry,
    operation: OperationDraft | null,
  ): Promise<Project>
  /** Only from ACTIVE, else STATE_CONFLICT. Its keys stop authenticating at once. */
  delete(target: Target, audit: AuditEntry, operation: OperationDraft | null): Promise<Project>
  /** Only from DELETE_REQUESTED, else STATE_CONFLICT. */
  undelete(target: Target, audit: AuditEntry, operation: OperationDraft | null): Promise<Project>
}

/** A resource to change: by its immutable id (project number or key uid) and, if the caller sent one, its etag. */
export interface Target {
  readonly id: string
  readonly etag: string | null
}

export interface ProjectDraft {
  readonly projectId: string
  readonly displayName: string
  readonly labels: Readonly<Record<string, string>>
  readonly modelAliases: Readonly<Record<string, ModelAlias>>
}

export type ProjectPatch = Partial<Pick<Project, 'displayName' | 'labels' | 'modelAliases'>>

/** What the gateway must know of a key to let a call in. */
export interface KeyGrant {
  readonly key: Key
  readonly project: Project
}

export interface KeyStore {
  /**
   * ALREADY_EXISTS when the project has a key of this id, deleted ones included until purged;
   * RESOURCE_QUOTA_EXCEEDED for the 301st live key; RESOURCE_NOT_FOUND / STATE_CONFLICT when the project is gone.
   */
  create(draft: KeyDraft, audit: AuditEntry, operation: OperationDraft | null): Promise<Key>
  /** By project number and key id or uid; deleted ones too until they are purged. */
  find(projectNumber: string, keyId: string): Promise<Key | null>
  /** By the SHA-256 of the keyString: one indexed look-up. Deleted keys and projects too; null only when unknown. */
  findByDigest(digest: string): Promise<KeyGrant | null>
  /** By creation time, then uid. */
  list(
    query: { readonly projectNumber: string; readonly showDeleted: boolean } & PageRequest,
  ): Promise<Page<Key>>
  /** RESOURCE_NOT_FOUND, STATE_CONFLICT when deleted, ETAG_MISMATCH. */
  update(target: Target, patch: KeyPatch, audit: AuditEntry, operation: OperationDraft | null): Promise<Key>
  /** STATE_CONFLICT when already deleted. KEY_IN_USE when `unusedSinceMs` is given and a call was accepted after it. */
  delete(
    target: Target & { readonly unusedSinceMs: number | null },
    audit: AuditEntry,
    operation: OperationDraft | null,
  ): Promise<Key>
  /** STATE_CONFLICT when live or older than 30 days; RESOURCE_QUOTA_EXCEEDED when the project is full. */
  undelete(target: Target, audit: AuditEntry, operation: OperationDraft | null): Promise<Key>
  /** Removes for good what was deleted before `deletedBeforeMs` (keys, then projects); returns how many. */
  purge(deletedBeforeMs: number, audit: AuditEntry): Promise<number>
}

export type KeyDraft = Pick<
  Key,
  | 'projectNumber'
  | 'displayName'
  | 'annotations'
  | 'restrictions'
  | 'expireTimeMs'
  | 'allowedModels'
  | 'allowedTools'
  | 'environment'
  | 'maskedKeyString'
> & {
  /** null: the uid, as Google does. */
  readonly keyId: string | null
  readonly uid: string
  readonly digest: string
}

export type KeyPatch = Partial<
  Pick<
    Key,
    | 'displayName'
    | 'annotations'
    | 'restrictions'
    | 'expireTimeMs'
    | 'allowedModels'
    | 'allowedTools'
    | 'environment'
    | 'disabledTimeMs'
  >
> & {
  /** KEY_IN_USE when a call was accepted after this moment. */
  readonly unusedSinceMs?: number
}

export interface TokenStore {
  /** Makes or replaces the token of this name; any earlier secret of it is refused from then on. */
  put(
    draft: { readonly name: string; readonly digest: string; readonly role: Role },
    audit: AuditEntry,
  ): Promise<void>
  findByDigest(digest: string): Promise<Principal | null>
}

/**
 * The operation to store in the same transaction as the change. `render` cannot cross threads, so the store itself
 * puts the changed resource under `resource`; the control plane renders it when it is read.
 */
export interface OperationDraft {
  readonly name: string
  /** What was done, e.g. `CreateKey`; decides how the stored resource is rendered. */
  readonly verb: string
}

/** A finished long-running operation, kept for seven days so that a client may read it again. Holds no keyString. */
export interface StoredOperation {
  readonly name: string
  readonly verb: string
  readonly createTimeMs: number
  readonly resource: Key | Project
}

export interface OperationStore {
  find(name: string): Promise<StoredOperation | null>
  /** Removes operations made before `createdBeforeMs`; returns how many. */
  purge(createdBeforeMs: number): Promise<number>
}

export interface UsageStore {
  /**
   * Appends records and resolves when they are durable. Calls made while a commit is under way share the next one
   * (group commit), so this costs the event loop one message per batch. A store that is away for a moment is waited
   * for; rejects with STORAGE_UNAVAILABLE after ten seconds (MONEY.md rule 22).
   */
  append(record: UsageRecord): Promise<void>
  /** False from the first commit that failed to the next that succeeds. */
  isFlowing(): boolean
  /** Sums from the rollups; records of this process appended before the call are included. */
  report(query: UsageQuery): Promise<readonly UsageRow[]>
  /** The newest records of a project, newest first. */
  recent(query: {
    readonly projectNumber: string
    readonly keyUid?: string
    readonly limit: number
  }): Promise<readonly UsageRecord[]>
}

export interface AuditStore {
  append(entry: AuditEntry): Promise<void>
  /** Newest first. */
  list(
    query: { readonly projectNumber: string | null } & PageRequest,
  ): Promise<Page<AuditEntry & { readonly timeMs: number }>>
}

export interface NodeStore {
  /** Resolves when the database answers; STORAGE_UNAVAILABLE otherwise. */
  ping(): Promise<void>
  /** The database's clock, epoch ms. */
  nowMs(): Promise<number>
}
