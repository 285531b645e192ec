import { OTHERS, sumOf } from '../chart/series.ts'
import { exactDollars, shownDollars } from '../ui/dollars.ts'
import { Table } from '../ui/table.tsx'
import { type UsageGroup, sumsOf } from './groups.ts'
import { type Metric, shownDuration } from './metrics.ts'

const count = new Intl.NumberFormat('en')
const COLUMNS = ['Requests', 'Errors', 'Tokens', 'Mean latency', 'Longest', 'Cost'] as const

/** Every group of the chart with all its sums, in the order of what the chart shows. */
export function GroupTable({
  groups,
  group,
  metric,
}: {
  readonly groups: readonly UsageGroup[]
  readonly group: string
  readonly metric: Metric
}) {
  const rows = groups
    .map(({ id, name, rows }) => {
      const sums = sumsOf(rows)
      return { id, name, sums, value: metric.isSum ? sumOf(rows.map(metric.of)) : sums.meanMs }
    })
    .sort((one, other) => Number(one.id === OTHERS) - Number(other.id === OTHERS) || other.value - one.value)
  return (
    <section className="panel" aria-labelledby="groups-title">
      <h2 id="groups-title">By {group}</h2>
      <Table
        label={`Usage by ${group}`}
        columns={[group[0]?.toUpperCase() + group.slice(1), ...COLUMNS.map(column => ({ number: column }))]}
      >
        <tbody>
          {rows.map(({ id, name, sums }) => (
            <tr key={id}>
              <th scope="row">{name}</th>
              <td className="number">{count.format(sums.calls)}</td>
              <td className="number">{count.format(sums.errors)}</td>
              <td className="number">{count.format(sums.totalTokens)}</td>
              <td className="number">{shownDuration(sums.meanMs)}</td>
              <td className="number">{shownDuration(sums.maxMs)}</td>
              <td className="number" title={exactDollars(sums.costNanos)}>
                {shownDollars(sums.costNanos)}
              </td>
            </tr>
          ))}
        </tbody>
      </Table>
    </section>
  )
}
