import { useInfiniteQuery } from '@tanstack/react-query'
import { Link } from 'react-router'
import { Cost } from '../calls/call-table.tsx'
import { type CallJson, callsQuery, openCall } from '../calls/queries.ts'
import { type KeyPlace, callsPath } from '../paths.ts'
import { Button } from '../ui/button.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { Table } from '../ui/table.tsx'
import { shownMoment } from '../ui/times.ts'

const OUTCOME_TEXT: Readonly<Record<CallJson['outcome'], string>> = {
  posted: 'posted',
  unmetered: 'nothing billed',
  void: 'voided',
  estimated: 'posted by estimate',
}

/** What each call did to the budgets that bind the key: reserved before it was sent, posted or freed when it ended. */
export function KeyLedger({ place }: { readonly place: KeyPlace }) {
  const { data, error, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery(callsQuery(place))
  if (error !== null) return <ErrorNotice title="The ledger could not be read" error={error} />
  if (data === undefined) return <div className="waiting" />
  const lines = data.pages.flatMap(page => page.calls).filter(({ heldNanos }) => heldNanos !== '0')
  return (
    <div className="key__part">
      <p className="quiet">
        Before a call is sent, the most it can cost is held on every budget that binds it. When it ends, what
        it really cost is posted there, and the rest is free again.
      </p>
      {lines.length === 0 && !hasNextPage && (
        <div className="sheet empty">
          <h2>No budget has bound a call of this key</h2>
          <p>
            A cap is never exceeded, however many calls come at once. On the command line:{' '}
            <code>
              pollux budgets set --project {place.project} --key {place.key} --cap 10.00 --period month
            </code>
          </p>
        </div>
      )}
      {lines.length > 0 && <Lines lines={lines} place={place} />}
      {hasNextPage && (
        <div className="actions">
          <Button onPress={() => void fetchNextPage()} isDisabled={isFetchingNextPage}>
            Show older
          </Button>
        </div>
      )}
    </div>
  )
}

function Lines({ lines, place }: { readonly lines: readonly CallJson[]; readonly place: KeyPlace }) {
  return (
    <Table
      label="Ledger lines"
      columns={[
        'Call',
        'Ended',
        { number: 'Reserved' },
        { number: 'Posted' },
        { number: 'Free again' },
        { number: 'Cost' },
      ]}
      isSheet
      className="calls"
    >
      <tbody>
        {lines.map(call => (
          <tr key={call.callId}>
            <th scope="row">
              <Link to={callsPath({ ...place, ...openCall(call) })}>{shownMoment(call.startTime)}</Link>
            </th>
            <td>{OUTCOME_TEXT[call.outcome]}</td>
            {[call.heldNanos, call.postedNanos, freed(call), call.costNanos].map((nanos, at) => (
              <td key={at} className="number">
                <Cost nanos={nanos} />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </Table>
  )
}

function freed({ heldNanos, postedNanos }: CallJson): string {
  return String(BigInt(heldNanos) - BigInt(postedNanos))
}
