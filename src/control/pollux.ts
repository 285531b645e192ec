import { openApiDocument } from '../contract/openapi.ts'
import type { POLLUX_V1 } from '../contract/pollux.v1.ts'
import { TIERS_V1 } from '../contract/quotas.v1.ts'
import { ENDPOINTS } from '../contract/table.ts'
import { permit, projectsOf } from './authorize.ts'
import type { Handlers } from './call.ts'
import { emptyToNull } from './parse.ts'
import { testKey } from './key-test.ts'
import {
  type KeysContext,
  MUTABLE,
  createKey,
  deleteKey,
  lookupKey,
  setKeyDisabled,
  undeleteKey,
  updateKey,
} from './keys.ts'
import { nextPageToken, pageRequest, requireKey, requireProject } from './lookup.ts'
import {
  MUTABLE as PROJECT_MUTABLE,
  createProject,
  deleteProject,
  undeleteProject,
  updateProject,
} from './projects.ts'
import { keyJson, projectJson } from './resource-names.ts'
import { type ShippedTiers, requireTier } from './tiers.ts'
import { usageReport } from './usage.ts'

export interface PolluxContext extends KeysContext {
  /** The exposition text for Prometheus. */
  readonly metrics: () => Promise<string>
  readonly tiers: ShippedTiers
}

const API_VERSION = '1'

/** The handlers of /pollux/v1: every change answers the changed resource. */
export function polluxHandlers(context: PolluxContext): Handlers<typeof POLLUX_V1> {
  let openApi: ReturnType<typeof openApiDocument> | null = null
  return {
    ...keyHandlers(context),
    ...projectHandlers(context),
    getOpenApi: async () => (openApi ??= openApiDocument(ENDPOINTS, API_VERSION)),
    getMetrics: () => context.metrics(),
  }
}

type KeyMethods =
  | 'createKey'
  | 'listKeys'
  | 'searchKeys'
  | 'getKey'
  | 'updateKey'
  | 'deleteKey'
  | 'disableKey'
  | 'enableKey'
  | 'undeleteKey'
  | 'testKey'
  | 'lookupKey'

function keyHandlers(context: PolluxContext): Pick<Handlers<typeof POLLUX_V1>, KeyMethods> {
  const { storage, now } = context
  return {
    async createKey(call) {
      const { params, query, body } = call
      const request = { project: params.project, keyId: query.keyId, body, operation: null }
      const { key, keyString } = await createKey(context, call, request)
      return { ...keyJson(key, now()), keyString }
    },
    async listKeys(call) {
      const { showDeleted = false } = call.query
      const { number: projectNumber } = await requireProject(storage, call.params.project, call)
      const page = await storage.keys.list({ projectNumber, showDeleted, ...pageRequest(call.query) })
      const nowMs = now()
      return { keys: page.items.map(key => keyJson(key, nowMs)), ...nextPageToken(page.nextCursor) }
    },
    async searchKeys(call) {
      const { showDeleted = false } = call.query
      const { numbers } = projectsOf(call.principal, 'apikeys.keys.list')
      const page = await storage.keys.search({
        showDeleted,
        ...(numbers === undefined ? {} : { numbers }),
        ...pageRequest(call.query),
      })
      const nowMs = now()
      return { keys: page.items.map(key => keyJson(key, nowMs)), ...nextPageToken(page.nextCursor) }
    },
    async getKey(call) {
      const { key } = await requireKey(storage, call.params, call)
      return keyJson(key, now())
    },
    async updateKey(call) {
      const { params, query, body } = call
      const { key } = await updateKey(context, call, {
        params,
        query,
        body,
        mutable: MUTABLE,
        operation: null,
      })
      return keyJson(key, now())
    },
    async deleteKey(call) {
      const { params, query } = call
      const { key } = await deleteKey(context, call, { params, query, operation: null })
      return keyJson(key, now())
    },
    async disableKey(call) {
      const request = { params: call.params, etag: call.body.etag, disabled: true }
      return keyJson(await setKeyDisabled(context, call, request), now())
    },
    async enableKey(call) {
      const request = { params: call.params, etag: call.body.etag, disabled: false }
      return keyJson(await setKeyDisabled(context, call, request), now())
    },
    async undeleteKey(call) {
      const request = { params: call.params, etag: call.body.etag, operation: null }
      const { key } = await undeleteKey(context, call, request)
      return keyJson(key, now())
    },
    async testKey(call) {
      const { key, project } = await requireKey(storage, call.params, call)
      const tier = project.tier === null ? null : await requireTier(storage, context.tiers, project.tier)
      return testKey(key, project, { ...call.body, nowMs: now(), tier })
    },
    lookupKey: call => lookupKey(context, call, call.body.keyString),
  }
}

type ProjectMethods =
  | 'createProject'
  | 'listProjects'
  | 'getProject'
  | 'updateProject'
  | 'deleteProject'
  | 'undeleteProject'
  | 'getUsage'
  | 'searchUsage'

function projectHandlers(context: PolluxContext): Pick<Handlers<typeof POLLUX_V1>, ProjectMethods> {
  const { storage } = context
  return {
    async createProject(call) {
      await assertTier(context, call.body.tier)
      if (emptyToNull(call.body.tier) !== null) permit(call.principal, TIERS_V1.updateTier, null)
      return projectJson(await createProject(storage, call, { body: call.body, operation: null }))
    },
    async listProjects(call) {
      const { showDeleted = false } = call.query
      const seen = projectsOf(call.principal, 'resourcemanager.projects.list')
      const page = await storage.projects.list({ showDeleted, ...seen, ...pageRequest(call.query) })
      return { projects: page.items.map(projectJson), ...nextPageToken(page.nextCursor) }
    },
    getProject: async call => projectJson(await requireProject(storage, call.params.project, call)),
    async updateProject(call) {
      const { params, query, body } = call
      await assertTier(context, body.tier)
      const mask = { updateMask: query.updateMask, mutable: PROJECT_MUTABLE }
      const request = { project: params.project, ...mask, body, operation: null }
      return projectJson(await updateProject(storage, call, request))
    },
    async deleteProject(call) {
      const project = await requireProject(storage, call.params.project, call)
      return projectJson(
        await deleteProject(storage, call, { project, etag: call.query.etag, operation: null }),
      )
    },
    async undeleteProject(call) {
      const project = await requireProject(storage, call.params.project, call)
      return projectJson(
        await undeleteProject(storage, call, { project, etag: call.body.etag, operation: null }),
      )
    },
    getUsage: call => usageReport(context, call),
    searchUsage: call => usageReport(context, call),
  }
}

/** RESOURCE_NOT_FOUND where a request names a tier that does not exist. */
async function assertTier({ storage, tiers }: PolluxContext, tier: string | undefined): Promise<void> {
  if (tier !== undefined && tier !== '') await requireTier(storage, tiers, tier)
}
