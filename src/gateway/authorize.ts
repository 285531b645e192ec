import { ApiError } from '../domain/error.ts'
import { GEMINI_SERVICE, methodFullName } from '../domain/method-name.ts'
import type { ApiVersion, ModelAlias } from '../domain/project.ts'
import { checkClient, checkMethod, checkModel, checkTools } from '../domain/restriction.ts'
import type { UsedTool } from '../domain/tool.ts'
import { readBody } from '../http/bytes.ts'
import type { Call, Caller, Gateway, Grant, KeyEntry } from './call.ts'
import { inspectBody } from './inspect.ts'
import { type Route, routeOf } from './methods.ts'
import { assertQuery } from './query.ts'
import { replaceSpans } from './strict-json.ts'

/**
 * Whether the key may make this call. In Google's order: client, then API and method, then model, then what the body
 * asks for; the body of a call that is refused for any of the first is not read. Throws the refusals of
 * domain/restriction (403), METHOD_UNKNOWN (404), and those of reading and inspecting the body.
 */
export async function authorize(
  caller: Caller,
  call: Call,
  io: Pick<Gateway, 'bodies' | 'limits'>,
): Promise<Grant> {
  const { entry } = caller
  checkClient(entry.rules, call.client, entry.consumer)
  const route = routeOf(call.request.method ?? '', call.target.path)
  assertQuery(route.method, call)
  const { model, apiVersion } = resolveAlias(route, entry)
  checkCall(entry, { method: route.method, apiVersion, model })
  if (route.method.body === 'none') {
    return { ...caller, method: route.method, apiVersion, model, body: NO_BODY, requestBytes: 0, ...PLAIN }
  }
  assertJson(call)
  const bytes = await readBody(call.request, call.response, {
    bytesMax: io.limits.bodyBytesMax,
    budget: io.bodies,
  })
  try {
    const inspected = inspectBody(bytes, route.method.body, model)
    checkTools(entry.rules, inspected.tools, entry.consumer)
    assertOneModel(inspected.models, route.model, model)
    const body = model === route.model ? bytes : replaceSpans(bytes, inspected.modelSpans, `models/${model}`)
    const { tools, candidateCount } = inspected
    const requestBytes = bytes.length
    return { ...caller, method: route.method, apiVersion, model, body, requestBytes, tools, candidateCount }
  } catch (error) {
    io.bodies.give(bytes.length)
    throw error
  }
}

const NO_BODY = Buffer.alloc(0)
const PLAIN = { tools: new Set<UsedTool>(), candidateCount: 1 }

function checkCall(entry: KeyEntry, asked: Pick<Grant, 'method' | 'apiVersion' | 'model'>): void {
  const { name, httpMethod } = asked.method
  const fullName = methodFullName(asked.apiVersion, name)
  checkMethod(entry.rules, { service: GEMINI_SERVICE, fullName, httpMethod }, entry.consumer)
  if (asked.model !== '') checkModel(entry.rules, asked.model, entry.consumer)
}

/** What authorize decided for a grant, once more, against rules that changed since. Throws the same refusals. */
export function checkGrant(entry: KeyEntry, call: Call, grant: Grant): void {
  checkClient(entry.rules, call.client, entry.consumer)
  checkCall(entry, grant)
  checkTools(entry.rules, grant.tools, entry.consumer)
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
  if (type !== undefined && !/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) {
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
