/**
 * This node among the others (MONEY.md rules 8, 9 and 21). A node lives as long as its lease, which it renews by the
 * database's clock. What a node leaves behind whose lease has run out, any other one resolves, once: by the epoch of the
 * node, which is raised then. Locks are taken in the order node, rows, allotments.
 */
import { systemEntry } from '../domain/audit.ts'
import { ApiError } from '../domain/error.ts'
import type { Committer } from './commit.ts'
import type { Engine } from './engine.ts'
import { lockRow } from './ledger.ts'
import type { Db } from './schema.ts'

/** How long a node that nobody hears from counts as alive. */
export const LEASE_MS = 10_000

export interface NodeIdentity {
  readonly nodeId: string
  readonly leaseMs: number
}

export class Lease {
  readonly #engine: Engine
  readonly #committer: Committer
  readonly #nodeId: string
  readonly #leaseMs: number
  #epoch = 0
  /** performance.now() of the last renewal, and since when every renewal came in time. */
  #renewedMs = -Infinity
  #steadySinceMs = Infinity

  constructor(engine: Engine, committer: Committer, { nodeId, leaseMs }: NodeIdentity) {
    this.#engine = engine
    this.#committer = committer
    this.#nodeId = nodeId
    this.#leaseMs = leaseMs
  }

