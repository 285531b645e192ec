import { ApiError } from '../domain/error.ts'
import type { Call } from './call.ts'
import type { Method } from './methods.ts'

/** Google's system parameters that mean nothing to a gateway: dropped without a word. */
const IGNORED_QUERIES: ReadonlySet<string> = new Set([
  'key',
  'quotaUser',
  '$.xgafv',
  'uploadType',
  'upload_protocol',
])

/**
 * Checks the query of a call before it is let in. Throws FIELD_INVALID for parameters that would change what the reply
 * says of its usage (`fields`, other encodings), that carry another credential, that no method has, or that stand twice:
 * the upstream might read the other one, and answer in a shape that nobody meters here.
 */
export function assertQuery(method: Method, call: Call): void {
  if (call.target.query.size === 0) return
  const seen = new Set<string>()
  for (const [name, value] of call.target.query) {
    if (IGNORED_QUERIES.has(name)) continue
    const bare = name.replace(/^\$/, '')
    if (seen.has(bare)) throw refusedQuery(name, 'It is given more than once.')
    seen.add(bare)
    if (!method.queries.includes(name)) {
      throw refusedQuery(name, `Unknown or refused name "${name}": cannot bind query parameter.`)
    }
    const isAlt = name === 'alt' || name === '$alt'
    if (isAlt && value !== 'json' && !(value === 'sse' && method.streams)) {
      throw refusedQuery(name, `This method answers as json${method.streams ? ' or sse' : ''} only.`)
    }
  }
}

/** The query that goes upstream, question mark included; empty where nothing is left of it. */
export function forwardedQuery(call: Call): string {
  const { query } = call.target
  if (query.size === 0) return ''
  const forwarded = new URLSearchParams()
  for (const [name, value] of query) {
    if (!IGNORED_QUERIES.has(name)) forwarded.append(name, value)
  }
  return forwarded.size === 0 ? '' : `?${forwarded.toString()}`
}

/** Whether the caller asked for server-sent events; else a stream is one growing JSON array. */
export function wantsEvents(call: Call): boolean {
  const { query } = call.target
  if (query.size === 0) return false
  return query.get('alt') === 'sse' || query.get('$alt') === 'sse'
}

function refusedQuery(name: string, why: string): ApiError {
  return new ApiError('FIELD_INVALID', `Invalid query parameter '${name}'. ${why}`)
}
