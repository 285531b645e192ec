import type { APIKEYS_V2 } from '../contract/apikeys.v2.ts'
import type { Handlers } from './call.ts'
import {
  type KeysContext,
  MUTABLE_V2,
  createKey,
  deleteKey,
  getKeyString,
  lookupKey,
  undeleteKey,
  updateKey,
} from './keys.ts'
import { nextPageToken, pageRequest, requireKey, requireProject } from './lookup.ts'
import { type KeyVerb, keyOperation, keyOperationJson, readOperation } from './operations.ts'
import { keyV2Json } from './resource-names.ts'

/** The handlers of API Keys API v2: every change answers an operation that is done. */
export function apikeysHandlers(context: KeysContext): Handlers<typeof APIKEYS_V2> {
  const { storage } = context
  const operation = (verb: KeyVerb) => (projectNumber: string) => keyOperation(projectNumber, verb)
  return {
    async createKey(call) {
      const { params, query, body } = call
      const request = { project: params.project, keyId: query.keyId, body, operation: operation('CreateKey') }
      const { key, keyString, operationName } = await createKey(context, call, request)
      return keyOperationJson(operationName, { ...keyV2Json(key), keyString })
    },
    async listKeys(call) {
      const { number: projectNumber } = await requireProject(storage, call.params.project, call)
      const { showDeleted = false } = call.query
      const page = await storage.keys.list({ projectNumber, showDeleted, ...pageRequest(call.query) })
      return { keys: page.items.map(keyV2Json), ...nextPageToken(page.nextCursor) }
    },
    async getKey(call) {
      const { key } = await requireKey(storage, call.params, call)
      return keyV2Json(key)
    },
    getKeyString: call => getKeyString(context, call, call.params),
    async updateKey(call) {
      const { params, query, body } = call
      const request = { params, query, body, mutable: MUTABLE_V2, operation: operation('UpdateKey') }
      const { key, operationName } = await updateKey(context, call, request)
      return keyOperationJson(operationName, keyV2Json(key))
    },
    async deleteKey(call) {
      const { params, query } = call
      const request = { params, query, operation: operation('DeleteKey') }
      const { key, operationName } = await deleteKey(context, call, request)
      return keyOperationJson(operationName, keyV2Json(key))
    },
    async undeleteKey(call) {
      const request = { params: call.params, operation: operation('UndeleteKey') }
      const { key, operationName } = await undeleteKey(context, call, request)
      return keyOperationJson(operationName, keyV2Json(key))
    },
    lookupKey: call => lookupKey(context, call, call.query.keyString),
    getOperation: call => readOperation(storage, call, ['akmf.']),
  }
}
