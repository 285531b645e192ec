import type { Budget } from '../domain/budget.ts'
import type { ApiError } from '../domain/error.ts'
import type { Ask } from './ask.ts'
import type { HeldMoney } from './ledger.ts'

/** A call that waits for money. */
export interface Waiter {
  path: readonly Budget[]
  readonly ask: Ask
  /** Counted up in the order of arrival. */
  readonly number: number
  line: Line
  readonly resolve: (held: HeldMoney) => void
  readonly reject: (error: ApiError) => void
  readonly timer: NodeJS.Timeout
}

/** Calls that wait for one budget, in the order in which they came, also where they waited for another one before. */
export class Line {
  readonly budget: Budget
  readonly waiters: Waiter[] = []
  asking = false
  /** performance.now() when money was asked for, and when that was in vain. */
  askedMs = -Infinity
  refusedMs = -Infinity

  constructor(budget: Budget) {
    this.budget = budget
  }

  /** Whether somebody waits here who came before `number`. */
  isBefore(number: number): boolean {
    const [first] = this.waiters
    return first !== undefined && first.number < number
  }

  /** What all who wait here would hold of a budget. */
  worstOn(budgetUid: string): number {
    let nanos = 0
    for (const { path, ask } of this.waiters)
      if (path.some(({ uid }) => uid === budgetUid)) nanos += ask.worstNanos
    return nanos
  }

  add(waiter: Waiter): void {
    let place = this.waiters.length
    while (place > 0 && (this.waiters[place - 1]?.number ?? 0) > waiter.number) place--
    this.waiters.splice(place, 0, waiter)
    waiter.line = this
  }

  /** False: it does not wait here any more. */
  remove(waiter: Waiter): boolean {
    const place = this.waiters.indexOf(waiter)
    if (place !== -1) this.waiters.splice(place, 1)
    return place !== -1
  }
}
