/**
 * What must survive a crash, as one object per aggregate. Everything here runs off the event loop: `open.ts` puts the
 * engine into a thread of its own and hands out this interface. Every method rejects with ApiError: the reasons it
 * names, else STORAGE_UNAVAILABLE when the database cannot be reached.
 */
import type { AuditEntry } from '../domain/audit.ts'
import type { Budget, BudgetPeriod, BudgetScope, BudgetStatus } from '../domain/budget.ts'
import type { Key } from '../domain/key.ts'
import type { OpenHold, Recalled, Take, TakeAnswer } from '../domain/ledger.ts'
import type { Principal } from '../domain/permission.ts'
import type { PriceOverride } from '../domain/price-book.ts'
import type { ModelAlias, Project } from '../domain/project.ts'
import type { QuotaGrant } from '../domain/quota.ts'
import type { IamStore, ServiceAccountStore } from './access.ts'
import type { AuditStore } from './audit-store.ts'
import type { BodyStore } from './body-store.ts'
import type { CapHitStore } from './cap-hit-store.ts'
import type { QuotaStore, RefusalStore, TierStore } from './quota-store.ts'
import type { LinkStore, PasskeyStore, SessionStore, SignInStore, UserStore } from './people.ts'
import type { Patiently } from './patience.ts'
import type { UsageStore } from './usage-store.ts'

export interface Storage {
  /** Whether other nodes may use the same database. */
  readonly hasPeers: boolean
  readonly projects: ProjectStore
  readonly keys: KeyStore
  readonly tokens: TokenStore
  readonly iam: IamStore
  readonly serviceAccounts: ServiceAccountStore
  readonly users: UserStore
  readonly links: LinkStore
  readonly sessions: SessionStore
  readonly passkeys: PasskeyStore
  readonly signIns: SignInStore
  readonly operations: OperationStore
  readonly usage: UsageStore
  readonly budgets: BudgetStore
  readonly capHits: CapHitStore
  readonly quotas: QuotaStore
  readonly tiers: TierStore
  readonly refusals: RefusalStore
  readonly bodies: BodyStore
  readonly ledger: LedgerStore
  readonly journal: HoldJournal
  readonly prices: PriceStore
  readonly audit: AuditStore
  readonly secrets: SecretStore
  readonly node: NodeStore
  /**
   * Called before the promise of the change resolves, for changes made through this object. For those of other
   * processes at once while they can be told of (`isPushed`), else within a second; as `{ kind: 'all' }` where it is not
   * known what they were. What a listener drops from its cache is never served again.
   */
  onChange(listener: (change: Change) => void): void
  /** Monotonic ms (performance.now) of the moment up to which no other process's change can have been missed. */
  freshAsOfMs(): number
  /** Whether other processes can tell of their changes now. Without that they are only seen by looking. */
  isPushed(): boolean
  /** How far this machine's clock is ahead of the database's, ms; on SQLite 0, or less where it was set back. */
  clockSkewMs(): number
  /** What gives work so long to be done by a database that does not answer (patience.ts). */
  patience(waitMs: number): Patiently
  close(): Promise<void>
}

/** What a committed change touched. */
export type Change =
  | { readonly kind: 'key'; readonly keyUid: string }
  | { readonly kind: 'project'; readonly projectNumber: string }
  /** With every override there is now. */
  | { readonly kind: 'prices'; readonly overrides: readonly PriceOverride[] }
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
  /** Sorted by display name, then number. `numbers`: of these only. */
  list(
    query: { readonly showDeleted: boolean; readonly numbers?: readonly string[] } & PageRequest,
  ): Promise<Page<Project>>
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

export interface ProjectDraft extends Partial<Pick<Project, 'createTimeMs'>> {
  readonly projectId: string
  readonly displayName: string
  readonly labels: Readonly<Record<string, string>>
  readonly modelAliases: Readonly<Record<string, ModelAlias>>
  /** The member that becomes its owner, in the same transaction. */
  readonly owner?: string
  /** Absent: none. */
  readonly tier?: string | null
  readonly recoverableKeys?: boolean
}

/** Switching `recoverableKeys` off forgets the keyStrings that were kept; switching it on concerns new keys only. */
export type ProjectPatch = Partial<
  Pick<Project, 'displayName' | 'labels' | 'modelAliases' | 'tier' | 'recoverableKeys'>
