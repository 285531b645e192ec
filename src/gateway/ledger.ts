/**
 * This node's share of every budget, in memory: a call is admitted against it without a round trip. Money is held before
 * a call is sent and let go once its record is durable, so that a crash can never post more than was held (MONEY.md rules
 * 5 to 10, 15).
 */
import { type Budget, CAP_NANOS_MAX } from '../domain/budget.ts'
import { ApiError } from '../domain/error.ts'
import type { Charge, Take, TakeAnswer } from '../domain/ledger.ts'
import type { Ask, ClampedHold } from './ask.ts'
import { exhausted, frozen, spendHeld, unavailable } from './budget-errors.ts'
import { Escrow, type LedgerPort, type Peers } from './escrow.ts'
import { type Row, holdOn, lacking, shareBesidePeers, shareOf } from './ledger-row.ts'
import { IDLE_MS, Shares } from './shares.ts'
import { Line, type Waiter } from './waiting-line.ts'

export interface LedgerOptions {
  readonly port: LedgerPort
  /** Other nodes that draw on the same budgets; null: there are none. */
  readonly peers: Peers | null
  /** Told of failures that no caller waits for. */
  readonly onFailure: (error: unknown) => void
  /** Longest wait for other calls to settle (rule 15); five seconds unless told. */
  readonly holdWaitMs?: number
}

/** Money held for one call on every row of its path. Let go exactly once. */
export interface HeldMoney {
  readonly rows: readonly Row[]
  nanos: number
  /** The output limit the call has to be lowered to; null: it fits as it is. */
  readonly clamped: ClampedHold | null
}

/** Longest wait for other calls to settle, and most calls that wait for one budget (rule 15). */
const HOLD_WAIT_MS = 5_000
const WAITERS_MAX = 256
/** How often money is asked for again while calls wait for it. */
const ASK_EVERY_MS = 250
/** An answer that takes longer is an outage (rule 22). */
const ANSWER_SLOW_MS = 2_000

/** A call that comes now: after all who wait. */
const COMES_NOW = Infinity
/** A call that gives up after this attempt: what fits beside all open holds is not refused, whoever waits. */
const GIVES_UP = -Infinity

export class Ledger {
  readonly #escrow: Escrow
  readonly #peers: Peers | null
  readonly #onFailure: (error: unknown) => void
  readonly #holdWaitMs: number
  readonly #shares = new Shares()
  readonly #lines = new Map<string, Line>()
  #waited = 0
  #ticks = 0
  readonly #timer: NodeJS.Timeout

