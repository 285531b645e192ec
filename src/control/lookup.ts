/** Finding what a request names, and saying so in the way of the surface when it is not there. */
import { ApiError, invalidField } from '../domain/error.ts'
import type { Key } from '../domain/key.ts'
import type { Project } from '../domain/project.ts'
import { shownName } from '../domain/redaction.ts'
import type { Storage } from '../storage/storage.ts'
import { permitIn, projectMissing } from './authorize.ts'
import type { CallFacts } from './call.ts'

const PAGE_SIZE_DEFAULT = 50
const PAGE_SIZE_MAX = 300

/**
 * The project of a request, by id or number, in which its caller holds the permission of the endpoint. Throws as
 * `projectMissing` and `permit` do.
 */
export async function requireProject(
  storage: Storage,
  idOrNumber: string,
  { principal, endpoint }: CallFacts,
): Promise<Project> {
  const project = await storage.projects.find(idOrNumber)
  if (project === null) throw projectMissing(idOrNumber, endpoint)
  permitIn(principal, endpoint, { named: idOrNumber, number: project.number })
  return project
}

/** The key of a request, by id or uid, with its project. Throws RESOURCE_NOT_FOUND, and as `requireProject` does. */
export async function requireKey(
  storage: Storage,
  params: { readonly project: string; readonly key: string },
  call: CallFacts,
): Promise<{ readonly key: Key; readonly project: Project }> {
  const project = await requireProject(storage, params.project, call)
  const key = await storage.keys.find(project.number, params.key)
  if (key !== null) return { key, project }
  throw new ApiError(
    'RESOURCE_NOT_FOUND',
    `Key '${shownName(params.key)}' does not exist in projects/${project.projectId}. List the keys to see all.`,
  )
}

/** All keys of the project, deleted ones too, as rows outlive what they count. */
export async function keysByUid(storage: Storage, projectNumber: string): Promise<ReadonlyMap<string, Key>> {
  const keys = new Map<string, Key>()
  let cursor: string | null = null
  do {
    const page = await storage.keys.list({ projectNumber, showDeleted: true, limit: PAGE_SIZE_MAX, cursor })
    for (const key of page.items) keys.set(key.uid, key)
    cursor = page.nextCursor
  } while (cursor !== null)
  return keys
}

/** The page a list request asks for (AIP-158): 0 or absent is 50, more than 300 is 300, negative is FIELD_INVALID. */
export function pageRequest(query: { pageSize?: number | undefined; pageToken?: string | undefined }): {
  readonly limit: number
  readonly cursor: string | null
} {
  const { pageSize = 0, pageToken } = query
  if (pageSize < 0) throw invalidField('pageSize', 'must not be negative')
  const limit = pageSize === 0 ? PAGE_SIZE_DEFAULT : Math.min(pageSize, PAGE_SIZE_MAX)
  return { limit, cursor: pageToken ?? null }
}

/** `nextPageToken`, absent on the last page. */
export function nextPageToken(nextCursor: string | null): { nextPageToken?: string } {
  return nextCursor === null ? {} : { nextPageToken: nextCursor }
}
