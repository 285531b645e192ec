/** Which budgets refused calls: one row for a budget, a period and a reason, however many calls it were. */
import { sql } from 'kysely'
import type { BudgetPeriod, BudgetScope } from '../domain/budget.ts'
import type { CapHitReason, CapHits, PeriodCapHits } from '../domain/cap-hit.ts'
import { periodWindow } from '../domain/period.ts'
import type { Engine } from './engine.ts'
import type { Db } from './schema.ts'
import type { CapHitQuery, CapHitStore } from './cap-hit-store.ts'

/** As long as Google shows spend for: a year and its comparison. */
const KEPT_DAYS = 400
const DAY_MS = 86_400_000

export class CapHitRows implements CapHitStore {
  readonly #engine: Engine
  readonly #timeZone: string

  constructor(engine: Engine, timeZone: string) {
    this.#engine = engine
    this.#timeZone = timeZone
  }

  async add(hits: readonly CapHits[]): Promise<void> {
    if (hits.length === 0) return
    await this.#engine.db.transaction().execute(async trx => {
      const nowMs = await this.#engine.nowMs(trx)
      const budgets = await trx
        .selectFrom('budget')
        .select(['uid', 'period'])
        .where(
          'uid',
          'in',
          hits.map(({ budgetUid }) => budgetUid),
        )
        .execute()
      const periods = new Map(budgets.map(({ uid, period }) => [uid, period as BudgetPeriod]))
      // In the same order everywhere, so that two nodes wait for each other but never deadlock.
      const inOrder = hits.toSorted((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1))
      for (const hit of inOrder) {
        const period = periods.get(hit.budgetUid)
        if (period !== undefined) await this.#addTo(trx, hit, period)
      }
      await trx
        .deleteFrom('cap_hit')
        .where('last_time', '<', nowMs - KEPT_DAYS * DAY_MS)
        .execute()
    })
  }

  async list({ projectNumber, lineage, limit }: CapHitQuery): Promise<readonly PeriodCapHits[]> {
    let rows = this.#engine.db
      .selectFrom('cap_hit')
      .innerJoin('budget', 'budget.uid', 'cap_hit.budget_uid')
      .selectAll('cap_hit')
      .select(['budget.scope', 'budget.project_number', 'budget.lineage', 'budget.period'])
    if (projectNumber !== undefined) rows = rows.where('budget.project_number', '=', projectNumber)
    if (lineage !== undefined) rows = rows.where('budget.lineage', '=', lineage)
    const found = await rows
      .orderBy('cap_hit.last_time', 'desc')
      .orderBy('cap_hit.budget_uid')
      .orderBy('cap_hit.period_start')
      .orderBy('cap_hit.reason')
      .limit(limit)
      .execute()
    return found.map(row => ({
      budgetUid: row.budget_uid,
      budget: {
        scope: row.scope as BudgetScope,
        projectNumber: row.project_number === '' ? null : row.project_number,
        lineage: row.lineage === '' ? null : row.lineage,
        period: row.period as BudgetPeriod,
      },
      periodStartMs: row.period_start,
      reason: row.reason as CapHitReason,
      calls: row.calls,
      firstTimeMs: row.first_time,
      lastTimeMs: row.last_time,
      lastProjectNumber: row.last_project_number,
      lastKeyUid: row.last_key_uid,
      lastCallId: row.last_call_id,
    }))
  }

  async #addTo(trx: Db, hit: CapHits, period: BudgetPeriod): Promise<void> {
    const { startMs } = periodWindow(period, this.#timeZone, hit.lastTimeMs)
    await sql`
      insert into cap_hit (budget_uid, period_start, reason, calls, first_time, last_time, last_project_number,
        last_key_uid, last_call_id)
      values (${hit.budgetUid}, ${startMs}, ${hit.reason}, ${hit.calls}, ${hit.firstTimeMs}, ${hit.lastTimeMs},
        ${hit.lastProjectNumber}, ${hit.lastKeyUid}, ${hit.lastCallId})
      on conflict (budget_uid, period_start, reason) do update set
        calls = cap_hit.calls + excluded.calls,
        first_time = case when excluded.first_time < cap_hit.first_time then excluded.first_time
          else cap_hit.first_time end,
        last_project_number = case when excluded.last_time >= cap_hit.last_time then excluded.last_project_number
          else cap_hit.last_project_number end,
        last_key_uid = case when excluded.last_time >= cap_hit.last_time then excluded.last_key_uid
          else cap_hit.last_key_uid end,
        last_call_id = case when excluded.last_time >= cap_hit.last_time then excluded.last_call_id
          else cap_hit.last_call_id end,
        last_time = case when excluded.last_time >= cap_hit.last_time then excluded.last_time
          else cap_hit.last_time end`.execute(trx)
  }
}

function keyOf({ budgetUid, reason }: CapHits): string {
  return `${budgetUid} ${reason}`
}
