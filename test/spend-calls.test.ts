/** Budgets as callers meet them: a whole Pollux as a process, a small upstream, and what goes over the wire on both sides. */
import { once } from 'node:events'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KEY_BUDGETS_V1, PROJECT_BUDGETS_V1 } from '../src/contract/budgets.v1.ts'
import type { BodyOf } from '../src/contract/endpoint.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import type { BudgetPeriod } from '../src/domain/budget.ts'
import { PROJECT, createKeyString } from './client-keys.ts'
import { type Pollux, startPollux } from './pollux.ts'
import { recordsOfCalls } from './records.ts'

const load = createRequire(new URL('clients/package.json', import.meta.url))
const { ApiError, GoogleGenAI } = load('@google/genai')

/** Dollars per million tokens: 0.30 in, 2.50 out. */
const MODEL = 'gemini-2.5-flash'
const [INPUT_NANOS, OUTPUT_NANOS] = [300, 2_500]
/** The smallest limit this model is clamped to, and more than enough for the prompts here. */
const OUTPUT_TOKENS_MIN = 256
const PROMPT_TOKENS_MAX = 600

// oxlint-disable-next-line typescript/no-explicit-any -- a test reads whatever the wire brought
type Json = any

/** What a call gets that carries this user-agent; others get ten tokens in and five out. */
type Answer = (body: Json) => Promise<object> | object

interface Upstream {
  readonly origin: string
  /** Bodies as they came, by user-agent. */
  readonly seen: Map<string, Json>
  readonly answers: Map<string, Answer>
  /** Prompts that countTokens was asked about, and what it said of each; null: that it is not there. */
  readonly counted: (readonly [text: string, tokens: number | null])[]
  close(): Promise<void>
}

const usage = (promptTokenCount: number, candidatesTokenCount: number) => ({
  promptTokenCount,
  candidatesTokenCount,
})

async function startUpstream(): Promise<Upstream> {
  const seen = new Map<string, Json>()
  const answers = new Map<string, Answer>()
  const counted: (readonly [string, number | null])[] = []
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    // Pollux asks for the models when it starts.
    const body: Json = chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString('utf8'))
    if (request.url?.endsWith(':countTokens') === true) {
      const text = String(body.generateContentRequest.contents[0].parts[0].text)
      const tokens = text.startsWith('countless') ? null : text.split(' ').length
      counted.push([text, tokens])
      response.writeHead(tokens === null ? 404 : 200, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ totalTokens: tokens ?? undefined }))
      return
    }
    const name = request.headers['user-agent'] ?? ''
    seen.set(name, body)
    const plan = answers.get(name) ?? (() => usage(10, 5))
    const [, model] = /models\/([^:]+):/.exec(request.url ?? '') ?? []
    const json = JSON.stringify({
      candidates: [{ content: { role: 'model', parts: [{ text: 'Well.' }] }, finishReason: 'STOP' }],
      usageMetadata: await plan(body),
      modelVersion: model,
    })
    const isStream = request.url?.includes('alt=sse') === true
    response.writeHead(200, { 'content-type': isStream ? 'text/event-stream' : 'application/json' })
    response.end(isStream ? `data: ${json}\r\n\r\n` : json)
  }
  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    answers,
    counted,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

let upstream: Upstream
let pollux: Pollux
beforeAll(async () => {
  upstream = await startUpstream()
  pollux = await startPollux({
    env: {
      POLLUX_GEMINI_BASE_URL: upstream.origin,
      GEMINI_API_KEY: 'AIzaSySpendCallsUpstreamCredential00000',
    },
  })
})
afterAll(async () => {
  await pollux.stop()
  await upstream.close()
})

type BudgetBody = BodyOf<typeof KEY_BUDGETS_V1.createBudget>
let keys = 0

