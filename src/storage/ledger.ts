/**
 * The escrow (MONEY.md rules 5 to 8): allotments are granted, given back and closed. Locks are taken in the order node,
 * budget, rows, allotments, the latter two by row id: transactions wait for each other but never deadlock.
 */
import { sql } from 'kysely'
import type { BudgetPeriod } from '../domain/budget.ts'
import { ApiError } from '../domain/error.ts'
import { periodWindow } from '../domain/period.ts'
import { ensureRow, settledIn } from './budget-period.ts'
import type { Engine } from './engine.ts'
import { databaseDamaged } from './failure.ts'
import { Gate } from './gate.ts'
import type { Lease } from './lease.ts'
import { assertWanted } from './patience.ts'
import type { Recalls } from './recalls.ts'
import type { Db } from './schema.ts'
import type { Standing, Take, TakeAnswer } from '../domain/ledger.ts'
import type { LedgerRemote, Verification } from './storage.ts'

/** How often the rest of a cap is tried for while other nodes take from it too. */
const REST_ATTEMPTS_MAX = 3
/** Who verifies the ledger while somebody else does waits for that, for as long as a client does (cli/command.ts). */
const VERIFY_WAIT_MS = 60_000

interface CurrentRow {
  readonly rowId: number
  readonly startMs: number
  readonly endMs: number | null
}

type RowTake = Take & CurrentRow

interface Grant {
  readonly rowId: number
  readonly nanos: number
}

/** Ends the transaction of a take that does not fit. */
class NotTaken extends Error {}

/** The node that the ledger is asked for. */
export interface LedgerNode {
  readonly nodeId: string
  readonly lease: Lease
  readonly recalls: Recalls
}

export class Ledger implements LedgerRemote {
  readonly #engine: Engine
  readonly #nodeId: string
  readonly #lease: Lease
  readonly #recalls: Recalls
  readonly #timeZone: string
  readonly #verifying = new Gate(1, VERIFY_WAIT_MS)
  /** What never changes of a budget. */
  readonly #periods = new Map<string, BudgetPeriod>()
  /** The rows asked for last, by budget; a row stays what it is, so only its period has to be compared. */
  readonly #rows = new Map<string, CurrentRow>()

  constructor(engine: Engine, { nodeId, lease, recalls }: LedgerNode, timeZone: string) {
    this.#engine = engine
    this.#nodeId = nodeId
    this.#lease = lease
    this.#recalls = recalls
    this.#timeZone = timeZone
  }

