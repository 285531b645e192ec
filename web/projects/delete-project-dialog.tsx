import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { UNDELETE_DAYS } from '../../src/domain/key.ts'
import { keysQuery } from '../queries.ts'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { TextField } from '../ui/field.tsx'
import { Time } from '../ui/time.tsx'
import { addToast } from '../ui/toast.tsx'
import { useProjectChanges } from './changes.ts'
import type { ProjectRow } from './rows.ts'

/** As for a key: what was used since then is in somebody's hands. */
const IN_USE_MS = 7 * 86_400_000

interface DeleteProjectProps {
  readonly row: ProjectRow
  readonly onClose: () => void
}

export function DeleteProjectDialog({ row, onClose }: DeleteProjectProps) {
  const { name, projectId, keys, lastUsedTime } = row
  const [typed, setTyped] = useState('')
  const { data: allKeys } = useQuery(keysQuery)
  const changes = useProjectChanges(projectId)
  const isInUse = lastUsedTime !== null && Date.now() - Date.parse(lastUsedTime) < IN_USE_MS
  const remove = async (): Promise<void> => {
    await changes.delete()
    addToast({ text: `${name} is deleted. It can be restored for ${UNDELETE_DAYS} days.` })
  }
  return (
    <ConfirmDialog
      title={`Delete ${name}?`}
      verb="Delete"
      look="grave"
      onClose={onClose}
      // Until the keys are read nobody knows whether one is in use.
      isDisabled={allKeys === undefined || (isInUse && typed !== name)}
      onConfirm={remove}
    >
      <p>
        {keys === 0
          ? 'It has no keys.'
          : `The next call with ${keys === 1 ? 'its key' : `any of its ${keys} keys`} is refused, and open streams end within a second.`}{' '}
        For {UNDELETE_DAYS} days it can be restored with everything in it.
      </p>
      {lastUsedTime !== null && (
        <p>
          It was last used <Time time={lastUsedTime} />.
        </p>
      )}
      {isInUse && (
        <TextField label={`Type ${name} to delete it`} autoFocus value={typed} onChange={setTyped} />
      )}
    </ConfirmDialog>
  )
}
