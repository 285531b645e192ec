/**
 * Reading proto JSON as Google's parsers read it (protobuf.dev, ProtoJSON): every field under its lowerCamelCase and
 * its original snake_case name, and a lone value where a list is expected counted as a list of one. Whoever inspects
 * only one spelling is bypassed with the other.
 */
import { ApiError, fieldViolation } from './error.ts'

export type JsonObject = Readonly<Record<string, unknown>>

/** `value` as an object, or null when it is anything else. */
export function asObject(value: unknown): JsonObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null
}

/** The field under either spelling; `name` is lowerCamelCase. Undefined when absent or null, as proto JSON has it. */
export function fieldOf(object: JsonObject, name: string): unknown {
  const camel = Object.hasOwn(object, name) ? object[name] : undefined
  if (camel !== undefined && camel !== null) return camel
  const snake = snakeCase(name)
  return (Object.hasOwn(object, snake) ? object[snake] : undefined) ?? undefined
}

/** A repeated field's elements: an array as it is, nothing as an empty list, a lone value as a list of one. */
export function listOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? value : [value]
}

/** Throws FIELD_AMBIGUOUS when an object carries one field under both spellings. `where` is its JSON path. */
export function assertOneSpelling(object: JsonObject, where: string): void {
  for (const key of Object.keys(object)) {
    if (!key.includes('_')) continue
    const camel = camelCase(key)
    if (camel !== key && Object.hasOwn(object, camel)) {
      const field = where === '' ? camel : `${where}.${camel}`
      throw new ApiError(
        'FIELD_AMBIGUOUS',
        `'${field}' is given twice, as '${camel}' and as '${key}'. Send one.`,
        {
          details: [fieldViolation(field, 'given under both of its spellings')],
        },
      )
    }
  }
}

const SNAKE = new Map<string, string>()

/** `maxOutputTokens` -> `max_output_tokens`. */
function snakeCase(name: string): string {
  let snake = SNAKE.get(name)
  if (snake === undefined) {
    snake = name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
    if (SNAKE.size < 1_000) SNAKE.set(name, snake)
  }
  return snake
}

/** `max_output_tokens` -> `maxOutputTokens`. */
export function camelCase(name: string): string {
  return name.replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}
