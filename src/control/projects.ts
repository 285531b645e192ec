/** What can be done to projects, the same for both surfaces, and the handlers of Resource Manager v3. */
import type { BodyOf } from '../contract/endpoint.ts'
import type { POLLUX_V1 } from '../contract/pollux.v1.ts'
import type { PROJECTS_V3 } from '../contract/projects.v3.ts'
import { TIERS_V1 } from '../contract/quotas.v1.ts'
import { ApiError, invalidField } from '../domain/error.ts'
import { parseMask } from '../domain/field-mask.ts'
import { parseModelAliases } from '../domain/model-alias.ts'
import type { Principal } from '../domain/permission.ts'
import {
  ORGANIZATION,
  type Project,
  assertLabels,
  assertProjectDisplayName,
  assertProjectId,
} from '../domain/project.ts'
import { compileProjectQuery } from '../domain/project-query.ts'
import { shownName } from '../domain/redaction.ts'
import type { OperationDraft, Page, PageRequest, ProjectPatch, Storage } from '../storage/storage.ts'
import { auditEntry, projectAuditState } from './audit.ts'
import { permit, projectsOf } from './authorize.ts'
import type { AnyCall, CallFacts, Handlers, ManagementCall } from './call.ts'
import { nextPageToken, pageRequest, requireProject } from './lookup.ts'
import { projectOperation, projectOperationJson, readOperation } from './operations.ts'
import { emptyToNull, presentFields } from './parse.ts'
import { projectName, projectV3Json } from './resource-names.ts'

const MUTABLE_V3 = ['displayName', 'labels'] as const
export const MUTABLE = [...MUTABLE_V3, 'modelAliases', 'tier', 'recoverableKeys'] as const

type MutableField = (typeof MUTABLE)[number]
type ProjectBody = BodyOf<typeof POLLUX_V1.createProject>

/** Makes a project under the one organization. */
export async function createProject(
  storage: Storage,
  call: AnyCall,
  request: { readonly body: ProjectBody; readonly operation: OperationDraft | null },
): Promise<Project> {
  const { body, operation } = request
  assertParent(body.parent, call)
  const { projectId } = body
  if (projectId === undefined) throw invalidField('project.projectId', 'a project needs an id')
  assertProjectId(projectId)
  const {
    displayName = '',
    labels = {},
    modelAliases = {},
    tier = null,
    recoverableKeys = false,
  } = readFields(body, new Set(MUTABLE))
  const draft = {
    projectId,
    displayName,
    labels,
    modelAliases,
    tier,
    recoverableKeys,
    ...creatorAsOwner(call.principal),
  }
  const changed = { resourceName: projectName(projectId), projectNumber: null, before: null }
  const audit = auditEntry(call, {
    ...changed,
    after: { ...Object(projectAuditState(draft)), ...creatorAsOwner(call.principal) },
  })
  return await storage.projects.create(draft, audit, operation)
}

/** Who makes a project without owning the organization becomes its owner, as at Google: or nobody could use it. */
function creatorAsOwner({ subject, grants }: Principal): { readonly owner?: string } {
  const isOwner = grants.some(({ role, project }) => role === 'roles/owner' && project === null)
  return isOwner ? {} : { owner: subject }
}

export interface UpdateRequest {
  readonly project: string
  readonly updateMask: string | undefined
  readonly body: ProjectBody
  readonly mutable: readonly MutableField[]
  readonly operation: OperationDraft | null
}

export async function updateProject(
  storage: Storage,
  call: AnyCall,
  request: UpdateRequest,
): Promise<Project> {
  const { body } = request
  const fields = parseMask(request.updateMask, request.mutable, presentFields(body))
  const patch = readFields(body, fields)
  const project = await requireProject(storage, request.project, call)
  // A tier caps and prices what the project may not decide itself.
  if (patch.tier !== undefined && patch.tier !== project.tier)
    permit(call.principal, TIERS_V1.updateTier, null)
  const audit = projectAudit(call, project, { ...project, ...patch })
  const target = { id: project.number, etag: emptyToNull(body.etag) }
  return await storage.projects.update(target, patch, audit, request.operation)
}

export interface StateRequest {
  readonly project: Project
  readonly etag: string | undefined
  readonly operation: OperationDraft | null
}

export function deleteProject(storage: Storage, call: AnyCall, request: StateRequest): Promise<Project> {
  const { project, etag, operation } = request
  const audit = projectAudit(call, project, { ...project, deleteTimeMs: Date.now() })
  return storage.projects.delete({ id: project.number, etag: emptyToNull(etag) }, audit, operation)
}

export function undeleteProject(storage: Storage, call: AnyCall, request: StateRequest): Promise<Project> {
  const { project, etag, operation } = request
  const audit = projectAudit(call, project, { ...project, deleteTimeMs: null })
  return storage.projects.undelete({ id: project.number, etag: emptyToNull(etag) }, audit, operation)
}

