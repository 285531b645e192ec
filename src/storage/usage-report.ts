/** Usage reports: sums over rollups, never over records. */
import { sql } from 'kysely'
import type { UsageDimension, UsageQuery, UsageRow } from '../domain/usage.ts'
import type { Engine } from './engine.ts'
import type { Sums } from './usage-sums.ts'
import { ROLLUPS, SUM_COLUMNS, isMoney } from './usage-sums.ts'

const DIMENSION_COLUMN = {
  time: 'bucket_time',
  key: 'key_uid',
  model: 'model',
  method: 'method',
} as const satisfies Record<UsageDimension, string>

type ReportRow = Sums & {
  readonly bucket_time?: number
  readonly key_uid?: string
  readonly model?: string
  readonly method?: string
}

/**
 * Sorted by time, key, model, method, as far as they were asked for. Without any dimension: one row, of zeros when there
 * were no calls.
 */
export async function reportUsage(engine: Engine, query: UsageQuery): Promise<readonly UsageRow[]> {
  const rollup = ROLLUPS.find(rollup => rollup.granularity === query.granularity)
  if (rollup === undefined) throw new Error(`no rollup by ${query.granularity}`)
  const { widthMs, table } = rollup
  const startMs = Math.floor(query.startTimeMs / widthMs) * widthMs
  const endMs = Math.ceil(query.endTimeMs / widthMs) * widthMs
  const asked = (Object.keys(DIMENSION_COLUMN) as UsageDimension[]).filter(dimension =>
    query.groupBy.includes(dimension),
  )
  const columns = asked.map(dimension => sql.ref(DIMENSION_COLUMN[dimension]))
  const order = asked.map(dimension => {
    const column = sql.ref<string>(DIMENSION_COLUMN[dimension])
    return dimension === 'time' ? column : engine.bytewise(column)
  })
  const sums = SUM_COLUMNS.map(name => {
    const type = sql.raw(isMoney(name) ? 'text' : 'bigint')
    return sql`cast(coalesce(sum(${sql.ref(name)}), 0) as ${type}) as ${sql.ref(name)}`
  })
  const { rows } = await sql<ReportRow>`
    select ${sql.join([...columns, ...sums])} from ${sql.table(table)}
    where project_number = ${query.projectNumber} and bucket_time >= ${startMs} and bucket_time < ${endMs}
    ${query.keyUid === undefined ? sql`` : sql`and key_uid = ${query.keyUid}`}
    ${asked.length === 0 ? sql`` : sql`group by ${sql.join(columns)} order by ${sql.join(order)}`}
  `.execute(engine.db)
  return rows.map(rowOf)
}

function rowOf(row: ReportRow): UsageRow {
  return {
    ...(row.bucket_time === undefined ? {} : { bucketTimeMs: row.bucket_time }),
    ...(row.key_uid === undefined ? {} : { keyUid: row.key_uid }),
    ...(row.model === undefined ? {} : { model: row.model }),
    ...(row.method === undefined ? {} : { method: row.method }),
    totals: {
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
    },
  }
}
