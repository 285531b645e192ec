/** Usage reports: sums over rollups, never over records. */
import type { RawBuilder } from 'kysely'
import { sql } from 'kysely'
import { invalidField } from '../domain/error.ts'
import type {
  UsageDimension,
  UsageGranularity,
  UsageOrder,
  UsageQuery,
  UsageRow,
  UsageTotals,
} from '../domain/usage.ts'
import type { Engine } from './engine.ts'
import type { Sums } from './usage-sums.ts'
import { ROLLUPS, SUM_COLUMNS, summedAs } from './usage-sums.ts'

/** Bounds the memory and the answer of one report. */
const ROWS_MAX = 20_000

type Group = Exclude<UsageDimension, 'time'>

/** In the order of their rows. */
const GROUP_COLUMN = {
  project: 'project_number',
  key: 'key_uid',
  environment: 'environment',
  model: 'model',
  method: 'method',
  status: 'http_status',
} as const satisfies Record<Group, string>

type GroupRow = {
  readonly [Name in (typeof GROUP_COLUMN)[Group]]?: Name extends 'http_status' ? number : string
}
type ReportRow = Sums & GroupRow & { readonly bucket_time?: number }

interface Asked {
  readonly query: UsageQuery
  readonly granularity: UsageGranularity
  /** Keys are asked for, in groups or as a filter. */
  readonly isByKey: boolean
  readonly groups: readonly Group[]
  readonly isByTime: boolean
  /** Of these groups only. */
  readonly only?: readonly GroupRow[]
}

/** What groups are compared by. */
const ORDERED: Readonly<Record<UsageOrder, RawBuilder<unknown>>> = {
  cost: sql`sum(cost_nanos)`,
  calls: sql`sum(calls)`,
  errors: sql`sum(errors)`,
  tokens: sql`sum(total_tokens)`,
  input: sql`sum(prompt_tokens)`,
  cached: sql`sum(cached_tokens)`,
  output: sql`sum(candidates_tokens)`,
  thinking: sql`sum(thoughts_tokens)`,
  tool: sql`sum(tool_use_prompt_tokens)`,
  bytes: sql`sum(request_bytes + response_bytes)`,
  latency: sql`coalesce(sum(duration_ms) * 1.0 / nullif(sum(calls), 0), 0)`,
}

/**
 * Sorted by time, project, key, environment, model, method, status, as far as they were asked for; others last. Without any
 * dimension: one row, of zeros when there were no calls. FIELD_INVALID where there are too many rows.
 */
export async function reportUsage(engine: Engine, query: UsageQuery): Promise<readonly UsageRow[]> {
  const { groupBy, granularity, top } = query
  const groups = (Object.keys(GROUP_COLUMN) as Group[]).filter(group => groupBy.includes(group))
  const isByKey = query.keyUid !== undefined || groups.includes('key')
  const asked: Asked = { query, granularity, isByKey, groups, isByTime: groupBy.includes('time') }
  if (top === undefined || groups.length === 0) return (await selectRows(engine, asked)).map(rowOf)
  const found = await findTop(engine, asked, top)
  if (found.length <= top.limit) return (await selectRows(engine, asked)).map(rowOf)
  const rows = await selectRows(engine, { ...asked, only: found.slice(0, top.limit) })
  const all = await selectRows(engine, { ...asked, groups: [], isByKey: query.keyUid !== undefined })
  return [...rows.map(rowOf), ...othersOf(all.map(rowOf), rows.map(rowOf))]
}

/**
 * The groups that count most, one more than asked for where there are more. Which ones they are is looked up in the widest
 * buckets that the interval is not shorter than: of many keys even their days take long to sum.
 */
