/**
 * Whatever breaks, and wherever it does: one usage record for each call, nothing delivered that the upstream did not say,
 * nothing left open. A gateway over a real database, between real sockets.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ApiError } from '../src/domain/error.ts'
import { mintKeyString } from '../src/domain/keystring.ts'
import type { Gateway } from '../src/gateway/call.ts'
import { Upstream } from '../src/gateway/upstream.ts'
import { type Listener } from '../src/http/listener.ts'
import { openStorage } from '../src/storage/open.ts'
import type { Storage } from '../src/storage/storage.ts'
import { createKey, cutGateway, listenFor, repliesOf } from './cut-gateway.ts'
import {
  type CuttingUpstream,
  type Plan,
  bodyStart,
  chunkedReply,
  startCuttingUpstream,
  wholeReply,
} from './cutting-upstream.ts'
import { readRecords, recordsOfCalls } from './records.ts'
import { type Form, type OpenedCall, openCall, reasonIn } from './traffic.ts'

const CREDENTIAL = 'AIzaSyStreamCutsUpstreamCredential00000'
const DRAIN_MS = 300
const keyString = mintKeyString('key')

let dataDir: string
let storage: Storage
let upstream: CuttingUpstream
let gateway: Gateway & { readonly upstream: Upstream }
let listener: Listener
/** Request ids by the user-agent of the request. */
const callIds = new Map<string, string>()
const credentialRefusals: string[] = []

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'pollux-cuts-'))
  storage = await openStorage({ engine: { kind: 'sqlite', path: join(dataDir, 'pollux.sqlite') }, dataDir })
  await createKey(storage, keyString)
  upstream = await startCuttingUpstream()
  gateway = cutGateway(storage, {
    upstreamOrigin: upstream.origin,
    credential: CREDENTIAL,
    drainMs: DRAIN_MS,
    onCredentialRefused: reason => void credentialRefusals.push(reason),
  })
  listener = await listenFor(gateway, callIds)
})

afterAll(async () => {
  listener.cut()
  await listener.close()
  await gateway.upstream.close()
  await storage.close()
  await upstream.close()
  await rm(dataDir, { recursive: true, force: true })
})

/** As Google streams: a running total in each chunk, the reason in the last; text beyond ASCII. */
const CHUNKS = [
  {
    candidates: [{ content: { parts: [{ text: 'Sterne, “ü]}”' }] } }],
    usageMetadata: { promptTokenCount: 7, totalTokenCount: 7 },
  },
  {
    candidates: [{ content: { parts: [{ text: ' ende\n' }] }, finishReason: 'STOP' }],
    usageMetadata: { promptTokenCount: 7, candidatesTokenCount: 5, totalTokenCount: 12 },
    modelVersion: 'm',
  },
].map(chunk => JSON.stringify(chunk))

const { bodies: BODIES, replies: REPLIES } = repliesOf(CHUNKS)
const WHOLE_TOTAL = 12

let names = 0

/** Makes a call whose upstream behaves as planned. */
function planned(form: Form, plan: Plan, leaveAtBytes?: number) {
  const name = `plan-${++names}`
  const upstreamSide = upstream.plan(name, plan)
  const call = openCall(listener.origin, {
    keyString,
    form,
    headers: { 'user-agent': name },
    ...(leaveAtBytes === undefined ? {} : { leaveAtBytes }),
  })
  return { name, upstreamSide, call }
}

/** The one record of each of these calls; there must not be a second. */
async function onlyRecords(names: readonly string[]) {
  const ids = names.map(name => callIds.get(name) ?? `no call of ${name}`)
  await recordsOfCalls(dataDir, ids)
  const byCall = Map.groupBy(readRecords(dataDir), record => record.call_id)
  return ids.map(id => {
    const [record, second] = byCall.get(id) ?? []
    expect(second, `a second record of ${id}`).toBeUndefined()
    if (record === undefined) throw new Error(`no record of ${id}`)
    return record
  })
}

