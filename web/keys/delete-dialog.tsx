import { useState } from 'react'
import { UNDELETE_DAYS } from '../../src/domain/key.ts'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { TextField } from '../ui/field.tsx'
import { addToast } from '../ui/toast.tsx'
import { Time } from '../ui/time.tsx'
import { useKeyChanges } from './changes.ts'
import type { KeyRow } from './rows.ts'

/** A key used since then is in somebody's hands: deleting it takes more than a press. */
const IN_USE_MS = 7 * 86_400_000

interface DeleteDialogProps {
  readonly row: KeyRow
  readonly onClose: () => void
}

export function DeleteDialog({ row, onClose }: DeleteDialogProps) {
  const { name, key } = row
  const [typed, setTyped] = useState('')
  const changes = useKeyChanges({ project: row.projectId, key: row.keyId })
  const isInUse = key.lastUsedTime !== undefined && Date.now() - Date.parse(key.lastUsedTime) < IN_USE_MS
  const remove = async (): Promise<void> => {
    await changes.delete()
    addToast({ text: `${name} is deleted. It can be undeleted for ${UNDELETE_DAYS} days.` })
  }
  return (
    <ConfirmDialog
      title={`Delete ${name}?`}
      verb="Delete"
      look="grave"
      onClose={onClose}
      isDisabled={isInUse && typed !== name}
      onConfirm={remove}
    >
      <p>
        The next call with <code>{key.maskedKeyString}</code> is refused, and its open streams end within a
        second. For {UNDELETE_DAYS} days the key can be undeleted.
      </p>
      {key.lastUsedTime === undefined ? (
        <p>It was never used.</p>
      ) : (
        <p>
          It was last used <Time time={key.lastUsedTime} />.
        </p>
      )}
      {isInUse && (
        <TextField label={`Type ${name} to delete it`} autoFocus value={typed} onChange={setTyped} />
      )}
    </ConfirmDialog>
  )
}
