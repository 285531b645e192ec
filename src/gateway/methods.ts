import { ApiError } from '../domain/error.ts'
import { isModelId } from '../domain/model.ts'
import { API_VERSIONS, type ApiVersion } from '../domain/project.ts'

/** How the usage of a method is read. */
type Metering =
  /** `usageMetadata` of the reply; its running total in a stream. */
  | 'usageMetadata'
  /** As above, but older embedding models send none: then countTokens is asked. */
  | 'embedding'
  /** Not billed by Google. */
  | 'none'

/** What the body of a method is, and so what has to be inspected in it. */
export type BodyKind = 'none' | 'generate' | 'countTokens' | 'embed' | 'batchEmbed'

/** One method of the Gemini API that may be called. What is not in the table is refused. */
export interface Method {
  /** Bare RPC name: gemini-wire 2.9, googleapis generative_service.proto and model_service.proto. */
  readonly name: string
  readonly httpMethod: 'GET' | 'POST'
  readonly body: BodyKind
  readonly metering: Metering
  readonly streams: boolean
  /** Query parameters that are forwarded; every other one is dropped or refused (`upstreamPath`). */
  readonly queries: readonly string[]
}

const post = (name: string, body: BodyKind, metering: Metering, streams = false): Method => ({
  name,
  httpMethod: 'POST',
  body,
  metering,
  streams,
  queries: ['alt', '$alt', 'prettyPrint', '$prettyPrint'],
})

const get = (name: string, queries: readonly string[]): Method => ({
  name,
  httpMethod: 'GET',
  body: 'none',
  metering: 'none',
  streams: false,
  queries: ['alt', '$alt', 'prettyPrint', '$prettyPrint', ...queries],
})

const LIST_MODELS = get('ListModels', ['pageSize', 'page_size', 'pageToken', 'page_token'])
const GET_MODEL = get('GetModel', [])

const MODEL_VERBS: ReadonlyMap<string, Method> = new Map([
  ['generateContent', post('GenerateContent', 'generate', 'usageMetadata')],
  ['streamGenerateContent', post('StreamGenerateContent', 'generate', 'usageMetadata', true)],
  ['countTokens', post('CountTokens', 'countTokens', 'none')],
  ['embedContent', post('EmbedContent', 'embed', 'embedding')],
  ['batchEmbedContents', post('BatchEmbedContents', 'batchEmbed', 'embedding')],
])

/** A request target resolved to a method of the table. */
export interface Route {
  readonly method: Method
  readonly apiVersion: ApiVersion
  /** The model as asked for, before alias; empty for ListModels. */
  readonly model: string
}

const VERSIONS: ReadonlySet<string> = new Set(API_VERSIONS)
const MODELS = /^\/(v1|v1beta|v1alpha)\/models(?:\/([^/:]+)(?::([A-Za-z]+))?)?$/

/** Answers about paths, remembered: few distinct ones are asked for again and again. */
const KNOWN_PATHS_MAX = 1_000
const knownPlanes = new Map<string, boolean>()
const knownRoutes = new Map<string, Route>()

/** Whether a path belongs to the Gemini API, served or not: its errors then have the data plane's shape. */
export function isDataPlanePath(path: string): boolean {
  let isDataPlane = knownPlanes.get(path)
  if (isDataPlane === undefined) {
    isDataPlane = judgePlane(path)
    if (knownPlanes.size === KNOWN_PATHS_MAX) knownPlanes.clear()
    knownPlanes.set(path, isDataPlane)
  }
  return isDataPlane
}

function judgePlane(path: string): boolean {
  const first = path.slice(1, path.indexOf('/', 1) === -1 ? undefined : path.indexOf('/', 1))
  if (VERSIONS.has(first)) return !/^\/v1\/operations\/(cp|akmf)\./.test(path)
  return first === 'upload' || first === 'download' || first === 'ws'
}

/** Finds the method a request names. Throws METHOD_UNKNOWN for everything that is not in the table. */
export function routeOf(httpMethod: string, path: string): Route {
  let route = knownRoutes.get(path)
  if (route === undefined) {
    route = findRoute(httpMethod, path)
    if (knownRoutes.size === KNOWN_PATHS_MAX) knownRoutes.clear()
    knownRoutes.set(path, route)
  }
  if (route.method.httpMethod !== httpMethod) throw unknownMethod(httpMethod, path)
  return route
}

/** The same for the same path, whatever the HTTP method: no path has two. */
function findRoute(httpMethod: string, path: string): Route {
  const match = MODELS.exec(path)
  if (match === null) throw unknownMethod(httpMethod, path)
  const [, apiVersion, model, verb] = match
  if (model !== undefined && !isModelId(model)) throw unknownMethod(httpMethod, path)
  const method = verb !== undefined ? MODEL_VERBS.get(verb) : model === undefined ? LIST_MODELS : GET_MODEL
  if (method === undefined) throw unknownMethod(httpMethod, path)
  return { method, apiVersion: apiVersion as ApiVersion, model: model ?? '' }
}

function unknownMethod(httpMethod: string, path: string): ApiError {
  return new ApiError(
    'METHOD_UNKNOWN',
    `${httpMethod} ${path.slice(0, 200)} is not a method that this gateway forwards. ` +
      'It serves models.list, models.get, generateContent, streamGenerateContent, countTokens, embedContent and ' +
      'batchEmbedContents under /v1, /v1beta and /v1alpha.',
  )
}
