/**
 * What calls are posted at whose reply says little of its usage, or nothing: nothing that was billed is free. A gateway under
 * a budget over a real database, between real sockets.
 */
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { mintKeyString } from '../src/domain/keystring.ts'
import type { Gateway } from '../src/gateway/call.ts'
import { Upstream } from '../src/gateway/upstream.ts'
import type { Listener } from '../src/http/listener.ts'
import { openStorage } from '../src/storage/open.ts'
import type { RecordRow } from '../src/storage/record-row.ts'
import type { Storage } from '../src/storage/storage.ts'
import { createKey, cutGateway, listenFor, testAudit } from './cut-gateway.ts'
import { recordsOfCalls } from './records.ts'

/** Dollars per million tokens: 0.30 in, 2.50 out. */
const MODEL = 'gemini-2.5-flash'
const [INPUT_NANOS, OUTPUT_NANOS] = [300, 2_500]
const keyString = mintKeyString('key')
const CAP_NANOS = 1_000_000_000_000_000

/** What the upstream answers to the call with this user-agent. */
const replies = new Map<string, object>()
/** What it was asked to count. */
const asked: object[] = []
/** What it counts; null: it does not. */
let tokens: number | null = null

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  if (request.url?.endsWith(':countTokens') === true) {
    asked.push({ url: request.url, ...(JSON.parse(Buffer.concat(chunks).toString('utf8')) as object) })
    response.writeHead(tokens === null ? 404 : 200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ totalTokens: tokens }))
    return
  }
  const json = JSON.stringify(replies.get(request.headers['user-agent'] ?? ''))
  const isStream = request.url?.includes('alt=sse') === true
  response.writeHead(200, { 'content-type': isStream ? 'text/event-stream' : 'application/json' })
  response.end(isStream ? `data: ${json}\r\n\r\n` : json)
}

const server = createServer((request, response) => void answer(request, response))
let dataDir: string
let storage: Storage
let gateway: Gateway & { readonly upstream: Upstream }
let listener: Listener
/** Request ids by the user-agent of the request. */
const callIds = new Map<string, string>()

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'pollux-spend-usage-'))
  storage = await openStorage({ engine: { kind: 'sqlite', path: join(dataDir, 'pollux.sqlite') }, dataDir })
  const { projectNumber, lineage } = await createKey(storage, keyString)
  const place = { scope: 'key', projectNumber, lineage, period: 'total' } as const
  const rules = { policy: 'clamp', defaultMaxOutputTokens: null, toolCeilingsNanos: {} } as const
  await storage.budgets.create({ ...place, ...rules, capNanos: CAP_NANOS }, testAudit())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  gateway = cutGateway(storage, {
    upstreamOrigin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    credential: 'credential-of-the-usage',
    drainMs: 1_000,
  })
  listener = await listenFor(gateway, callIds)
})

afterAll(async () => {
  listener.cut()
  await listener.close()
  await gateway.upstream.close()
  await gateway.ledger.close()
  await storage.close()
  server.closeAllConnections()
  server.close()
  await rm(dataDir, { recursive: true, force: true })
})

let names = 0

