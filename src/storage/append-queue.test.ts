import { expect, test } from 'vitest'
import { NO_USAGE, type UsageRecord } from '../domain/usage.ts'
import type { AppendBatch } from './append-queue.ts'
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
}

/** A queue whose sends are answered by hand. */
function byHand() {
  const sent: {
    readonly batches: readonly AppendBatch[]
    readonly resolve: () => void
    readonly reject: (error: Error) => void
  }[] = []
  let arrived = Promise.withResolvers<void>()
  const queue = new AppendQueue((_number, batches) => {
    const answer = Promise.withResolvers<void>()
    sent.push({ batches, resolve: answer.resolve, reject: answer.reject })
    arrived.resolve()
    return answer.promise
  }, 0)
  const send = async (number: number) => {
    while (sent.length <= number) {
      await arrived.promise
      arrived = Promise.withResolvers<void>()
    }
    const found = sent[number]
    if (found === undefined) throw new Error(`no send ${number}`)
    return found
  }
  return { queue, sent, send }
}

const countOf = (batches: readonly AppendBatch[]): number =>
  batches.reduce((count, batch) => count + (JSON.parse(batch.json) as unknown[]).length, 0)

test('records of one tick leave together; what comes during a commit leaves together after it', async () => {
  const { queue, sent, send } = byHand()
  const first = [queue.append(record), queue.append(record)]
  const firstSend = await send(0)
  expect(countOf(firstSend.batches)).toBe(2)
  const second = Array.from({ length: 1_000 }, () => queue.append(record))
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

test('a refused commit rejects every record of its batch and no other', async () => {
  const { queue, send } = byHand()
  const first = [queue.append(record), queue.append(record)]
  const firstSend = await send(0)
  const second = queue.append(record)
  firstSend.reject(new Error('disk full'))
  expect((await Promise.allSettled(first)).map(result => result.status)).toEqual(['rejected', 'rejected'])
  ;(await send(1)).resolve()
  await second
})

test('a batch is bounded, and everything beyond it follows in order', async () => {
  const { queue, send } = byHand()
  const appended = Array.from({ length: 10_000 }, (_, number) =>
    queue.append({ ...record, callId: `${number}` }),
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
    void queue.append({ ...record, startTimeMs })
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
  void queue.append(record).then(() => order.push('appended'))
  const settled = queue.settled().then(() => order.push('settled'))
  const first = await send(0)
  void queue.append(record)
  first.resolve()
  await settled
  expect(order).toEqual(['appended', 'settled'])
  ;(await send(1)).reject(new Error('nobody waits for this one'))
  await queue.settled()
})
