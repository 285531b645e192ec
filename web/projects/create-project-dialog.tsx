import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { POLLUX_V1 } from '../../src/contract/pollux.v1.ts'
import { assertProjectId } from '../../src/domain/project.ts'
import { problemOf } from '../keys/problem.ts'
import { client } from '../session.ts'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { TextField } from '../ui/field.tsx'

interface CreateProjectProps {
  readonly onClose: () => void
  /** Told the id of the project that was made. */
  readonly onCreated?: (projectId: string) => void
}

export function CreateProjectDialog({ onClose, onCreated }: CreateProjectProps) {
  const queries = useQueryClient()
  const [name, setName] = useState('')
  const [id, setId] = useState<string | null>(null)
  const projectId = id ?? idFrom(name)
  const problem = projectId === '' ? null : problemOf(() => assertProjectId(projectId))
  const create = async (): Promise<void> => {
    const displayName = name.trim()
    await client.call(POLLUX_V1.createProject, {
      body: { projectId, ...(displayName === '' ? {} : { displayName }) },
    })
    await queries.invalidateQueries({ queryKey: ['projects'] })
    onCreated?.(projectId)
  }
  return (
    <ConfirmDialog
      title="Create project"
      verb="Create project"
      onClose={onClose}
      isDisabled={projectId === '' || problem !== null}
      onConfirm={create}
    >
      <TextField label="Name" autoFocus value={name} onChange={setName} placeholder="Web shop" />
      <TextField
        label="Id"
        value={projectId}
        onChange={setId}
        problem={problem}
        hint="It stands in resource names and never changes."
      />
    </ConfirmDialog>
  )
}

/** An id that follows from a name: `Web shop` -> `web-shop`. */
function idFrom(name: string): string {
  return name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^[^a-z]+|-+$/g, '')
    .slice(0, 30)
}
