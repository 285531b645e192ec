import { useQuery } from '@tanstack/react-query'
import { useMemo } from 'react'
import { Link } from 'react-router'
import { RISKS, RISK_TEXT, type Risk, hasRisk } from '../keys/risks.ts'
import { type KeyRow, groupKeys } from '../keys/rows.ts'
import { keysPath } from '../paths.ts'
import { budgetsQuery, keysQuery, projectsQuery, serverQuery } from '../queries.ts'
import { ErrorNotice } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { Sessions } from './sessions.tsx'
import './security.css'

/** Which keys deserve a look, where one is signed in, and as whom the server sees one. */
export function SecurityScreen() {
  const projects = useQuery(projectsQuery)
  const keys = useQuery(keysQuery)
  const budgets = useQuery(budgetsQuery)
  const error = projects.error ?? keys.error ?? budgets.error
  const rows = useMemo(() => {
    if (projects.data === undefined || keys.data === undefined || budgets.data === undefined) return null
    const facts = { projects: projects.data, keys: keys.data, budgets: budgets.data, usage: [] }
    return groupKeys(facts).flatMap(group => group.rows)
  }, [projects.data, keys.data, budgets.data])
  return (
    <Page title="Security" about="What somebody who answers for the keys would look at first.">
      {error !== null && <ErrorNotice title="The keys could not be read" error={error} />}
      {rows === null && error === null && <div className="waiting" />}
      {rows !== null && <RiskCards rows={rows} />}
      <div className="security__parts">
        <Sessions />
        <Address />
      </div>
    </Page>
  )
}

function RiskCards({ rows }: { readonly rows: readonly KeyRow[] }) {
  const nowMs = Date.now()
  return (
    <ul className="risks" aria-label="Keys to look at">
      {RISKS.map(risk => (
        <li key={risk}>
          <RiskCard risk={risk} count={rows.filter(row => hasRisk(row, risk, nowMs)).length} />
        </li>
      ))}
    </ul>
  )
}

function RiskCard({ risk, count }: { readonly risk: Risk; readonly count: number }) {
  const { title, about } = RISK_TEXT[risk]
  return (
    <Link to={keysPath({ risk })} className="risk">
      <span className={count === 0 ? 'risk__count risk__count--none' : 'risk__count'}>{count}</span>
      <span className="risk__title">{title}</span>
      <span className="quiet small">{about}</span>
    </Link>
  )
}

/** What address rules of keys and the audit trail see of this browser. */
function Address() {
  const { data: server } = useQuery(serverQuery)
  if (server === undefined) return null
  return (
    <section className="panel" aria-labelledby="address-title">
      <h2 id="address-title">Your address</h2>
      {server.clientAddress === undefined ? (
        <p>The server cannot tell from where you come, so keys restricted to addresses refuse you.</p>
      ) : (
        <p>
          We see you as <code>{server.clientAddress}</code>. Address restrictions of keys and the audit trail
          go by it.
        </p>
      )}
      <p className="quiet small">
        If this is the address of a proxy of yours, name the proxy in <code>POLLUX_TRUSTED_PROXIES</code>:
        only then is what it says of its clients believed.
      </p>
    </section>
  )
}