const AT_ONCE = 24

async function inBatches<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  for (let at = 0; at < items.length; at += AT_ONCE) {
    results.push(...(await Promise.all(items.slice(at, at + AT_ONCE).map(work))))
  }
  return results
}

/** What was delivered of the original: all, but for an error of ours behind it. */
function original(form: Form, text: string): string {
  const error = form === 'sse' ? /data: \{"error".*\}\r\n\r\n$/s : /(?:\[|,\r\n)\{"error".*\}\]$/s
  return text.replace(error, '')
}

const HOW = ['reset', 'end'] as const

describe('the upstream breaks off at each byte', () => {
  test.each((['sse', 'array'] as const).flatMap(form => HOW.map(how => [form, how] as const)))(
    '%s, %s',
    async (form, how) => {
      const reply = REPLIES[form]
      const offsets = Array.from(
        { length: reply.length - bodyStart(reply) + 1 },
        (_, at) => bodyStart(reply) + at,
      )
      const whole = BODIES[form].join('')
      const cuts = await inBatches(offsets, async bytes => {
        const { name, upstreamSide, call } = planned(form, { reply, bytes, after: how })
        const { text, isWhole } = await call.ended
        await upstreamSide.closed
        return { name, bytes, text, isWhole }
      })
      const records = await onlyRecords(cuts.map(({ name }) => name))
      for (const [place, { bytes, text, isWhole }] of cuts.entries()) {
        const record = records[place]
        const delivered = original(form, text)
        expect(whole.startsWith(delivered), `${bytes}: ${text}`).toBe(true)
        // A reset may overtake the last bytes.
        const mayBeWhole = bytes === reply.length
        if (mayBeWhole && how === 'end') expect(isWhole).toBe(true)
        if (!mayBeWhole) expect(isWhole, `${bytes}: ${text}`).toBe(false)
        expect(record?.outcome).toBe(isWhole ? 'posted' : 'estimated')
        expect(delivered === whole, 'the end is seen only by those who have it all').toBe(isWhole)
        if (isWhole) expect(record?.total_tokens).toBe(WHOLE_TOTAL)
        expect(record?.http_status).toBe(200)
      }
    },
  )

  test.each(HOW)('a unary reply, %s', async how => {
    const reply = REPLIES.unary
    const offsets = Array.from({ length: reply.length + 1 }, (_, at) => at)
    const cuts = await inBatches(offsets, async bytes => {
      const { name, upstreamSide, call } = planned('unary', { reply, bytes, after: how })
      const { text, isWhole } = await call.ended
      await upstreamSide.closed
      return { name, bytes, text, isWhole, status: (await call.head).status }
    })
    const records = await onlyRecords(cuts.map(({ name }) => name))
    for (const [place, { bytes, text, isWhole, status }] of cuts.entries()) {
      const record = records[place]
      expect(isWhole).toBe(true)
      expect(record?.http_status).toBe(status)
      if (bytes < reply.length || how === 'reset') expect([200, 502]).toContain(status)
      if (bytes < reply.length) expect(status, `${bytes}: ${text}`).toBe(502)
      if (status === 502) expect(reasonIn(text)).toBe('UPSTREAM_BROKEN')
      else expect(text).toBe(BODIES.unary.join(''))
      expect(record?.outcome).toBe(status === 200 ? 'posted' : 'estimated')
      expect(record?.total_tokens).toBe(status === 200 ? WHOLE_TOTAL : 0)
    }
  })
})

const EVERY = 7

/** Every seventh offset into the reply, from before its first byte on. */
function someOffsets(form: Form): number[] {
  const length = REPLIES[form].length
  return Array.from({ length: Math.floor(length / EVERY) }, (_, index) => index * EVERY)
}

