import { useQueries, useQuery } from '@tanstack/react-query'
import { Plus } from 'lucide-react'
import { useMemo, useState } from 'react'
import { Link } from 'react-router'
import { BudgetSpend, UncappedSpend } from '../keys/key-spend.tsx'
import { keysPath, projectPath, tierPath } from '../paths.ts'
import { type UsageReport, budgetsQuery, keysQuery, projectsQuery, usageQuery } from '../queries.ts'
import { Button } from '../ui/button.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { Table } from '../ui/table.tsx'
import { Time } from '../ui/time.tsx'
import { useUrlState } from '../url-state.ts'
import { CreateProjectDialog, PROJECTS_AT_ONCE_MAX } from './create-project-dialog.tsx'
import { ProjectMenu } from './project-menu.tsx'
import { type ProjectRow, projectRows } from './rows.ts'
import '../keys/keys.css'
import './projects.css'

const NO_FILTER = { q: '', state: '' } as const

/** The projects: each with its keys, its budgets and its usage apart from the others'. */
export function ProjectsScreen() {
  const [filter, setFilter] = useUrlState<Readonly<Record<'q' | 'state', string>>>(NO_FILTER)
  const [isCreating, setCreating] = useState(false)
  const { data: projects, error } = useQuery(projectsQuery)
  const { data: keys = [] } = useQuery(keysQuery)
  const { data: budgets = [] } = useQuery(budgetsQuery)
  const active = (projects ?? []).filter(({ state }) => state === 'ACTIVE')
  const usage = useMonth(active.map(({ projectId }) => projectId))
  const rows = useMemo(
    () => (projects === undefined ? null : projectRows({ projects, keys, budgets, usage })),
    [projects, keys, budgets, usage],
  )
  const q = filter.q.trim().toLowerCase()
  const shown = rows?.filter(
    ({ name, projectId, isDeleted }) =>
      isDeleted === (filter.state === 'deleted') && `${name} ${projectId}`.toLowerCase().includes(q),
  )
  return (
    <Page
      title="Projects"
      about="A project holds the keys of one team or product. Usage, budgets and limits are counted by project."
      actions={
        <Button look="first" onPress={() => setCreating(true)}>
          <Plus aria-hidden />
          Create project
        </Button>
      }
    >
      <search className="filters">
        <input
          type="search"
          className="input filters__search"
          aria-label="Search by name or id"
          placeholder="Search by name or id"
          value={filter.q}
          onChange={event => setFilter({ q: event.target.value })}
        />
        <select
          className="input"
          aria-label="State"
          value={filter.state}
          onChange={event => setFilter({ state: event.target.value })}
        >
          <option value="">Active</option>
          <option value="deleted">Deleted</option>
        </select>
      </search>
      {error !== null && <ErrorNotice title="The projects could not be read" error={error} />}
      {shown === undefined && error === null && <div className="waiting" />}
      {shown !== undefined && shown.length > 0 && <ProjectTable rows={shown} />}
      {shown?.length === 0 && (
        <NoProjects isFiltered={q !== '' || filter.state !== ''} onClear={() => setFilter(NO_FILTER)} />
      )}
      {isCreating && (
        <CreateProjectDialog countMax={PROJECTS_AT_ONCE_MAX} onClose={() => setCreating(false)} />
      )}
    </Page>
  )
}

/** This month's usage in one sum, of each project that has answered so far. */
function useMonth(projects: readonly string[]): readonly UsageReport[] {
  return useQueries({
    queries: projects.map(project => usageQuery({ project, groupBy: ['key'] })),
    combine: results => results.flatMap(({ data }) => (data === undefined ? [] : [data])),
  })
}

function ProjectTable({ rows }: { readonly rows: readonly ProjectRow[] }) {
  return (
    <Table
      label="Projects"
      columns={['Name', 'Tier', 'Environment', { number: 'Keys' }, 'Spend', 'Created', { unseen: 'Actions' }]}
      isSheet
      className="projects"
    >
      <tbody>
        {rows.map(row => (
          <Row key={row.project.name} row={row} />
        ))}
      </tbody>
    </Table>
  )
}

function Row({ row }: { readonly row: ProjectRow }) {
  const { project, projectId, name, environment, keys, budget, spentNanos, isDeleted } = row
  const { tier = '', createTime } = project
  return (
    <tr>
      <th scope="row">
        {isDeleted ? <s>{name}</s> : <Link to={projectPath(projectId)}>{name}</Link>}
        <code className="quiet small projects__id">{projectId}</code>
      </th>
      <td>
        {tier === '' ? (
          <span className="quiet">none</span>
        ) : (
          <Link to={tierPath(tier)} className="chip">
            {tier}
          </Link>
        )}
      </td>
      <td>{environment ?? <span className="quiet">none</span>}</td>
      <td className="number">
        {isDeleted ? keys : <Link to={keysPath({ project: projectId })}>{keys}</Link>}
      </td>
      <td>{budget === null ? <UncappedSpend spentNanos={spentNanos} /> : <BudgetSpend budget={budget} />}</td>
      <td>
        <Time time={createTime} />
      </td>
      <td className="table__tools">
        <ProjectMenu row={row} />
      </td>
    </tr>
  )
}

function NoProjects({ isFiltered, onClear }: { readonly isFiltered: boolean; readonly onClear: () => void }) {
  if (isFiltered) {
    return (
      <div className="sheet empty">
        <h2>No project matches</h2>
        <p>Deleted projects are shown by their state only; for 30 days they can be restored.</p>
        <Button onPress={onClear}>Show all projects</Button>
      </div>
    )
  }
  return (
    <div className="sheet empty">
      <h2>No project yet</h2>
      <p>
        Keys, budgets and limits belong to one. On the command line:{' '}
        <code>pollux projects create web-shop</code>
      </p>
    </div>
  )
}
