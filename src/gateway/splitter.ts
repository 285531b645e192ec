import { type JsonObject, asObject, listOf } from '../domain/proto-json.ts'

/** One whole piece of a stream: an event, or an element of the growing array, with the bytes it stands in. */
export interface Piece {
  readonly bytes: Buffer
  /** Its JSON; null where it holds none. */
  readonly json: JsonObject | null
}

/** Cuts a stream into pieces without changing a byte: the pieces and the rest, in order, are the stream. */
export interface Splitter {
  /** The pieces that this chunk completes. */
  push(chunk: Buffer): Piece[]
  /** What is left so far: the end of an array, or a piece that is not whole yet. */
  rest(): Buffer
  /** What is left when the stream has ended, as a piece: some servers leave out the empty line, or the array. */
  last(): Piece
  /** Whether the stream may end here: nothing is left but the end of the array, or a last piece that can be read. */
  isWhole(): boolean
}

const EMPTY: Buffer = Buffer.alloc(0)
const LF = 0x0a
const CR = 0x0d

/** Server-sent events as Google sends them: `data: <json>` and an empty line (gemini-wire 2.3). */
export class EventSplitter implements Splitter {
  #pending: Buffer = EMPTY
  /** Up to here `#pending` is known to hold no empty line. */
  #searched = 0

  push(chunk: Buffer): Piece[] {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    const pieces: Piece[] = []
    for (;;) {
      const end = this.#emptyLineEnd()
      if (end === -1) break
      const bytes = this.#pending.subarray(0, end)
      this.#pending = this.#pending.subarray(end)
      this.#searched = 0
      pieces.push({ bytes, json: eventJson(bytes) })
    }
    return pieces
  }

  rest(): Buffer {
    return this.#pending
  }

  last(): Piece {
    return { bytes: this.#pending, json: eventJson(this.#pending) }
  }

  isWhole(): boolean {
    return this.#pending.toString('utf8').trim() === '' || this.last().json !== null
  }

  /** The index after the first empty line, or -1. */
  #emptyLineEnd(): number {
    const bytes = this.#pending
    let at = bytes.indexOf(LF, this.#searched)
    while (at !== -1) {
      if (bytes[at - 1] === LF) return at + 1
      if (bytes[at - 1] === CR && bytes[at - 2] === LF) return at + 1
      at = bytes.indexOf(LF, at + 1)
    }
    this.#searched = Math.max(0, bytes.length - 3)
    return -1
  }
}

/** The JSON of an event. A block without `data:` is read as bare JSON: Go's client takes it for an error. */
function eventJson(bytes: Buffer): JsonObject | null {
  const text = bytes.toString('utf8')
  let data = ''
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith('data:')) data += line.slice(5)
  }
  return parseObject(data === '' ? text : data)
}

/** The elements of `[{…},\r\n{…}]`. Separators belong to the element that follows them. */
export class ElementSplitter implements Splitter {
  #pending: Buffer = EMPTY
  #scanned = 0
  #depth = 0
  #inString = false
  #escaped = false
  /** False where the stream is one object, as an error may be: that has no elements. */
  #isArray = false

  push(chunk: Buffer): Piece[] {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    const pieces: Piece[] = []
    while (this.#scanned < this.#pending.length) {
      if (!this.#step(this.#pending[this.#scanned++] ?? 0)) continue
      const bytes = this.#pending.subarray(0, this.#scanned)
      this.#pending = this.#pending.subarray(this.#scanned)
      this.#scanned = 0
      pieces.push({ bytes, json: elementJson(bytes) })
    }
    return pieces
  }

  rest(): Buffer {
    return this.#pending
  }

  last(): Piece {
    return { bytes: this.#pending, json: elementJson(this.#pending) }
  }

  isWhole(): boolean {
    const isClosed = this.#depth === 0 && /^\s*\]?\s*$/.test(this.#pending.toString('utf8'))
    return isClosed || this.last().json !== null
  }

  /** Takes one byte; true when it ends an element. */
  #step(byte: number): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false
      else if (byte === 0x5c) this.#escaped = true
      else if (byte === 0x22) this.#inString = false
      return false
    }
    if (byte === 0x22) this.#inString = true
    else if (byte === 0x7b || byte === 0x5b) {
      if (this.#depth++ === 0) this.#isArray = byte === 0x5b
    } else if (byte === 0x7d || byte === 0x5d) {
      this.#depth--
      return byte === 0x7d && this.#depth === 1 && this.#isArray
    }
    return false
  }
}

function elementJson(bytes: Buffer): JsonObject | null {
  return parseObject(bytes.toString('utf8').replace(/^[\s,[]+/, ''))
}

/** The object that a text is, alone or as the only element of an array. */
function parseObject(text: string): JsonObject | null {
  try {
    const elements = listOf(JSON.parse(text))
    return elements.length === 1 ? asObject(elements[0]) : null
  } catch {
    // A piece that is no JSON is passed on as it is; the missing usage shows in the outcome.
    return null
  }
}
