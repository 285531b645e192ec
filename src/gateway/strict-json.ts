import { isAscii, isUtf8 } from 'node:buffer'
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
  /** Every key that stands anywhere in it. What is not among them is nowhere in the body, at whatever depth. */
  readonly names: ReadonlySet<string>
  /** Objects in it, at any depth. */
  readonly objects: number
  /** Every string value of a key named `model`, at any depth. */
  readonly modelSpans: readonly StringSpan[]
}

/**
 * Parses a body that another parser will read again from the same bytes. So that both must see the same, it throws
 * REQUEST_MALFORMED for invalid UTF-8, for JSON that is none, for a key that stands twice in one object, and for
 * nesting deeper than 100.
 */
export function parseStrictJson(bytes: Buffer): StrictJson {
  const isPlain = isAscii(bytes)
  if (!isPlain && !isUtf8(bytes)) throw malformed('it is not valid UTF-8')
  const text = bytes.toString(isPlain ? 'latin1' : 'utf8')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw malformed(cause instanceof Error ? cause.message : 'it cannot be parsed')
  }
  return { value, ...scanKeys(text) }
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

/** From so many keys on an object's keys are looked up in a set: comparing each with each would be quadratic. */
const KEYS_COMPARED_MAX = 12

/** An object or array that is being read. */
class Open {
  /** The key under which it stands; empty for an element of an array and for the whole. */
  readonly name: string
  readonly isObject: boolean
  readonly #keys: string[] = []
  #set: Set<string> | null = null

  constructor(name: string, isObject: boolean) {
    this.name = name
    this.isObject = isObject
  }

  /** Adds a key; throws REQUEST_MALFORMED when it stands there already. */
  add(key: string): void {
    if (this.#set?.has(key) ?? this.#keys.includes(key)) {
      throw malformed(`the key '${key.slice(0, 100)}' stands twice in one object`)
    }
    if (this.#set !== null) {
      this.#set.add(key)
      return
    }
    this.#keys.push(key)
    if (this.#keys.length > KEYS_COMPARED_MAX) this.#set = new Set(this.#keys)
  }
}

/** Walks valid JSON once, comparing keys; JSON.parse would silently keep the last of two equal ones. */
function scanKeys(text: string): Omit<StrictJson, 'value'> {
  const names = new Set<string>()
  const modelSpans: StringSpan[] = []
  let objects = 0
  const open: Open[] = []
  let inside: Open | undefined
  let expectKey = false
  let key = ''
  let at = 0
  while (at < text.length) {
    const unit = text.charCodeAt(at)
    switch (unit) {
      case QUOTE: {
        const end = stringEnd(text, at)
        if (expectKey && inside !== undefined) {
          key = keyText(text, at, end)
          inside.add(key)
          names.add(key)
          expectKey = false
        } else {
          if (key === 'model') {
            const value = JSON.parse(text.slice(at, end)) as string
            modelSpans.push({ start: at, end, value, path: pathOf(open, key) })
          }
          key = ''
        }
        at = end
        continue
      }
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        inside = new Open(key, unit === OPEN_OBJECT)
        open.push(inside)
        if (open.length > DEPTH_MAX) throw malformed(`it nests deeper than ${DEPTH_MAX} levels`)
        expectKey = inside.isObject
        if (expectKey) objects++
        key = ''
        break
      case CLOSE_OBJECT:
      case CLOSE_ARRAY:
        open.pop()
        inside = open.at(-1)
        expectKey = false
        break
      case COMMA:
        expectKey = inside?.isObject === true
        key = ''
        break
      default:
        break
    }
    at++
  }
  return { names, objects, modelSpans }
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
  const plain = text.slice(start + 1, end - 1)
  return plain.includes('\\') ? (JSON.parse(text.slice(start, end)) as string) : plain
}

function malformed(why: string): ApiError {
  return new ApiError('REQUEST_MALFORMED', `Invalid JSON payload received. The body was refused: ${why}.`)
}
