import { expect, onTestFinished, test, vi } from 'vitest'
import { ApiError } from '../domain/error.ts'
import { NO_USAGE, type UsageRecord } from '../domain/usage.ts'
import type { AppendBatch, AppendMessage } from './append-queue.ts'
import { AppendQueue } from './append-queue.ts'

const record: UsageRecord = {
  callId: 'call',
  startTimeMs: Date.UTC(2026, 10, 21),
  durationMs: 1.4,
  firstByteMs: null,
  projectNumber: '1',
  keyUid: 'key',
  method: 'GenerateContent',
  model: 'model',
  modelVersion: null,
  outcome: 'posted',
  httpStatus: 200,
  usage: NO_USAGE,
  requestBytes: 0,
  responseBytes: 0,
  costNanos: 0,
  priceBasisPoints: 10_000,
  postedNanos: 0,
  heldNanos: 0,
  ledger: [],
  clampedOutputTokens: null,
  receivedUs: null,
  admittedUs: null,
  lastByteUs: null,
}

const empty: AppendMessage = { batches: [], settled: null, overruns: [] }

/** A queue whose sends are answered by hand, and what it gave its keeper. */
function byHand({
  waitMs = 60_000,
  openCalls = Infinity,
  keep = () => {},
}: { waitMs?: number; openCalls?: number; keep?: () => void } = {}) {
  const sent: {
    readonly number: number
    readonly message: AppendMessage
    readonly resolve: () => void
    readonly reject: (error: Error) => void
  }[] = []
  const kept: string[] = []
  const settled: string[] = []
  let arrived = Promise.withResolvers<void>()
  const queue = new AppendQueue(
    (number, message) => {
      const answer = Promise.withResolvers<void>()
      sent.push({ number, message, resolve: answer.resolve, reject: answer.reject })
      arrived.resolve()
      return answer.promise
    },
    {
      keep: encoded => {
        keep()
        kept.push(...encoded)
      },
      settled: callId => settled.push(callId),
      recorded: () => {},
    },
    { waitMs, openCalls: () => openCalls },
  )
  const send = async (number: number) => {
    while (sent.length <= number) {
      await arrived.promise
      arrived = Promise.withResolvers<void>()
    }
    const found = sent[number]
    if (found === undefined) throw new Error(`no send ${number}`)
    return { ...found, batches: found.message.batches }
  }
  return { queue, sent, send, kept, settled }
}

const away = new ApiError('STORAGE_UNAVAILABLE', 'away')

const countOf = (batches: readonly AppendBatch[]): number =>
  batches.reduce((count, batch) => count + (JSON.parse(batch.json) as unknown[]).length, 0)

test('records of one tick leave together; what comes during a commit leaves together after it', async () => {
  const { queue, sent, send } = byHand()
  const first = [queue.append(record, []), queue.append(record, [])]
  const firstSend = await send(0)
  expect(countOf(firstSend.batches)).toBe(2)
  const second = Array.from({ length: 1_000 }, () => queue.append(record, []))
  await new Promise(resolve => setImmediate(resolve))
  expect(sent).toHaveLength(1)
  firstSend.resolve()
  await Promise.all(first)
  const secondSend = await send(1)
  expect(countOf(secondSend.batches)).toBe(1_000)
  secondSend.resolve()
  await Promise.all(second)
  expect(sent).toHaveLength(2)
})

test('a batch that is not committed is sent again as the same one, before any other, until it is', async () => {
  const { queue, send, settled, kept } = byHand()
  const first = [queue.append({ ...record, callId: 'a' }, []), queue.append({ ...record, callId: 'b' }, [])]
  const firstSend = await send(0)
  const second = queue.append({ ...record, callId: 'c' }, [])
  expect(queue.isFlowing).toBe(true)
  firstSend.reject(away)
  const again = await send(1)
  expect([again.number, again.message]).toEqual([firstSend.number, firstSend.message])
  expect(queue.isFlowing).toBe(false)
  // Whatever went wrong: what was spent is posted.
  again.reject(new Error('a bug'))
  const third = await send(2)
  expect([third.number, third.message]).toEqual([firstSend.number, firstSend.message])
  expect(settled).toEqual([])
  third.resolve()
  await Promise.all(first)
  expect(queue.isFlowing).toBe(true)
  const next = await send(3)
  expect(next.number).not.toBe(firstSend.number)
  next.resolve()
  await second
  expect(settled).toEqual(['a', 'b', 'c'])
  expect(kept).toEqual([])
})

