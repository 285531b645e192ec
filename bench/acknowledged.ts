/** Clients that note what they were told to the last byte, and carry on when the server dies and comes back. */
import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'undici'

/** Counts of a reply that was received whole. */
export interface Acknowledged {
  readonly promptTokens: number
  readonly candidatesTokens: number
  readonly thoughtsTokens: number
  readonly totalTokens: number
}

export type Random = () => number

/** The same numbers from 0 to 1 for the same seed (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export interface Clients {
  /** Resolves at the first whole reply since the start or the last `serverGone`. */
  firstReply(): Promise<void>
  /** The server has been killed. */
  serverGone(): void
  /** Calls sent and not answered yet. */
  underWay(): number
  /** Lets calls under way finish and gives what was acknowledged, by request id. */
  stop(): Promise<ReadonlyMap<string, Acknowledged>>
}

const RETRY_MS = 15
const FORMS = ['unary', 'sse', 'array'] as const

/** `count` clients, each with one call at a time: unary replies, event streams and array streams mixed. */
export function startClients(options: {
  readonly origin: string
  readonly keyString: string
  readonly count: number
  readonly random: Random
}): Clients {
  const { origin, keyString, random } = options
  const pool = new Pool(origin, { connections: options.count })
  const acknowledged = new Map<string, Acknowledged>()
  const stop = new AbortController()
  let underWay = 0
  let replied = Promise.withResolvers<void>()
  const client = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      underWay++
      try {
        const { requestId, told } = await call({ pool, keyString, random })
        if (acknowledged.has(requestId)) throw new Error(`the request id ${requestId} was used twice`)
        acknowledged.set(requestId, told)
        replied.resolve()
      } catch (error) {
        if (!isConnectionLost(error)) throw error
        await delay(RETRY_MS)
      } finally {
        underWay--
      }
    }
  }
  const running = Array.from({ length: options.count }, client)
  // A client that fails stops the experiment wherever it waits.
  for (const one of running) one.catch(error => replied.reject(error))
  return {
    firstReply: () => replied.promise,
    serverGone: () => {
      replied = Promise.withResolvers()
      replied.promise.catch(() => {})
    },
    underWay: () => underWay,
    async stop() {
      stop.abort()
      await Promise.all(running)
      await pool.close()
      return acknowledged
    },
  }
}

async function call({
  pool,
  keyString,
  random,
}: {
  readonly pool: Pool
  readonly keyString: string
  readonly random: Random
}): Promise<{ requestId: string; told: Acknowledged }> {
  const form = FORMS[Math.floor(random() * FORMS.length)] ?? 'unary'
  const verb = form === 'unary' ? 'generateContent' : 'streamGenerateContent'
  const words = 5 + Math.floor(random() * 200)
  const { statusCode, headers, body } = await pool.request({
    method: 'POST',
    path: `/v1beta/models/gemini-3.8-flash:${verb}${form === 'sse' ? '?alt=sse' : ''}`,
    headers: { 'content-type': 'application/json', 'x-goog-api-key': keyString },
    body: JSON.stringify({ contents: [{ parts: [{ text: `Tell me of stars in ${words} words` }] }] }),
  })
  const text = await body.text()
  if (statusCode !== 200) throw new Error(`HTTP ${statusCode}: ${text}`)
  return { requestId: String(headers['x-request-id']), told: usageIn(text, form) }
}

/** The usage of a whole reply; a stream's last one is its bill. */
function usageIn(text: string, form: (typeof FORMS)[number]): Acknowledged {
  const chunks: { usageMetadata?: Record<string, number> }[] =
    form === 'unary'
      ? [JSON.parse(text)]
      : form === 'array'
        ? JSON.parse(text)
        : text
            .split('\r\n\r\n')
            .filter(event => event !== '')
            .map(event => JSON.parse(event.replace(/^data: /, '')))
  const usage = chunks.findLast(chunk => chunk.usageMetadata !== undefined)?.usageMetadata
  if (usage === undefined) throw new Error(`a whole reply without usage: ${text}`)
  return {
    promptTokens: usage['promptTokenCount'] ?? 0,
    candidatesTokens: usage['candidatesTokenCount'] ?? 0,
    thoughtsTokens: usage['thoughtsTokenCount'] ?? 0,
    totalTokens: usage['totalTokenCount'] ?? 0,
  }
}

const LOST_CODES: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'])

function isConnectionLost(error: unknown): boolean {
  return error instanceof Error && 'code' in error && LOST_CODES.has(String(error.code))
}
