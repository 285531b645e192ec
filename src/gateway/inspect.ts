import { ApiError, fieldViolation } from '../domain/error.ts'
import { type JsonObject, asObject, assertOneSpelling, fieldOf, listOf } from '../domain/proto-json.ts'
import { type UsedTool, toolsUsed } from '../domain/tool.ts'
import type { BodyKind } from './methods.ts'
import { type StringSpan, parseStrictJson } from './strict-json.ts'

/** What a body asks for, as far as rules and metering need to know. */
export interface InspectedBody {
  readonly tools: ReadonlySet<UsedTool>
  /** Candidates asked for; at least 1. */
  readonly candidateCount: number
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

const NOTHING: InspectedBody = { tools: new Set(), candidateCount: 1, models: [], modelSpans: [] }

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
  const requests = requestsIn(body, kind)
  const modelSpans = parsed.modelSpans.filter(span => MODEL_FIELDS.has(span.path))
  const tools = new Set<UsedTool>()
  let candidateCount = 1
  for (const request of requests) {
    inspectRequest(request)
    if (kind === 'generate' || kind === 'countTokens') {
      for (const tool of toolsUsed(request, modelId)) tools.add(tool)
      candidateCount = Math.max(candidateCount, candidatesAsked(request))
    }
  }
  return {
    tools,
    candidateCount,
    models: modelSpans.map(span => span.value.replace(/^models\//, '')),
    modelSpans,
  }
}

/** The request messages a body consists of: itself, and those it wraps. */
function requestsIn(body: JsonObject, kind: BodyKind): JsonObject[] {
  assertOneSpelling(body, '')
  const wrapped =
    kind === 'countTokens'
      ? listOf(fieldOf(body, 'generateContentRequest'))
      : kind === 'batchEmbed'
        ? listOf(fieldOf(body, 'requests'))
        : []
  return [body, ...wrapped.map(asObject).filter(request => request !== null)]
}

function inspectRequest(request: JsonObject): void {
  assertOneSpelling(request, '')
  if (fieldOf(request, 'cachedContent') !== undefined) throw notOwned('cachedContent', 'cached contents')
  const config = asObject(fieldOf(request, 'generationConfig'))
  if (config !== null) {
    assertOneSpelling(config, 'generationConfig')
    const thinking = asObject(fieldOf(config, 'thinkingConfig'))
    if (thinking !== null) assertOneSpelling(thinking, 'generationConfig.thinkingConfig')
  }
  for (const tool of listOf(fieldOf(request, 'tools'))) inspectTool(tool)
  for (const holder of ['contents', 'content', 'systemInstruction']) {
    for (const content of listOf(fieldOf(request, holder))) inspectContent(content, holder)
  }
}

function inspectTool(value: unknown): void {
  const tool = asObject(value)
  if (tool === null) return
  assertOneSpelling(tool, 'tools')
  if (fieldOf(tool, 'fileSearch') !== undefined) throw notOwned('tools.fileSearch', 'file search stores')
  if (fieldOf(tool, 'retrieval') !== undefined) throw notOwned('tools.retrieval', 'retrieval sources')
}

function inspectContent(value: unknown, where: string): void {
  const content = asObject(value)
  if (content === null) return
  assertOneSpelling(content, where)
  for (const element of listOf(fieldOf(content, 'parts'))) {
    const part = asObject(element)
    if (part === null) continue
    assertOneSpelling(part, `${where}.parts`)
    // What a function answered may hold media parts of its own.
    const answered = asObject(fieldOf(part, 'functionResponse'))
    if (answered !== null) inspectContent(answered, `${where}.parts.functionResponse`)
    const file = asObject(fieldOf(part, 'fileData'))
    if (file === null) continue
    assertOneSpelling(file, `${where}.parts.fileData`)
    const uri = fieldOf(file, 'fileUri')
    if (!isPublicUri(uri)) throw notOwned(`${where}.parts.fileData.fileUri`, 'files')
  }
}

/**
 * Whether a fileUri leads to the public web, a video for example, rather than to an object of the upstream's project:
 * a file of the Files API, or a bucket that its credential may read.
 */
function isPublicUri(uri: unknown): boolean {
  if (typeof uri !== 'string' || !URL.canParse(uri)) return false
  const { protocol, hostname } = new URL(uri)
  if (protocol !== 'https:' && protocol !== 'http:') return false
  return !/(^|\.)(googleapis\.com|cloud\.google\.com|googleusercontent\.com)\.?$/.test(hostname)
}

function candidatesAsked(request: JsonObject): number {
  const config = asObject(fieldOf(request, 'generationConfig'))
  const count = config === null ? undefined : Number(fieldOf(config, 'candidateCount') ?? 1)
  return count !== undefined && Number.isInteger(count) && count > 1 ? count : 1
}

function notOwned(field: string, what: string): ApiError {
  return new ApiError(
    'OBJECT_NOT_OWNED',
    `'${field}' refers to ${what} of the upstream project, which this gateway does not keep apart by project yet. ` +
      'Send the content inline, or as a public URL.',
    { details: [fieldViolation(field, `references to ${what} are not forwarded`)] },
  )
}