test('whoever waits too long is told once the record is kept; it is committed all the same, and in order', async () => {
  const { queue, send, settled, kept } = byHand({ waitMs: 300 })
  const told: string[] = []
  const append = (callId: string) =>
    queue.append({ ...record, callId }, []).then(
      () => told.push(`${callId} durable`),
      (error: unknown) => told.push(`${callId} ${error instanceof ApiError ? error.reason : 'odd'}`),
    )
  const first = append('a')
  const firstSend = await send(0)
  const second = append('b')
  await Promise.all([first, second])
  expect(told).toEqual(['a STORAGE_UNAVAILABLE', 'b STORAGE_UNAVAILABLE'])
  expect(kept.map(encoded => (JSON.parse(encoded) as unknown[])[0])).toEqual(['a', 'b'])
  // One that comes later is a batch of its own, with its own time to wait.
  const third = append('c')
  firstSend.reject(away)
  for (const [place, ids] of [['a'], ['b'], ['c']].entries()) {
    const { batches, resolve } = await send(place + 1)
    expect((JSON.parse(batches[0]?.json ?? '[]') as [string][]).map(([id]) => id)).toEqual(ids)
    resolve()
  }
  await third
  expect(told.at(-1)).toBe('c durable')
  expect(settled).toEqual(['a', 'b', 'c'])
  expect(kept).toHaveLength(2)
})

test('a record that cannot even be kept is told as well', async () => {
  const full = new ApiError('STORAGE_UNAVAILABLE', 'disk full')
  const { queue, send } = byHand({
    waitMs: 0,
    keep: () => {
      throw full
    },
  })
  const appended = queue.append(record, [])
  const { resolve } = await send(0)
  await expect(appended).rejects.toBe(full)
  resolve()
})

test('a closed queue keeps what is not committed, and tries no more', async () => {
  const { queue, sent, send, kept } = byHand()
  const appended = Promise.allSettled([queue.append(record, [])])
  const first = await send(0)
  const later = Promise.allSettled([queue.append(record, [])])
  queue.close()
  first.reject(away)
  for (const [result] of [await appended, await later]) {
    expect(result).toMatchObject({ status: 'rejected', reason: { reason: 'STORAGE_UNAVAILABLE' } })
  }
  await queue.settled()
  expect(kept).toHaveLength(2)
  expect(sent).toHaveLength(1)
})

test('a batch tells what was settled from its allotments in all, and the overruns of its own records', async () => {
  const { queue, send } = byHand()
  const charges = (a: number, b: number) => [
    { allotmentId: 'a', nanos: a },
    { allotmentId: 'b', nanos: b },
  ]
  const paid = { ...record, ledger: [3, 9], costNanos: 10, postedNanos: 10 }
  void queue.append(paid, charges(10, 10))
  void queue.append({ ...paid, costNanos: 12 }, charges(10, 10))
  const first = await send(0)
  expect(JSON.parse(first.message.settled ?? '')).toEqual([
    ['a', 20],
    ['b', 20],
  ])
  expect(first.message.overruns).toEqual([
    { rowId: 3, nanos: 2 },
    { rowId: 9, nanos: 2 },
  ])
  void queue.append({ ...paid, ledger: [3], costNanos: 11 }, [{ allotmentId: 'a', nanos: 10 }])
  void queue.append({ ...record, costNanos: 50 }, [])
  void queue.append({ ...paid, costNanos: null }, [])
  expect(queue.owes('b')).toBe(true)
  first.resolve()
  const second = await send(1)
  expect(JSON.parse(second.message.settled ?? '')).toEqual([['a', 30]])
  expect(second.message.overruns).toEqual([{ rowId: 3, nanos: 1 }])
  expect([queue.owes('a'), queue.owes('b')]).toEqual([true, false])
  second.resolve()
  await queue.settled()
  expect(queue.owes('a')).toBe(false)
  void queue.append(record, [])
  const third = await send(2)
  expect(third.message).toEqual({ ...empty, batches: third.batches })
  third.resolve()
})

