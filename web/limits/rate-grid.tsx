import type { QuotaMetric } from '../../src/domain/quota.ts'
import { CheckField } from '../ui/field.tsx'
import { SpendBar } from '../ui/spend-bar.tsx'
import { Table } from '../ui/table.tsx'
import { Time } from '../ui/time.tsx'
import { METRIC_SHORT, METRIC_TEXT, gridOf, metricsOf, modelText, shownLimit } from './metrics.ts'
import { useUrlState } from '../url-state.ts'
import type { CounterJson } from './queries.ts'

interface RateGridProps {
  readonly counters: readonly CounterJson[]
  /** False: they have not been answered yet. */
  readonly isRead: boolean
}

const ALL = { all: '' } as const

/** How far each limit is used, by model: a bar against the limit, and the numbers beside it. */
export function RateGrid({ counters, isRead }: RateGridProps) {
  const [{ all }, setHere] = useUrlState<Readonly<Record<'all', string>>>(ALL)
  if (!isRead) return <div className="waiting" />
  if (counters.length === 0) {
    return (
      <p className="quiet">
        No call since yesterday to a model that is limited. The first one shows up here at once.
      </p>
    )
  }
  const used = usedModels(counters)
  const isAll = all !== '' || used.length === counters.length
  const shown = isAll ? counters : used
  const metrics = metricsOf(shown)
  const byOwner = Map.groupBy(shown, ({ key = '' }) => key)
  return (
    <>
      {used.length < counters.length && (
        <CheckField
          label="Also models without a call in their windows"
          isChecked={isAll}
          onChange={isChecked => setHere({ all: isChecked ? 'yes' : '' })}
        />
      )}
      {shown.length === 0 ? (
        <p className="quiet">No limit is used now: windows of a minute and of a day have begun anew.</p>
      ) : (
        <Rates metrics={metrics} byOwner={byOwner} />
      )}
    </>
  )
}

/** The counters of models of which something is used. */
function usedModels(counters: readonly CounterJson[]): readonly CounterJson[] {
  const place = ({ key = '', model = '' }: CounterJson): string => `${key} ${model}`
  const used = new Set(counters.filter(({ used }) => used !== '0').map(place))
  return counters.filter(counter => used.has(place(counter)))
}

interface RatesProps {
  readonly metrics: readonly QuotaMetric[]
  /** By key; empty: of the project. */
  readonly byOwner: ReadonlyMap<string, readonly CounterJson[]>
}

function Rates({ metrics, byOwner }: RatesProps) {
  return (
    <Table
      label="Rates by model"
      columns={[
        'Model',
        ...metrics.map(metric => ({ text: METRIC_SHORT[metric], title: METRIC_TEXT[metric] })),
      ]}
      className="rates"
    >
      {Array.from(byOwner, ([key, counters]) => (
        <tbody key={key}>
          {byOwner.size > 1 && (
            <tr className="rates__owner">
              <th scope="rowgroup" colSpan={metrics.length + 1}>
                {key === '' ? 'The whole project' : `Key ${key}`}
              </th>
            </tr>
          )}
          {gridOf(counters).map(({ model, cells }) => (
            <tr key={model}>
              <th scope="row">{modelText(model)}</th>
              {metrics.map(metric => {
                const counter = cells.get(metric)
                return (
                  <td key={metric}>
                    {counter === undefined ? <span className="quiet">–</span> : <Rate counter={counter} />}
                  </td>
                )
              })}
            </tr>
          ))}
        </tbody>
      ))}
    </Table>
  )
}

function Rate({ counter: { metric, used, limit, resetTime } }: { readonly counter: CounterJson }) {
  if (limit === '0') return <span className="quiet">nothing allowed</span>
  const isFull = BigInt(used) >= BigInt(limit)
  return (
    <span className="rate">
      <span className="nowrap">
        <span className={isFull ? 'rate__full' : undefined}>{shownLimit(used)}</span>{' '}
        <span className="quiet">of {shownLimit(limit)}</span>
      </span>
      <SpendBar
        label={`${METRIC_TEXT[metric]}: ${shownLimit(used)} of ${shownLimit(limit)}`}
        posted={BigInt(used)}
        held={0n}
        cap={BigInt(limit)}
      />
      {isFull && (
        <span className="small rate__full">
          {resetTime === undefined ? (
            'full'
          ) : (
            <>
              full, free <Time time={resetTime} />
            </>
          )}
        </span>
      )}
    </span>
  )
}
