/** One change = one transaction: the change itself, its audit entry, its operation, and the epoch that tells the peers. */
import type { AuditEntry } from '../domain/audit.ts'
import type { Budget } from '../domain/budget.ts'
import { ApiError } from '../domain/error.ts'
import type { Key } from '../domain/key.ts'
import type { Project } from '../domain/project.ts'
import type { AuditChain } from './audit-chain.ts'
import { isDiskFull } from './ballast.ts'
import type { Engine } from './engine.ts'
import { Gate } from './gate.ts'
import { assertWanted } from './patience.ts'
import type { Db } from './schema.ts'
import { type Spent, type SpentAsk, UnreadRecords } from './spent.ts'
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
/** One reading of many records at a time; as long as a client waits for an answer (cli/command.ts). */
const READING_WAIT_MS = 60_000
/** Each was of something else: what a change opens budgets for was changed by others in between. */
const READINGS_MAX = 5

/**
 * A change. It may throw UnreadRecords for records that it has to sum: then it is undone, they are read beside everything
 * else, and it is done again with what they cost (`spent`).
 */
type Work<Made> = (trx: Db, nowMs: number, spent: Spent | null) => Promise<Made>

export class Committer {
  readonly #gate = new Gate(COMMITS_AT_ONCE_MAX, COMMIT_WAIT_MS)
  readonly #reading = new Gate(1, READING_WAIT_MS)
  readonly #engine: Engine
  readonly #chain: AuditChain
  readonly #emit: (change: Change) => void
  readonly #announce: () => void
  /** Epochs that this process is making or made since `#seenEpoch`. */
  readonly #ownEpochs = new Set<number>()
  #seenEpoch: number | null = null
  #looking: Promise<void> = Promise.resolve()
  /** The look that begins when `#looking` ends; for everybody who asks until then. */
  #nextLook: Promise<void> | null = null

  /** `emit` tells this process what changed, `announce` tells the others that something did. */
  constructor(
    engine: Engine,
    chain: AuditChain,
    emit: (change: Change) => void,
    announce: () => void = () => {},
  ) {
    this.#engine = engine
    this.#chain = chain
    this.#emit = emit
    this.#announce = announce
  }

  /** Runs `work` in a transaction and tells the listeners before it returns. */
  async commit<Result>(trail: Trail, work: Work<Outcome<Result>>): Promise<Result> {
    const result = await this.commitIfAny(trail, work)
    if (result === null) throw new Error('a change that always writes wrote nothing')
    return result
  }

  /**
   * Like `commit`; but `work` gives null when it found nothing to change, and then nothing is written. On a full disk `work` is
   * done again in the room that the ballast gives up.
   */
  async commitIfAny<Result>(trail: Trail, work: Work<Outcome<Result> | null>): Promise<Result | null> {
    let spent: Spent | null = null
    for (let readings = 0; ; readings += 1) {
      const read = spent
      try {
        return await this.#commitInTurn(trail, (trx, nowMs) => work(trx, nowMs, read))
      } catch (error) {
        if (!(error instanceof UnreadRecords)) throw error
        if (readings === READINGS_MAX) throw changedMeanwhile()
        spent = await this.#read(error.ask)
      }
    }
  }

