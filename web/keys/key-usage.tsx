import type { UsageReport } from '../queries.ts'
import { exactDollars, shownDollars } from '../ui/dollars.ts'

const count = new Intl.NumberFormat('en')

/** What the key did this month, in sum and by model. */
export function KeyUsage({ report: { rows } }: { readonly report: UsageReport }) {
  if (rows.length === 0) {
    return (
      <p className="quiet">No call yet this month. The first one shows up here a second after it ended.</p>
    )
  }
  const sum = (pick: (row: UsageReport['rows'][number]) => number): string =>
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
      <div className="table__scroll" role="region" aria-label="Usage by model" tabIndex={0}>
        <table className="table">
          <thead>
            <tr>
              <th scope="col">Model</th>
              {['Calls', 'Input', 'Output', 'Thinking', 'Cost'].map(column => (
                <th key={column} scope="col" className="number">
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(row => (
              <tr key={row.model ?? ''}>
                <th scope="row">{row.model || 'no model'}</th>
                <td className="number">{count.format(row.calls)}</td>
                <td className="number">{count.format(row.promptTokens)}</td>
                <td className="number">{count.format(row.candidatesTokens)}</td>
                <td className="number">{count.format(row.thoughtsTokens)}</td>
                <td className="number" title={exactDollars(row.costNanos)}>
                  {shownDollars(row.costNanos)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  )
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
