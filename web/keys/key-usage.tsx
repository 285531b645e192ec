import { useState } from 'react'
import { BarChart } from '../chart/bar-chart.tsx'
import { type ChartSeries, sumOf } from '../chart/series.ts'
import type { UsageReport } from '../queries.ts'
import { exactDollars, shownDollars } from '../ui/dollars.ts'
import { Table } from '../ui/table.tsx'
import { bucketStarts, chartBucket } from '../usage/buckets.ts'

const count = new Intl.NumberFormat('en')

type Row = UsageReport['rows'][number]

/** What the key did this month, by day and by model. */
export function KeyUsage({ report, days }: { readonly report: UsageReport; readonly days: UsageReport }) {
  const { rows } = report
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set())
  if (rows.length === 0) {
    return (
      <p className="quiet">No call yet this month. The first one shows up here a second after it ended.</p>
    )
  }
  const startsMs = bucketStarts(Date.parse(days.startTime), Date.parse(days.endTime), 'day')
  const sum = (pick: (row: Row) => number): string =>
    count.format(rows.reduce((total, row) => total + pick(row), 0))
  const costNanos = rows.reduce((total, row) => total + BigInt(row.costNanos), 0n)
  return (
    <>
      <dl className="sums">
        <Sum name="Calls" value={sum(row => row.calls)} />
        <Sum name="Errors" value={sum(row => row.errors)} />
        <Sum name="Tokens" value={sum(row => row.totalTokens)} />
        <Sum name="Cost" value={shownDollars(costNanos)} title={exactDollars(costNanos)} />
      </dl>
      <BarChart
        title="Cost by day and model"
        buckets={startsMs.map(startMs => chartBucket(startMs, 'day', Date.now()))}
        series={costByModel(days.rows, startsMs)}
        hidden={hidden}
        onHide={setHidden}
        show={nanos => shownDollars(BigInt(Math.round(nanos)))}
        exact={nanos => exactDollars(BigInt(nanos))}
        fileName="usage-of-key"
      />
      <Table
        label="Usage by model"
        columns={[
          'Model',
          { number: 'Cost' },
          { number: 'Calls' },
          { number: 'Input' },
          { number: 'Output' },
        ]}
      >
        <tbody>
          {rows.map(row => (
            <tr key={row.model ?? ''}>
              <th scope="row">{row.model || 'no model'}</th>
              <td className="number" title={exactDollars(row.costNanos)}>
                {shownDollars(row.costNanos)}
              </td>
              <td className="number">{count.format(row.calls)}</td>
              <td className="number">{count.format(row.promptTokens)}</td>
              <td className="number">{count.format(row.candidatesTokens)}</td>
            </tr>
          ))}
        </tbody>
      </Table>
    </>
  )
}

/** Each model with its days, the one that cost most first. */
function costByModel(rows: readonly Row[], startsMs: readonly number[]): readonly ChartSeries[] {
  const byModel = Map.groupBy(rows, ({ model = '' }) => model)
  const series = Array.from(byModel, ([model, ofModel]) => {
    const costs = new Map(ofModel.map(row => [Date.parse(row.time ?? ''), Number(row.costNanos)]))
    return { id: model, name: model || 'no model', values: startsMs.map(startMs => costs.get(startMs) ?? 0) }
  })
  return series.sort((one, other) => sumOf(other.values) - sumOf(one.values))
}

function Sum({
  name,
  value,
  title,
}: {
  readonly name: string
  readonly value: string
  readonly title?: string
}) {
  return (
    <div>
      <dt>{name}</dt>
      <dd title={title}>{value}</dd>
    </div>
  )
}