  constructor({ port, peers, onFailure, holdWaitMs = HOLD_WAIT_MS }: LedgerOptions) {
    this.#escrow = new Escrow(port)
    this.#peers = peers
    this.#onFailure = onFailure
    this.#holdWaitMs = holdWaitMs
    this.#timer = setInterval(() => this.#tick(), ASK_EVERY_MS)
    this.#timer.unref()
    peers?.onRecall(({ lacking, lowered }) => {
      this.#shares.doubt(lowered)
      void this.#giveBack(() => this.#shares.of(lacking))
    })
    peers?.onLost(() => this.#shares.lose())
  }

  /**
   * Holds money on every budget of the path, or on none. The path is as the database has it now. Throws or rejects with
   * BUDGET_EXHAUSTED (402) only when what is posted and the call's floor pass a cap, with BUDGET_FROZEN (402), with
   * SPEND_HELD (429) when only open holds stand in the way for too long, and with STORAGE_UNAVAILABLE (503). A promise
   * only where there is something to wait for.
   */
  hold(path: readonly Budget[], ask: Ask): HeldMoney | Promise<HeldMoney> {
    const found = this.#tryHold(path, ask, COMES_NOW)
    return found instanceof Blocked ? this.#wait(path, ask, found) : found
  }

  /** Whether `hold` would not say 402 to so small a call at once, as far as this node knows. */
  hasRoom(path: readonly Budget[], floorNanos: number): boolean {
    const nowMs = performance.now()
    return path.every(({ uid }) => {
      const row = this.#shares.current(uid, nowMs)
      return row === undefined || row.posted + floorNanos <= row.capNanos
    })
  }

  /**
   * Whether a call may still be sent on a hold. Not when this node stood still since, for so long that others may have taken
   * it for lost.
   */
  isSpendable({ rows }: HeldMoney): boolean {
    return this.#isLeased() && !rows.some(row => row.isLost)
  }

  /** The call of this ask is not waited for any more: if it still waits for money, it is refused. */
  leave(ask: Ask): void {
    for (const line of this.#lines.values()) {
      const waiter = line.waiters.find(waiting => waiting.ask === ask)
      if (waiter === undefined) continue
      this.#refuse(waiter, new ApiError('CLIENT_GONE', 'The client left before its call was let in.'))
      this.#serveLine(line)
      return
    }
  }

  /** Holds more for a call that cost more than it held: at most `nanos`, and only what is free on all rows (rule 19). */
  async extend(held: HeldMoney, nanos: number): Promise<void> {
    await this.#escrow.take(() => lacking(held, nanos), this.#learnAll).catch(this.#onFailure)
    const extra = held.rows.reduce((least, row) => Math.min(least, Math.max(0, row.room)), nanos)
    for (const row of held.rows) row.held += extra
    held.nanos += extra
  }

  /** Stops a path after a call cost more than it may: until the overrun is acknowledged (rule 19). */
  freeze(held: HeldMoney): void {
    for (const row of held.rows) row.isFrozen = true
  }

  /** What the settling of a call takes from this node's allotments. */
  charges(held: HeldMoney, postedNanos: number): Charge[] {
    return held.rows.map(row => ({ allotmentId: row.allotmentId ?? '', nanos: postedNanos }))
  }

  /** Lets a hold go, of which `postedNanos` are now durable in the ledger. */
  release(held: HeldMoney, postedNanos: number): void {
    for (const row of held.rows) {
      row.held -= held.nanos
      row.settled += postedNanos
    }
    if (this.#lines.size === 0) return
    for (const row of held.rows) {
      const line = this.#lines.get(row.budgetUid)
      if (line !== undefined) this.#serveLine(line)
    }
  }

  /** Gives everything back that is not held. A failure is told, not thrown: the next start finds what is left. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#giveBack(() => this.#shares.all())
  }

  /** The hold, or the first budget that stands in its way. Whoever waits and came before `turn` goes first. */
  #tryHold(path: readonly Budget[], ask: Ask, turn: number): HeldMoney | Blocked {
    if (!this.#isLeased()) throw unavailable('the lease of this node has run out')
    const nowMs = performance.now()
    const rows: Row[] = []
    let room = Infinity
    for (const budget of path) {
      const row = this.#shares.current(budget.uid, nowMs)
      if (row === undefined) return new Blocked(budget)
      // Who has waited brings the budget of when it came.
      const isChanged = turn === COMES_NOW && row.budgetEtag !== budget.etag && this.#renew(row, budget)
      if (row.isFrozen) throw frozen(budget)
      const { posted, capNanos } = row
      // What fits whole needs no floor.
      if (posted + ask.worstNanos > capNanos && posted + ask.floorNanos > capNanos) {
        if (row.staleMs > -Infinity) return new Blocked(budget)
        throw exhausted(budget, row, ask.floorNanos)
      }
      if (isChanged || this.#lines.get(budget.uid)?.isBefore(turn) === true) return new Blocked(budget)
      room = Math.min(room, row.room)
      rows.push(row)
    }
    return room >= ask.worstNanos ? holdOn(rows, ask.worstNanos, null) : this.#clamp(path, rows, ask)
  }

  /** A hold of less than the worst case: only where the ledger, too, has not enough for it. */
  #clamp(path: readonly Budget[], rows: readonly Row[], ask: Ask): HeldMoney | Blocked {
    let least = Infinity
    let scarce: Budget | null = null
    let unasked: Budget | null = null
    const nowMs = performance.now()
    for (const [index, budget] of path.entries()) {
      const row = rows[index]
      if (row === undefined || row.room >= ask.worstNanos) continue
      if (this.#mayGetMore(row, ask, nowMs)) unasked ??= budget
      else if (row.room < least) {
        least = row.room
        scarce = budget
      }
    }
    if (least < ask.floorNanos) return new Blocked(scarce)
    if (unasked !== null) return new Blocked(unasked)
    const clamped = ask.clampTo(least)
    return clamped === null ? new Blocked(scarce) : holdOn(rows, clamped.nanos, clamped)
  }

  /** Whether the ledger has, or may have by now, what a call lacks on a row. */
  #mayGetMore(row: Row, ask: Ask, nowMs: number): boolean {
    if (row.free >= ask.worstNanos) return false
    return row.restNanos > 0 || (this.#peers !== null && nowMs - row.learnedMs >= ASK_EVERY_MS)
  }

  #isLeased(): boolean {
    return this.#peers === null || performance.now() < this.#peers.leasedUntilMs()
  }

  /** Whether the budget was changed: then what is free of it goes back, so that its new cap counts everywhere at once. */
  #renew(row: Row, budget: Budget): boolean {
    const isChanged = row.budgetEtag !== '' || row.capNanos !== budget.capNanos
    row.renew(budget)
    if (isChanged) void this.#giveBack(() => [row])
    return isChanged
  }

  #wait(path: readonly Budget[], ask: Ask, blocked: Blocked): HeldMoney | Promise<HeldMoney> {
    const budget = blocked.budget ?? path[0]
    if (budget === undefined) throw new Error('a path without budgets cannot be blocked')
    const line = this.#lineOf(budget)
    // While the ledger is asked nobody knows yet whether holds stand in the way.
    if (line.waiters.length >= WAITERS_MAX && !line.asking) {
      const found = this.#tryHold(path, ask, GIVES_UP)
      if (found instanceof Blocked) throw spendHeld(budget)
      return found
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#giveUp(waiter), this.#holdWaitMs)
      const waiter: Waiter = { path, ask, number: ++this.#waited, line, resolve, reject, timer }
      line.add(waiter)
      this.#refill(line)
    })
  }

