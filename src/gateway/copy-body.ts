import { BODY_COPIED_BYTES_MAX, type CopiedBody } from '../domain/call-bodies.ts'

const DATA_FIELD = Buffer.from('"data"')
/** Shorter values are left: what a function answers may have a field of this name, too. */
const MEDIA_CHARS_MIN = 256
/** Base64, and the backslashes that some writers put before its slashes. */
const BASE64 = /^[\w+/\\-]+$/
/** Where a Blob says its type: right before its data or right behind (gemini-wire, Blob). */
const TYPE_BEFORE = /"mime_?type"\s*:\s*"([\w.+/-]{1,100})"\s*,\s*$/i
const TYPE_BEHIND = /^"\s*,\s*"mime_?type"\s*:\s*"([\w.+/-]{1,100})"/i
const TYPE_WITHIN_BYTES = 160
const QUOTE = 0x22

/**
 * The beginning of a body, `bytesMax` of it at most, in memory of its own. Inline media (base64 in a field `data`) is left
 * out: its type and size stand in its place. Looks at no more of it than it copies, but to find where media ends.
 */
export function copyBody(body: Uint8Array, bytesMax: number = BODY_COPIED_BYTES_MAX): CopiedBody {
  const whole = Buffer.from(body.buffer, body.byteOffset, body.length)
  const parts: Buffer[] = []
  let [place, room] = [0, bytesMax]
  while (place < whole.length) {
    const media = nextMedia(whole, place, place + room)
    const text = whole.subarray(place, media?.start ?? whole.length)
    parts.push(text.subarray(0, room))
    const said = media === null ? NOTHING : Buffer.from(`[${media.type}, ${media.bytes} bytes, not kept]`)
    if (text.length + said.length > room) break
    parts.push(said)
    room -= text.length + said.length
    place = media?.end ?? whole.length
  }
  return { bytes: Buffer.concat(parts), sizeBytes: whole.length, isCut: place < whole.length }
}

const NOTHING = Buffer.alloc(0)

interface Media {
  readonly start: number
  readonly end: number
  readonly type: string
  /** Decoded. */
  readonly bytes: number
}

/** The first media whose field begins between the two places. */
function nextMedia(whole: Buffer, from: number, to: number): Media | null {
  let place = from
  for (;;) {
    const found = whole.subarray(place, to).indexOf(DATA_FIELD)
    if (found === -1) return null
    const field = place + found
    const start = valueStart(whole, field + DATA_FIELD.length)
    place = field + DATA_FIELD.length
    const media = start === null ? null : mediaAt(whole, field, start)
    if (media !== null) return media
  }
}

/** Where the string behind a field's name begins; null where there is none. */
function valueStart(whole: Buffer, from: number): number | null {
  const match = /^\s*:\s*"/.exec(whole.toString('latin1', from, from + TYPE_WITHIN_BYTES))
  return match === null ? null : from + match[0].length
}

function mediaAt(whole: Buffer, field: number, start: number): Media | null {
  if (!BASE64.test(whole.toString('latin1', start, start + MEDIA_CHARS_MIN))) return null
  const quote = whole.indexOf(QUOTE, start)
  // The piece of a reply that broke off.
  const end = quote === -1 ? whole.length : quote
  if (end - start < MEDIA_CHARS_MIN) return null
  const before = TYPE_BEFORE.exec(whole.toString('latin1', Math.max(0, field - TYPE_WITHIN_BYTES), field))
  const behind = TYPE_BEHIND.exec(whole.toString('latin1', end, end + TYPE_WITHIN_BYTES))
  const padding = /=*$/.exec(whole.toString('latin1', end - 2, end))?.[0].length ?? 0
  return {
    start,
    end,
    type: before?.[1] ?? behind?.[1] ?? 'media',
    bytes: Math.floor(((end - start - padding) * 3) / 4),
  }
}
