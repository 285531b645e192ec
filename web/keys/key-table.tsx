import { Plus } from 'lucide-react'
import { memo } from 'react'
import { Link } from 'react-router'
import { keyPath, newKeyPath } from '../paths.ts'
import { Button, ButtonLink } from '../ui/button.tsx'
import { Time } from '../ui/time.tsx'
import { KeyMenu } from './key-menu.tsx'
import { BudgetSpend, UncappedSpend } from './key-spend.tsx'
import { Chips, StatusMark } from './key-status.tsx'
import type { KeyGroup, KeyRow } from './rows.ts'
import { useSlots } from './slots.ts'

/** Rows in the document at once: more would make every interaction slow. */
const ROWS_PER_PAGE = 50
const COLUMNS = ['Name', 'Status', 'Restrictions', 'Spend', 'Last used', 'Created'] as const

interface KeyTableProps {
  readonly groups: readonly KeyGroup[]
  /** From 1. */
  readonly page: number
  readonly onPage: (page: number) => void
}

/** Drawn anew only when other rows are shown: what is typed above it must not wait for a hundred of them. */
export const KeyTable = memo(function KeyTable({ groups, page: asked, onPage }: KeyTableProps) {
  const total = groups.reduce((sum, { rows }) => sum + rows.length, 0)
  const pages = Math.max(1, Math.ceil(total / ROWS_PER_PAGE))
  const page = Math.min(Math.max(1, asked), pages)
  const first = (page - 1) * ROWS_PER_PAGE
  const shown = cut(groups, first)
  const slots = useSlots(shown.map(({ project }) => project.projectId))
  return (
    <>
      <table className="table keys">
        <caption className="unseen">API keys by project</caption>
        <thead>
          <tr>
            {COLUMNS.map(column => (
              <th key={column} scope="col">
                {column}
              </th>
            ))}
            <th scope="col">
              <span className="unseen">Actions</span>
            </th>
          </tr>
        </thead>
        {shown.map(group => (
          <Group key={slots.get(group.project.projectId)} group={group} isAlone={groups.length === 1} />
        ))}
      </table>
      <p className="table__more quiet small" role="status">
        {total > 0 && countText(first, total)}
        {pages > 1 && (
          <>
            <Button isDisabled={page === 1} onPress={() => onPage(page - 1)}>
              Previous
            </Button>
            <Button isDisabled={page === pages} onPress={() => onPage(page + 1)}>
              Next
            </Button>
          </>
        )}
      </p>
    </>
  )
})

interface GroupProps {
  readonly group: KeyGroup
  readonly isAlone: boolean
}

function Group({ group: { project, rows }, isAlone }: GroupProps) {
  const slots = useSlots(rows.map(({ key }) => key.uid))
  return (
    <tbody>
      <tr className="keys__project">
        <th scope="rowgroup" colSpan={COLUMNS.length + 1}>
          {project.displayName ?? project.projectId} <code className="quiet">{project.projectId}</code>
        </th>
      </tr>
      {rows.map(row => (
        <Row key={slots.get(row.key.uid)} row={row} />
      ))}
      {rows.length === 0 && <NoKeys projectId={project.projectId} isAlone={isAlone} />}
    </tbody>
  )
}

/** What takes the focus, and what is open, is its key's own: the rest of the row shows another key on the next page. */
const Row = memo(function Row({ row }: { readonly row: KeyRow }) {
  const { key, projectId, keyId, name, status, chips, budget, spentNanos } = row
  return (
    <tr className={status === 'deleted' ? 'keys__row keys__row--deleted' : 'keys__row'}>
      <th scope="row">
        <span className="keys__name">
          <Link key={key.uid} to={keyPath({ project: projectId, key: keyId })}>
            {name}
          </Link>
        </span>
        <span className="quiet small">
          <code className="nowrap">{key.maskedKeyString}</code>{' '}
          {key.environment ? <span className="nowrap">· {key.environment}</span> : null}
        </span>
      </th>
      <td data-label="Status">
        <StatusMark status={status} />
      </td>
      <td data-label="Restrictions">
        {chips.length === 0 ? <span className="quiet">none</span> : <Chips chips={chips} />}
      </td>
      <td data-label="Spend">
        {budget === null ? <UncappedSpend spentNanos={spentNanos} /> : <BudgetSpend budget={budget} />}
      </td>
      <td data-label="Last used">
        {key.lastUsedTime === undefined ? (
          <span className="quiet">never</span>
        ) : (
          <Time time={key.lastUsedTime} />
        )}
      </td>
      <td data-label="Created">
        <Time time={key.createTime} />
      </td>
      <td className="keys__menu">
        <KeyMenu key={key.uid} row={row} />
      </td>
    </tr>
  )
})

interface NoKeysProps {
  readonly projectId: string
  /** Nothing else is on the screen: room to say what keys are for. */
  readonly isAlone: boolean
}

function NoKeys({ projectId, isAlone }: NoKeysProps) {
  if (!isAlone) {
    return (
      <tr>
        <td colSpan={COLUMNS.length + 1} className="quiet">
          No key yet. <Link to={newKeyPath({ project: projectId })}>Create one</Link>
        </td>
      </tr>
    )
  }
  return (
    <tr>
      <td colSpan={COLUMNS.length + 1}>
        <div className="empty">
          <h2>No key yet in this project</h2>
          <p>
            Give each application a key of its own: then one of them can be restricted, capped or taken away
            without the others. On the command line:{' '}
            <code>pollux keys create --project {projectId} --display-name &quot;Web shop&quot;</code>
          </p>
          <ButtonLink to={newKeyPath({ project: projectId })}>
            <Plus aria-hidden />
            Create key
          </ButtonLink>
        </div>
      </td>
    </tr>
  )
}

export function NothingFound({ onClear }: { readonly onClear: () => void }) {
  return (
    <div className="sheet empty">
      <h2>No key matches</h2>
      <p>
        Search looks at names, ids and the visible part of keys. Deleted keys are shown by their status only.
      </p>
      <Button onPress={onClear}>Show all keys</Button>
    </div>
  )
}

/** `51 to 100 of 10,000 keys` */
function countText(first: number, total: number): string {
  if (total === 1) return '1 key'
  if (total <= ROWS_PER_PAGE) return `${total} keys`
  return `${first + 1} to ${Math.min(total, first + ROWS_PER_PAGE)} of ${total} keys`
}

/** A page of the groups' rows, in order. A group without rows stands where its rows would. */
function cut(groups: readonly KeyGroup[], first: number): readonly KeyGroup[] {
  const last = first + ROWS_PER_PAGE
  let at = 0
  return groups.flatMap(({ project, rows }) => {
    const shown = rows.slice(Math.max(0, first - at), Math.max(0, last - at))
    const isHere = rows.length === 0 ? at >= first && at < last : shown.length > 0
    at += rows.length
    return isHere ? [{ project, rows: shown }] : []
  })
}