  #giveUp(waiter: Waiter): void {
    const { line } = waiter
    if (!this.#serve(waiter, GIVES_UP)) {
      const isStuck = line.asking && performance.now() - line.askedMs > ANSWER_SLOW_MS
      this.#refuse(waiter, isStuck ? unavailable('no answer') : spendHeld(line.budget))
    }
    this.#serveLine(line)
  }

  #refuse(waiter: Waiter, error: ApiError): void {
    clearTimeout(waiter.timer)
    waiter.line.remove(waiter)
    waiter.reject(error)
  }

  #lineOf(budget: Budget): Line {
    let line = this.#lines.get(budget.uid)
    if (line === undefined) this.#lines.set(budget.uid, (line = new Line(budget)))
    return line
  }

  /** Serves those who wait for a budget, in order, until the first one that still has to. */
  #serveLine(line: Line): void {
    for (;;) {
      const [waiter] = line.waiters
      if (waiter === undefined || !this.#serve(waiter, waiter.number)) break
    }
    if (line.waiters.length === 0 && !line.asking) this.#lines.delete(line.budget.uid)
  }

  /** Whether somebody is out of the line: served, refused, or moved to another line. */
  #serve(waiter: Waiter, turn: number): boolean {
    const { line } = waiter
    try {
      const found = this.#tryHold(waiter.path, waiter.ask, turn)
      if (found instanceof Blocked) {
        const blockedBy = found.budget ?? line.budget
        if (blockedBy.uid === line.budget.uid || turn === GIVES_UP) return false
        line.remove(waiter)
        const other = this.#lineOf(blockedBy)
        other.add(waiter)
        this.#refill(other)
        return true
      }
      clearTimeout(waiter.timer)
      line.remove(waiter)
      waiter.resolve(found)
    } catch (error) {
      this.#refuse(waiter, error as ApiError)
    }
    return true
  }

  /** Asks the database for what the first of a line needs. One question at a time for each line. */
  #refill(line: Line): void {
    const [waiter] = line.waiters
    if (waiter === undefined || line.asking) return
    if (performance.now() - line.refusedMs < ASK_EVERY_MS) return
    void this.#askFor(waiter, line)
  }

  async #askFor(waiter: Waiter, line: Line): Promise<void> {
    line.asking = true
    line.askedMs = performance.now()
    let isTaken: boolean
    try {
      isTaken = await this.#ask(waiter)
    } catch (error) {
      line.asking = false
      for (const waiting of line.waiters.splice(0)) this.#refuse(waiting, unavailable(error))
      this.#lines.delete(line.budget.uid)
      return
    }
    line.asking = false
    if (!isTaken) line.refusedMs = performance.now()
    this.#serveLine(line)
    // What was taken was for the first of them.
    if (isTaken) this.#refill(line)
    else this.#recall(line)
    if (!line.asking)
      for (const waiting of line.waiters.slice(WAITERS_MAX)) this.#refuse(waiting, spendHeld(line.budget))
  }

  /** Asks the other nodes for what they have of the path of the first who waits. */
  #recall({ waiters: [waiter] }: Line): void {
    if (this.#peers === null || waiter === undefined) return
    const rowIds = waiter.path.flatMap(({ uid }) => {
      const row = this.#shares.get(uid)
      return row !== undefined && row.free < waiter.ask.worstNanos && row.peersNanos > 0 ? row.rowId : []
    })
    if (rowIds.length > 0) void this.#peers.recall(rowIds).catch(this.#onFailure)
  }

  /** Whether anything was granted. */
  async #ask(waiter: Waiter): Promise<boolean> {
    let takes: readonly Take[] = []
    if (await this.#escrow.take(() => (takes = this.#takesFor(waiter)), this.#learnAll)) return true
    // What would only be more than the least, where there is no more, must not keep the others from getting theirs.
    const possible = ({ budgetUid, minNanos }: Take): boolean =>
      minNanos > 0 || (this.#shares.get(budgetUid)?.restNanos ?? 0) > 0
    if (takes.every(possible)) return false
    return await this.#escrow.take(() => this.#takesFor(waiter).filter(possible), this.#learnAll)
  }

  #takesFor(waiter: Waiter): Take[] {
    const { path, ask } = waiter
    const takes: Take[] = []
    for (const budget of path) {
      const row = this.#shares.get(budget.uid)
      const free = row?.free ?? 0
      if (row !== undefined && free >= ask.worstNanos) continue
      takes.push({
        budgetUid: budget.uid,
        minNanos: Math.max(0, ask.floorNanos - free),
        wantNanos: Math.min(CAP_NANOS_MAX, Math.max(ask.worstNanos - free, this.#shareOf(budget, waiter))),
      })
    }
    return takes
  }

  #shareOf({ uid, capNanos }: Budget, { ask, line }: Waiter): number {
    const row = this.#shares.get(uid)
    if (this.#peers === null) return shareOf(row, capNanos, ask)
    return shareBesidePeers(row, ask, line.worstOn(uid))
  }

  readonly #learnAll = (answer: TakeAnswer, takes: readonly Take[], askedMs: number): void => {
    this.#shares.learn(answer, askedMs)
    const known = new Set(answer.standings.map(({ budgetUid }) => budgetUid))
    for (const { budgetUid } of takes) if (!known.has(budgetUid)) this.#forget(budgetUid)
  }

  /** A budget that was deleted binds nobody, also of those who wait. */
  #forget(budgetUid: string): void {
    for (const { waiters } of this.#lines.values()) {
      for (const waiter of waiters) waiter.path = waiter.path.filter(({ uid }) => uid !== budgetUid)
    }
  }

  #tick(): void {
    for (const line of this.#lines.values()) {
      this.#serveLine(line)
      this.#refill(line)
    }
    if (++this.#ticks % (IDLE_MS / ASK_EVERY_MS) !== 0) return
    void this.#escrow.resolveDoubts(this.#learnAll).catch(this.#onFailure)
    void this.#giveBack(() => this.#shares.idle())
  }

  #giveBack(pick: () => readonly Row[]): Promise<void> {
    return this.#escrow.giveBack(() => this.#shares.returnsOf(pick())).catch(this.#onFailure)
  }
}

/** A hold did not fit: the budget that stood in its way first. */
class Blocked {
  readonly budget: Budget | null

  constructor(budget: Budget | null) {
    this.budget = budget
  }
}
