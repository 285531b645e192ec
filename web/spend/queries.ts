/** What the spend screens read beside what all screens do. */
import { queryOptions } from '@tanstack/react-query'
import { LEDGER_V1 } from '../../src/contract/budgets.v1.ts'
import { ContractError } from '../../src/contract/client.ts'
import type { ResponseOf } from '../../src/contract/endpoint.ts'
import { POLLUX_V1 } from '../../src/contract/pollux.v1.ts'
import { PRICES_V1 } from '../../src/contract/prices.v1.ts'
import { client } from '../session.ts'
import type { Month } from './month.ts'
import type { BudgetPlace } from './tree.ts'

export type CapHitJson = ResponseOf<typeof LEDGER_V1.searchCapHits>['capHits'][number]
export type PriceJson = ResponseOf<typeof PRICES_V1.listPrices>['prices'][number]
export type OverrideJson = ResponseOf<typeof PRICES_V1.listPriceOverrides>['priceOverrides'][number]

/** A month by the hour: of everything that was spent, in deleted projects too, or of one project or key. */
export const monthQuery = ({ project, key }: BudgetPlace, { startMs, endMs }: Month) => {
  const query = {
    ...(project === null ? {} : { project }),
    ...(key === null ? {} : { key }),
    startTime: new Date(startMs).toISOString(),
    endTime: new Date(endMs).toISOString(),
    granularity: 'hour' as const,
    groupBy: ['time' as const],
  }
  return queryOptions({
    queryKey: ['usage', 'month', query],
    queryFn: () => client.call(POLLUX_V1.searchUsage, { query }),
  })
}

/** Which budgets refused calls, the last first. */
export const capHitsQuery = ({ project, key }: BudgetPlace) =>
  queryOptions({
    queryKey: ['capHits', project, key],
    queryFn: async () => {
      const query = { ...(project === null ? {} : { project }), ...(key === null ? {} : { key }) }
      return (await client.call(LEDGER_V1.searchCapHits, { query })).capHits
    },
  })

/** What every model costs at a time; an empty one is now. */
export const pricesQuery = (at: string) =>
  queryOptions({
    queryKey: ['prices', at],
    queryFn: () => client.call(PRICES_V1.listPrices, { query: at === '' ? {} : { at } }),
  })

/** What a model costs at a time, an empty one being now; null: it has no price then. */
export const priceQuery = (model: string, at: string) =>
  queryOptions({
    queryKey: ['prices', 'of', model, at],
    queryFn: async (): Promise<PriceJson | null> => {
      try {
        return await client.call(PRICES_V1.getPrice, { params: { model }, query: at === '' ? {} : { at } })
      } catch (error) {
        if (error instanceof ContractError && error.reason === 'RESOURCE_NOT_FOUND') return null
        throw error
      }
    },
  })

export const overridesQuery = queryOptions({
  queryKey: ['priceOverrides'],
  queryFn: async () => (await client.call(PRICES_V1.listPriceOverrides, {})).priceOverrides,
})
