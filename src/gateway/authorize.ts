import { ApiError } from '../domain/error.ts'
import { GEMINI_SERVICE, methodFullName } from '../domain/method-name.ts'
import type { ApiVersion, ModelAlias } from '../domain/project.ts'
import { checkClient, checkMethod, checkModel, checkTools } from '../domain/restriction.ts'
import type { Access, Call, Caller, Grant, KeyEntry, Permitted } from './call.ts'
import { inspectBody } from './inspect.ts'
import { type Route, routeOf } from './methods.ts'
import { assertQuery } from './query.ts'
import { replaceSpans } from './strict-json.ts'

/**
 * Whether the key may make this call, by all but its body: in Google's order the client, then API and method, then the
 * model. The body of a call that is refused here is not read. Throws the refusals of domain/restriction (403),
 * METHOD_UNKNOWN (404), FIELD_INVALID for its query, CONTENT_TYPE_REFUSED (415).
 */
export function authorizeTarget(caller: Caller, call: Call): Access {
  const { entry } = caller
  checkClient(entry.rules, call.client, entry.consumer)
  const route = routeOf(call.request.method ?? '', call.target.path)
  assertQuery(route.method, call)
  const permitted = entry.permitted.get(route) ?? permit(entry, route)
  if (route.method.body !== 'none') assertJson(call)
  return { caller, route, permitted }
}

/**
 * Whether the key may send this body. Throws the refusals of reading and inspecting it (400), and API_KEY_TOOL_BLOCKED
 * (403).
 */
export function authorizeBody({ caller, route, permitted }: Access, bytes: Buffer): Grant {
  const { method, apiVersion, model, upstreamPath } = permitted
  const { entry } = caller
  const inspected = inspectBody(bytes, method.body, model)
  checkUsedTools(entry, inspected.tools)
  assertOneModel(inspected.models, route.model, model)
  const body = model === route.model ? bytes : replaceSpans(bytes, inspected.modelSpans, `models/${model}`)
  const { tools, demand } = inspected
  const requestBytes = bytes.length
  return { caller, method, apiVersion, model, upstreamPath, body, requestBytes, tools, demand }
}

/** Permissions remembered for one key; keys call few methods and models. */
const PERMITTED_MAX = 32

function permit(entry: KeyEntry, route: Route): Permitted {
  const { model, apiVersion } = resolveAlias(route, entry)
  const { method } = route
  checkCall(entry, { method, apiVersion, model })
  const verb = method.body === 'none' ? '' : `:${method.name.charAt(0).toLowerCase()}${method.name.slice(1)}`
  const resource = model === '' ? 'models' : `models/${encodeURIComponent(model)}${verb}`
  const permitted = { method, apiVersion, model, upstreamPath: `/${apiVersion}/${resource}` }
  if (entry.permitted.size === PERMITTED_MAX) entry.permitted.clear()
  entry.permitted.set(route, permitted)
  return permitted
}

function checkCall(entry: KeyEntry, asked: Pick<Permitted, 'method' | 'apiVersion' | 'model'>): void {
  const { name, httpMethod } = asked.method
  const fullName = methodFullName(asked.apiVersion, name)
  const rpc = { service: GEMINI_SERVICE, fullName, httpMethod }
  checkMethod(entry.rules, rpc, entry.consumer)
  if (asked.model !== '') checkModel(entry.rules, asked.model, entry.consumer)
  if (entry.tierRules === null) return
  checkMethod(entry.tierRules, rpc, entry.consumer)
  if (asked.model !== '') checkModel(entry.tierRules, asked.model, entry.consumer)
}

function checkUsedTools({ rules, tierRules, consumer }: KeyEntry, tools: Grant['tools']): void {
  checkTools(rules, tools, consumer)
  if (tierRules !== null) checkTools(tierRules, tools, consumer)
}

/** What authorize decided for a grant, once more, against rules that changed since. Throws the same refusals. */
export function checkGrant(entry: KeyEntry, call: Call, grant: Grant): void {
  checkClient(entry.rules, call.client, entry.consumer)
  checkCall(entry, grant)
  checkUsedTools(entry, grant.tools)
}

function resolveAlias(route: Route, entry: KeyEntry): { model: string; apiVersion: ApiVersion } {
  const aliases = entry.project.modelAliases
  const alias: ModelAlias | undefined = Object.hasOwn(aliases, route.model) ? aliases[route.model] : undefined
  return { model: alias?.model ?? route.model, apiVersion: alias?.apiVersion ?? route.apiVersion }
}

function assertJson(call: Call): void {
  const { headers } = call.request
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    throw new ApiError(
      'CONTENT_TYPE_REFUSED',
      `Content-Encoding '${encoding}' is not accepted: send the body plain.`,
    )
  }
  const type = headers['content-type']
  if (
    type !== undefined &&
    type !== 'application/json' &&
    !/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)
  ) {
    throw new ApiError(
      'CONTENT_TYPE_REFUSED',
      `Content-Type '${type}' is not accepted: send application/json.`,
    )
  }
}

/** A model inside the body must be the one in the URL: that one was checked, metered and is billed. */
function assertOneModel(named: readonly string[], asked: string, resolved: string): void {
  for (const model of named) {
    if (model === asked || model === resolved) continue
    throw new ApiError(
      'FIELD_AMBIGUOUS',
      `The body names the model '${model.slice(0, 100)}', but the URL names '${asked}'. They must be the same.`,
    )
  }
}
