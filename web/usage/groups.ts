/** A report as the chart and the table show it: one group for each colour. */
import { type ChartSeries, OTHERS, sumOf } from '../chart/series.ts'
import { MODALITIES, type Metric, type UsageRow } from './metrics.ts'

export interface UsageGroup {
  readonly id: string
  readonly name: string
  readonly rows: readonly UsageRow[]
}

/** The groups of a report's rows. `projectNames` is by resource name. */
export function groupsOf(
  rows: readonly UsageRow[],
  projectNames: ReadonlyMap<string, string>,
): readonly UsageGroup[] {
  const groups = Map.groupBy(rows, row => idOf(row))
  return Array.from(groups, ([id, ofGroup]) => ({
    id,
    name: ofGroup[0] === undefined ? id : nameOf(ofGroup[0], projectNames),
    rows: ofGroup,
  }))
}

function idOf({ other, keyUid, project, status, environment, model }: UsageRow): string {
  if (other === true) return OTHERS
  return (
    keyUid ?? project ?? (status === undefined ? undefined : String(status)) ?? environment ?? model ?? 'all'
  )
}

function nameOf(row: UsageRow, projectNames: ReadonlyMap<string, string>): string {
  if (row.other === true) return 'All others'
  if (row.keyUid !== undefined) return row.keyDisplayName || (row.keyId ?? row.keyUid)
  if (row.project !== undefined) return projectNames.get(row.project) ?? row.project
  if (row.status !== undefined) return String(row.status)
  if (row.environment !== undefined) return row.environment || 'no environment'
  return row.model || 'no model'
}

/** One series for each group, the largest first and the others last. */
export function seriesOf(
  groups: readonly UsageGroup[],
  metric: Metric,
  startsMs: readonly number[],
): readonly ChartSeries[] {
  return groups
    .map(({ id, name, rows }) => ({ id, name, values: valuesOf(rows, metric.of, startsMs) }))
    .sort(
      (one, other) =>
        Number(one.id === OTHERS) - Number(other.id === OTHERS) || sumOf(other.values) - sumOf(one.values),
    )
}

/** Tokens by modality, those that there are. */
export function modalitySeries(
  rows: readonly UsageRow[],
  startsMs: readonly number[],
): readonly ChartSeries[] {
  return MODALITIES.map(([name, of]) => ({
    id: name.toLowerCase(),
    name,
    values: valuesOf(rows, of, startsMs),
  })).filter(({ values }) => sumOf(values) > 0)
}

/** The sum, or the mean where parts do not add up, in each bucket. */
export function valuesOf(
  rows: readonly UsageRow[],
  of: (row: UsageRow) => number,
  startsMs: readonly number[],
): readonly number[] {
  const byTime = new Map<number, number>()
  for (const row of rows) {
    const startMs = Date.parse(row.time ?? '')
    byTime.set(startMs, (byTime.get(startMs) ?? 0) + of(row))
  }
  return startsMs.map(startMs => byTime.get(startMs) ?? 0)
}

export interface UsageSums {
  readonly calls: number
  readonly errors: number
  readonly totalTokens: number
  readonly costNanos: bigint
  readonly meanMs: number
  readonly maxMs: number
}

export function sumsOf(rows: readonly UsageRow[]): UsageSums {
  const calls = sumOf(rows.map(row => row.calls))
  return {
    calls,
    errors: sumOf(rows.map(row => row.errors)),
    totalTokens: sumOf(rows.map(row => row.totalTokens)),
    costNanos: rows.reduce((sum, row) => sum + BigInt(row.costNanos), 0n),
    meanMs: calls === 0 ? 0 : sumOf(rows.map(row => row.durationMs)) / calls,
    maxMs: Math.max(0, ...rows.map(row => row.durationMaxMs)),
  }
}