test.each([-1, 0.5, Number.NaN, 2 ** 53])(
  'a charge or cost of %s is refused and leaves no trace',
  async nanos => {
    const { queue, send } = byHand()
    const charge = (amount: number) => [{ allotmentId: 'a', nanos: amount }]
    const refused = await Promise.allSettled([
      queue.append(record, [...charge(1), ...charge(nanos)]),
      queue.append({ ...record, costNanos: nanos }, charge(1)),
      queue.append({ ...record, postedNanos: nanos }, charge(1)),
      queue.append({ ...record, ledger: [0.5] }, charge(1)),
    ])
    for (const result of refused) {
      expect(result).toMatchObject({ status: 'rejected', reason: { reason: 'INTERNAL' } })
    }
    void queue.append(record, charge(7))
    const { message, resolve } = await send(0)
    expect(countOf(message.batches)).toBe(1)
    expect(message.settled).toBe('[["a",7]]')
    resolve()
  },
)

test('a batch is bounded, and everything beyond it follows in order', async () => {
  const { queue, send } = byHand()
  const appended = Array.from({ length: 10_000 }, (_, number) =>
    queue.append({ ...record, callId: `${number}` }, []),
  )
  const ids: string[] = []
  for (let number = 0; ids.length < appended.length; number += 1) {
    const { batches, resolve } = await send(number)
    expect(countOf(batches)).toBeLessThanOrEqual(4_096)
    for (const { json } of batches) ids.push(...(JSON.parse(json) as [string][]).map(([id]) => id))
    resolve()
  }
  await Promise.all(appended)
  expect(ids).toEqual(appended.map((_, number) => `${number}`))
})

test('records are parted by the UTC month in which their call started', async () => {
  const { queue, send } = byHand()
  const dec = Date.UTC(2026, 11, 1)
  for (const startTimeMs of [dec - 1, dec, dec - 1, Date.UTC(2027, 0, 1) - 1, Date.UTC(2027, 0, 1)]) {
    void queue.append({ ...record, startTimeMs }, [])
  }
  const { batches, resolve } = await send(0)
  expect(batches.map(batch => [batch.block, countOf([batch])])).toEqual([
    ['202611', 2],
    ['202612', 2],
    ['202701', 1],
  ])
  resolve()
})

test('settled waits for what was appended before it, and not for longer', async () => {
  const { queue, send } = byHand()
  await queue.settled()
  const order: string[] = []
  void queue.append(record, []).then(() => order.push('appended'))
  const settled = queue.settled().then(() => order.push('settled'))
  const first = await send(0)
  void queue.append(record, [])
  first.resolve()
  await settled
  expect(order).toEqual(['appended', 'settled'])
  ;(await send(1)).resolve()
  await queue.settled()
})

test.each([
  [1, 0, 2],
  [31, 3, 9],
  [31, 5, 12],
  [32, 3, 15],
  [32, 5, 20],
])(
  'after a commit of %i records that took %i ms the next one is sent %i ms after it',
  async (count, tookMs, gapMs) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'setImmediate', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const { queue, sent } = byHand()
    await vi.advanceTimersByTimeAsync(100)
    for (let made = 0; made < count; made += 1) void queue.append(record, [])
    await vi.advanceTimersByTimeAsync(0)
    expect(sent).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(tookMs)
    sent[0]?.resolve()
    await vi.advanceTimersByTimeAsync(0)
    void queue.append(record, [])
    await vi.advanceTimersByTimeAsync(gapMs - tookMs - 1)
    expect(sent).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(sent).toHaveLength(2)
  },
)

test.each([
  ['half of the open calls have a record', 32, 64, true],
  ['fewer have', 32, 66, false],
  ['they are few', 31, 31, false],
])(
  'what waits is sent before its time if many calls wait for it: %s',
  async (_, records, openCalls, isSent) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'setImmediate', 'performance'] })
    onTestFinished(() => void vi.useRealTimers())
    const { queue, sent } = byHand({ openCalls })
    const append = (count: number): void => {
      for (let made = 0; made < count; made += 1) void queue.append(record, [])
    }
    await vi.advanceTimersByTimeAsync(100)
    append(1)
    await vi.advanceTimersByTimeAsync(4)
    sent[0]?.resolve()
    await vi.advanceTimersByTimeAsync(0)
    append(records - 1)
    await vi.advanceTimersByTimeAsync(0)
    expect(sent).toHaveLength(1)
    append(1)
    await vi.advanceTimersByTimeAsync(0)
    expect(sent).toHaveLength(isSent ? 2 : 1)
    await vi.advanceTimersByTimeAsync(20)
    expect(sent).toHaveLength(2)
    expect(countOf(sent[1]?.message.batches ?? [])).toBe(records)
    // The timer that the first of them waited for sends nothing more.
    sent[1]?.resolve()
    await vi.advanceTimersByTimeAsync(100)
    expect(sent).toHaveLength(2)
  },
)
