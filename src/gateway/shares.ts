import type { TakeAnswer } from '../domain/ledger.ts'
import type { Returns } from './escrow.ts'
import { Row } from './ledger-row.ts'

/** Idle money goes back within a second (MONEY.md rule 7). */
export const IDLE_MS = 1_000
/** With more budgets than this idle money stays longer: taking it again for the next call of each would cost more. */
const IDLE_ROWS_A_SECOND = 64

/** What this node has of every budget, and what it has left behind. */
export class Shares {
  readonly #rows = new Map<string, Row>()
  /** Rows of periods that are over and of allotments that were lost, until nothing is held on them. */
  readonly #old = new Set<Row>()
  /** Shares that are over, until the ledger says that they are closed: what it failed to do is asked of it again. */
  readonly #unclosed = new Set<string>()
  /** The database's clock less performance.now(). */
  #clockMs = Date.now() - performance.now()
  /** performance.now() when this node was taken for lost. */
  #lostMs = -Infinity

  /** The row of a budget in the period it was asked for last. */
  get(budgetUid: string): Row | undefined {
    return this.#rows.get(budgetUid)
  }

  /** The row of a budget in the period of `nowMs` (performance.now()). */
  current(budgetUid: string, nowMs: number): Row | undefined {
    const row = this.#rows.get(budgetUid)
    if (row === undefined || row.periodEndMs === null) return row
    if (nowMs + this.#clockMs < row.periodEndMs) return row
    this.#leave(row)
    return undefined
  }

  /** How the rows stood some time after `askedMs` (performance.now()). */
  learn(answer: TakeAnswer, askedMs: number): void {
    // It may speak of what was lost since; what is left of it will be told again.
    if (askedMs <= this.#lostMs) return
    this.#clockMs = answer.nowMs - askedMs
    for (const standing of answer.standings) {
      let row = this.#rows.get(standing.budgetUid)
      if (row === undefined || !row.isOf(standing)) {
        if (row !== undefined) this.#leave(row)
        // A row that was left too early, by this node's clock, still has its holds.
        const left = [...this.#old].find(old => old.isOf(standing))
        if (left !== undefined) this.#old.delete(left)
        row = left ?? new Row(standing)
        this.#rows.set(standing.budgetUid, row)
      }
      row.learn(standing, askedMs)
    }
  }

  /** All of it counts as spent: nothing more is held on it, and each share ends with what is held on it now. */
  lose(): void {
    this.#lostMs = performance.now()
    for (const row of this.#rows.values()) this.#leave(row)
    for (const row of this.#old) row.isLost = true
  }

  /** Every row there is. */
  all(): Row[] {
    return [...this.#rows.values(), ...this.#old]
  }

  /** The rows of these ids, also those that were left. */
  of(rowIds: readonly number[]): Row[] {
    const wanted = new Set(rowIds)
    return this.all().filter(({ rowId }) => wanted.has(rowId))
  }

  /** Less may be posted on these rows than was told: nobody is refused for it before it was asked for anew. */
  doubt(rowIds: readonly number[]): void {
    for (const row of this.of(rowIds)) row.staleMs = performance.now()
  }

  /** What was not used for a second (rule 7), and what was left behind. Called once a second. */
  idle(): Row[] {
    const idleMs = IDLE_MS * Math.max(1, this.#rows.size / IDLE_ROWS_A_SECOND)
    const idleSinceMs = performance.now() - idleMs
    const idle: Row[] = []
    for (const row of this.#rows.values()) {
      row.spent = Math.floor(row.spent / 2)
      if (row.held === 0 && row.usedMs < idleSinceMs) idle.push(row)
    }
    for (const row of this.#old) if (row.held === 0) idle.push(row)
    return idle
  }

  /** Ends shares of which nothing is held, and gives back what is free of the others. */
  returnsOf(rows: readonly Row[]): Returns {
    // One that was not closed may have been granted again.
    if (this.#unclosed.size > 0)
      for (const { allotmentId } of this.all()) this.#unclosed.delete(allotmentId ?? '')
    const closing = [...this.#unclosed]
    const gives: { allotmentId: string; nanos: number }[] = []
    for (const row of rows) {
      const { allotmentId, free } = row
      if (row.held === 0) {
        const current = this.#rows.get(row.budgetUid)
        const isCurrent = current === row
        if (isCurrent) this.#rows.delete(row.budgetUid)
        // What was estimated of it too much is not posted any more then.
        else if (row.isLost && current !== undefined) current.staleMs = performance.now()
        if ((this.#old.delete(row) || isCurrent) && allotmentId !== null) closing.push(allotmentId)
      } else if (free > 0 && allotmentId !== null && !row.isLost) {
        row.granted -= free
        row.restNanos += free
        gives.push({ allotmentId, nanos: free })
      }
    }
    for (const id of closing) this.#unclosed.add(id)
    return { gives, closing, onClosed: () => closing.forEach(id => this.#unclosed.delete(id)) }
  }

  #leave(row: Row): void {
    this.#rows.delete(row.budgetUid)
    this.#old.add(row)
  }
}
