import { Download, Table2 } from 'lucide-react'
import { useState } from 'react'
import { Button } from '../ui/button.tsx'
import { downloadCsv } from './csv.ts'
import { Legend } from './legend.tsx'
import { Plot } from './plot.tsx'
import { type ChartBucket, type ChartLine, type ChartSeries, drawnOf, shownBy, totalsOf } from './series.ts'
import './chart.css'

interface BarChartProps {
  /** Of the chart, for screen readers, and of its table. */
  readonly title: string
  readonly buckets: readonly ChartBucket[]
  /** The largest first; it stands at the bottom. Those without a colour are drawn as one, and told one by one in the table. */
  readonly series: readonly ChartSeries[]
  /** Ids of the series that are left out. */
  readonly hidden: ReadonlySet<string>
  readonly onHide: (hidden: ReadonlySet<string>) => void
  /** The totals of the buckets one period before, as a dashed line. */
  readonly previous?: readonly number[]
  readonly lines?: readonly ChartLine[]
  /** For reading, e.g. `$1.25`. */
  readonly show: (value: number) => string
  /** For files and the table: every digit. */
  readonly exact?: (value: number) => string
  /** Without `.csv`. */
  readonly fileName: string
  /** Bars are stacked, and their sum means something. False: they stand on each other's place, e.g. averages. */
  readonly isSum?: boolean
}

/** Stacked bars over time with a legend that filters, and the same numbers as a table and as a file. */
export function BarChart(props: BarChartProps) {
  const { title, buckets, series, hidden, previous, lines = [], show, exact = String, fileName } = props
  const [isTable, setTable] = useState(false)
  const drawn = drawnOf(series)
  const isShown = shownBy(series, hidden)
  const rows = rowsOf({ ...props, series: series.filter(({ id }) => isShown(id)), exact })
  return (
    <figure className="chart" aria-label={title}>
      <div className="chart__tools">
        <Legend {...props} series={drawn} />
        <div className="actions">
          <Button look="bare" aria-pressed={isTable} onPress={() => setTable(!isTable)}>
            <Table2 aria-hidden />
            {isTable ? 'Show chart' : 'Show table'}
          </Button>
          <Button look="bare" onPress={() => downloadCsv(`${fileName}.csv`, rows)}>
            <Download aria-hidden />
            CSV
          </Button>
        </div>
      </div>
      {isTable ? (
        <ChartTable title={title} rows={rows} />
      ) : (
        <Plot
          title={title}
          buckets={buckets}
          series={drawn.filter(({ id }) => isShown(id))}
          places={new Map(drawn.map(({ id }, place) => [id, place]))}
          show={show}
          lines={lines}
          {...(previous === undefined ? {} : { previous })}
        />
      )}
    </figure>
  )
}

type Rows = readonly (readonly [string, ...string[]])[]

/** A line of titles, then one for each bucket. */
function rowsOf({
  buckets,
  series,
  previous,
  exact,
}: Pick<BarChartProps, 'buckets' | 'series' | 'previous'> & {
  readonly exact: (value: number) => string
}): Rows {
  const totals = totalsOf(series, buckets.length)
  const hasMarks = buckets.some(({ mark }) => mark !== undefined)
  return [
    [
      'Time (UTC)',
      ...series.map(({ name }) => name),
      'Total',
      ...(previous === undefined ? [] : ['Previous period']),
      ...(hasMarks ? ['Note'] : []),
    ],
    ...buckets.map(
      ({ title, isOpen = false, mark = '' }, at) =>
        [
          isOpen ? `${title} (not over)` : title,
          ...series.map(({ values }) => exact(values[at] ?? 0)),
          exact(totals[at] ?? 0),
          ...(previous === undefined ? [] : [exact(previous[at] ?? 0)]),
          ...(hasMarks ? [mark] : []),
        ] as const,
    ),
  ]
}

function ChartTable({ title, rows: [head, ...rows] }: { readonly title: string; readonly rows: Rows }) {
  return (
    <div className="table__scroll chart__table" role="region" aria-label={`${title}, table`} tabIndex={0}>
      <table className="table">
        <caption className="unseen">{title}</caption>
        <thead>
          <tr>
            {head?.map((name, column) => (
              <th key={column} scope="col" className={column === 0 ? '' : 'number'}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(([name, ...cells]) => (
            <tr key={name}>
              <th scope="row" className="nowrap">
                {name}
              </th>
              {cells.map((cell, column) => (
                <td key={column} className="number">
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
