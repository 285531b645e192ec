/**
 * The durable side of the ledger in a few lines, for nodes that a test drives by hand in time that it moves: what is
 * granted, given back, closed and settled, and who asked for what. The real one has its own suites.
 */
import type { Budget } from '../src/domain/budget.ts'
import type { Recalled, Standing, Take, TakeAnswer } from '../src/domain/ledger.ts'
import { type HeldMoney, Ledger } from '../src/gateway/ledger.ts'
import { budgetOf } from './budgets.ts'

interface Share {
  readonly id: string
  readonly node: string
  readonly budgetUid: string
  granted: number
  settled: number
}

interface Book {
  readonly rowId: number
  capNanos: number
  posted: number
}

/** What a node asked for, and when. */
export interface Asked {
  readonly atMs: number
  readonly what: 'take' | 'give' | 'close' | 'recall'
  readonly of: readonly unknown[]
}

export interface PlayedNode {
  readonly ledger: Ledger
  readonly asked: Asked[]
  /** What it asked for of one kind. */
  readonly askedOf: (what: Asked['what']) => readonly (readonly unknown[])[]
  readonly tell: (recalled: Partial<Recalled>) => void
  readonly lose: () => void
  /** Writes down what a call cost, and lets its hold go. */
  readonly settle: (held: HeldMoney, costNanos: number) => void
  /** How long answers take; Infinity: they do not come. */
  answersMs: number
  leasedUntilMs: number
}

export class PlayedEscrow {
  readonly #books = new Map<string, Book>()
  readonly #shares = new Map<string, Share>()
  #made = 0

  /** A budget with this cap; its uid is its name. */
  budget(name: string, capNanos: number): Budget {
    const book = this.#books.get(name)
    if (book === undefined) this.#books.set(name, { rowId: this.#books.size + 1, capNanos, posted: 0 })
    else book.capNanos = capNanos
    this.#made += 1
    return budgetOf({ uid: name, capNanos, etag: `etag-${this.#made}` })
  }

  /** Money that somebody else posts, or that turns out not to be posted. */
  post(name: string, nanos: number): void {
    this.#bookOf(name).posted += nanos
  }

  rowIdOf(name: string): number {
    return this.#bookOf(name).rowId
  }

  /** What all nodes have of a budget and have not settled. */
  allotted(name: string): number {
    return [...this.#shares.values()]
      .filter(({ budgetUid }) => budgetUid === name)
      .reduce((sum, { granted, settled }) => sum + granted - settled, 0)
  }

  posted(name: string): number {
    return this.#bookOf(name).posted
  }

  /** Others take a node for lost: all that it had counts as spent. */
  lose({ lose }: PlayedNode, name: string): void {
    for (const share of this.#shares.values()) {
      if (share.node !== name) continue
      this.post(share.budgetUid, share.granted - share.settled)
      this.#shares.delete(share.id)
    }
    lose()
  }

  /** A node that draws on the budgets alone. */
  node(name: string): PlayedNode {
    return this.#open(name, false)
  }

  /** A node beside others. */
  peer(name: string): PlayedNode {
    return this.#open(name, true)
  }

  #open(name: string, hasPeers: boolean): PlayedNode {
    const asked: Asked[] = []
    const recalled: ((recalled: Recalled) => void)[] = []
    const lost: (() => void)[] = []
    const ask = async <Result>(what: Asked['what'], of: readonly unknown[], work: () => Result) => {
      asked.push({ atMs: performance.now(), what, of })
      const answer = work()
      if (node.answersMs === Infinity) return await new Promise<Result>(() => {})
      if (node.answersMs > 0) await new Promise(resolve => setTimeout(resolve, node.answersMs))
      return answer
    }
    const ledger = new Ledger({
      port: {
        take: takes => ask('take', takes, () => this.#take(name, takes)),
        give: gives => ask('give', gives, () => gives.forEach(give => this.#give(give))),
        close: ids => ask('close', ids, () => ids.forEach(id => this.#shares.delete(id))),
      },
      peers: hasPeers
        ? {
            recall: rowIds => ask('recall', rowIds, () => {}),
            onRecall: listener => void recalled.push(listener),
            onLost: listener => void lost.push(listener),
            leasedUntilMs: () => node.leasedUntilMs,
          }
        : null,
      onFailure: error => {
        throw error
      },
    })
    const node: PlayedNode = {
      ledger,
      asked,
      askedOf: what => asked.filter(one => one.what === what).map(({ of }) => of),
      tell: news => recalled.forEach(tell => tell({ lacking: [], lowered: [], ...news })),
      lose: () => lost.forEach(tell => tell()),
      settle: (held, costNanos) => {
        for (const { allotmentId, nanos } of ledger.charges(held, costNanos)) this.#settle(allotmentId, nanos)
        ledger.release(held, costNanos)
      },
      answersMs: 1,
      leasedUntilMs: Infinity,
    }
    return node
  }

  #bookOf(name: string): Book {
    const book = this.#books.get(name)
    if (book === undefined) throw new Error(`no budget ${name}`)
    return book
  }

  #take(node: string, takes: readonly Take[]): TakeAnswer {
    const grants = takes.map(({ budgetUid, minNanos, wantNanos }) => {
      const { capNanos, posted } = this.#bookOf(budgetUid)
      const rest = capNanos - posted - this.allotted(budgetUid)
      const nanos = Math.min(rest, Math.max(minNanos, wantNanos))
      const fits = wantNanos === 0 || (rest > 0 && rest >= minNanos)
      return { budgetUid, nanos: wantNanos === 0 ? 0 : nanos, fits }
    })
    const taken = grants.every(({ fits }) => fits)
    if (taken) for (const { budgetUid, nanos } of grants) this.#shareOf(node, budgetUid).granted += nanos
    const standings = takes.map(({ budgetUid }) => this.#standing(node, budgetUid))
    return { taken, standings, nowMs: Date.now() }
  }

  #shareOf(node: string, budgetUid: string): Share {
    const found = [...this.#shares.values()].find(one => one.node === node && one.budgetUid === budgetUid)
    if (found !== undefined) return found
    this.#made += 1
    const share = { id: `share-${this.#made}`, node, budgetUid, granted: 0, settled: 0 }
    this.#shares.set(share.id, share)
    return share
  }

  #standing(node: string, budgetUid: string): Standing {
    const { rowId, capNanos, posted } = this.#bookOf(budgetUid)
    const own = [...this.#shares.values()].find(one => one.node === node && one.budgetUid === budgetUid)
    return {
      budgetUid,
      rowId,
      periodStartMs: 0,
      periodEndMs: null,
      capNanos,
      postedNanos: posted,
      allottedNanos: this.allotted(budgetUid),
      isFrozen: false,
      allotment:
        own === undefined ? null : { id: own.id, grantedNanos: own.granted, settledNanos: own.settled },
    }
  }

  #give({ allotmentId, nanos }: { readonly allotmentId: string; readonly nanos: number }): void {
    const share = this.#shares.get(allotmentId)
    if (share === undefined || share.granted - share.settled < nanos)
      throw new Error(`${nanos} are given back of ${JSON.stringify(share)}`)
    share.granted -= nanos
  }

  #settle(allotmentId: string, nanos: number): void {
    const share = this.#shares.get(allotmentId)
    if (share === undefined) throw new Error(`${allotmentId} is not open`)
    share.settled += nanos
    this.#bookOf(share.budgetUid).posted += nanos
  }
}
