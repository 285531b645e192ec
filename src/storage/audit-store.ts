/** The audit trail as the rest of the program sees it. */
import type { AuditEntry, ChainedEntry } from '../domain/audit.ts'
import type { AuditCheckpoint } from './audit-chain.ts'
import type { Page, PageRequest } from './storage.ts'

/** Which entries; every field that is not null narrows. */
export interface AuditQuery {
  readonly projectNumber: string | null
  /** A resource, and everything below it. */
  readonly resourceName?: string | null
  readonly principal?: string | null
  readonly methodName?: string | null
  /** Inclusive, epoch ms. */
  readonly sinceMs?: number | null
  /** Absent: newest first. */
  readonly oldestFirst?: boolean
}

/** One thing that is wrong with the chain, and about where. */
export interface AuditProblem {
  readonly sequence: number
  readonly what:
    | 'ENTRY_CHANGED'
    | 'ENTRY_MISSING'
    | 'ENTRY_INSERTED'
    | 'HEAD_DIFFERS'
    | 'HEAD_FORGED'
    | 'CHECKPOINT_DIFFERS'
    | 'CHECKPOINT_WITHOUT_ENTRY'
    | 'CHECKPOINT_FORGED'
}

export interface AuditVerification {
  readonly entriesChecked: number
  readonly checkpointsChecked: number
  /** The last entry that is there. */
  readonly headSequence: number
  readonly headDigest: string
  readonly signingKeyId: string
  /** PEM. */
  readonly publicKey: string
  /** The first hundred; none: the trail is whole. */
  readonly problems: readonly AuditProblem[]
}

/** The trail is written with the changes it is about; a listed entry was committed. */
export interface AuditStore {
  append(entry: AuditEntry): Promise<void>
  list(query: AuditQuery & PageRequest): Promise<Page<ChainedEntry>>
  /** Recomputes the chain and checks every signature. */
  verify(): Promise<AuditVerification>
  /** Signs the present end for good; null where that is done. What it gives is worth keeping outside of the database. */
  checkpoint(): Promise<AuditCheckpoint | null>
}
