import { useQuery } from '@tanstack/react-query'
import { Plus } from 'lucide-react'
import { Link } from 'react-router'
import { chipsOf } from '../keys/chips.ts'
import { Chips } from '../keys/key-status.tsx'
import { idOf } from '../keys/rows.ts'
import { newTierPath, tierPath } from '../paths.ts'
import { projectsQuery } from '../queries.ts'
import { ButtonLink } from '../ui/button.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { Table } from '../ui/table.tsx'
import { LimitTabs } from './limit-tabs.tsx'
import { type TierJson, tiersQuery } from './queries.ts'
import './limits.css'

/** Named sets of limits: those that are published, and the operator's own. */
export function TiersScreen() {
  const { data: tiers, error } = useQuery(tiersQuery)
  const { data: projects = [] } = useQuery(projectsQuery)
  const projectsBy = Map.groupBy(
    projects.filter(({ state }) => state === 'ACTIVE'),
    ({ tier = '' }) => tier,
  )
  return (
    <Page
      title="Tiers"
      about="A tier is a named set of limits that projects are given. The published ones are what Google’s users reported; make your own from them."
      actions={
        <ButtonLink to={newTierPath()} look="first">
          <Plus aria-hidden />
          Make a tier
        </ButtonLink>
      }
    >
      <LimitTabs />
      {error !== null && <ErrorNotice title="The tiers could not be read" error={error} />}
      {tiers === undefined && error === null && <div className="waiting" />}
      {tiers !== undefined && (
        <Table
          label="Tiers"
          columns={['Name', 'Id', { number: 'Limits' }, 'Allows', { number: 'Projects' }, 'From']}
          isSheet
          className="tiers"
        >
          <tbody>
            {tiers.map(tier => (
              <Row key={tier.name} tier={tier} projects={projectsBy.get(idOf(tier.name))?.length ?? 0} />
            ))}
          </tbody>
        </Table>
      )}
    </Page>
  )
}

function Row({ tier, projects }: { readonly tier: TierJson; readonly projects: number }) {
  const { name, displayName, limits = [], allowedMethods, isShipped, source } = tier
  const id = idOf(name)
  const chips = chipsOf(tier)
  const methods = allowedMethods?.length
  return (
    <tr>
      <th scope="row">
        <Link to={tierPath(id)}>{displayName || id}</Link>
      </th>
      <td>
        <code>{id}</code>
      </td>
      <td className="number">{limits.length}</td>
      <td>
        {chips.length === 0 && methods === undefined ? (
          <span className="quiet">everything</span>
        ) : (
          <Chips chips={[...chips, ...(methods === undefined ? [] : [`${methods} methods`])]} />
        )}
      </td>
      <td className="number">{projects}</td>
      <td>{isShipped ? <span title={source}>published, {publishedDate(source)}</span> : 'your own'}</td>
    </tr>
  )
}

/** `as of 2026-11-21: …` -> `2026-11-21` */
function publishedDate(source = ''): string {
  return /\d{4}-\d{2}-\d{2}/.exec(source)?.[0] ?? 'undated'
}
