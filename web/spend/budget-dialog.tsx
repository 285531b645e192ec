import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { KEY_BUDGETS_V1, ORGANIZATION_BUDGETS_V1, PROJECT_BUDGETS_V1 } from '../../src/contract/budgets.v1.ts'
import { formatUsd } from '../../src/domain/money.ts'
import { BudgetFields } from '../keys/key-form.tsx'
import { EMPTY_DRAFT, capOf, problemsOf } from '../keys/draft.ts'
import type { BudgetJson } from '../queries.ts'
import { client } from '../session.ts'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { exactDollars } from '../ui/dollars.ts'
import type { BudgetPlace } from './tree.ts'

interface BudgetDialogProps {
  readonly place: BudgetPlace
  /** Whose cap it is, in words. */
  readonly of: string
  /** The one to change; null: the one of the period that is chosen, made where there is none. */
  readonly budget: BudgetJson | null
  readonly onClose: () => void
}

/** Sets the cap of the organization, a project or a key for a period: makes the budget, or changes the one that is there. */
export function BudgetDialog({ place, of, budget, onClose }: BudgetDialogProps) {
  const queries = useQueryClient()
  const [draft, setDraft] = useState(budget === null ? EMPTY_DRAFT : draftOf(budget))
  const problems = problemsOf(draft, Date.now())
  const cap = capOf(draft)
  const save = async (): Promise<void> => {
    const query = { updateMask: 'cap,policy', allowMissing: true }
    const body = { ...(cap === null ? {} : { cap }), policy: draft.policy }
    const { table, params } = collectionOf(place)
    await client.call(table.updateBudget, { params: { ...params, budget: draft.period }, query, body })
    await queries.invalidateQueries({ queryKey: ['budgets'] })
  }
  const isBelow = budget !== null && cap !== null && BigInt(cap) <= BigInt(budget.posted)
  return (
    <ConfirmDialog
      title={`${budget === null ? 'Set a cap' : 'Change the cap'} of ${of}`}
      verb={budget === null ? 'Set the cap' : 'Change the cap'}
      isDisabled={cap === null}
      onClose={onClose}
      onConfirm={save}
    >
      <BudgetFields
        draft={draft}
        problems={problems}
        isPeriodFixed={budget !== null}
        isCapNeeded
        onChange={change => setDraft(before => ({ ...before, ...change }))}
      />
      {isBelow && (
        <p className="field__problem">
          {exactDollars(budget.posted)} are spent already: with this cap every call is refused at once.
        </p>
      )}
    </ConfirmDialog>
  )
}

interface KnownBudgetProps {
  readonly budget: BudgetJson
  readonly of: string
  readonly onClose: () => void
}

export function DeleteBudgetDialog({ budget, of, onClose }: KnownBudgetProps) {
  const queries = useQueryClient()
  const remove = async (): Promise<void> => {
    const { table, params } = collectionOf(placeOf(budget))
    const query = { etag: budget.etag }
    await client.call(table.deleteBudget, { params: { ...params, budget: budget.period }, query })
    await queries.invalidateQueries({ queryKey: ['budgets'] })
  }
  return (
    <ConfirmDialog
      title={`Delete the cap of ${of}`}
      verb="Delete the cap"
      look="grave"
      onClose={onClose}
      onConfirm={remove}
    >
      <p>
        From the next call on the cap of {exactDollars(budget.cap)} binds nobody. What was spent under it
        stays in the ledger; a new cap counts it again.
      </p>
    </ConfirmDialog>
  )
}

export function AcknowledgeDialog({ budget, of, onClose }: KnownBudgetProps) {
  const queries = useQueryClient()
  const acknowledge = async (): Promise<void> => {
    const { table, params } = collectionOf(placeOf(budget))
    const id = budget.scope === 'tier' ? 'tier' : budget.period
    await client.call(table.acknowledgeBudget, {
      params: { ...params, budget: id },
      body: { etag: budget.etag },
    })
    await queries.invalidateQueries({ queryKey: ['budgets'] })
  }
  return (
    <ConfirmDialog
      title={`Acknowledge the overrun of ${of}`}
      verb="Let calls through"
      onClose={onClose}
      onConfirm={acknowledge}
    >
      <p>
        A call cost more than the most it should: {exactDollars(budget.overrun)} above what was held. Every
        call is refused until somebody has looked at it.
      </p>
    </ConfirmDialog>
  )
}

/** The three collections are one: their paths differ in parameters only. */
function collectionOf({ project, key }: BudgetPlace): {
  readonly table: typeof KEY_BUDGETS_V1
  readonly params: { readonly project: string; readonly key: string }
} {
  const [table, params] =
    project === null
      ? [ORGANIZATION_BUDGETS_V1, { organization: '1' }]
      : key === null
        ? [PROJECT_BUDGETS_V1, { project }]
        : [KEY_BUDGETS_V1, { project, key }]
  return { table, params } as unknown as ReturnType<typeof collectionOf>
}

function placeOf(budget: BudgetJson): BudgetPlace {
  return { project: budget.project ?? null, key: budget.key ?? null }
}

function draftOf({ cap, period, policy }: BudgetJson) {
  return { ...EMPTY_DRAFT, cap: formatUsd(BigInt(cap)), period, policy }
}
