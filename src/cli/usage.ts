/** `pollux usage`. */
import { Option } from 'commander'
import type { ResponseOf } from '../contract/endpoint.ts'
import { POLLUX_V1 } from '../contract/pollux.v1.ts'
import {
  USAGE_DIMENSIONS,
  USAGE_GRANULARITIES,
  USAGE_ORDERS,
  type UsageDimension,
  type UsageGranularity,
  type UsageOrder,
} from '../domain/usage.ts'
import { type CommandRow, printJson, printTable } from './command.ts'
import { shownUsd, sumOfNanos } from './dollars.ts'
import { countUpTo, listOf, timeAgo } from './flags.ts'
import { type ProjectFlag, addProjectFlag, keyArgument, projectOf } from './resource-arguments.ts'
import type { Table } from './table.ts'

type Report = ResponseOf<typeof POLLUX_V1.getUsage>
type Row = Report['rows'][number]

interface UsageFlags {
  readonly key?: string
  readonly since?: string
  readonly until?: string
  readonly groupBy?: readonly UsageDimension[]
  readonly granularity?: UsageGranularity
  readonly allProjects?: boolean
  readonly model?: string
  readonly status?: number
  readonly limit?: number
  readonly orderBy?: UsageOrder
}

export const USAGE: CommandRow<ProjectFlag & UsageFlags> = {
  usage: 'usage',
  summary: 'sum up calls, tokens and cost',
  examples: [
    'pollux usage --since 7d',
    'pollux usage --all-projects --since 30d --group-by key,time --limit 10 --granularity day --json',
    'pollux usage --key first-key --since 2026-01-01 --group-by time,model --granularity day --json',
  ],
  addFlags(command) {
    addProjectFlag(command)
    command
      .addOption(
        new Option('--all-projects', 'of every project in which you may look at usage').conflicts('key'),
      )
      .option('--key <key>', 'of this key only (id or uid)')
      .option('--model <model>', 'of calls for this model only')
      .option('--status <code>', 'of calls answered with this HTTP status only', countUpTo(599))
      .option(
        '--since <time>',
        'from this time or distance on (default: the start of the month, UTC)',
        timeAgo,
      )
      .option('--until <time>', 'before this time or distance (default: now)', timeAgo)
      .option(
        '--group-by <list>',
        `a row for each: ${USAGE_DIMENSIONS.join(', ')} (default: key,model)`,
        listOf(USAGE_DIMENSIONS),
      )
      .option('--limit <count>', 'only the groups that count most, and one row for the others', countUpTo(50))
      .addOption(
        new Option('--order-by <sum>', 'what counts for --limit (default: cost)').choices(USAGE_ORDERS),
      )
      .addOption(
        new Option('--granularity <width>', 'width of the buckets of time (default: day)').choices(
          USAGE_GRANULARITIES,
        ),
      )
  },
  async run(invocation) {
    const { io, flags, server } = invocation
    const { since: startTime, until: endTime, granularity, model, status, limit, orderBy } = flags
    const groupBy = flags.groupBy === undefined ? undefined : [...flags.groupBy]
    const query = { startTime, endTime, granularity, groupBy, model, status, limit, orderBy }
    const report =
      flags.allProjects === true
        ? await server().client.call(POLLUX_V1.searchUsage, { query })
        : await server().client.call(POLLUX_V1.getUsage, placeOf(flags, query))
    if (flags.json) return printJson(invocation, report)
    const empty = `No calls from ${report.startTime} to ${report.endTime}.`
    printTable(invocation, usageTable(report, io.stdout.isTTY === true), empty)
  },
}

function placeOf<Query>(flags: ProjectFlag & UsageFlags, query: Query) {
  const asked = flags.key === undefined ? undefined : keyArgument(flags.key, flags)
  return { params: { project: asked?.project ?? projectOf(flags) }, query: { ...query, key: asked?.key } }
}

const DIMENSIONS: Readonly<
  Record<UsageDimension, { title: string; of: (row: Row, report: Report) => string }>
> = {
  key: { title: 'KEY', of: row => row.keyId ?? row.keyUid ?? '' },
  project: { title: 'PROJECT', of: row => row.project?.replace('projects/', '') ?? '' },
  environment: { title: 'ENVIRONMENT', of: row => row.environment || '-' },
  status: { title: 'STATUS', of: row => String(row.status ?? '') },
  model: { title: 'MODEL', of: row => row.model || '-' },
  method: { title: 'METHOD', of: row => row.method ?? '' },
  time: { title: 'TIME', of: row => row.time ?? '' },
}

/** In the order in which they are given up on a narrow terminal, the last first. */
const COUNTS = [
  ['TOTAL', 'totalTokens'],
  ['INPUT', 'promptTokens'],
  ['OUTPUT', 'candidatesTokens'],
  ['THOUGHTS', 'thoughtsTokens'],
  ['CACHED', 'cachedTokens'],
  ['TOOL USE', 'toolUsePromptTokens'],
  ['ERRORS', 'errors'],
  ['ESTIMATED', 'estimated'],
  ['UNPRICED', 'unpriced'],
] as const

type Sums = Pick<Row, 'calls' | 'costNanos' | (typeof COUNTS)[number][1]>

/** With thousands separators and a sum on a terminal; plain numbers and nothing but rows in a pipe. */
function usageTable(report: Report, isForPeople: boolean): Table {
  const groups = report.groupBy.map(dimension => DIMENSIONS[dimension])
  const count = (value: number): string => (isForPeople ? value.toLocaleString('en-US') : String(value))
  const numbers = (sums: Sums): string[] => [
    count(sums.calls),
    shownUsd(sums.costNanos),
    ...COUNTS.map(([, field]) => count(sums[field])),
  ]
  const rows = report.rows.map(row => [
    ...groups.map(({ title, of }, at) => named(row, { title, at, text: of(row, report) })),
    ...numbers(row),
  ])
  const titles = ['CALLS', 'COST', ...COUNTS.map(([title]) => title)]
  return {
    columns: [
      ...groups.map(({ title }) => ({ title, isKept: true, isIdentity: true, isWhole: title === 'TIME' })),
      ...titles.map(title => ({ title, align: 'right' as const, isWhole: true, isKept: title === 'CALLS' })),
    ],
    rows:
      isForPeople && report.rows.length > 1
        ? [...rows, [...groups.map((_, at) => (at === 0 ? 'total' : '')), ...numbers(sumOf(report.rows))]]
        : rows,
  }
}

/** The row of all others has a time and no other name. */
function named(row: Row, { title, at, text }: { title: string; at: number; text: string }): string {
  return row.other !== true || title === 'TIME' ? text : at === 0 ? 'all others' : ''
}

function sumOf(rows: readonly Row[]): Sums {
  const sum = (field: keyof Omit<Sums, 'costNanos'>): number =>
    rows.reduce((total, row) => total + row[field], 0)
  const counts = Object.fromEntries(COUNTS.map(([, field]) => [field, sum(field)]))
  return { ...counts, calls: sum('calls'), costNanos: sumOfNanos(rows.map(row => row.costNanos)) } as Sums
}
