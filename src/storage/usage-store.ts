/** Usage records and their sums, as the rest of the program asks for them. */
import type { Charge } from '../domain/ledger.ts'
import type { CallFilter, UsageQuery, UsageRecord, UsageRow } from '../domain/usage.ts'
import type { Page, PageRequest } from './storage.ts'

export interface UsageStore {
  /**
   * Appends records and resolves when they are durable. Calls made while a commit is under way share the next one
   * (group commit), so this costs the event loop one message per batch. Rejects with STORAGE_UNAVAILABLE when that takes
   * ten seconds (MONEY.md rule 22); the record and its charges are posted all the same, by this process or by the next,
   * so the money counts as spent, and `onDurable` is called then. INTERNAL, and nothing is posted, when a number of the record is none.
   */
  append(record: UsageRecord, charges: readonly Charge[], onDurable?: () => void): Promise<void>
  /** False from the first commit that failed to the next that succeeds, and while one takes longer than two seconds. */
  isFlowing(): boolean
  /** Sums from the rollups; records of this process appended before the call are included. */
  report(query: UsageQuery): Promise<readonly UsageRow[]>
  /** The newest records of a project, newest first. */
  recent(query: {
    readonly projectNumber: string
    readonly keyUid?: string
    readonly limit: number
  }): Promise<readonly UsageRecord[]>
  /**
   * Records by their start, newest first. Looks at a bounded number of records, so a page may be short, or empty, and have
   * a next one all the same.
   */
  list(query: CallFilter & PageRequest): Promise<Page<UsageRecord>>
  /** What was recorded since `cursor`, oldest first; null: nothing, but where to go on from. Bounded as `list`. */
  tail(query: CallFilter & PageRequest): Promise<Tail>
}

/** Records as they come. */
export interface Tail {
  readonly items: readonly UsageRecord[]
  /** There is always more to come. */
  readonly nextCursor: string
}
