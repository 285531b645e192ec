import { useQuery } from '@tanstack/react-query'
import { useId } from 'react'
import { useNavigate, useParams, useSearchParams } from 'react-router'
import { keysPath } from '../paths.ts'
import { projectsQuery } from '../queries.ts'

/** Which project is looked at. It leads to the keys of that project; the choice is in the address, as everything is. */
export function ProjectSwitcher() {
  const id = useId()
  const navigate = useNavigate()
  const { project: fromPath } = useParams()
  const [search] = useSearchParams()
  const { data: projects = [] } = useQuery(projectsQuery)
  const current = fromPath ?? search.get('project') ?? ''
  return (
    <div className="rail__project">
      <label htmlFor={id} className="unseen">
        Project
      </label>
      <select
        id={id}
        className="input"
        value={current}
        onChange={event => void navigate(keysPath({ project: event.target.value }))}
      >
        <option value="">All projects</option>
        {projects
          .filter(({ state, projectId }) => state === 'ACTIVE' || projectId === current)
          .map(({ projectId, displayName }) => (
            <option key={projectId} value={projectId}>
              {displayName ?? projectId}
            </option>
          ))}
      </select>
    </div>
  )
}
