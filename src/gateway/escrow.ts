/** What goes between the ledger in memory and the durable one, in an order in which both stay true (MONEY.md rules 5 to 8). */
import type { Recalled, Take, TakeAnswer } from '../domain/ledger.ts'

interface Give {
  readonly allotmentId: string
  readonly nanos: number
}

/** The durable side of the ledger. */
export interface LedgerPort {
  take(takes: readonly Take[]): Promise<TakeAnswer>
  give(gives: readonly Give[]): Promise<void>
  close(allotmentIds: readonly string[]): Promise<void>
}

/** The other nodes (MONEY.md rules 8 and 9). */
export interface Peers {
  /** Asks them for what is free of their shares of the rows. */
  recall(rowIds: readonly number[]): Promise<void>
  /** They ask for what is free of this node's, or tell that rows stand otherwise than it was told. */
  onRecall(listener: (recalled: Recalled) => void): void
  /** They took this node for lost: what it has counts as spent. Told before anything new is granted to it. */
  onLost(listener: () => void): void
  /** performance.now() until which they do not, and money may be held. */
  leasedUntilMs(): number
}

/** Money on its way back: of allotments that stay open, and whole ones. */
export interface Returns {
  readonly gives: readonly Give[]
  readonly closing: readonly string[]
  /** Called when they are closed. */
  readonly onClosed: () => void
}

type Learn = (answer: TakeAnswer, takes: readonly Take[], askedMs: number) => void

/**
 * Takes and returns, never both at a time: what a take answers and what is given back meanwhile would contradict each
 * other.
 */
export class Escrow {
  readonly #port: LedgerPort
  readonly #takes = new Set<Promise<unknown>>()
  #returns: Promise<void> = Promise.resolve()
  /** Budgets of which a take failed, and performance.now() of that: it may have been granted all the same. */
  readonly #doubtful = new Map<string, number>()
  #isResolving = false

  constructor(port: LedgerPort) {
    this.#port = port
  }

  /**
   * Takes what `pick` says when nothing is on its way back any more, and lets `learn` hear the answer before anything is
   * given back again. False: nothing was picked, or nothing granted. `askedMs` is performance.now() of the question.
   */
  async take(pick: () => readonly Take[], learn: Learn): Promise<boolean> {
    await this.#returns
    const takes = pick()
    if (takes.length === 0) return false
    const askedMs = performance.now()
    const taking = this.#port.take(takes).then(answer => {
      this.#settleDoubts(answer, takes, askedMs)
      learn(answer, takes, askedMs)
      return answer.taken
    })
    this.#takes.add(taking)
    try {
      return await taking
    } catch (error) {
      for (const { budgetUid } of takes) this.#doubtful.set(budgetUid, performance.now())
      throw error
    } finally {
      this.#takes.delete(taking)
    }
  }

  /** Asks what came of the takes that failed: what was granted without this node's knowledge has to go back, too. */
  async resolveDoubts(learn: Learn): Promise<void> {
    if (this.#doubtful.size === 0 || this.#isResolving) return
    this.#isResolving = true
    try {
      await this.take(
        () => Array.from(this.#doubtful.keys(), budgetUid => ({ budgetUid, minNanos: 0, wantNanos: 0 })),
        learn,
      )
    } finally {
      this.#isResolving = false
    }
  }

  /**
   * What is taken, be it nothing, has waited for every earlier take of the row, however late its commit arrived; what is refused
   * has not. A budget without a standing is gone.
   */
  #settleDoubts({ taken, standings }: TakeAnswer, takes: readonly Take[], askedMs: number): void {
    for (const { budgetUid } of takes) {
      if (!taken && standings.some(standing => standing.budgetUid === budgetUid)) continue
      if ((this.#doubtful.get(budgetUid) ?? Infinity) < askedMs) this.#doubtful.delete(budgetUid)
    }
  }

  /** Gives back what `pick` says once no take is under way; one after the other. */
  giveBack(pick: () => Returns): Promise<void> {
    const giving = this.#giveBackAfter(this.#returns, pick)
    this.#returns = giving.catch(() => {})
    return giving
  }

  async #giveBackAfter(earlier: Promise<void>, pick: () => Returns): Promise<void> {
    await earlier
    await Promise.allSettled(this.#takes)
    const { gives, closing, onClosed } = pick()
    try {
      if (gives.length > 0) await this.#port.give(gives)
    } finally {
      if (closing.length > 0) {
        await this.#port.close(closing)
        onClosed()
      }
    }
  }
}
