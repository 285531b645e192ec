/** Requests into the declared shape: both spellings of a name, proto JSON's nulls, and messages that name the field. */
import { z } from 'zod'
import { type Endpoint, isOwnSurface } from '../contract/endpoint.ts'
import { ApiError, fieldViolation, invalidField } from '../domain/error.ts'
import { camelCase } from '../domain/proto-json.ts'
import { shownName } from '../domain/redaction.ts'

/** Query parameters every Google API has (discovery documents, `parameters`). None of them means anything here. */
const STANDARD_QUERY: ReadonlySet<string> = new Set([
  '$.xgafv',
  '$alt',
  '$fields',
  '$prettyPrint',
  'access_token',
  'alt',
  'callback',
  'fields',
  'key',
  'oauth_token',
  'prettyPrint',
  'quotaUser',
  'uploadType',
  'upload_protocol',
])

/**
 * The query in the endpoint's shape. Empty parameters count as absent. Throws FIELD_INVALID for a bad value (and, where
 * no foreign client has to be tolerated, for an unknown name), FIELD_AMBIGUOUS for a parameter given twice.
 */
export function parseQuery(endpoint: Endpoint, query: URLSearchParams): Record<string, unknown> {
  const { shape } = endpoint.query
  const values = new Map<string, unknown>()
  for (const [spelling, text] of query) {
    const name = camelCase(spelling)
    const schema = Object.hasOwn(shape, name) ? shape[name] : undefined
    if (schema === undefined) {
      // A declared parameter comes first: the `key` of a usage report is no API key.
      if (isOwnSurface(endpoint) && !STANDARD_QUERY.has(spelling))
        throw unknownParameter(spelling, Object.keys(shape))
    } else if (text !== '') {
      const inner = unwrap(schema)
      const before = values.get(name)
      if (before !== undefined && !Array.isArray(before)) throw givenTwice(name)
      const value = decode(inner, text)
      values.set(
        name,
        Array.isArray(before) && Array.isArray(value) ? [...before, ...(value as unknown[])] : value,
      )
    }
  }
  return check(endpoint.query, Object.fromEntries(values))
}

/**
 * The body in the endpoint's shape; `null` when it takes none. Output-only fields are dropped, null is a field left out
 * unless the field can be null. Throws FIELD_INVALID and FIELD_AMBIGUOUS; map keys are never re-spelled.
 */
export function parseBody({ body: schema }: Endpoint, body: unknown): Record<string, unknown> | null {
  if (schema === null) return null
  return check(schema, normalise(schema, body ?? {}, ''))
}

/** The fields a body has on the wire. The Node client sends `annotations: {}` always, so an empty map is not there. */
export function presentFields(body: Readonly<Record<string, unknown>>): readonly string[] {
  const isMap = (field: string): boolean => field === 'annotations' || field === 'labels'
  return Object.keys(body).filter(
    field => body[field] !== undefined && !(isMap(field) && Object.keys(body[field] ?? {}).length === 0),
  )
}

/** Proto JSON cannot tell an empty etag from none. */
export function emptyToNull(etag: string | undefined): string | null {
  return etag === undefined || etag === '' ? null : etag
}

function decode(schema: z.core.$ZodType, text: string): unknown {
  if (schema instanceof z.ZodNumber) return /^-?\d{1,15}$/.test(text) ? Number(text) : text
  if (schema instanceof z.ZodBoolean) return text === 'true' ? true : text === 'false' ? false : text
  if (schema instanceof z.ZodArray) return text.split(',').map(part => part.trim())
  return text
}

function normalise(schema: z.core.$ZodType, value: unknown, where: string): unknown {
  const inner = unwrap(schema)
  if (inner instanceof z.ZodArray && Array.isArray(value)) {
    return value.map((element, index) => normalise(inner.element, element, `${where}[${index}]`))
  }
  if (
    !(inner instanceof z.ZodObject) ||
    typeof value !== 'object' ||
    value === null ||
    Array.isArray(value)
  ) {
    return value
  }
  const shape: Readonly<Record<string, z.core.$ZodType>> = inner.shape
  const fields = new Map<string, unknown>()
  for (const [spelling, part] of Object.entries(value)) {
    const name = camelCase(spelling)
    const field = Object.hasOwn(shape, name) ? shape[name] : undefined
    if (field === undefined) throw unknownField(spelling, where)
    if (isReadOnly(field) || (part === null && !isNullable(field))) continue
    if (fields.has(name)) throw givenTwice(where === '' ? name : `${where}.${name}`)
    fields.set(name, normalise(field, part, where === '' ? name : `${where}.${name}`))
  }
  return Object.fromEntries(fields)
}

function check(schema: z.ZodObject, value: unknown): Record<string, unknown> {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const path = (issue?.path ?? []).map(part =>
    typeof part === 'number' ? `[${part}]` : `.${shownName(String(part))}`,
  )
  const field = path.join('').replace(/^\./, '')
  throw invalidField(field === '' ? 'body' : field, issue?.message ?? 'not of the declared form')
}

/** The schema inside optional, nullable and default. */
function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  return schema instanceof z.ZodOptional || schema instanceof z.ZodNullable ? unwrap(schema.unwrap()) : schema
}

function isNullable(schema: z.core.$ZodType): boolean {
  return schema instanceof z.ZodNullable || (schema instanceof z.ZodOptional && isNullable(schema.unwrap()))
}

function isReadOnly(schema: z.core.$ZodType): boolean {
  if (z.globalRegistry.get(schema)?.['readOnly'] === true) return true
  return schema instanceof z.ZodOptional && isReadOnly(schema.unwrap())
}

function unknownField(name: string, where: string): ApiError {
  const at = where === '' ? '' : ` at '${where}'`
  const message = `Invalid JSON payload received. Unknown name "${shownName(name)}"${at}: Cannot find field.`
  return new ApiError('FIELD_INVALID', message, { details: [fieldViolation(where, message)] })
}

function unknownParameter(name: string, known: readonly string[]): ApiError {
  const valid = known.length === 0 ? 'this method takes none' : `known are ${known.join(', ')}`
  return invalidField(shownName(name), `unknown query parameter; ${valid}`)
}

function givenTwice(field: string): ApiError {
  return new ApiError('FIELD_AMBIGUOUS', `'${field}' is given more than once. Send it once.`, {
    details: [fieldViolation(field, 'given more than once')],
  })
}
