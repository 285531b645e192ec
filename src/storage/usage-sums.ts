/** What records add up to: sums by minute, and from them those of wider buckets and what a key's records say of it. */
import { setImmediate } from 'node:timers/promises'
import type { RawBuilder } from 'kysely'
import { sql } from 'kysely'
import type { Db } from './schema.ts'
import { recordTable } from './usage-block.ts'

/** Summed by one statement, on the thread that appends wait for. */
const STATEMENT_RECORDS_MAX = 1_000

const MINUTE_MS = 60_000

/** The rollup tables and the width of their buckets. */
export const ROLLUPS = [
  { granularity: 'minute', table: 'usage_minute', widthMs: MINUTE_MS },
  { granularity: 'hour', table: 'usage_hour', widthMs: 60 * MINUTE_MS },
  { granularity: 'day', table: 'usage_day', widthMs: 24 * 60 * MINUTE_MS },
] as const

export const GROUP_COLUMNS = ['project_number', 'bucket_time', 'key_uid', 'model', 'method'] as const

/** The sums of a rollup row, in the order of the columns. */
export const SUM_COLUMNS = [
  'calls',
  'errors',
  'estimated',
  'prompt_tokens',
  'cached_tokens',
  'tool_use_prompt_tokens',
  'candidates_tokens',
  'thoughts_tokens',
  'total_tokens',
  'request_bytes',
  'response_bytes',
  'cost_nanos',
  'unpriced',
  'overrun_nanos',
] as const

type SumColumn = (typeof SUM_COLUMNS)[number]

/** Sums of money are read as text: they may pass 2^53. */
const MONEY_COLUMNS = ['cost_nanos', 'overrun_nanos'] as const
type MoneyColumn = (typeof MONEY_COLUMNS)[number]

/** Whether the column holds sums of money. */
export function isMoney(name: SumColumn): name is MoneyColumn {
  return (MONEY_COLUMNS as readonly string[]).includes(name)
}

/** A row of sums as it is read. */
export type Sums = Record<Exclude<SumColumn, MoneyColumn>, number> & Record<MoneyColumn, string>

/** Records of a node in a block, behind `from` and up to `to`. */
export interface RecordSpan {
  readonly nodeId: string
  readonly block: string
  readonly from: number
  readonly to: number
}

/** The sums of a minute, and what else its records say of their key. */
export interface MinuteRow extends Sums {
  readonly project_number: string
  readonly bucket_time: number
  readonly key_uid: string
  readonly model: string
  readonly method: string
  readonly last_used_time: number | null
  readonly last_start_time: number
  readonly first_seq: number
  readonly last_seq: number
}

/** What a sum adds up, where that is not the record's column of its name. */
const SUMMED: Readonly<Partial<Record<SumColumn, RawBuilder<unknown>>>> = {
  calls: sql`1`,
  errors: sql`case when http_status >= 400 then 1 else 0 end`,
  estimated: sql`case when outcome = 'estimated' then 1 else 0 end`,
  unpriced: sql`case when cost_nanos is null and outcome in ('posted', 'estimated') then 1 else 0 end`,
  overrun_nanos: sql`case when ledger <> '' and cost_nanos > posted_nanos then cost_nanos - posted_nanos else 0 end`,
}

/**
 * The sums of the records by minute, key, model and method. `void` calls were never accepted, so they do not use a key.
 * Other work comes in between the statements.
 */
export async function sumByMinute(db: Db, span: RecordSpan): Promise<readonly MinuteRow[]> {
  const minutes = new Map<string, MinuteRow>()
  for (let from = span.from; from < span.to; from += STATEMENT_RECORDS_MAX) {
    const to = Math.min(span.to, from + STATEMENT_RECORDS_MAX)
    for (const row of await sumOnce(db, { ...span, from, to })) {
      const key = JSON.stringify(GROUP_COLUMNS.map(name => row[name]))
      const known = minutes.get(key)
      minutes.set(key, known === undefined ? row : joined(known, row))
    }
    await setImmediate()
  }
  return [...minutes.values()]
}

