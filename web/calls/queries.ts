/** Calls as the screens read them: pages of the list, one call, and what comes while one looks. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { CALLS_V1 } from '../../src/contract/calls.v1.ts'
import type { QueryOf, ResponseOf } from '../../src/contract/endpoint.ts'
import { client } from '../session.ts'

export type CallJson = ResponseOf<typeof CALLS_V1.listCalls>['calls'][number]
export type CallDetails = ResponseOf<typeof CALLS_V1.getCall>
/** What list and tail are filtered by alike. */
export type CallFilter = Omit<QueryOf<typeof CALLS_V1.tailCalls>, 'tailToken'>
export type ListFilter = CallFilter & Pick<QueryOf<typeof CALLS_V1.listCalls>, 'callId' | 'startTime'>

const PAGE_SIZE = 50

export const callsQuery = (filter: ListFilter, pageSize = PAGE_SIZE) =>
  infiniteQueryOptions({
    queryKey: ['calls', filter, pageSize],
    queryFn: ({ pageParam }: { pageParam: string | undefined }) =>
      client.call(CALLS_V1.listCalls, { query: { ...filter, pageSize, pageToken: pageParam } }),
    initialPageParam: undefined,
    getNextPageParam: page => page.nextPageToken,
  })

export interface CallPlace {
  readonly project: string
  readonly call: string
  /** When it started. */
  readonly at: string
}

/** The search under which the screen of calls shows this one. */
export function openCall({ callId, name, projectId, startTime }: CallJson) {
  return { call: callId, of: projectId ?? name.split('/')[1] ?? '', at: startTime }
}

/** A record never changes. */
export const callQuery = ({ project, call, at }: CallPlace) =>
  queryOptions({
    queryKey: ['call', project, call],
    queryFn: () => client.call(CALLS_V1.getCall, { params: { project, call }, query: { startTime: at } }),
    staleTime: Infinity,
  })

export function tailCalls(filter: CallFilter, tailToken: string | undefined) {
  return client.call(CALLS_V1.tailCalls, { query: { ...filter, tailToken } })
}