/** A call that the upstream answers with this. */
async function send(verb: string, body: object, reply: object, model: string) {
  const name = `call-${++names}`
  replies.set(name, reply)
  const response = await fetch(`${listener.origin}/v1beta/models/${model}:${verb}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-goog-api-key': keyString, 'user-agent': name },
    body: JSON.stringify(body),
  })
  await response.text()
  return { name, status: response.status }
}

/** The record of a call that the upstream answers with this. */
async function recordOf(verb: string, body: object, reply: object, model = MODEL): Promise<RecordRow> {
  const { name, status } = await send(verb, body, reply, model)
  expect(status).toBe(200)
  const [record] = await recordsOfCalls(dataDir, [callIds.get(name) ?? ''])
  if (record === undefined) throw new Error(`${name} has no record`)
  return record
}

const PROMPT = { contents: [{ parts: [{ text: 'hello' }] }], generationConfig: { maxOutputTokens: 500 } }
const said = (usageMetadata: unknown): object => ({
  candidates: [{ content: { parts: [{ text: 'Well, hello.' }] }, finishReason: 'STOP' }],
  usageMetadata,
  modelVersion: MODEL,
})

describe.each(['generateContent', 'streamGenerateContent?alt=sse'])('%s', verb => {
  test.each([
    ['is empty', {}],
    ['has no prompt', { candidatesTokenCount: 5, totalTokenCount: 5 }],
    ['has a prompt below nothing', { promptTokenCount: -7, candidatesTokenCount: 5 }],
    ['has an output that is no count', { promptTokenCount: 7, candidatesTokenCount: 'five' }],
  ])('whose usage %s: what it held is posted', async (_, usageMetadata) => {
    const record = await recordOf(verb, PROMPT, said(usageMetadata))
    expect(record.held_nanos).toBeGreaterThan(500 * OUTPUT_NANOS)
    expect(record).toMatchObject({
      outcome: 'estimated',
      cost_nanos: record.held_nanos,
      posted_nanos: record.held_nanos,
    })
  })

  test('whose counts are written as texts: its cost is posted', async () => {
    const usage = { promptTokenCount: '7', candidatesTokenCount: '5', totalTokenCount: '12' }
    const nanos = 7 * INPUT_NANOS + 5 * OUTPUT_NANOS
    expect(await recordOf(verb, PROMPT, said(usage))).toMatchObject({
      outcome: 'posted',
      cost_nanos: nanos,
      posted_nanos: nanos,
      total_tokens: 12,
    })
  })

  test('whose prompt was blocked: its prompt is posted', async () => {
    const usageMetadata = { promptTokenCount: 7, totalTokenCount: 7 }
    const reply = { promptFeedback: { blockReason: 'PROHIBITED_CONTENT' }, usageMetadata }
    expect(await recordOf(verb, PROMPT, reply)).toMatchObject({
      outcome: 'posted',
      posted_nanos: 7 * INPUT_NANOS,
    })
  })
})

/** Dollars per million tokens: 0.15. */
const EMBEDDER = 'gemini-embedding-001'
const EMBED_NANOS = 150
const hello = { parts: [{ text: 'hello' }] }

describe('what is embedded and comes without usage', () => {
  const embed = (verb: string, body: object): Promise<RecordRow> => {
    asked.length = 0
    return recordOf(verb, body, { embedding: { values: [1] } }, EMBEDDER)
  }

  test.each([
    ['embedContent', { content: hello }, [{ role: 'user', ...hello }]],
    [
      'embedContent',
      { content: hello, taskType: 'RETRIEVAL_DOCUMENT', title: 'greeting' },
      [{ role: 'user', parts: [{ text: 'greeting' }, ...hello.parts] }],
    ],
    [
      'batchEmbedContents',
      { requests: ['a', 'b'].map(text => ({ model: `models/${EMBEDDER}`, content: { parts: [{ text }] } })) },
      ['a', 'b'].map(text => ({ role: 'user', parts: [{ text }] })),
    ],
  ])('is posted by what countTokens says: %s, %#', async (verb, body, contents) => {
    tokens = 3
    expect(await embed(verb, body)).toMatchObject({
      outcome: 'posted',
      http_status: 200,
      prompt_tokens: 3,
      total_tokens: 3,
      cost_nanos: 3 * EMBED_NANOS,
      posted_nanos: 3 * EMBED_NANOS,
    })
    expect(asked).toEqual([{ url: `/v1beta/models/${EMBEDDER}:countTokens`, contents }])
  })

  test.each([null, 0, -3, 1.5])(
    'is posted by its bound, which the record has, where that says %s',
    async said => {
      tokens = said
      const record = await embed('embedContent', { content: hello })
      expect(record.held_nanos).toBeGreaterThan('hello'.length * EMBED_NANOS)
      expect(record).toMatchObject({ outcome: 'estimated', posted_nanos: record.held_nanos })
      expect(record.cost_nanos).toBe(record.prompt_tokens * EMBED_NANOS)
      expect(record.cost_nanos).toBe(record.held_nanos)
    },
  )

  test('is never posted with more than its bound, which is all that a model reads', async () => {
    tokens = 1_000_000
    const record = await embed('embedContent', { content: hello })
    expect(record).toMatchObject({ outcome: 'posted', cost_nanos: record.held_nanos })
    expect(record.cost_nanos).toBe(record.prompt_tokens * EMBED_NANOS)
  })

  test('is not counted where its usage was told', async () => {
    asked.length = 0
    const told = { embedding: { values: [1] }, usageMetadata: { promptTokenCount: 2 } }
    const record = await recordOf('embedContent', { content: hello }, told, EMBEDDER)
    expect(record).toMatchObject({ outcome: 'posted', cost_nanos: 2 * EMBED_NANOS })
    expect(asked).toEqual([])
  })
})

test('an embedding is refused for its bytes only after it was counted', async () => {
  tokens = 3
  // As Google counts around a prompt, beside it.
  const neededNanos = (3 + 64) * EMBED_NANOS
  const told = { embedding: { values: [1] }, usageMetadata: { promptTokenCount: 3 } }
  const [total] = await storage.budgets.list({})
  if (total === undefined) throw new Error('there is a budget')
  const { projectNumber, lineage } = total
  const place = { scope: 'key', projectNumber, lineage, period: 'day' } as const
  const rules = { policy: 'clamp', defaultMaxOutputTokens: null, toolCeilingsNanos: {} } as const
  const { postedNanos } = total.balance
  const capNanos = postedNanos + neededNanos + 3 * EMBED_NANOS - 1
  await storage.budgets.create({ ...place, ...rules, capNanos }, testAudit())
  gateway.keys.forgetAll()
  asked.length = 0
  expect((await send('embedContent', { content: hello }, told, EMBEDDER)).status).toBe(200)
  expect(asked).toHaveLength(1)
  // What it cost leaves a nano-dollar too little for another.
  expect((await send('embedContent', { content: hello }, told, EMBEDDER)).status).toBe(402)
  expect(asked).toHaveLength(2)
})
