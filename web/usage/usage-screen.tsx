import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { BarChart } from '../chart/bar-chart.tsx'
import { type ChartSeries, shownBy, totalsOf } from '../chart/series.ts'
import { projectsQuery } from '../queries.ts'
import { ErrorNotice } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { useUrlState } from '../url-state.ts'
import { bucketStarts, chartBucket } from './buckets.ts'
import { type UsageGroup, groupsOf, modalitySeries, seriesOf, sumsOf, valuesOf } from './groups.ts'
import { GroupTable } from './group-table.tsx'
import { GROUPS, METRICS, type Metric, type UsageRow } from './metrics.ts'
import { type UsageAsked, usageByTimeQuery } from './queries.ts'
import { type Range, previousOf, previousUntil, rangeOf } from './range.ts'
import { spikesOf } from './spikes.ts'
import { Totals } from './totals.tsx'
import { Updated, useMinute } from './updated.tsx'
import { UsageFilters } from './usage-filters.tsx'
import './usage.css'

const DEFAULTS = {
  range: '30d',
  from: '',
  to: '',
  by: '',
  group: 'model',
  metric: 'cost',
  project: '',
  key: '',
  compare: 'yes',
  /** Ids of groups; that of those which have no name is empty. */
  hide: [] as readonly string[],
}

export type UsageState = typeof DEFAULTS

/** What calls cost, counted and took: over time, by what one wants to know. */
export function UsageScreen() {
  const [state, change] = useUrlState<UsageState>(DEFAULTS)
  const nowMs = useMinute()
  const range = rangeOf(state, nowMs)
  const [, , dimension] = GROUPS.find(([id]) => id === state.group) ?? GROUPS[0] ?? []
  const isByModality = state.group === 'modality'
  const asked = METRICS.find(({ id }) => id === state.metric) ?? METRICS[0]
  const metric = isByModality && asked.hasModalities === undefined ? tokensMetric() : asked
  const { project, key, hide } = state
  const asking = { project, key, orderBy: metric.id, range, group: dimension ?? null }
  const usage = useQuery(usageByTimeQuery(asking))
  // Of whole periods all is compared, else the groups that are left.
  const compared = hide.length === 0 ? { ...asking, group: null } : asking
  const previous = usePrevious(compared, nowMs, state.compare === 'yes')
  return (
    <Page
      title="Usage"
      about="What calls cost, consumed and took. Times are UTC; a call counts a second after it ended."
      actions={<Updated atMs={usage.dataUpdatedAt} isStale={usage.isError} />}
    >
      <UsageFilters state={state} granularity={range.granularity} metric={metric} onChange={change} />
      {usage.error !== null && <ErrorNotice title="The usage could not be read" error={usage.error} />}
      {usage.data === undefined && usage.error === null && <div className="waiting" />}
      {usage.data !== undefined && (
        <Shown
          rows={usage.data.rows}
          {...(previous === undefined ? {} : { previous })}
          {...{ metric, range, nowMs, isByModality, state }}
          onHide={hidden => change({ hide: [...hidden] })}
        />
      )}
    </Page>
  )
}

/** The rows of the period before, up to the moment that the range has come to; undefined while they are not there. */
function usePrevious(asking: UsageAsked, nowMs: number, isAsked: boolean): readonly UsageRow[] | undefined {
  const { whole, part } = previousUntil(asking.range, nowMs)
  const ofWhole = useQuery({
    ...usageByTimeQuery({ ...asking, range: whole ?? asking.range }),
    enabled: isAsked && whole !== null,
  })
  const ofPart = useQuery({
    ...usageByTimeQuery({ ...asking, range: part ?? asking.range, isInAll: true }),
    enabled: isAsked && part !== null,
  })
  const rows = whole === null ? [] : ofWhole.data?.rows
  const last = part === null ? [] : ofPart.data?.rows
  if (!isAsked || rows === undefined || last === undefined) return undefined
  const time = new Date(part?.startMs ?? 0).toISOString()
  return [...rows, ...last.map(row => ({ ...row, time }))]
}

function tokensMetric(): Metric {
  return METRICS.find(({ hasModalities }) => hasModalities === true) ?? METRICS[0]
}

interface ShownProps {
  readonly rows: readonly UsageRow[]
  readonly previous?: readonly UsageRow[]
  readonly metric: Metric
  readonly range: Range
  readonly nowMs: number
  readonly isByModality: boolean
  readonly state: UsageState
  readonly onHide: (hidden: ReadonlySet<string>) => void
}

