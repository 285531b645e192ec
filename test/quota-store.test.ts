/** One contract for both places where rates are counted, and what only Redis has to keep. */
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type QuotaAllocation,
  type QuotaAnswer,
  type QuotaCounter,
  type QuotaMetric,
  WINDOW_OF,
} from '../src/domain/quota.ts'
import { rateWindow } from '../src/domain/quota-window.ts'
import type { QuotaStore } from '../src/gateway/quota.ts'
import { MemoryQuota } from '../src/quota/memory.ts'
import type { Quota } from '../src/quota/open.ts'
import { RedisQuota } from '../src/quota/redis.ts'
import { ceiling } from './ceiling.ts'
import { type TestRedis, startRedis } from './redis.ts'

const ZONE = 'America/Los_Angeles'
let counters = 0

function counterOf(metric: QuotaMetric, limit: number, id = `{1}:${metric}:${++counters}`): QuotaCounter {
  return { id, scope: 'project', metric, window: WINDOW_OF[metric], model: 'm', limit, quotaIdSuffix: '' }
}

const take = (counter: QuotaCounter, amount = 1) => ({ counter, amount })

function granted(answer: QuotaAnswer): QuotaAllocation {
  if (answer.kind !== 'granted') throw new Error(`the answer is ${answer.kind}`)
  return answer.allocation
}

const used = async (quota: Quota, counter: QuotaCounter): Promise<number | undefined> =>
  (await quota.read([counter]))[0]?.used

/** Waits where the minute is about to end: what a test counts belongs to one window. */
async function earlyInTheMinute(leftMs = 10_000): Promise<void> {
  const { endMs } = rateWindow('minute', ZONE, Date.now())
  if (endMs - Date.now() < leftMs) await delay(endMs - Date.now() + 50)
}

const started = await startRedis()
const redis = (): TestRedis => {
  if ('skip' in started) throw new Error(started.skip)
  return started
}
const opened: Quota[] = []
afterAll(async () => {
  for (const quota of opened) quota.close()
  if (!('skip' in started)) await started.stop()
})

async function openRedis(part: { waitMs?: number; timeZone?: string } = {}) {
  const outages: unknown[] = []
  let unenforced = 0
  const quota = new RedisQuota({
    url: redis().url,
    timeZone: ZONE,
    waitMs: 5_000,
    onOutage: error => outages.push(error),
    onUnenforced: () => void (unenforced += 1),
    ...part,
  })
  opened.push(quota)
  await quota.ready()
  return { quota, outages, unenforced: () => unenforced }
}

const kinds = [
  ['memory', async (): Promise<Quota & QuotaStore> => new MemoryQuota(ZONE)],
  ['Redis', async (): Promise<Quota & QuotaStore> => (await openRedis()).quota],
] as const

describe.each('skip' in started ? kinds.slice(0, 1) : kinds)('rates counted in %s', (_, open) => {
  let quota: Quota & QuotaStore
  beforeAll(async () => {
    quota = await open()
    await earlyInTheMinute(20_000)
  }, 60_000)

  it('let the limit through, and say what is used and until when', async () => {
    const counter = counterOf('requestsPerMinute', 3)
    for (let call = 0; call < 3; call++) granted(await quota.allocate([take(counter)], `c${call}`))
    const refused = await quota.allocate([take(counter)], 'c3')
    expect(refused).toMatchObject({ kind: 'refused', refusals: [{ counter, amount: 1, used: 3 }] })
    const resetInMs = refused.kind === 'refused' ? (refused.refusals[0]?.resetInMs ?? 0) : 0
    expect(resetInMs).toBeGreaterThan(0)
    expect(resetInMs).toBeLessThanOrEqual(60_000)
    expect(await used(quota, counter)).toBe(3)
  })

  it('take all limits or none, and name every one that refuses', async () => {
    const [wide, full, tight] = [
      counterOf('requestsPerDay', 10),
      counterOf('requestsPerMinute', 1),
      counterOf('inputTokensPerMinute', 99),
    ]
    granted(await quota.allocate([take(full)], 'a'))
    const answer = await quota.allocate([take(wide), take(full), take(tight, 100)], 'b')
    expect(answer).toMatchObject({ kind: 'refused', refusals: [{ counter: full }, { counter: tight }] })
    expect([await used(quota, wide), await used(quota, full), await used(quota, tight)]).toEqual([0, 1, 0])
  })

  it('correct what was charged, up and down, within its window', async () => {
    const counter = counterOf('inputTokensPerMinute', 1_000)
    quota.release(granted(await quota.allocate([take(counter, 900)], 'a')), [40])
    quota.release(granted(await quota.allocate([take(counter, 900)], 'b')), [1_200])
    expect(await used(quota, counter)).toBe(1_240)
  })

  it('give slots back when calls end', async () => {
    const counter = counterOf('concurrentCalls', 2)
    const first = granted(await quota.allocate([take(counter)], 'a'))
    granted(await quota.allocate([take(counter)], 'b'))
    expect(await quota.allocate([take(counter)], 'c')).toMatchObject({
      kind: 'refused',
      refusals: [{ resetInMs: 0, used: 2 }],
    })
    quota.release(first, [0])
    granted(await quota.allocate([take(counter)], 'd'))
    expect((await quota.read([counter]))[0]).toEqual({ used: 2, resetTimeMs: null })
  })

  it('keep a day until the midnight of the zone', async () => {
    const counter = counterOf('requestsPerDay', 1)
    granted(await quota.allocate([take(counter)], 'a'))
    const [reading] = await quota.read([counter])
    expect(reading).toEqual({ used: 1, resetTimeMs: rateWindow('day', ZONE, Date.now()).endMs })
  })
})