  /** Begins a lease in the transaction that settles what earlier processes of this node left. */
  async claim(trx: Db, nowMs: number): Promise<void> {
    const run = { lease_time: nowMs + this.#leaseMs, start_time: nowMs }
    const { epoch } = await trx
      .insertInto('node')
      .values({ id: this.#nodeId, epoch: 1, ...run })
      .onConflict(conflict =>
        conflict.column('id').doUpdateSet(node => ({ ...run, epoch: node('node.epoch', '+', 1) })),
      )
      .returning('epoch')
      .executeTakeFirstOrThrow()
    this.#epoch = epoch
    this.#noteRenewal()
  }

  /**
   * Until the transaction ends nobody takes this node for lost. STORAGE_UNAVAILABLE when somebody has: the money is gone.
   */
  async hold(trx: Db): Promise<void> {
    if (!this.#engine.hasPeers) return
    const own = await trx
      .selectFrom('node')
      .select('id')
      .where('id', '=', this.#nodeId)
      .where('epoch', '=', this.#epoch)
      .forShare()
      .executeTakeFirst()
    if (own === undefined) throw leaseLost()
  }

  /**
   * Makes the lease last its full length again. `onLost` is called before a new one begins where the node was taken for
   * lost. STATE_CONFLICT when another process runs as this node: its folder was copied.
   */
  async renew(onLost: () => void): Promise<void> {
    const { db } = this.#engine
    const nowMs = await this.#engine.nowMs(db)
    const { numUpdatedRows } = await db
      .updateTable('node')
      .set({ lease_time: nowMs + this.#leaseMs })
      .where('id', '=', this.#nodeId)
      .where('epoch', '=', this.#epoch)
      .executeTakeFirst()
    if (numUpdatedRows === 0n) {
      onLost()
      await this.#beginAnew(nowMs)
    }
    this.#noteRenewal()
  }

  /**
   * Takes the nodes for lost whose lease has run out: all that they had counts as spent from now on. Whoever could not
   * renew its own lease all the time cannot tell either whether others could, and does nothing yet.
   */
  async resolveLost(): Promise<void> {
    const { db, hasPeers } = this.#engine
    if (hasPeers && performance.now() - this.#steadySinceMs < this.#leaseMs) return
    const nowMs = await this.#engine.nowMs(db)
    // Without peers whoever has another id is gone for good.
    const atMs = hasPeers ? nowMs : Number.MAX_SAFE_INTEGER
    const lost = await db
      .selectFrom('node')
      .select(['id', 'epoch'])
      .where('id', '<>', this.#nodeId)
      .where('lease_time', '<=', atMs)
      .execute()
    for (const { id, epoch } of lost) await this.#resolve({ id, epoch, atMs })
  }

  /** The node leaves. Where it leaves money behind, that waits for it until the lease has run out. */
  async end(): Promise<void> {
    await this.#engine.db
      .updateTable('node')
      .set({ lease_time: null })
      .where('id', '=', this.#nodeId)
      .where('epoch', '=', this.#epoch)
      .where(node =>
        node.not(
          node.exists(
            node
              .selectFrom('allotment')
              .select('id')
              .where('node_id', '=', this.#nodeId)
              .where('lost_time', 'is', null),
          ),
        ),
      )
      .execute()
  }

  async #beginAnew(nowMs: number): Promise<void> {
    const { db } = this.#engine
    const id = this.#nodeId
    const found = await db.selectFrom('node').selectAll().where('id', '=', id).executeTakeFirst()
    if (found !== undefined && found.lease_time !== null) {
      if (found.lease_time > nowMs) throw folderCopied()
      await this.#resolve({ id, epoch: found.epoch, atMs: nowMs })
    }
    const begun = await db
      .updateTable('node')
      .set(node => ({ epoch: node('epoch', '+', 1), lease_time: nowMs + this.#leaseMs }))
      .where('id', '=', id)
      .where('lease_time', 'is', null)
      .returning('epoch')
      .executeTakeFirst()
    if (begun === undefined) throw folderCopied()
    this.#epoch = begun.epoch
  }

  #noteRenewal(): void {
    const nowMs = performance.now()
    if (nowMs - this.#renewedMs > this.#leaseMs / 2) this.#steadySinceMs = nowMs
    this.#renewedMs = nowMs
  }

  /** Does nothing where the node has been heard of, or taken for lost, since `epoch` and `atMs`. */
  async #resolve({ id, epoch, atMs }: Lost): Promise<void> {
    await this.#committer.commitAhead({ audit: null, operation: null }, async (trx, nowMs) => {
      const { numUpdatedRows } = await trx
        .updateTable('node')
        .set(node => ({ epoch: node('epoch', '+', 1), lease_time: null }))
        .where('id', '=', id)
        .where('epoch', '=', epoch)
        .where('lease_time', '<=', atMs)
        .executeTakeFirst()
      if (numUpdatedRows === 0n) return null
      const lost = await loseAllotments(trx, id, nowMs)
      if (lost.length === 0) return null
      const entry = systemEntry({
        methodName: 'pollux.v1.Ledger.LoseNode',
        resourceName: `nodes/${id}`,
        projectNumber: null,
      })
      return { result: null, changes: [], resource: null, entries: [{ ...entry, after: { lost } }] }
    })
  }
}

interface Lost {
  readonly id: string
  readonly epoch: number
  readonly atMs: number
}

/** Posts all of the node's open allotments; what of it is not settled is the estimate of what is not known. */
async function loseAllotments(
  trx: Db,
  nodeId: string,
  nowMs: number,
): Promise<readonly { readonly rowId: number; readonly estimatedNanos: string }[]> {
  const open = await trx
    .selectFrom('allotment')
    .select(['id', 'row_id'])
    .where('node_id', '=', nodeId)
    .where('lost_time', 'is', null)
    .orderBy('row_id')
    .execute()
  for (const { row_id: rowId } of open) await lockRow(trx, rowId)
  const lostRows = []
  for (const { id, row_id: rowId } of open) {
    const lost = await trx
      .updateTable('allotment')
      .set({ lost_time: nowMs })
      .where('id', '=', id)
      .where('lost_time', 'is', null)
      .returning(['granted', 'settled'])
      .executeTakeFirst()
    if (lost === undefined) continue
    const { granted, settled } = lost
    await trx
      .updateTable('budget_period')
      .set(row => ({ posted: row('posted', '+', granted), allotted: row('allotted', '-', granted) }))
      .where('id', '=', rowId)
      .execute()
    lostRows.push({ rowId, estimatedNanos: String(granted - settled) })
  }
  return lostRows
}

function leaseLost(): ApiError {
  return new ApiError(
    'STORAGE_UNAVAILABLE',
    'This node was not heard of for too long, so its share of the budgets counts as spent. Please retry.',
  )
}

function folderCopied(): ApiError {
  return new ApiError(
    'STATE_CONFLICT',
    'Another Pollux runs with the node id of this data folder, so no money is spent here. Was the folder copied? Give ' +
      'each process an empty folder of its own.',
  )
}