/** A key of its own, with a budget unless the body is null. */
async function makeKey(body: BudgetBody | null, budgetId: BudgetPeriod = 'total') {
  const key = `spender-${++keys}`
  const keyString = await createKeyString(pollux, key)
  const params = { project: PROJECT, key }
  if (body !== null)
    await pollux.client.call(KEY_BUDGETS_V1.createBudget, { params, query: { budgetId }, body })
  const budget = () =>
    pollux.client.call(KEY_BUDGETS_V1.getBudget, { params: { ...params, budget: budgetId } })
  const patch = (body: BudgetBody) =>
    pollux.client.call(KEY_BUDGETS_V1.updateBudget, {
      params: { ...params, budget: budgetId },
      query: { updateMask: Object.keys(body).join(',') },
      body,
    })
  return { key, keyString, name: key, params, budget, patch }
}

interface Sending {
  readonly keyString: string
  /** The user-agent. */
  readonly name: string
  readonly body?: object
  readonly model?: string
  readonly verb?: string
  readonly signal?: AbortSignal
}

async function send({
  keyString,
  name,
  body = {},
  model = MODEL,
  verb = 'generateContent',
  signal,
}: Sending) {
  const response = await fetch(`${pollux.origin}/v1beta/models/${model}:${verb}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-goog-api-key': keyString, 'user-agent': name },
    body: JSON.stringify({ contents: [{ parts: [{ text: 'Hello' }] }], ...body }),
    ...(signal === undefined ? {} : { signal }),
  })
  const text = await response.text()
  const { status, headers } = response
  const parsed: Json = verb.includes('sse') && status === 200 ? null : JSON.parse(text)
  return {
    status,
    headers,
    text,
    json: parsed,
  }
}

const detail = (json: Json, type: string): Json =>
  json.error.details.find((one: Json) => one['@type'] === `type.googleapis.com/google.rpc.${type}`)

const limitOf = (name: string): unknown => upstream.seen.get(name)?.generationConfig?.maxOutputTokens

describe('402', () => {
  test('names the budget that refused, says when it resets, and is not to be retried', async () => {
    const made = await makeKey({ cap: '1000' }, 'month')
    const { status, headers, json } = await send(made)
    const budget = await made.budget()
    expect(status).toBe(402)
    expect(headers.get('x-should-retry')).toBe('false')
    expect(headers.get('retry-after')).toBeNull()
    expect(json.error).toMatchObject({ code: 402, status: 'RESOURCE_EXHAUSTED' })
    expect(json.error.message).toMatch(
      /^The monthly budget of the key has \$0\.000001 of \$0\.000001 left, and this call needs \$0\.\d+\. Send less/,
    )
    expect(json.error.message).toContain(new Date(budget.periodEndTime ?? 0).toISOString())
    const info = detail(json, 'ErrorInfo')
    expect(info).toMatchObject({
      reason: 'BUDGET_EXHAUSTED',
      domain: 'pollux',
      metadata: {
        remaining: '1000',
        required: expect.stringMatching(/^\d+$/),
        resetTime: new Date(budget.periodEndTime ?? 0).toISOString(),
      },
    })
    expect(Number(info.metadata.required)).toBeGreaterThan(1000)
    expect(detail(json, 'QuotaFailure').violations).toEqual([
      { subject: info.metadata.budget, description: json.error.message },
    ])
    expect(detail(json, 'RetryInfo')).toBeUndefined()
    expect(upstream.seen.has(made.name)).toBe(false)
    // The name is one that the management API knows.
    const [, project = '', key = ''] =
      /^projects\/(\d+)\/keys\/([^/]+)\/budgets\/month$/.exec(info.metadata.budget) ?? []
    const named = await pollux.client.call(KEY_BUDGETS_V1.getBudget, {
      params: { project, key, budget: 'month' },
    })
    expect(named.name).toBe(budget.name)
  })

  test('a budget that never resets says to raise its cap', async () => {
    const made = await makeKey({ cap: '1' })
    expect((await send(made)).json.error.message).toMatch(/or raise its cap\. It does not reset\.$/)
    await made.patch({ cap: '0' })
    const { json } = await send(made)
    expect(json.error.message).toMatch(
      /is spent: the cap is \$0\.00\. It does not reset: raise its cap to go on\.$/,
    )
    expect(detail(json, 'ErrorInfo').metadata).not.toHaveProperty('resetTime')
  })

  test('comes as an array where the stream would have been one, and as an event stream otherwise', async () => {
    const made = await makeKey({ cap: '1' })
    const array = await send({ ...made, verb: 'streamGenerateContent' })
    expect([array.status, array.json[0].error.code]).toEqual([402, 402])
    const sse = await send({ ...made, verb: 'streamGenerateContent?alt=sse' })
    expect([sse.status, sse.headers.get('x-should-retry'), sse.json.error.code]).toEqual([402, 'false', 402])
  })

  test('is an ApiError for @google/genai', async () => {
    const { keyString } = await makeKey({ cap: '1' })
    const client = new GoogleGenAI({ apiKey: keyString, httpOptions: { baseUrl: pollux.origin } })
    const calls = [
      () => client.models.generateContent({ model: MODEL, contents: 'Hello' }),
      () => client.models.generateContentStream({ model: MODEL, contents: 'Hello' }),
    ]
    for (const call of calls) {
      const error: Json = await call().catch((error: unknown) => error)
      expect(error).toBeInstanceOf(ApiError)
      expect(error.status).toBe(402)
      expect(JSON.parse(error.message).error).toMatchObject({ code: 402, status: 'RESOURCE_EXHAUSTED' })
    }
  })

  test('comes for the bytes of a prompt only after it was counted, where counting can help', async () => {
    const text = Array.from({ length: 2_000 }, () => 'wordy').join(' ')
    const body = { contents: [{ parts: [{ text }] }], generationConfig: { maxOutputTokens: 100 } }
    const outputNanos = 100 * OUTPUT_NANOS
    const neededNanos = (2_000 + 64) * INPUT_NANOS + outputNanos
    const sent = async (cap: number, text?: string): Promise<[status: number, counted: number]> => {
      upstream.counted.length = 0
      const contents = [{ parts: [{ text }] }]
      const { status } = await send({
        ...(await makeKey({ cap: String(cap) })),
        body: text === undefined ? body : { ...body, contents },
      })
      return [status, upstream.counted.length]
    }
    expect(await sent(neededNanos)).toEqual([200, 1])
    expect(await sent(neededNanos - 1)).toEqual([402, 1])
    // Nobody counts it, so its bytes do.
    expect(await sent(neededNanos, `countless ${text}`)).toEqual([402, 1])
    // Not even the output fits; or all of it does.
    expect(await sent(outputNanos)).toEqual([402, 0])
    expect(await sent(100 * neededNanos)).toEqual([200, 0])
  })

  test('a lowered cap stops the next call, a raised one lets it in', async () => {
    const made = await makeKey({ cap: '1000000000' })
    expect((await send(made)).status).toBe(200)
    const posted = 10 * INPUT_NANOS + 5 * OUTPUT_NANOS
    expect(await made.budget()).toMatchObject({ posted: String(posted) })
    await made.patch({ cap: String(posted - 1) })
    expect((await send(made)).status).toBe(402)
    await made.patch({ cap: '1000000000' })
    const again = await send(made)
    expect([again.status, again.headers.get('x-pollux-max-output-tokens')]).toEqual([200, null])
  })
})

describe('the clamp', () => {
  test.each(['generateContent', 'streamGenerateContent?alt=sse'])(
    '%s: the lowered limit is told, sent upstream and recorded',
    async verb => {
      // Room for 20,000 tokens of output; half of it is for this call.
      const made = await makeKey({ cap: String(20_000 * OUTPUT_NANOS) })
      const body = { generationConfig: { temperature: 1, maxOutputTokens: 60_000 } }
      const { status, headers } = await send({ ...made, verb, body })
      expect(status).toBe(200)
      const limit = Number(headers.get('x-pollux-max-output-tokens'))
      expect(limit).toBeGreaterThan(9_700)
      expect(limit).toBeLessThanOrEqual(10_000)
      expect(upstream.seen.get(made.name)).toEqual({
        contents: [{ parts: [{ text: 'Hello' }] }],
        generationConfig: { temperature: 1, maxOutputTokens: limit },
      })
      const callId = headers.get('x-request-id') ?? ''
      const [record] = await recordsOfCalls(pollux.dataDir, [callId])
      expect(record).toMatchObject({ clamped_output_tokens: limit })
      expect(Number(record?.held_nanos)).toBeLessThanOrEqual(10_000 * OUTPUT_NANOS)
    },
  )

  test('goes down to the floor, and thinks no more than fits beside it', async () => {
    const made = await makeKey({
      cap: String((OUTPUT_TOKENS_MIN + 20) * OUTPUT_NANOS + PROMPT_TOKENS_MAX * INPUT_NANOS),
    })
    const { headers } = await send({
      ...made,
      body: { generation_config: { thinking_config: { thinking_budget: 1_000 } } },
    })
    expect(headers.get('x-pollux-max-output-tokens')).toBe(String(OUTPUT_TOKENS_MIN))
    expect(upstream.seen.get(made.name).generation_config).toEqual({
      maxOutputTokens: OUTPUT_TOKENS_MIN,
      thinking_config: { thinking_budget: 0 },
    })
  })

  test('a call that fits is left as it is', async () => {
    const made = await makeKey({ cap: '1000000000' })
    const { headers } = await send(made)
    expect(headers.get('x-pollux-max-output-tokens')).toBeNull()
    expect(limitOf(made.name)).toBeUndefined()
  })

  test('a call with a responseSchema is not clamped, nor one whose budget says refuse', async () => {
    const cap = String(20_000 * OUTPUT_NANOS)
    const clamping = await makeKey({ cap })
    const schema = {
      generationConfig: { responseMimeType: 'application/json', responseSchema: { type: 'OBJECT' } },
    }
    const refused = await send({ ...clamping, body: schema })
    expect([refused.status, refused.json.error.details[0].reason]).toEqual([402, 'BUDGET_EXHAUSTED'])
    const refusing = await makeKey({ cap, policy: 'refuse' })
    expect((await send(refusing)).status).toBe(402)
    expect(
      (await send({ ...refusing, body: { generationConfig: { maxOutputTokens: 10_000 } } })).status,
    ).toBe(200)
    expect((await send({ ...clamping, body: {} })).status).toBe(200)
  })

  test('the strictest policy of the path wins', async () => {
    await pollux.client.call(PROJECT_BUDGETS_V1.createBudget, {
      params: { project: PROJECT },
      query: { budgetId: 'day' },
      body: { cap: '1000000000000', policy: 'refuse' },
    })
    try {
      expect((await send(await makeKey({ cap: String(20_000 * OUTPUT_NANOS) }))).status).toBe(402)
    } finally {
      await pollux.client.call(PROJECT_BUDGETS_V1.deleteBudget, {
        params: { project: PROJECT, budget: 'day' },
      })
    }
  })

  test('the default limit of a budget is sent along, so that it binds the upstream too', async () => {
    const made = await makeKey({ cap: '1000000000', defaultMaxOutputTokens: 700 })
    upstream.answers.set(made.name, body => usage(10, body.generationConfig?.maxOutputTokens ?? 65_536))
    const { headers } = await send(made)
    expect(limitOf(made.name)).toBe(700)
    const [record] = await recordsOfCalls(pollux.dataDir, [headers.get('x-request-id') ?? ''])
    expect(Number(record?.cost_nanos)).toBe(10 * INPUT_NANOS + 700 * OUTPUT_NANOS)
    expect(Number(record?.posted_nanos)).toBe(Number(record?.cost_nanos))
    expect(await made.budget()).toMatchObject({ overrun: '0', state: 'ACTIVE' })
    await send({ ...made, body: { generationConfig: { maxOutputTokens: 900 } } })
    expect(limitOf(made.name)).toBe(900)
  })
})

describe('429 SPEND_HELD', () => {
  test(
    'after five seconds behind an open hold, with RetryInfo and retry-after',
    { timeout: 30_000 },
    async () => {
      const made = await makeKey({ cap: String(1_000 * OUTPUT_NANOS) })
      const body = { generationConfig: { maxOutputTokens: 900 } }
      const go = Promise.withResolvers<object>()
      upstream.answers.set('holder', () => go.promise)
      const holder = send({ ...made, name: 'holder', body })
      await expect.poll(() => upstream.seen.has('holder')).toBe(true)
      const startMs = performance.now()
      const { status, headers, json } = await send({ ...made, body })
      expect(performance.now() - startMs).toBeGreaterThan(4_900)
      expect([status, headers.get('retry-after'), headers.get('x-should-retry')]).toEqual([429, '1', null])
      expect(json.error).toMatchObject({ code: 429, status: 'RESOURCE_EXHAUSTED' })
      expect(detail(json, 'ErrorInfo')).toMatchObject({
        reason: 'SPEND_HELD',
        domain: 'pollux',
        metadata: { asOf: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]{12}Z$/) },
      })
      expect(detail(json, 'RetryInfo')).toMatchObject({ retryDelay: '1s' })
      expect(detail(json, 'QuotaFailure').violations).toHaveLength(1)
      // Who waits is let in as soon as the other one is settled.
      const next = send({ ...made, body })
      await delay(300)
      go.resolve(usage(10, 5))
      expect((await holder).status).toBe(200)
      expect((await next).status).toBe(200)
    },
  )

  test('a client that leaves while it waits is not sent, nor a call whose key is deleted meanwhile', async () => {
    const made = await makeKey({ cap: String(1_000 * OUTPUT_NANOS) })
    const body = { generationConfig: { maxOutputTokens: 900 } }
    const go = Promise.withResolvers<object>()
    upstream.answers.set('keeper', () => go.promise)
    const keeper = send({ ...made, name: 'keeper', body })
    await expect.poll(() => upstream.seen.has('keeper')).toBe(true)
    const leaving = new AbortController()
    const left = send({ ...made, name: 'leaver', body, signal: leaving.signal }).catch(() => 'left')
    const revoked = send({ ...made, name: 'revoked', body })
    await delay(200)
    leaving.abort()
    expect(await left).toBe('left')
    await pollux.client.call(POLLUX_V1.deleteKey, { params: made.params })
    go.resolve(usage(10, 5))
    await keeper
    const { status, json } = await revoked
    expect([status, json.error.details[0].reason]).toEqual([400, 'API_KEY_INVALID'])
    expect([upstream.seen.has('leaver'), upstream.seen.has('revoked')]).toEqual([false, false])
  })

  test('a budget that is made while a call waits binds it too', async () => {
    const made = await makeKey({ cap: String(1_000 * OUTPUT_NANOS) })
    const body = { generationConfig: { maxOutputTokens: 900 } }
    const go = Promise.withResolvers<object>()
    upstream.answers.set('first', () => go.promise)
    const first = send({ ...made, name: 'first', body })
    await expect.poll(() => upstream.seen.has('first')).toBe(true)
    const waiting = send({ ...made, name: 'waiting', body })
    await delay(200)
    await pollux.client.call(KEY_BUDGETS_V1.createBudget, {
      params: made.params,
      query: { budgetId: 'day' },
      body: { cap: '1' },
    })
    go.resolve(usage(10, 5))
    expect((await first).status).toBe(200)
    expect((await waiting).status).toBe(402)
    expect(upstream.seen.has('waiting')).toBe(false)
  })
})

describe('what has no price or bound', () => {
  test('a model without a price is refused under a budget, and marked unpriced without one', async () => {
    const model = 'gemini-unheard-of'
    const refused = await send({ ...(await makeKey({ cap: '1000000000' })), model })
    expect(refused.status).toBe(400)
    expect(refused.json.error).toMatchObject({ status: 'FAILED_PRECONDITION' })
    expect(detail(refused.json, 'ErrorInfo')).toMatchObject({ reason: 'MODEL_UNPRICED', domain: 'pollux' })
    const made = await makeKey(null)
    const { status, headers } = await send({ ...made, model })
    expect(status).toBe(200)
    const [record] = await recordsOfCalls(pollux.dataDir, [headers.get('x-request-id') ?? ''])
    expect(record).toMatchObject({ outcome: 'posted', cost_nanos: null })
  })

  test('a tier without a price is refused under a budget', async () => {
    const made = await makeKey({ cap: '1000000000' })
    for (const body of [{ serviceTier: 'express' }, { service_tier: 'deferred' }]) {
      const { status, json } = await send({ ...made, body })
      expect([status, json.error.details[0].reason]).toEqual([400, 'MODEL_UNPRICED'])
    }
  })

  test('a tool without a bound is refused under a budget, unless a ceiling bounds it', async () => {
    const made = await makeKey({ cap: '1000000000' })
    const tools = [{ url_context: {} }, { codeExecution: {} }]
    const refused = await send({ ...made, body: { tools } })
    expect(refused.status).toBe(400)
    expect(detail(refused.json, 'ErrorInfo')).toMatchObject({ reason: 'TOOL_UNBOUNDED' })
    await made.patch({ toolCeilings: { urlContext: '5000000' } })
    const half = await send({ ...made, body: { tools } })
    expect(detail(half.json, 'ErrorInfo').metadata).toEqual({ tool: 'codeExecution' })
    await made.patch({ toolCeilings: { urlContext: '5000000', codeExecution: '7000000' } })
    const body = { tools, generationConfig: { maxOutputTokens: 100 } }
    const { status, headers } = await send({ ...made, body })
    expect(status).toBe(200)
    const [record] = await recordsOfCalls(pollux.dataDir, [headers.get('x-request-id') ?? ''])
    const held = Number(record?.held_nanos)
    expect(held).toBeGreaterThan(12_000_000 + 100 * OUTPUT_NANOS)
    expect(held).toBeLessThan(12_000_000 + 100 * OUTPUT_NANOS + PROMPT_TOKENS_MAX * INPUT_NANOS)
    const other = await send({ ...made, body: { tools: [{ computerUse: {} }] } })
    expect(detail(other.json, 'ErrorInfo')).toMatchObject({ reason: 'TOOL_UNBOUNDED' })
  })
})

test('a call that costs more than it may freezes its path until it is acknowledged', async () => {
  const made = await makeKey({ cap: String(1_000 * OUTPUT_NANOS) })
  upstream.answers.set(made.name, () => usage(10, 5_000))
  const body = { generationConfig: { maxOutputTokens: 300 } }
  expect((await send({ ...made, body })).status).toBe(200)
  const cap = 1_000 * OUTPUT_NANOS
  const cost = 10 * INPUT_NANOS + 5_000 * OUTPUT_NANOS
  expect(await made.budget()).toMatchObject({
    posted: String(cap),
    overrun: String(cost - cap),
    state: 'FROZEN',
  })
  await made.patch({ cap: String(10 * cap) })
  const frozen = await send({ ...made, body })
  expect([frozen.status, frozen.headers.get('x-should-retry')]).toEqual([402, 'false'])
  expect(detail(frozen.json, 'ErrorInfo')).toMatchObject({ reason: 'BUDGET_FROZEN' })
  await pollux.client.call(KEY_BUDGETS_V1.acknowledgeBudget, {
    params: { ...made.params, budget: 'total' },
    body: {},
  })
  upstream.answers.delete(made.name)
  expect((await send({ ...made, body })).status).toBe(200)
})
