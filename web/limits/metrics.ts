/** What is limited, in words, and lists of limits as a grid of models and metrics. */
import { EACH_MODEL, QUOTA_METRICS, type QuotaMetric } from '../../src/domain/quota.ts'

/** Google's abbreviations where it has one. */
export const METRIC_TEXT: Readonly<Record<QuotaMetric, string>> = {
  requestsPerMinute: 'Requests a minute',
  inputTokensPerMinute: 'Input tokens a minute',
  requestsPerDay: 'Requests a day',
  imagesPerMinute: 'Images a minute',
  requestBytesPerDay: 'Bytes sent a day',
  concurrentCalls: 'Calls at a time',
}

export const METRIC_SHORT: Readonly<Record<QuotaMetric, string>> = {
  requestsPerMinute: 'RPM',
  inputTokensPerMinute: 'TPM',
  requestsPerDay: 'RPD',
  imagesPerMinute: 'IPM',
  requestBytesPerDay: 'Bytes a day',
  concurrentCalls: 'At a time',
}

const count = new Intl.NumberFormat('en')

/** `250,000`; -1 is no limit. */
export function shownLimit(value: string): string {
  return value === '-1' ? 'no limit' : count.format(BigInt(value))
}

export function shownCount(value: number): string {
  return count.format(value)
}

/** Absent or empty: all models together. */
export function modelText(model: string | undefined): string {
  if (model === undefined || model === '') return 'All models together'
  return model === EACH_MODEL ? 'Each other model' : model
}

interface Placed {
  readonly metric: QuotaMetric
  readonly model?: string | undefined
}

export interface GridRow<Cell> {
  /** Empty: all models together. */
  readonly model: string
  readonly cells: ReadonlyMap<QuotaMetric, Cell>
}

/** A row for each model, the newest Gemini first and those for many last; a cell for each metric. */
export function gridOf<Cell extends Placed>(placed: readonly Cell[]): readonly GridRow<Cell>[] {
  const byModel = Map.groupBy(placed, ({ model = '' }) => model)
  const rows = Array.from(byModel, ([model, cells]) => ({
    model,
    cells: new Map(cells.map(cell => [cell.metric, cell])),
  }))
  return rows.toSorted(
    (one, other) => rank(one.model) - rank(other.model) || other.model.localeCompare(one.model, 'en'),
  )
}

function rank(model: string): number {
  if (model === '') return 3
  if (model === EACH_MODEL) return 2
  return /^gemini-\d/.test(model) ? 0 : 1
}

/** The metrics that any of them has, in the order of the columns. */
export function metricsOf(placed: readonly Placed[]): readonly QuotaMetric[] {
  return QUOTA_METRICS.filter(metric => placed.some(one => one.metric === metric))
}
