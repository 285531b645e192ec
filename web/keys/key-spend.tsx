import type { BudgetJson } from '../queries.ts'
import { exactDollars, shownDollars } from '../ui/dollars.ts'
import { SpendBar } from '../ui/spend-bar.tsx'

const PERIOD_TEXT = { month: 'a month', day: 'a day', total: 'in all' } as const

/** `$1.20 of $10.00 a month`, with its bar. */
export function BudgetSpend({ budget }: { readonly budget: BudgetJson }) {
  const { posted, allotted, cap, period } = budget
  return (
    <span className="spend">
      <span className="spend__line" title={`${exactDollars(posted)} of ${exactDollars(cap)}`}>
        {shownDollars(posted)}{' '}
        <span className="quiet">
          of {shownDollars(cap)} {PERIOD_TEXT[period]}
        </span>
      </span>
      <SpendBar
        label={`${shownDollars(posted)} of ${shownDollars(cap)} spent`}
        posted={BigInt(posted)}
        held={BigInt(allotted)}
        cap={BigInt(cap)}
      />
    </span>
  )
}

export function UncappedSpend({ spentNanos }: { readonly spentNanos: bigint }) {
  return (
    <span className="spend">
      <span className="spend__line" title={exactDollars(spentNanos)}>
        {shownDollars(spentNanos)} <span className="quiet">this month, no cap</span>
      </span>
    </span>
  )
}
