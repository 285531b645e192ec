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

/** So many kinds can be told apart; what is beyond belongs into one called other. */
export const SERIES_MAX = 8

export function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}

/** The height of the bar of each bucket. */
export function totalsOf(series: readonly ChartSeries[], buckets: number): readonly number[] {
  return Array.from({ length: buckets }, (_, at) => sumOf(series.map(({ values }) => values[at] ?? 0)))
}
