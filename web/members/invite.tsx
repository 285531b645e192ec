import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import type { ResponseOf } from '../../src/contract/endpoint.ts'
import { USERS_V1 } from '../../src/contract/users.v1.ts'
import { ROLES, allRoles, isRole } from '../../src/domain/permission.ts'
import { canonicalEmail } from '../../src/domain/user.ts'
import { problemOf } from '../keys/problem.ts'
import { client } from '../session.ts'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { SelectField, TextField } from '../ui/field.tsx'
import { Secret } from '../ui/secret.tsx'
import { shownMoment } from '../ui/times.ts'
import { useRights } from './rights.ts'

export type Invited = ResponseOf<typeof USERS_V1.inviteUser>

interface InviteProps {
  readonly onClose: () => void
  readonly onInvited: (invited: Invited) => void
}

/** Lets somebody in. The role is at the organization; roles of projects are given on the person's page. */
export function InviteDialog({ onClose, onInvited }: InviteProps) {
  const queries = useQueryClient()
  const rights = useRights(null)
  const [email, setEmail] = useState('')
  const [displayName, setDisplayName] = useState('')
  const [role, setRole] = useState('')
  const address = email.trim()
  const problem = address === '' ? null : problemOf(() => canonicalEmail(address))
  const given = isRole(role) ? role : null
  const whyNot = given === null ? null : rights.whyNotGive(given)
  const invite = async (): Promise<void> => {
    const name = displayName.trim()
    const invited = await client.call(USERS_V1.inviteUser, {
      body: {
        email: address,
        ...(name === '' ? {} : { displayName: name }),
        ...(given === null ? {} : { role: given }),
      },
    })
    onInvited(invited)
    await Promise.all([
      queries.invalidateQueries({ queryKey: ['users'] }),
      queries.invalidateQueries({ queryKey: ['policies'] }),
    ])
  }
  return (
    <ConfirmDialog
      title="Invite somebody"
      verb="Make the invitation"
      onClose={onClose}
      isDisabled={address === '' || problem !== null || whyNot !== null}
      onConfirm={invite}
    >
      <TextField
        label="E-mail address"
        type="email"
        autoFocus
        value={email}
        onChange={setEmail}
        problem={problem}
        hint="Pollux sends no mail: you get a link to pass on."
      />
      <TextField label="Name" value={displayName} onChange={setDisplayName} placeholder="Grete Hermann" />
      <SelectField
        label="Role at the organization"
        value={role}
        onChange={setRole}
        problem={whyNot}
        hint={
          given === null ? 'Without a role they see nothing until you give one.' : ROLES[given].description
        }
        options={[['', 'None yet'], ...allRoles().map(name => [name, ROLES[name].title] as const)]}
      />
    </ConfirmDialog>
  )
}

/** The link of an invitation or a reset, this once. */
export function InviteLink({
  invited: { link, linkExpireTime, displayName },
  onDone,
}: {
  readonly invited: Invited
  readonly onDone: () => void
}) {
  return (
    <section className="panel once-link" aria-label={`Link for ${displayName}`}>
      <Secret
        title={`Send this link to ${displayName}, and to nobody else`}
        about={`Whoever opens it gets in. It works once, until ${shownMoment(linkExpireTime)}, and is not shown again.`}
        secret={link}
        copyLabel="Copy the link"
        onDone={onDone}
      />
    </section>
  )
}
