/** What records add up to: sums by minute, and from them those of wider buckets and what a key's records say of it. */
import { setImmediate } from 'node:timers/promises'
import type { RawBuilder } from 'kysely'
import { sql } from 'kysely'
import type { UsageDetails } from '../domain/usage.ts'
import type { Db } from './schema.ts'
import { recordTable } from './usage-block.ts'

/** Summed by one statement, on the thread that appends wait for. */
const STATEMENT_RECORDS_MAX = 4_000

const MINUTE_MS = 60_000

/** The rollup tables and the width of their buckets: by key, and without keys for reports of many of them. */
export const ROLLUPS = [
  { granularity: 'minute', table: 'usage_minute', projectTable: 'usage_project_minute', widthMs: MINUTE_MS },
  { granularity: 'hour', table: 'usage_hour', projectTable: 'usage_project_hour', widthMs: 60 * MINUTE_MS },
  { granularity: 'day', table: 'usage_day', projectTable: 'usage_project_day', widthMs: 24 * 60 * MINUTE_MS },
] as const

const KINDS = ['model', 'method', 'http_status'] as const
export const KEY_GROUP = ['project_number', 'bucket_time', 'key_uid', ...KINDS] as const
export const PROJECT_GROUP = ['project_number', 'bucket_time', 'environment', ...KINDS] as const

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
  'image_tokens',
  'audio_tokens',
  'video_tokens',
  'document_tokens',
  'duration_ms',
  'duration_max_ms',
] as const

export type SumColumn = (typeof SUM_COLUMNS)[number]

/** Sums of money are read as text: they may pass 2^53. */
const MONEY_COLUMNS = ['cost_nanos', 'overrun_nanos'] as const
type MoneyColumn = (typeof MONEY_COLUMNS)[number]

/** Whether the column holds sums of money. */
function isMoney(name: SumColumn): name is MoneyColumn {
  return (MONEY_COLUMNS as readonly string[]).includes(name)
}

/** Not a sum but the largest: the one column of its kind. */
export const MAX_COLUMN = 'duration_max_ms' satisfies SumColumn

/** Tokens of prompts and candidates by modality. What none of them has is text. */
const MODALITY_COLUMNS: Readonly<
  Record<string, 'image_tokens' | 'audio_tokens' | 'video_tokens' | 'document_tokens'>
> = {
  IMAGE: 'image_tokens',
  AUDIO: 'audio_tokens',
  VIDEO: 'video_tokens',
  DOCUMENT: 'document_tokens',
}

/** A row of sums as it is read. */
export type Sums = Record<Exclude<SumColumn, MoneyColumn>, number> & Record<MoneyColumn, string>

const COUNT_COLUMNS = SUM_COLUMNS.filter(
  (name): name is Exclude<SumColumn, MoneyColumn | typeof MAX_COLUMN> =>
    !isMoney(name) && name !== MAX_COLUMN,
)

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
  readonly http_status: number
  last_used_time: number | null
  last_start_time: number
  readonly first_seq: number
  last_seq: number
}

/** The sums of a minute by what a report without keys asks for. */
export interface ProjectRow extends Sums {
  readonly project_number: string
  readonly bucket_time: number
  readonly environment: string
  readonly model: string
  readonly method: string
  readonly http_status: number
}

/** What a sum adds up, where that is not the record's column of its name. Modalities are counted apart (`addModalities`). */
const SUMMED: Readonly<Partial<Record<SumColumn, RawBuilder<unknown>>>> = {
  calls: sql`1`,
  errors: sql`case when http_status >= 400 then 1 else 0 end`,
  estimated: sql`case when outcome = 'estimated' then 1 else 0 end`,
  unpriced: sql`case when cost_nanos is null and outcome in ('posted', 'estimated') then 1 else 0 end`,
  overrun_nanos: sql`case when ledger <> '' and cost_nanos > posted_nanos then cost_nanos - posted_nanos else 0 end`,
  ...Object.fromEntries(Object.values(MODALITY_COLUMNS).map(name => [name, sql`0`])),
  duration_max_ms: sql`duration_ms`,
}

type Minutes = Map<string, MinuteRow>

/**
 * The sums of the records by minute, key, model, method and status. `void` calls were never accepted, so they do not use
 * a key. Other work comes in between the statements.
 */
export async function sumByMinute(db: Db, span: RecordSpan): Promise<readonly MinuteRow[]> {
  const minutes: Minutes = new Map()
  for (let from = span.from; from < span.to; from += STATEMENT_RECORDS_MAX) {
    const statement = { ...span, from, to: Math.min(span.to, from + STATEMENT_RECORDS_MAX) }
    for (const row of await sumOnce(db, statement)) {
      const key = keyOf(row)
      const known = minutes.get(key)
      if (known === undefined) minutes.set(key, row)
      else addMinute(known, row)
    }
    await setImmediate()
    await addModalities(db, statement, minutes)
    await setImmediate()
  }
  return [...minutes.values()]
}

function keyOf(row: Pick<MinuteRow, (typeof KEY_GROUP)[number]>): string {
  return JSON.stringify(KEY_GROUP.map(name => row[name]))
}

const BUCKET = sql`start_time / ${sql.lit(MINUTE_MS)} * ${sql.lit(MINUTE_MS)} as bucket_time`

