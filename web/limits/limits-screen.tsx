import { useQuery } from '@tanstack/react-query'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { projectsQuery } from '../queries.ts'
import { Button } from '../ui/button.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { useUrlState } from '../url-state.ts'
import { LimitDialog, type LimitDraft, NEW_LIMIT } from './limit-dialog.tsx'
import { LimitList } from './limit-list.tsx'
import { LimitTabs } from './limit-tabs.tsx'
import { RateGrid } from './rate-grid.tsx'
import { countersQuery, limitsQuery, refusalsQuery } from './queries.ts'
import { RefusalTable } from './refusal-table.tsx'
import './limits.css'

const HERE = { project: '' } as const

/** How fast a project and its keys may call, how near they are to it, and who was turned away. */
export function LimitsScreen() {
  const [{ project: asked }, setHere] = useUrlState<Readonly<Record<'project', string>>>(HERE)
  const [draft, setDraft] = useState<LimitDraft | null>(null)
  const projects = useQuery(projectsQuery)
  const active = (projects.data ?? []).filter(({ state }) => state === 'ACTIVE')
  const project = asked || active[0]?.projectId || ''
  return (
    <Page
      title="Limits"
      about="Rates protect throughput, budgets protect money: a call has to fit into both. What is changed here holds from the next call on."
      actions={
        <Button look="first" isDisabled={project === ''} onPress={() => setDraft(NEW_LIMIT)}>
          <Plus aria-hidden />
          Set a limit
        </Button>
      }
    >
      <LimitTabs />
      {projects.error !== null && (
        <ErrorNotice title="The projects could not be read" error={projects.error} />
      )}
      <search className="filters">
        <select
          className="input"
          aria-label="Project"
          value={project}
          onChange={event => setHere({ project: event.target.value })}
        >
          {active.map(({ projectId, displayName }) => (
            <option key={projectId} value={projectId}>
              {displayName ?? projectId}
            </option>
          ))}
        </select>
      </search>
      <div className="limits">
        {project !== '' && <Limits key={project} project={project} onEdit={setDraft} />}
      </div>
      {draft !== null && <LimitDialog project={project} start={draft} onClose={() => setDraft(null)} />}
    </Page>
  )
}

interface LimitsProps {
  readonly project: string
  readonly onEdit: (draft: LimitDraft) => void
}

function Limits({ project, onEdit }: LimitsProps) {
  const limits = useQuery(limitsQuery(project))
  const counters = useQuery(countersQuery(project))
  const refusals = useQuery(refusalsQuery(project))
  if (limits.error !== null) return <ErrorNotice title="The limits could not be read" error={limits.error} />
  if (limits.data === undefined) return <div className="waiting" />
  const { limits: inForce, tier } = limits.data
  return (
    <>
      <section className="panel" aria-labelledby="now-title">
        <h2 id="now-title">Used now</h2>
        {counters.error !== null && (
          <ErrorNotice title="The counters could not be read" error={counters.error} />
        )}
        {inForce.length === 0 ? (
          <NoLimits project={project} onSet={() => onEdit(NEW_LIMIT)} />
        ) : (
          <RateGrid counters={counters.data ?? []} isRead={counters.data !== undefined} />
        )}
      </section>
      <section className="panel" aria-labelledby="refused-title">
        <h2 id="refused-title">Answered 429 in the last 24 hours</h2>
        {refusals.error !== null && (
          <ErrorNotice title="The refusals could not be read" error={refusals.error} />
        )}
        {refusals.data !== undefined && <RefusalTable refusals={refusals.data} />}
      </section>
      {inForce.length > 0 && (
        <section className="panel" aria-labelledby="limits-title">
          <h2 id="limits-title">Limits in force</h2>
          <LimitList project={project} limits={inForce} tier={tier} onEdit={onEdit} />
        </section>
      )}
    </>
  )
}

function NoLimits({ project, onSet }: { readonly project: string; readonly onSet: () => void }) {
  return (
    <div className="empty">
      <h3>Nothing limits how fast this project calls</h3>
      <p>
        Give it a tier, or a limit of its own: then one busy application cannot take the throughput of all. On
        the command line:{' '}
        <code>
          pollux quotas set --project {project} --metric requestsPerMinute --model &apos;*&apos; --value 60
        </code>
      </p>
      <Button onPress={onSet}>Set a limit</Button>
    </div>
  )
}
