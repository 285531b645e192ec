/**
 * The money of calls that break: wherever either side cuts a recorded stream, the call is posted exactly once, with its
 * cost where its usage was seen and with all it held where it was not, and nothing stays held. A gateway under three
 * budgets over a real database, between real sockets.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { BudgetStatus } from '../src/domain/budget.ts'
import { ApiError } from '../src/domain/error.ts'
import { mintKeyString } from '../src/domain/keystring.ts'
import type { Gateway } from '../src/gateway/call.ts'
import { Upstream } from '../src/gateway/upstream.ts'
import { type Listener } from '../src/http/listener.ts'
import { openStorage } from '../src/storage/open.ts'
import type { RecordRow } from '../src/storage/record-row.ts'
import type { Storage } from '../src/storage/storage.ts'
import { ceiling } from './ceiling.ts'
import { createKey, cutGateway, listenFor, repliesOf, testAudit } from './cut-gateway.ts'
import {
  type CuttingUpstream,
  FRAMINGS,
  type Plan,
  endedReply,
  startCuttingUpstream,
  wholeReply,
} from './cutting-upstream.ts'
import { readRecords, recordsOfCalls } from './records.ts'
import { FORMS, type Form, openCall } from './traffic.ts'

const MODEL = 'gemini-2.5-flash'
const DRAIN_MS = ceiling(150)
const CAP_NANOS = 1_000_000_000_000_000
const AT_ONCE = 48
const keyString = mintKeyString('key')

/** $0.30 and $2.50 for a million tokens: 7 of the prompt, 5 seen, 3 thought. */
const COST_NANOS = 7 * 300 + (5 + 3) * 2_500
const CHUNKS = [
  {
    candidates: [{ content: { parts: [{ text: 'Sterne, “ü]}”' }] } }],
    usageMetadata: { promptTokenCount: 7, thoughtsTokenCount: 3, totalTokenCount: 10 },
    modelVersion: MODEL,
  },
  {
    candidates: [{ content: { parts: [{ text: ' ende\n' }] }, finishReason: 'STOP' }],
    usageMetadata: {
      promptTokenCount: 7,
      candidatesTokenCount: 5,
      thoughtsTokenCount: 3,
      totalTokenCount: 15,
    },
    modelVersion: MODEL,
  },
].map(chunk => JSON.stringify(chunk))

const { bodies: BODIES, replies: REPLIES } = repliesOf(CHUNKS)
const TYPES = { sse: 'text/event-stream', array: 'application/json; charset=UTF-8' }

let dataDir: string
let storage: Storage
let upstream: CuttingUpstream
let gateway: Gateway & { readonly upstream: Upstream }
let listener: Listener
/** Request ids by the user-agent of the request. */
const callIds = new Map<string, string>()

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'pollux-spend-cuts-'))
  storage = await open()
  await createKeyAndBudgets()
  upstream = await startCuttingUpstream()
  gateway = cutGateway(storage, {
    upstreamOrigin: upstream.origin,
    credential: 'credential-of-the-cuts',
    drainMs: DRAIN_MS,
  })
  listener = await listenFor(gateway, callIds)
})

afterAll(async () => {
  listener.cut()
  await listener.close()
  await gateway.upstream.close()
  await gateway.ledger.close()
  await storage.close()
  await upstream.close()
  await rm(dataDir, { recursive: true, force: true })
})

function open(): Promise<Storage> {
  return openStorage({ engine: { kind: 'sqlite', path: join(dataDir, 'pollux.sqlite') }, dataDir })
}

async function createKeyAndBudgets(): Promise<void> {
  const { projectNumber, lineage } = await createKey(storage, keyString)
  const rules = {
    capNanos: CAP_NANOS,
    policy: 'clamp',
    defaultMaxOutputTokens: null,
    toolCeilingsNanos: {},
  } as const
  const places = [
    { scope: 'organization', projectNumber: null, lineage: null, period: 'month' },
    { scope: 'project', projectNumber, lineage: null, period: 'total' },
    { scope: 'key', projectNumber, lineage, period: 'day' },
  ] as const
  for (const place of places) await storage.budgets.create({ ...place, ...rules }, testAudit())
}

let names = 0

/** Makes a call whose upstream behaves as planned. */
function planned(form: Form, plan: Plan, leaveAtBytes?: number) {
  const name = `plan-${++names}`
  const upstreamSide = upstream.plan(name, plan)
  const call = openCall(listener.origin, {
    keyString,
    form,
    model: MODEL,
    headers: { 'user-agent': name },
    ...(leaveAtBytes === undefined ? {} : { leaveAtBytes }),
  })
  return { name, upstreamSide, call }
}

