import { Link } from 'react-router'
import { keyPath } from '../paths.ts'
import { Time } from '../ui/time.tsx'
import type { CapHitJson } from './queries.ts'
import { Table } from '../ui/table.tsx'

const REASON_TEXT = {
  BUDGET_EXHAUSTED: '402, it is spent',
  BUDGET_FROZEN: '402, it is frozen after an overrun',
  SPEND_HELD: '429, other calls held what was left',
} as const
const PERIOD_TEXT = { month: 'monthly', day: 'daily', total: 'total' } as const

const count = new Intl.NumberFormat('en')

/** Which budgets refused calls: how many in a period, from when to when, and the key that was last. */
export function CapHits({ hits }: { readonly hits: readonly CapHitJson[] }) {
  if (hits.length === 0) {
    return (
      <p className="quiet">
        No budget has refused a call. Refusals are counted here by budget and period, a second after they
        happen; on the command line: <code>pollux budgets hits</code>
      </p>
    )
  }
  return (
    <Table
      label="Refused calls"
      columns={['Budget', 'Answer', { number: 'Calls' }, 'First', 'Last', 'Last key']}
    >
      <tbody>
        {hits.map(hit => (
          <tr key={`${hit.budget} ${hit.periodStartTime} ${hit.reason}`}>
            <th scope="row">{budgetText(hit)}</th>
            <td>{REASON_TEXT[hit.reason]}</td>
            <td className="number">{count.format(hit.calls)}</td>
            <td>
              <Time time={hit.firstTime} />
            </td>
            <td>
              <Time time={hit.lastTime} />
            </td>
            <td>
              {hit.lastProject !== undefined && hit.lastKey !== undefined ? (
                <Link to={keyPath({ project: hit.lastProject, key: hit.lastKey })}>{hit.lastKey}</Link>
              ) : (
                <span className="quiet">gone</span>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </Table>
  )
}

function budgetText({ scope, project, key, period }: CapHitJson): string {
  const where =
    scope === 'organization'
      ? 'organization'
      : (key ?? (scope === 'tier' ? 'tier of ' : '') + (project ?? ''))
  return `${PERIOD_TEXT[period]}, ${where}`
}
