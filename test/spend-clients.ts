/** Calls that cost money, of every size, and clients that make them until a budget says that it is spent. */
import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'undici'
import { type CallBounds, floorOf, promptBoundTokens, worstCase } from '../src/domain/bound.ts'
import { TEXT_ONLY } from '../src/domain/price.ts'
import { loadModelLimits, loadPrices } from '../src/prices.ts'
import { type Random, between, oneOf, seededRandom } from './seeded-random.ts'
import { FORMS, type Form } from './traffic.ts'

/** A call before it is sent. */
export interface SpendCall {
  /** Its user-agent, by which the upstream's books know it. */
  readonly name: string
  readonly model: string
  readonly form: Form
  readonly body: Buffer
  /** By MONEY.md rules 11 and 15, under budgets that clamp. */
  readonly worstNanos: number
  readonly floorNanos: number
  /** The same once the upstream has counted the prompt (rule 12). */
  readonly counted: { readonly worstNanos: number; readonly floorNanos: number }
}

/** A call as its client saw it. */
export interface Told extends SpendCall {
  readonly keyUid: string
  /** Epoch ms with fractions. */
  readonly sentMs: number
  readonly receivedMs: number
  /** 0: the connection broke. */
  readonly status: number
  readonly requestId: string
  /** `x-pollux-max-output-tokens` */
  readonly clampedTo: number | null
  readonly shouldRetry: string | null
  /** The body as it came; empty where the connection broke. */
  readonly text: string
}

export interface SpendKey {
  readonly uid: string
  readonly keyId: string
  readonly keyString: string
}

function nowMs(): number {
  return performance.timeOrigin + performance.now()
}

const prices = loadPrices()
const limits = loadModelLimits()

/** Mostly the cheapest, so that a dollar is many calls. */
const MODELS = [
  'gemini-2.5-flash-lite',
  'gemini-2.5-flash-lite',
  'gemini-2.5-flash-lite',
  'gemini-3.1-flash-lite',
  'gemini-2.5-flash',
  'gemini-2.5-pro',
] as const
const TEXTS = ['Tell me of stars. ', 'Erzähl’ von Sternen. ', '星について話して。', '⭐️ '] as const

/** A call at random: any length, with or without an output limit, some with candidates, schemas and thinking budgets. */
export function drawCall(name: string, random: Random, forms: readonly [Form, ...Form[]]): SpendCall {
  const model = oneOf(random, MODELS)
  const text = oneOf(random, TEXTS).repeat(between(random, 1, random() < 0.02 ? 2_000 : 60))
  const kind = random()
  const isCheap = model === MODELS[0]
  const generationConfig = {
    maxOutputTokens: kind < 0.02 && isCheap ? undefined : between(random, 1, kind < 0.1 ? 8_192 : 1_024),
    candidateCount: kind > 0.9 && kind < 0.95 ? 2 : undefined,
    responseSchema: kind > 0.98 ? { type: 'OBJECT', properties: { star: { type: 'STRING' } } } : undefined,
    thinkingConfig: kind > 0.95 && kind < 0.98 ? { thinkingBudget: between(random, 512, 8_192) } : undefined,
  }
  const json = JSON.stringify({ contents: [{ role: 'user', parts: [{ text }] }], generationConfig })
  const body = Buffer.from(json)
  return { name, model, form: oneOf(random, forms), body, ...costs(model, body, Buffer.byteLength(text)) }
}

type Costs = Pick<SpendCall, 'worstNanos' | 'floorNanos' | 'counted'>

/** What a count may be short of the bill by. */
const COUNT_MARGIN_TOKENS = 64

function costs(model: string, body: Buffer, textBytes: number): Costs {
  const limit = limits.find(model)
  const price = prices.find(model, Date.now())
  if (price === null) throw new Error(`no price for ${model}`)
  const json = JSON.parse(body.toString('utf8')) as {
    generationConfig: {
      maxOutputTokens?: number
      candidateCount?: number
      responseSchema?: object
      thinkingConfig?: { thinkingBudget: number }
    }
  }
  const config = json.generationConfig
  const prompt = { textBytes: body.length, parts: objectsIn(json), mediaTokens: 0, hasReference: false }
  const bounds: CallBounds = {
    promptTokensBound: promptBoundTokens(prompt, limit),
    outputTokensBound: config.maxOutputTokens ?? limit.outputTokenLimit,
    candidateCount: config.candidateCount ?? 1,
    inputModalities: TEXT_ONLY,
    outputModalities: TEXT_ONLY,
    tier: null,
    tools: new Set(),
    toolCeilingsNanos: {},
  }
  const of = (promptTokensBound: number) => {
    const bound = { ...bounds, promptTokensBound }
    const worst = worstCase(bound, price)
    const floor = floorOf(bound, price, {
      policy: 'clamp',
      hasResponseSchema: config.responseSchema !== undefined,
      thinkingBudget: config.thinkingConfig?.thinkingBudget ?? null,
      limit,
    })
    if (!('nanos' in worst && 'nanos' in floor)) throw new Error(`${model} has no bound`)
    return { worstNanos: worst.nanos, floorNanos: floor.nanos }
  }
  const counted = Math.min(bounds.promptTokensBound, textBytes + COUNT_MARGIN_TOKENS)
  return { ...of(bounds.promptTokensBound), counted: of(counted) }
}

function objectsIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  const own = Array.isArray(value) ? 0 : 1
  return Object.values(value).reduce<number>((sum, member) => sum + objectsIn(member), own)
}

const VERBS: Readonly<Record<Form, string>> = {
  unary: 'generateContent',
  sse: 'streamGenerateContent?alt=sse',
  array: 'streamGenerateContent',
}

/** Makes a call and gives what came back, once all of it did. */
export async function makeCall(pool: Pool, call: SpendCall, key: SpendKey): Promise<Told> {
  const sentMs = nowMs()
  const common = { ...call, keyUid: key.uid, sentMs }
  try {
    const { statusCode, headers, body } = await pool.request({
      method: 'POST',
      path: `/v1beta/models/${call.model}:${VERBS[call.form]}`,
      headers: {
        'content-type': 'application/json',
        'x-goog-api-key': key.keyString,
        'user-agent': call.name,
      },
      body: call.body,
      headersTimeout: 60_000,
    })
    const headAtMs = nowMs()
    const requestId = String(headers['x-request-id'])
    const clamped = headers['x-pollux-max-output-tokens']
    const told = {
      ...common,
      requestId,
      clampedTo: clamped === undefined ? null : Number(clamped),
      shouldRetry: headers['x-should-retry'] === undefined ? null : String(headers['x-should-retry']),
    }
    try {
      const text = await body.text()
      return { ...told, status: statusCode, receivedMs: statusCode === 200 ? nowMs() : headAtMs, text }
    } catch {
      // A stream that broke off: its end is in the record.
      return { ...told, status: 0, receivedMs: nowMs(), text: '' }
    }
  } catch (error) {
    if (!isConnectionLost(error)) throw error
    return {
      ...common,
      requestId: '',
      clampedTo: null,
      shouldRetry: null,
      status: 0,
      receivedMs: nowMs(),
      text: '',
    }
  }
}

const LOST_CODES: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'])

function isConnectionLost(error: unknown): boolean {
  return error instanceof Error && 'code' in error && LOST_CODES.has(String(error.code))
}

export interface RaceOptions {
  /** Of the nodes; the clients take turns. */
  readonly origins: readonly [string, ...string[]]
  readonly keys: readonly [SpendKey, ...SpendKey[]]
  readonly clients: number
  readonly forms: readonly [Form, ...Form[]]
  readonly seed: number
  /** Clients that are not done by then stop. */
  readonly timeoutMs: number
  /**
   * Makes the successor of a key. The first key has one from the beginning, which half of its clients use; every other second
   * key gets one while the race runs, and its clients go over to it.
   */
  readonly succeed: (key: SpendKey) => Promise<SpendKey>
}

/** Every client calls, one call at a time, until its own 402. Gives every call, in the order of the replies. */
export async function race(options: RaceOptions): Promise<readonly Told[]> {
  const { origins, keys } = options
  const successors = new Map<SpendKey, SpendKey>()
  const successorOfFirst = await options.succeed(keys[0])
  // A node that is busy looks up a key it does not know too late for a race of a second.
  for (const origin of origins) {
    const headers = { 'x-goog-api-key': successorOfFirst.keyString }
    await (await fetch(`${origin}/v1beta/models`, { headers })).arrayBuffer()
  }
  const rotate = async (): Promise<void> => {
    for (const key of keys.filter((_, place) => place > 0 && place % 2 === 0)) {
      successors.set(key, await options.succeed(key))
    }
  }
  const rotation: Promise<void>[] = []
  const connections = Math.ceil(options.clients / origins.length)
  const pools = origins.map(origin => new Pool(origin, { connections }))
  const told: Told[] = []
  const deadlineMs = performance.now() + options.timeoutMs
  try {
    await Promise.all(
      Array.from({ length: options.clients }, async (_, place) => {
        const random = seededRandom(options.seed * 7_919 + place)
        // Every key on every node.
        const turnOfKeys = Math.floor(place / origins.length)
        const first = Math.floor(turnOfKeys / keys.length) % 2 === 0 ? keys[0] : successorOfFirst
        const key = keys.slice(1)[(turnOfKeys % keys.length) - 1] ?? first
        const pool = pools[place % pools.length]
        if (pool === undefined) throw new Error('no node')
        for (let turn = 1; performance.now() < deadlineMs; turn++) {
          const call = drawCall(`call-${place}-${turn}`, random, options.forms)
          const reply = await makeCall(pool, call, successors.get(key) ?? key)
          told.push(reply)
          // By then about half of the clients have been answered once.
          if (rotation.length === 0 && told.length * 2 >= options.clients) rotation.push(rotate())
          if (reply.status === 402) return
          if (reply.status !== 200) await delay(10 + random() * 40)
        }
      }),
    )
    await Promise.all(rotation)
  } finally {
    await Promise.all(pools.map(pool => pool.destroy()))
  }
  return told
}

export const UNARY: readonly [Form] = ['unary']
export const STREAMS: readonly [Form, Form] = ['sse', 'array']
export const MIXED: readonly [Form, ...Form[]] = FORMS
