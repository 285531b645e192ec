import { ApiError } from '../domain/error.ts'

/** Headers that decide who asks and where a body ends: two of them could be read differently by two parsers. */
const SINGLE_BITS: ReadonlyMap<string, number> = new Map(
  ['host', 'authorization', 'x-goog-api-key', 'content-type', 'content-length'].map((name, place) => [
    name,
    1 << place,
  ]),
)
const SINGLE_LENGTHS: ReadonlySet<number> = new Set([...SINGLE_BITS.keys()].map(name => name.length))

/**
 * Throws REQUEST_HEADERS_REFUSED when a header of which one copy counts is sent twice. `node:http` silently drops or
 * joins the second copy, so this looks at the raw list.
 */
export function assertSingleHeaders(rawHeaders: readonly string[]): void {
  let seen = 0
  for (let place = 0; place < rawHeaders.length; place += 2) {
    const name = rawHeaders[place] ?? ''
    // Length first: most headers are decided without lower-casing them.
    if (!SINGLE_LENGTHS.has(name.length)) continue
    const bit = SINGLE_BITS.get(name.toLowerCase()) ?? 0
    if ((seen & bit) !== 0) {
      throw new ApiError(
        'REQUEST_HEADERS_REFUSED',
        `The request carries the header '${name}' more than once.`,
      )
    }
    seen |= bit
  }
}
