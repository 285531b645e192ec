import { ApiError } from '../domain/error.ts'

/** A request target taken apart once, so that routing, authorization and forwarding see the same thing. */
export interface RequestTarget {
  /** Percent-decoded, starting with one slash. Safe to log: the query, where keys travel, is not part of it. */
  readonly path: string
  readonly query: URLSearchParams
}

const PLAIN_PATH = /^\/[A-Za-z0-9\-._~:@!$&'()*+,;=/]*$/
const EMPTY_QUERY = new URLSearchParams()

/** Targets without a query as they were parsed: few distinct ones are asked for again and again. */
const parsed = new Map<string, RequestTarget>()
const PARSED_MAX = 1_000

/** `parseTarget`, remembering. */
export function targetOf(target: string): RequestTarget {
  const known = parsed.get(target)
  if (known !== undefined) return known
  const fresh = parseTarget(target)
  if (fresh.query === EMPTY_QUERY) {
    if (parsed.size === PARSED_MAX) parsed.clear()
    parsed.set(target, fresh)
  }
  return fresh
}

/**
 * Parses an origin-form target (RFC 9112 section 3.2.1). Throws REQUEST_TARGET_REFUSED for what two parsers could read
 * differently: absolute form, `//`, dot segments, encoded slashes, backslashes and control characters.
 */
export function parseTarget(target: string): RequestTarget {
  if (!target.startsWith('/')) throw refused('only the origin form `/path?query` is accepted')
  const mark = target.indexOf('?')
  const rawPath = mark === -1 ? target : target.slice(0, mark)
  const path = PLAIN_PATH.test(rawPath) ? rawPath : decodePath(rawPath)
  if (path.includes('//')) throw refused('the path has an empty segment')
  if (path.includes('/.') && /\/\.{1,2}(\/|$)/.test(path)) throw refused('the path has a dot segment')
  return { path, query: mark === -1 ? EMPTY_QUERY : new URLSearchParams(target.slice(mark + 1)) }
}

function decodePath(rawPath: string): string {
  if (/%2f|%5c|%25|%00/i.test(rawPath)) throw refused('the path hides a separator or an escape in an escape')
  let path: string
  try {
    path = decodeURIComponent(rawPath)
  } catch (cause) {
    throw refused('the path has a malformed percent escape', cause)
  }
  // oxlint-disable-next-line no-control-regex -- control characters are what must be found
  if (/[\u0000-\u0020\u007f\\?#]/.test(path)) throw refused('the path has a character that paths do not have')
  return path
}

function refused(why: string, cause?: unknown): ApiError {
  return new ApiError('REQUEST_TARGET_REFUSED', `The request target was refused: ${why}.`, { cause })
}