async function findTop(
  engine: Engine,
  asked: Asked,
  { limit, by }: { readonly limit: number; readonly by: UsageOrder },
): Promise<readonly GroupRow[]> {
  const { startTimeMs, endTimeMs } = asked.query
  const widest = ROLLUPS.findLast(({ widthMs }) => widthMs <= endTimeMs - startTimeMs)
  const columns = columnsOf(engine, asked.groups)
  const { rows } = await sql<GroupRow>`
    select ${sql.join(columns.map(({ column }) => column))}
    ${fromWhere({ ...asked, granularity: widest?.granularity ?? asked.granularity })}
    group by ${sql.join(columns.map(({ column }) => column))}
    order by ${ORDERED[by]} desc,
      ${sql.join(columns.map(({ order }) => order))}
    limit ${limit + 1}`.execute(engine.db)
  return rows
}

async function selectRows(engine: Engine, asked: Asked): Promise<readonly ReportRow[]> {
  const columns = [
    ...(asked.isByTime ? [{ column: sql.ref('bucket_time'), order: sql.ref('bucket_time') }] : []),
    ...columnsOf(engine, asked.groups),
  ]
  const sums = SUM_COLUMNS.map(name => summedAs(name, sql.ref(name)))
  const grouped = sql`group by ${sql.join(columns.map(({ column }) => column))}
    order by ${sql.join(columns.map(({ order }) => order))}`
  const { rows } = await sql<ReportRow>`
    select ${sql.join([...columns.map(({ column }) => column), ...sums])} ${fromWhere(asked)}
    ${columns.length === 0 ? sql`` : grouped} limit ${ROWS_MAX + 1}`.execute(engine.db)
  if (rows.length <= ROWS_MAX) return rows
  throw invalidField(
    'groupBy',
    `gives more than ${ROWS_MAX} rows; ask for the groups that count most (limit), for wider buckets, or for a shorter interval`,
  )
}

/** The tables that hold what is asked for, and which of their rows count. */
function fromWhere({ query, granularity, isByKey, groups, only }: Asked): RawBuilder<unknown> {
  const rollup = ROLLUPS.find(rollup => rollup.granularity === granularity)
  if (rollup === undefined) throw new Error(`no rollup by ${granularity}`)
  const { widthMs, table, projectTable } = rollup
  const { projectNumber, projectNumbers, keyUid, model, httpStatus } = query
  const startMs = Math.floor(query.startTimeMs / widthMs) * widthMs
  const endMs = Math.ceil(query.endTimeMs / widthMs) * widthMs
  const numbers = projectNumber === undefined ? projectNumbers : [projectNumber]
  const keyUids = keysOf(query, only)
  const conditions = [
    inBuckets({ startMs, endMs, widthMs }, keyUids !== null),
    ...(keyUids === null ? [] : [sql`key_uid in (${sql.join(keyUids)})`]),
    ...ofProjects(numbers, isByKey && (granularity === 'day' || keyUid !== undefined || only !== undefined)),
    ...(model === undefined ? [] : [sql`model = ${model}`]),
    ...(httpStatus === undefined ? [] : [sql`http_status = ${httpStatus}`]),
    ...(only === undefined ? [] : [sql`(${sql.join(only.map(matching), sql` or `)})`]),
  ]
  // The rows of a key do not say for what it is; those without keys do.
  const named =
    isByKey && groups.includes('environment')
      ? sql`(select u.*, coalesce(k.environment, '') as environment from ${sql.table(table)} as u
          left join (select uid, environment from key) as k on k.uid = u.key_uid) as u`
      : sql`${sql.table(isByKey ? table : projectTable)} as u`
  return sql`from ${named} where ${sql.join(conditions, sql` and `)}`
}

/** The keys of which rows are asked for, where there are few of them; null: all keys. */
function keysOf({ keyUid }: UsageQuery, only: readonly GroupRow[] | undefined): readonly string[] | null {
  if (keyUid !== undefined) return [keyUid]
  const uids = (only ?? []).flatMap(({ key_uid: uid }) => uid ?? [])
  return uids.length === 0 ? null : [...new Set(uids)]
}

/** So many buckets are looked up one by one. */
const BUCKETS_NAMED_MAX = 200

/**
 * The buckets of the interval. Of a few keys they are named: a row is found by project, bucket and key, and between two
 * buckets lie the rows of all other keys.
 */
