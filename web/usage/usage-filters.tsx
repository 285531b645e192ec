import { useQuery } from '@tanstack/react-query'
import { keysQuery, projectsQuery } from '../queries.ts'
import { GROUPS, METRICS, type Metric } from './metrics.ts'
import { GRANULARITIES, PRESETS } from './range.ts'
import type { UsageState } from './usage-screen.tsx'

interface FiltersProps {
  readonly state: UsageState
  /** In force: what was chosen may be too fine for the range. */
  readonly granularity: string
  readonly metric: Metric
  readonly onChange: (change: Partial<UsageState>) => void
}

/** What is shown, all of it in the address. */
export function UsageFilters({ state, granularity, metric, onChange }: FiltersProps) {
  const { data: projects = [] } = useQuery(projectsQuery)
  const named = projects.find(({ projectId }) => projectId === state.project)
  return (
    <search className="filters usage__filters">
      <Choice
        label="Metric"
        value={metric.id}
        onChange={metric => onChange({ metric })}
        options={METRICS.filter(
          ({ hasModalities }) => state.group !== 'modality' || hasModalities === true,
        ).map(({ id, text }) => [id, text])}
      />
      <Choice
        label="Group by"
        value={state.group}
        onChange={group => onChange({ group, hide: [] })}
        options={GROUPS.map(([id, text]) => [id, `by ${text.toLowerCase()}`])}
      />
      <Choice
        label="Range"
        value={state.range}
        onChange={range => onChange({ range, by: '' })}
        options={[...PRESETS.map(({ id, text }) => [id, text] as const), ['custom', 'Custom range']]}
      />
      {state.range === 'custom' && (
        <>
          <Moment label="From (UTC)" value={state.from} onChange={from => onChange({ from })} />
          <Moment label="To (UTC)" value={state.to} onChange={to => onChange({ to })} />
        </>
      )}
      <Choice
        label="Granularity"
        value={granularity}
        onChange={by => onChange({ by })}
        options={GRANULARITIES}
      />
      <Choice
        label="Project"
        value={state.project}
        onChange={project => onChange({ project, key: '', hide: [] })}
        options={[
          ['', 'All projects'],
          ...projects.map(p => [p.projectId, p.displayName || p.projectId] as const),
        ]}
      />
      {named !== undefined && (
        <KeyChoice
          project={named.name ?? ''}
          value={state.key}
          onChange={key => onChange({ key, hide: [] })}
        />
      )}
      <label className="choice">
        <input
          type="checkbox"
          checked={state.compare === 'yes'}
          onChange={event => onChange({ compare: event.target.checked ? 'yes' : 'no' })}
        />
        Compare with the period before
      </label>
    </search>
  )
}

interface KeyChoiceProps {
  /** Its resource name. */
  readonly project: string
  readonly value: string
  readonly onChange: (key: string) => void
}

function KeyChoice({ project, value, onChange }: KeyChoiceProps) {
  const { data: keys = [] } = useQuery(keysQuery)
  const ofProject = keys
    .filter(({ name }) => name.startsWith(`${project}/`))
    .map(({ name, displayName }) => {
      const id = name.split('/').at(-1) ?? ''
      return [id, displayName || id] as const
    })
  return <Choice label="Key" value={value} onChange={onChange} options={[['', 'All keys'], ...ofProject]} />
}

interface ChoiceProps {
  readonly label: string
  readonly value: string
  readonly onChange: (value: string) => void
  readonly options: readonly (readonly [string, string])[]
}

function Choice({ label, value, onChange, options }: ChoiceProps) {
  return (
    <select
      className="input"
      aria-label={label}
      value={value}
      onChange={event => onChange(event.target.value)}
    >
      {options.map(([id, text]) => (
        <option key={id} value={id}>
          {text}
        </option>
      ))}
    </select>
  )
}

function Moment({ label, value, onChange }: Omit<ChoiceProps, 'options'>) {
  return (
    <input
      type="datetime-local"
      className="input"
      aria-label={label}
      value={value}
      onChange={event => onChange(event.target.value)}
    />
  )
}