describe('the client leaves', () => {
  test.each(['sse', 'array', 'unary'] as const)(
    '%s, after each seventh byte: the upstream is read to its end, and its usage posted',
    async form => {
      const calls = await inBatches(someOffsets(form), async bytes => {
        const { name, upstreamSide, call } = planned(form, { reply: REPLIES[form], bytes, after: 'stall' })
        await upstreamSide.sent
        call.leave()
        const { text } = await call.ended
        upstreamSide.goOn()
        return { name, text }
      })
      const records = await onlyRecords(calls.map(({ name }) => name))
      for (const [place, { text }] of calls.entries()) {
        expect(BODIES[form].join('').startsWith(text)).toBe(true)
        expect(records[place]?.outcome).toBe('posted')
        expect(records[place]?.total_tokens).toBe(WHOLE_TOTAL)
        expect([200, 499]).toContain(records[place]?.http_status)
      }
    },
  )

  test.each(['sse', 'array', 'unary'] as const)(
    '%s, and the upstream stalls: it is closed after the drain time, and the usage estimated',
    async form => {
      const calls = await inBatches(someOffsets(form), async bytes => {
        const { name, upstreamSide, call } = planned(form, { reply: REPLIES[form], bytes, after: 'stall' })
        await upstreamSide.sent
        call.leave()
        const leftMs = performance.now()
        await upstreamSide.closed
        return { name, drainedMs: performance.now() - leftMs }
      })
      const records = await onlyRecords(calls.map(({ name }) => name))
      for (const [place, { drainedMs }] of calls.entries()) {
        expect(drainedMs).toBeGreaterThan(DRAIN_MS * 0.9)
        expect(records[place]?.outcome).toBe('estimated')
        expect(records[place]?.http_status).toBe(499)
      }
    },
  )

  test('at its own pace: what it took is a prefix', async () => {
    const whole = BODIES.sse.join('')
    const offsets = Array.from({ length: Math.floor(whole.length / EVERY) }, (_, index) => index * EVERY + 1)
    const calls = await inBatches(offsets, async leaveAtBytes => {
      const { name, call } = planned('sse', { reply: REPLIES.sse, after: 'keep' }, leaveAtBytes)
      return { name, text: (await call.ended).text }
    })
    const records = await onlyRecords(calls.map(({ name }) => name))
    expect(calls.every(({ text }) => whole.startsWith(text))).toBe(true)
    expect(
      records.every(({ outcome, total_tokens }) => outcome === 'posted' && total_tokens === WHOLE_TOTAL),
    ).toBe(true)
  })
})

const google = (code: number, status: string, more: object): string =>
  JSON.stringify({ error: { code, status, ...more } })