>

/** What the gateway must know of a key to let a call in. */
export interface KeyGrant {
  readonly key: Key
  readonly project: Project
  /** Every budget in force on the key's path: its own, its project's, the organization's (MONEY.md rule 2). */
  readonly budgets: readonly Budget[]
  readonly quota: QuotaGrant
}

export interface KeySearch {
  readonly showDeleted: boolean
  /** Of these projects only. */
  readonly numbers?: readonly string[]
  /** These only. */
  readonly uids?: readonly string[]
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
  /**
   * The keyString, where its project's keys are recoverable and were so when it was made; the entry is written before it
   * is given away. KEY_STRING_SHOWN_ONCE, RESOURCE_NOT_FOUND, SECRET_UNREADABLE.
   */
  reveal(uid: string, audit: AuditEntry): Promise<string>
  /** By creation time, then uid. */
  list(
    query: { readonly projectNumber: string; readonly showDeleted: boolean } & PageRequest,
  ): Promise<Page<Key>>
  /** As `list`, over all projects. */
  search(query: KeySearch & PageRequest): Promise<Page<Key>>
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
> &
  Partial<Pick<Key, 'createTimeMs'>> & {
    /** null: the uid, as Google does. */
    readonly keyId: string | null
    readonly uid: string
    /** Of the key of the project that it succeeds, whose budgets and quotas then bind both; absent: it succeeds none. */
    readonly lineage?: string
    readonly digest: string
    /** Sealed and kept where the project wants that; absent: not to be recovered anywhere. */
    readonly keyString?: string
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
  /** Makes or replaces the token of this subject, e.g. `tokens/local`; any earlier secret of it is refused from then on. */
  put(
    draft: { readonly name: string; readonly digest: string; readonly role: 'owner' },
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

export type BudgetDraft = Omit<Budget, 'uid' | 'etag' | 'createTimeMs' | 'updateTimeMs' | 'frozenTimeMs'>
export type BudgetPatch = Partial<
  Pick<Budget, 'capNanos' | 'policy' | 'defaultMaxOutputTokens' | 'toolCeilingsNanos'>
>

/** A budget row and whose it is. */
export interface BudgetOfRow {
  readonly rowId: number
  readonly periodStartMs: number
  readonly budget: Budget
}

/** Which budgets: all fields that are given must be equal. */
export interface BudgetQuery {
  readonly scope?: BudgetScope
  readonly projectNumber?: string
  readonly lineage?: string
  readonly period?: BudgetPeriod
}

/** Every change is told as a Change of what it binds: `key`, `project`, or `all` for the organization. */
export interface BudgetStore {
  /**
   * ALREADY_EXISTS for a second budget of one scope and period. Opens with what the records of its current period
   * already hold (rule 4).
   */
  create(draft: BudgetDraft, audit: AuditEntry): Promise<BudgetStatus>
  list(query: BudgetQuery): Promise<readonly BudgetStatus[]>
  /** What the rows that a record names belong to, budgets that were deleted since included. */
  ofRows(rowIds: readonly number[]): Promise<readonly BudgetOfRow[]>
  /** RESOURCE_NOT_FOUND, ETAG_MISMATCH. A cap below what is posted is accepted: it is the emergency stop. */
  update(target: Target, patch: BudgetPatch, audit: AuditEntry): Promise<BudgetStatus>
  /** Ends the freeze after an overrun. RESOURCE_NOT_FOUND, ETAG_MISMATCH. */
  acknowledge(target: Target, audit: AuditEntry): Promise<BudgetStatus>
  /** RESOURCE_NOT_FOUND, ETAG_MISMATCH. Its rows stay for verification. */
  delete(target: Target, audit: AuditEntry): Promise<void>
}

/** One budget row of which the books disagree. */
export interface Drift {
  readonly budgetUid: string
  readonly rowId: number
  readonly periodStartMs: number
  readonly what: 'posted' | 'allotted' | 'overrun'
  readonly bookedNanos: number
  readonly expectedNanos: number
}

export interface Verification {
  readonly rowsChecked: number
  readonly recordsChecked: number
  readonly drifts: readonly Drift[]
  /** Rows with an overrun that nobody has acknowledged. */
  readonly overruns: number
}

/**
 * The escrow between this node and the budgets (MONEY.md rules 5 to 9). An allotment is this node's share of one budget
 * row; a take for a path is one transaction, all rows or none.
 */
export interface LedgerStore {
  /**
   * Adds to this node's allotments on the current rows of the given budgets, by one conditional statement each
   * (`posted + allotted + n <= cap`), all or none. Rows and allotments are made when they are first asked for. Grants
   * `wantNanos` where it fits, else what is left if that is at least `minNanos`. A take of nothing only asks how the rows
   * stand. A budget that was deleted has no standing, and then nothing is taken. Whether anything was granted is not
   * known after STORAGE_UNAVAILABLE; the next standing tells, by `grantedNanos`.
   */
  take(takes: readonly Take[]): Promise<TakeAnswer>
  /** Gives money back that is neither held nor settled. What would go below the settled amount is refused as INTERNAL. */
  give(gives: readonly { readonly allotmentId: string; readonly nanos: number }[]): Promise<void>
  /**
   * Ends allotments, lost ones too: what they settled is posted, the rest is free. Only once nothing of them is held any
   * more. STORAGE_UNAVAILABLE while charges to them are not committed yet.
   */
  close(allotmentIds: readonly string[]): Promise<void>
  /** Asks the other nodes to give back what is free of their shares of the rows (rule 8). */
  recall(rowIds: readonly number[]): Promise<void>
  /** Other nodes ask for what is free of rows, or tell that they stand otherwise than this one was told. */
  onRecall(listener: (recalled: Recalled) => void): void
  /**
   * This node was taken for lost: its allotments are posted whole. Nothing more may be held on them; what was held is
   * settled as ever, and they are closed when that is done. Called before a new allotment is granted.
   */
  onLost(listener: () => void): void
  /** performance.now() until which money may be held (rule 9); Infinity where there are no other nodes. */
  leasedUntilMs(): number
  /** Recomputes every row of every budget from the records and the ledger's own entries, in one snapshot. */
  verify(): Promise<Verification>
}

/** The part of it that the database does. */
export type LedgerRemote = Pick<LedgerStore, 'take' | 'give' | 'close' | 'recall' | 'verify'>

/**
 * What this node has under way, in its folder (MONEY.md rules 16 and 21). A hold whose record is missing when the node
 * starts again is posted as estimated.
 */
export interface HoldJournal {
  /**
   * Resolves when the hold survives `kill -9`: the holds of one turn of the event loop are written together.
   * STORAGE_UNAVAILABLE when they cannot be written; then the call must not be sent.
   */
  append(hold: OpenHold): Promise<void>
  /** The call is over and its record durable. `UsageStore.append` says so itself. */
  settled(callId: string): void
}

export type PriceOverrideDraft = Omit<PriceOverride, 'createTimeMs'>

/** Prices that an operator set. Every change is told as a Change that carries all of them. */
export interface PriceStore {
  /** ALREADY_EXISTS for a second one of the same model and time; RESOURCE_QUOTA_EXCEEDED beyond `PRICE_OVERRIDES_MAX`. */
  create(draft: PriceOverrideDraft, audit: AuditEntry): Promise<PriceOverride>
  /** All, by model and time. */
  list(): Promise<readonly PriceOverride[]>
  /** RESOURCE_NOT_FOUND. */
  delete(uid: string, audit: AuditEntry): Promise<void>
}

export interface SecretsVerification {
  /** The master key that seals. */
  readonly masterKeyId: string
  /** Secrets that opened: all there are. */
  readonly verified: number
  /** Those that are still under another master key. */
  readonly remaining: number
}

/** Sealed secrets as a whole (secrets/seal.ts). Those of an aggregate are its own to put and to reveal. */
export interface SecretStore {
  /**
   * Makes this node's first master key the one that seals, and wraps a batch of secrets anew under it. To be called until
   * nothing remains; may end at any moment and be begun again by any node. SECRET_UNREADABLE when a secret does not open.
   */
  rekey(audit: AuditEntry): Promise<SecretsVerification>
}

export interface NodeStore {
  /** Resolves when the database answers; STORAGE_UNAVAILABLE otherwise. */
  ping(): Promise<void>
  /** The database's clock, epoch ms. */
  nowMs(): Promise<number>
}
