import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { SERVICE_ACCOUNTS_V1 } from '../../src/contract/service-accounts.v1.ts'
import { isPermission, readingPermissions } from '../../src/domain/permission.ts'
import { linesOf } from '../keys/draft.ts'
import { projectsQuery } from '../queries.ts'
import { client } from '../session.ts'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { RadioField, SelectField, TextField } from '../ui/field.tsx'
import { EXPIRY_DAYS, EXPIRY_DAYS_DEFAULT, expireTimeIn } from './expiry.ts'
import { type AccountPlace, tokensQuery } from './queries.ts'

type Scope = 'all' | 'read' | 'some'

interface CreateTokenProps {
  readonly place: AccountPlace
  readonly onClose: () => void
  /** Told the token, which nobody can show again. */
  readonly onCreated: (token: string) => void
}

export function CreateTokenDialog({ place, onClose, onCreated }: CreateTokenProps) {
  const queries = useQueryClient()
  const { data: projects = [] } = useQuery(projectsQuery)
  const [displayName, setDisplayName] = useState('')
  const [days, setDays] = useState(EXPIRY_DAYS_DEFAULT)
  const [scope, setScope] = useState<Scope>('all')
  const [named, setNamed] = useState('')
  const [project, setProject] = useState('')
  const unknown = linesOf(named).find(name => !isPermission(name))
  const permissions = { all: null, read: [...readingPermissions()], some: [...linesOf(named)] }[scope]
  const create = async (): Promise<void> => {
    const name = displayName.trim()
    const { token = '' } = await client.call(SERVICE_ACCOUNTS_V1.createToken, {
      params: { ...place },
      body: {
        ...(name === '' ? {} : { displayName: name }),
        ...(permissions === null ? {} : { permissions }),
        ...(project === '' ? {} : { project }),
        expireTime: expireTimeIn(days, Date.now()),
      },
    })
    onCreated(token)
    await queries.invalidateQueries({ queryKey: tokensQuery(place).queryKey })
  }
  return (
    <ConfirmDialog
      title="Create token"
      verb="Create token"
      onClose={onClose}
      isDisabled={scope === 'some' && (permissions?.length === 0 || unknown !== undefined)}
      onConfirm={create}
    >
      <TextField
        label="Name"
        autoFocus
        value={displayName}
        onChange={setDisplayName}
        placeholder="Terraform in CI"
      />
      <SelectField label="Expires in" value={days} onChange={setDays} options={EXPIRY_DAYS} />
      <RadioField
        legend="What it may do"
        value={scope}
        onChange={value => setScope(value === 'read' || value === 'some' ? value : 'all')}
        options={[
          ['all', 'All that its account may'],
          ['read', 'Only read'],
          ['some', 'Only these'],
        ]}
      />
      {scope === 'some' && (
        <TextField
          label="Permissions"
          lines={3}
          value={named}
          onChange={setNamed}
          placeholder="apikeys.keys.list"
          problem={unknown === undefined ? null : `${unknown} is no permission. Roles lists all there are.`}
          hint="One a line. What its account does not hold, it does not get by this."
        />
      )}
      <SelectField
        label="Where"
        value={project}
        onChange={setProject}
        options={[
          ['', 'Wherever its account may'],
          ...projects
            .filter(({ state }) => state === 'ACTIVE')
            .map(({ projectId, displayName: text }) => [projectId, `In ${text ?? projectId} only`] as const),
        ]}
      />
    </ConfirmDialog>
  )
}
