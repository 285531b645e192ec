import { useState } from 'react'
import type { KeyPlace } from '../paths.ts'
import type { BudgetJson } from '../queries.ts'
import { Button } from '../ui/button.tsx'
import { BudgetDialog } from '../spend/budget-dialog.tsx'
import { BudgetSpend } from './key-spend.tsx'

const SCOPE_TEXT = {
  organization: 'Organization',
  project: 'Project',
  tier: 'Tier of the project',
  key: 'This key',
} as const

interface KeyBudgetsProps {
  readonly budgets: readonly BudgetJson[]
  readonly place: KeyPlace
}

/** Each budget of the way from the key to the organization: a call has to fit into all of them. */
export function KeyBudgets({ budgets, place }: KeyBudgetsProps) {
  const [isAsked, setAsked] = useState(false)
  return (
    <>
      {budgets.length === 0 ? (
        <p className="quiet">
          Nothing caps what this key spends. A cap is never exceeded: when it is reached, calls get 402 until
          the period ends or the cap is raised.
        </p>
      ) : (
        <ul className="budgets">
          {budgets.map(budget => (
            <li key={budget.name}>
              <h3>
                {SCOPE_TEXT[budget.scope]}
                {budget.state !== 'ACTIVE' && (
                  <span className="status status--wrong"> {budget.state.toLowerCase()}</span>
                )}
              </h3>
              <BudgetSpend budget={budget} />
            </li>
          ))}
        </ul>
      )}
      <div className="actions">
        <Button onPress={() => setAsked(true)}>Set a cap</Button>
      </div>
      {isAsked && <BudgetDialog place={place} of={place.key} budget={null} onClose={() => setAsked(false)} />}
    </>
  )
}