  async take(takes: readonly Take[]): Promise<TakeAnswer> {
    for (const { minNanos, wantNanos } of takes) requireAmounts(minNanos, wantNanos)
    const { db } = this.#engine
    const nowMs = await this.#engine.nowMs(db)
    const rows: RowTake[] = []
    let isComplete = true
    for (const take of takes) {
      const row = await this.#currentRow(take.budgetUid, nowMs)
      if (row === null) isComplete = false
      else rows.push({ ...take, ...row })
    }
    rows.sort((left, right) => left.rowId - right.rowId)
    if (isComplete) {
      try {
        const standings = await db.transaction().execute(async trx => {
          await this.#lease.hold(trx)
          // Nobody waits for a question, and what is given back waits for it.
          if (rows.every(isQuestion)) await this.#engine.limitLockWait(trx)
          const grants: Grant[] = []
          for (const row of rows) grants.push({ rowId: row.rowId, nanos: await grantUpTo(trx, row) })
          for (const grant of grants) await this.#allot(trx, grant, nowMs)
          return await this.#standings(trx, rows)
        })
        return { taken: standings.length === rows.length, standings, nowMs }
      } catch (error) {
        if (!(error instanceof NotTaken)) throw error
      }
    }
    return { taken: false, standings: await this.#standings(db, rows), nowMs }
  }

  async give(gives: readonly { readonly allotmentId: string; readonly nanos: number }[]): Promise<void> {
    for (const { nanos } of gives) requireAmounts(nanos)
    await this.#engine.db.transaction().execute(async trx => {
      await this.#lease.hold(trx)
      const rowIds = await this.#rowsOf(
        trx,
        gives.map(({ allotmentId }) => allotmentId),
      )
      const inOrder = gives
        .map(give => ({ ...give, rowId: rowIds.get(give.allotmentId) ?? 0 }))
        .sort((left, right) => left.rowId - right.rowId)
      for (const { nanos, rowId } of inOrder) {
        await trx
          .updateTable('budget_period')
          .set(row => ({ allotted: row('allotted', '-', nanos) }))
          .where('id', '=', rowId)
          .execute()
      }
      for (const { allotmentId, nanos } of inOrder) {
        const { numUpdatedRows } = await trx
          .updateTable('allotment')
          .set(row => ({ granted: row('granted', '-', nanos) }))
          .where('id', '=', allotmentId)
          .where('node_id', '=', this.#nodeId)
          .where('lost_time', 'is', null)
          .where(row => row(row('granted', '-', nanos), '>=', row.ref('settled')))
          .executeTakeFirst()
        if (numUpdatedRows === 0n) throw notToGive(allotmentId, nanos)
      }
    })
  }

  /**
   * An allotment that is not there was closed before: the answer may have been lost. What a lost one did not settle is no
   * estimate any more: this node knows.
   */
  async close(allotmentIds: readonly string[]): Promise<void> {
    if (allotmentIds.length === 0) return
    const lowered: number[] = []
    await this.#engine.db.transaction().execute(async trx => {
      const rowIds = await this.#rowsOf(trx, allotmentIds)
      const inOrder = [...rowIds].sort(([, left], [, right]) => left - right)
      for (const [, rowId] of inOrder) await lockRow(trx, rowId)
      for (const [id, rowId] of inOrder) {
        const closed = await trx
          .deleteFrom('allotment')
          .where('id', '=', id)
          .returning(['granted', 'settled', 'lost_time'])
          .executeTakeFirst()
        if (closed === undefined) continue
        const { granted, settled, lost_time: lostTime } = closed
        if (lostTime !== null) lowered.push(rowId)
        await trx
          .updateTable('budget_period')
          .set(row =>
            lostTime === null
              ? { posted: row('posted', '+', settled), allotted: row('allotted', '-', granted) }
              : { posted: row('posted', '-', granted - settled) },
          )
          .where('id', '=', rowId)
          .execute()
      }
    })
    // Others may still refuse for what is posted no more.
    await this.#recalls.mark('lowered', lowered)
  }

  async recall(rowIds: readonly number[]): Promise<void> {
    await this.#recalls.mark('lacking', rowIds)
  }

  async verify(): Promise<Verification> {
    return await this.#verifying.pass(async () => {
      assertWanted()
      const { problems, verification } = await this.#engine.read('verification', null)
      if (verification === null) throw databaseDamaged(this.#engine.place, problems)
      return verification
    })
  }

  /** null for a budget that does not exist. */
  async #currentRow(budgetUid: string, nowMs: number): Promise<CurrentRow | null> {
    const known = this.#rows.get(budgetUid)
    if (known !== undefined && known.startMs <= nowMs && (known.endMs === null || nowMs < known.endMs)) {
      return known
    }
    const { db } = this.#engine
    let period = this.#periods.get(budgetUid)
    if (period === undefined) {
      const found = await db
        .selectFrom('budget')
        .select('period')
        .where('uid', '=', budgetUid)
        .where('delete_time', 'is', null)
        .executeTakeFirst()
      if (found === undefined) return null
      period = found.period as BudgetPeriod
      this.#periods.set(budgetUid, period)
    }
    const { startMs, endMs } = periodWindow(period, this.#timeZone, nowMs)
    const row = { rowId: await ensureRow(db, budgetUid, startMs), startMs, endMs }
    this.#rows.set(budgetUid, row)
    return row
  }

  async #allot(trx: Db, { rowId, nanos }: Grant, nowMs: number): Promise<void> {
    if (nanos === 0) return
    await trx
      .insertInto('allotment')
      .values({
        id: crypto.randomUUID(),
        node_id: this.#nodeId,
        row_id: rowId,
        granted: nanos,
        settled: 0,
        open_time: nowMs,
        lost_time: null,
      })
      .onConflict(conflict =>
        conflict
          .columns(['row_id', 'node_id'])
          .where('lost_time', 'is', null)
          .doUpdateSet(row => ({ granted: row('allotment.granted', '+', nanos) })),
      )
      .execute()
  }

  /** Where the rows stand; those of deleted budgets do not stand any more. */
  async #standings(db: Db, rows: readonly RowTake[]): Promise<readonly Standing[]> {
    if (rows.length === 0) return []
    const found = await db
      .selectFrom('budget_period as p')
      .innerJoin('budget', 'budget.uid', 'p.budget_uid')
      .leftJoin('allotment as own', join =>
        join
          .onRef('own.row_id', '=', 'p.id')
          .on('own.node_id', '=', this.#nodeId)
          .on('own.lost_time', 'is', null),
      )
      .select(['p.id', 'p.posted', 'p.allotted', 'budget.uid', 'budget.cap', 'budget.frozen_time'])
      .select(['own.id as allotment_id', 'own.granted', 'own.settled as own_settled'])
      .select(settledIn('p.id').as('settled'))
      .where(
        'p.id',
        'in',
        rows.map(({ rowId }) => rowId),
      )
      .where('budget.delete_time', 'is', null)
      .execute()
    return rows.flatMap(({ rowId, startMs, endMs }) => {
      const row = found.find(({ id }) => id === rowId)
      if (row === undefined) return []
      const { allotment_id: id, granted, own_settled: settled } = row
      return {
        budgetUid: row.uid,
        rowId,
        periodStartMs: startMs,
        periodEndMs: endMs,
        capNanos: row.cap,
        postedNanos: row.posted + row.settled,
        allottedNanos: row.allotted - row.settled,
        isFrozen: row.frozen_time !== null,
        allotment:
          id === null || granted === null || settled === null
            ? null
            : { id, grantedNanos: granted, settledNanos: settled },
      }
    })
  }

  /** The rows of this node's allotments by their ids, as far as they are not closed. */
  async #rowsOf(trx: Db, allotmentIds: readonly string[]): Promise<ReadonlyMap<string, number>> {
    if (allotmentIds.length === 0) return new Map()
    const rows = await trx
      .selectFrom('allotment')
      .select(['id', 'row_id'])
      .where('id', 'in', allotmentIds)
      .where('node_id', '=', this.#nodeId)
      .execute()
    return new Map(rows.map(row => [row.id, row.row_id]))
  }
}

