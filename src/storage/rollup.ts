/**
 * Folds records into minute, hour and day sums. A watermark per node and block moves in the transaction that adds the
 * sums, by a conditional statement: whoever folds, and however often it crashes, each record is counted once.
 */
import type { RawBuilder } from 'kysely'
import { sql } from 'kysely'
import type { Engine, JsonColumn } from './engine.ts'
import type { Db } from './schema.ts'
import { keyTable, recordTable } from './usage-block.ts'

/** Bounds one transaction, so that on SQLite appends do not wait long behind a fold. */
const FOLD_RECORDS_MAX = 20_000

const MINUTE_MS = 60_000

/** The rollup tables and the width of their buckets. */
export const ROLLUPS = [
  { granularity: 'minute', table: 'usage_minute', widthMs: MINUTE_MS },
  { granularity: 'hour', table: 'usage_hour', widthMs: 60 * MINUTE_MS },
  { granularity: 'day', table: 'usage_day', widthMs: 24 * 60 * MINUTE_MS },
] as const

const GROUP_COLUMNS = ['project_number', 'bucket_time', 'key_uid', 'model', 'method'] as const

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

interface MinuteRow extends Sums {
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

interface Watermark {
  readonly node_id: string
  readonly block: string
  readonly seq: number
}

const ROLLUP_COLUMNS: readonly JsonColumn[] = [
  ...GROUP_COLUMNS.map(name => ({ name, kind: name === 'bucket_time' ? 'bigint' : 'text' }) as const),
  ...SUM_COLUMNS.map(name => ({ name, kind: 'bigint' }) as const),
]
const SPAN_COLUMNS: readonly JsonColumn[] = [
  { name: 'key_uid', kind: 'text' },
  { name: 'last_start_time', kind: 'bigint' },
  { name: 'first_seq', kind: 'bigint' },
  { name: 'last_seq', kind: 'bigint' },
]
const USE_COLUMNS: readonly JsonColumn[] = [
  { name: 'key_uid', kind: 'text' },
  { name: 'last_used_time', kind: 'bigint' },
]

export class Rollup {
  readonly #engine: Engine
  readonly #nodeId: string
  /** Blocks in which this node has appended since they were last folded to their end. */
  readonly #dirty = new Set<string>()
  #lastRun: Promise<void> = Promise.resolve()

  constructor(engine: Engine, nodeId: string) {
    this.#engine = engine
    this.#nodeId = nodeId
  }

  /** This node has appended to the block. */
  touch(block: string): void {
    this.#dirty.add(block)
  }

  /** Remembers the blocks of an earlier run of this node, whose end may not be folded. */
  async begin(): Promise<void> {
    const rows = await this.#engine.db
      .selectFrom('usage_watermark')
      .select('block')
      .where('node_id', '=', this.#nodeId)
      .execute()
    for (const { block } of rows) this.touch(block)
  }

  /** Folds what this node has appended. One run after the other: a block that is being folded counts as clean. */
  async own(): Promise<void> {
    const run = this.#lastRun.then(() => this.#foldOwn())
    this.#lastRun = run.catch(() => {})
    await run
  }

  async #foldOwn(): Promise<void> {
    for (const block of Array.from(this.#dirty)) {
      this.#dirty.delete(block)
      try {
        await this.#foldAll(this.#nodeId, block)
      } catch (error) {
        this.#dirty.add(block)
        throw error
      }
    }
  }

  /** Folds what every node has appended: a node that died will never do it itself. */
  async all(): Promise<void> {
    const watermarks = await this.#engine.db
      .selectFrom('usage_watermark')
      .select(['node_id', 'block'])
      .orderBy('block')
      .orderBy('node_id')
      .execute()
    for (const { node_id, block } of watermarks) await this.#foldAll(node_id, block)
  }

  async #foldAll(nodeId: string, block: string): Promise<void> {
    const { db } = this.#engine
    for (;;) {
      const watermark = await db
        .selectFrom('usage_watermark')
        .selectAll()
        .where('node_id', '=', nodeId)
        .where('block', '=', block)
        .executeTakeFirst()
      if (watermark === undefined) return
      const { rows } = await sql<{ seq: number | null }>`
        select max(seq) as seq from ${sql.table(recordTable(block))} where node_id = ${nodeId}`.execute(db)
      const last = rows[0]?.seq ?? 0
      if (last <= watermark.seq) return
      await this.#fold(watermark, Math.min(last, watermark.seq + FOLD_RECORDS_MAX))
    }
  }

