/** Rate limits and tiers as the rest of the program sees them. */
import type { AuditEntry } from '../domain/audit.ts'
import type { QuotaLimit, StoredTier, Tier } from '../domain/quota.ts'
import type { RefusalCount, RefusalReason, RefusedCall } from '../domain/refused-call.ts'
import type { Target } from './storage.ts'

/** Where limits hang: a project, or the lineage of one of its keys. */
export interface QuotaPlace {
  readonly projectNumber: string
  /** Null at the project. */
  readonly lineage: string | null
}

export interface PlacedLimits extends QuotaPlace {
  readonly limits: readonly QuotaLimit[]
}

/** Limits of projects and keys. Every change is told as a Change of what it binds: `key` or `project`. */
export interface QuotaStore {
  /** Those of the project and of all its keys. */
  list(projectNumber: string): Promise<readonly PlacedLimits[]>
  /** Makes or changes a limit. RESOURCE_NOT_FOUND without the place, RESOURCE_QUOTA_EXCEEDED for too many. */
  set(place: QuotaPlace, limit: QuotaLimit, audit: AuditEntry): Promise<QuotaLimit>
  /** RESOURCE_NOT_FOUND where there is none. */
  unset(place: QuotaPlace, limit: Pick<QuotaLimit, 'metric' | 'model'>, audit: AuditEntry): Promise<void>
}

export type TierDraft = Omit<Tier, 'id' | 'source'>

/** The operator's tiers. Every change is told as `all`. */
export interface TierStore {
  list(): Promise<readonly StoredTier[]>
  /** Makes or replaces the tier of this id. ETAG_MISMATCH; RESOURCE_NOT_FOUND when an etag is given and there is none. */
  put(target: Target, draft: TierDraft, audit: AuditEntry): Promise<StoredTier>
  /** STATE_CONFLICT while projects have it, unless `isReplaced`: a shipped tier has its id. RESOURCE_NOT_FOUND, ETAG_MISMATCH. */
  delete(target: Target & { readonly isReplaced: boolean }, audit: AuditEntry): Promise<void>
}

/** Refused calls of one hour; texts are empty for what is not told apart. */
export interface RefusalRow {
  readonly projectNumber: string
  readonly bucketTimeMs: number
  readonly reason: RefusalReason
  readonly scope: string
  readonly metric: string
  readonly model: string
  readonly keyUid: string
  readonly calls: number
  readonly lastTimeMs: number
}

/** Whole hours: those in which the interval begins and ends are counted with all they have. */
export interface RefusalQuery {
  readonly projectNumber: string
  readonly startTimeMs: number
  readonly endTimeMs: number
}

/** Counts of calls that were refused for their rate. They are for looking at: nothing is decided by them. */
export interface RefusalStore {
  /** Counts at once, in memory; it is in the database a second later. */
  count(refused: RefusedCall): void
  /** Those that refused most first, 500 at most; what this process counted before is included. */
  report(query: RefusalQuery): Promise<readonly RefusalCount[]>
  /** Forgets the hours that began before; returns how many rows. */
  purge(beforeMs: number): Promise<number>
}

/** The part of it that the database does. */
export interface RefusalRemote extends Pick<RefusalStore, 'report' | 'purge'> {
  add(rows: readonly RefusalRow[]): Promise<void>
}
