import { useQueries, useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { Link } from 'react-router'
import { keyPath, spendPath } from '../paths.ts'
import {
  type BudgetJson,
  type ProjectJson,
  type UsageReport,
  budgetsQuery,
  keysQuery,
  projectsQuery,
  usageQuery,
} from '../queries.ts'
import { exactDollars, shownDollars } from '../ui/dollars.ts'
import { ErrorNotice } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { useUrlState } from '../url-state.ts'
import { BudgetTree } from './budget-tree.tsx'
import { CapHits } from './cap-hits.tsx'
import { LedgerCheck } from './ledger-check.tsx'
import { MonthChart } from './month-chart.tsx'
import { type Month, capDay, monthOf, monthSpend } from './month.ts'
import { capHitsQuery } from './queries.ts'
import { SpendTabs } from './spend-tabs.tsx'
import { type BudgetPlace, nameOf, pathOf, treeOf } from './tree.ts'
import './spend.css'

const EVERYTHING = { project: '', key: '' } as const

/** What the organization, a project or a key spends, and what stops it. */
export function SpendScreen() {
  const [asked, setAsked] = useUrlState<Readonly<Record<'project' | 'key', string>>>(EVERYTHING)
  const place = placeOf(asked)
  const projects = useQuery(projectsQuery)
  const keys = useQuery(keysQuery)
  const budgets = useQuery(budgetsQuery)
  const hits = useQuery(capHitsQuery(place))
  const error = projects.error ?? budgets.error ?? keys.error
  const active = (projects.data ?? []).filter(({ state }) => state === 'ACTIVE')
  return (
    <Page
      title="Spend"
      about="What calls cost, to the nano-dollar, and the caps they cannot exceed: a call has to fit into each budget from its key up to the organization."
    >
      <SpendTabs />
      {error !== null && <ErrorNotice title="The budgets could not be read" error={error} />}
      <search className="filters">
        <select
          className="input"
          aria-label="Project"
          value={asked.project}
          onChange={event => setAsked({ project: event.target.value, key: '' })}
        >
          <option value="">All projects</option>
          {active.map(({ projectId, displayName }) => (
            <option key={projectId} value={projectId}>
              {displayName ?? projectId}
            </option>
          ))}
        </select>
      </search>
      <div className="spend-screen">
        {place.key !== null && (
          <p>
            Key{' '}
            <Link to={keyPath({ project: asked.project, key: place.key })}>
              {nameOf({ projects: active, keys: keys.data ?? [] }, place)}
            </Link>
            {' · '}
            <Link to={spendPath({ project: place.project, key: null })}>the whole project</Link>
          </p>
        )}
        {budgets.data !== undefined && projects.data !== undefined && (
          <>
            <ThisMonth place={place} projects={active} budgets={budgets.data} />
            <section className="spend-screen__part" aria-labelledby="budgets-title">
              <h2 id="budgets-title">Budgets</h2>
              <p className="quiet">
                Posted is spent. Held is what nodes have taken for calls that are under way; what is idle goes
                back within a second. A cap that is lowered below what is posted stops all calls at once.
              </p>
              <BudgetTree
                nodes={treeOf(
                  { budgets: budgets.data, projects: projects.data, keys: keys.data ?? [] },
                  place,
                )}
              />
            </section>
          </>
        )}
        <div className="spend-screen__pair">
          <section className="panel" aria-labelledby="hits-title">
            <h2 id="hits-title">Cap hits</h2>
            {hits.error !== null && <ErrorNotice title="The cap hits could not be read" error={hits.error} />}
            {hits.data !== undefined && <CapHits hits={hits.data} />}
          </section>
          <section className="panel" aria-labelledby="ledger-title">
            <h2 id="ledger-title">Ledger</h2>
            <LedgerCheck />
          </section>
        </div>
      </div>
    </Page>
  )
}

function placeOf({ project, key }: { readonly project: string; readonly key: string }): BudgetPlace {
  return { project: project || null, key: project === '' ? null : key || null }
}

interface ThisMonthProps {
  readonly place: BudgetPlace
  readonly projects: readonly ProjectJson[]
  readonly budgets: readonly BudgetJson[]
}

function ThisMonth({ place, projects, budgets }: ThisMonthProps) {
  const nowMs = useMemo(() => Date.now(), [])
  const month = monthOf(budgets, nowMs)
  const ids = place.project === null ? projects.map(({ projectId }) => projectId) : [place.project]
  const { reports, error } = useMonth(ids, place.key, month)
  const spend = monthSpend(reports, month, nowMs)
  const capNanos = leastCap(budgets, place)
  const day = capNanos === null ? null : capDay(capNanos, spend)
  return (
    <section className="panel" aria-labelledby="month-title">
      <h2 id="month-title">This month</h2>
      {error !== null && <ErrorNotice title="The usage could not be read" error={error} />}
      <dl className="sums">
        <Sum name="So far" nanos={spend.spentNanos} />
        {spend.forecastNanos !== null && <Sum name="By its end, at this pace" nanos={spend.forecastNanos} />}
        {capNanos === null ? (
          <div>
            <dt>Cap</dt>
            <dd className="quiet">none</dd>
          </div>
        ) : (
          <Sum name="Cap" nanos={capNanos} />
        )}
      </dl>
      <MonthChart spend={spend} capNanos={capNanos} startMs={month.startMs} />
      {day !== null && (
        <p className="status status--look">At this pace the cap is reached on day {day} of the month.</p>
      )}
    </section>
  )
}

/** This month by the hour, of each project that has answered so far. */
function useMonth(projects: readonly string[], key: string | null, { startMs, endMs }: Month) {
  const [startTime, endTime] = [new Date(startMs).toISOString(), new Date(endMs).toISOString()]
  return useQueries({
    queries: projects.map(project =>
      usageQuery({
        project,
        ...(key === null ? {} : { key }),
        startTime,
        endTime,
        granularity: 'hour',
        groupBy: ['time'],
      }),
    ),
    combine: results => ({
      reports: results.flatMap(({ data }): UsageReport[] => (data === undefined ? [] : [data])),
      error: results.find(({ error }) => error !== null)?.error ?? null,
    }),
  })
}

/** Of the monthly budgets that bind calls there, the least: at its cap they stop. */
function leastCap(budgets: readonly BudgetJson[], place: BudgetPlace): bigint | null {
  const caps = pathOf(budgets, place)
    .filter(({ period }) => period === 'month')
    .map(({ cap }) => BigInt(cap))
  return caps.reduce<bigint | null>((least, cap) => (least === null || cap < least ? cap : least), null)
}

function Sum({ name, nanos }: { readonly name: string; readonly nanos: bigint }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd title={exactDollars(nanos)}>{shownDollars(nanos)}</dd>
    </div>
  )
}
