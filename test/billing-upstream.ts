/**
 * An upstream that bills the most Google may: a token for each byte of text, and all the output that was allowed. It
 * keeps books of its own, by arithmetic of its own: nothing of Pollux's prices or costs is used here.
 */
import { once } from 'node:events'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type Random, between, seededRandom } from './seeded-random.ts'

/** Dollars for a million tokens as Google's price page has them, of models whose price has no change to come. */
const USD_PER_MILLION: ReadonlyMap<string, readonly Rate[]> = new Map([
  ['gemini-2.5-flash-lite', [{ promptTokensMax: Infinity, input: '0.10', output: '0.40' }]],
  ['gemini-3.1-flash-lite', [{ promptTokensMax: Infinity, input: '0.25', output: '1.50' }]],
  ['gemini-2.5-flash', [{ promptTokensMax: Infinity, input: '0.30', output: '2.50' }]],
  [
    'gemini-2.5-pro',
    [
      { promptTokensMax: 200_000, input: '1.25', output: '10.00' },
      { promptTokensMax: Infinity, input: '2.50', output: '15.00' },
    ],
  ],
])

interface Rate {
  readonly promptTokensMax: number
  readonly input: string
  readonly output: string
}

/** What each of these models writes at most where the body sets no limit. */
const OUTPUT_TOKENS_MAX = 65_536

/** One call as it was billed. */
export interface Bill {
  /** The request's user-agent: clients give each call one of its own. */
  readonly name: string
  readonly model: string
  /** Epoch ms, when the request had come in completely: from then on Google may bill it. */
  readonly atMs: number
  /** As it came; null where the body had none. */
  readonly maxOutputTokens: number | null
  readonly promptTokens: number
  readonly candidatesTokens: number
  readonly thoughtsTokens: number
  readonly nanos: bigint
}

export interface BillingUpstream {
  readonly origin: string
  /** Every call that was billed, in the order of arrival. */
  readonly bills: readonly Bill[]
  /** The sum of all bills. */
  totalNanos(): bigint
  close(): Promise<void>
}

export interface BillingOptions {
  readonly seed: number
  /** Longest time to the first byte; each call takes its own. */
  readonly latencyMsMax?: number
  /** Share of calls that fail: half of them with 503, which is not billed, half without an answer, which is. */
  readonly faultShare?: number
}

