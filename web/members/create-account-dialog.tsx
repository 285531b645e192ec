import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { SERVICE_ACCOUNTS_V1 } from '../../src/contract/service-accounts.v1.ts'
import { accountEmail, assertAccountId, assertAccountTexts } from '../../src/domain/service-account.ts'
import { problemOf } from '../keys/problem.ts'
import type { ProjectJson } from '../queries.ts'
import { client } from '../session.ts'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { SelectField, TextField } from '../ui/field.tsx'
import type { AccountJson } from './queries.ts'
import { useRights } from './rights.ts'

interface CreateAccountProps {
  readonly projects: readonly ProjectJson[]
  /** Chosen at first; empty: the first one. */
  readonly project: string
  readonly onClose: () => void
  readonly onCreated: (account: AccountJson) => void
}

export function CreateAccountDialog({ projects, onClose, onCreated, ...first }: CreateAccountProps) {
  const queries = useQueryClient()
  const [project, setProject] = useState(first.project || (projects[0]?.projectId ?? ''))
  const [accountId, setAccountId] = useState('')
  const [displayName, setDisplayName] = useState('')
  const whyNot = useRights(project).whyNot('iam.serviceAccounts.create')
  const idProblem = accountId === '' ? null : problemOf(() => assertAccountId(accountId))
  const nameProblem = problemOf(() => assertAccountTexts(displayName))
  const create = async (): Promise<void> => {
    const name = displayName.trim()
    const account = await client.call(SERVICE_ACCOUNTS_V1.createServiceAccount, {
      params: { project },
      query: { accountId },
      body: name === '' ? {} : { displayName: name },
    })
    await queries.invalidateQueries({ queryKey: ['serviceAccounts'] })
    onCreated(account)
  }
  return (
    <ConfirmDialog
      title="Create service account"
      verb="Create service account"
      onClose={onClose}
      isDisabled={accountId === '' || idProblem !== null || nameProblem !== null || whyNot !== null}
      onConfirm={create}
    >
      <SelectField
        label="Project"
        value={project}
        onChange={setProject}
        problem={whyNot}
        options={projects.map(({ projectId, displayName: text }) => [projectId, text ?? projectId])}
      />
      <TextField
        label="Id"
        autoFocus
        value={accountId}
        onChange={setAccountId}
        problem={idProblem}
        placeholder="deploy-robot"
        hint={
          accountId === '' || idProblem !== null
            ? 'It never changes, and is never given again.'
            : accountEmail(accountId, project)
        }
      />
      <TextField
        label="Name"
        value={displayName}
        onChange={setDisplayName}
        problem={nameProblem}
        placeholder="Deploy robot"
      />
    </ConfirmDialog>
  )
}
