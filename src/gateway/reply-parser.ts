/**
 * Reads replies from a connection to the upstream, piece by piece as the bytes come (RFC 9112). Strict: whatever two
 * readers could take for different things ends the connection. Bytes are only lent: what is passed on is a copy.
 */

/** What of a reply's head somebody asks for. */
export interface ReplyHead {
  readonly status: number
  readonly contentType: string | null
  readonly retryAfter: string | null
  /** `x-gemini-service-tier` */
  readonly serviceTier: string | null
}

/** Told of one reply: a head, then any number of pieces. */
export interface ReplyEvents {
  onHead(head: ReplyHead): void
  onData(chunk: Buffer): void
}

/** Whether and for how long a connection may be used again after a reply. */
export interface Persistence {
  readonly isKept: boolean
  /** `Keep-Alive: timeout`, in seconds; null where it is not told. */
  readonly keepAliveSeconds: number | null
}

/** The bytes are no reply that can be read in one way only. */
export class ReplyMalformed extends Error {
  constructor(what: string) {
    super(`the upstream's reply is not well-formed HTTP: ${what}`)
  }
}

/** As Node bounds the heads of requests. */
const HEAD_BYTES_MAX = 16 * 1024
/** Of the line before a chunk, with its extensions. */
const CHUNK_LINE_BYTES_MAX = 4 * 1024
/** 100 Continue and its like before one reply. */
const INTERIM_MAX = 8

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/
/** Whole lines: a token, a colon at once, no control character, no folding (RFC 9112 sections 5 and 5.2). */
const FIELD_LINES = /^(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*$/
const CHUNK_LINE = /^([0-9A-Fa-f]{1,12})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/
const LINE_FEED = 0x0a
const RETURN = 0x0d

/** Where in a reply the next byte belongs. */
type State = 'head' | 'counted' | 'untilClose' | 'chunkLine' | 'chunk' | 'chunkEnd' | 'trailer' | 'done'

const LINES: ReadonlySet<State> = new Set(['chunkLine', 'chunkEnd', 'trailer'])

export class ReplyParser {
  readonly #events: ReplyEvents
  #state: State = 'head'
  /** The part of a head, line or trailer that came so far, as latin1. */
  #text = ''
  /** Bytes that are left of a counted body or of a chunk. */
  #left = 0
  #interims = 0
  #isKept = false
  #keepAliveSeconds: number | null = null

  constructor(events: ReplyEvents) {
    this.#events = events
  }

  /** Whether the reply is whole. */
  get isDone(): boolean {
    return this.#state === 'done'
  }

  /** Of a whole reply. */
  get persistence(): Persistence {
    return { isKept: this.#isKept, keepAliveSeconds: this.#keepAliveSeconds }
  }

  /** Reads `bytes` up to `length`, or to the end of the reply, and says how far. Throws ReplyMalformed. */
  read(bytes: Buffer, length: number): number {
    let at = 0
    while (at < length && this.#state !== 'done') at = this.#step(bytes, at, length)
    return at
  }

  /** The connection ended: for some replies that is the end. */
  end(): void {
    if (this.#state === 'untilClose') this.#state = 'done'
  }

  /** Where the next step begins. */
  #step(bytes: Buffer, at: number, length: number): number {
    if (this.#state === 'head') return this.#readHead(bytes, at, length)
    if (LINES.has(this.#state)) return this.#readLine(bytes, at, length)
    return this.#readBody(bytes, at, length)
  }

  #readHead(bytes: Buffer, at: number, length: number): number {
    const known = this.#text.length
    const until = Math.min(length, at + HEAD_BYTES_MAX - known)
    this.#text += bytes.toString('latin1', at, until)
    const end = this.#text.indexOf('\r\n\r\n', Math.max(0, known - 3))
    if (end === -1) {
      if (this.#text.length >= HEAD_BYTES_MAX)
        throw new ReplyMalformed(`its head is larger than ${HEAD_BYTES_MAX} bytes`)
      return until
    }
    const head = this.#text.slice(0, end + 2)
    this.#text = ''
    this.#begin(head)
    return at + end + 4 - known
  }

  /** Takes up a head, which ends with the line break of its last line. */
  #begin(head: string): void {
    const lineEnd = head.indexOf('\r\n')
    const line = STATUS_LINE.exec(head.slice(0, lineEnd))
    if (line === null) throw new ReplyMalformed('its first line is no status line')
    const fields = readFields(head.slice(lineEnd + 2))
    const status = Number(line[2])
    if (status < 200) {
      // An interim reply is not the answer (RFC 9110 section 15.2); nobody asked for another protocol.
      if (status === 101) throw new ReplyMalformed('it switches protocols')
      if (++this.#interims > INTERIM_MAX) throw new ReplyMalformed('too many interim replies')
      return
    }
    this.#isKept = line[1] === '1' && !fields.isClosing
    this.#keepAliveSeconds = fields.keepAliveSeconds
    this.#state = this.#frame(status, fields)
    const { contentType, retryAfter, serviceTier } = fields
    this.#events.onHead({ status, contentType, retryAfter, serviceTier })
  }

  /** How the end of the body is found (RFC 9112 section 6.3). */
  #frame(status: number, { transferCoding, contentLength }: Fields): State {
    if (transferCoding !== null) {
      if (contentLength !== null) throw new ReplyMalformed('it gives its length in two ways')
      if (transferCoding.toLowerCase() !== 'chunked')
        throw new ReplyMalformed('its transfer coding is not known')
      return 'chunkLine'
    }
    if (status === 204 || status === 304) return 'done'
    if (contentLength === null) {
      this.#isKept = false
      return 'untilClose'
    }
    this.#left = contentLength
    return contentLength === 0 ? 'done' : 'counted'
  }

  #readBody(bytes: Buffer, at: number, length: number): number {
    let until = length
    if (this.#state !== 'untilClose') {
      until = Math.min(length, at + this.#left)
      this.#left -= until - at
      if (this.#left === 0) this.#state = this.#state === 'chunk' ? 'chunkEnd' : 'done'
    }
    this.#events.onData(Buffer.from(bytes.subarray(at, until)))
    return until
  }

  /** Reads on to the end of a line, and takes it up when it is whole. */
  #readLine(bytes: Buffer, at: number, length: number): number {
    const end = bytes.indexOf(LINE_FEED, at)
    const isWhole = end !== -1 && end < length
    const until = isWhole ? end + 1 : length
    const max = this.#state === 'trailer' ? HEAD_BYTES_MAX : CHUNK_LINE_BYTES_MAX
    if (this.#text.length + until - at > max) throw new ReplyMalformed('a line of its body is too long')
    this.#text += bytes.toString('latin1', at, until)
    if (isWhole) this.#takeLine()
    return until
  }

  #takeLine(): void {
    const text = this.#text
    if (text.charCodeAt(text.length - 2) !== RETURN) throw new ReplyMalformed('a line ends without CR')
    if (this.#state === 'trailer') {
      // Its fields are thrown away; the empty line after them is the end.
      if (text !== '\r\n' && !text.endsWith('\r\n\r\n')) return
      if (!FIELD_LINES.test(text.slice(0, -2))) throw new ReplyMalformed('its trailer has no field lines')
      this.#text = ''
      this.#state = 'done'
      return
    }
    this.#text = ''
    if (this.#state === 'chunkEnd') {
      if (text !== '\r\n') throw new ReplyMalformed('a chunk is longer than it says')
      this.#state = 'chunkLine'
      return
    }
    const size = CHUNK_LINE.exec(text.slice(0, -2))?.[1]
    if (size === undefined) throw new ReplyMalformed('a chunk has no size')
    this.#left = Number.parseInt(size, 16)
    this.#state = this.#left === 0 ? 'trailer' : 'chunk'
  }
}

interface Fields {
  contentType: string | null
  retryAfter: string | null
  serviceTier: string | null
  contentLength: number | null
  transferCoding: string | null
  isClosing: boolean
  keepAliveSeconds: number | null
}

/** The fields that are asked for; the first of several where they are no list. */
function readFields(lines: string): Fields {
  if (!FIELD_LINES.test(lines)) throw new ReplyMalformed('its head has lines that are no fields')
  const fields: Fields = {
    contentType: null,
    retryAfter: null,
    serviceTier: null,
    contentLength: null,
    transferCoding: null,
    isClosing: false,
    keepAliveSeconds: null,
  }
  let at = 0
  while (at < lines.length) {
    const end = lines.indexOf('\r\n', at)
    const colon = lines.indexOf(':', at)
    readField(fields, lines.slice(at, colon).toLowerCase(), lines.slice(colon + 1, end).trim())
    at = end + 2
  }
  return fields
}

function readField(fields: Fields, name: string, value: string): void {
  switch (name) {
    case 'content-type':
      fields.contentType ??= value
      break
    case 'content-length':
      fields.contentLength = lengthOf(value, fields.contentLength)
      break
    case 'transfer-encoding':
      fields.transferCoding = fields.transferCoding === null ? value : `${fields.transferCoding}, ${value}`
      break
    case 'connection':
      fields.isClosing ||= /(?:^|,)[\t ]*close[\t ]*(?:,|$)/i.test(value)
      break
    case 'keep-alive':
      fields.keepAliveSeconds = Number(/(?:^|[\t ,])timeout=(\d{1,6})/i.exec(value)?.[1] ?? Number.NaN)
      if (Number.isNaN(fields.keepAliveSeconds)) fields.keepAliveSeconds = null
      break
    case 'retry-after':
      fields.retryAfter ??= value
      break
    case 'x-gemini-service-tier':
      fields.serviceTier ??= value
      break
    default:
      break
  }
}

/** Two lengths, even equal ones, are one too many. */
function lengthOf(value: string, known: number | null): number {
  if (known !== null || !/^\d{1,15}$/.test(value)) throw new ReplyMalformed('its length is not one number')
  return Number(value)
}
