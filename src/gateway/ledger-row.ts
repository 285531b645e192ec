import type { Budget } from '../domain/budget.ts'
import type { Standing, Take } from '../domain/ledger.ts'
import type { Ask, ClampedHold } from './ask.ts'
import type { HeldMoney } from './ledger.ts'

/** One period of one budget, and what this node holds of it. */
export class Row {
  readonly budgetUid: string
  readonly rowId: number
  readonly periodEndMs: number | null
  allotmentId: string | null = null
  granted = 0
  settled: number
  held = 0
  /** Posted by anybody but the open allotment of this node: what is known, never too much. */
  elsewhere = 0
  /** As it was told last, by the ledger or by an admission: a call that waits knows the budget of when it came. */
  capNanos: number
  isFrozen = false
  /** Of the budget as the last admission knew it; empty before the first. */
  budgetEtag = ''
  /** performance.now() of the admission that brought another budget than the one before. */
  renewedMs = -Infinity
  /** What the ledger had left for anybody when it was asked last, and performance.now() of its answer. */
  restNanos = 0
  /** What other nodes had of the row then, and had not settled. */
  peersNanos = 0
  /** Others took this node for lost while it had this share: nothing more is held on it. */
  isLost = false
  /** performance.now() since when less may be posted than what was told last; -Infinity: that is not so. */
  staleMs = -Infinity
  learnedMs = -Infinity
  /** performance.now() of the last hold. */
  usedMs = performance.now()
  /** Held since the last look, to size what is taken at a time. */
  spent = 0

  constructor({ budgetUid, rowId, periodEndMs, capNanos, allotment }: Standing) {
    this.budgetUid = budgetUid
    this.rowId = rowId
    this.periodEndMs = periodEndMs
    this.capNanos = capNanos
    this.settled = allotment?.settledNanos ?? 0
  }

  get free(): number {
    return this.granted - this.settled - this.held
  }

  /** Whether this is the row, and its share, of a standing: one that was lost is another than the one after it. */
  isOf({ rowId, allotment }: Standing): boolean {
    if (rowId !== this.rowId || this.isLost) return false
    return this.allotmentId === null || allotment === null || allotment.id === this.allotmentId
  }

  /** At least so much is posted, by all nodes. */
  get posted(): number {
    return this.elsewhere + this.settled
  }

  /** What may be held yet. The cap counts at once where it was lowered, whatever was granted before. */
  get room(): number {
    return Math.min(this.free, this.capNanos - this.posted - this.held)
  }

  /** The budget as an admission knows it now; only this ends a freeze. */
  renew({ etag, capNanos, frozenTimeMs }: Budget): void {
    this.budgetEtag = etag
    this.capNanos = capNanos
    this.isFrozen = frozenTimeMs !== null
    this.renewedMs = performance.now()
  }

  /** How the row stood some time after `askedMs` (performance.now()). */
  learn({ capNanos, postedNanos, allottedNanos, isFrozen, allotment }: Standing, askedMs: number): void {
    // What an admission has learnt since is newer.
    if (this.renewedMs < askedMs) {
      this.capNanos = capNanos
      // An overrun freezes this node before the database.
      this.isFrozen ||= isFrozen
    }
    const { grantedNanos = 0, settledNanos = 0 } = allotment ?? {}
    this.restNanos = Math.max(0, capNanos - postedNanos - allottedNanos)
    this.peersNanos = allottedNanos - (grantedNanos - settledNanos)
    const elsewhere = postedNanos - settledNanos
    // Less is posted only where a node that was lost has come back. Answers to questions of one time come in any order.
    this.elsewhere = askedMs > this.learnedMs ? elsewhere : Math.max(this.elsewhere, elsewhere)
    this.learnedMs = performance.now()
    if (askedMs > this.staleMs) this.staleMs = -Infinity
    if (allotment === null) return
    // Answers of two takes may come in the other order.
    this.granted = Math.max(this.allotmentId === allotment.id ? this.granted : 0, allotment.grantedNanos)
    this.allotmentId = allotment.id
  }
}

/** Holds on every row of a path. */
export function holdOn(rows: readonly Row[], nanos: number, clamped: ClampedHold | null): HeldMoney {
  const nowMs = performance.now()
  for (const row of rows) {
    row.held += nanos
    row.spent += nanos
    row.usedMs = nowMs
  }
  return { rows, nanos, clamped }
}

/** What the rows of a hold lack for it to grow by so much. */
export function lacking({ rows }: HeldMoney, nanos: number): Take[] {
  const takes: Take[] = []
  for (const { budgetUid, room } of rows) {
    if (room < nanos) takes.push({ budgetUid, minNanos: 1, wantNanos: nanos - Math.max(0, room) })
  }
  return takes
}

/**
 * How much is taken at a time (rule 7): what was held in some seconds, or some such calls; a part of what is left where
 * nobody else draws on it. What is taken counts as spent when the machine is lost (rule 21), so even then it is not all.
 */
const SHARE_SECONDS = 2
const SHARE_CALLS = 8
const SHARE_OF_REST = 16
/** Of a budget that was not asked for yet only the cap is known: enough that the next take is not soon. */
const SHARE_OF_CAP = 64
/** Near the cap other nodes find something left as well. */
const SHARE_OF_REST_BESIDE_PEERS = 4

/** How much to ask for beside what a call lacks, in whole nano-dollars, of a budget with this cap. */
export function shareOf(row: Row | undefined, capNanos: number, ask: Ask): number {
  const part = row === undefined ? capNanos / SHARE_OF_CAP : row.restNanos / SHARE_OF_REST
  return Math.max(recentSpend(row, ask), Math.floor(part))
}

/** The same where other nodes draw on the row: nothing in advance but for recent spend, and for all who wait here. */
export function shareBesidePeers(row: Row | undefined, ask: Ask, waitingNanos: number): number {
  const share = Math.max(recentSpend(row, ask), waitingNanos)
  return row === undefined ? share : Math.min(share, Math.floor(row.restNanos / SHARE_OF_REST_BESIDE_PEERS))
}

function recentSpend(row: Row | undefined, { worstNanos }: Ask): number {
  return Math.max(worstNanos * SHARE_CALLS, (row?.spent ?? 0) * SHARE_SECONDS)
}