describe.skipIf('skip' in started)('several nodes on one Redis', () => {
  it('never pass a limit together, and grant all of it', async () => {
    const nodes = await Promise.all([1, 2, 3, 4, 5].map(() => openRedis()))
    await earlyInTheMinute()
    const [minute, day] = [counterOf('requestsPerMinute', 500), counterOf('requestsPerDay', 470)]
    const tokens = counterOf('inputTokensPerMinute', 30_000)
    let [grants, truth] = [0, 0]
    const client = async (place: number): Promise<void> => {
      for (let call = 0; call < 60; call++) {
        const { quota } = nodes[call % nodes.length] ?? { quota: undefined }
        const answer = await quota?.allocate([take(minute), take(day), take(tokens, 300)], `${place}-${call}`)
        if (answer?.kind !== 'granted') continue
        grants += 1
        truth += 60
        quota?.release(answer.allocation, [1, 1, 60])
      }
    }
    await Promise.all(Array.from({ length: 20 }, (_, place) => client(place)))
    expect(grants).toBeLessThanOrEqual(470)
    expect(grants).toBeGreaterThanOrEqual(470 * 0.98)
    expect(truth).toBeLessThanOrEqual(30_000)
  }, 120_000)

  it('count in windows of the clock of Redis, whatever their own says', async () => {
    const { quota } = await openRedis()
    const realNow = Date.now
    await earlyInTheMinute()
    const counter = counterOf('requestsPerDay', 2)
    try {
      granted(await quota.allocate([take(counter)], 'a'))
      Date.now = () => realNow() + 40 * 86_400_000
      const late = (await openRedis()).quota
      granted(await late.allocate([take(counter)], 'b'))
      expect((await late.allocate([take(counter)], 'c')).kind).toBe('refused')
      expect(await used(late, counter)).toBe(2)
    } finally {
      Date.now = realNow
    }
  })

  it.each<[QuotaMetric, number]>([
    ['requestsPerMinute', 60_000],
    ['requestsPerDay', 86_400_000],
  ])('do not open the window of %s again when the clock of Redis goes back', async (metric, backMs) => {
    const { quota } = await openRedis()
    await earlyInTheMinute()
    const counter = counterOf(metric, 5)
    const { endMs } = rateWindow(counter.window as 'minute' | 'day', ZONE, Date.now())
    granted(await quota.allocate([take(counter, 5)], 'a'))
    // Its window is moved instead of the clock: a day and its successor may differ by an hour.
    const key = `pollux:quota:${counter.id}`
    const [start] = (await redis().command('HMGET', key, 'w')) as [string]
    const ahead = metric === 'requestsPerDay' ? endMs : Number(start) + backMs
    await redis().command('HSET', key, 'w', String(ahead))
    expect(await quota.allocate([take(counter)], 'b')).toMatchObject({
      kind: 'refused',
      refusals: [{ used: 5 }],
    })
    expect((await quota.read([counter]))[0]).toMatchObject({ used: 5 })
    await redis().command('HSET', key, 'w', String(Number(start) + 40 * backMs))
    granted(await quota.allocate([take(counter)], 'c'))
    expect(await used(quota, counter)).toBe(1)
  })

  it.each<[string, QuotaMetric, readonly string[]]>([
    ['a text', 'requestsPerMinute', ['SET', 'KEY', 'x']],
    ['a text', 'concurrentCalls', ['SET', 'KEY', 'x']],
    ['a list', 'requestsPerDay', ['RPUSH', 'KEY', 'x']],
    [
      'words for numbers',
      'inputTokensPerMinute',
      ['HSET', 'KEY', 'w', String(Date.now() - (Date.now() % 60_000)), 'n', 'x'],
    ],
  ])('begin anew what holds %s in the place of %s, and count on', async (_, metric, words) => {
    const { quota, outages, unenforced } = await openRedis()
    await earlyInTheMinute()
    const [counter, other] = [counterOf(metric, 1), counterOf('requestsPerMinute', 0)]
    const key = `pollux:quota:${counter.id}`
    const spoil = async (): Promise<void> => {
      await redis().command('DEL', key)
      await redis().command(...words.map(word => (word === 'KEY' ? key : word)))
    }
    quota.release(granted(await quota.allocate([take(counter)], 'a')), [0])
    await spoil()
    granted(await quota.allocate([take(counter)], 'b'))
    await spoil()
    expect(await used(quota, counter)).toBe(0)
    await spoil()
    const late = granted(await quota.allocate([take(counter)], 'c'))
    expect((await quota.allocate([take(counter)], 'd')).kind).toBe('refused')
    await spoil()
    quota.release(late, [0])
    for (let call = 0; call < 4; call++)
      expect((await quota.allocate([take(other)], `o${call}`)).kind).toBe('refused')
    expect([outages, unenforced()]).toEqual([[], 0])
  })

  it('ask again at once after an error that Redis answers with', async () => {
    const { quota, outages, unenforced } = await openRedis()
    const [counter, other] = [counterOf('requestsPerDay', 9), counterOf('requestsPerMinute', 0)]
    await redis().command('CONFIG', 'SET', 'maxmemory', '1')
    try {
      for (let call = 0; call < 4; call++)
        expect((await quota.allocate([take(counter)], `c${call}`)).kind).toBe('unenforced')
      expect((await quota.allocate([take(other)], 'o')).kind).toBe('refused')
    } finally {
      await redis().command('CONFIG', 'SET', 'maxmemory', '0')
    }
    granted(await quota.allocate([take(counter)], 'd'))
    expect([outages.map(String), unenforced()]).toEqual([[expect.stringContaining('OOM')], 4])
  })

  it('lose a window, and no more, when Redis is flushed', async () => {
    const { quota, outages } = await openRedis({ waitMs: 1_000 })
    const counter = counterOf('requestsPerMinute', 1)
    const late = granted(await quota.allocate([take(counter)], 'a'))
    await redis().restart()
    await quota.ready()
    await expect
      .poll(async () => (await quota.allocate([take(counter)], 'b')).kind, { timeout: 20_000 })
      .toBe('granted')
    quota.release(late, [0])
    expect((await quota.allocate([take(counter)], 'd')).kind).toBe('refused')
    expect(outages.length).toBeLessThanOrEqual(1)
  }, 60_000)

  it('let calls through within the wait while Redis hangs, then without waiting, and count them', async () => {
    const { quota, outages, unenforced } = await openRedis({ waitMs: 50 })
    const counter = counterOf('requestsPerMinute', 0)
    expect((await quota.allocate([take(counter)], 'warm')).kind).toBe('refused')
    expect(quota.isEnforced).toBe(true)
    redis().freeze()
    try {
      for (let call = 0; call < 3; call++) {
        expect((await quota.allocate([take(counter)], `c${call}`)).kind).toBe('unenforced')
      }
      const startMs = performance.now()
      for (let call = 0; call < 100; call++) await quota.allocate([take(counter)], `d${call}`)
      expect(performance.now() - startMs).toBeLessThan(ceiling(500))
      expect(outages).toHaveLength(1)
      expect(unenforced()).toBe(103)
      expect(quota.isEnforced).toBe(false)
    } finally {
      redis().thaw()
    }
    await expect
      .poll(async () => (await quota.allocate([take(counter)], 'e')).kind, { timeout: 20_000 })
      .toBe('refused')
  }, 60_000)
})
