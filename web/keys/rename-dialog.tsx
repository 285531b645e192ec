import { useState } from 'react'
import { assertKeyDisplayName } from '../../src/domain/key-fields.ts'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { TextField } from '../ui/field.tsx'
import { problemOf } from './problem.ts'
import { useKeyChanges } from './changes.ts'
import type { KeyRow } from './rows.ts'

interface KeyDialogProps {
  readonly row: KeyRow
  readonly onClose: () => void
}

export function RenameDialog({ row, onClose }: KeyDialogProps) {
  const [name, setName] = useState(row.key.displayName ?? '')
  const changes = useKeyChanges({ project: row.projectId, key: row.keyId })
  const problem = problemOf(() => assertKeyDisplayName(name))
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
