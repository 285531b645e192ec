/** The rows of budgets by period: made when they are first needed, never removed, never moved to another period. */
import type { RawBuilder } from 'kysely'
import { sql } from 'kysely'
import type { BudgetPeriod, BudgetStatus } from '../domain/budget.ts'
import { periodWindow } from '../domain/period.ts'
import type { BudgetRow } from './budget-row.ts'
import { budgetOf } from './budget-row.ts'
import type { Db } from './schema.ts'

/** Each attempt that fails lets another row be made, so this bounds how many are made at the very same moment. */
const ROW_ATTEMPTS_MAX = 100

/** The id of the row of a budget and a period, which is made if it is not there. Ids are counted, so they stay short. */
export async function ensureRow(db: Db, budgetUid: string, periodStartMs: number): Promise<number> {
  for (let attempt = 0; attempt < ROW_ATTEMPTS_MAX; attempt += 1) {
    const row = await db
      .selectFrom('budget_period')
      .select('id')
      .where('budget_uid', '=', budgetUid)
      .where('period_start', '=', periodStartMs)
      .executeTakeFirst()
    if (row !== undefined) return row.id
    // `where true`: sqlite.org/lang_upsert, parsing ambiguity.
    await sql`
      insert into budget_period (id, budget_uid, period_start, posted, allotted, overrun, acknowledged)
      select coalesce(max(id), 0) + 1, cast(${budgetUid} as text), cast(${periodStartMs} as bigint), 0, 0, 0, 0
      from budget_period where true on conflict do nothing`.execute(db)
  }
  throw new Error(`no row could be made for budget ${budgetUid}`)
}

interface CurrentRow {
  readonly row_id: number | null
  readonly posted: number | null
  readonly allotted: number | null
  readonly overrun: number | null
  /** What open allotments on the row have settled. */
  readonly settled: number
}

/** Live budgets, each with its row of the current period; sorted by creation. */
// oxlint-disable-next-line typescript/explicit-module-boundary-types -- Kysely's builder type is the inferred one
export function selectWithCurrentRow(db: Db, timeZone: string, nowMs: number) {
  const startOf = (period: BudgetPeriod) =>
    sql`cast(${periodWindow(period, timeZone, nowMs).startMs} as bigint)`
  return db
    .selectFrom('budget')
    .leftJoin('budget_period as p', join =>
      join.onRef('p.budget_uid', '=', 'budget.uid').on(
        'p.period_start',
        '=',
        sql<number>`case budget.period when 'day' then ${startOf('day')} when 'month' then ${startOf('month')}
            else ${startOf('total')} end`,
      ),
    )
    .selectAll('budget')
    .select(['p.id as row_id', 'p.posted', 'p.allotted', 'p.overrun'])
    .select(settledIn('p.id').as('settled'))
    .where('budget.delete_time', 'is', null)
    .orderBy('budget.create_time')
    .orderBy('budget.uid')
}

/** What open allotments on a row have settled: that of lost ones is posted already. */
export function settledIn(rowId: string): RawBuilder<number> {
  return sql<number>`(select cast(coalesce(sum(settled), 0) as bigint) from allotment
    where row_id = ${sql.ref(rowId)} and lost_time is null)`
}

/** The status a row of `selectWithCurrentRow` stands for. */
export function statusOf(row: BudgetRow & CurrentRow, timeZone: string, nowMs: number): BudgetStatus {
  const budget = budgetOf(row)
  const { startMs, endMs } = periodWindow(budget.period, timeZone, nowMs)
  return {
    ...budget,
    balance: {
      rowId: row.row_id,
      periodStartMs: startMs,
      periodEndMs: endMs,
      postedNanos: (row.posted ?? 0) + row.settled,
      allottedNanos: (row.allotted ?? 0) - row.settled,
      overrunNanos: row.overrun ?? 0,
    },
  }
}
