import { isUtf8 } from 'node:buffer'
import { ApiError } from '../domain/error.ts'

/** Deepest nesting of a body: protobuf's own limit. */
const DEPTH_MAX = 100

/** Where in the body's text the string value of a `model` field stands, quotes included: UTF-16 units, not bytes. */
export interface StringSpan {
  readonly start: number
  readonly end: number
  /** The string itself. */
  readonly value: string
  /** The keys that lead to the field, arrays left out: `requests.model`. */
  readonly path: string
}

export interface StrictJson {
  readonly value: unknown
  /** Every string value of a key named `model`, at any depth. */
  readonly modelSpans: readonly StringSpan[]
}

/**
 * Parses a body that another parser will read again from the same bytes. So that both must see the same, it throws
 * REQUEST_MALFORMED for invalid UTF-8, for JSON that is none, for a key that stands twice in one object, and for
 * nesting deeper than 100.
 */
export function parseStrictJson(bytes: Buffer): StrictJson {
  if (!isUtf8(bytes)) throw malformed('it is not valid UTF-8')
  const text = bytes.toString('utf8')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw malformed(cause instanceof Error ? cause.message : 'it cannot be parsed')
  }
  return { value, modelSpans: scanKeys(text) }
}

/** The body with every span replaced by `replacement` as a JSON string. Spans are in order and do not overlap. */
export function replaceSpans(bytes: Buffer, spans: readonly StringSpan[], replacement: string): Buffer {
  const text = bytes.toString('utf8')
  let replaced = ''
  let from = 0
  for (const span of spans) {
    replaced += text.slice(from, span.start) + JSON.stringify(replacement)
    from = span.end
  }
  return Buffer.from(replaced + text.slice(from))
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d

interface Open {
  /** Keys seen so far in an object; null for an array. */
  readonly keys: Set<string> | null
  /** The key under which it stands; empty for an element of an array and for the whole. */
  readonly name: string
}

/** Walks valid JSON once, comparing keys; JSON.parse would silently keep the last of two equal ones. */
function scanKeys(text: string): StringSpan[] {
  const spans: StringSpan[] = []
  const open: Open[] = []
  let expectKey = false
  let key = ''
  let at = 0
  while (at < text.length) {
    const unit = text.charCodeAt(at)
    switch (unit) {
      case QUOTE: {
        const end = stringEnd(text, at)
        const keys = open.at(-1)?.keys
        if (expectKey && keys) {
          key = keyText(text, at, end)
          if (keys.has(key)) throw malformed(`the key '${key.slice(0, 100)}' stands twice in one object`)
          keys.add(key)
          expectKey = false
        } else {
          if (key === 'model') {
            const value = JSON.parse(text.slice(at, end)) as string
            spans.push({ start: at, end, value, path: pathOf(open, key) })
          }
          key = ''
        }
        at = end
        continue
      }
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        open.push({ keys: unit === OPEN_OBJECT ? new Set() : null, name: key })
        if (open.length > DEPTH_MAX) throw malformed(`it nests deeper than ${DEPTH_MAX} levels`)
        expectKey = unit === OPEN_OBJECT
        key = ''
        break
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        open.pop()
        expectKey = false
        break
      case COMMA:
        expectKey = open.at(-1)?.keys !== null
        key = ''
        break
      default:
        break
    }
    at++
  }
  return spans
}

function pathOf(open: readonly Open[], key: string): string {
  return [...open.map(({ name }) => name), key].filter(name => name !== '').join('.')
}

/** The index after the closing quote of the string that starts at `start`. */
function stringEnd(text: string, start: number): number {
  let quote = text.indexOf('"', start + 1)
  for (;;) {
    let slashes = 0
    while (text.charCodeAt(quote - 1 - slashes) === BACKSLASH) slashes++
    if (slashes % 2 === 0) return quote + 1
    quote = text.indexOf('"', quote + 1)
  }
}

/** A key as text; escapes are resolved only where there are any. */
function keyText(text: string, start: number, end: number): string {
  const raw = text.slice(start, end)
  return raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1)
}

function malformed(why: string): ApiError {
  return new ApiError('REQUEST_MALFORMED', `Invalid JSON payload received. The body was refused: ${why}.`)
}
