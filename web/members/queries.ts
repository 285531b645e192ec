/** What the screens about access read, and what they change. */
import { queryOptions, useQueries, useQuery, useQueryClient } from '@tanstack/react-query'
import type { ResponseOf } from '../../src/contract/endpoint.ts'
import { ORGANIZATION_IAM_V1, PROJECT_IAM_V3 } from '../../src/contract/iam.v3.ts'
import { SERVICE_ACCOUNTS_V1 } from '../../src/contract/service-accounts.v1.ts'
import { USERS_V1 } from '../../src/contract/users.v1.ts'
import { type Permission, allPermissions } from '../../src/domain/permission.ts'
import { allPages, projectsQuery, queryClient } from '../queries.ts'
import { client } from '../session.ts'
import type { Place, PlacedPolicy, PolicyJson } from './policy.ts'

export type UserJson = ResponseOf<typeof USERS_V1.listUsers>['users'][number]
export type AccountJson = ResponseOf<typeof SERVICE_ACCOUNTS_V1.getServiceAccount>
export type TokenJson = ResponseOf<typeof SERVICE_ACCOUNTS_V1.listTokens>['tokens'][number]
export type AccountKeyJson = ResponseOf<typeof SERVICE_ACCOUNTS_V1.listServiceAccountKeys>['keys'][number]

const PAGE_SIZE = 300
/** There is one (AIP-122 names need one all the same). */
const ORGANIZATION = { organization: '1' } as const

export interface AccountPlace {
  readonly project: string
  readonly serviceAccount: string
}

/** Null where the caller may not list them. */
export const usersQuery = queryOptions({
  queryKey: ['users'],
  queryFn: () =>
    ifHeld(null, 'pollux.users.list', () =>
      allPages(async pageToken => {
        const page = await client.call(USERS_V1.listUsers, { query: { pageSize: PAGE_SIZE, pageToken } })
        return { items: page.users, nextPageToken: page.nextPageToken }
      }),
    ),
})

/** One person, with where they are signed in; null where the caller may not read it. */
export const userQuery = (user: string) =>
  queryOptions({
    queryKey: ['users', user],
    queryFn: () =>
      ifHeld(null, 'pollux.users.get', () => client.call(USERS_V1.getUser, { params: { user } })),
  })

/** Null where the caller may not read it. */
const policyQuery = (place: Place) =>
  queryOptions({
    queryKey: ['policies', place],
    queryFn: () => {
      const kind = place === null ? 'organizations' : 'projects'
      return ifHeld(place, `resourcemanager.${kind}.getIamPolicy`, async () => ({
        place,
        policy: await readPolicy(place),
      }))
    },
  })

/** Which permissions the caller holds at a place. */
export const heldQuery = (place: Place) =>
  queryOptions({
    queryKey: ['held', place],
    queryFn: async (): Promise<ReadonlySet<string>> => {
      const body = { permissions: [...allPermissions()] }
      const answer =
        place === null
          ? await client.call(ORGANIZATION_IAM_V1.testIamPermissions, { params: ORGANIZATION, body })
          : await client.call(PROJECT_IAM_V3.testIamPermissions, { params: { project: place }, body })
      return new Set(answer.permissions)
    },
  })

/** Null where the caller may not list them. */
export const accountsQuery = (project: string) =>
  queryOptions({
    queryKey: ['serviceAccounts', project],
    queryFn: () =>
      ifHeld(
        project,
        'iam.serviceAccounts.list',
        async () =>
          (await client.call(SERVICE_ACCOUNTS_V1.listServiceAccounts, { params: { project } })).accounts,
      ),
  })

export const accountQuery = (place: AccountPlace) =>
  queryOptions({
    queryKey: ['serviceAccounts', place.project, place.serviceAccount],
    queryFn: () => client.call(SERVICE_ACCOUNTS_V1.getServiceAccount, { params: { ...place } }),
  })

/** Null where the caller may not list them. */
export const tokensQuery = (place: AccountPlace) =>
  queryOptions({
    queryKey: ['serviceAccounts', place.project, place.serviceAccount, 'tokens'],
    queryFn: () =>
      ifHeld(
        place.project,
        'pollux.serviceAccountTokens.list',
        async () => (await client.call(SERVICE_ACCOUNTS_V1.listTokens, { params: { ...place } })).tokens,
      ),
  })

/** Null where the caller may not list them. */
export const accountKeysQuery = (place: AccountPlace) =>
  queryOptions({
    queryKey: ['serviceAccounts', place.project, place.serviceAccount, 'keys'],
    queryFn: () =>
      ifHeld(
        place.project,
        'iam.serviceAccountKeys.list',
        async () =>
          (await client.call(SERVICE_ACCOUNTS_V1.listServiceAccountKeys, { params: { ...place } })).keys,
      ),
  })

/**
 * What is read, or null without asking for what would be refused: refusals are entries of the audit trail, which are for
 * those who try and not for those who look around.
 */
async function ifHeld<Answer>(
  place: Place,
  permission: Permission,
  read: () => Promise<Answer>,
): Promise<Answer | null> {
  const held = await queryClient.fetchQuery(heldQuery(place))
  return held.has(permission) ? await read() : null
}

interface Policies {
  /** Those that could be read, the organization's first. */
  readonly policies: readonly PlacedPolicy[]
  readonly isPending: boolean
  readonly error: unknown
}

/** The policy of the organization and those of all projects that are there. */
export function usePolicies(): Policies {
  const projects = useQuery(projectsQuery)
  const places: Place[] = [
    null,
    ...(projects.data ?? []).filter(({ state }) => state === 'ACTIVE').map(({ projectId }) => projectId),
  ]
  const read = useQueries({
    queries: places.map(policyQuery),
    combine: results => ({
      policies: results.flatMap(({ data }) => (data === undefined || data === null ? [] : [data])),
      isPending: results.some(({ isPending }) => isPending),
      error: results.find(({ error }) => error !== null)?.error ?? null,
    }),
  })
  return {
    ...read,
    isPending: read.isPending || projects.isPending,
    error: projects.error ?? read.error,
  }
}

/** Writes a policy that was read before; ETAG_MISMATCH when somebody else changed it meanwhile. */
export function useSetPolicy(): (place: Place, policy: PolicyJson) => Promise<void> {
  const queries = useQueryClient()
  return async (place, policy) => {
    const body = { policy }
    try {
      if (place === null) {
        await client.call(ORGANIZATION_IAM_V1.setIamPolicy, { params: ORGANIZATION, body })
      } else {
        await client.call(PROJECT_IAM_V3.setIamPolicy, { params: { project: place }, body })
      }
    } finally {
      // After a refusal too: somebody else may have changed what is shown. What one holds may be one's own.
      await Promise.all([
        queries.invalidateQueries({ queryKey: ['policies'] }),
        queries.invalidateQueries({ queryKey: ['held'] }),
      ])
    }
  }
}

function readPolicy(place: Place): Promise<PolicyJson> {
  return place === null
    ? client.call(ORGANIZATION_IAM_V1.getIamPolicy, { params: ORGANIZATION, body: {} })
    : client.call(PROJECT_IAM_V3.getIamPolicy, { params: { project: place }, body: {} })
}
