/** Whether the usage reports of Pollux are the sums of its records. */
import type { ResponseOf } from '../src/contract/endpoint.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { USAGE_GRANULARITIES, type UsageGranularity } from '../src/domain/usage.ts'
import type { RecordRow } from '../src/storage/record-row.ts'
import type { Pollux } from '../test/pollux.ts'

const WIDTH_MS: Readonly<Record<UsageGranularity, number>> = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
}

/** Sum names of a report beside the columns they are sums of. */
const SUMS = {
  promptTokens: 'prompt_tokens',
  cachedTokens: 'cached_tokens',
  toolUsePromptTokens: 'tool_use_prompt_tokens',
  candidatesTokens: 'candidates_tokens',
  thoughtsTokens: 'thoughts_tokens',
  totalTokens: 'total_tokens',
  requestBytes: 'request_bytes',
  responseBytes: 'response_bytes',
  costNanos: 'cost_nanos',
} as const

type SumName = keyof typeof SUMS
type Sums = Record<'calls' | 'errors' | 'estimated' | 'unpriced' | SumName, number>
type Rollup = ReadonlyMap<string, Sums>
export type Reports = Readonly<Record<UsageGranularity, Rollup>>

type ReportRow = ResponseOf<typeof POLLUX_V1.getUsage>['rows'][number]

/** The reports in all widths. Taken while no call is open: then no record can join between report and count. */
export async function readReports(pollux: Pollux, project: string): Promise<Reports> {
  const entries: [UsageGranularity, Rollup][] = []
  for (const granularity of USAGE_GRANULARITIES) {
    const { rows } = await pollux.client.call(POLLUX_V1.getUsage, {
      params: { project },
      query: {
        granularity,
        groupBy: ['time', 'key', 'model', 'method'],
        startTime: new Date(Date.now() - WIDTH_MS.day).toISOString(),
      },
    })
    entries.push([granularity, new Map(rows.map(row => [groupOf(row), sumsOf(row)]))])
  }
  return Object.fromEntries(entries) as Record<UsageGranularity, Rollup>
}

function groupOf({ time, keyUid, model, method }: ReportRow): string {
  return [Date.parse(time ?? ''), keyUid, model, method].join(' ')
}

function sumsOf({ keyUid: _uid, keyId: _id, keyDisplayName: _name, ...row }: ReportRow): Sums {
  const { time: _time, model: _model, method: _method, ...sums } = row
  return { ...sums, costNanos: Number(sums.costNanos) }
}

/** Where a report says something else than the records, a line each. */
export function reportErrors(reports: Reports, rows: readonly RecordRow[]): string[] {
  return USAGE_GRANULARITIES.flatMap(granularity => {
    const reported = reports[granularity]
    const counted = recount(rows, WIDTH_MS[granularity])
    const groups = [...new Set([...reported.keys(), ...counted.keys()])]
    return groups.flatMap(group => {
      const [left, right] = [reported.get(group), counted.get(group)]
      const names = ['calls', 'errors', 'estimated', 'unpriced', ...Object.keys(SUMS)] as (keyof Sums)[]
      return names
        .filter(name => left?.[name] !== right?.[name])
        .map(
          name =>
            `${granularity} ${group}: ${name} is ${left?.[name]} by the report, ${right?.[name]} by the records`,
        )
    })
  })
}

function recount(rows: readonly RecordRow[], widthMs: number): Rollup {
  const groups = new Map<string, Sums>()
  for (const row of rows) {
    const bucketMs = Math.floor(row.start_time / widthMs) * widthMs
    const group = [bucketMs, row.key_uid, row.model, row.method].join(' ')
    let sums = groups.get(group)
    if (sums === undefined) {
      const zeros = Object.fromEntries(Object.keys(SUMS).map(name => [name, 0])) as Record<SumName, number>
      groups.set(group, (sums = { calls: 0, errors: 0, estimated: 0, unpriced: 0, ...zeros }))
    }
    sums.calls++
    if (row.http_status >= 400) sums.errors++
    if (row.outcome === 'estimated') sums.estimated++
    if (row.cost_nanos === null) sums.unpriced++
    for (const [name, column] of Object.entries(SUMS)) sums[name as SumName] += row[column] ?? 0
  }
  return groups
}
