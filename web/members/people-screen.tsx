import { useQuery } from '@tanstack/react-query'
import { UserPlus } from 'lucide-react'
import { useDeferredValue, useState } from 'react'
import { Link } from 'react-router'
import { ROLES, allRoles } from '../../src/domain/permission.ts'
import { personPath } from '../paths.ts'
import { Button } from '../ui/button.tsx'
import { ErrorNotice, Notice } from '../ui/notice.tsx'
import { Table } from '../ui/table.tsx'
import { Time } from '../ui/time.tsx'
import { useUrlState } from '../url-state.ts'
import { MembersFrame } from './frame.tsx'
import { type Invited, InviteDialog, InviteLink } from './invite.tsx'
import { type PersonRow, STATE_LOOK, STATE_TEXT, filterPeople, peopleRows } from './people.ts'
import { usePolicies, usersQuery } from './queries.ts'
import { useRights } from './rights.ts'
import { RoleChips } from './role-chips.tsx'
import { Why } from './why.tsx'

const NO_FILTER = { q: '', state: '', role: '' } as const

/** Who may sign in, and what each may do. */
export function PeopleScreen() {
  const users = useQuery(usersQuery)
  const { policies, isPending, error } = usePolicies()
  const [isInviting, setInviting] = useState(false)
  const [invited, setInvited] = useState<Invited | null>(null)
  const whyNot = useRights(null).whyNot('pollux.users.create')
  const isReady = !isPending && users.data !== undefined
  return (
    <MembersFrame
      title="Members"
      about="Who may sign in, and what each may do. A role at the organization holds in every project."
      actions={
        <Button look="first" isDisabled={whyNot !== null} onPress={() => setInviting(true)}>
          <UserPlus aria-hidden />
          Invite somebody
        </Button>
      }
    >
      <Why reason={whyNot} />
      {invited !== null && <InviteLink invited={invited} onDone={() => setInvited(null)} />}
      {users.data === null && (
        <Notice>
          You may not list who can sign in. Shown are the addresses that the policies you may read give roles
          to.
        </Notice>
      )}
      {error !== null && <ErrorNotice title="The roles could not be read" error={error} />}
      {users.error !== null && <ErrorNotice title="The people could not be read" error={users.error} />}
      {!isReady && error === null && users.error === null && <div className="waiting" />}
      {isReady && <People rows={peopleRows(users.data ?? [], policies)} />}
      {isInviting && <InviteDialog onClose={() => setInviting(false)} onInvited={setInvited} />}
    </MembersFrame>
  )
}

function People({ rows }: { readonly rows: readonly PersonRow[] }) {
  const [filter, setFilter] = useUrlState<Record<keyof typeof NO_FILTER, string>>(NO_FILTER)
  const shown = filterPeople(rows, useDeferredValue(filter))
  if (rows.length === 0) {
    return (
      <div className="sheet empty">
        <h2>Nobody signs in here yet</h2>
        <p>
          Until somebody is invited, only the tokens of the machine get in. <code>pollux users invite</code>{' '}
          does it from the terminal.
        </p>
      </div>
    )
  }
  return (
    <>
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
          aria-label="State"
          value={filter.state}
          onChange={event => setFilter({ state: event.target.value })}
        >
          <option value="">State: any</option>
          {Object.entries(STATE_TEXT).map(([state, text]) => (
            <option key={state} value={state}>
              {text}
            </option>
          ))}
          <option value="NONE">Not let in</option>
        </select>
        <select
          className="input"
          aria-label="Role"
          value={filter.role}
          onChange={event => setFilter({ role: event.target.value })}
        >
          <option value="">Role: any</option>
          {allRoles().map(role => (
            <option key={role} value={role}>
              {ROLES[role].title}
            </option>
          ))}
        </select>
      </search>
      <Table label="People" columns={['Person', 'State', 'Roles', 'Last sign-in']} isSheet>
        <tbody>
          {shown.map(row => (
            <Person key={row.email} row={row} />
          ))}
          {shown.length === 0 && (
            <tr>
              <td colSpan={4} className="quiet">
                Nobody matches. <Button onPress={() => setFilter(NO_FILTER)}>Show everybody</Button>
              </td>
            </tr>
          )}
        </tbody>
      </Table>
    </>
  )
}

function Person({ row: { email, name, user, roles } }: { readonly row: PersonRow }) {
  return (
    <tr>
      <th scope="row">
        <span className="member__who">
          <Link to={personPath(email)}>{name}</Link>
          {name !== email && <span className="quiet small">{email}</span>}
        </span>
      </th>
      <td>
        {user === null ? (
          <span className="status status--off">Not let in</span>
        ) : (
          <span className={`status status--${STATE_LOOK[user.state]}`}>{STATE_TEXT[user.state]}</span>
        )}
      </td>
      <td>
        <RoleChips roles={roles} />
      </td>
      <td>{user?.lastSignInTime === undefined ? 'never' : <Time time={user.lastSignInTime} />}</td>
    </tr>
  )
}
