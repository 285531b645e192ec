/** One change = one transaction: the change itself, its audit entry, its operation, and the epoch that tells the peers. */
import type { AuditEntry } from '../domain/audit.ts'
import type { Budget } from '../domain/budget.ts'
import type { Key } from '../domain/key.ts'
import type { Project } from '../domain/project.ts'
import type { AuditChain } from './audit-chain.ts'
import type { Engine } from './engine.ts'
import { Gate } from './gate.ts'
import type { Db } from './schema.ts'
import type { Change, OperationDraft } from './storage.ts'

/** What goes into the transaction beside the change. */
export interface Trail {
  /** null: the change writes its entries itself. */
  readonly audit: AuditEntry | null
  readonly operation: OperationDraft | null
}

type Resource = Key | Project | Budget

/** What a change made: `changes` are told to listeners; the resource is stored with the operation. */
export interface Outcome<Result> {
  readonly result: Result
  readonly changes: readonly Change[]
  readonly resource: Resource | null
  /** What else happened with the change, for the audit trail. */
  readonly entries?: readonly AuditEntry[]
}

/** Half of the connections (postgres-pool.ts): a burst of changes never keeps usage from being committed. */
const COMMITS_AT_ONCE_MAX = 4
const COMMIT_WAIT_MS = 10_000

export class Committer {
  readonly #gate = new Gate(COMMITS_AT_ONCE_MAX, COMMIT_WAIT_MS)
  readonly #engine: Engine
  readonly #chain: AuditChain
  readonly #emit: (change: Change) => void
  /** Epochs that this process is making or made since `#seenEpoch`. */
  readonly #ownEpochs = new Set<number>()
  #seenEpoch: number | null = null

  constructor(engine: Engine, chain: AuditChain, emit: (change: Change) => void) {
    this.#engine = engine
    this.#chain = chain
    this.#emit = emit
  }

  /** Runs `work` in a transaction and tells the listeners before it returns. */
  async commit<Result>(
    trail: Trail,
    work: (trx: Db, nowMs: number) => Promise<Outcome<Result>>,
  ): Promise<Result> {
    const result = await this.commitIfAny(trail, work)
    if (result === null) throw new Error('a change that always writes wrote nothing')
    return result
  }

  /** Like `commit`; but `work` gives null when it found nothing to change, and then nothing is written. */
  async commitIfAny<Result>(
    trail: Trail,
    work: (trx: Db, nowMs: number) => Promise<Outcome<Result> | null>,
  ): Promise<Result | null> {
    return await this.#gate.pass(() => this.#commit(trail, work))
  }

  /** Like `commitIfAny`, but never waits behind other changes: what is stored with usage must not keep it waiting. */
  async commitAhead<Result>(
    trail: Trail,
    work: (trx: Db, nowMs: number) => Promise<Outcome<Result> | null>,
  ): Promise<Result | null> {
    return await this.#commit(trail, work)
  }

  async #commit<Result>(
    trail: Trail,
    work: (trx: Db, nowMs: number) => Promise<Outcome<Result> | null>,
  ): Promise<Result | null> {
    let epoch: number | null = null
    let outcome: Outcome<Result> | null
    try {
      outcome = await this.#engine.db.transaction().execute(async trx => {
        const nowMs = await this.#engine.nowMs(trx)
        const outcome = await work(trx, nowMs)
        if (outcome === null) return null
        await this.#writeTrail(trx, nowMs, { trail, outcome })
        epoch = await raiseEpoch(trx)
        if (this.#engine.hasPeers) this.#ownEpochs.add(epoch)
        return outcome
      })
    } catch (error) {
      // If the commit did happen after all, the next poll sees an epoch of unknown making and drops every cache.
      if (epoch !== null) this.#ownEpochs.delete(epoch)
      throw error
    }
    if (outcome === null) return null
    for (const change of outcome.changes) this.#emit(change)
    return outcome.result
  }

  /** The entries come last but for the epoch, so that the chain is not locked for longer than it takes. */
  async #writeTrail(
    trx: Db,
    nowMs: number,
    { trail, outcome }: { readonly trail: Trail; readonly outcome: Outcome<unknown> },
  ): Promise<void> {
    const { audit, operation } = trail
    const { resource, entries = [] } = outcome
    if (operation !== null) {
      const { name, verb } = operation
      await trx
        .insertInto('operation')
        .values({ name, verb, create_time: nowMs, resource: JSON.stringify(resource) })
        .execute()
    }
    if (audit !== null) await this.#chain.append(trx, completed(audit, resource), nowMs)
    for (const entry of entries) await this.#chain.append(trx, entry, nowMs)
  }

  /** Looks whether another process changed something, and says so to the listeners. */
  async poll(): Promise<void> {
    const { value } = await this.#engine.db.selectFrom('epoch').select('value').executeTakeFirstOrThrow()
    const seen = this.#seenEpoch
    this.#seenEpoch = value
    if (seen === null || value === seen) return
    let own = 0
    for (const epoch of this.#ownEpochs) {
      if (epoch > value) continue
      if (epoch > seen) own += 1
      this.#ownEpochs.delete(epoch)
    }
    if (value - seen !== own) this.#emit({ kind: 'all' })
  }
}

async function raiseEpoch(trx: Db): Promise<number> {
  const { value } = await trx
    .updateTable('epoch')
    .set(row => ({ value: row('value', '+', 1) }))
    .returning('value')
    .executeTakeFirstOrThrow()
  return value
}

/** Only the transaction knows the number of a new project and the resource as it was stored. */
function completed(entry: AuditEntry, resource: Resource | null): AuditEntry {
  if (resource === null) return entry
  const number = 'number' in resource ? resource.number : resource.projectNumber
  return { ...entry, projectNumber: entry.projectNumber ?? number, after: entry.after ?? resource }
}
