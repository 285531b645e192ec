import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { Link, useParams } from 'react-router'
import { ContractError } from '../../src/contract/client.ts'
import type { ResponseOf } from '../../src/contract/endpoint.ts'
import { USERS_V1 } from '../../src/contract/users.v1.ts'
import { useAttempt } from '../door/attempt.ts'
import { PATHS } from '../paths.ts'
import { whoQuery } from '../queries.ts'
import { client } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { Table } from '../ui/table.tsx'
import { Time } from '../ui/time.tsx'
import { addToast } from '../ui/toast.tsx'
import { type Invited, InviteLink } from './invite.tsx'
import { STATE_LOOK, STATE_TEXT, issuerRolesOf } from './people.ts'
import { userQuery } from './queries.ts'
import { useRights } from './rights.ts'
import { RolesPanel } from './roles-panel.tsx'
import { Why } from './why.tsx'
import '../keys/key-screen.css'
import '../keys/form.css'
import './members.css'

type Person = ResponseOf<typeof USERS_V1.getUser>

const METHOD_TEXT = { password: 'password', passkey: 'passkey', oidc: 'issuer', link: 'link' } as const

/** One person: their account, their roles, and where they are signed in. */
export function PersonScreen() {
  const { user = '' } = useParams()
  const { data: person, error } = useQuery(userQuery(user))
  // Who was only given a role, or may not be read, still has roles to show.
  const isStranger = error instanceof ContractError && error.reason === 'RESOURCE_NOT_FOUND'
  const email = person?.email ?? (user.includes('@') ? user : null)
  if (error !== null && !(isStranger && email !== null)) {
    return <ErrorNotice title="The person could not be read" error={error} />
  }
  if (person === undefined && error === null) return <div className="waiting" />
  const name = person?.displayName ?? email ?? user
  return (
    <Page
      title={name}
      about={
        <>
          <Link to={PATHS.members}>Members</Link>
          {person && person.displayName !== person.email && ` · ${person.email}`}
        </>
      }
    >
      <div className="key">
        <div className="key__column">
          {person === undefined || person === null ? (
            <NotLetIn email={name} isHidden={person === null} />
          ) : (
            <>
              <Account person={person} />
              <Sessions person={person} />
            </>
          )}
        </div>
        <div className="key__column">
          {email !== null && (
            <RolesPanel
              member={`user:${email}`}
              name={name}
              {...(person ? { fromIssuer: issuerRolesOf(person) } : {})}
            />
          )}
        </div>
      </div>
    </Page>
  )
}

function NotLetIn({ email, isHidden }: { readonly email: string; readonly isHidden: boolean }) {
  return (
    <section className="panel" aria-labelledby="account-title">
      <h2 id="account-title">Account</h2>
      <p className="quiet">
        {isHidden
          ? 'You may not read accounts. Owners and auditors can.'
          : `Nobody has let ${email} in. The roles count from the first sign-in on, by invitation or at the issuer.`}
      </p>
    </section>
  )
}

