import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import type { BodyOf } from '../../src/contract/endpoint.ts'
import { POLLUX_V1 } from '../../src/contract/pollux.v1.ts'
import type { KeyPlace } from '../paths.ts'
import { client } from '../session.ts'
import { Button } from '../ui/button.tsx'
import { SelectField, TextField } from '../ui/field.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { METHODS } from './draft.ts'

const RULE_TEXT = {
  state: 'State',
  client: 'Client',
  method: 'Method',
  model: 'Model',
  tools: 'Tools',
} as const
const OUTCOME_TEXT = { ALLOWED: 'allowed', NOT_APPLICABLE: 'no such rule', REFUSED: 'refused' } as const
const OUTCOME_LOOK = { ALLOWED: 'fine', NOT_APPLICABLE: 'off', REFUSED: 'wrong' } as const

interface KeyTestProps {
  readonly place: KeyPlace
  readonly models: readonly string[]
}

/** Test a request: would a call like this be let in, and if not, which rule refuses it? Nothing is sent. */
export function KeyTest({ place, models }: KeyTestProps) {
  const [facts, setFacts] = useState({ address: '', referer: '', model: '', method: 'GenerateContent' })
  const test = useMutation({
    mutationFn: (body: BodyOf<typeof POLLUX_V1.testKey>) =>
      client.call(POLLUX_V1.testKey, { params: { ...place }, body }),
  })
  const set = (change: Partial<typeof facts>): void => setFacts(before => ({ ...before, ...change }))
  const given = Object.fromEntries(Object.entries(facts).filter(([, value]) => value.trim() !== ''))
  return (
    <section className="panel" aria-labelledby="test-title">
      <h2 id="test-title">Test a request</h2>
      <form
        className="dialog__form"
        onSubmit={event => {
          event.preventDefault()
          test.mutate(given)
        }}
      >
        <div className="form__pair">
          <TextField
            label="Address"
            value={facts.address}
            onChange={address => set({ address })}
            placeholder="203.0.113.7"
          />
          <TextField
            label="Referrer"
            value={facts.referer}
            onChange={referer => set({ referer })}
            placeholder="https://shop.example/cart"
          />
          <TextField
            label="Model"
            value={facts.model}
            onChange={model => set({ model })}
            options={models}
            placeholder="gemini-3.8-flash"
          />
          <SelectField
            label="Method"
            value={facts.method}
            onChange={method => set({ method })}
            options={METHODS.map(method => [method, method])}
          />
        </div>
        <div className="actions">
          <Button type="submit">Test</Button>
        </div>
      </form>
      {test.error !== null && <ErrorNotice title="The request could not be tested" error={test.error} />}
      <div role="status">
        {test.data !== undefined && (
          <>
            <h3>{test.data.allowed ? 'This call would be let in' : 'This call would be refused'}</h3>
            <ul className="verdicts">
              {test.data.verdicts.map(({ rule, outcome, message }) => (
                <li key={rule}>
                  <span className="quiet">{RULE_TEXT[rule]}</span>
                  <span>
                    <span className={`status status--${OUTCOME_LOOK[outcome]}`}>{OUTCOME_TEXT[outcome]}</span>
                    {message !== undefined && <p>{message}</p>}
                  </span>
                </li>
              ))}
            </ul>
          </>
        )}
      </div>
    </section>
  )
}
