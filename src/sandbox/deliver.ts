/** Putting a reply on the socket: in its framing, at its pace, and with the faults that were asked for. */
import type { ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { statusBody } from '../domain/error.ts'
import type { ApiError } from '../domain/error.ts'
import type { Message } from './fields.ts'
import type { Behaviour } from './models.ts'

/** `json`: one reply. `sse` and `array`: streamGenerateContent with and without `alt=sse` (gemini-wire.md 2.3). */
export type Framing = 'json' | 'sse' | 'array'

/** How to put it on the wire. */
export interface Delivery {
  readonly framing: Framing
  /** Two spaces, as Google indents unless `prettyPrint=false` is asked for. Streams are never indented. */
  readonly pretty: boolean
}

const JSON_TYPE = 'application/json; charset=UTF-8'
const PAUSE_MS = 4
const SLOW_TOTAL_MS = 2000
/** How many chunks of a stream arrive whole before sandbox-truncate cuts the next. */
const TRUNCATED_CHUNKS = 2
const GARBAGE = '<!doctype html><title>200</title><p>This is no JSON.</p>\n'

interface Frame {
  readonly type: string
  /** Before the first chunk, and before each other one. */
  readonly first: string
  readonly next: string
  /** After each chunk: an event must be whole before the next one comes. */
  readonly after: string
  /** After the last chunk. */
  readonly end: string
}

const FRAMES: Readonly<Record<Exclude<Framing, 'json'>, Frame>> = {
  sse: { type: 'text/event-stream', first: 'data: ', next: 'data: ', after: '\r\n\r\n', end: '' },
  array: { type: JSON_TYPE, first: '[', next: ',\r\n', after: '', end: ']' },
}

/** An error in Google's shape: an array's only element where the reply would have been an array. */
export function deliverError(response: ServerResponse, error: ApiError, framing: Framing): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const body = statusBody(error)
  const json = `${JSON.stringify(framing === 'array' ? [body] : body, null, 2)}\n`
  response.writeHead(error.httpStatus, {
    'content-type': JSON_TYPE,
    'content-length': Buffer.byteLength(json),
  })
  response.end(json)
}

/** One reply, whole, late, cut or garbled. Resolves when it is out or the client is gone. */
export async function deliverReply(
  response: ServerResponse,
  reply: Message,
  { behaviour, pretty }: { readonly behaviour: Behaviour; readonly pretty: boolean },
): Promise<void> {
  const json = behaviour === 'garbage' ? GARBAGE : `${JSON.stringify(reply, null, pretty ? 2 : 0)}\n`
  if (behaviour === 'slow' && !(await pause(response, SLOW_TOTAL_MS))) return
  response.writeHead(200, {
    'content-type': JSON_TYPE,
    'content-length': Buffer.byteLength(json),
    ...tierOf(reply),
  })
  if (behaviour === 'truncate') await cut(response, json.slice(0, json.length / 2))
  else response.end(json)
}

/** A stream of replies. Resolves when it is out or the client is gone. */
export async function deliverStream(
  response: ServerResponse,
  replies: readonly Message[],
  { behaviour, framing }: { readonly behaviour: Behaviour; readonly framing: Exclude<Framing, 'json'> },
): Promise<void> {
  const frame = FRAMES[framing]
  const pauseMs = behaviour === 'slow' ? Math.ceil(SLOW_TOTAL_MS / replies.length) : PAUSE_MS
  response.writeHead(200, { 'content-type': frame.type, ...tierOf(replies[0] ?? {}) })
  if (behaviour === 'garbage') {
    response.end(`${frame.first}${GARBAGE.trim()}${frame.after}${frame.end}`)
    return
  }
  for (const [index, reply] of replies.entries()) {
    if (index > 0 && !(await pause(response, pauseMs))) return
    const json = JSON.stringify(reply)
    const before = index === 0 ? frame.first : frame.next
    if (behaviour === 'truncate' && index >= TRUNCATED_CHUNKS) {
      await cut(response, `${before}${json.slice(0, json.length / 2)}`)
      return
    }
    if (!(await write(response, `${before}${json}${frame.after}`))) return
  }
  response.end(frame.end)
}

/** Never answers. Resolves when the client, or the server's close, ends the connection. */
export async function hang(response: ServerResponse): Promise<void> {
  await new Promise<void>(resolve => {
    if (response.destroyed) resolve()
    else response.once('close', () => resolve())
  })
}

/** The service tier that served, which Google repeats in a header. */
function tierOf(reply: Message): Record<string, string> {
  const usage = reply['usageMetadata']
  const tier =
    typeof usage === 'object' && usage !== null && 'serviceTier' in usage ? usage.serviceTier : undefined
  return typeof tier === 'string' ? { 'x-gemini-service-tier': tier } : {}
}

/** Waits; false if the client went meanwhile. */
async function pause(response: ServerResponse, timeMs: number): Promise<boolean> {
  const gone = new AbortController()
  const stop = (): void => gone.abort()
  response.once('close', stop)
  await delay(timeMs, undefined, { signal: gone.signal }).catch(() => undefined)
  response.off('close', stop)
  return !response.destroyed
}

/** Writes and waits until there is room for more; false if the client is gone. */
async function write(response: ServerResponse, text: string): Promise<boolean> {
  if (response.destroyed) return false
  if (response.write(text)) return true
  await new Promise<void>(resolve => {
    response.once('drain', resolve)
    response.once('close', resolve)
  })
  return !response.destroyed
}

/** Sends the start of a body and drops the connection once it is out. */
async function cut(response: ServerResponse, start: string): Promise<void> {
  await new Promise<void>(resolve => response.write(start, () => resolve()))
  response.destroy()
}
