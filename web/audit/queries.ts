/** What the audit screens read. */
import { infiniteQueryOptions } from '@tanstack/react-query'
import { AUDIT_V1 } from '../../src/contract/audit.v1.ts'
import type { QueryOf, ResponseOf } from '../../src/contract/endpoint.ts'
import { client } from '../session.ts'

export type LogEntry = NonNullable<ResponseOf<typeof AUDIT_V1.listAuditEntries>['entries']>[number]
type EntryQuery = QueryOf<typeof AUDIT_V1.listAuditEntries>

/** As it stands in the address; empty: any. */
export interface AuditFilter {
  readonly principal: string
  readonly method: string
  readonly resource: string
  readonly project: string
  /** One of SINCE. */
  readonly since: string
}

const PAGE_SIZE = 50
const EXPORT_PAGE_SIZE = 300
/** What a browser holds in memory at once; beyond it, the CLI writes to a file as it reads. */
const EXPORT_ENTRIES_MAX = 100_000

const HOUR_MS = 3_600_000
export const SINCE = [
  ['', 'at any time', null],
  ['1h', 'in the last hour', HOUR_MS],
  ['24h', 'in the last 24 hours', 24 * HOUR_MS],
  ['7d', 'in the last 7 days', 7 * 24 * HOUR_MS],
  ['30d', 'in the last 30 days', 30 * 24 * HOUR_MS],
] as const

/** Newest first, page by page. */
export const entriesQuery = (filter: AuditFilter) =>
  infiniteQueryOptions({
    queryKey: ['audit', filter],
    queryFn: async ({ pageParam }) => {
      // Pages belong to the query of the first one, so its start of the range goes on with them.
      const query = pageParam?.query ?? { ...filterQuery(filter), pageSize: PAGE_SIZE }
      const { entries = [], nextPageToken } = await client.call(AUDIT_V1.listAuditEntries, { query })
      return {
        entries,
        next: nextPageToken === undefined ? null : { query: { ...query, pageToken: nextPageToken } },
      }
    },
    initialPageParam: null as { readonly query: EntryQuery } | null,
    getNextPageParam: ({ next }) => next,
  })

interface Exported {
  /** JSON lines, oldest first: each entry as it is, so that its digest can be recomputed. */
  readonly text: string
  readonly count: number
  readonly isWhole: boolean
}

/** Every entry that the filter lets through. `onProgress` is told how many were read. */
export async function exportEntries(
  filter: AuditFilter,
  onProgress: (count: number) => void,
): Promise<Exported> {
  const lines: string[] = []
  let pageToken: string | undefined
  const query = filterQuery(filter)
  do {
    const page = await client.call(AUDIT_V1.listAuditEntries, {
      query: { ...query, pageSize: EXPORT_PAGE_SIZE, pageToken, oldestFirst: true },
    })
    lines.push(...(page.entries ?? []).map(entry => `${JSON.stringify(entry)}\n`))
    pageToken = page.nextPageToken
    onProgress(lines.length)
  } while (pageToken !== undefined && lines.length < EXPORT_ENTRIES_MAX)
  return { text: lines.join(''), count: lines.length, isWhole: pageToken === undefined }
}

/** Everything about the key of a keyString, which goes in the body. Rejects when there is no such key. */
export async function findByKey(keyString: string) {
  const entries: LogEntry[] = []
  let pageToken: string | undefined
  let name: string
  do {
    const query = { pageSize: EXPORT_PAGE_SIZE, pageToken }
    const page = await client.call(AUDIT_V1.findAuditEntries, { query, body: { keyString } })
    entries.push(...(page.entries ?? []))
    name = page.name
    pageToken = page.nextPageToken
  } while (pageToken !== undefined)
  return { name, entries }
}

function filterQuery({ principal, method, resource, project, since }: AuditFilter): EntryQuery {
  const agoMs = SINCE.find(([value]) => value === since)?.[2] ?? null
  return {
    ...(principal === '' ? {} : { principal }),
    ...(method === '' ? {} : { method }),
    ...(resource === '' ? {} : { resource }),
    ...(project === '' ? {} : { project }),
    ...(agoMs === null ? {} : { startTime: new Date(Date.now() - agoMs).toISOString() }),
  }
}
