/** The aggregates of who may do what: policies, and service accounts with their credentials (part of storage.ts). */
import type { AuditEntry } from '../domain/audit.ts'
import type { Binding, Policy } from '../domain/iam-policy.ts'
import type { Grant } from '../domain/permission.ts'
import type { ServiceAccount, ServiceAccountKey, ServiceAccountToken } from '../domain/service-account.ts'

/** Policies of the organization (`project` null) and of projects, by number. Nothing here is cached: changes hold at once. */
export interface IamStore {
  /** Every role of the subject `user:EMAIL` or `serviceAccount:EMAIL`: what a Principal needs. */
  grantsOf(subject: string): Promise<readonly Grant[]>
  /** The policy of a resource; an empty one where none was ever set. */
  policy(project: string | null): Promise<Policy>
  /**
   * Replaces a policy that has this etag, else ETAG_MISMATCH. STATE_CONFLICT when it would leave the organization, which has
   * an owner, without one.
   */
  setPolicy(
    target: { readonly project: string | null; readonly etag: string },
    bindings: readonly Binding[],
    audit: AuditEntry,
  ): Promise<Policy>
  /** Adds one binding; changes nothing, and leaves no audit entry, where it is there. */
  bind(binding: Binding & { readonly project: string | null }, audit: AuditEntry): Promise<void>
  /** Takes every role from a member that is gone. STATE_CONFLICT for the last owner of the organization. */
  unbind(member: string, audit: AuditEntry): Promise<void>
}

export interface ServiceAccountDraft {
  readonly projectNumber: string
  readonly email: string
  readonly displayName: string
  readonly description: string
}

export type TokenDraft = Pick<
  ServiceAccountToken,
  'uid' | 'displayName' | 'maskedToken' | 'limits' | 'expireTimeMs'
> & {
  readonly accountUid: string
  /** SHA-256 of the token. */
  readonly digest: string
}

export type AccountKeyDraft = Pick<ServiceAccountKey, 'keyId' | 'publicKey' | 'expireTimeMs'> & {
  readonly accountUid: string
}

/** A credential that was presented: whose it is, and what that account holds now. */
export interface Presented<Credential> {
  readonly account: ServiceAccount
  readonly credential: Credential
  readonly grants: readonly Grant[]
  /** The project of the account is deleted. */
  readonly isProjectDeleted: boolean
}

/** Deleted accounts are gone for every reader; their e-mail is never given again. */
export interface ServiceAccountStore {
  /** ALREADY_EXISTS when the e-mail is or was in use, RESOURCE_QUOTA_EXCEEDED for the 101st of a project. */
  create(draft: ServiceAccountDraft, audit: AuditEntry): Promise<ServiceAccount>
  /** By e-mail or uid. */
  find(emailOrUid: string): Promise<ServiceAccount | null>
  /** By e-mail. */
  list(projectNumber: string): Promise<readonly ServiceAccount[]>
  /** RESOURCE_NOT_FOUND. */
  setDisabled(uid: string, disabled: boolean, audit: AuditEntry): Promise<ServiceAccount>
  /** With its tokens, keys and roles. RESOURCE_NOT_FOUND; STATE_CONFLICT for the last owner of the organization. */
  delete(uid: string, audit: AuditEntry): Promise<void>
  /** RESOURCE_NOT_FOUND; RESOURCE_QUOTA_EXCEEDED for the 21st token or key. */
  createToken(draft: TokenDraft, audit: AuditEntry): Promise<ServiceAccountToken>
  createKey(draft: AccountKeyDraft, audit: AuditEntry): Promise<ServiceAccountKey>
  listTokens(accountUid: string): Promise<readonly ServiceAccountToken[]>
  listKeys(accountUid: string): Promise<readonly ServiceAccountKey[]>
  /** RESOURCE_NOT_FOUND. */
  deleteToken(accountUid: string, uid: string, audit: AuditEntry): Promise<void>
  deleteKey(accountUid: string, keyId: string, audit: AuditEntry): Promise<void>
  findByToken(digest: string): Promise<Presented<ServiceAccountToken> | null>
  findByKey(keyId: string): Promise<Presented<ServiceAccountKey> | null>
  /** Notes that a token (uid) or key (id) was used now. At most once a minute anything is written. */
  noteUse(kind: 'token' | 'key', id: string): Promise<void>
}