async function inBatches<Item, Result>(
  items: readonly Item[],
  work: (batch: readonly Item[]) => Promise<readonly Result[]>,
): Promise<readonly Result[]> {
  const results: Result[] = []
  for (let at = 0; at < items.length; at += AT_ONCE) {
    results.push(...(await work(items.slice(at, at + AT_ONCE))))
  }
  return results
}

/** Every offset into the reply, from before its first byte to behind its last. */
function offsetsOf(form: Form): readonly number[] {
  return Array.from({ length: REPLIES[form].length + 1 }, (_, at) => at)
}

/** The one record of each of these calls; there must not be a second. */
async function onlyRecords(of: readonly string[]): Promise<readonly RecordRow[]> {
  const ids = of.map(name => callIds.get(name) ?? `no call of ${name}`)
  await recordsOfCalls(dataDir, ids)
  const byCall = Map.groupBy(readRecords(dataDir), record => record.call_id)
  return ids.map(id => {
    const [record, second] = byCall.get(id) ?? []
    expect(second, `a second record of ${id}`).toBeUndefined()
    if (record === undefined) throw new Error(`no record of ${id}`)
    return record
  })
}

/** What MONEY.md rule 17 says of the two outcomes that a call can have once it was sent. */
function expectBooked(record: RecordRow, outcome: 'posted' | 'estimated', where: string): void {
  const { held_nanos: held, posted_nanos: posted, cost_nanos: cost } = record
  expect(record.outcome, where).toBe(outcome)
  expect(held, where).toBeGreaterThan(COST_NANOS)
  expect(posted, where).toBe(outcome === 'posted' ? COST_NANOS : held)
  expect(cost, where).toBe(posted)
  expect(record.ledger.split(','), where).toHaveLength(3)
}

describe('the upstream breaks off at each byte', () => {
  test.each(FORMS.flatMap(form => (['reset', 'end'] as const).map(how => [form, how] as const)))(
    '%s, %s: what the client has whole is posted with its cost, anything else with what it held',
    async (form, how) => {
      const reply = REPLIES[form]
      const cuts = await inBatches(offsetsOf(form), batch =>
        Promise.all(
          batch.map(async bytes => {
            const { name, upstreamSide, call } = planned(form, { reply, bytes, after: how })
            const [{ isWhole }, { status }] = await Promise.all([call.ended, call.head])
            await upstreamSide.closed
            return { name, bytes, isGood: isWhole && status === 200 }
          }),
        ),
      )
      const records = await onlyRecords(cuts.map(({ name }) => name))
      for (const [place, { bytes, isGood }] of cuts.entries()) {
        const record = records[place]
        if (record !== undefined) expectBooked(record, isGood ? 'posted' : 'estimated', `byte ${bytes}`)
        if (bytes < reply.length) expect(isGood, `byte ${bytes}`).toBe(false)
        // A reset may overtake the last bytes.
        else if (how === 'end') expect(isGood).toBe(true)
      }
    },
  )
})

describe('the stream lacks its end from each byte on, and its connection ends well', () => {
  test.each((['sse', 'array'] as const).flatMap(form => FRAMINGS.map(framing => [form, framing] as const)))(
    '%s, %s: only a reply that is whole is posted with its cost, and ends well',
    async (form, framing) => {
      const whole = Buffer.from(BODIES[form].join(''))
      // An event that lacks its empty line is one all the same.
      const wholeBytes = form === 'sse' ? whole.length - '\r\n\r\n'.length : whole.length
      const offsets = Array.from({ length: whole.length + 1 }, (_, at) => at)
      const cuts = await inBatches(offsets, batch =>
        Promise.all(
          batch.map(async bytes => {
            const reply = endedReply(framing, whole.subarray(0, bytes), TYPES[form])
            const { name, call } = planned(form, { reply, after: framing === 'chunked' ? 'keep' : 'end' })
            return { name, bytes, ...(await call.ended) }
          }),
        ),
      )
      const records = await onlyRecords(cuts.map(({ name }) => name))
      for (const [place, { bytes, text, isWhole }] of cuts.entries()) {
        const [record, where] = [records[place], `byte ${bytes}`]
        const isGood = bytes >= wholeBytes
        if (record !== undefined) expectBooked(record, isGood ? 'posted' : 'estimated', where)
        expect(isWhole, where).toBe(isGood)
        if (isGood) expect(text, where).toBe(whole.toString('utf8', 0, bytes))
        else expect(text, where).toContain('UPSTREAM_BROKEN')
      }
    },
  )
})

