import { Link } from 'react-router'
import { keyPath } from '../paths.ts'
import { exactDollars, shownDollars } from '../ui/dollars.ts'
import { Table } from '../ui/table.tsx'
import { shownMoment } from '../ui/times.ts'
import type { CallJson } from './queries.ts'
import { StatusCode } from './status-code.tsx'
import './calls.css'

const count = new Intl.NumberFormat('en')
const day = new Intl.DateTimeFormat('en', { month: 'short', day: 'numeric' })
const clock = new Intl.DateTimeFormat('en', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
})

interface CallTableProps {
  readonly label: string
  readonly calls: readonly CallJson[]
  /** Where a call is shown alone. */
  readonly hrefOf: (call: CallJson) => string
  /** Absent: the key is known. */
  readonly withKey?: boolean
}

/** Calls in rows; the first cell opens one. */
export function CallTable({ label, calls, hrefOf, withKey = false }: CallTableProps) {
  return (
    <Table
      label={label}
      columns={[
        'Started',
        'Status',
        ...(withKey ? ['Key'] : []),
        'Model',
        'Method',
        { number: 'Duration' },
        { number: 'Tokens' },
        { number: 'Cost' },
      ]}
      isSheet
      className="calls"
    >
      <tbody>
        {calls.map(call => (
          <tr key={call.callId}>
            <th scope="row">
              <Link to={hrefOf(call)} title={shownMoment(call.startTime)}>
                <time dateTime={call.startTime}>
                  <span className="quiet">{day.format(Date.parse(call.startTime))}</span>{' '}
                  {clock.format(Date.parse(call.startTime))}
                </time>
              </Link>
            </th>
            <td>
              <StatusCode {...call} />
            </td>
            {withKey && (
              <td>
                <KeyCell call={call} />
              </td>
            )}
            <td>{call.model || <span className="quiet">none</span>}</td>
            <td>{call.method}</td>
            <td className="number">{shownMs(call.durationMs)}</td>
            <td className="number">{count.format(call.totalTokens)}</td>
            <td className="number">
              <Cost nanos={call.costNanos} />
            </td>
          </tr>
        ))}
      </tbody>
    </Table>
  )
}

function KeyCell({ call: { projectId, keyId, keyUid, keyDisplayName } }: { readonly call: CallJson }) {
  if (projectId === undefined || keyId === undefined) return <code>{keyUid}</code>
  return <Link to={keyPath({ project: projectId, key: keyId })}>{keyDisplayName ?? keyId}</Link>
}

export function Cost({ nanos }: { readonly nanos: string | undefined }) {
  if (nanos === undefined) return <span className="quiet">unpriced</span>
  return <span title={exactDollars(nanos)}>{shownDollars(nanos)}</span>
}

/** `840 ms`, `12.4 s`. */
function shownMs(durationMs: number): string {
  return durationMs < 10_000 ? `${count.format(durationMs)} ms` : `${(durationMs / 1_000).toFixed(1)} s`
}