  async #commitInTurn<Result>(
    trail: Trail,
    work: (trx: Db, nowMs: number) => Promise<Outcome<Result> | null>,
  ): Promise<Result | null> {
    return await this.#gate.pass(async () => {
      assertWanted()
      try {
        return await this.#commit(trail, work)
      } catch (error) {
        const { ballast, db } = this.#engine
        if (ballast === null || !isDiskFull(error)) throw error
        return await ballast.lend(db, free =>
          this.#commit(trail, async (trx, nowMs) => {
            await free(trx)
            return await work(trx, nowMs)
          }),
        )
      }
    })
  }

  async #read(ask: SpentAsk): Promise<Spent> {
    return await this.#reading.pass(async () => {
      assertWanted()
      return await this.#engine.read('spent', ask)
    })
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
        // What no cache holds, such as a session, is no reason for the peers to drop theirs.
        if (outcome.changes.length === 0) return outcome
        epoch = await raiseEpoch(trx)
        if (this.#engine.hasPeers) {
          this.#ownEpochs.add(epoch)
          await logChanges(trx, epoch, outcome.changes)
        }
        return outcome
      })
    } catch (error) {
      // If the commit did happen after all, the next poll sees an epoch of unknown making and drops every cache.
      if (epoch !== null) this.#ownEpochs.delete(epoch)
      throw error
    }
    if (outcome === null) return null
    for (const change of outcome.changes) this.#emit(change)
    if (outcome.changes.length > 0) this.#announce()
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

  /**
   * Looks whether another process changed something, and says to the listeners what. Resolves when everything that was
   * committed before the question was told.
   */
  poll(): Promise<void> {
    this.#nextLook ??= this.#looking
      .catch(() => {})
      .then(() => {
        this.#nextLook = null
        this.#looking = this.#look()
        return this.#looking
      })
    return this.#nextLook
  }

  async #look(): Promise<void> {
    const { watch } = this.#engine
    const { value } = await watch.selectFrom('epoch').select('value').executeTakeFirstOrThrow()
    const seen = this.#seenEpoch
    if (seen !== null && value !== seen)
      for (const change of await this.#changesOfOthers(seen, value)) this.#emit(change)
    this.#seenEpoch = value
  }

  /** What others changed after epoch `seen`, up to `value`. Everything, where the log does not say it of each epoch. */
  async #changesOfOthers(seen: number, value: number): Promise<readonly Change[]> {
    const isOwn = new Set<number>()
    for (const epoch of this.#ownEpochs) {
      if (epoch > value) continue
      if (epoch > seen) isOwn.add(epoch)
      this.#ownEpochs.delete(epoch)
    }
    const others = value - seen - isOwn.size
    if (others === 0) return []
    if (others < 0 || others > CHANGES_READ_MAX) return [{ kind: 'all' }]
    const rows = await this.#engine.watch
      .selectFrom('change_log')
      .select(['epoch', 'changes'])
      .where('epoch', '>', seen)
      .where('epoch', '<=', value)
      .orderBy('epoch')
      .execute()
    const logged = rows.filter(({ epoch }) => !isOwn.has(epoch))
    if (logged.length !== others) return [{ kind: 'all' }]
    return logged.flatMap(({ changes }) => JSON.parse(changes) as readonly Change[])
  }
}

/** Whoever is further behind drops everything it knows. */
const CHANGES_READ_MAX = 100
const CHANGES_KEPT = 1_000

async function logChanges(trx: Db, epoch: number, changes: readonly Change[]): Promise<void> {
  await trx
    .insertInto('change_log')
    .values({ epoch, changes: JSON.stringify(changes) })
    .execute()
  await trx
    .deleteFrom('change_log')
    .where('epoch', '<=', epoch - CHANGES_KEPT)
    .execute()
}

async function raiseEpoch(trx: Db): Promise<number> {
  const { value } = await trx
    .updateTable('epoch')
    .set(row => ({ value: row('value', '+', 1) }))
    .returning('value')
    .executeTakeFirstOrThrow()
  return value
}

function changedMeanwhile(): ApiError {
  return new ApiError(
    'STATE_CONFLICT',
    'The keys or projects of the change were changed by others again and again. Nothing was done; try again.',
  )
}

/** Only the transaction knows the number of a new project and the resource as it was stored. */
function completed(entry: AuditEntry, resource: Resource | null): AuditEntry {
  if (resource === null) return entry
  const number = 'number' in resource ? resource.number : resource.projectNumber
  return { ...entry, projectNumber: entry.projectNumber ?? number, after: entry.after ?? resource }
}
