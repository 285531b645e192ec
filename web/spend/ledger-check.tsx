import { useMutation } from '@tanstack/react-query'
import { LEDGER_V1 } from '../../src/contract/budgets.v1.ts'
import { client } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { exactDollars } from '../ui/dollars.ts'
import { ErrorNotice } from '../ui/notice.tsx'
import { Table } from '../ui/table.tsx'
import { shownMoment } from '../ui/times.ts'

const count = new Intl.NumberFormat('en')

/** Recomputes every budget from its records, now, and says where they differ. */
export function LedgerCheck() {
  const check = useMutation({
    mutationFn: () => client.call(LEDGER_V1.verifyLedger, { body: {} }),
  })
  return (
    <>
      <p className="quiet">
        Every budget is recomputed from the records of its calls, to the nano-dollar. Nothing is changed by
        it. On the command line: <code>pollux ledger verify</code>
      </p>
      <div className="actions">
        <Button isDisabled={check.isPending} onPress={() => check.mutate()}>
          {check.isPending ? 'Verifying…' : 'Verify the ledger'}
        </Button>
      </div>
      {check.error !== null && <ErrorNotice title="The ledger could not be verified" error={check.error} />}
      <div role="status">{check.data !== undefined && <Result result={check.data} />}</div>
    </>
  )
}

type Verification = Awaited<ReturnType<typeof verification>>
const verification = () => client.call(LEDGER_V1.verifyLedger, { body: {} })

function Result({
  result: { rowsChecked, recordsChecked, overruns, drifts },
}: {
  readonly result: Verification
}) {
  const checked = `${count.format(rowsChecked)} budget periods against ${count.format(recordsChecked)} records`
  return (
    <>
      <p className={drifts.length === 0 ? 'status status--fine' : 'status status--wrong'}>
        {drifts.length === 0
          ? `The books agree: ${checked}.`
          : `${count.format(drifts.length)} amounts differ: ${checked}.`}
      </p>
      {overruns > 0 && (
        <p className="status status--look">
          {overruns === 1 ? 'One overrun is' : `${count.format(overruns)} overruns are`} not acknowledged.
        </p>
      )}
      {drifts.length > 0 && (
        <Table
          label="Where the books differ"
          columns={['Budget', 'Period from', 'What', { number: 'Booked' }, { number: 'By the records' }]}
        >
          <tbody>
            {drifts.map(drift => (
              <tr key={`${drift.rowId} ${drift.what}`}>
                <th scope="row">
                  <code>{drift.budget}</code>
                </th>
                <td>{shownMoment(drift.periodStartTime)}</td>
                <td>{drift.what}</td>
                <td className="number">{exactDollars(drift.booked)}</td>
                <td className="number">{exactDollars(drift.expected)}</td>
              </tr>
            ))}
          </tbody>
        </Table>
      )}
    </>
  )
}
