import { useState } from 'react'
import { assertProjectDisplayName } from '../../src/domain/project.ts'
import { problemOf } from '../keys/problem.ts'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { TextField } from '../ui/field.tsx'
import { useProjectChanges } from './changes.ts'
import type { ProjectRow } from './rows.ts'

interface ProjectDialogProps {
  readonly row: ProjectRow
  readonly onClose: () => void
}

export function RenameProjectDialog({ row, onClose }: ProjectDialogProps) {
  const [name, setName] = useState(row.project.displayName ?? '')
  const changes = useProjectChanges(row.projectId)
  const problem = problemOf(() => assertProjectDisplayName(name.trim()))
  return (
    <ConfirmDialog
      title={`Rename ${row.name}`}
      verb="Rename"
      onClose={onClose}
      isDisabled={problem !== null || name.trim() === ''}
      onConfirm={() => changes.update({ displayName: name.trim() })}
    >
      <TextField label="Name" autoFocus value={name} onChange={setName} problem={problem} />
    </ConfirmDialog>
  )
}
