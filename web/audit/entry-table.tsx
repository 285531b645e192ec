import { ChevronDown, ChevronRight } from 'lucide-react'
import { Fragment } from 'react'
import { IconButton } from '../ui/button.tsx'
import { Table } from '../ui/table.tsx'
import { shownMoment } from '../ui/times.ts'
import { EntryDetails } from './entry-details.tsx'
import { payloadOf, refusalOf, shownMethod, shownResource } from './entry.ts'
import type { AuditFilter, LogEntry } from './queries.ts'

interface EntryTableProps {
  readonly entries: readonly LogEntry[]
  /** insertId of the one that is open; empty: none. */
  readonly open: string
  readonly onOpen: (insertId: string) => void
  /** Shows only entries like one; absent where there is no filter. */
  readonly onOnly?: (filter: Partial<AuditFilter>) => void
}

/** Entries in a row each; one of them open, with what it changed. */
export function EntryTable({ entries, open, onOpen, onOnly }: EntryTableProps) {
  return (
    <Table
      label="Entries"
      columns={[{ unseen: 'Details' }, 'Time', 'Who', 'What', 'Resource', 'From', 'Result']}
      isSheet
      className="entries"
    >
      <tbody>
        {entries.map(entry => {
          const isOpen = entry.insertId === open
          return (
            <Fragment key={entry.insertId}>
              <EntryRow entry={entry} isOpen={isOpen} onPress={() => onOpen(isOpen ? '' : entry.insertId)} />
              {isOpen && (
                <tr className="entries__details">
                  <td colSpan={7}>
                    <EntryDetails entry={entry} {...(onOnly === undefined ? {} : { onOnly })} />
                  </td>
                </tr>
              )}
            </Fragment>
          )
        })}
      </tbody>
    </Table>
  )
}

interface RowProps {
  readonly entry: LogEntry
  readonly isOpen: boolean
  readonly onPress: () => void
}

function EntryRow({ entry, isOpen, onPress }: RowProps) {
  const { authenticationInfo, methodName, resourceName, requestMetadata } = payloadOf(entry)
  const refusal = refusalOf(entry)
  const Chevron = isOpen ? ChevronDown : ChevronRight
  return (
    <tr>
      <td>
        <IconButton
          label={`${shownMethod(methodName)} of ${shownMoment(entry.timestamp)}`}
          aria-expanded={isOpen}
          onPress={onPress}
        >
          <Chevron aria-hidden />
        </IconButton>
      </td>
      <td>
        <time dateTime={entry.timestamp} className="nowrap">
          {shownMoment(entry.timestamp)}
        </time>
      </td>
      <td className="entries__who">{authenticationInfo.principalSubject}</td>
      <th scope="row" title={methodName}>
        {shownMethod(methodName)}
      </th>
      <td className="entries__resource" title={resourceName}>
        <code>{shownResource(resourceName)}</code>
      </td>
      <td className="nowrap">{requestMetadata.callerIp ?? ''}</td>
      <td>
        {refusal === null ? (
          <span className="status status--fine">done</span>
        ) : (
          <span className="status status--wrong">{refusal}</span>
        )}
      </td>
    </tr>
  )
}
