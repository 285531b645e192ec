import { useQueries, useQuery } from '@tanstack/react-query'
import { Plus } from 'lucide-react'
import { useDeferredValue, useMemo } from 'react'
import { ENVIRONMENTS } from '../../src/domain/key.ts'
import { newKeyPath } from '../paths.ts'
import { type UsageReport, budgetsQuery, keysQuery, projectsQuery, usageQuery } from '../queries.ts'
import { ButtonLink } from '../ui/button.tsx'
import { Choice } from '../ui/choice.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { useUrlState } from '../url-state.ts'
import { KeyTable } from './key-table.tsx'
import { RISKS, RISK_TEXT } from './risks.ts'
import { type Filter, SORTS, STATUSES, STATUS_TEXT, filterGroups, groupKeys } from './rows.ts'
import './keys.css'

const NO_FILTER = {
  q: '',
  status: '',
  environment: '',
  project: '',
  risk: '',
  sort: 'created',
} as const satisfies Filter

/** The keys of all projects: what each may do, costs and does. */
export function KeysScreen() {
  const [filter, setFilter] = useUrlState<Filter & Readonly<Record<string, string>>>(NO_FILTER)
  const projects = useQuery(projectsQuery)
  const keys = useQuery(keysQuery)
  const budgets = useQuery(budgetsQuery)
  const usage = useMonth(projects.data?.filter(({ state }) => state === 'ACTIVE').map(idOfProject) ?? [])
  const groups = useMemo(
    () =>
      projects.data === undefined || keys.data === undefined
        ? null
        : groupKeys({ projects: projects.data, keys: keys.data, budgets: budgets.data ?? [], usage }),
    [projects.data, keys.data, budgets.data, usage],
  )
  const asked = useDeferredValue(filter)
  const shown = useMemo(() => (groups === null ? null : filterGroups(groups, asked)), [groups, asked])
  const error = projects.error ?? keys.error
  const search = filter.project === '' ? {} : { project: filter.project }
  return (
    <Page
      title="API keys"
      about="One key for each application. What a key may do is decided here, and holds from the next call on."
      actions={
        <ButtonLink to={newKeyPath(search)} look="first">
          <Plus aria-hidden />
          Create key
        </ButtonLink>
      }
    >
      <Filters filter={filter} onChange={setFilter} />
      {error !== null && <ErrorNotice title="The keys could not be read" error={error} />}
      {shown === null && error === null && <div className="waiting" />}
      {shown !== null && <KeyTable groups={shown} onClear={() => setFilter(NO_FILTER)} />}
    </Page>
  )
}

function idOfProject({ projectId }: { readonly projectId: string }): string {
  return projectId
}

/** This month's usage by key, of each project that has answered so far. */
function useMonth(projects: readonly string[]): readonly UsageReport[] {
  return useQueries({
    queries: projects.map(project => usageQuery({ project, groupBy: ['key'] })),
    combine: results => results.flatMap(({ data }) => (data === undefined ? [] : [data])),
  })
}

interface FiltersProps {
  readonly filter: Filter
  readonly onChange: (change: Partial<Filter>) => void
}

function Filters({ filter, onChange }: FiltersProps) {
  return (
    <search className="filters">
      <input
        type="search"
        className="input filters__search"
        aria-label="Search by name, id or masked key"
        placeholder="Search by name, id or masked key"
        value={filter.q}
        onChange={event => onChange({ q: event.target.value })}
      />
      <Choice label="Status" value={filter.status} onChange={status => onChange({ status })}>
        {STATUSES.map(status => [status, STATUS_TEXT[status]])}
      </Choice>
      <Choice
        label="Environment"
        value={filter.environment}
        onChange={environment => onChange({ environment })}
      >
        {ENVIRONMENTS.map(environment => [environment, environment])}
      </Choice>
      <Choice label="Look at" value={filter.risk} onChange={risk => onChange({ risk })}>
        {RISKS.map(risk => [risk, RISK_TEXT[risk].title])}
      </Choice>
      <label className="filters__sort">
        <span className="unseen">Order</span>
        <select
          className="input"
          value={filter.sort}
          onChange={event => onChange({ sort: event.target.value })}
        >
          {SORTS.map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
      </label>
    </search>
  )
}