/** It wants nothing but to know where the row stands. */
function isQuestion({ minNanos, wantNanos }: Take): boolean {
  return minNanos === 0 && wantNanos === 0
}

/** Grants what is wanted, else the rest if that is enough, and says how much; throws NotTaken. */
async function grantUpTo(trx: Db, take: RowTake): Promise<number> {
  const { rowId, minNanos, wantNanos } = take
  if (isQuestion(take)) {
    // A take whose connection broke has locked the row until it is committed or not, whenever its commit arrives.
    await lockRow(trx, rowId)
    return 0
  }
  const wanted = Math.max(minNanos, wantNanos)
  if (await grant(trx, rowId, wanted)) return wanted
  for (let attempt = 0; attempt < REST_ATTEMPTS_MAX; attempt += 1) {
    const rest = await restOf(trx, rowId)
    if (rest <= 0 || rest < minNanos) break
    const nanos = Math.min(rest, wanted)
    if (await grant(trx, rowId, nanos)) return nanos
  }
  throw new NotTaken()
}

/** With the row locked nobody else changes its allotments. */
export async function lockRow(trx: Db, rowId: number): Promise<void> {
  await trx
    .updateTable('budget_period')
    .set(row => ({ allotted: row.ref('allotted') }))
    .where('id', '=', rowId)
    .execute()
}

/** The cap is kept by this statement alone. It is read in it, too, so a cap that was lowered counts at once. */
async function grant(trx: Db, rowId: number, nanos: number): Promise<boolean> {
  const { numAffectedRows } = await sql`
    update budget_period set allotted = allotted + ${nanos}
    where id = ${rowId} and posted + allotted + ${nanos} <= (
      select cap from budget where uid = budget_period.budget_uid and frozen_time is null and delete_time is null
    )`.execute(trx)
  return numAffectedRows === 1n
}

async function restOf(trx: Db, rowId: number): Promise<number> {
  const row = await trx
    .selectFrom('budget_period as p')
    .innerJoin('budget', 'budget.uid', 'p.budget_uid')
    .select(['budget.cap', 'p.posted', 'p.allotted'])
    .where('p.id', '=', rowId)
    .where('budget.frozen_time', 'is', null)
    .where('budget.delete_time', 'is', null)
    .executeTakeFirst()
  return row === undefined ? 0 : row.cap - row.posted - row.allotted
}

function requireAmounts(...amounts: readonly number[]): void {
  for (const nanos of amounts) {
    if (!Number.isSafeInteger(nanos) || nanos < 0)
      throw new RangeError(`${nanos} is no amount of nano-dollars`)
  }
}

function notToGive(allotmentId: string, nanos: number): ApiError {
  return new ApiError('INTERNAL', 'Something went wrong inside Pollux. Its log says more.', {
    cause: `allotment ${allotmentId} has no ${nanos} nano-dollars that are not settled`,
  })
}
