import { useQueries, useQuery } from '@tanstack/react-query'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { Link, useNavigate } from 'react-router'
import { serviceAccountPath } from '../paths.ts'
import { projectsQuery } from '../queries.ts'
import { Button } from '../ui/button.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { Table } from '../ui/table.tsx'
import { Time } from '../ui/time.tsx'
import { useUrlState } from '../url-state.ts'
import { CreateAccountDialog } from './create-account-dialog.tsx'
import { MembersFrame } from './frame.tsx'
import { type PlacedPolicy, rolesOf } from './policy.ts'
import { type AccountJson, accountsQuery, usePolicies } from './queries.ts'
import { RoleChips } from './role-chips.tsx'

const NO_FILTER = { q: '', project: '' } as const

/** The identities of programs, of all projects. */
export function AccountsScreen() {
  const [filter, setFilter] = useUrlState<Record<keyof typeof NO_FILTER, string>>(NO_FILTER)
  const navigate = useNavigate()
  const [isCreating, setCreating] = useState(false)
  const projects = useQuery(projectsQuery)
  const active = (projects.data ?? []).filter(({ state }) => state === 'ACTIVE')
  const { policies } = usePolicies()
  const { accounts, error, isPending } = useAccounts(active.map(({ projectId }) => projectId))
  const words = filter.q.toLowerCase().split(/\s+/)
  const shown = accounts.filter(
    ({ projectId, email, displayName = '' }) =>
      (filter.project === '' || projectId === filter.project) &&
      words.every(word => `${email} ${displayName}`.toLowerCase().includes(word)),
  )
  const isReady = projects.data !== undefined && !isPending
  const failure = projects.error ?? error
  return (
    <MembersFrame
      title="Service accounts"
      about="Identities for programs that manage Pollux: Terraform, CI, a script. Each lives in a project and may do nothing until it is given a role."
      actions={
        <Button look="first" isDisabled={active.length === 0} onPress={() => setCreating(true)}>
          <Plus aria-hidden />
          Create service account
        </Button>
      }
    >
      <search className="filters">
        <input
          type="search"
          className="input filters__search"
          aria-label="Search by name or address"
          placeholder="Search by name or address"
          value={filter.q}
          onChange={event => setFilter({ q: event.target.value })}
        />
        <select
          className="input"
          aria-label="In project"
          value={filter.project}
          onChange={event => setFilter({ project: event.target.value })}
        >
          <option value="">Project: any</option>
          {active.map(({ projectId, displayName }) => (
            <option key={projectId} value={projectId}>
              {displayName ?? projectId}
            </option>
          ))}
        </select>
      </search>
      {failure !== null && <ErrorNotice title="The service accounts could not be read" error={failure} />}
      {!isReady && failure === null && <div className="waiting" />}
      {isReady && accounts.length === 0 && (
        <NoAccounts onCreate={active.length === 0 ? null : () => setCreating(true)} />
      )}
      {isReady && accounts.length > 0 && (
        <AccountTable accounts={shown} policies={policies} onClear={() => setFilter(NO_FILTER)} />
      )}
      {isCreating && (
        <CreateAccountDialog
          projects={active}
          project={filter.project}
          onClose={() => setCreating(false)}
          onCreated={({ projectId, email }) =>
            void navigate(serviceAccountPath(projectId, accountIdOf(email)))
          }
        />
      )}
    </MembersFrame>
  )
}

function useAccounts(projects: readonly string[]) {
  return useQueries({
    queries: projects.map(accountsQuery),
    combine: results => ({
      accounts: results.flatMap(({ data }) => data ?? []),
      // A project whose accounts one may not list has none to show.
      error: results.find(({ error, data }) => error !== null && data === undefined)?.error ?? null,
      isPending: results.some(({ isPending }) => isPending),
    }),
  })
}

/** `onCreate` null: there is no project to make one in. */
function NoAccounts({ onCreate }: { readonly onCreate: (() => void) | null }) {
  return (
    <div className="sheet empty">
      <h2>No program manages this Pollux</h2>
      <p>
        A service account gives one its own tokens, roles and audit entries, so that nobody's own sign-in ends
        up in a script. <code>pollux service-accounts create</code> does it from the terminal.
      </p>
      {onCreate !== null && <Button onPress={onCreate}>Create service account</Button>}
    </div>
  )
}

interface TableProps {
  readonly accounts: readonly AccountJson[]
  readonly policies: readonly PlacedPolicy[]
  readonly onClear: () => void
}

function AccountTable({ accounts, policies, onClear }: TableProps) {
  return (
    <Table
      label="Service accounts"
      columns={['Service account', 'Project', 'State', 'Roles', 'Created']}
      isSheet
    >
      <tbody>
        {accounts.map(account => (
          <tr key={account.email}>
            <th scope="row">
              <span className="member__who">
                <Link to={serviceAccountPath(account.projectId, accountIdOf(account.email))}>
                  {account.displayName ?? accountIdOf(account.email)}
                </Link>
                <span className="quiet small">{account.email}</span>
              </span>
            </th>
            <td>{account.projectId}</td>
            <td>
              <AccountState isDisabled={account.disabled} />
            </td>
            <td>
              <RoleChips roles={rolesOf(`serviceAccount:${account.email}`, policies)} />
            </td>
            <td>
              <Time time={account.createTime} />
            </td>
          </tr>
        ))}
        {accounts.length === 0 && (
          <tr>
            <td colSpan={5} className="quiet">
              None matches. <Button onPress={onClear}>Show all</Button>
            </td>
          </tr>
        )}
      </tbody>
    </Table>
  )
}

export function AccountState({ isDisabled }: { readonly isDisabled: boolean }) {
  return (
    <span className={`status status--${isDisabled ? 'off' : 'fine'}`}>
      {isDisabled ? 'Disabled' : 'Active'}
    </span>
  )
}

/** `robot` of `robot@web-shop.iam.pollux.internal`. */
function accountIdOf(email: string): string {
  return email.split('@')[0] ?? email
}