function inBuckets(
  { startMs, endMs, widthMs }: { readonly startMs: number; readonly endMs: number; readonly widthMs: number },
  isOfFewKeys: boolean,
): RawBuilder<unknown> {
  const count = (endMs - startMs) / widthMs
  if (!isOfFewKeys || count < 1 || count > BUCKETS_NAMED_MAX)
    return sql`bucket_time >= ${startMs} and bucket_time < ${endMs}`
  const times = Array.from({ length: count }, (_, index) => startMs + index * widthMs)
  return sql`bucket_time in (${sql.join(times)})`
}

/** All projects are named as well where the rows are found by project: else every row there is would be looked at. */
function ofProjects(
  numbers: readonly string[] | undefined,
  isFoundByKey: boolean,
): readonly RawBuilder<unknown>[] {
  if (numbers === undefined) return isFoundByKey ? [] : [sql`project_number in (select number from project)`]
  return numbers.length === 0 ? [sql`1 = 0`] : [sql`project_number in (${sql.join(numbers)})`]
}

function matching(group: GroupRow): RawBuilder<unknown> {
  const equal = Object.entries(group).map(([name, value]) => sql`${sql.ref(name)} = ${value}`)
  return sql`(${sql.join(equal, sql` and `)})`
}

function columnsOf(engine: Engine, groups: readonly Group[]) {
  return groups.map(group => {
    const column = sql.ref<string>(GROUP_COLUMN[group])
    return { column, order: group === 'status' ? column : engine.bytewise(column) }
  })
}

/** What is left of each bucket without the groups that are told. The longest duration of it stays that of the bucket. */
function othersOf(all: readonly UsageRow[], told: readonly UsageRow[]): readonly UsageRow[] {
  const byTime = Map.groupBy(told, ({ bucketTimeMs }) => bucketTimeMs)
  return all.flatMap(({ totals, ...row }) => {
    const rest = (byTime.get(row.bucketTimeMs) ?? []).reduce(
      (left, next) => without(left, next.totals),
      totals,
    )
    return rest.calls === 0 ? [] : [{ ...row, isOther: true as const, totals: rest }]
  })
}

function without(totals: UsageTotals, part: UsageTotals): UsageTotals {
  const names = Object.keys(totals) as (keyof UsageTotals)[]
  const left = names.map(name => {
    if (name === 'costNanos') return [name, String(BigInt(totals[name]) - BigInt(part[name]))]
    return [name, name === 'durationMaxMs' ? totals[name] : totals[name] - part[name]]
  })
  return Object.fromEntries(left) as UsageTotals
}

function rowOf(row: ReportRow): UsageRow {
  return {
    ...(row.bucket_time === undefined ? {} : { bucketTimeMs: row.bucket_time }),
    ...(row.project_number === undefined ? {} : { projectNumber: row.project_number }),
    ...(row.key_uid === undefined ? {} : { keyUid: row.key_uid }),
    ...(row.environment === undefined ? {} : { environment: row.environment }),
    ...(row.model === undefined ? {} : { model: row.model }),
    ...(row.method === undefined ? {} : { method: row.method }),
    ...(row.http_status === undefined ? {} : { httpStatus: row.http_status }),
    totals: totalsOf(row),
  }
}

function totalsOf(row: Sums): UsageTotals {
  return {
    calls: row.calls,
    errors: row.errors,
    estimated: row.estimated,
    promptTokens: row.prompt_tokens,
    cachedTokens: row.cached_tokens,
    toolUsePromptTokens: row.tool_use_prompt_tokens,
    candidatesTokens: row.candidates_tokens,
    thoughtsTokens: row.thoughts_tokens,
    totalTokens: row.total_tokens,
    requestBytes: row.request_bytes,
    responseBytes: row.response_bytes,
    costNanos: row.cost_nanos,
    unpriced: row.unpriced,
    imageTokens: row.image_tokens,
    audioTokens: row.audio_tokens,
    videoTokens: row.video_tokens,
    documentTokens: row.document_tokens,
    durationMs: row.duration_ms,
    durationMaxMs: row.duration_max_ms,
  }
}
