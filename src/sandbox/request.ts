/** GenerateContentRequest as the sandbox understands it, checked as Google checks it. */
import { ApiError } from '../domain/error.ts'
import {
  field,
  invalidArgument,
  invalidPayload,
  messageField,
  messagesField,
  refuseUnknown,
  textField,
} from './fields.ts'
import type { Message } from './fields.ts'
import { mediaTokens, sumByModality, textTokens } from './tokens.ts'
import type { ModalityTokens } from './tokens.ts'

export type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'media'; readonly mimeType: string; readonly bytes: number }
  | { readonly kind: 'functionResponse'; readonly name: string; readonly response: unknown }
  /** Anything else a model said or was told before; counted, not understood. */
  | { readonly kind: 'other'; readonly json: string }

export interface Content {
  readonly role: string
  readonly parts: readonly Part[]
}

export interface GenerateRequest {
  readonly contents: readonly Content[]
  readonly systemInstruction: Content | null
  readonly tools: readonly Message[]
  readonly functionDeclarations: readonly Message[]
  readonly functionCallingConfig: Message
  readonly generationConfig: Message
  /** flex, priority or standard. */
  readonly serviceTier: string
  /** What it counts, by modality. */
  readonly promptTokens: readonly ModalityTokens[]
}

const REQUEST_FIELDS = [
  'model',
  'contents',
  'systemInstruction',
  'tools',
  'toolConfig',
  'safetySettings',
  'generationConfig',
  'cachedContent',
  'serviceTier',
  'store',
  'labels',
  'continuationToken',
]

const ROLES = ['', 'user', 'model', 'function', 'tool']
const YOUTUBE = /^https?:\/\/(www\.)?(youtube\.com|youtu\.be)\//
const YOUTUBE_BYTES = 15_000_000

/** Throws the 400 or 403 that Google answers to a request it does not take. */
export function parseGenerateRequest(message: Message): GenerateRequest {
  refuseUnknown(message, REQUEST_FIELDS)
  const cachedContent = textField(message, 'cachedContent')
  if (cachedContent !== undefined && cachedContent !== '') {
    throw notPermitted(`CachedContent not found (or permission denied)`)
  }
  const contents = parseContents(messagesField(message, 'contents'))
  const system = messageField(message, 'systemInstruction')
  const systemInstruction = system === undefined ? null : parseContent(system, 'system_instruction')
  const tools = messagesField(message, 'tools')
  const functionDeclarations = tools.flatMap(tool => messagesField(tool, 'functionDeclarations'))
  const toolConfig = messageField(message, 'toolConfig') ?? {}
  const tier = textField(message, 'serviceTier')?.toLowerCase().replace('service_tier_', '')
  return {
    contents,
    systemInstruction,
    tools,
    functionDeclarations,
    functionCallingConfig: messageField(toolConfig, 'functionCallingConfig') ?? {},
    generationConfig: messageField(message, 'generationConfig') ?? {},
    serviceTier: tier === 'flex' || tier === 'priority' ? tier : 'standard',
    promptTokens: promptTokens(
      [...contents, ...(systemInstruction ? [systemInstruction] : [])],
      functionDeclarations,
    ),
  }
}

/** countTokens: bare contents, or a whole request under generateContentRequest. Throws as generateContent does. */
export function parseCountRequest(message: Message): GenerateRequest {
  refuseUnknown(message, ['model', 'contents', 'generateContentRequest'])
  return parseGenerateRequest(messageField(message, 'generateContentRequest') ?? message)
}

/** Throws 400 unless there is at least one content and each is whole. */
function parseContents(messages: readonly Message[]): readonly Content[] {
  if (messages.length === 0) {
    throw invalidArgument('* GenerateContentRequest.contents: contents is not specified\n')
  }
  return messages.map((content, index) => parseContent(content, `contents[${index}]`))
}

