/** What the screens read, as queries of the contract. A change invalidates by the first word of a query's key. */
import { QueryClient, queryOptions } from '@tanstack/react-query'
import { LEDGER_V1 } from '../src/contract/budgets.v1.ts'
import { ContractError } from '../src/contract/client.ts'
import type { ResponseOf } from '../src/contract/endpoint.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { SERVER_V1 } from '../src/contract/server.v1.ts'
import { SESSION_V1, SIGN_IN_V1 } from '../src/contract/sign-in.v1.ts'
import type { UsageDimension, UsageGranularity } from '../src/domain/usage.ts'
import type { KeyPlace } from './paths.ts'
import { type Who, askWho, client, stranger, whenSignedOut } from './session.ts'

export type KeyJson = ResponseOf<typeof POLLUX_V1.getKey>
export type ProjectJson = ResponseOf<typeof POLLUX_V1.getProject>
export type BudgetJson = ResponseOf<typeof LEDGER_V1.searchBudgets>['budgets'][number]
export type UsageReport = ResponseOf<typeof POLLUX_V1.getUsage>

const PAGE_SIZE = 300
const STALE_MS = 10_000

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: { staleTime: STALE_MS, retry: (count, error) => count < 2 && isUnanswered(error) },
  },
})

/** Refusals are answers: only what never reached the server, or found it out of order, is worth asking again. */
export function isUnanswered(error: unknown): boolean {
  return error instanceof ContractError && (error.httpStatus === 0 || error.httpStatus >= 500)
}

/** Who is signed in; null when nobody is. Asked once: from then on `enter` and the end of the session say so. */
export const whoQuery = queryOptions({ queryKey: ['who'], queryFn: askWho, staleTime: Infinity })

export function enter(who: Who): void {
  queryClient.setQueryData(whoQuery.queryKey, who)
}

whenSignedOut(() => {
  queryClient.setQueryData(whoQuery.queryKey, null)
  // What one person has read is nothing for the next.
  queryClient.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== whoQuery.queryKey[0] })
})

/** How one can sign in at this address. */
export const signInQuery = queryOptions({
  queryKey: ['signIn'],
  queryFn: () => stranger.call(SIGN_IN_V1.getSignIn, {}),
})

export const passkeysQuery = queryOptions({
  queryKey: ['passkeys'],
  queryFn: async () => (await client.call(SESSION_V1.listPasskeys, {})).passkeys,
})

/** What a link is for. Looking does not use it up. */
export const linkQuery = (token: string) =>
  queryOptions({
    queryKey: ['link', token],
    queryFn: () => stranger.call(SIGN_IN_V1.inspectLink, { body: { token } }),
    staleTime: Infinity,
  })

export const serverQuery = queryOptions({
  queryKey: ['server'],
  queryFn: () => client.call(SERVER_V1.getServer, {}),
  staleTime: Infinity,
})

export const projectsQuery = queryOptions({
  queryKey: ['projects'],
  queryFn: () =>
    allPages(async pageToken => {
      const query = { pageSize: PAGE_SIZE, showDeleted: true, pageToken }
      const page = await client.call(POLLUX_V1.listProjects, { query })
      return { items: page.projects ?? [], nextPageToken: page.nextPageToken }
    }),
})

/** The keys of all projects that one may look into, deleted ones too. */
export const keysQuery = queryOptions({
  queryKey: ['keys'],
  queryFn: () =>
    allPages(async pageToken => {
      const query = { pageSize: PAGE_SIZE, showDeleted: true, pageToken }
      const page = await client.call(POLLUX_V1.searchKeys, { query })
      return { items: page.keys ?? [], nextPageToken: page.nextPageToken }
    }),
})

export const keyQuery = (place: KeyPlace) =>
  queryOptions({
    queryKey: ['keys', place.project, place.key],
    queryFn: () => client.call(POLLUX_V1.getKey, { params: { ...place } }),
  })

/** Every budget of the organization with its balance. */
export const budgetsQuery = queryOptions({
  queryKey: ['budgets'],
  queryFn: async () => (await client.call(LEDGER_V1.searchBudgets, { query: {} })).budgets,
})

/** The budgets that bind the calls of a key: its own and those above. */
export const keyBudgetsQuery = (place: KeyPlace) =>
  queryOptions({
    queryKey: ['budgets', place.project, place.key],
    queryFn: async () =>
      (await client.call(LEDGER_V1.searchBudgets, { query: { ...place, path: true } })).budgets,
  })

export interface UsageRequest {
  readonly project: string
  readonly key?: string
  readonly startTime?: string
  readonly endTime?: string
  readonly granularity?: UsageGranularity
  readonly groupBy: UsageDimension[]
}

/** Usage of a project; without times, of this month. */
export const usageQuery = ({ project, ...query }: UsageRequest) =>
  queryOptions({
    queryKey: ['usage', project, query],
    queryFn: () => client.call(POLLUX_V1.getUsage, { params: { project }, query }),
  })

interface Page<Item> {
  readonly items: readonly Item[]
  readonly nextPageToken: string | undefined
}

/** Every page of a list. */
export async function allPages<Item>(
  read: (pageToken: string | undefined) => Promise<Page<Item>>,
): Promise<readonly Item[]> {
  const items: Item[] = []
  let pageToken: string | undefined
  do {
    const page = await read(pageToken)
    items.push(...page.items)
    pageToken = page.nextPageToken
  } while (pageToken !== undefined)
  return items
}
