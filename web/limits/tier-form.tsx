import { useQuery } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { AccessFields } from '../keys/key-form.tsx'
import { EMPTY_DRAFT, problemsOf } from '../keys/draft.ts'
import { PATHS } from '../paths.ts'
import { serverQuery } from '../queries.ts'
import { Button, ButtonLink } from '../ui/button.tsx'
import { TextField } from '../ui/field.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { GridEditor } from './limit-grid.tsx'
import { type TierDraft, tierProblems } from './tier-draft.ts'
import '../keys/form.css'

interface TierFormProps {
  readonly start: TierDraft
  /** Whether the tier is still to be made, so that its id can be chosen. */
  readonly isNew: boolean
  readonly onSave: (draft: TierDraft) => Promise<unknown>
  /** Beside Save. */
  readonly children?: ReactNode
}

/** A tier to write: what it is called, how fast its projects may call, and what. */
export function TierForm({ start, isNew, onSave, children }: TierFormProps) {
  const [draft, setDraft] = useState(start)
  const [error, setError] = useState<unknown>(null)
  const [isWorking, setWorking] = useState(false)
  const { data: server } = useQuery(serverQuery)
  const models = server?.models ?? []
  const problems = tierProblems(draft)
  const change = (part: Partial<TierDraft>): void => setDraft(before => ({ ...before, ...part }))
  const isReady = draft.id !== '' && Object.values(problems).every(problem => problem === null)
  const save = (): void => {
    setWorking(true)
    onSave(draft).catch((cause: unknown) => {
      setError(cause)
      setWorking(false)
    })
  }
  return (
    <form
      className="form__parts tier"
      onSubmit={event => {
        event.preventDefault()
        if (isReady && !isWorking) save()
      }}
    >
      <section className="panel">
        <h2>Name</h2>
        <div className="form__pair">
          <TextField
            label="Name"
            value={draft.displayName}
            onChange={displayName => change({ displayName })}
            problem={problems.displayName}
            placeholder="Interns"
          />
          <TextField
            label="Id"
            value={draft.id}
            onChange={id => change({ id })}
            readOnly={!isNew}
            problem={problems.id}
            placeholder="interns"
            {...(isNew ? { hint: 'The id of a published tier: yours replaces it.' } : {})}
          />
        </div>
        <TextField
          label="End of its quota ids"
          value={draft.quotaIdSuffix}
          onChange={quotaIdSuffix => change({ quotaIdSuffix })}
          problem={problems.quotaIdSuffix}
          placeholder="PaidTier2"
          hint="Stands in the 429 of a call that one of its limits refuses, as in Google’s. May be empty."
        />
      </section>
      <section className="panel">
        <h2>Limits of each project</h2>
        <GridEditor
          lines={draft.lines}
          problem={problems.limits}
          models={models}
          onChange={lines => change({ lines })}
        />
      </section>
      <section className="panel">
        <h2>Money</h2>
        <div className="form__pair">
          <TextField
            label="Spend cap of each project, dollars a month"
            value={draft.spendCap}
            onChange={spendCap => change({ spendCap })}
            problem={problems.spendCap}
            placeholder="250.00"
            hint="Binds beside the budgets of the project. Empty: none."
          />
          <TextField
            label="Price factor"
            value={draft.priceFactor}
            onChange={priceFactor => change({ priceFactor })}
            problem={problems.priceFactor}
            placeholder="1"
            hint="What its calls are booked at, as a multiple of their price. Empty: 1."
          />
        </div>
      </section>
      <section className="panel">
        <h2>What its projects may call</h2>
        <AccessFields
          draft={draft.access}
          problems={{ ...problemsOf(EMPTY_DRAFT, 0), models: problems.models }}
          models={models}
          onChange={access => change({ access: { ...draft.access, ...access } })}
        />
      </section>
      {error !== null && <ErrorNotice title="Nothing was saved" error={error} />}
      <div className="actions">
        <Button type="submit" look="first" isDisabled={!isReady || isWorking}>
          {isNew ? 'Make the tier' : 'Save'}
        </Button>
        <ButtonLink to={PATHS.tiers}>Cancel</ButtonLink>
        {children}
      </div>
    </form>
  )
}