  /** Folds the records after the watermark up to `seq`. They never change, so they are summed before the transaction. */
  async #fold(watermark: Watermark, seq: number): Promise<void> {
    const minutes = await sumByMinute(this.#engine.db, watermark, seq)
    await this.#engine.db.transaction().execute(async trx => {
      const { numUpdatedRows } = await trx
        .updateTable('usage_watermark')
        .set({ seq })
        .where('node_id', '=', watermark.node_id)
        .where('block', '=', watermark.block)
        .where('seq', '=', watermark.seq)
        .executeTakeFirst()
      // Another process has folded them meanwhile.
      if (numUpdatedRows === 0n) return
      for (const { table, widthMs } of ROLLUPS) {
        await this.#add(trx, table, JSON.stringify(foldRows(minutes, widthMs)))
      }
      await this.#use(trx, JSON.stringify(lastUses(minutes)))
      await this.#span(trx, watermark, JSON.stringify(spansOf(minutes)))
    })
  }

  async #add(trx: Db, table: string, json: string): Promise<void> {
    const columns = sql.join([...GROUP_COLUMNS, ...SUM_COLUMNS].map(name => sql.ref(name)))
    const sums = SUM_COLUMNS.map(
      name => sql`${sql.ref(name)} = ${sql.ref(`${table}.${name}`)} + ${sql.ref(`excluded.${name}`)}`,
    )
    await sql`
      insert into ${sql.table(table)} (${columns})
      select ${columns} from ${this.#engine.rowsOf(ROLLUP_COLUMNS, json)} where true order by position
      on conflict (${sql.join(GROUP_COLUMNS.map(name => sql.ref(name)))}) do update set ${sql.join(sums)}
    `.execute(trx)
  }

  /** Notes where the records of each key are (usage-block.ts). */
  async #span(trx: Db, { node_id: nodeId, block }: Watermark, json: string): Promise<void> {
    await sql`
      insert into ${sql.table(keyTable(block))} (key_uid, last_start_time, node_id, first_seq, last_seq)
      select key_uid, last_start_time, cast(${nodeId} as text), first_seq, last_seq
      from ${this.#engine.rowsOf(SPAN_COLUMNS, json)} where true order by position`.execute(trx)
  }

  async #use(trx: Db, json: string): Promise<void> {
    await sql`
      insert into key_use (key_uid, last_used_time)
      select key_uid, last_used_time from ${this.#engine.rowsOf(USE_COLUMNS, json)} where true order by position
      on conflict (key_uid) do update set last_used_time = excluded.last_used_time
      where key_use.last_used_time < excluded.last_used_time
    `.execute(trx)
  }
}

/** What a sum adds up, where that is not the record's column of its name. */
const SUMMED: Readonly<Partial<Record<SumColumn, RawBuilder<unknown>>>> = {
  calls: sql`1`,
  errors: sql`case when http_status >= 400 then 1 else 0 end`,
  estimated: sql`case when outcome = 'estimated' then 1 else 0 end`,
  unpriced: sql`case when cost_nanos is null and outcome in ('posted', 'estimated') then 1 else 0 end`,
  overrun_nanos: sql`case when ledger <> '' and cost_nanos > posted_nanos then cost_nanos - posted_nanos else 0 end`,
}

/** `void` calls were never accepted, so they do not use a key. */
async function sumByMinute(db: Db, watermark: Watermark, seq: number): Promise<readonly MinuteRow[]> {
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
    from ${sql.table(recordTable(watermark.block))}
    where node_id = ${watermark.node_id} and seq > ${watermark.seq} and seq <= ${seq}
    group by project_number, start_time / ${width}, key_uid, model, method`.execute(db)
  return rows
}

type RollupRow = (string | number)[]

/** Rows of wider buckets, sorted by their key: every node adds in the same order, so none waits for another in a ring. */
function foldRows(minutes: readonly MinuteRow[], widthMs: number): readonly RollupRow[] {
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
      found[column] =
        typeof sum === 'string'
          ? String(BigInt(found[column] ?? 0) + BigInt(sum))
          : Number(found[column]) + sum
    }
  }
  return sortedValues(groups)
}

function lastUses(minutes: readonly MinuteRow[]): readonly RollupRow[] {
  const uses = new Map<string, RollupRow>()
  for (const { key_uid: keyUid, last_used_time: time } of minutes) {
    if (time === null) continue
    const known = uses.get(keyUid)?.[1]
    if (known === undefined || Number(known) < time) uses.set(keyUid, [keyUid, time])
  }
  return sortedValues(uses)
}

/** The numbers between which each key's records are, of those that are folded together. */
function spansOf(minutes: readonly MinuteRow[]): readonly RollupRow[] {
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
