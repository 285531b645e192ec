/** Rate counters that several nodes share, in Redis: one atomic script for each call, on Redis' clock. */
import { createHash } from 'node:crypto'
import { ErrorReply, type RedisClientType, createClient } from 'redis'
import type {
  QuotaAllocation,
  QuotaAnswer,
  QuotaCounter,
  QuotaReading,
  QuotaRefusal,
  QuotaTake,
} from '../domain/quota.ts'
import { midnightsAround } from '../domain/quota-window.ts'
import { Breaker } from './breaker.ts'
import { ALLOCATE, READ, RELEASE, RENEW, SLOT_LEASE_MS } from './scripts.ts'

export interface RedisQuotaOptions {
  readonly url: string
  /** An IANA name, at whose midnights days begin. */
  readonly timeZone: string
  /** How long a call waits for Redis at most. */
  readonly waitMs?: number
  /** Redis does not answer, or with errors, so calls are let through uncounted; once per outage. */
  readonly onOutage: (error: unknown) => void
  /** One call was let through uncounted. */
  readonly onUnenforced: () => void
}

const WAIT_MS = 50
/** Other programs may use the same Redis. */
const KEY_PREFIX = 'pollux:quota:'
const RENEW_EVERY_MS = SLOT_LEASE_MS / 3
const COMMANDS_QUEUED_MAX = 10_000
const CONNECT_TIMEOUT_MS = 2_000
const RECONNECT_MS_MAX = 1_000
/** Errors that come sooner after one another are told as one outage. */
const ERRORS_APART_MS = 10_000
/** For how long a call that was let through uncounted is told of. */
const UNENFORCED_TOLD_MS = 10_000
/** Calls named in one renewal. */
const RENEWED_AT_ONCE_MAX = 1_000

interface Script {
  readonly source: string
  readonly sha: string
}

const script = (source: string): Script => ({
  source,
  sha: createHash('sha1').update(source).digest('hex'),
})

const SCRIPTS = {
  allocate: script(ALLOCATE),
  release: script(RELEASE),
  renew: script(RENEW),
  read: script(READ),
} as const

export class RedisQuota {
  readonly #client: RedisClientType
  readonly #breaker: Breaker
  readonly #options: RedisQuotaOptions
  readonly #renewing: NodeJS.Timeout
  /** Slots of calls of this node: the calls by counter id. */
  readonly #slots = new Map<string, Set<string>>()
  /** How far the clock of Redis is ahead of this node's. */
  #aheadMs = 0
  #erredAtMs = -Infinity
  #unenforcedAtMs = -Infinity
  #midnights: { readonly text: string; readonly fromMs: number; readonly toMs: number } | null = null