function projectAudit(call: AnyCall, before: Project, after: Project) {
  return auditEntry(call, {
    resourceName: projectName(before.number),
    projectNumber: before.number,
    before: projectAuditState(before),
    after: projectAuditState(after),
  })
}

/** The handlers of Resource Manager v3: every change answers an operation that is done. */
export function projectsHandlers(storage: Storage): Handlers<typeof PROJECTS_V3> {
  return {
    async createProject(call) {
      const operation = projectOperation('CreateProject')
      const project = await createProject(storage, call, { body: call.body, operation })
      return projectOperationJson(operation, project)
    },
    getProject: async call => projectV3Json(await requireProject(storage, call.params.project, call)),
    async listProjects(call) {
      assertParent(call.query.parent, call)
      const { showDeleted = false } = call.query
      const seen = projectsOf(call.principal, 'resourcemanager.projects.list')
      return projectPage(await storage.projects.list({ showDeleted, ...seen, ...pageRequest(call.query) }))
    },
    async searchProjects(call) {
      return projectPage(await searchProjects(storage, call, pageRequest(call.query)))
    },
    async updateProject(call) {
      const { params, query, body } = call
      const operation = projectOperation('UpdateProject')
      const request = {
        project: params.project,
        updateMask: query.updateMask,
        body,
        mutable: MUTABLE_V3,
        operation,
      }
      return projectOperationJson(operation, await updateProject(storage, call, request))
    },
    async deleteProject(call) {
      const project = await requireProject(storage, call.params.project, call)
      const operation = projectOperation('DeleteProject')
      // Idempotent: deleting what is deleted changes nothing, so there is nothing to store or to audit.
      if (project.deleteTimeMs !== null) return projectOperationJson(operation, project)
      const deleted = await deleteProject(storage, call, { project, etag: call.query.etag, operation })
      return projectOperationJson(operation, deleted)
    },
    async undeleteProject(call) {
      const project = await requireProject(storage, call.params.project, call)
      const operation = projectOperation('UndeleteProject')
      const undeleted = await undeleteProject(storage, call, { project, etag: undefined, operation })
      return projectOperationJson(operation, undeleted)
    },
    getOperation: call => readOperation(storage, call, ['cp.']),
    getOperationV1: call => readOperation(storage, call, ['cp.', 'akmf.']),
  }
}

function projectPage(page: Page<Project>) {
  return { projects: page.items.map(projectV3Json), ...nextPageToken(page.nextCursor) }
}

/** Matching projects, deleted ones too. A page may hold fewer than asked for while there are more (AIP-158). */
async function searchProjects(
  storage: Storage,
  { principal, query }: ManagementCall<typeof PROJECTS_V3.searchProjects>,
  page: PageRequest,
): Promise<Page<Project>> {
  const matches = compileProjectQuery(query.query ?? '')
  const seen = projectsOf(principal, 'resourcemanager.projects.get')
  let { cursor } = page
  for (;;) {
    const { items, nextCursor } = await storage.projects.list({
      showDeleted: true,
      ...seen,
      limit: page.limit,
      cursor,
    })
    const found = items.filter(matches)
    if (found.length > 0 || nextCursor === null) return { items: found, nextCursor }
    cursor = nextCursor
  }
}

/** There is one organization and there are no folders: 403, as for a parent that the caller may not see. */
function assertParent(parent: string | undefined, { endpoint }: CallFacts): void {
  if (parent === undefined || parent === '' || parent === ORGANIZATION) return
  if (!/^(?:organizations|folders)\/\d+$/.test(parent)) {
    throw invalidField('parent', `must be ${ORGANIZATION}, the one organization`)
  }
  throw new ApiError(
    'IAM_PERMISSION_DENIED',
    `The caller does not have permission '${endpoint.permission}' on ${shownName(parent)}, or it does not exist. All projects are under ${ORGANIZATION}.`,
    { metadata: { permission: endpoint.permission, resource: shownName(parent) } },
  )
}

/** The validated values of `fields`; a field that the body leaves out is cleared. */
function readFields(body: ProjectBody, fields: ReadonlySet<MutableField>): ProjectPatch {
  const { displayName = '', labels = {}, modelAliases = {}, recoverableKeys = false } = body
  if (fields.has('displayName')) assertProjectDisplayName(displayName)
  if (fields.has('labels')) assertLabels(labels)
  return {
    ...(fields.has('displayName') ? { displayName } : {}),
    ...(fields.has('labels') ? { labels } : {}),
    ...(fields.has('modelAliases') ? { modelAliases: parseModelAliases(modelAliases) } : {}),
    ...(fields.has('tier') ? { tier: emptyToNull(body.tier) } : {}),
    ...(fields.has('recoverableKeys') ? { recoverableKeys } : {}),
  }
}