function Shown({ rows, previous, metric, range, nowMs, isByModality, state, onHide }: ShownProps) {
  const { data: projects } = useQuery(projectsQuery)
  const names = useMemo(
    () =>
      new Map((projects ?? []).map(({ name, displayName, projectId }) => [name, displayName || projectId])),
    [projects],
  )
  if (rows.length === 0) return <NoUsage project={state.project} />
  const startsMs = bucketStarts(range.startMs, range.endMs, range.granularity)
  const groups = groupsOf(rows, names)
  const series = shownSeries({ rows, groups, metric, startsMs, isByModality })
  const hidden = new Set(state.hide)
  const line =
    previous === undefined
      ? undefined
      : previousLine(previous, { series, hidden, names, metric, range, isByModality })
  const totals = metric.isSum ? totalsOf(series, startsMs.length) : (series[0]?.values ?? [])
  const spikes = spikesOf(totals)
  const buckets = startsMs.map((startMs, at) => {
    const times = spikes[at] ?? null
    const mark = times === null ? {} : { mark: `spike: ${times.toFixed(1)} times the usual` }
    return { ...chartBucket(startMs, range.granularity, nowMs), ...mark }
  })
  const metricText = metric.id === 'cost' ? 'Cost' : metric.text
  const title = `${metricText} by ${metric.isSum ? state.group : 'time'}`
  return (
    <>
      <section className="panel" aria-label={title}>
        <Totals sums={sumsOf(rows)} {...(previous === undefined ? {} : { previous: sumsOf(previous) })} />
        <BarChart
          title={title}
          buckets={buckets}
          series={series}
          hidden={hidden}
          onHide={onHide}
          show={metric.show}
          exact={metric.exact}
          isSum={metric.isSum}
          fileName={`usage-${metric.id}-by-${state.group}`}
          {...(line === undefined ? {} : { previous: line })}
        />
        <Spikes buckets={buckets} />
      </section>
      {!isByModality && <GroupTable {...{ groups, metric }} group={state.group} />}
    </>
  )
}

interface SeriesAsked {
  readonly rows: readonly UsageRow[]
  readonly groups: readonly UsageGroup[]
  readonly metric: Metric
  readonly startsMs: readonly number[]
  readonly isByModality: boolean
}

function shownSeries({ rows, groups, metric, startsMs, isByModality }: SeriesAsked): readonly ChartSeries[] {
  if (!metric.isSum) return [{ id: 'mean', name: 'All calls', values: timesOf(rows, metric, startsMs) }]
  return isByModality ? modalitySeries(rows, startsMs) : seriesOf(groups, metric, startsMs)
}

interface PreviousAsked extends Pick<ShownProps, 'metric' | 'range' | 'isByModality'> {
  readonly series: readonly ChartSeries[]
  readonly hidden: ReadonlySet<string>
  readonly names: ReadonlyMap<string, string>
}

/** The heights of the bars of the period before, without what is hidden of those that are there. */
function previousLine(
  rows: readonly UsageRow[],
  { series, hidden, names, metric, range, isByModality }: PreviousAsked,
): readonly number[] {
  const startsMs = bucketStarts(previousOf(range).startMs, range.startMs, range.granularity)
  if (!metric.isSum) return timesOf(rows, metric, startsMs)
  const isShown = shownBy(series, hidden)
  const before = shownSeries({ rows, groups: groupsOf(rows, names), metric, startsMs, isByModality })
  return totalsOf(
    before.filter(({ id }) => isShown(id)),
    startsMs.length,
  )
}

/** One value for each bucket, whatever the groups: means are made of sums, as means do not add up. */
function timesOf(rows: readonly UsageRow[], metric: Metric, startsMs: readonly number[]): readonly number[] {
  if (metric.isSum) return valuesOf(rows, metric.of, startsMs)
  const calls = valuesOf(rows, row => row.calls, startsMs)
  return valuesOf(rows, row => row.durationMs, startsMs).map((sum, at) => sum / Math.max(1, calls[at] ?? 0))
}

function Spikes({
  buckets,
}: {
  readonly buckets: readonly { readonly title: string; readonly mark?: string }[]
}) {
  const spikes = buckets.filter(({ mark }) => mark !== undefined)
  if (spikes.length === 0) return null
  return (
    <p className="spikes small">
      <span className="status status--look">
        {spikes.length === 1 ? '1 spike' : `${spikes.length} spikes`}
      </span>{' '}
      {spikes.map(({ title, mark }) => `${title} (${mark?.replace('spike: ', '')})`).join('; ')}
    </p>
  )
}

function NoUsage({ project }: { readonly project: string }) {
  return (
    <div className="sheet empty">
      <h2>No call in this time</h2>
      <p>
        Usage shows up a second after a call has ended. Choose a longer range above, or ask on the command
        line:{' '}
        <code>pollux usage --since 90d{project === '' ? ' --all-projects' : ` --project ${project}`}</code>
      </p>
    </div>
  )
}