const info = (reason: string): object => ({
  '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
  reason,
  domain: 'googleapis.com',
})
const QUOTA = google(429, 'RESOURCE_EXHAUSTED', {
  message: 'You exceeded your current quota',
  details: [
    { '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations: [{ quotaId: 'PerMinute' }] },
    { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '43s' },
  ],
})

const ERRORS: readonly { what: string; reply: Buffer; status: number; says: RegExp }[] = [
  {
    what: '400 API_KEY_INVALID',
    reply: wholeReply(
      400,
      google(400, 'INVALID_ARGUMENT', { message: 'API key not valid.', details: [info('API_KEY_INVALID')] }),
    ),
    status: 503,
    says: /UPSTREAM_CREDENTIAL_REFUSED/,
  },
  {
    what: '403 with the credential in its text',
    reply: wholeReply(
      403,
      google(403, 'PERMISSION_DENIED', { message: `Consumer 'api_key:${CREDENTIAL}' has been suspended.` }),
    ),
    status: 503,
    says: /UPSTREAM_CREDENTIAL_REFUSED/,
  },
  {
    what: '402',
    reply: wholeReply(402, google(402, 'FAILED_PRECONDITION', { message: 'Pay first.' })),
    status: 503,
    says: /UPSTREAM_CREDENTIAL_REFUSED/,
  },
  {
    what: '429 with quota details',
    reply: wholeReply(429, QUOTA),
    status: 429,
    says: /QuotaFailure[^]*"retryDelay": "43s"/,
  },
  {
    what: '404',
    reply: wholeReply(404, google(404, 'NOT_FOUND', { message: 'models/x is not found' })),
    status: 404,
    says: /models\/x is not found/,
  },
  {
    what: '500 with HTML',
    reply: wholeReply(500, `<html>Error ${CREDENTIAL}</html>`, 'text/html'),
    status: 500,
    says: /"status": "INTERNAL"/,
  },
]

async function errorOf(call: OpenedCall) {
  const [{ status, headers }, { text, isWhole }] = await Promise.all([call.head, call.ended])
  return { status, type: headers['content-type'], text, isWhole }
}

test.each(['sse', 'array', 'unary'] as const)(
  'a call that is cut before the upstream says anything ends at once and is drained: %s',
  async form => {
    const { name, upstreamSide, call } = planned(form, { reply: REPLIES[form], bytes: 0, after: 'stall' })
    await upstreamSide.sent
    await gateway.openCalls.recheck(
      () => true,
      () => {
        throw new ApiError('API_KEY_INVALID', 'API key expired.')
      },
    )
    const { status, text, isWhole } = await errorOf(call)
    expect({ status, isWhole, reason: reasonIn(text) }).toEqual({
      status: 400,
      isWhole: true,
      reason: 'API_KEY_INVALID',
    })
    await upstreamSide.closed
    const [record] = await onlyRecords([name])
    expect(record).toMatchObject({ outcome: 'estimated', http_status: 400 })
  },
)

describe('an error of the upstream', () => {
  test.each(ERRORS.flatMap(error => (['unary', 'sse', 'array'] as const).map(form => ({ ...error, form }))))(
    '$what, $form: told in Google’s shape, without the credential, and not billed',
    async ({ reply, status: expected, says, form }) => {
      const before = credentialRefusals.length
      const { name, call } = planned(form, { reply, after: 'keep' })
      const { status, type, text, isWhole } = await errorOf(call)
      expect(isWhole).toBe(true)
      expect(status).toBe(expected)
      expect(type).toMatch(/^application\/json/)
      expect(text).toMatch(says)
      expect(text).not.toContain(CREDENTIAL)
      expect(Array.isArray(JSON.parse(text))).toBe(form === 'array')
      expect(credentialRefusals.length - before).toBe(expected === 503 ? 1 : 0)
      const [record] = await onlyRecords([name])
      expect(record).toMatchObject({ outcome: 'void', http_status: expected, total_tokens: 0 })
    },
  )

  test.each(['sse', 'array'] as const)('about the credential, in the middle of a stream: %s', async form => {
    const error = google(403, 'PERMISSION_DENIED', {
      message: `Consumer 'api_key:${CREDENTIAL}' has been suspended.`,
    })
    const [first = '', last = ''] = BODIES[form]
    const pieces =
      form === 'sse' ? [first, `data: ${error}\r\n\r\n`, last] : [first, `,\r\n${error}`, last, ']']
    const { name, call } = planned(form, { reply: chunkedReply(pieces, 'text/event-stream'), after: 'keep' })
    const { text } = await call.ended
    expect(text.startsWith(first)).toBe(true)
    expect(text).toContain('UPSTREAM_CREDENTIAL_REFUSED')
    expect(text).not.toContain(CREDENTIAL)
    if (form === 'array') expect(JSON.parse(text)).toHaveLength(2)
    else expect(text.split('\r\n\r\n')).toHaveLength(3)
    await onlyRecords([name])
  })
})

test('afterwards no call is open and every record is of a call that was made', async () => {
  for (let attempt = 0; gateway.openCalls.count > 0 && attempt < 100; attempt++) await delay(20)
  expect(gateway.openCalls.count).toBe(0)
  expect(gateway.bodies.bytesHeld).toBe(0)
  expect(new Set(readRecords(dataDir).map(({ call_id }) => call_id))).toEqual(new Set(callIds.values()))
  expect(callIds.size).toBe(names)
})
