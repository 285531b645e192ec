/** What the usage screen counts, and by what. */
import type { UsageDimension, UsageOrder } from '../../src/domain/usage.ts'
import type { UsageReport } from '../queries.ts'
import { exactDollars, shownDollars } from '../ui/dollars.ts'

export type UsageRow = UsageReport['rows'][number]

const short = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 })
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const bytes = new Intl.NumberFormat('en', {
  notation: 'compact',
  style: 'unit',
  unit: 'byte',
  unitDisplay: 'narrow',
  maximumFractionDigits: 1,
})

export interface Metric {
  /** By which the groups are asked for that count most. */
  readonly id: UsageOrder
  readonly text: string
  readonly of: (row: UsageRow) => number
  /** To read; without it a short number. */
  readonly show: (value: number) => string
  readonly exact: (value: number) => string
  /** Parts of it add up to the whole. */
  readonly isSum: boolean
  /** There are amounts of it for each modality. */
  readonly hasModalities?: true
}

const counted = (id: UsageOrder, text: string, of: (row: UsageRow) => number): Metric => ({
  id,
  text,
  of,
  show: value => (value < 10_000 ? whole.format(value) : short.format(value)),
  exact: String,
  isSum: true,
})

/** Milliseconds as people say them. */
export function shownDuration(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`
}

export const METRICS: readonly [Metric, ...Metric[]] = [
  {
    id: 'cost',
    text: 'Cost',
    of: row => Number(row.costNanos),
    show: nanos => shownDollars(BigInt(Math.round(nanos))),
    exact: nanos => exactDollars(BigInt(Math.round(nanos))).slice(1),
    isSum: true,
  },
  counted('calls', 'Requests', row => row.calls),
  { ...counted('tokens', 'All tokens', row => row.totalTokens), hasModalities: true },
  counted('input', 'Input tokens', row => row.promptTokens),
  counted('cached', 'Cached tokens', row => row.cachedTokens),
  counted('output', 'Output tokens', row => row.candidatesTokens),
  counted('thinking', 'Thinking tokens', row => row.thoughtsTokens),
  counted('tool', 'Tool use tokens', row => row.toolUsePromptTokens),
  {
    ...counted('bytes', 'Bytes', row => row.requestBytes + row.responseBytes),
    show: value => bytes.format(value),
  },
  counted('errors', 'Errors', row => row.errors),
  {
    id: 'latency',
    text: 'Latency (mean)',
    of: row => (row.calls === 0 ? 0 : row.durationMs / row.calls),
    show: shownDuration,
    exact: ms => ms.toFixed(1),
    isSum: false,
  },
]

/** What a report is asked by; null: modalities are told in every row. */
export const GROUPS: readonly (readonly [id: string, text: string, dimension: UsageDimension | null])[] = [
  ['model', 'Model', 'model'],
  ['key', 'Key', 'key'],
  ['project', 'Project', 'project'],
  ['status', 'Status', 'status'],
  ['modality', 'Modality', null],
  ['environment', 'Environment', 'environment'],
]

export const MODALITIES: readonly (readonly [name: string, of: (row: UsageRow) => number])[] = [
  ['Text', row => row.totalTokens - row.imageTokens - row.audioTokens - row.videoTokens - row.documentTokens],
  ['Image', row => row.imageTokens],
  ['Audio', row => row.audioTokens],
  ['Video', row => row.videoTokens],
  ['Document', row => row.documentTokens],
]