async function sumOnce(db: Db, { nodeId, block, from, to }: RecordSpan): Promise<readonly MinuteRow[]> {
  const summed = SUM_COLUMNS.map(name => summedAs(name, SUMMED[name] ?? sql.ref(name)))
  const { rows } = await sql<MinuteRow>`
    select project_number, ${BUCKET}, key_uid, model, method, http_status,
      ${sql.join(summed)},
      max(case when outcome in ('posted', 'unmetered', 'estimated') then start_time end) as last_used_time,
      max(start_time) as last_start_time, min(seq) as first_seq, max(seq) as last_seq
    from ${sql.table(recordTable(block))}
    where node_id = ${nodeId} and seq > ${from} and seq <= ${to}
    group by project_number, start_time / ${sql.lit(MINUTE_MS)}, key_uid, model, method, http_status`.execute(
    db,
  )
  return rows
}

/** The sum of an expression as a column of a name, 0 of no rows; money as text. */
export function summedAs(name: SumColumn, expression: RawBuilder<unknown>): RawBuilder<unknown> {
  const type = sql.raw(isMoney(name) ? 'text' : 'bigint')
  const sum = name === MAX_COLUMN ? sql`max(${expression})` : sql`sum(${expression})`
  return sql`cast(coalesce(${sum}, 0) as ${type}) as ${sql.ref(name)}`
}

interface Detailed extends Pick<MinuteRow, (typeof KEY_GROUP)[number]> {
  readonly details: string
}

/** Few calls have anything but text, so only their details are read. */
async function addModalities(
  db: Db,
  { nodeId, block, from, to }: RecordSpan,
  minutes: Minutes,
): Promise<void> {
  const named = Object.keys(MODALITY_COLUMNS).map(modality => sql`details like ${sql.lit(`%"${modality}"%`)}`)
  const { rows } = await sql<Detailed>`
    select project_number, ${BUCKET}, key_uid, model, method, http_status, details
    from ${sql.table(recordTable(block))}
    where node_id = ${nodeId} and seq > ${from} and seq <= ${to} and (${sql.join(named, sql` or `)})`.execute(
    db,
  )
  for (const { details, ...group } of rows) {
    const row = minutes.get(keyOf(group))
    if (row === undefined) continue
    const { prompt, candidates } = JSON.parse(details) as UsageDetails
    for (const { modality, tokenCount } of [...prompt, ...candidates]) {
      const column = MODALITY_COLUMNS[modality]
      if (column !== undefined) row[column] += tokenCount
    }
  }
}

/** Adds to the sums of a minute those of records of it that came later. */
function addMinute(minute: MinuteRow, later: MinuteRow): void {
  addSums(minute, later)
  if (minute.last_used_time === null) minute.last_used_time = later.last_used_time
  else minute.last_used_time = Math.max(minute.last_used_time, later.last_used_time ?? 0)
  minute.last_start_time = Math.max(minute.last_start_time, later.last_start_time)
  minute.last_seq = later.last_seq
}

/** In place: it runs for nearly every record where many keys are in use. */
function addSums(sums: Sums, added: Sums): void {
  for (const name of COUNT_COLUMNS) sums[name] += added[name]
  for (const name of MONEY_COLUMNS) {
    if (added[name] !== '0') sums[name] = String(BigInt(sums[name]) + BigInt(added[name]))
  }
  sums[MAX_COLUMN] = Math.max(sums[MAX_COLUMN], added[MAX_COLUMN])
}

/** The same sums without keys, by the environment that each key has. */
export function withoutKeys(
  minutes: readonly MinuteRow[],
  environments: ReadonlyMap<string, string>,
): readonly ProjectRow[] {
  const rows = new Map<string, ProjectRow>()
  for (const minute of minutes) {
    const { key_uid: keyUid, project_number, bucket_time, model, method, http_status } = minute
    const group = {
      project_number,
      bucket_time,
      environment: environments.get(keyUid) ?? '',
      model,
      method,
      http_status,
    }
    const key = JSON.stringify(group)
    const known = rows.get(key)
    if (known === undefined) rows.set(key, { ...group, ...sumsOf(minute) })
    else addSums(known, minute)
  }
  return [...rows.values()]
}

/** A copy of the sums of a row. */
function sumsOf(row: Sums): Sums {
  return Object.fromEntries(SUM_COLUMNS.map(name => [name, row[name]])) as unknown as Sums
}

type RollupRow = readonly (string | number)[]

/** Rows of wider buckets, sorted by their key: every node adds in the same order, so none waits for another in a ring. */
export function foldRows<Name extends string>(
  rows: readonly (Sums & Readonly<Record<Name | 'bucket_time', string | number>>)[],
  group: readonly Name[],
  widthMs: number,
): readonly RollupRow[] {
  const folded = new Map<string, { readonly group: RollupRow; readonly sums: Sums }>()
  for (const row of rows) {
    const bucketTime = Math.floor(Number(row.bucket_time) / widthMs) * widthMs
    const values = group.map(name => (name === 'bucket_time' ? bucketTime : row[name]))
    const key = JSON.stringify(values)
    const known = folded.get(key)
    if (known === undefined) folded.set(key, { group: values, sums: sumsOf(row) })
    else addSums(known.sums, row)
  }
  return sortedValues(folded).map(({ group: values, sums }) => [
    ...values,
    ...SUM_COLUMNS.map(name => sums[name]),
  ])
}

export function lastUses(minutes: readonly MinuteRow[]): readonly RollupRow[] {
  const uses = new Map<string, [key: string, time: number]>()
  for (const { key_uid: keyUid, last_used_time: time } of minutes) {
    if (time === null) continue
    const known = uses.get(keyUid)?.[1]
    if (known === undefined || known < time) uses.set(keyUid, [keyUid, time])
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

function sortedValues<Value>(rows: ReadonlyMap<string, Value>): readonly Value[] {
  const entries = [...rows].sort(([left], [right]) => (left < right ? -1 : 1))
  return entries.map(([, row]) => row)
}
