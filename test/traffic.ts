/** Calls to a gateway as clients make them, and what came back of them, byte by byte. */
import { type Agent, type IncomingMessage, request as httpRequest } from 'node:http'

export interface Sent {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly requestId: string
  readonly text: string
  /** performance.now() before anything of the request was written. */
  readonly sentMs: number
  /** ErrorInfo's reason; null for a success. */
  readonly reason: string | null
}

export interface CallOptions {
  readonly keyString: string
  readonly model?: string
  readonly text?: string
  /** Default `unary`. */
  readonly form?: Form
  readonly headers?: Readonly<Record<string, string>>
  /** The client goes away as soon as it has this many bytes of the body. */
  readonly leaveAtBytes?: number
  /** Whose connection it takes; else one of its own. */
  readonly agent?: Agent
}

export const FORMS = ['unary', 'sse', 'array'] as const
export type Form = (typeof FORMS)[number]

/** Makes a call and waits for its whole reply. Rejects when it breaks off. */
export async function send(origin: string, options: CallOptions): Promise<Sent> {
  const open = openCall(origin, options)
  const { text, isWhole } = await open.ended
  if (!isWhole) throw new Error(`the reply broke off after: ${text}`)
  const { headers, status } = await open.head
  return {
    status,
    headers,
    requestId: String(headers['x-request-id']),
    text,
    sentMs: open.sentMs,
    reason: status === 200 ? null : reasonIn(text),
  }
}

/** The reason in an error of Google's shape, be it an object, an array or an event; its code where there is none. */
export function reasonIn(text: string): string {
  const parsed: unknown = JSON.parse(text.replace(/^data: /, ''))
  const { error } = (Array.isArray(parsed) ? parsed.at(-1) : parsed) as {
    error?: { status: string; details?: { reason?: string }[] }
  }
  return error?.details?.find(({ reason }) => reason !== undefined)?.reason ?? error?.status ?? 'none'
}

export interface OpenedCall {
  readonly sentMs: number
  readonly head: Promise<{ readonly status: number; readonly headers: IncomingMessage['headers'] }>
  /** Resolves with the first byte of the body. */
  readonly begun: Promise<void>
  /** Resolves when the client's side has ended, however it did. */
  readonly ended: Promise<Ended>
  /** The client goes away. */
  leave(): void
}

export interface Ended {
  readonly text: string
  /** performance.now() */
  readonly atMs: number
  /** The body ended as its framing says, not by a broken connection. */
  readonly isWhole: boolean
}

const VERBS: Readonly<Record<Form, string>> = {
  unary: 'generateContent',
  sse: 'streamGenerateContent?alt=sse',
  array: 'streamGenerateContent',
}

/** Makes a call and lets it be watched. */
export function openCall(origin: string, options: CallOptions): OpenedCall {
  const { keyString, model = 'gemini-3.8-flash', text = 'Say hello', form = 'unary' } = options
  const body = JSON.stringify({ contents: [{ parts: [{ text }] }] })
  const head = Promise.withResolvers<{ status: number; headers: IncomingMessage['headers'] }>()
  const begun = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<Ended>()
  const chunks: Buffer[] = []
  let bytes = 0
  const end = (isWhole: boolean): void =>
    ended.resolve({ text: Buffer.concat(chunks).toString('utf8'), atMs: performance.now(), isWhole })
  const sentMs = performance.now()
  const request = httpRequest(`${origin}/v1beta/models/${model}:${VERBS[form]}`, {
    method: 'POST',
    agent: options.agent ?? false,
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'x-goog-api-key': keyString,
      ...options.headers,
    },
  })
  request.on('response', response => {
    head.resolve({ status: response.statusCode ?? 0, headers: response.headers })
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      begun.resolve()
      if (options.leaveAtBytes !== undefined && bytes >= options.leaveAtBytes) request.destroy()
    })
    response.on('close', () => end(response.complete))
    response.on('error', () => end(false))
  })
  request.on('error', error => {
    head.reject(error)
    begun.reject(error)
    end(false)
  })
  for (const promise of [head.promise, begun.promise]) promise.catch(() => {})
  request.end(body)
  return {
    sentMs,
    head: head.promise,
    begun: begun.promise,
    ended: ended.promise,
    leave: () => request.destroy(),
  }
}
