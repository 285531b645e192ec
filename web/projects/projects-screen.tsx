import { useQuery } from '@tanstack/react-query'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { Link } from 'react-router'
import { keysPath } from '../paths.ts'
import { projectsQuery } from '../queries.ts'
import { Button } from '../ui/button.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { Time } from '../ui/time.tsx'
import { CreateProjectDialog } from './create-project-dialog.tsx'

/** The projects: each with its keys, its budgets and its usage apart from the others'. */
export function ProjectsScreen() {
  const { data: projects, error } = useQuery(projectsQuery)
  const [isCreating, setCreating] = useState(false)
  return (
    <Page
      title="Projects"
      about="A project holds the keys of one team or product. Usage and budgets are counted by project."
      actions={
        <Button look="first" onPress={() => setCreating(true)}>
          <Plus aria-hidden />
          Create project
        </Button>
      }
    >
      {error !== null && <ErrorNotice title="The projects could not be read" error={error} />}
      {projects === undefined && error === null && <div className="waiting" />}
      {projects !== undefined && (
        <div className="sheet table__scroll" role="region" aria-label="Projects" tabIndex={0}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Id</th>
                <th scope="col">Created</th>
              </tr>
            </thead>
            <tbody>
              {projects
                .filter(({ state }) => state === 'ACTIVE')
                .map(({ projectId, displayName, createTime }) => (
                  <tr key={projectId}>
                    <th scope="row">
                      <Link to={keysPath({ project: projectId })}>{displayName ?? projectId}</Link>
                    </th>
                    <td>
                      <code>{projectId}</code>
                    </td>
                    <td>
                      <Time time={createTime} />
                    </td>
                  </tr>
                ))}
            </tbody>
          </table>
        </div>
      )}
      {isCreating && <CreateProjectDialog onClose={() => setCreating(false)} />}
    </Page>
  )
}