  /** Connects in the background and goes on trying: a Redis that is away keeps nothing from starting. */
  constructor(options: RedisQuotaOptions) {
    this.#options = options
    this.#breaker = new Breaker(options.waitMs ?? WAIT_MS, error => options.onOutage(error))
    this.#client = createClient({
      url: options.url,
      name: 'pollux-quota',
      disableOfflineQueue: true,
      commandsQueueMaxLength: COMMANDS_QUEUED_MAX,
      socket: {
        connectTimeout: CONNECT_TIMEOUT_MS,
        reconnectStrategy: retries => Math.min(50 * 2 ** Math.min(retries, 10), RECONNECT_MS_MAX),
      },
    })
    this.#client.on('error', (error: unknown) => this.#breaker.failed(error))
    // A script that has to be sent anew arrives after what was asked later.
    this.#client.on('ready', () => this.#load())
    // What keeps it from connecting comes as an `error` as well.
    this.#client.connect().catch(() => {})
    this.#renewing = setInterval(() => this.#renew(), RENEW_EVERY_MS)
    this.#renewing.unref()
  }

  /** Resolves when Redis answers for the first time. */
  async ready(): Promise<void> {
    while (!this.#client.isReady) await new Promise(resolve => setTimeout(resolve, 5))
  }

  /** Whether calls are counted: Redis is there, and no call was let through uncounted for a while. */
  get isEnforced(): boolean {
    return this.#client.isReady && performance.now() - this.#unenforcedAtMs > UNENFORCED_TOLD_MS
  }

  async allocate(takes: readonly QuotaTake[], callId: string): Promise<QuotaAnswer> {
    const given = takes.flatMap(({ counter, amount }) => [
      counter.window,
      String(amount),
      String(counter.limit),
    ])
    const counters = takes.map(({ counter }) => counter)
    const answer = await this.#answerTo(() =>
      this.#askWithDays('allocate', counters, days => [days, callId, ...given]),
    )
    if (answer === null) {
      // Should it be granted later after all, its bound stays charged until the window, or the lease of its slot, is over.
      this.#unenforcedAtMs = performance.now()
      this.#options.onUnenforced()
      return { kind: 'unenforced' }
    }
    const [isGranted, nowMs = 0, ...rest] = answer
    if (isGranted !== 1) return { kind: 'refused', refusals: refusalsOf(takes, nowMs, rest) }
    for (const { id, window } of counters) if (window === 'slots') this.#slotsOf(id).add(callId)
    return { kind: 'granted', allocation: { callId, takes, windows: rest } }
  }

  /**
   * Leaves `kept` of each take counted, in the window it was taken in, and gives the rest back. Nobody waits for it: what
   * does not arrive stays counted until its window, or the lease of its slot, is over.
   */
  release({ callId, takes, windows }: QuotaAllocation, kept: readonly number[]): void {
    const ids: string[] = []
    const given: string[] = []
    for (const [place, { counter, amount }] of takes.entries()) {
      const difference = (kept[place] ?? amount) - amount
      if (difference === 0) continue
      if (counter.window === 'slots') this.#leave(counter.id, callId)
      ids.push(counter.id)
      given.push(counter.window, String(windows[place] ?? 0), String(difference))
    }
    if (ids.length === 0) return
    void this.#answerTo(() => this.#run('release', ids, [callId, ...given]))
  }

  /** Rejects with the error of Redis. */
  async read(counters: readonly QuotaCounter[]): Promise<readonly QuotaReading[]> {
    if (counters.length === 0) return []
    const kinds = counters.map(({ window }) => window)
    const [, , ...rest] = await this.#askWithDays('read', counters, days => [days, ...kinds])
    return counters.map(({ window }, place) => ({
      used: rest[place * 2] ?? 0,
      resetTimeMs: window === 'slots' ? null : (rest[place * 2 + 1] ?? null),
    }))
  }

  close(): void {
    clearInterval(this.#renewing)
    this.#client.destroy()
  }

  /** What Redis answers, or null. An error that it answers with concerns this question, and keeps nobody else from asking. */
  async #answerTo(ask: () => Promise<number[]>): Promise<number[] | null> {
    return await this.#breaker.run<number[] | null>(() =>
      ask().catch((error: unknown) => {
        if (!(error instanceof ErrorReply)) throw error
        this.#erred(error)
        return null
      }),
    )
  }

  #erred(error: ErrorReply): void {
    const nowMs = performance.now()
    if (nowMs - this.#erredAtMs > ERRORS_APART_MS) this.#options.onOutage(error)
    this.#erredAtMs = nowMs
  }

  /** Asks again with other midnights where this node's clock is days away from that of Redis. */
  async #askWithDays(
    name: 'allocate' | 'read',
    counters: readonly QuotaCounter[],
    argumentsOf: (days: string) => string[],
  ): Promise<number[]> {
    const ids = counters.map(({ id }) => id)
    const answer = await this.#run(name, ids, argumentsOf(this.#days()))
    if (answer[0] !== -1) return answer
    this.#aheadMs = (answer[1] ?? 0) - Date.now()
    return await this.#run(name, ids, argumentsOf(this.#days()))
  }

  async #run(name: keyof typeof SCRIPTS, ids: readonly string[], given: string[]): Promise<number[]> {
    const { sha, source } = SCRIPTS[name]
    const options = { keys: ids.map(id => KEY_PREFIX + id), arguments: given }
    try {
      return (await this.#client.evalSha(sha, options)) as number[]
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
      return (await this.#client.eval(source, options)) as number[]
    }
  }

  #load(): void {
    for (const { source } of Object.values(SCRIPTS)) {
      this.#client.scriptLoad(source).catch((error: unknown) => this.#breaker.failed(error))
    }
  }

  #days(): string {
    const nowMs = Date.now() + this.#aheadMs
    if (this.#midnights === null || nowMs < this.#midnights.fromMs || nowMs >= this.#midnights.toMs) {
      const around = midnightsAround(this.#options.timeZone, nowMs)
      this.#midnights = { text: around.join(','), fromMs: around[1] ?? 0, toMs: around[2] ?? 0 }
    }
    return this.#midnights.text
  }

  #slotsOf(id: string): Set<string> {
    let calls = this.#slots.get(id)
    if (calls === undefined) this.#slots.set(id, (calls = new Set()))
    return calls
  }

  #leave(id: string, callId: string): void {
    const calls = this.#slots.get(id)
    calls?.delete(callId)
    if (calls?.size === 0) this.#slots.delete(id)
  }

  /** A call may take longer than a lease; and a Redis that was flushed learns again what is in use. */
  #renew(): void {
    for (const [id, calls] of this.#slots) {
      const all = [...calls]
      for (let from = 0; from < all.length; from += RENEWED_AT_ONCE_MAX) {
        const some = all.slice(from, from + RENEWED_AT_ONCE_MAX)
        void this.#answerTo(() => this.#run('renew', [id], some))
      }
    }
  }
}

/** `rest`: place (from 1), used and end of window of each counter that is too full. */
function refusalsOf(takes: readonly QuotaTake[], nowMs: number, rest: readonly number[]): QuotaRefusal[] {
  const refusals: QuotaRefusal[] = []
  for (let at = 0; at < rest.length; at += 3) {
    const take = takes[(rest[at] ?? 0) - 1]
    if (take === undefined) throw new Error('Redis refused a limit that was not asked')
    const endMs = rest[at + 2] ?? 0
    refusals.push({ ...take, used: rest[at + 1] ?? 0, resetInMs: endMs === 0 ? 0 : endMs - nowMs })
  }
  return refusals
}
