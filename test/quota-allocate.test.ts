/** What a call takes from its rate limits before it is let in; counted in memory, prompts by an upstream on a socket. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ApiError } from '../src/domain/error.ts'
import type { Key } from '../src/domain/key.ts'
import type { Project } from '../src/domain/project.ts'
import {
  type QuotaAllocation,
  type QuotaLimit,
  type QuotaMetric,
  QUOTA_METRICS,
  quotaRules,
} from '../src/domain/quota.ts'
import type { RefusedCall } from '../src/domain/refused-call.ts'
import { boundsOf } from '../src/gateway/bounds.ts'
import type { Call, GatewayEvents, Grant, KeyEntry } from '../src/gateway/call.ts'
import { inspectBody } from '../src/gateway/inspect.ts'
import { routeOf } from '../src/gateway/methods.ts'
import { type QuotaStore, allocateQuota, returnQuota } from '../src/gateway/quota.ts'
import { Upstream } from '../src/gateway/upstream.ts'
import { loadModelLimits } from '../src/prices.ts'
import { MemoryQuota } from '../src/quota/memory.ts'
import { type RecordingUpstream, httpReply, startRecordingUpstream } from './recording-upstream.ts'

const MODEL = 'gemini-3.8-flash'
const CALL = { id: 'call-1' } as Call
const modelLimits = loadModelLimits()
const BODY = { contents: [{ parts: [{ text: 'oak '.repeat(100) }] }] }
const PICTURES = {
  ...BODY,
  generationConfig: { responseModalities: ['IMAGE'], candidateCount: 3 },
}

let google: RecordingUpstream
let upstream: Upstream
beforeAll(async () => {
  google = await startRecordingUpstream()
  upstream = new Upstream({ origin: google.origin, basePath: '', credential: 'k' })
})
afterEach(() => google.answerWith(null))
afterAll(async () => {
  await upstream.close()
  await google.close()
})

/** Has the upstream count prompts; returns how often it is asked from now on. */
function countsPrompts(status: string, reply: object): () => number {
  const before = google.requests.length
  google.answerWith(socket => socket.write(httpReply(status, JSON.stringify(reply))))
  return () => google.requests.length - before
}

const limit = (metric: QuotaMetric, value: number, model: string | null = null): QuotaLimit => ({
  metric,
  model,
  value,
})

function grantOf(projectLimits: readonly QuotaLimit[], body: object = BODY, verb = 'generateContent'): Grant {
  const { method } = routeOf('POST', `/v1beta/models/${MODEL}:${verb}`)
  const bytes = Buffer.from(JSON.stringify(body))
  const { tools, demand } = inspectBody(bytes, method.body, MODEL)
  const keyLimits = [limit('requestsPerDay', 1_000)]
  const quotas =
    projectLimits.length === 0
      ? null
      : quotaRules({ projectNumber: '41', lineage: 'k' }, { tier: null, projectLimits, keyLimits })
  const entry = { key: { uid: 'key-uid' } as Key, project: { number: '41' } as Project, quotas } as KeyEntry
  return {
    caller: { digest: 'd', entry, version: 0 },
    method,
    apiVersion: 'v1beta',
    model: MODEL,
    upstreamPath: '',
    body: bytes,
    requestBytes: bytes.length,
    tools,
    demand,
  }
}

const boundOf = (grant: Grant): number => boundsOf(grant, modelLimits.find(MODEL), []).promptTokensBound
const BOUND = boundOf(grantOf([]))

/** A gateway's half of admission, with what it told and what is counted. */
function scene(over: Partial<QuotaStore> = {}) {
  const memory = new MemoryQuota('UTC', () => Date.UTC(2026, 0, 1, 12))
  const quota: QuotaStore = {
    allocate: (takes, callId) => memory.allocate(takes, callId),
    release: (allocation, kept) => memory.release(allocation, kept),
    ...over,
  }
  const limited: RefusedCall[] = []
  const events: Pick<GatewayEvents, 'callLimited'> = { callLimited: refused => limited.push(refused) }
  const io = { quota, modelLimits, upstream, events: events as GatewayEvents }
  return {
    memory,
    limited,
    allocate: (grant: Grant) => allocateQuota(grant, CALL, io),
    counted: async (grant: Grant): Promise<Record<string, number>> => {
      const counters = grant.caller.entry.quotas?.countersOf(MODEL) ?? []
      const readings = await memory.read(counters)
      return Object.fromEntries(counters.map(({ metric }, place) => [metric, readings[place]?.used ?? -1]))
    },
  }
}

const amountsIn = (allocation: QuotaAllocation | null): Record<string, number> =>
  Object.fromEntries(allocation?.takes.map(({ counter, amount }) => [counter.metric, amount]) ?? [])

