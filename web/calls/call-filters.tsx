import { useQuery } from '@tanstack/react-query'
import { OUTCOMES, type Outcome } from '../../src/domain/usage.ts'
import { idOf } from '../keys/rows.ts'
import { keysQuery, projectsQuery, serverQuery } from '../queries.ts'
import { Choice } from '../ui/choice.tsx'
import type { ListFilter } from './queries.ts'
import '../keys/keys.css'
import './calls.css'

export const NO_FILTER = {
  project: '',
  key: '',
  status: '',
  model: '',
  method: '',
  outcome: '',
  id: '',
  range: '',
} as const

export type Filter = Readonly<Record<keyof typeof NO_FILTER, string>>

const STATUSES = [
  ['2xx', '2xx: answered'],
  ['4xx', '4xx: refused or left'],
  ['429', '429: too many'],
  ['499', '499: caller left'],
  ['5xx', '5xx: failed'],
] as const
const METHODS = [
  'GenerateContent',
  'StreamGenerateContent',
  'CountTokens',
  'EmbedContent',
  'BatchEmbedContents',
]
const RANGES = [
  ['1h', 'Last hour', 3_600_000],
  ['24h', 'Last 24 hours', 86_400_000],
  ['7d', 'Last 7 days', 7 * 86_400_000],
  ['30d', 'Last 30 days', 30 * 86_400_000],
] as const

export function isNarrow(filter: Filter): boolean {
  return Object.values(filter).some(value => value !== '')
}

/** What the server is asked for. The start of a range is that of the moment at which it was chosen. */
export function listFilterOf({
  project,
  key,
  status,
  model,
  method,
  outcome,
  id,
  range,
}: Filter): ListFilter {
  const lengthMs = RANGES.find(([name]) => name === range)?.[2]
  return {
    ...(project === '' ? {} : { project }),
    ...(project === '' || key === '' ? {} : { key }),
    ...(status === '' ? {} : { status }),
    ...(model === '' ? {} : { model }),
    ...(method === '' ? {} : { method }),
    ...(isOutcome(outcome) ? { outcome } : {}),
    ...(id === '' ? {} : { callId: id }),
    ...(lengthMs === undefined ? {} : { startTime: new Date(Date.now() - lengthMs).toISOString() }),
  }
}

function isOutcome(text: string): text is Outcome {
  return OUTCOMES.some(outcome => outcome === text)
}

interface CallFiltersProps {
  readonly filter: Filter
  readonly onChange: (change: Partial<Filter>) => void
}

export function CallFilters({ filter, onChange }: CallFiltersProps) {
  const { data: projects = [] } = useQuery(projectsQuery)
  const { data: keys = [] } = useQuery(keysQuery)
  const { data: server } = useQuery(serverQuery)
  const number = idOf(projects.find(({ projectId }) => projectId === filter.project)?.name ?? '')
  const ofProject = keys.filter(({ name }) => number !== '' && name.startsWith(`projects/${number}/`))
  return (
    <search className="filters calls__filters">
      <input
        type="search"
        className="input filters__search"
        aria-label="Request id"
        placeholder="Request id"
        value={filter.id}
        onChange={event => onChange({ id: event.target.value.trim() })}
      />
      <Choice label="Project" value={filter.project} onChange={project => onChange({ project, key: '' })}>
        {projects.map(({ projectId, displayName }) => [projectId, displayName ?? projectId])}
      </Choice>
      {filter.project !== '' && (
        <Choice label="Key" value={filter.key} onChange={key => onChange({ key })}>
          {ofProject.map(({ name, displayName }) => [idOf(name), displayName ?? idOf(name)])}
        </Choice>
      )}
      <Choice label="Status" value={filter.status} onChange={status => onChange({ status })}>
        {STATUSES}
      </Choice>
      <Choice label="Model" value={filter.model} onChange={model => onChange({ model })}>
        {(server?.models ?? []).map(model => [model, model])}
      </Choice>
      <Choice label="Method" value={filter.method} onChange={method => onChange({ method })}>
        {METHODS.map(method => [method, method])}
      </Choice>
      <Choice label="Outcome" value={filter.outcome} onChange={outcome => onChange({ outcome })}>
        {OUTCOMES.map(outcome => [outcome, outcome])}
      </Choice>
      <Choice label="Time" value={filter.range} onChange={range => onChange({ range })}>
        {RANGES.map(([name, text]) => [name, text])}
      </Choice>
    </search>
  )
}