/** Throws 400; `path` is where the content stands, for the message. */
export function parseContent(message: Message, path: string): Content {
  const role = textField(message, 'role') ?? ''
  if (!ROLES.includes(role) && path.startsWith('contents')) {
    throw invalidArgument('Please use a valid role: user, model.')
  }
  const parts = messagesField(message, 'parts')
  if (parts.length === 0) {
    throw invalidArgument(`* GenerateContentRequest.${path}.parts: contents.parts must not be empty.\n`)
  }
  return { role, parts: parts.map((part, index) => parsePart(part, `${path}.parts[${index}]`)) }
}

function parsePart(part: Message, path: string): Part {
  const text = textField(part, 'text')
  if (text !== undefined) return { kind: 'text', text }
  const blob = messageField(part, 'inlineData')
  if (blob !== undefined) {
    return {
      kind: 'media',
      mimeType: textField(blob, 'mimeType') ?? 'application/octet-stream',
      bytes: base64Bytes(textField(blob, 'data') ?? '', `${path}.inline_data.data`),
    }
  }
  const file = messageField(part, 'fileData')
  if (file !== undefined) {
    const uri = textField(file, 'fileUri') ?? ''
    if (YOUTUBE.test(uri)) return { kind: 'media', mimeType: 'video/mp4', bytes: YOUTUBE_BYTES }
    throw notPermitted(
      `You do not have permission to access the File ${uri.split('/').at(-1) ?? ''} or it may not exist.`,
    )
  }
  const answered = messageField(part, 'functionResponse')
  if (answered !== undefined) {
    const response = field(answered, 'response') ?? {}
    return { kind: 'functionResponse', name: textField(answered, 'name') ?? '', response }
  }
  if (Object.keys(part).length === 0) {
    throw invalidArgument(
      `* GenerateContentRequest.${path}.data: required oneof field 'data' must have one initialized field\n`,
    )
  }
  return { kind: 'other', json: JSON.stringify(part) }
}

/** Both base64 alphabets, padding optional, as proto JSON allows. Returns the decoded size. */
function base64Bytes(data: string, path: string): number {
  const digits = data.replace(/={1,2}$/, '')
  if (/[^A-Za-z0-9+/_-]/.test(digits) || digits.length % 4 === 1) {
    throw invalidPayload(`Invalid value at '${path}' (TYPE_BYTES), Base64 decoding failed`, path)
  }
  return Math.floor((digits.length * 3) / 4)
}

function notPermitted(message: string): ApiError {
  return new ApiError('IAM_PERMISSION_DENIED', message, { errorInfo: false })
}

function promptTokens(
  contents: readonly Content[],
  declarations: readonly Message[],
): readonly ModalityTokens[] {
  const parts = contents.flatMap(content => content.parts).map(partTokens)
  const tools = declarations.map(tool => ({
    modality: 'TEXT' as const,
    tokenCount: textTokens(JSON.stringify(tool)),
  }))
  return sumByModality([...parts, ...tools])
}

/** What one part of a content counts. */
export function partTokens(part: Part): ModalityTokens {
  if (part.kind === 'media') return mediaTokens(part.mimeType, part.bytes)
  return { modality: 'TEXT', tokenCount: textTokens(partText(part)) }
}

function partText(part: Exclude<Part, { kind: 'media' }>): string {
  if (part.kind === 'text') return part.text
  return part.kind === 'other' ? part.json : `${part.name}${JSON.stringify(part.response)}`
}

/** The text of a content's text parts. */
export function contentText(content: Content | null | undefined): string {
  const texts = content?.parts.flatMap(part => (part.kind === 'text' ? [part.text] : [])) ?? []
  return texts.join(' ').trim()
}

/** What the model was asked: the text of the newest content of the user's. */
export function question(request: GenerateRequest): string {
  return contentText(
    request.contents.findLast(content => content.role !== 'model' && contentText(content) !== ''),
  )
}

/** The function responses the request ends with, if it ends so. */
export function functionResponses(
  request: GenerateRequest,
): readonly (Part & { kind: 'functionResponse' })[] {
  return request.contents.at(-1)?.parts.filter(part => part.kind === 'functionResponse') ?? []
}
