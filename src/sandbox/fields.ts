/** Reading proto JSON: every field under both spellings, with the refusals that Google's parser has. */
import { ApiError } from '../domain/error.ts'
import type { Detail } from '../domain/error.ts'

/** A JSON object that stands for a proto message. */
export type Message = Readonly<Record<string, unknown>>

/** How deep a request's JSON may nest: protobuf's own recursion limit. */
const DEPTH_MAX = 100

/** A 400 INVALID_ARGUMENT whose message is also its one field violation, as Google's JSON parser answers. */
export function invalidPayload(message: string, field?: string): ApiError {
  const violation = field === undefined ? { description: message } : { field, description: message }
  const badRequest: Detail = {
    '@type': 'type.googleapis.com/google.rpc.BadRequest',
    fieldViolations: [violation],
  }
  return new ApiError('FIELD_INVALID', message, { errorInfo: false, details: [badRequest] })
}

/** A 400 INVALID_ARGUMENT with a bare message, as Google's request validation answers. */
export function invalidArgument(message: string): ApiError {
  return new ApiError('FIELD_INVALID', message, { errorInfo: false })
}

export function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The JSON object in the bytes. Throws 400 for anything else. */
export function parseMessage(bytes: Uint8Array): Message {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    // The parser's own message quotes the payload, which is nobody's business.
    throw new ApiError('REQUEST_MALFORMED', 'Invalid JSON payload received. Unexpected token.', {
      errorInfo: false,
      cause,
    })
  }
  if (!isMessage(value)) {
    throw invalidPayload('Invalid JSON payload received. Root element must be a message.')
  }
  refuseDepth(value)
  return value
}

/** Level by level and not by recursion: the depth is the client's to choose. */
function refuseDepth(root: Message): void {
  let level: object[] = [root]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > DEPTH_MAX) {
      throw invalidArgument(
        `Invalid JSON payload received. Message too deep. Max recursion depth reached: ${DEPTH_MAX}.`,
      )
    }
    level = level.flatMap(node =>
      Object.values(node).filter((child): child is object => typeof child === 'object' && child !== null),
    )
  }
}

/** `maxOutputTokens` -> `max_output_tokens`. */
function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
}

/** The field's value under its camelCase or its snake_case name. `null` is the same as absent (proto JSON). */
export function field(message: Message, name: string): unknown {
  return own(message, name) ?? own(message, snakeCase(name)) ?? undefined
}

function own(message: Message, name: string): unknown {
  return Object.hasOwn(message, name) ? message[name] : undefined
}

/** Throws 400 for a field that is in neither spelling among the names. */
export function refuseUnknown(message: Message, names: readonly string[]): void {
  for (const name of Object.keys(message)) {
    if (names.includes(name) || names.some(known => snakeCase(known) === name)) continue
    throw invalidPayload(`Invalid JSON payload received. Unknown name "${name}": Cannot find field.`)
  }
}

function wrongType(name: string, type: string, value: unknown): ApiError {
  const shown = typeof value === 'object' ? '' : `, ${JSON.stringify(value)}`
  const path = snakeCase(name)
  return invalidPayload(`Invalid value at '${path}' (${type})${shown}`, path)
}

export function textField(message: Message, name: string): string | undefined {
  const value = field(message, name)
  if (value === undefined || typeof value === 'string') return value
  throw wrongType(name, 'TYPE_STRING', value)
}

/** An int32 or int64: a number or a string of digits (proto JSON writes int64 as strings). */
export function integerField(message: Message, name: string): number | undefined {
  const value = field(message, name)
  if (value === undefined) return undefined
  const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && Number.isSafeInteger(number)) return number
  throw wrongType(name, 'TYPE_INT32', value)
}

export function numberField(message: Message, name: string): number | undefined {
  const value = field(message, name)
  if (value === undefined || typeof value === 'number') return value
  throw wrongType(name, 'TYPE_DOUBLE', value)
}

export function booleanField(message: Message, name: string): boolean {
  const value = field(message, name)
  if (value === undefined || typeof value === 'boolean') return value ?? false
  throw wrongType(name, 'TYPE_BOOL', value)
}

export function messageField(message: Message, name: string): Message | undefined {
  const value = field(message, name)
  if (value === undefined || isMessage(value)) return value
  throw wrongType(name, 'type.googleapis.com/google.protobuf.Message', value)
}

/** A repeated message. One alone needs no brackets: Google's documentation itself writes `"tools": {..}`. */
export function messagesField(message: Message, name: string): readonly Message[] {
  const value = field(message, name)
  if (value === undefined) return []
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (list.every(isMessage)) return list
  throw wrongType(name, 'type.googleapis.com/google.protobuf.Message', value)
}

/** A repeated string. */
export function textsField(message: Message, name: string): readonly string[] {
  const value = field(message, name)
  if (value === undefined) return []
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (list.every(item => typeof item === 'string')) return list
  throw wrongType(name, 'TYPE_STRING', value)
}