export async function startBillingUpstream(options: BillingOptions): Promise<BillingUpstream> {
  const random = seededRandom(options.seed)
  const bills: Bill[] = []
  const failures: unknown[] = []
  let total = 0n
  const book = (bill: Bill): void => {
    bills.push(bill)
    total += bill.nanos
  }
  const server = createServer({ keepAliveTimeout: 600_000, requestTimeout: 0 }, (request, response) => {
    answer(request, response, { ...options, random, book }).catch(error => {
      failures.push(error)
      response.destroy()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    bills,
    totalNanos: () => total,
    async close() {
      server.closeAllConnections()
      const closed = once(server, 'close')
      server.close()
      await closed
      if (failures.length > 0) throw new AggregateError(failures, 'the billing upstream failed')
    },
  }
}

interface Bookkeeping extends BillingOptions {
  readonly random: Random
  readonly book: (bill: Bill) => void
}

const CALL = /^\/v1beta\/models\/([^/:]+):(generateContent|streamGenerateContent)(\?alt=sse)?$/

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { random, book, latencyMsMax = 0, faultShare = 0 }: Bookkeeping,
): Promise<void> {
  const body = await bodyOf(request)
  if (body === null) return
  if (request.url?.endsWith(':countTokens') === true) {
    send(response, 200, { totalTokens: promptTokensOf(JSON.parse(body.toString('utf8'))) })
    return
  }
  const [, model = '', verb, sse] = CALL.exec(request.url ?? '') ?? []
  const fault = random() < faultShare ? random() : null
  const latencyMs = random() * latencyMsMax
  if (fault !== null && fault < 0.5) {
    await delay(latencyMs)
    send(response, 503, { error: { code: 503, status: 'UNAVAILABLE', message: 'The model is overloaded.' } })
    return
  }
  const bill = billOf({ name: request.headers['user-agent'] ?? '', model, body, random })
  if (bill === null) {
    send(response, 404, { error: { code: 404, status: 'NOT_FOUND', message: `no price for ${model}` } })
    return
  }
  book(bill)
  await delay(latencyMs)
  if (fault !== null) response.destroy()
  else if (verb === 'generateContent') send(response, 200, replyOf(bill, 1, 'STOP'))
  else await stream(response, bill, { isSse: sse !== undefined, chunks: between(random, 2, 5) })
}

/** Null where the request broke off: then there is nothing to bill. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | null> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer)
  } catch {
    return null
  }
  return Buffer.concat(chunks)
}

interface Arrival {
  readonly name: string
  readonly model: string
  readonly body: Buffer
  readonly random: Random
}

interface GenerationConfig {
  readonly maxOutputTokens?: number
  readonly candidateCount?: number
}

function billOf({ name, model, body, random }: Arrival): Bill | null {
  const rates = USD_PER_MILLION.get(model)
  if (rates === undefined) return null
  const json = JSON.parse(body.toString('utf8')) as { generationConfig?: GenerationConfig }
  const { maxOutputTokens = null, candidateCount = 1 } = json.generationConfig ?? {}
  const promptTokens = promptTokensOf(json)
  const outputTokens = (maxOutputTokens ?? OUTPUT_TOKENS_MAX) * candidateCount
  const thoughtsTokens = Math.floor(outputTokens * random())
  const rate = rates.find(({ promptTokensMax }) => promptTokens <= promptTokensMax)
  const picos =
    BigInt(promptTokens) * picosPerToken(rate?.input ?? '') +
    BigInt(outputTokens) * picosPerToken(rate?.output ?? '')
  return {
    name,
    model,
    atMs: performance.timeOrigin + performance.now(),
    maxOutputTokens,
    promptTokens,
    candidatesTokens: outputTokens - thoughtsTokens,
    thoughtsTokens,
    nanos: (picos + 999n) / 1000n,
  }
}

/** A dollar for a million tokens is a million pico-dollars for each. */
function picosPerToken(usdPerMillion: string): bigint {
  const [dollars = '', decimals = ''] = usdPerMillion.split('.')
  return BigInt(dollars + decimals.padEnd(6, '0'))
}

/** The most Google may count, and one where there is no text: a prompt of nothing is none. */
function promptTokensOf(request: unknown): number {
  return Math.max(1, textBytes(request))
}

/** UTF-8 bytes of every text, wherever it stands. */
function textBytes(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let bytes = 0
  for (const [name, member] of Object.entries(value)) {
    bytes += name === 'text' && typeof member === 'string' ? Buffer.byteLength(member) : textBytes(member)
  }
  return bytes
}

/** The reply, or a chunk of it, with the usage that a running total has at this share of the output. */
function replyOf(bill: Bill, share: number, finishReason: string | undefined): object {
  const { promptTokens, model } = bill
  const candidatesTokens = Math.floor(bill.candidatesTokens * share)
  const thoughtsTokens = Math.floor(bill.thoughtsTokens * share)
  const text = 'All that was allowed. '
  return {
    candidates: [{ content: { role: 'model', parts: [{ text }] }, index: 0, finishReason }],
    usageMetadata: {
      // Google leaves out what is zero.
      promptTokenCount: promptTokens,
      candidatesTokenCount: candidatesTokens || undefined,
      thoughtsTokenCount: thoughtsTokens || undefined,
      totalTokenCount: promptTokens + candidatesTokens + thoughtsTokens,
    },
    modelVersion: model,
  }
}

function send(response: ServerResponse, status: number, json: object): void {
  const body = Buffer.from(JSON.stringify(json))
  response.writeHead(status, {
    'content-type': 'application/json; charset=UTF-8',
    'content-length': body.length,
  })
  response.end(body)
}

async function stream(
  response: ServerResponse,
  bill: Bill,
  { isSse, chunks }: { readonly isSse: boolean; readonly chunks: number },
): Promise<void> {
  response.writeHead(200, { 'content-type': isSse ? 'text/event-stream' : 'application/json; charset=UTF-8' })
  for (let chunk = 1; chunk <= chunks; chunk++) {
    const isLast = chunk === chunks
    const json = JSON.stringify(replyOf(bill, chunk / chunks, isLast ? 'STOP' : undefined))
    if (isSse) response.write(`data: ${json}\r\n\r\n`)
    else response.write(`${chunk === 1 ? '[' : ',\r\n'}${json}${isLast ? ']' : ''}`)
    // A write of its own for each, as from Google.
    if (!isLast) await delay(1)
  }
  response.end()
}
