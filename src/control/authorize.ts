/** Whether a request may be made: the one place where a permission is asked, before a handler runs and where it finds a project. */
import { type Endpoint, isOwnSurface, resourceOf } from '../contract/endpoint.ts'
import { ApiError } from '../domain/error.ts'
import { type Permission, type Principal, isMember, mayDo, whereMayDo } from '../domain/permission.ts'
import { shownName } from '../domain/redaction.ts'
import type { ProjectStore } from '../storage/storage.ts'

interface Asked {
  readonly principal: Principal
  readonly endpoint: Endpoint
  readonly params: Readonly<Record<string, string>>
}

/**
 * Throws unless the principal may make the request. A project in which it was granted nothing is answered as one that does
 * not exist, so that nobody can find out which there are; else IAM_PERMISSION_DENIED.
 */
export async function authorize(
  { principal, endpoint, params }: Asked,
  projects: Pick<ProjectStore, 'find'>,
): Promise<void> {
  const { permission } = endpoint
  switch (resourceOf(endpoint)) {
    case 'organization':
      permit(principal, endpoint, null)
      break
    case 'filtered':
      if (permission !== 'any authenticated' && whereMayDo(principal, permission).length === 0) {
        throw denied(permission)
      }
      break
    case 'project': {
      // Who may everywhere needs no look-up: the handler says itself when there is no such project.
      if (
        permission === 'any authenticated' ? isMember(principal, null) : mayDo(principal, permission, null)
      ) {
        break
      }
      const named = params['project'] ?? ''
      const project = await projects.find(named)
      if (project === null) throw projectMissing(named, endpoint)
      permitIn(principal, endpoint, { named, number: project.number })
      break
    }
  }
}

/** IAM_PERMISSION_DENIED unless the principal holds the endpoint's permission in this project (null: at the organization). */
export function permit(principal: Principal, { permission }: Endpoint, project: string | null): void {
  if (permission === 'any authenticated' || mayDo(principal, permission, project)) return
  throw denied(permission)
}

/** As `permit`; but for a project that is not the principal's own, as if there were none. */
export function permitIn(
  principal: Principal,
  endpoint: Endpoint,
  project: { readonly named: string; readonly number: string },
): void {
  if (!isMember(principal, project.number)) throw projectMissing(project.named, endpoint)
  permit(principal, endpoint, project.number)
}

/** For `projects.list`: the numbers of the projects in which the principal holds the permission; nothing where it is all. */
export function projectsOf(
  principal: Principal,
  permission: Permission,
): { readonly numbers?: readonly string[] } {
  const numbers = whereMayDo(principal, permission)
  return numbers === 'everywhere' ? {} : { numbers }
}

/**
 * Where there is no such project for the caller: RESOURCE_NOT_FOUND on our own surface; on Google's, whose services do not
 * tell a stranger which projects exist, CONSUMER_INVALID (API Keys) or IAM_PERMISSION_DENIED (projects).
 */
export function projectMissing(idOrNumber: string, endpoint: Endpoint): ApiError {
  const project = `projects/${shownName(idOrNumber)}`
  if (isOwnSurface(endpoint)) {
    return new ApiError(
      'RESOURCE_NOT_FOUND',
      `Project ${project} does not exist, or the caller has no access to it. List the projects to see all.`,
    )
  }
  if (endpoint.path.startsWith('/v2/')) {
    return new ApiError(
      'CONSUMER_INVALID',
      `Permission denied on resource project ${project}: it does not exist, or the caller has no access to it.`,
      { metadata: { consumer: project, service: 'apikeys.googleapis.com' } },
    )
  }
  return new ApiError(
    'IAM_PERMISSION_DENIED',
    `The caller does not have permission '${endpoint.permission}' on ${project}, or it does not exist.`,
    { metadata: { permission: endpoint.permission, resource: project } },
  )
}

function denied(permission: Permission): ApiError {
  return new ApiError(
    'IAM_PERMISSION_DENIED',
    `Permission '${permission}' denied. Ask an owner for a role that holds it.`,
    { metadata: { permission } },
  )
}
