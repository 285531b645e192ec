import type { RefusalReason } from '../../src/domain/refused-call.ts'
import { SpendBar } from '../ui/spend-bar.tsx'
import { Table } from '../ui/table.tsx'
import { Time } from '../ui/time.tsx'
import { METRIC_TEXT, shownCount } from './metrics.ts'
import type { RefusalsJson } from './queries.ts'

const REASON_TEXT: Readonly<Record<Exclude<RefusalReason, 'RATE_LIMIT_EXCEEDED'>, string>> = {
  SPEND_HELD: 'Other calls held the rest of a budget',
  UPSTREAM: 'Google’s own limit',
}

/** Which limit turned whose calls away, and how often. */
export function RefusalTable({ refusals }: { readonly refusals: readonly RefusalsJson[] }) {
  if (refusals.length === 0) {
    return <p className="quiet">No call was turned away for its rate.</p>
  }
  const most = Math.max(...refusals.map(({ calls }) => calls))
  return (
    <Table label="Refused calls" columns={['What refused', 'Model', 'Key', 'Calls', 'Last']}>
      <tbody>
        {refusals.map(({ reason, scope, metric, model, key, keyDisplayName, calls, lastTime }) => (
          <tr key={`${reason} ${scope} ${metric} ${model} ${key}`}>
            <th scope="row">
              {reason === 'RATE_LIMIT_EXCEEDED' && metric !== undefined
                ? METRIC_TEXT[metric]
                : REASON_TEXT[reason as keyof typeof REASON_TEXT]}
              {scope !== undefined && (
                <span className="quiet small"> of the {scope === 'key' ? 'key' : 'project'}</span>
              )}
            </th>
            <td>{model ?? <span className="quiet">several</span>}</td>
            <td>{keyDisplayName || key || <span className="quiet">several</span>}</td>
            <td>
              <span className="rate">
                {shownCount(calls)}
                <SpendBar
                  label={`${shownCount(calls)} calls`}
                  posted={BigInt(calls)}
                  held={0n}
                  cap={BigInt(most + 1)}
                />
              </span>
            </td>
            <td>
              <Time time={lastTime} />
            </td>
          </tr>
        ))}
      </tbody>
    </Table>
  )
}
