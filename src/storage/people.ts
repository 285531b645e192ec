/** What the storage keeps of people and their sign-ins. Times are the caller's, so that one clock decides. */
import type { AuditEntry } from '../domain/audit.ts'
import type { Role } from '../domain/permission.ts'
import type { Session, SignInMethod } from '../domain/session.ts'
import type { Passkey, User } from '../domain/user.ts'
import type { Page, PageRequest } from './storage.ts'

export interface UserStore {
  /** By e-mail address (canonical) or uid; null when there is none. */
  find(emailOrUid: string): Promise<User | null>
  /** The PHC string of the password; null for people without one and for nobody. */
  passwordHashOf(userUid: string): Promise<string | null>
  /** Sorted by e-mail address. */
  list(page: PageRequest): Promise<Page<User>>
  /** Whether anybody was ever let in. */
  hasAny(): Promise<boolean>
  /** Lets somebody in, with a role at the organization or none. ALREADY_EXISTS for a second account of one address. */
  create(draft: UserDraft & { readonly role: Role | null }, link: LinkDraft, audit: AuditEntry): Promise<User>
  /** Disabling ends every session and link. RESOURCE_NOT_FOUND. */
  setDisabled(userUid: string, disabledTimeMs: number | null, audit: AuditEntry): Promise<User>
  /** Ends every session but `keepSessionUid`, and every link. RESOURCE_NOT_FOUND. */
  setPassword(
    userUid: string,
    change: { readonly passwordHash: string; readonly keepSessionUid: string },
    audit: AuditEntry,
  ): Promise<void>
  /**
   * The account of an issuer's subject, else the one of its verified e-mail address when that has no other identity,
   * else a new one if the claims give any role. Null: nobody. The roles are replaced by those of the claims.
   */
  admitIdentity(claims: IdentityDraft): Promise<User | null>
}

export interface UserDraft {
  readonly uid: string
  readonly email: string
  readonly displayName: string
}

export interface IdentityDraft extends UserDraft {
  readonly identity: string
  readonly roles: readonly string[]
}

export type LinkKind = 'setUp' | 'invite' | 'reset'

export interface LinkDraft {
  readonly digest: string
  readonly kind: LinkKind
  /** Null for a set-up link: there is nobody yet. */
  readonly userUid: string | null
  readonly expireTimeMs: number
}

export interface LinkStore {
  /** Replaces earlier links of this kind and person. A set-up link is STATE_CONFLICT as soon as there is anybody. */
  issue(draft: LinkDraft, audit: AuditEntry): Promise<void>
  /** Does not use the link up. Null when it is unknown, used, replaced or expired. */
  find(digest: string, nowMs: number): Promise<{ readonly kind: LinkKind; readonly user: User | null } | null>
  /**
   * Uses the link up, and does all it allows, in one transaction: of any number of attempts exactly one succeeds, the
   * others get null. Sessions that the person had end.
   */
  accept(
    link: { readonly digest: string; readonly nowMs: number },
    outcome: LinkOutcome,
    audit: AuditEntry,
  ): Promise<User | null>
}

export interface LinkOutcome {
  /** The owner to make; null where the link names its person. */
  readonly user: UserDraft | null
  readonly passwordHash: string | null
  readonly passkey: Passkey | null
  readonly session: SessionDraft
}

export interface SessionDraft {
  /** SHA-256 of the session id. */
  readonly digest: string
  readonly uid: string
  readonly userUid: string
  readonly method: SignInMethod
  /** The hash that the password was compared with; null where none was. Replaced meanwhile, it opens nothing. */
  readonly passwordHash: string | null
  readonly nowMs: number
  readonly callerIp: string
  readonly userAgent: string
}

export interface SessionStore {
  /** Signs in. `replaces`: the session that this one continues or takes the place of; it ends. Null: the person is gone. */
  open(draft: SessionDraft, replaces: string | null, audit: AuditEntry): Promise<User | null>
  /** A new id and a fresh proof for a session that is still there; false when it is not. */
  renew(
    session: { readonly uid: string; readonly digest: string; readonly nowMs: number },
    audit: AuditEntry,
  ): Promise<boolean>
  /** With its person; null when it is unknown or ended, or its person disabled. Whether it has expired is the caller's. */
  find(digest: string): Promise<{ readonly session: Session; readonly user: User } | null>
  seen(uid: string, nowMs: number): Promise<void>
  /** Newest first. */
  list(userUid: string): Promise<readonly Session[]>
  /** How many ended: those of the person, or the one named. */
  end(which: { readonly userUid: string; readonly uid: string | null }, audit: AuditEntry): Promise<number>
}

export interface PasskeyStore {
  /** ALREADY_EXISTS; RESOURCE_QUOTA_EXCEEDED above 20. */
  add(passkey: Passkey, audit: AuditEntry): Promise<void>
  find(id: string): Promise<Passkey | null>
  list(userUid: string): Promise<readonly Passkey[]>
  /** False when its count did not grow meanwhile, where it counts: then it was copied or its answer replayed. */
  used(id: string, use: { readonly counter: number; readonly nowMs: number }): Promise<boolean>
  /** RESOURCE_NOT_FOUND. */
  remove(userUid: string, id: string, audit: AuditEntry): Promise<void>
}

/** What a sign-in that is under way left to be picked up, once. */
export interface Challenge {
  readonly digest: string
  readonly kind: string
  readonly content: string
  readonly expireTimeMs: number
}

/** Counters and notes of sign-ins under way. All of it may be lost without harm but to those who are signing in. */
export interface SignInStore {
  /** OVERLOADED when too many are open. */
  putChallenge(challenge: Challenge, nowMs: number): Promise<void>
  /** Takes it away: of two who ask, one gets it. */
  takeChallenge(which: Pick<Challenge, 'digest' | 'kind'>, nowMs: number): Promise<string | null>
  /** Counts one more attempt and says how many there are now in the bucket's current span. */
  attempt(bucket: string, span: { readonly nowMs: number; readonly spanMs: number }): Promise<Attempts>
  forgetAttempts(bucket: string): Promise<void>
  isKnownDevice(digest: string, userUid: string, nowMs: number): Promise<boolean>
  rememberDevice(device: {
    readonly digest: string
    readonly userUid: string
    readonly expireTimeMs: number
  }): Promise<void>
  /** Removes what has expired, sessions included; returns how much. */
  purge(nowMs: number): Promise<number>
}

export interface Attempts {
  readonly count: number
  readonly expireTimeMs: number
}
