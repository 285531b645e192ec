/** What the screens of limits and tiers read and change. */
import { queryOptions, useQueryClient } from '@tanstack/react-query'
import { useMemo } from 'react'
import type { BodyOf, ResponseOf } from '../../src/contract/endpoint.ts'
import { KEY_QUOTAS_V1, PROJECT_QUOTAS_V1, QUOTAS_V1, TIERS_V1 } from '../../src/contract/quotas.v1.ts'
import { client } from '../session.ts'

export type LimitJson = ResponseOf<typeof QUOTAS_V1.listQuotaLimits>['limits'][number]
export type CounterJson = ResponseOf<typeof QUOTAS_V1.getQuotaUsage>['counters'][number]
export type RefusalsJson = ResponseOf<typeof QUOTAS_V1.getQuotaRefusals>['refusals'][number]
export type TierJson = ResponseOf<typeof TIERS_V1.getTier>
export type TierInput = BodyOf<typeof TIERS_V1.updateTier>

/** Counters move with every call. */
const REFRESH_MS = 5_000

export const limitsQuery = (project: string) =>
  queryOptions({
    queryKey: ['limits', project],
    queryFn: () => client.call(QUOTAS_V1.listQuotaLimits, { params: { project } }),
  })

export const countersQuery = (project: string) =>
  queryOptions({
    queryKey: ['limits', project, 'usage'],
    queryFn: async () => (await client.call(QUOTAS_V1.getQuotaUsage, { params: { project } })).counters,
    refetchInterval: REFRESH_MS,
  })

/** Of the last 24 hours. */
export const refusalsQuery = (project: string) =>
  queryOptions({
    queryKey: ['limits', project, 'refusals'],
    queryFn: async () =>
      (await client.call(QUOTAS_V1.getQuotaRefusals, { params: { project }, query: {} })).refusals,
    refetchInterval: REFRESH_MS,
  })

export const tiersQuery = queryOptions({
  queryKey: ['tiers'],
  queryFn: async () => (await client.call(TIERS_V1.listTiers, {})).tiers,
})

/** Where a limit hangs: a project, or one of its keys. */
export interface LimitPlace {
  readonly project: string
  readonly key?: string | undefined
}

type LimitInput = BodyOf<typeof PROJECT_QUOTAS_V1.setQuotaLimit>

async function setLimit({ project, key }: LimitPlace, body: LimitInput): Promise<void> {
  if (key === undefined) await client.call(PROJECT_QUOTAS_V1.setQuotaLimit, { params: { project }, body })
  else await client.call(KEY_QUOTAS_V1.setQuotaLimit, { params: { project, key }, body })
}

async function unsetLimit({ project, key }: LimitPlace, body: LimitInput): Promise<void> {
  if (key === undefined) await client.call(PROJECT_QUOTAS_V1.unsetQuotaLimit, { params: { project }, body })
  else await client.call(KEY_QUOTAS_V1.unsetQuotaLimit, { params: { project, key }, body })
}

/** What can be done to limits. Each resolves when the server has done it and the screens know. */
export function useLimitChanges() {
  const queries = useQueryClient()
  return useMemo(() => {
    const told = async (change: Promise<void>): Promise<void> => {
      await change
      await queries.invalidateQueries({ queryKey: ['limits'] })
    }
    return {
      set: (place: LimitPlace, limit: LimitInput) => told(setLimit(place, limit)),
      unset: (place: LimitPlace, limit: LimitInput) => told(unsetLimit(place, limit)),
    }
  }, [queries])
}
