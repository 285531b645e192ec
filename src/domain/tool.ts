/** What a generateContent body switches on beyond plain text: the tools and outputs that allowedTools speaks about. */
import { ALLOWED_TOOLS, type AllowedTool } from './key.ts'
import { modelOutputs } from './model.ts'
import { asObject, camelCase, listOf, type JsonObject } from './proto-json.ts'

/** A tool or response modality that allowedTools has no word for, by its own name: never allowed on a restricted key. */
export type OtherTool = `other:${string}`

export type UsedTool = AllowedTool | OtherTool

const NAME_CHARS_MAX = 64

/** Fields of google.ai.generativelanguage.Tool. Function declarations run on the caller's side and are always allowed. */
const TOOL_FIELDS: ReadonlyMap<string, AllowedTool | null> = new Map([
  ['functionDeclarations', null],
  ['googleSearch', 'googleSearch'],
  ['googleSearchRetrieval', 'googleSearch'],
  ['googleMaps', 'googleMaps'],
  ['codeExecution', 'codeExecution'],
  ['urlContext', 'urlContext'],
])

/** GenerationConfig.Modality by name and number. */
const MODALITIES: ReadonlyMap<unknown, AllowedTool | null> = new Map<unknown, AllowedTool | null>([
  ['TEXT', null],
  [1, null],
  ['IMAGE', 'imageOutput'],
  [2, 'imageOutput'],
  ['AUDIO', 'audioOutput'],
  [3, 'audioOutput'],
])

/** The elements of a field under both its spellings. */
function bothSpellings(message: JsonObject, camel: string, snake: string): readonly unknown[] {
  const written = listOf(message[camel])
  return message[snake] === undefined ? written : [...written, ...listOf(message[snake])]
}

const other = (name: string): OtherTool => `other:${name.slice(0, NAME_CHARS_MAX)}`

function addTool(tool: unknown, used: Set<UsedTool>): void {
  const fields = asObject(tool)
  if (fields === null) used.add(other('malformedTool'))
  for (const [field, value] of Object.entries(fields ?? {})) {
    if (value === null) continue
    const name = camelCase(field)
    const allowed = TOOL_FIELDS.get(name)
    if (allowed !== null) used.add(allowed ?? other(name))
  }
}

function addModality(value: unknown, used: Set<UsedTool>): void {
  const allowed = MODALITIES.get(typeof value === 'string' ? value.toUpperCase() : value)
  if (allowed === null) return
  const name = typeof value === 'string' || typeof value === 'number' ? String(value) : 'malformed'
  used.add(allowed ?? other(`responseModalities=${name}`))
}

function addDefaultOutputs(modelId: string, used: Set<UsedTool>): void {
  const outputs = modelOutputs(modelId)
  if (outputs.image) used.add('imageOutput')
  if (outputs.audio) used.add('audioOutput')
}

function addOutputs(config: unknown, modelId: string, used: Set<UsedTool>): void {
  const fields = asObject(config) ?? {}
  const modalities = bothSpellings(fields, 'responseModalities', 'response_modalities')
  if (modalities.length === 0) addDefaultOutputs(modelId, used)
  for (const modality of modalities) addModality(modality, used)
  if (bothSpellings(fields, 'speechConfig', 'speech_config').length > 0) used.add('audioOutput')
}

function addRequest(message: JsonObject, modelId: string, used: Set<UsedTool>): void {
  for (const tool of listOf(message['tools'])) addTool(tool, used)
  const configs = bothSpellings(message, 'generationConfig', 'generation_config')
  if (configs.length === 0) addDefaultOutputs(modelId, used)
  for (const config of configs) addOutputs(config, modelId, used)
}

const NO_TOOLS: ReadonlySet<UsedTool> = new Set()

/** What a request uses that says nothing of tools and outputs: what its model answers with unasked. */
export function defaultTools(modelId: string): ReadonlySet<UsedTool> {
  const { image, audio } = modelOutputs(modelId)
  if (!image && !audio) return NO_TOOLS
  const used = new Set<UsedTool>()
  addDefaultOutputs(modelId, used)
  return used
}

/**
 * What a parsed generateContent or countTokens body uses. Reads proto JSON as Google's parsers do: both spellings of every
 * field, a lone value for a list, enums by name in any case or by number; in doubt something is used. Where
 * responseModalities is absent or empty the model's own output counts; speechConfig is audio; googleSearchRetrieval is
 * googleSearch. A request nested in countTokens' generateContentRequest counts like the outer one.
 */
export function toolsUsed(body: unknown, modelId: string): ReadonlySet<UsedTool> {
  const used = new Set<UsedTool>()
  const message = asObject(body) ?? {}
  addRequest(message, modelId, used)
  for (const nested of bothSpellings(message, 'generateContentRequest', 'generate_content_request')) {
    addRequest(asObject(nested) ?? {}, modelId, used)
  }
  return used
}

/** The name of a used tool as its caller wrote it, e.g. `googleSearch`, `fileSearch`, `responseModalities=VIDEO`. */
export function toolName(tool: UsedTool): string {
  return tool.startsWith('other:') ? tool.slice('other:'.length) : tool
}

/** Whether allowedTools can hold the tool at all. */
export function isAllowable(tool: UsedTool): tool is AllowedTool {
  return ALLOWED_TOOLS.some(allowed => allowed === tool)
}
