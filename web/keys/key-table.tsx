import { Plus } from 'lucide-react'
import { useState } from 'react'
import { Link } from 'react-router'
import { keyPath, newKeyPath } from '../paths.ts'
import { Button, ButtonLink } from '../ui/button.tsx'
import { Time } from '../ui/time.tsx'
import { KeyMenu } from './key-menu.tsx'
import { BudgetSpend, UncappedSpend } from './key-spend.tsx'
import { Chips, StatusMark } from './key-status.tsx'
import type { KeyGroup, KeyRow } from './rows.ts'

/** Rows in the document at once: more would make every keystroke in the search slow. */
const ROWS_STEP = 100
const COLUMNS = ['Name', 'Status', 'Restrictions', 'Spend', 'Last used', 'Created'] as const

interface KeyTableProps {
  readonly groups: readonly KeyGroup[]
  readonly onClear: () => void
}

export function KeyTable({ groups, onClear }: KeyTableProps) {
  const [rowsMax, setRowsMax] = useState(ROWS_STEP)
  const total = groups.reduce((sum, { rows }) => sum + rows.length, 0)
  if (groups.length === 0) return <NothingFound onClear={onClear} />
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
        {cut(groups, rowsMax).map(({ project, rows }) => (
          <tbody key={project.projectId}>
            <tr className="keys__project">
              <th scope="rowgroup" colSpan={COLUMNS.length + 1}>
                {project.displayName ?? project.projectId} <code className="quiet">{project.projectId}</code>
              </th>
            </tr>
            {rows.map(row => (
              <Row key={row.key.uid} row={row} />
            ))}
            {rows.length === 0 && <NoKeys projectId={project.projectId} isAlone={groups.length === 1} />}
          </tbody>
        ))}
      </table>
      <p className="keys__count quiet small" role="status">
        {total > 0 && (total === 1 ? '1 key' : `${Math.min(total, rowsMax)} of ${total} keys`)}
        {total > rowsMax && <Button onPress={() => setRowsMax(rowsMax + ROWS_STEP)}>Show more</Button>}
      </p>
    </>
  )
}

function Row({ row }: { readonly row: KeyRow }) {
  const { key, projectId, keyId, name, status, chips, budget, spentNanos } = row
  return (
    <tr className={status === 'deleted' ? 'keys__row keys__row--deleted' : 'keys__row'}>
      <th scope="row">
        <span className="keys__name">
          <Link to={keyPath({ project: projectId, key: keyId })}>{name}</Link>
        </span>
        <span className="quiet small nowrap">
          <code>{key.maskedKeyString}</code>
          {key.environment ? ` · ${key.environment}` : ''}
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
        <KeyMenu row={row} />
      </td>
    </tr>
  )
}

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

function NothingFound({ onClear }: { readonly onClear: () => void }) {
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

/** The first rows of the groups, in order. */
function cut(groups: readonly KeyGroup[], rowsMax: number): readonly KeyGroup[] {
  let left = rowsMax
  const shown: KeyGroup[] = []
  for (const { project, rows } of groups) {
    if (left <= 0) break
    shown.push({ project, rows: rows.slice(0, left) })
    left -= Math.max(1, rows.length)
  }
  return shown
}
