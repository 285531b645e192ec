import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { KEY_BUDGETS_V1 } from '../../src/contract/budgets.v1.ts'
import type { KeyPlace } from '../paths.ts'
import { client } from '../session.ts'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { EMPTY_DRAFT, capOf, problemsOf } from './draft.ts'
import { BudgetFields } from './key-form.tsx'

interface BudgetDialogProps {
  readonly place: KeyPlace
  readonly onClose: () => void
}

/** Sets the key's own cap for a period: makes the budget, or changes the one that is there. */
export function BudgetDialog({ place, onClose }: BudgetDialogProps) {
  const queries = useQueryClient()
  const [draft, setDraft] = useState(EMPTY_DRAFT)
  const problems = problemsOf(draft, Date.now())
  const cap = capOf(draft)
  const save = async (): Promise<void> => {
    await client.call(KEY_BUDGETS_V1.updateBudget, {
      params: { ...place, budget: draft.period },
      query: { updateMask: 'cap,policy', allowMissing: true },
      body: { ...(cap === null ? {} : { cap }), policy: draft.policy },
    })
    await queries.invalidateQueries({ queryKey: ['budgets'] })
  }
  return (
    <ConfirmDialog
      title="Set a cap"
      verb="Set the cap"
      isDisabled={cap === null}
      onClose={onClose}
      onConfirm={save}
    >
      <BudgetFields
        draft={draft}
        problems={problems}
        onChange={change => setDraft(before => ({ ...before, ...change }))}
      />
    </ConfirmDialog>
  )
}
