import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { PRICES_V1 } from '../../src/contract/prices.v1.ts'
import { client } from '../session.ts'
import { ConfirmDialog } from '../ui/dialog.tsx'
import { TextField } from '../ui/field.tsx'
import { Notice } from '../ui/notice.tsx'
import { shownMoment } from '../ui/times.ts'
import { type OverrideJson, type PriceJson, priceQuery } from './queries.ts'
import { dollarsOf, listedOtherwise, priceWith } from './rates.ts'

interface PriceDialogProps {
  /** The price to start from; null: of a model that is still to be named. */
  readonly price: PriceJson | null
  readonly prices: readonly PriceJson[]
  readonly overrides: readonly OverrideJson[]
  readonly onClose: () => void
}

const EMPTY = { model: '', input: '', cached: '', output: '', note: '', from: '' }
const RATES = [
  ['input', 'Input'],
  ['cached', 'Cached input'],
  ['output', 'Output'],
] as const

/** Sets the price of a model from a moment on: what is left empty stays as it is there. */
export function PriceDialog({ price, prices, overrides, onClose }: PriceDialogProps) {
  const queries = useQueryClient()
  const [draft, setDraft] = useState(price === null ? EMPTY : { ...EMPTY, model: price.model })
  const model = draft.model.trim()
  const at = draft.from === '' ? '' : new Date(draft.from).toISOString()
  const listed = useQuery({
    ...priceQuery(model, at),
    enabled: prices.some(price => price.model === model),
  })
  const start = listed.data ?? null
  const otherwise = start === null ? null : listedOtherwise(start, overrides, at)
  const isRight = RATES.every(([line]) => draft[line].trim() === '' || dollarsOf(draft[line]) !== null)
  const isChanged = RATES.some(([line]) => draft[line].trim() !== '')
  const save = async (): Promise<void> => {
    const before = await queries.fetchQuery(priceQuery(model, at))
    const body = {
      model,
      ...(at === '' ? {} : { effectiveTime: at }),
      price: priceWith(before?.fields ?? {}, draft, draft.note),
    }
    await client.call(PRICES_V1.createPriceOverride, { body })
    await Promise.all([
      queries.invalidateQueries({ queryKey: ['prices'] }),
      queries.invalidateQueries({ queryKey: ['priceOverrides'] }),
    ])
  }
  const change = (field: keyof typeof EMPTY) => (value: string) =>
    setDraft(before => ({ ...before, [field]: value }))
  return (
    <ConfirmDialog
      title={price === null ? 'Set a price' : `Set the price of ${price.model}`}
      verb="Set the price"
      isDisabled={model === '' || !isRight || !isChanged}
      onClose={onClose}
      onConfirm={save}
    >
      {price === null && (
        <TextField
          label="Model"
          value={draft.model}
          onChange={change('model')}
          options={prices.map(({ model }) => model)}
          hint="Its exact id. A model that is not listed gets its first price."
        />
      )}
      {RATES.map(([line, name]) => (
        <TextField
          key={line}
          label={`${name}, dollars for a million tokens`}
          value={draft[line]}
          onChange={change(line)}
          placeholder={String(start?.fields[line]?.text ?? '')}
          problem={
            draft[line].trim() === '' || dollarsOf(draft[line]) !== null
              ? null
              : 'Write a decimal such as 0.75.'
          }
        />
      ))}
      <TextField
        label="From"
        type="datetime-local"
        value={draft.from}
        onChange={change('from')}
        hint="In your time zone. Empty: from now on. Calls that are under way keep the price they were let in at."
      />
      <TextField label="Note" value={draft.note} onChange={change('note')} placeholder="our contract" />
      {otherwise !== null && (
        <Notice>
          From {shownMoment(otherwise)} on, another price of {model} is listed. What you set holds over it,
          and so does what you leave empty: set the price from then on too.
        </Notice>
      )}
    </ConfirmDialog>
  )
}

interface EndOverrideProps {
  readonly override: OverrideJson
  readonly onClose: () => void
}

export function EndOverrideDialog({ override, onClose }: EndOverrideProps) {
  const queries = useQueryClient()
  const { model, name, effectiveTime } = override
  const end = async (): Promise<void> => {
    const params = { priceOverride: name.replace(/^priceOverrides\//, '') }
    await client.call(PRICES_V1.deletePriceOverride, { params })
    await Promise.all([
      queries.invalidateQueries({ queryKey: ['prices'] }),
      queries.invalidateQueries({ queryKey: ['priceOverrides'] }),
    ])
  }
  return (
    <ConfirmDialog
      title={`End the price of ${model}`}
      verb="End it"
      look="grave"
      onClose={onClose}
      onConfirm={end}
    >
      <p>
        The price of {model}{' '}
        {effectiveTime === undefined ? '' : `that holds from ${shownMoment(effectiveTime)} `}is removed: what
        it was laid over holds again, for calls from now on.
      </p>
    </ConfirmDialog>
  )
}
