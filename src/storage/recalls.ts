/**
 * Recall (MONEY.md rule 8): a node that lacks money marks the rows, and the others give back what they do not need. Marked are
 * rows, too, of which less is posted than the others may have been told. A message on the bus
 * only says that there is something to look at (rule 23); a node that hears none looks as often as for changes.
 */
import type { Recalled } from '../domain/ledger.ts'
import type { Engine } from './engine.ts'

/** Longer than between two looks, and short enough that nobody comes upon what has long been answered. */
const RECALL_LASTS_MS = 2_000

export class Recalls {
  readonly #engine: Engine
  readonly #nodeId: string
  readonly #announce: () => void
  /** The recalls that were seen in the last look: a mark of a row and a moment is answered once. */
  #seen: ReadonlySet<string> = new Set()

  /** `announce` wakes the other nodes. */
  constructor(engine: Engine, nodeId: string, announce: () => void) {
    this.#engine = engine
    this.#nodeId = nodeId
    this.#announce = announce
  }

  /** Has the other nodes look at the rows. */
  async mark(kind: keyof Recalled, rowIds: readonly number[]): Promise<void> {
    if (rowIds.length === 0 || !this.#engine.hasPeers) return
    const { db } = this.#engine
    const nowMs = await this.#engine.nowMs(db)
    const inOrder = rowIds.toSorted((left, right) => left - right)
    await db
      .insertInto('recall')
      .values(inOrder.map(rowId => ({ row_id: rowId, node_id: this.#nodeId, kind, time: nowMs })))
      .onConflict(conflict => conflict.columns(['row_id', 'node_id', 'kind']).doUpdateSet({ time: nowMs }))
      .execute()
    this.#announce()
  }

  /** What others have marked since the last look. */
  async look(): Promise<Recalled> {
    const { watch } = this.#engine
    const nowMs = await this.#engine.nowMs(watch)
    const recalled = await watch
      .selectFrom('recall')
      .selectAll()
      .where('node_id', '<>', this.#nodeId)
      .where('time', '>', nowMs - RECALL_LASTS_MS)
      .execute()
    const fresh = { lacking: new Set<number>(), lowered: new Set<number>() }
    const seen = new Set<string>()
    for (const { row_id: rowId, node_id: nodeId, kind, time } of recalled) {
      const mark = `${kind} ${rowId} ${nodeId} ${time}`
      seen.add(mark)
      if (!this.#seen.has(mark)) fresh[kind].add(rowId)
    }
    this.#seen = seen
    return { lacking: [...fresh.lacking], lowered: [...fresh.lowered] }
  }

  /** Forgets this node's own marks that nobody answers any more. */
  async tidy(): Promise<void> {
    const { db } = this.#engine
    const nowMs = await this.#engine.nowMs(db)
    await db
      .deleteFrom('recall')
      .where('time', '<', nowMs - 10 * RECALL_LASTS_MS)
      .execute()
  }
}
