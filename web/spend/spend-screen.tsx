import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { Link } from 'react-router'
import { keyPath, spendPath } from '../paths.ts'
import { type BudgetJson, budgetsQuery, keysQuery, projectsQuery } from '../queries.ts'
import { exactDollars, shownDollars } from '../ui/dollars.ts'
import { ErrorNotice } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { useUrlState } from '../url-state.ts'
import { BudgetTree } from './budget-tree.tsx'
import { CapHits } from './cap-hits.tsx'
import { LedgerCheck } from './ledger-check.tsx'
import { MonthChart } from './month-chart.tsx'
import { type MonthSpend, capDay, monthOf, monthSpend } from './month.ts'
import { capHitsQuery, monthQuery } from './queries.ts'
import { SpendTabs } from './spend-tabs.tsx'
import { type BudgetPlace, budgetsAt, treeOf } from './tree.ts'
import './spend.css'

const EVERYTHING = { project: '', key: '', q: '', open: '', page: '1' } as const

/** What the organization, a project or a key spends, and what stops it. */
export function SpendScreen() {
  const [asked, setAsked] = useUrlState<Readonly<Record<keyof typeof EVERYTHING, string>>>(EVERYTHING)
  const { project, key, ...view } = asked
  const place = useMemo(() => placeOf({ project, key }), [project, key])
  const projects = useQuery(projectsQuery)
  const keys = useQuery(keysQuery)
  const budgets = useQuery(budgetsQuery)
  const hits = useQuery(capHitsQuery(place))
  const error = projects.error ?? budgets.error ?? keys.error
  const active = (projects.data ?? []).filter(({ state }) => state === 'ACTIVE')
  const nodes = useMemo(
    () =>
      budgets.data === undefined || projects.data === undefined
        ? null
        : treeOf({ budgets: budgets.data, projects: projects.data, keys: keys.data ?? [] }, place),
    [budgets.data, projects.data, keys.data, place],
  )
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
          onChange={event => setAsked({ ...EVERYTHING, project: event.target.value })}
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
              {nodes?.find(node => node.key === key)?.name ?? key}
            </Link>
            {' · '}
            <Link to={spendPath({ project: place.project, key: null })}>the whole project</Link>
          </p>
        )}
        {budgets.data !== undefined && nodes !== null && (
          <>
            <ThisMonth place={place} budgets={budgets.data} />
            <section className="spend-screen__part" aria-labelledby="budgets-title">
              <h2 id="budgets-title">Budgets</h2>
              <p className="quiet">
                Posted is spent. Held is what nodes have taken for calls that are under way; what is idle goes
                back within a second. A cap that is lowered below what is posted stops all calls at once.
              </p>
              <BudgetTree nodes={nodes} view={view} onView={setAsked} />
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
  readonly budgets: readonly BudgetJson[]
}

function ThisMonth({ place, budgets }: ThisMonthProps) {
  const nowMs = useMemo(() => Date.now(), [])
  const month = monthOf(budgets, nowMs)
  const { data, error } = useQuery(monthQuery(place, month))
  const capNanos = leastCap(budgetsAt(budgets, place))
  return (
    <section className="panel" aria-labelledby="month-title">
      <h2 id="month-title">This month</h2>
      {error !== null && <ErrorNotice title="The usage could not be read" error={error} />}
      {data === undefined && error === null && <div className="waiting" />}
      {data !== undefined && (
        <Spent spend={monthSpend(data.rows, month, nowMs)} startMs={month.startMs} {...{ place, capNanos }} />
      )}
    </section>
  )
}

interface SpentProps {
  readonly spend: MonthSpend
  readonly startMs: number
  readonly place: BudgetPlace
  readonly capNanos: bigint | null
}

function Spent({ spend, startMs, place, capNanos }: SpentProps) {
  const day = capNanos === null ? null : capDay(capNanos, spend)
  return (
    <>
      <dl className="sums">
        <Sum name="So far" nanos={spend.spentNanos} />
        {spend.forecastNanos !== null && <Sum name="By its end, at this pace" nanos={spend.forecastNanos} />}
        {capNanos === null ? (
          <div>
            <dt>Cap</dt>
            <dd className="quiet">{place.project === null ? 'none' : 'none of its own'}</dd>
          </div>
        ) : (
          <Sum name="Cap" nanos={capNanos} />
        )}
      </dl>
      <MonthChart spend={spend} capNanos={capNanos} startMs={startMs} />
      {day !== null && (
        <p className="status status--look">At this pace the cap is reached on day {day} of the month.</p>
      )}
    </>
  )
}

/** Of monthly budgets the least. One further up is no measure of a pace: others spend under it too. */
function leastCap(own: readonly BudgetJson[]): bigint | null {
  const caps = own.filter(({ period }) => period === 'month').map(({ cap }) => BigInt(cap))
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
