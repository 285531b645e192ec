import { useQuery } from '@tanstack/react-query'
import { useId, useState } from 'react'
import { ROLES, allRoles, isProjectRole, isRole } from '../../src/domain/permission.ts'
import { useAttempt } from '../door/attempt.ts'
import { projectsQuery } from '../queries.ts'
import { Button } from '../ui/button.tsx'
import { SelectField } from '../ui/field.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { addToast } from '../ui/toast.tsx'
import {
  type HeldRole,
  type Place,
  type PlacedPolicy,
  isLastOwner,
  rolesOf,
  withBinding,
  withoutBinding,
} from './policy.ts'
import { usePolicies, useSetPolicy } from './queries.ts'
import { useRights } from './rights.ts'
import { Why } from './why.tsx'

interface RolesProps {
  /** `user:EMAIL` or `serviceAccount:EMAIL`. */
  readonly member: string
  readonly name: string
  /** What the issuer's claims give, which nobody can take away here. */
  readonly fromIssuer?: readonly HeldRole[]
}

/** What a member holds at the organization and in each project, and how that is changed. */
export function RolesPanel({ member, name, fromIssuer = [] }: RolesProps) {
  const { policies, isPending, error } = usePolicies()
  const roles = rolesOf(member, policies)
  return (
    <section className="panel" aria-labelledby="roles-title">
      <h2 id="roles-title">Roles</h2>
      {error !== null && <ErrorNotice title="The roles could not be read" error={error} />}
      {!isPending && roles.length + fromIssuer.length === 0 && (
        <p className="quiet">{name} holds no role that you may see, and so may do nothing there.</p>
      )}
      {roles.length + fromIssuer.length > 0 && (
        <ul className="roles">
          {fromIssuer.map(({ role }) => (
            <li key={role}>
              <div>
                <h3>
                  {ROLES[role].title} <span className="quiet">at the organization</span>
                </h3>
                <p className="quiet">{ROLES[role].description}</p>
                <Why reason="By the claims at the issuer, which are read again at each sign-in there. POLLUX_OIDC_ROLES says what they give." />
              </div>
            </li>
          ))}
          {roles.map(held => (
            <HeldRoleItem
              key={`${held.role} ${held.place}`}
              held={held}
              member={member}
              policies={policies}
            />
          ))}
        </ul>
      )}
      {policies.length > 0 && <GiveRole member={member} name={name} policies={policies} />}
      {!isPending && policies.length === 0 && error === null && (
        <Why reason="You may not read any policy, so no role can be shown or changed. Owners and auditors can read them." />
      )}
    </section>
  )
}

interface HeldRoleProps {
  readonly held: HeldRole
  readonly member: string
  readonly policies: readonly PlacedPolicy[]
}

function HeldRoleItem({ held, member, policies }: HeldRoleProps) {
  const { place, role } = held
  const { title, description } = ROLES[role]
  const whyId = useId()
  const rights = useRights(place)
  const setPolicy = useSetPolicy()
  const { error, isWorking, attempt } = useAttempt()
  const why = isLastOwner(held, policies)
    ? 'The organization is never left without an owner: make somebody else one first.'
    : rights.whyNotGive(role)
  const remove = async (): Promise<void> => {
    await setPolicy(place, withoutBinding(policyAt(place, policies), role, member))
    addToast({ text: `${title} ${shownPlace(place)} is taken away, from the next request on.` })
  }
  return (
    <li>
      <div>
        <h3>
          {title} <span className="quiet">{shownPlace(place)}</span>
        </h3>
        <p className="quiet">{description}</p>
      </div>
      <Button
        isDisabled={why !== null || isWorking}
        {...(why === null ? {} : { 'aria-describedby': whyId })}
        onPress={() => attempt(remove)}
      >
        Take away
        <span className="unseen">
          {' '}
          {title} {shownPlace(place)}
        </span>
      </Button>
      <div className="roles__why">
        <Why reason={why} id={whyId} />
        {error !== null && <ErrorNotice title="Nothing was changed" error={error} />}
      </div>
    </li>
  )
}

interface GiveProps {
  readonly member: string
  readonly name: string
  readonly policies: readonly PlacedPolicy[]
}

function GiveRole({ member, name, policies }: GiveProps) {
  const { data: projects = [] } = useQuery(projectsQuery)
  const [place, setPlace] = useState<Place>(policies[0]?.place ?? null)
  const [chosen, setRole] = useState('roles/viewer')
  const setPolicy = useSetPolicy()
  const rights = useRights(place)
  const { error, isWorking, attempt } = useAttempt()
  const options = allRoles().filter(role => place === null || isProjectRole(role))
  const role = options.find(option => option === chosen) ?? 'roles/viewer'
  const isHeld = rolesOf(member, policies).some(held => held.role === role && held.place === place)
  const why = isHeld ? `${name} holds this role there.` : rights.whyNotGive(role)
  const give = async (): Promise<void> => {
    await setPolicy(place, withBinding(policyAt(place, policies), role, member))
    addToast({ text: `${name} is ${ROLES[role].title} ${shownPlace(place)} from the next request on.` })
  }
  const nameOf = (project: string): string =>
    projects.find(({ projectId }) => projectId === project)?.displayName ?? project
  return (
    <form
      className="give"
      onSubmit={event => {
        event.preventDefault()
        if (why === null) attempt(give)
      }}
    >
      <h3>Give a role</h3>
      <div className="form__pair">
        <SelectField
          label="Where"
          value={place ?? ''}
          onChange={value => setPlace(value === '' ? null : value)}
          options={policies.map(({ place: at }) => (at === null ? ['', 'All projects'] : [at, nameOf(at)]))}
        />
        <SelectField
          label="Role"
          value={role}
          onChange={value => isRole(value) && setRole(value)}
          hint={ROLES[role].description}
          options={options.map(option => [option, ROLES[option].title])}
        />
      </div>
      {error !== null && <ErrorNotice title="Nothing was changed" error={error} />}
      <Why reason={why} />
      <div className="actions">
        <Button type="submit" isDisabled={why !== null || isWorking}>
          Give the role
        </Button>
      </div>
    </form>
  )
}

function policyAt(place: Place, policies: readonly PlacedPolicy[]) {
  return policies.find(other => other.place === place)?.policy ?? {}
}

function shownPlace(place: Place): string {
  return place === null ? 'at the organization' : `in ${place}`
}
