import { exactDollars, shownDollars } from '../ui/dollars.ts'
import type { UsageSums } from './groups.ts'
import { shownDuration } from './metrics.ts'

const count = new Intl.NumberFormat('en')
const percent = new Intl.NumberFormat('en', {
  style: 'percent',
  maximumFractionDigits: 0,
  signDisplay: 'always',
})

/** The whole range in five numbers, each beside that of the period before. */
export function Totals({ sums, previous }: { readonly sums: UsageSums; readonly previous?: UsageSums }) {
  const entries: readonly (readonly [string, string, (of: UsageSums) => number, string?])[] = [
    ['Cost', shownDollars(sums.costNanos), of => Number(of.costNanos), exactDollars(sums.costNanos)],
    ['Requests', count.format(sums.calls), of => of.calls],
    ['Errors', count.format(sums.errors), of => of.errors],
    ['Tokens', count.format(sums.totalTokens), of => of.totalTokens],
    ['Mean latency', shownDuration(sums.meanMs), of => of.meanMs],
    ['Longest call', shownDuration(sums.maxMs), of => of.maxMs],
  ]
  return (
    <dl className="sums">
      {entries.map(([name, value, of, exact]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd {...(exact === undefined ? {} : { title: exact })}>{value}</dd>
          {previous !== undefined && <dd className="sums__change">{changed(of(sums), of(previous))}</dd>}
        </div>
      ))}
    </dl>
  )
}

function changed(now: number, before: number): string {
  if (before === 0) return now === 0 ? 'as before' : 'none before'
  const change = now / before - 1
  return Math.abs(change) < 0.005 ? 'as before' : `${percent.format(change)} to before`
}
