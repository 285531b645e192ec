import { ApiError } from '../domain/error.ts'

/** Headers that decide who asks and where a body ends: two of them could be read differently by two parsers. */
const SINGLE = new Set(['host', 'authorization', 'x-goog-api-key', 'content-type', 'content-length'])

/**
 * Throws REQUEST_HEADERS_REFUSED when a header of which one copy counts is sent twice. `node:http` silently drops or
 * joins the second copy, so this looks at the raw list.
 */
export function assertSingleHeaders(rawHeaders: readonly string[]): void {
  let seen = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? ''
    // Length first: most headers are decided without lower-casing them.
    const length = name.length
    if (length !== 4 && length !== 13 && length !== 14 && length !== 12) continue
    const bit = singleBit(name.toLowerCase())
    if (bit === 0) continue
    if ((seen & bit) !== 0) {
      throw new ApiError(
        'REQUEST_HEADERS_REFUSED',
        `The request carries the header '${name}' more than once.`,
      )
    }
    seen |= bit
  }
}

const BITS = new Map([...SINGLE].map((name, index) => [name, 1 << index]))

function singleBit(name: string): number {
  return BITS.get(name) ?? 0
}
