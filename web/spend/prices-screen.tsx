import { useQuery } from '@tanstack/react-query'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { Button } from '../ui/button.tsx'
import { TextField } from '../ui/field.tsx'
import { ErrorNotice } from '../ui/notice.tsx'
import { Page } from '../ui/page.tsx'
import { Table } from '../ui/table.tsx'
import { Time } from '../ui/time.tsx'
import { useUrlState } from '../url-state.ts'
import { EndOverrideDialog, PriceDialog } from './price-dialog.tsx'
import { type OverrideJson, type PriceJson, overridesQuery, pricesQuery } from './queries.ts'
import { type PriceFields, otherRates, plainRate } from './rates.ts'
import { SpendTabs } from './spend-tabs.tsx'
import './spend.css'

const NOW = { q: '', at: '' } as const
const ORIGIN_TEXT = {
  shipped: 'shipped',
  package: 'genai-prices',
  file: 'your file',
  operator: 'set here',
} as const

type Asked =
  | { readonly what: 'set'; readonly price: PriceJson | null }
  | { readonly what: 'end'; readonly override: OverrideJson }

/** What every model costs at a day, and the prices that were set here. */
export function PricesScreen() {
  const [{ q, at }, setSearch] = useUrlState<Readonly<Record<'q' | 'at', string>>>(NOW)
  const [asked, setAsked] = useState<Asked | null>(null)
  const prices = useQuery(pricesQuery(timeOf(at)))
  const overrides = useQuery(overridesQuery)
  const close = (): void => setAsked(null)
  const wanted = q.trim().toLowerCase()
  const found = (prices.data?.prices ?? []).filter(({ model }) => model.includes(wanted))
  return (
    <Page
      title="Prices"
      about="Dollars for a million tokens, with the days from which they hold. A call is charged at the price that was in force when it was let in."
      actions={
        <Button look="first" onPress={() => setAsked({ what: 'set', price: null })}>
          <Plus aria-hidden />
          Set a price
        </Button>
      }
    >
      <SpendTabs />
      <div className="spend-screen">
        <Overrides query={overrides} onEnd={override => setAsked({ what: 'end', override })} />
        <search className="filters filters--labelled">
          <TextField label="Model" type="search" value={q} onChange={value => setSearch({ q: value })} />
          <TextField label="On the day" type="date" value={at} onChange={value => setSearch({ at: value })} />
        </search>
        {prices.error !== null && <ErrorNotice title="The prices could not be read" error={prices.error} />}
        {prices.data !== undefined && (
          <PriceTable prices={found} onSet={price => setAsked({ what: 'set', price })} />
        )}
      </div>
      {asked?.what === 'set' && (
        <PriceDialog
          price={asked.price}
          prices={prices.data?.prices ?? []}
          overrides={overrides.data ?? []}
          onClose={close}
        />
      )}
      {asked?.what === 'end' && <EndOverrideDialog override={asked.override} onClose={close} />}
    </Page>
  )
}

/** The start of a day in UTC; empty: now. */
function timeOf(day: string): string {
  return /^\d{4}-\d{2}-\d{2}$/.test(day) ? `${day}T00:00:00Z` : ''
}

interface OverridesProps {
  readonly query: { readonly data: readonly OverrideJson[] | undefined; readonly error: unknown }
  readonly onEnd: (override: OverrideJson) => void
}

function Overrides({ query: { data, error }, onEnd }: OverridesProps) {
  return (
    <section className="panel" aria-labelledby="overrides-title">
      <h2 id="overrides-title">Set here</h2>
      {error !== null && <ErrorNotice title="The prices set here could not be read" error={error} />}
      {data?.length === 0 && (
        <p className="quiet">
          No price was set here: the shipped ones hold. Set what your contract says, from the day it says; on
          the command line: <code>pollux prices set gemini-3.8-flash --input 0.60 --output 3.00</code>
        </p>
      )}
      {data !== undefined && data.length > 0 && (
        <Table
          label="Prices set here"
          columns={[
            'Model',
            'Holds from',
            { number: 'Input' },
            { number: 'Output' },
            'Note',
            { unseen: 'Actions' },
          ]}
          className="prices"
        >
          <tbody>
            {data.map(override => (
              <tr key={override.name}>
                <th scope="row">{override.model}</th>
                <td>
                  {override.effectiveTime !== undefined && <Time time={override.effectiveTime} />}
                  <ListedOtherwise override={override} />
                </td>
                <RateCell rates={override.price.input} />
                <RateCell rates={override.price.output} />
                <td>{override.price.note ?? ''}</td>
                <td className="table__tools">
                  <Button look="bare" onPress={() => onEnd(override)}>
                    End<span className="unseen"> the price of {override.model}</span>
                  </Button>
                </td>
              </tr>
            ))}
          </tbody>
        </Table>
      )}
    </section>
  )
}

/** The lists have another price later, which the override holds over. */
function ListedOtherwise({ override }: { readonly override: OverrideJson }) {
  const [later] = override.laterPrices ?? []
  if (later === undefined) return null
  return (
    <span className="prices__more">
      listed otherwise from <Time time={later.startTime} />
    </span>
  )
}

function RateCell({ rates }: { readonly rates: PriceFields['input'] }) {
  return (
    <td className="number">
      {plainRate(rates)}
      {otherRates(rates).map(text => (
        <span key={text} className="prices__more">
          {text}
        </span>
      ))}
    </td>
  )
}

interface PriceTableProps {
  readonly prices: readonly PriceJson[]
  readonly onSet: (price: PriceJson) => void
}

function PriceTable({ prices, onSet }: PriceTableProps) {
  if (prices.length === 0) return <p className="quiet">No model of this name has a price on that day.</p>
  return (
    <Table
      label="Prices"
      columns={[
        'Model',
        { number: 'Input' },
        { number: 'Cached' },
        { number: 'Output' },
        'Since',
        'Until',
        { unseen: 'Actions' },
      ]}
      isSheet
      className="prices"
    >
      <tbody>
        {prices.map(price => (
          <tr key={price.model}>
            <th scope="row">
              {price.model}
              <span className="prices__more" title={price.fields.source}>
                {ORIGIN_TEXT[price.origin]}
                {price.isPriced ? '' : ', no price by which a call can be charged'}
              </span>
            </th>
            {[price.fields.input, price.fields.cached, price.fields.output].map((rates, column) => (
              <RateCell key={column} rates={rates} />
            ))}
            <td>
              {price.startTime === undefined ? (
                <span className="quiet">ever</span>
              ) : (
                <Time time={price.startTime} />
              )}
            </td>
            <td>
              {price.endTime === undefined ? (
                <span className="quiet">open</span>
              ) : (
                <Time time={price.endTime} />
              )}
            </td>
            <td className="table__tools">
              <Button look="bare" onPress={() => onSet(price)}>
                Set<span className="unseen"> the price of {price.model}</span>
              </Button>
            </td>
          </tr>
        ))}
      </tbody>
    </Table>
  )
}
