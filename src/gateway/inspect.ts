import { ApiError, fieldViolation, invalidField } from '../domain/error.ts'
import { type JsonObject, asObject, assertOneSpelling, fieldOf, listOf } from '../domain/proto-json.ts'
import { type UsedTool, defaultTools, toolsUsed } from '../domain/tool.ts'
import { type Demand, NO_DEMAND, demandOf } from './demand.ts'
import type { BodyKind } from './methods.ts'
import { type StringSpan, parseStrictJson } from './strict-json.ts'

/** What a body asks for, as far as rules and metering need to know. */
export interface InspectedBody {
  readonly tools: ReadonlySet<UsedTool>
  readonly demand: Demand
  /** Every model the body names, without `models/`. */
  readonly models: readonly string[]
  /** Where those names stand, in the same order. */
  readonly modelSpans: readonly StringSpan[]
}

/** Where a request names its model, besides the URL. */
const MODEL_FIELDS: ReadonlySet<string> = new Set([
  'model',
  'requests.model',
  'generateContentRequest.model',
  'generate_content_request.model',
])

const NONE: readonly never[] = []
const NOTHING: InspectedBody = { tools: new Set(), demand: NO_DEMAND, models: NONE, modelSpans: NONE }

/**
 * Fields that this file, or domain/tool, looks for. A body in which none of them stands anywhere, nor any name in
 * snake_case, holds nothing that is refused or counted here: most bodies, and they need not be walked.
 */
const TELLING_NAMES: ReadonlySet<string> = new Set([
  'cachedContent',
  'fileData',
  'functionResponse',
  'generateContentRequest',
  'requests',
  'responseModalities',
  'speechConfig',
  'tools',
])

function isPlain(names: ReadonlySet<string>): boolean {
  for (const name of names) if (TELLING_NAMES.has(name) || name.includes('_')) return false
  return true
}

/**
 * Reads a body of the given kind without changing it. Throws REQUEST_MALFORMED, FIELD_AMBIGUOUS, and OBJECT_NOT_OWNED
 * for a reference to anything that lives in the upstream's project.
 */
export function inspectBody(bytes: Buffer, kind: BodyKind, modelId: string): InspectedBody {
  if (kind === 'none') return NOTHING
  const parsed = parseStrictJson(bytes)
  const body = asObject(parsed.value)
  if (body === null) {
    throw new ApiError('REQUEST_MALFORMED', 'Invalid JSON payload received. The body must be a JSON object.')
  }
  const { names, objects } = parsed
  if (isPlain(names) && !names.has('model')) {
    if (names.has('generationConfig')) inspectConfig(body)
    const speaks = kind === 'generate' || kind === 'countTokens'
    const demand = demandOf({ bytes: bytes.length, requests: [body], names, objects })
    return { tools: speaks ? defaultTools(modelId) : NOTHING.tools, demand, models: NONE, modelSpans: NONE }
  }
  const requests = requestsIn(body, kind)
  const modelSpans = parsed.modelSpans.filter(span => MODEL_FIELDS.has(span.path))
  const tools = new Set<UsedTool>()
  for (const request of requests) {
    inspectRequest(request)
    if (kind === 'generate' || kind === 'countTokens') {
      for (const tool of toolsUsed(request, modelId)) tools.add(tool)
    }
  }
  return {
    tools,
    demand: demandOf({ bytes: bytes.length, requests, names, objects }),
    models: modelSpans.map(span => span.value.replace(/^models\//, '')),
    modelSpans,
  }
}

/** The request messages a body consists of: itself, and those it wraps. */
function requestsIn(body: JsonObject, kind: BodyKind): JsonObject[] {
  assertOneSpelling(body, '')
  if (kind === 'batchEmbed') return [body, ...messagesOf(body, 'requests', '')]
  const wrapped = kind === 'countTokens' ? messageOf(body, 'generateContentRequest', '') : null
  return wrapped === null ? [body] : [body, wrapped]
}

function inspectRequest(request: JsonObject): void {
  assertOneSpelling(request, '')
  if (fieldOf(request, 'cachedContent') !== undefined) throw notOwned('cachedContent', 'cached contents')
  inspectConfig(request)
  for (const tool of messagesOf(request, 'tools', '')) inspectTool(tool)
  for (const holder of ['contents', 'content', 'systemInstruction']) {
    for (const content of messagesOf(request, holder, '')) inspectContent(content, holder)
  }
}

function inspectConfig(request: JsonObject): void {
  const config = messageOf(request, 'generationConfig', '')
  if (config !== null) messageOf(config, 'thinkingConfig', 'generationConfig')
}

function inspectTool(tool: JsonObject): void {
  if (fieldOf(tool, 'fileSearch') !== undefined) throw notOwned('tools.fileSearch', 'file search stores')
  if (fieldOf(tool, 'retrieval') !== undefined) throw notOwned('tools.retrieval', 'retrieval sources')
}

function inspectContent(content: JsonObject, where: string): void {
  for (const part of messagesOf(content, 'parts', where)) {
    const wherePart = `${where}.parts`
    // What a function answered may hold media parts of its own.
    const answered = messageOf(part, 'functionResponse', wherePart)
    if (answered !== null) inspectContent(answered, `${wherePart}.functionResponse`)
    const file = messageOf(part, 'fileData', wherePart)
    if (file === null) continue
    if (!isPublicUri(fieldOf(file, 'fileUri'))) throw notOwned(`${wherePart}.fileData.fileUri`, 'files')
  }
}

/** A field that holds one message; null where it is absent. `where` is the path of `parent`. */
function messageOf(parent: JsonObject, name: string, where: string): JsonObject | null {
  const value = fieldOf(parent, name)
  return value === undefined ? null : messageIn(value, where === '' ? name : `${where}.${name}`)
}

/** The messages of a repeated field. */
function messagesOf(parent: JsonObject, name: string, where: string): JsonObject[] {
  const path = where === '' ? name : `${where}.${name}`
  return listOf(fieldOf(parent, name)).map(value => messageIn(value, path))
}

/**
 * A message that may refer to something. What is none is refused here rather than forwarded unread: a lenient
 * parser may take the elements of a list inside a list for elements of the outer one.
 */
function messageIn(value: unknown, where: string): JsonObject {
  const message = asObject(value)
  if (message === null) throw invalidField(where, 'must be a JSON object')
  assertOneSpelling(message, where)
  return message
}

/**
 * Whether a fileUri leads to the public web, a video for example, rather than to an object of the upstream's project:
 * a file of the Files API, of whatever Gemini-speaking server, or a bucket that its credential may read.
 */
function isPublicUri(uri: unknown): boolean {
  if (typeof uri !== 'string' || !URL.canParse(uri)) return false
  const { protocol, hostname, href } = new URL(uri)
  if (protocol !== 'https:' && protocol !== 'http:') return false
  if (/(^|\.)(googleapis\.com|cloud\.google\.com|googleusercontent\.com)\.?$/.test(hostname)) return false
  return !/\/v1[a-z]*\/files\//i.test(unescaped(href))
}

/** The text with its percent escapes resolved as far as they can be. */
function unescaped(text: string): string {
  return text.replaceAll(/(?:%[0-7][0-9a-f])/gi, escape => decodeURIComponent(escape))
}

function notOwned(field: string, what: string): ApiError {
  return new ApiError(
    'OBJECT_NOT_OWNED',
    `'${field}' refers to ${what} of the upstream project, which this gateway does not keep apart by project yet. ` +
      'Send the content inline, or as a public URL.',
    { details: [fieldViolation(field, `references to ${what} are not forwarded`)] },
  )
}
