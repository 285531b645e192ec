/** What a chart shows: amounts of a few kinds in buckets of time. */

export interface ChartBucket {
  readonly id: string
  /** Under the bar. */
  readonly label: string
  /** Where there is room: the whole moment. */
  readonly title: string
  /** It has not ended: hatched. */
  readonly isOpen?: boolean
  /** Why one should look at it, e.g. `5 times the usual`: marked over the bar. */
  readonly mark?: string
}

export interface ChartSeries {
  readonly id: string
  readonly name: string
  /** One for each bucket. */
  readonly values: readonly number[]
}

/** A straight line over the bars: what is not to be passed, or where it goes. */
export interface ChartLine {
  readonly kind: 'limit' | 'pace'
  readonly name: string
  /** Places among the buckets, which may be between two, and values there. */
  readonly from: readonly [at: number, value: number]
  readonly to: readonly [at: number, value: number]
}

/** So many kinds can be told apart; what is beyond is drawn as one. */
const SERIES_MAX = 8
/** The id of what is drawn as one; nothing that is counted has this name. */
export const OTHERS = '*'

/** Each with a colour of its own: the first ones, and all others together. Those that are others already stand last. */
export function drawnOf(series: readonly ChartSeries[]): readonly ChartSeries[] {
  if (series.length <= SERIES_MAX) return series
  const [own, others] = [series.slice(0, SERIES_MAX - 1), series.slice(SERIES_MAX - 1)]
  const values = totalsOf(others, others[0]?.values.length ?? 0)
  return [...own, { id: OTHERS, name: 'All others', values }]
}

/** Whether a series is shown: what has no colour of its own is hidden with the others. */
export function shownBy(
  series: readonly ChartSeries[],
  hidden: ReadonlySet<string>,
): (id: string) => boolean {
  const drawn = new Set(drawnOf(series).map(({ id }) => id))
  return id => !hidden.has(drawn.has(id) ? id : OTHERS)
}

export function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}

/** The height of the bar of each bucket. */
export function totalsOf(series: readonly ChartSeries[], buckets: number): readonly number[] {
  return Array.from({ length: buckets }, (_, at) => sumOf(series.map(({ values }) => values[at] ?? 0)))
}
