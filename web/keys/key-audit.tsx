import { useQuery } from '@tanstack/react-query'
import { AUDIT_V1 } from '../../src/contract/audit.v1.ts'
import type { ResponseOf } from '../../src/contract/endpoint.ts'
import type { KeyJson } from '../queries.ts'
import { client } from '../session.ts'
import { ErrorNotice } from '../ui/notice.tsx'
import { Table } from '../ui/table.tsx'
import { Time } from '../ui/time.tsx'

type LogEntry = NonNullable<ResponseOf<typeof AUDIT_V1.listAuditEntries>['entries']>[number]

/** What `logEntryOf` in domain/audit.ts puts into google.cloud.audit.AuditLog. */
interface Payload {
  readonly methodName: string
  readonly resourceName: string
  readonly authenticationInfo: { readonly principalSubject: string }
  readonly requestMetadata: { readonly callerIp: string | null }
}

const ENTRIES = 50

/** Who changed or saw the key, and its budgets and rate limits. */
export function KeyAudit({ value: key }: { readonly value: KeyJson }) {
  const { data, error } = useQuery({ queryKey: ['audit', key.name], queryFn: () => entriesOf(key.name) })
  if (error !== null) return <ErrorNotice title="The audit trail could not be read" error={error} />
  if (data === undefined) return <div className="waiting" />
  if (data.length === 0) {
    return (
      <div className="sheet empty">
        <h2>No entry</h2>
        <p>
          Every change of a key leaves one. On the command line:{' '}
          <code>pollux audit list --resource {key.name}</code>
        </p>
      </div>
    )
  }
  return (
    <Table
      label="Audit entries of this key"
      columns={['When', 'What', 'Who', 'From']}
      isSheet
      className="calls"
    >
      <tbody>
        {data.map(entry => {
          const { methodName, authenticationInfo, requestMetadata } = payloadOf(entry)
          return (
            <tr key={entry.insertId}>
              <th scope="row">
                <Time time={entry.timestamp} />
              </th>
              <td title={methodName}>{methodName.slice(methodName.lastIndexOf('.') + 1)}</td>
              <td>{authenticationInfo.principalSubject}</td>
              <td>{requestMetadata.callerIp ?? <span className="quiet">Pollux itself</span>}</td>
            </tr>
          )
        })}
      </tbody>
    </Table>
  )
}

/** The newest entries about the key, and about what hangs on it, which has names without a location. */
async function entriesOf(name: string): Promise<readonly LogEntry[]> {
  const resources = [name, name.replace('/locations/global/', '/')]
  const pages = await Promise.all(
    resources.map(resource =>
      client.call(AUDIT_V1.listAuditEntries, { query: { resource, pageSize: ENTRIES } }),
    ),
  )
  return pages
    .flatMap(({ entries = [] }) => entries)
    .toSorted((one, other) => other.timestamp.localeCompare(one.timestamp))
    .slice(0, ENTRIES)
}

function payloadOf({ protoPayload }: LogEntry): Payload {
  return protoPayload as unknown as Payload
}
