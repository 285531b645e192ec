/** Recomputes every budget row from the records and the ledger's own entries. Sums are exact: text and bigint. */
import { sql } from 'kysely'
import type { Db } from './schema.ts'
import type { Drift, Verification } from './storage.ts'
import { listBlocks, recordTable } from './usage-block.ts'

/** What one row should hold. */
interface Expected {
  posted: bigint
  allotted: bigint
  settled: bigint
  overrun: bigint
}

class Expectations {
  readonly byRow = new Map<number, Expected>()

  of(rowId: number): Expected {
    let expected = this.byRow.get(rowId)
    if (expected === undefined) {
      expected = { posted: 0n, allotted: 0n, settled: 0n, overrun: 0n }
      this.byRow.set(rowId, expected)
    }
    return expected
  }
}

/** `trx` must see one moment only. */
export async function verifyLedger(trx: Db): Promise<Verification> {
  const expectations = new Expectations()
  let recordsChecked = 0
  for (const block of await listBlocks(trx)) recordsChecked += await addRecords(trx, block, expectations)
  await addEntries(trx, expectations)
  await addAllotments(trx, expectations)
  return { ...(await compare(trx, expectations)), recordsChecked }
}

/** Records of one path share their `ledger`, so the database sums them before they are told apart by row. */
async function addRecords(trx: Db, block: string, expectations: Expectations): Promise<number> {
  const { rows } = await sql<{ ledger: string; posted: string; overrun: string; records: number }>`
    select ledger, count(*) as records, cast(sum(posted_nanos) as text) as posted,
      cast(sum(case when cost_nanos > posted_nanos then cost_nanos - posted_nanos else 0 end) as text) as overrun
    from ${sql.table(recordTable(block))} where ledger <> '' group by ledger`.execute(trx)
  let records = 0
  for (const row of rows) {
    records += row.records
    for (const rowId of row.ledger.split(',')) {
      const expected = expectations.of(Number(rowId))
      expected.posted += BigInt(row.posted)
      expected.overrun += BigInt(row.overrun)
    }
  }
  return records
}

async function addEntries(trx: Db, expectations: Expectations): Promise<void> {
  const { rows } = await sql<{ row_id: number; nanos: string }>`
    select row_id, cast(sum(nanos) as text) as nanos from ledger_entry group by row_id`.execute(trx)
  for (const row of rows) expectations.of(row.row_id).posted += BigInt(row.nanos)
}

async function addAllotments(trx: Db, expectations: Expectations): Promise<void> {
  const { rows } = await sql<{ row_id: number; is_lost: number; granted: string; settled: string }>`
    select row_id, case when lost_time is null then 0 else 1 end as is_lost,
      cast(sum(granted) as text) as granted, cast(sum(settled) as text) as settled
    from allotment group by row_id, case when lost_time is null then 0 else 1 end`.execute(trx)
  for (const row of rows) {
    const expected = expectations.of(row.row_id)
    const [granted, settled] = [BigInt(row.granted), BigInt(row.settled)]
    if (row.is_lost === 1) {
      // Posted as an estimate, as far as no record has taken its place.
      expected.posted += granted - settled
    } else {
      expected.allotted = granted
      expected.settled = settled
    }
  }
}

interface BookedRow {
  readonly id: number
  readonly budget_uid: string
  readonly period_start: number
  readonly posted: string
  readonly allotted: string
  readonly overrun: string
  readonly is_unacknowledged: number
}

async function compare(
  trx: Db,
  { byRow }: Expectations,
): Promise<Pick<Verification, 'rowsChecked' | 'drifts' | 'overruns'>> {
  const { rows } = await sql<BookedRow>`
    select p.id, p.budget_uid, p.period_start, cast(p.posted as text) as posted,
      cast(p.allotted as text) as allotted, cast(p.overrun as text) as overrun,
      case when p.overrun > p.acknowledged and budget.delete_time is null then 1 else 0 end as is_unacknowledged
    from budget_period as p join budget on budget.uid = p.budget_uid order by p.id`.execute(trx)
  const drifts: Drift[] = []
  for (const row of rows) {
    const expected = byRow.get(row.id) ?? { posted: 0n, allotted: 0n, settled: 0n, overrun: 0n }
    byRow.delete(row.id)
    const compared = [
      ['posted', BigInt(row.posted) + expected.settled, expected.posted],
      ['allotted', BigInt(row.allotted), expected.allotted],
      ['overrun', BigInt(row.overrun), expected.overrun],
    ] as const
    drifts.push(...driftsOf(row, compared))
  }
  // Records and allotments of rows that do not exist.
  for (const [id, { posted, allotted, overrun }] of byRow) {
    const compared = [
      ['posted', 0n, posted],
      ['allotted', 0n, allotted],
      ['overrun', 0n, overrun],
    ] as const
    drifts.push(...driftsOf({ id, budget_uid: '', period_start: 0 }, compared))
  }
  const overruns = rows.filter(row => row.is_unacknowledged === 1).length
  return { rowsChecked: rows.length, drifts, overruns }
}

function driftsOf(
  row: Pick<BookedRow, 'id' | 'budget_uid' | 'period_start'>,
  compared: readonly (readonly [what: Drift['what'], booked: bigint, expected: bigint])[],
): readonly Drift[] {
  return compared
    .filter(([, booked, expected]) => booked !== expected)
    .map(([what, booked, expected]) => ({
      budgetUid: row.budget_uid,
      rowId: row.id,
      periodStartMs: row.period_start,
      what,
      bookedNanos: Number(booked),
      expectedNanos: Number(expected),
    }))
}