function Account({ person }: { readonly person: Person }) {
  const { data: who } = useQuery(whoQuery)
  const [link, setLink] = useState<Invited | null>(null)
  const [isDisabling, setDisabling] = useState(false)
  const { whyNot } = useRights(null)
  const { error, isWorking, attempt } = useAttempt()
  const told = useTold()
  const params = { user: person.email }
  const isSelf = who?.user?.email === person.email
  const isDisabled = person.state === 'DISABLED'
  const why = whyNot('pollux.users.update')
  const reset = async (): Promise<void> => {
    setLink(await told(client.call(USERS_V1.issueResetLink, { params, body: {} })))
  }
  const disable = (): Promise<unknown> => told(client.call(USERS_V1.disableUser, { params, body: {} }))
  const enable = async (): Promise<void> => {
    await told(client.call(USERS_V1.enableUser, { params, body: {} }))
    addToast({ text: `${person.displayName} may sign in again.` })
  }
  return (
    <section className="panel" aria-labelledby="account-title">
      <h2 id="account-title">Account</h2>
      <dl className="facts">
        <dt>State</dt>
        <dd>
          <span className={`status status--${STATE_LOOK[person.state]}`}>{STATE_TEXT[person.state]}</span>
        </dd>
        <dt>E-mail address</dt>
        <dd>{person.email}</dd>
        <dt>Password</dt>
        <dd>{person.hasPassword ? 'set' : 'none'}</dd>
        <dt>Let in</dt>
        <dd>
          <Time time={person.createTime} />
        </dd>
        <dt>Last sign-in</dt>
        <dd>{person.lastSignInTime === undefined ? 'never' : <Time time={person.lastSignInTime} />}</dd>
      </dl>
      {link !== null && (
        <InviteLink
          invited={link}
          onDone={() => {
            setLink(null)
          }}
        />
      )}
      {error !== null && <ErrorNotice title="Nothing was changed" error={error} />}
      <div className="actions">
        <Button isDisabled={why !== null || isWorking || isDisabled} onPress={() => attempt(reset)}>
          {person.state === 'INVITED' ? 'Make a new link' : 'Make a reset link'}
        </Button>
        {isDisabled ? (
          <Button isDisabled={why !== null || isWorking} onPress={() => attempt(enable)}>
            Enable
          </Button>
        ) : (
          <Button
            look="grave"
            isDisabled={why !== null || isWorking || isSelf}
            onPress={() => setDisabling(true)}
          >
            Disable
          </Button>
        )}
      </div>
      <Why reason={why ?? (isSelf ? 'Nobody can disable themselves: another owner can.' : null)} />
      {isDisabling && (
        <ConfirmDialog
          title={`Disable ${person.displayName}?`}
          verb="Disable"
          look="grave"
          onClose={() => setDisabling(false)}
          onConfirm={disable}
        >
          <p>
            Sessions and links end with the next request. The roles stay, and count again when the person is
            enabled. Service accounts that they made go on working.
          </p>
        </ConfirmDialog>
      )}
    </section>
  )
}

function Sessions({ person }: { readonly person: Person }) {
  const { whyNot } = useRights(null)
  const { error, isWorking, attempt } = useAttempt()
  const told = useTold()
  const why = whyNot('pollux.users.update')
  const signOut = async (): Promise<void> => {
    const params = { user: person.email }
    const { ended } = await told(client.call(USERS_V1.signOutUser, { params, body: {} }))
    addToast({
      text: `${person.displayName} is signed out: ${ended} session${ended === 1 ? '' : 's'} ended.`,
    })
  }
  return (
    <section className="panel" aria-labelledby="sessions-title">
      <h2 id="sessions-title">Signed in at</h2>
      {person.sessions.length === 0 ? (
        <p className="quiet">{person.displayName} is signed in nowhere.</p>
      ) : (
        <>
          <Table label="Sessions" columns={['Address', 'By', 'Last seen', 'Browser']}>
            <tbody>
              {person.sessions.map(({ name, callerIp, method, lastSeenTime, userAgent, isCurrent }) => (
                <tr key={name}>
                  <th scope="row">
                    {callerIp}
                    {isCurrent && <span className="chip">this one</span>}
                  </th>
                  <td>{METHOD_TEXT[method]}</td>
                  <td>
                    <Time time={lastSeenTime} />
                  </td>
                  <td className="small">{userAgent}</td>
                </tr>
              ))}
            </tbody>
          </Table>
          {error !== null && <ErrorNotice title="Nothing was changed" error={error} />}
          <div className="actions">
            <Button isDisabled={why !== null || isWorking} onPress={() => attempt(signOut)}>
              Sign out everywhere
            </Button>
          </div>
          <Why reason={why} />
        </>
      )}
    </section>
  )
}

/** A change after which the people are read again. */
function useTold(): <Answer>(change: Promise<Answer>) => Promise<Answer> {
  const queries = useQueryClient()
  return async change => {
    const answer = await change
    await queries.invalidateQueries({ queryKey: ['users'] })
    return answer
  }
}