/** The refusal that an act throws there and then. */
function refusalOf(act: () => unknown): ApiError {
  try {
    act()
  } catch (error) {
    if (error instanceof ApiError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

const everyMetric = QUOTA_METRICS.map(metric => limit(metric, 1_000_000))

describe('a call takes', () => {
  it('one request and slot, its bytes and its prompt’s bound, and no picture', () => {
    const grant = grantOf(everyMetric)
    const allocation = scene().allocate(grant)
    expect(allocation).not.toBeInstanceOf(Promise)
    expect(allocation).toMatchObject({ callId: CALL.id })
    expect(amountsIn(allocation as QuotaAllocation)).toEqual({
      requestsPerMinute: 1,
      inputTokensPerMinute: BOUND,
      requestsPerDay: 1,
      requestBytesPerDay: grant.requestBytes,
      concurrentCalls: 1,
    })
  })

  it('a picture for each candidate where it asks for pictures', () => {
    const allocation = scene().allocate(grantOf(everyMetric, PICTURES))
    expect(amountsIn(allocation as QuotaAllocation)).toMatchObject({ imagesPerMinute: 3 })
  })

  it.each<[string, Grant]>([
    ['it has no limits', grantOf([])],
    ['it generates and bills nothing', grantOf(everyMetric, BODY, 'countTokens')],
  ])('nothing, and nobody is asked, where %s', (_, grant) => {
    const { allocate, memory } = scene()
    expect(allocate(grant)).toBeNull()
    expect(memory.size).toBe(0)
  })

  it('nothing where all its limits are those of other models', () => {
    const grant = grantOf([limit('requestsPerMinute', 1)])
    const others = quotaRules(
      { projectNumber: '41', lineage: 'k' },
      { tier: null, projectLimits: [limit('requestsPerMinute', 0, 'another')], keyLimits: [] },
    )
    const { caller } = grant
    const entry = { ...caller.entry, quotas: others }
    expect(scene().allocate({ ...grant, caller: { ...caller, entry } })).toBeNull()
  })

  it('what a store grants that answers later', async () => {
    const { allocate, memory } = scene({
      allocate: (takes, callId) => Promise.resolve(memory.allocate(takes, callId)),
    })
    const grant = grantOf([limit('requestsPerMinute', 1)])
    expect(amountsIn(await allocate(grant))).toEqual({ requestsPerMinute: 1, requestsPerDay: 1 })
    await expect(allocate(grant)).rejects.toMatchObject({ reason: 'RATE_LIMIT_EXCEEDED' })
  })

  it('nothing, and is let through, where the store cannot say', async () => {
    const { allocate } = scene({ allocate: () => ({ kind: 'unenforced' }) })
    expect(allocate(grantOf([limit('requestsPerMinute', 0)]))).toBeNull()
    countsPrompts('200 OK', { totalTokens: 7 })
    expect(await allocate(grantOf([limit('inputTokensPerMinute', 10)]))).toBeNull()
  })
})

describe('a call that is refused', () => {
  it('takes nothing, and is told with every limit that refused it', async () => {
    const { allocate, limited, counted } = scene()
    const grant = grantOf([
      limit('requestsPerMinute', 1),
      limit('concurrentCalls', 1),
      limit('requestsPerDay', 9),
    ])
    await allocate(grant)
    const fromMs = Date.now()
    expect(refusalOf(() => allocate(grant))).toMatchObject({ reason: 'RATE_LIMIT_EXCEEDED' })
    const told = { projectNumber: '41', keyUid: 'key-uid', model: MODEL, reason: 'RATE_LIMIT_EXCEEDED' }
    expect(limited).toEqual([
      { ...told, timeMs: expect.any(Number), quota: { scope: 'project', metric: 'requestsPerMinute' } },
      { ...told, timeMs: expect.any(Number), quota: { scope: 'project', metric: 'concurrentCalls' } },
    ])
    for (const { timeMs } of limited) expect(timeMs).toBeGreaterThanOrEqual(fromMs)
    expect(await counted(grant)).toEqual({ requestsPerMinute: 1, concurrentCalls: 1, requestsPerDay: 1 })
  })

  it('is none for its pictures where it asks for none', () => {
    const limits = [limit('imagesPerMinute', 0)]
    expect(scene().allocate(grantOf(limits))).not.toBeNull()
    expect(refusalOf(() => scene().allocate(grantOf(limits, PICTURES))).message).toContain('images')
  })

  it.each<[string, Grant]>([
    ['no token is allowed', grantOf([limit('inputTokensPerMinute', 0)])],
    ['its bytes, not its tokens, are too many', grantOf([limit('requestBytesPerDay', 1)])],
    [
      'it embeds',
      grantOf([limit('inputTokensPerMinute', 1)], { content: { parts: [{ text: 'oak' }] } }, 'embedContent'),
    ],
  ])('costs no question to Google where %s', (_, grant) => {
    const asked = countsPrompts('200 OK', { totalTokens: 0 })
    expect(refusalOf(() => scene().allocate(grant)).reason).toBe('RATE_LIMIT_EXCEEDED')
    expect(asked()).toBe(0)
  })

  it('costs none either where its prompt fits whole into a minute, but not into what is left of it', async () => {
    const asked = countsPrompts('200 OK', { totalTokens: 0 })
    const { allocate, counted } = scene()
    const grant = grantOf([limit('inputTokensPerMinute', BOUND)])
    expect(allocate(grant)).not.toBeInstanceOf(Promise)
    expect(refusalOf(() => allocate(grant)).message).toContain('Please retry in')
    expect(await counted(grant)).toMatchObject({ inputTokensPerMinute: BOUND })
    expect(asked()).toBe(0)
  })
})

describe('a prompt whose bound alone is above the limit', () => {
  const TOKENS_MAX = 200
  const grant = grantOf([
    limit('inputTokensPerMinute', TOKENS_MAX),
    limit('requestsPerMinute', 2),
    limit('concurrentCalls', 1),
  ])

  it('takes what Google counts, and everything else once', async () => {
    expect(BOUND).toBeGreaterThan(TOKENS_MAX)
    const asked = countsPrompts('200 OK', { totalTokens: TOKENS_MAX })
    const { allocate, counted, limited } = scene()
    expect(amountsIn(await allocate(grant))).toMatchObject({ inputTokensPerMinute: TOKENS_MAX })
    expect(await counted(grant)).toEqual({
      inputTokensPerMinute: TOKENS_MAX,
      requestsPerMinute: 1,
      concurrentCalls: 1,
      requestsPerDay: 1,
    })
    expect(asked()).toBe(1)
    expect(google.requests.at(-1)?.target).toBe(`/v1beta/models/${MODEL}:countTokens`)
    expect(limited).toEqual([])
  })

  it.each<[string, string, object, number]>([
    ['what Google counts', '200 OK', { totalTokens: TOKENS_MAX + 1 }, TOKENS_MAX + 1],
    ['its bound, where Google counts more', '200 OK', { totalTokens: BOUND + 1 }, BOUND],
    ['its bound, where Google does not say', '503 Service Unavailable', {}, BOUND],
  ])('is refused with %s, where that is above the limit too', async (_, status, reply, amount) => {
    countsPrompts(status, reply)
    const { allocate, counted, limited } = scene()
    await expect(allocate(grant)).rejects.toThrow(`This call alone asks for ${amount},`)
    expect(limited.map(({ quota }) => quota?.metric)).toEqual(['inputTokensPerMinute'])
    expect(await counted(grant)).toEqual({
      inputTokensPerMinute: 0,
      requestsPerMinute: 1,
      concurrentCalls: 0,
      requestsPerDay: 1,
    })
  })

  it('costs Google no more questions than it has requests, however often it is tried', async () => {
    const asked = countsPrompts('200 OK', { totalTokens: TOKENS_MAX + 1 })
    const { allocate, limited } = scene()
    for (let attempt = 0; attempt < 10; attempt++)
      await expect(allocate(grant)).rejects.toMatchObject({ reason: 'RATE_LIMIT_EXCEEDED' })
    expect(asked()).toBe(2)
    expect(limited.at(-1)?.quota?.metric).toBe('requestsPerMinute')
  })

  it('holds its slot while Google counts, and gives all of it back together', async () => {
    const { memory, allocate, counted } = scene()
    const counting = Promise.withResolvers<() => void>()
    google.answerWith(socket => {
      const reply = httpReply('200 OK', JSON.stringify({ totalTokens: 9 }))
      counting.resolve(() => void socket.write(reply))
    })
    const first = allocate(grant)
    const answer = await counting.promise
    expect(await counted(grant)).toMatchObject({ requestsPerMinute: 1, concurrentCalls: 1 })
    answer()
    const allocation = await first
    expect(await counted(grant)).toMatchObject({ inputTokensPerMinute: 9, concurrentCalls: 1 })
    if (allocation !== null) returnQuota(allocation, { quota: memory })
    expect(Object.values(await counted(grant))).toEqual([0, 0, 0, 0])
  })

  it('costs no question to Google where its requests are used up', async () => {
    const asked = countsPrompts('200 OK', { totalTokens: 1 })
    const { allocate, limited } = scene()
    await allocate(grant)
    await expect(allocate(grant)).rejects.toMatchObject({ reason: 'RATE_LIMIT_EXCEEDED' })
    expect(asked()).toBe(1)
    expect(limited.map(({ quota }) => quota?.metric)).toEqual(['concurrentCalls'])
  })
})
