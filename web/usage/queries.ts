import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { POLLUX_V1 } from '../../src/contract/pollux.v1.ts'
import type { UsageDimension, UsageOrder } from '../../src/domain/usage.ts'
import { client } from '../session.ts'
import type { Range } from './range.ts'

/** As many as the API tells; the chart has colours for the first of them (SERIES_MAX). */
const GROUPS_MAX = 50
const REFRESH_MS = 15_000

export interface UsageAsked {
  readonly project: string
  readonly key: string
  readonly range: Range
  /** null: not by group. */
  readonly group: UsageDimension | null
  readonly orderBy: UsageOrder
  /** In one row for each group, without buckets. */
  readonly isInAll?: boolean
}

/** Usage by time, and by the groups that count most; of all projects unless one is named. */
export const usageByTimeQuery = ({ project, key, range, group, orderBy, isInAll = false }: UsageAsked) => {
  const query = {
    ...(project === '' ? {} : { project }),
    ...(project === '' || key === '' ? {} : { key }),
    startTime: new Date(range.startMs).toISOString(),
    endTime: new Date(range.endMs).toISOString(),
    granularity: range.granularity,
    groupBy: [...(group === null ? [] : [group]), ...(isInAll ? [] : ['time' as const])],
    limit: GROUPS_MAX,
    orderBy,
  }
  return queryOptions({
    queryKey: ['usage', 'by time', query],
    queryFn: () => client.call(POLLUX_V1.searchUsage, { query }),
    placeholderData: keepPreviousData,
    refetchInterval: REFRESH_MS,
  })
}
