/** What a node and the ledger say to each other (MONEY.md rules 5 to 9). Amounts are whole nano-dollars. */

/** Money a node asks for, from the current row of one budget: at least `minNanos` or nothing, up to `wantNanos`. */
export interface Take {
  readonly budgetUid: string
  readonly minNanos: number
  readonly wantNanos: number
}

/** A node's share of one budget row. */
export interface Allotment {
  readonly id: string
  readonly grantedNanos: number
  /** Of the granted, what is settled and durable. */
  readonly settledNanos: number
}

/** What a node knows of one budget row after it asked. */
export interface Standing {
  readonly budgetUid: string
  readonly rowId: number
  readonly periodStartMs: number
  readonly periodEndMs: number | null
  readonly capNanos: number
  /** By all nodes: posted on the row, and settled in open allotments. */
  readonly postedNanos: number
  /** Granted to all nodes and not yet settled, this node's share included. */
  readonly allottedNanos: number
  readonly isFrozen: boolean
  /** This node's share, as it is now; null while it has none. */
  readonly allotment: Allotment | null
}

/** What other nodes tell about rows, by id. */
export interface Recalled {
  /** They lack money of these: what is free should go back. */
  readonly lacking: readonly number[]
  /** Of these less is posted than this node may have been told. */
  readonly lowered: readonly number[]
}

/** The answer to a take: whether all of it was granted, and where every row stands now. */
export interface TakeAnswer {
  readonly taken: boolean
  readonly standings: readonly Standing[]
  /** The database's clock, epoch ms: periods are judged by it. */
  readonly nowMs: number
}

/**
 * What a settled call takes from an allotment of this node, in the transaction that stores its record: for each row of
 * the record's `ledger` its `postedNanos`.
 */
export interface Charge {
  readonly allotmentId: string
  readonly nanos: number
}

/** A call that is about to be sent, as it stands in the journal of its node until it is settled (rule 16). */
export interface OpenHold {
  readonly callId: string
  /** As in its record: the record is found by it after a crash. */
  readonly startTimeMs: number
  readonly projectNumber: string
  readonly keyUid: string
  readonly method: string
  readonly model: string
  readonly heldNanos: number
  /** The factor that is in `heldNanos`. */
  readonly priceBasisPoints: number
  /** The budget rows it is held on, by id. */
  readonly ledger: readonly number[]
  readonly allotmentIds: readonly string[]
}
