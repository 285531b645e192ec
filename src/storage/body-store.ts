/** Where bodies of calls are kept, for projects that want that. */
import type { AuditEntry } from '../domain/audit.ts'
import type { CallBodies, KeptBodies } from '../domain/call-bodies.ts'

export interface BodyStore {
  /**
   * Room for so many bytes until they are given back or kept; false: there is none, and what they are of has to be
   * dropped. Neither this nor what follows ever waits or throws: no call is late for its bodies.
   */
  take(bytes: number): boolean
  give(bytes: number): void
  /** Keeps bodies whose bytes were taken. They are in the database a moment later, if their project then still wants them. */
  keep(bodies: CallBodies): void
  /** The bodies of a call are lost; it is counted. */
  drop(): void
  /** Resolves when what was given to `keep` is in the database; rejects when it cannot be put there now. */
  settled(): Promise<void>
  /**
   * From now on bodies are kept for so long: what is there already no longer than it was, or than this. Null: none is kept,
   * and all that were are deleted, unreadable from the moment of the change. RESOURCE_NOT_FOUND, STATE_CONFLICT when deleted.
   */
  setRetention(projectNumber: string, hours: number | null, audit: AuditEntry): Promise<void>
  /** The entry is written before they are given away. BODIES_NOT_KEPT. */
  reveal(
    call: { readonly projectNumber: string; readonly callId: string },
    audit: AuditEntry,
  ): Promise<KeptBodies>
  /** Deletes what is past its retention by then; how many calls that were. */
  purge(nowMs: number): Promise<number>
}

/** The part of it that the database does. */
export interface BodyRemote extends Pick<BodyStore, 'setRetention' | 'reveal' | 'purge'> {
  add(batch: readonly CallBodies[]): Promise<void>
}
