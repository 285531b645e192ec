import { ApiError, fieldViolation } from './error.ts'
import { camelCase } from './proto-json.ts'
import { shownName } from './redaction.ts'

/**
 * The fields that an update changes (AIP-134, google.protobuf.FieldMask). `mask` is a comma-separated list in camelCase or
 * snake_case; `*` alone is every mutable field; empty or absent means those of `present`. Throws MASK_INVALID for anything
 * else: a field that does not exist or cannot be changed, a sub-path (a field is replaced whole), `*` among others.
 */
export function parseMask<Field extends string>(
  mask: string | undefined,
  mutable: readonly Field[],
  present: readonly string[],
): ReadonlySet<Field> {
  const paths = (mask ?? '').split(',').map(path => path.trim())
  if (paths.every(path => path === '')) return new Set(mutable.filter(field => present.includes(field)))
  if (paths.length === 1 && paths[0] === '*') return new Set(mutable)
  const fields = new Set<Field>()
  for (const path of paths) {
    const field = mutable.find(name => name === camelCase(path))
    if (field === undefined) throw invalidMask(path, mutable)
    fields.add(field)
  }
  return fields
}

function invalidMask(path: string, mutable: readonly string[]): ApiError {
  const why = path.includes('.') ? 'names a part of a field; fields are replaced whole' : 'cannot be changed'
  const message = `Invalid updateMask: '${shownName(path)}' ${why}. Valid are ${mutable.join(', ')}, or * alone.`
  return new ApiError('MASK_INVALID', message, { details: [fieldViolation('updateMask', message)] })
}
