/** Long-running operations that are done at once: google.longrunning.Operation over what storage kept. */
import { randomBytes, randomUUID } from 'node:crypto'
import type { ResponseOf } from '../contract/endpoint.ts'
import type { PROJECTS_V3 } from '../contract/projects.v3.ts'
import { ApiError } from '../domain/error.ts'
import type { Key } from '../domain/key.ts'
import { mayDo } from '../domain/permission.ts'
import type { Project } from '../domain/project.ts'
import { shownName } from '../domain/redaction.ts'
import type { OperationDraft, Storage, StoredOperation } from '../storage/storage.ts'
import type { CallFacts } from './call.ts'
import { type KeyV2Json, keyV2Json, projectV3Json, timeJson } from './resource-names.ts'

export type OperationJson = ResponseOf<typeof PROJECTS_V3.getOperation>

export type KeyVerb = 'CreateKey' | 'UpdateKey' | 'DeleteKey' | 'UndeleteKey'
export type ProjectVerb = 'CreateProject' | 'UpdateProject' | 'DeleteProject' | 'UndeleteProject'

const KEY_TYPE = 'type.googleapis.com/google.api.apikeys.v2.Key'
const PROJECT_TYPE = 'type.googleapis.com/google.cloud.resourcemanager.v3'

/** A fresh name in the form of API Keys: one segment after `operations/`, as its clients demand. */
export function keyOperation(projectNumber: string, verb: KeyVerb): OperationDraft {
  return { name: `operations/akmf.p7-${projectNumber}-${randomUUID()}`, verb }
}

/** A fresh name in the form of Resource Manager: `operations/cp.` and 19 digits. */
export function projectOperation(verb: ProjectVerb): OperationDraft {
  const digits = (randomBytes(8).readBigUInt64BE() % 9_000_000_000_000_000_000n) + 1_000_000_000_000_000_000n
  return { name: `operations/cp.${digits}`, verb }
}

/** A finished operation on a key. Only the answer to a create is given a Key with its keyString. */
export function keyOperationJson(name: string, key: KeyV2Json): OperationJson {
  return {
    name,
    // Any of a well-known type with a JSON form of its own carries it under `value` (protobuf.dev, ProtoJSON, Any).
    metadata: { '@type': 'type.googleapis.com/google.protobuf.Empty', value: {} },
    done: true,
    response: { '@type': KEY_TYPE, ...key },
  }
}

export function projectOperationJson({ name, verb }: OperationDraft, project: Project): OperationJson {
  const created =
    verb === 'CreateProject'
      ? { createTime: timeJson(project.createTimeMs), gettable: true, ready: true }
      : {}
  return {
    name,
    metadata: { '@type': `${PROJECT_TYPE}.${verb}Metadata`, ...created },
    done: true,
    response: { '@type': `${PROJECT_TYPE}.Project`, ...projectV3Json(project) },
  }
}

/**
 * Reads a kept operation; `prefixes` are the kinds that the surface serves. Throws RESOURCE_NOT_FOUND, also for an operation
 * in a project where the caller lacks the permission.
 */
export async function readOperation(
  storage: Storage,
  call: CallFacts & { readonly params: { readonly operation: string } },
  prefixes: readonly ('akmf.' | 'cp.')[],
): Promise<OperationJson> {
  const id = call.params.operation
  const isServed = prefixes.some(prefix => id.startsWith(prefix))
  const operation = isServed ? await storage.operations.find(`operations/${id}`) : null
  if (operation === null || !maySee(call, operation)) {
    throw new ApiError(
      'RESOURCE_NOT_FOUND',
      `Operation '${shownName(id)}' does not exist here. Operations are kept for seven days.`,
    )
  }
  return operationJson(operation)
}

function operationJson({ name, verb, resource }: StoredOperation): OperationJson {
  return isKey(resource)
    ? keyOperationJson(name, keyV2Json(resource))
    : projectOperationJson({ name, verb }, resource)
}

function maySee({ principal, endpoint: { permission } }: CallFacts, { resource }: StoredOperation): boolean {
  const project = isKey(resource) ? resource.projectNumber : resource.number
  if (permission === 'anyone' || permission === 'any authenticated') return false
  return mayDo(principal, permission, project)
}

function isKey(resource: Key | Project): resource is Key {
  return 'keyId' in resource
}