describe('the client leaves at each byte', () => {
  test.each(FORMS)('%s, and the upstream goes on: posted with its cost', async form => {
    const calls = await inBatches(offsetsOf(form), batch =>
      Promise.all(
        batch.map(async bytes => {
          const { name, upstreamSide, call } = planned(form, { reply: REPLIES[form], bytes, after: 'stall' })
          await upstreamSide.sent
          call.leave()
          await call.ended
          upstreamSide.goOn()
          return { name, bytes }
        }),
      ),
    )
    const records = await onlyRecords(calls.map(({ name }) => name))
    for (const [place, record] of records.entries()) {
      expectBooked(record, 'posted', `byte ${calls[place]?.bytes}`)
    }
  })

  test.each(FORMS)('%s, and the upstream stalls: posted with what it held', async form => {
    // With its last byte a reply is whole, whoever has left.
    const calls = await inBatches(offsetsOf(form).slice(0, -1), batch =>
      Promise.all(
        batch.map(async bytes => {
          const { name, upstreamSide, call } = planned(form, { reply: REPLIES[form], bytes, after: 'stall' })
          await upstreamSide.sent
          call.leave()
          await upstreamSide.closed
          return { name, bytes }
        }),
      ),
    )
    const records = await onlyRecords(calls.map(({ name }) => name))
    for (const [place, record] of records.entries()) {
      expectBooked(record, 'estimated', `byte ${calls[place]?.bytes}`)
    }
  })

  test.each(['sse', 'array'] as const)('%s, at its own pace: posted with its cost', async form => {
    const bytes = Buffer.byteLength(BODIES[form].join(''))
    const offsets = Array.from({ length: bytes }, (_, at) => at + 1)
    const names = await inBatches(offsets, batch =>
      Promise.all(
        batch.map(async leaveAtBytes => {
          const { name, call } = planned(form, { reply: REPLIES[form], after: 'keep' }, leaveAtBytes)
          await call.ended
          return name
        }),
      ),
    )
    for (const record of await onlyRecords(names)) expectBooked(record, 'posted', record.call_id)
  })
})

test.each(FORMS)('the key is revoked at each byte of %s: posted with its cost', async form => {
  const calls = await inBatches(offsetsOf(form).slice(0, -1), async batch => {
    const opened = batch.map(bytes => ({
      bytes,
      ...planned(form, { reply: REPLIES[form], bytes, after: 'stall' }),
    }))
    await Promise.all(opened.map(({ upstreamSide }) => upstreamSide.sent))
    await gateway.openCalls.recheck(
      () => true,
      () => {
        throw new ApiError('API_KEY_INVALID', 'API key expired.')
      },
    )
    await Promise.all(opened.map(({ call }) => call.ended))
    for (const { upstreamSide } of opened) upstreamSide.goOn()
    return opened
  })
  const records = await onlyRecords(calls.map(({ name }) => name))
  for (const [place, record] of records.entries()) {
    expectBooked(record, 'posted', `byte ${calls[place]?.bytes}`)
  }
})

test.each(FORMS)('an upstream that refuses costs nothing: %s', async form => {
  const error = wholeReply(503, JSON.stringify({ error: { code: 503, status: 'UNAVAILABLE', message: '' } }))
  const { name, call } = planned(form, { reply: error, after: 'keep' })
  await call.ended
  const [record] = await onlyRecords([name])
  expect(record).toMatchObject({ outcome: 'void', posted_nanos: 0, cost_nanos: 0 })
  expect(record?.held_nanos).toBeGreaterThan(0)
})

const RETURN_MS = 5_000

/** The budgets once nothing is allotted any more, or as they are when that takes too long. */
async function settledBudgets(): Promise<readonly BudgetStatus[]> {
  const deadlineMs = performance.now() + RETURN_MS
  for (;;) {
    const budgets = await storage.budgets.list({})
    const isSettled = budgets.every(({ balance }) => balance.allottedNanos === 0)
    if (isSettled || performance.now() > deadlineMs) return budgets
    await delay(50)
  }
}

describe('afterwards', () => {
  let posted: number

  test('nothing is held, and each budget has what the records say', async () => {
    const budgets = await settledBudgets()
    const records = readRecords(dataDir)
    posted = records.reduce((sum, record) => sum + record.posted_nanos, 0)
    expect(records).toHaveLength(names)
    expect(budgets).toHaveLength(3)
    for (const { scope, balance, frozenTimeMs } of budgets) {
      expect(balance, scope).toMatchObject({ postedNanos: posted, allottedNanos: 0, overrunNanos: 0 })
      expect(frozenTimeMs, scope).toBeNull()
    }
    const { drifts, overruns, recordsChecked } = await storage.ledger.verify()
    expect({ drifts, overruns, recordsChecked }).toEqual({ drifts: [], overruns: 0, recordsChecked: names })
  })

  test('a restart finds no hold that is still open', async () => {
    await gateway.ledger.close()
    await storage.close()
    storage = await open()
    for (const { scope, balance } of await storage.budgets.list({})) {
      expect(balance, scope).toMatchObject({ postedNanos: posted, allottedNanos: 0 })
    }
    expect(readRecords(dataDir)).toHaveLength(names)
  })
})
