import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from 'react-router'
import { BudgetSpend, UncappedSpend } from '../keys/key-spend.tsx'
import { keysPath, limitsPath, newKeyPath, projectPath, tierPath } from '../paths.ts'
import { type ProjectJson, budgetsQuery, keysQuery, projectsQuery, usageQuery } from '../queries.ts'
import { ButtonLink } from '../ui/button.tsx'
import { CopyButton } from '../ui/copy-button.tsx'
import { HeldForm } from '../ui/held-form.tsx'
import { ErrorNotice, Notice } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { TabLinks } from '../ui/tab-links.tsx'
import { Time } from '../ui/time.tsx'
import { AliasForm } from './alias-form.tsx'
import { BodySettings } from './body-settings.tsx'
import { ProjectMenu } from './project-menu.tsx'
import { type ProjectRow, projectRows } from './rows.ts'
import { SettingsForm } from './settings-form.tsx'
import '../keys/form.css'
import '../keys/key-screen.css'
import '../keys/keys.css'
import './projects.css'

/** One project: what it is and has, its settings, and its names for models. */
export function ProjectScreen() {
  const { project: projectId = '', tab = '' } = useParams()
  const projects = useQuery(projectsQuery)
  const { data: keys = [] } = useQuery(keysQuery)
  const { data: budgets = [] } = useQuery(budgetsQuery)
  const { data: usage } = useQuery(usageQuery({ project: projectId, groupBy: ['key'] }))
  if (projects.error !== null)
    return <ErrorNotice title="The project could not be read" error={projects.error} />
  if (projects.data === undefined) return <div className="waiting" />
  const project = projects.data.find(one => one.projectId === projectId)
  const [row] =
    project === undefined
      ? []
      : projectRows({ projects: [project], keys, budgets, usage: usage === undefined ? [] : [usage] })
  if (project === undefined || row === undefined) {
    return (
      <Page title="No such project" about={`There is no project '${projectId}', or you may not see it.`}>
        <ButtonLink to={projectPath()}>All projects</ButtonLink>
      </Page>
    )
  }
  const own = budgets.filter(budget => budget.scope === 'project' && budget.project === projectId)
  return (
    <Page
      title={row.name}
      about={<code>{projectId}</code>}
      actions={
        <>
          {!row.isDeleted && (
            <ButtonLink to={newKeyPath({ project: projectId })} look="first">
              Create key
            </ButtonLink>
          )}
          <ProjectMenu row={row} />
        </>
      }
    >
      {row.isDeleted ? (
        <Notice>
          The project is deleted and its keys are refused. Restore it in its menu; after 30 days it is gone
          for good.
        </Notice>
      ) : (
        <>
          <TabLinks
            label="Project"
            tabs={[
              { to: projectPath(projectId), text: 'Overview' },
              { to: projectPath(projectId, 'settings'), text: 'Settings' },
              { to: projectPath(projectId, 'aliases'), text: 'Model aliases' },
            ]}
          />
          {tab !== 'settings' && tab !== 'aliases' && <Overview row={row} budgets={own} />}
          {tab === 'settings' && (
            <HeldForm what="The project" stored={project}>
              {held => <SettingsForm {...held} />}
            </HeldForm>
          )}
          {tab === 'settings' && <BodySettings project={projectId} />}
          {tab === 'aliases' && (
            <HeldForm what="The project" stored={project}>
              {held => <AliasForm {...held} />}
            </HeldForm>
          )}
        </>
      )}
    </Page>
  )
}

interface OverviewProps {
  readonly row: ProjectRow
  readonly budgets: readonly Parameters<typeof BudgetSpend>[0]['budget'][]
}

function Overview({ row, budgets }: OverviewProps) {
  const { project, projectId } = row
  return (
    <div className="key">
      <Facts project={project} row={row} />
      <section className="panel" aria-labelledby="spend-title">
        <h2 id="spend-title">Spend</h2>
        {budgets.length === 0 ? (
          <>
            <UncappedSpend spentNanos={row.spentNanos} />
            <p className="quiet">
              Nothing caps the project. On the command line:{' '}
              <code>pollux budgets set --project {projectId} --period month --cap 100.00</code>
            </p>
          </>
        ) : (
          <ul className="budgets">
            {budgets.map(budget => (
              <li key={budget.name}>
                {budget.state !== 'ACTIVE' && (
                  <span className="status status--wrong">{budget.state.toLowerCase()}</span>
                )}
                <BudgetSpend budget={budget} />
              </li>
            ))}
          </ul>
        )}
      </section>
    </div>
  )
}

function Facts({ project, row }: { readonly project: ProjectJson; readonly row: ProjectRow }) {
  const { name, tier = '', labels = {}, modelAliases = {}, recoverableKeys = false, createTime } = project
  const { projectId, environment, keys, lastUsedTime } = row
  const aliases = Object.keys(modelAliases).length
  return (
    <section className="panel" aria-labelledby="facts-title">
      <h2 id="facts-title">The project</h2>
      <dl className="facts">
        <dt>Number</dt>
        <dd>
          <code>{name}</code> <CopyButton text={name} label="Copy the resource name" />
        </dd>
        <dt>Keys</dt>
        <dd>
          <Link to={keysPath({ project: projectId })}>{keys === 1 ? '1 key' : `${keys} keys`}</Link>
          {lastUsedTime !== null && (
            <>
              , last used <Time time={lastUsedTime} />
            </>
          )}
        </dd>
        <dt>Tier</dt>
        <dd>{tier === '' ? 'none' : <Link to={tierPath(tier)}>{tier}</Link>}</dd>
        <dt>Limits</dt>
        <dd>
          <Link to={limitsPath(projectId)}>How far they are used</Link>
        </dd>
        <dt>Environment</dt>
        <dd>{environment ?? 'none'}</dd>
        <dt>Labels</dt>
        <dd>
          {Object.keys(labels).length === 0 ? (
            'none'
          ) : (
            <ul className="chips">
              {Object.entries(labels).map(([key, value]) => (
                <li key={key} className="chip">
                  {key}={value}
                </li>
              ))}
            </ul>
          )}
        </dd>
        <dt>Model aliases</dt>
        <dd>
          <Link to={projectPath(projectId, 'aliases')}>
            {aliases === 1 ? '1 alias' : `${aliases} aliases`}
          </Link>
        </dd>
        <dt>Keys can be shown</dt>
        <dd>{recoverableKeys ? 'again, those made from now on' : 'once, when they are made'}</dd>
        <dt>Created</dt>
        <dd>
          <Time time={createTime} />
        </dd>
      </dl>
    </section>
  )
}
