/** Clients that note what they were told to the last byte, and carry on when the server dies and comes back. */
import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'undici'
import type { Random } from '../test/seeded-random.ts'
import { reasonIn } from '../test/traffic.ts'
import { MIXED, type SpendKey, type Told, drawCall, makeCall } from '../test/spend-clients.ts'

/** Counts of a reply that was received whole. */
export interface Acknowledged {
  /** Of the call, in the books of the upstream. */
  readonly name: string
  readonly promptTokens: number
  readonly candidatesTokens: number
  readonly thoughtsTokens: number
  readonly totalTokens: number
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

/** `count` clients, each with one call at a time: unary replies, event streams and array streams mixed. */
export function startClients(options: {
  readonly origin: string
  readonly key: SpendKey
  readonly count: number
  readonly random: Random
  /** Begins the names of the calls; `call` unless told. */
  readonly prefix?: string
}): Clients {
  const { origin, key, random, prefix = 'call' } = options
  const pool = new Pool(origin, { connections: options.count })
  const acknowledged = new Map<string, Acknowledged>()
  const stop = new AbortController()
  let underWay = 0
  let calls = 0
  let replied = Promise.withResolvers<void>()
  const client = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      underWay++
      const told = await makeCall(pool, drawCall(`${prefix}-${++calls}`, random, MIXED), key)
      underWay--
      if (told.status === 0 || isShed(told)) {
        await delay(RETRY_MS)
        continue
      }
      if (told.status !== 200) throw new Error(`HTTP ${told.status}: ${told.text}`)
      if (acknowledged.has(told.requestId)) throw new Error(`${told.requestId} was used twice`)
      acknowledged.set(told.requestId, usageIn(told))
      replied.resolve()
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

/** A process that cannot keep up lets nobody in for a moment: that is the machine, not the books. */
function isShed({ status, text }: Told): boolean {
  return status === 503 && reasonIn(text) === 'OVERLOADED'
}

interface Chunk {
  readonly usageMetadata?: Readonly<Record<string, number>>
}

/** The usage of a whole reply; a stream's last one is its bill. */
function usageIn({ name, form, text }: Told): Acknowledged {
  const usage = chunksIn(form, text).findLast(chunk => chunk.usageMetadata !== undefined)?.usageMetadata
  if (usage === undefined) throw new Error(`a whole reply without usage: ${text}`)
  return {
    name,
    promptTokens: usage['promptTokenCount'] ?? 0,
    candidatesTokens: usage['candidatesTokenCount'] ?? 0,
    thoughtsTokens: usage['thoughtsTokenCount'] ?? 0,
    totalTokens: usage['totalTokenCount'] ?? 0,
  }
}

function chunksIn(form: Told['form'], text: string): readonly Chunk[] {
  if (form === 'unary') return [JSON.parse(text) as Chunk]
  if (form === 'array') return JSON.parse(text) as Chunk[]
  const events = text.split('\r\n\r\n').filter(event => event !== '')
  return events.map(event => JSON.parse(event.replace(/^data: /, '')) as Chunk)
}
