/**
 * Whether a request may be made: the one place where a permission is asked, before a handler runs and where it finds a
 * project; and where it is asked whether a page of ours sends it, and whether its person has proven themselves of late.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { type Endpoint, isOwnSurface, resourceOf } from '../contract/endpoint.ts'
import { ApiError } from '../domain/error.ts'
import { type Permission, type Principal, isMember, mayDo, whereMayDo } from '../domain/permission.ts'
import { shownName } from '../domain/redaction.ts'
import { isProofFresh } from '../domain/session.ts'
import type { ProjectStore } from '../storage/storage.ts'
import type { Caller } from './authenticate.ts'
import { type Browser, assertOwnPage, assertSafeDoor } from './browser.ts'

interface Asked {
  readonly caller: Caller
  readonly request: Circumstances
  readonly endpoint: Endpoint
  readonly params: Readonly<Record<string, string>>
}

/** What of a request decides beside its caller. */
export interface Circumstances {
  readonly headers: IncomingHttpHeaders
  readonly browser: Browser
  readonly allowsPlainSignIn: boolean
  readonly nowMs: number
}

/**
 * Throws unless the caller may make the request from there (CROSS_SITE_REFUSED, SIGN_IN_DOOR_REFUSED), by its roles
 * (`assertPermitted`), and so long after its last proof (STEP_UP_REQUIRED).
 */
export async function authorize(
  { caller, endpoint, params, request }: Asked,
  projects: Pick<ProjectStore, 'find'>,
): Promise<void> {
  const { principal, signedIn } = caller
  if (endpoint.method !== 'GET' && (signedIn !== null || endpoint.permission === 'anyone')) {
    assertOwnPage(request.headers, request.browser.door, signedIn !== null)
    assertSafeDoor(request.browser.door, request.allowsPlainSignIn)
  }
  await assertPermitted({ principal, endpoint, params }, projects)
  if (endpoint.stepUp !== true || signedIn === null) return
  if (isProofFresh(signedIn.session, request.nowMs)) return
  throw new ApiError(
    'STEP_UP_REQUIRED',
    'This asks for a fresh proof of who you are. Enter your password or use your passkey, and repeat the request.',
  )
}

/**
 * Throws unless the principal may make the request. A project in which it was granted nothing is answered as one that does
 * not exist, so that nobody can find out which there are; else IAM_PERMISSION_DENIED.
 */
async function assertPermitted(
  { principal, endpoint, params }: Pick<Asked, 'endpoint' | 'params'> & { readonly principal: Principal },
  projects: Pick<ProjectStore, 'find'>,
): Promise<void> {
  const { permission } = endpoint
  if (permission === 'anyone') return
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
  if (permission === 'anyone' || permission === 'any authenticated') return
  if (mayDo(principal, permission, project)) return
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
