import { useQueries, useQuery } from '@tanstack/react-query'
import { Plus } from 'lucide-react'
import { useCallback, useDeferredValue, useEffect, useMemo, useRef } from 'react'
import { ENVIRONMENTS } from '../../src/domain/key.ts'
import { newKeyPath } from '../paths.ts'
import { type UsageReport, budgetsQuery, keysQuery, projectsQuery, usageQuery } from '../queries.ts'
import { ButtonLink } from '../ui/button.tsx'
import { Choice } from '../ui/choice.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { SearchField } from '../ui/search-field.tsx'
import { useUrlState } from '../url-state.ts'
import { KeyTable, NothingFound } from './key-table.tsx'
import { RISKS, RISK_TEXT } from './risks.ts'
import { type Filter, type KeyGroup, SORTS, STATUSES, STATUS_TEXT, filterGroups, groupKeys } from './rows.ts'
import './keys.css'

const NO_FILTER = {
  q: '',
  status: '',
  environment: '',
  project: '',
  risk: '',
  sort: 'created',
  page: '1',
} as const satisfies Filter & { readonly page: string }

/** The keys of all projects: what each may do, costs and does. */
export function KeysScreen() {
  const projects = useQuery(projectsQuery)
  const keys = useQuery(keysQuery)
  const budgets = useQuery(budgetsQuery)
  // Each project answers by itself; the rows are made anew when nothing more urgent is left to do.
  const usage = useDeferredValue(
    useMonth(projects.data?.filter(({ state }) => state === 'ACTIVE').map(idOfProject) ?? []),
  )
  const groups = useMemo(
    () =>
      projects.data === undefined || keys.data === undefined
        ? null
        : groupKeys({ projects: projects.data, keys: keys.data, budgets: budgets.data ?? [], usage }),
    [projects.data, keys.data, budgets.data, usage],
  )
  return <KeyList groups={groups} error={projects.error ?? keys.error} />
}

interface KeyListProps {
  /** null: not read yet. */
  readonly groups: readonly KeyGroup[] | null
  readonly error: Error | null
}

/** What is typed and chosen draws this anew, and not what was read. The rows follow when nothing more is typed. */
function KeyList({ groups, error }: KeyListProps) {
  const [filter, setFilter] = useUrlState<
    Filter & Readonly<Record<'page', string>> & Readonly<Record<string, string>>
  >(NO_FILTER)
  const { q, status, environment, project, risk, sort } = filter
  // Not for another page of the same rows.
  const shown = useMemo(
    () => (groups === null ? null : filterGroups(groups, { q, status, environment, project, risk, sort })),
    [groups, q, status, environment, project, risk, sort],
  )
  const turn = useRef(setFilter)
  useEffect(() => {
    turn.current = setFilter
  }, [setFilter])
  // The same function for ever, so that the table is not drawn anew for another one.
  // At once: else a frame goes before it that has nothing new in it.
  const setPage = useCallback((page: number) => turn.current({ page: String(page) }, true), [])
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
      <Filters filter={filter} onChange={change => setFilter({ ...change, page: '1' })} />
      {error !== null && <ErrorNotice title="The keys could not be read" error={error} />}
      {shown === null && error === null && <div className="waiting" />}
      {shown?.length === 0 && <NothingFound onClear={() => setFilter(NO_FILTER)} />}
      {shown !== null && shown.length > 0 && (
        <KeyTable groups={shown} page={Number(filter.page) || 1} onPage={setPage} />
      )}
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
    combine: answered,
  })
}

/** One function, so that equal results are not combined and compared again. */
function answered(results: readonly { readonly data: UsageReport | undefined }[]): readonly UsageReport[] {
  return results.flatMap(({ data }) => data ?? [])
}

interface FiltersProps {
  readonly filter: Filter
  readonly onChange: (change: Partial<Filter>) => void
}

function Filters({ filter, onChange }: FiltersProps) {
  return (
    <search className="filters">
      <SearchField
        label="Search by name, id or masked key"
        value={filter.q}
        onChange={q => onChange({ q })}
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