async function sumOnce(db: Db, { nodeId, block, from, to }: RecordSpan): Promise<readonly MinuteRow[]> {
  const width = sql.lit(MINUTE_MS)
  const summed = SUM_COLUMNS.map(name => {
    const type = sql.raw(isMoney(name) ? 'text' : 'bigint')
    return sql`cast(coalesce(sum(${SUMMED[name] ?? sql.ref(name)}), 0) as ${type}) as ${sql.ref(name)}`
  })
  const { rows } = await sql<MinuteRow>`
    select project_number, start_time / ${width} * ${width} as bucket_time, key_uid, model, method,
      ${sql.join(summed)},
      max(case when outcome in ('posted', 'unmetered', 'estimated') then start_time end) as last_used_time,
      max(start_time) as last_start_time, min(seq) as first_seq, max(seq) as last_seq
    from ${sql.table(recordTable(block))}
    where node_id = ${nodeId} and seq > ${from} and seq <= ${to}
    group by project_number, start_time / ${width}, key_uid, model, method`.execute(db)
  return rows
}

/** The sums of the same minute, of records and of some after them. */
function joined(one: MinuteRow, next: MinuteRow): MinuteRow {
  const sums = Object.fromEntries(SUM_COLUMNS.map(name => [name, added(one[name], next[name])]))
  const uses = [one.last_used_time, next.last_used_time].filter(time => time !== null)
  return {
    ...next,
    ...(sums as Sums),
    last_used_time: uses.length === 0 ? null : Math.max(...uses),
    last_start_time: Math.max(one.last_start_time, next.last_start_time),
    first_seq: one.first_seq,
  }
}

function added(one: string | number | undefined, next: string | number): string | number {
  return typeof next === 'string' ? String(BigInt(one ?? 0) + BigInt(next)) : Number(one) + next
}

type RollupRow = (string | number)[]

/** Rows of wider buckets, sorted by their key: every node adds in the same order, so none waits for another in a ring. */
export function foldRows(minutes: readonly MinuteRow[], widthMs: number): readonly RollupRow[] {
  const groups = new Map<string, RollupRow>()
  for (const row of minutes) {
    const bucketTime = Math.floor(row.bucket_time / widthMs) * widthMs
    const group = [row.project_number, bucketTime, row.key_uid, row.model, row.method]
    const sums = SUM_COLUMNS.map(name => row[name])
    const key = JSON.stringify(group)
    const found = groups.get(key)
    if (found === undefined) {
      groups.set(key, [...group, ...sums])
      continue
    }
    for (const [place, sum] of sums.entries()) {
      const column = GROUP_COLUMNS.length + place
      found[column] = added(found[column], sum)
    }
  }
  return sortedValues(groups)
}

export function lastUses(minutes: readonly MinuteRow[]): readonly RollupRow[] {
  const uses = new Map<string, RollupRow>()
  for (const { key_uid: keyUid, last_used_time: time } of minutes) {
    if (time === null) continue
    const known = uses.get(keyUid)?.[1]
    if (known === undefined || Number(known) < time) uses.set(keyUid, [keyUid, time])
  }
  return sortedValues(uses)
}

/** The numbers between which each key's records are, of those that are folded together. */
export function spansOf(minutes: readonly MinuteRow[]): readonly RollupRow[] {
  const spans = new Map<string, [key: string, lastStartTime: number, firstSeq: number, lastSeq: number]>()
  for (const { key_uid: key, last_start_time: time, first_seq: first, last_seq: last } of minutes) {
    const known = spans.get(key)
    if (known === undefined) spans.set(key, [key, time, first, last])
    else {
      known[1] = Math.max(known[1], time)
      known[2] = Math.min(known[2], first)
      known[3] = Math.max(known[3], last)
    }
  }
  return sortedValues(spans)
}

function sortedValues(rows: ReadonlyMap<string, RollupRow>): readonly RollupRow[] {
  const entries = [...rows].sort(([left], [right]) => (left < right ? -1 : 1))
  return entries.map(([, row]) => row)
}
