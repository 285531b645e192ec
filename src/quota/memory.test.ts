import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type QuotaAllocation,
  type QuotaAnswer,
  type QuotaCounter,
  type QuotaMetric,
  QUOTA_METRICS,
  WINDOW_OF,
} from '../domain/quota.ts'
import { MemoryQuota } from './memory.ts'

const ZONE = 'America/Los_Angeles'
/** Half a minute into a minute, half an hour before midnight Pacific. */
const START_MS = Date.parse('2026-03-08T07:30:30Z')
const MINUTE_END_MS = Date.parse('2026-03-08T07:31:00Z')
const DAY_END_MS = Date.parse('2026-03-08T08:00:00Z')

function counterOf(metric: QuotaMetric, limit: number, id: string = metric): QuotaCounter {
  return { id, scope: 'project', metric, window: WINDOW_OF[metric], model: 'm', limit, quotaIdSuffix: '' }
}

/** Rates under a clock that the test sets. */
function scene() {
  let nowMs = START_MS
  const quota = new MemoryQuota(ZONE, () => nowMs)
  return {
    quota,
    take: (counter: QuotaCounter, amount = 1) => quota.allocate([{ counter, amount }], 'call'),
    used: async (counter: QuotaCounter) => (await quota.read([counter]))[0]?.used,
    setClock: (toMs: number) => void (nowMs = toMs),
  }
}

function granted(answer: QuotaAnswer): QuotaAllocation {
  if (answer.kind !== 'granted') throw new Error(`the answer is ${answer.kind}`)
  return answer.allocation
}

describe('a limit', () => {
  it.each<[QuotaMetric, number]>([
    ['requestsPerMinute', MINUTE_END_MS - START_MS],
    ['inputTokensPerMinute', MINUTE_END_MS - START_MS],
    ['imagesPerMinute', MINUTE_END_MS - START_MS],
    ['requestsPerDay', DAY_END_MS - START_MS],
    ['requestBytesPerDay', DAY_END_MS - START_MS],
    ['concurrentCalls', 0],
  ])('%s lets all of itself through, then says what is used and when that ends', (metric, resetInMs) => {
    const { take } = scene()
    const counter = counterOf(metric, 5)
    granted(take(counter, 3))
    granted(take(counter, 2))
    expect(take(counter, 4)).toEqual({
      kind: 'refused',
      refusals: [{ counter, amount: 4, used: 5, resetInMs }],
    })
  })

  it('of nothing lets nothing through', () => {
    const { take } = scene()
    const counter = counterOf('requestsPerMinute', 0)
    expect(take(counter)).toMatchObject({ kind: 'refused', refusals: [{ used: 0 }] })
  })

  it('takes what is asked of all limits or of none, and names each that refuses', async () => {
    const { quota, used } = scene()
    const [wide, tight, full] = [
      counterOf('requestsPerDay', 10),
      counterOf('inputTokensPerMinute', 9),
      counterOf('concurrentCalls', 0),
    ]
    const takes = [
      { counter: wide, amount: 1 },
      { counter: tight, amount: 10 },
      { counter: full, amount: 1 },
    ]
    const answer = quota.allocate(takes, 'call')
    expect(answer.kind === 'refused' && answer.refusals.map(({ counter }) => counter)).toEqual([tight, full])
    expect([await used(wide), await used(tight), await used(full)]).toEqual([0, 0, 0])
  })

  it('answers with what was taken, as it was asked, for the call that asked', () => {
    const { quota } = scene()
    const takes = [{ counter: counterOf('requestsPerDay', 10), amount: 1 }]
    expect(granted(quota.allocate(takes, 'abc'))).toMatchObject({ callId: 'abc', takes })
  })

  it('is read as what is used and when that ends', async () => {
    const { quota, take } = scene()
    const counters = QUOTA_METRICS.map(metric => counterOf(metric, 10))
    for (const counter of counters) granted(take(counter, 7))
    const ends = { minute: MINUTE_END_MS, day: DAY_END_MS, slots: null }
    expect(await quota.read(counters)).toEqual(
      counters.map(({ window }) => ({ used: 7, resetTimeMs: ends[window] })),
    )
  })
})

describe('a window', () => {
  it.each<[QuotaMetric, number]>([
    ['requestsPerMinute', MINUTE_END_MS],
    ['requestsPerDay', DAY_END_MS],
  ])('of %s holds until its last moment, and not a moment longer', (metric, endMs) => {
    const { take, setClock } = scene()
    const counter = counterOf(metric, 1)
    granted(take(counter))
    setClock(endMs - 1)
    expect(take(counter)).toMatchObject({ kind: 'refused', refusals: [{ resetInMs: 1 }] })
    setClock(endMs)
    granted(take(counter))
    expect(take(counter).kind).toBe('refused')
  })

  it.each<[QuotaMetric, number]>([
    ['requestsPerMinute', 60_000],
    ['requestsPerDay', 86_400_000],
  ])(
    'of %s does not open again while the clock is back, nor when it is right again',
    async (metric, backMs) => {
      const { take, used, setClock } = scene()
      const counter = counterOf(metric, 10)
      granted(take(counter, 10))
      setClock(START_MS - backMs)
      expect(take(counter).kind).toBe('refused')
      expect(await used(counter)).toBe(10)
      setClock(START_MS)
      expect(take(counter).kind).toBe('refused')
    },
  )

  it('that was begun by a clock far ahead is not waited for', async () => {
    const { take, used, setClock } = scene()
    const counter = counterOf('requestsPerMinute', 1)
    setClock(START_MS + 400 * 86_400_000)
    granted(take(counter))
    setClock(START_MS)
    granted(take(counter))
    expect(await used(counter)).toBe(1)
    expect(take(counter)).toMatchObject({ refusals: [{ resetInMs: MINUTE_END_MS - START_MS }] })
  })

  it('is none of slots: they are taken for as long as a call takes', () => {
    const { take, setClock } = scene()
    const counter = counterOf('concurrentCalls', 1)
    granted(take(counter))
    setClock(START_MS + 400 * 86_400_000)
    expect(take(counter).kind).toBe('refused')
  })
})

describe('what is given back', () => {
  it.each<[string, readonly number[], number]>([
    ['all', [0], 100],
    ['a part', [40], 140],
    ['nothing', [900], 1_000],
    ['less than nothing: the call took more', [1_300], 1_400],
    ['nothing, where nobody says what stays', [], 1_000],
  ])('may be %s', async (_, kept, expected) => {
    const { quota, take, used } = scene()
    const counter = counterOf('inputTokensPerMinute', 1_000)
    granted(take(counter, 100))
    quota.release(granted(take(counter, 900)), kept)
    expect(await used(counter)).toBe(expected)
  })

  it('of a window that is over does not count in the next', async () => {
    const { quota, take, used, setClock } = scene()
    const counter = counterOf('inputTokensPerMinute', 1_000)
    const late = granted(take(counter, 900))
    setClock(MINUTE_END_MS)
    granted(take(counter, 300))
    quota.release(late, [0])
    expect(await used(counter)).toBe(300)
  })

  it('each take gives back for itself', async () => {
    const { quota, used } = scene()
    const [tokens, slots] = [counterOf('inputTokensPerMinute', 100), counterOf('concurrentCalls', 2)]
    const takes = [
      { counter: tokens, amount: 50 },
      { counter: slots, amount: 1 },
    ]
    const first = granted(quota.allocate(takes, 'a'))
    granted(quota.allocate(takes, 'b'))
    expect(quota.allocate(takes, 'c').kind).toBe('refused')
    quota.release(first, [20, 0])
    expect([await used(tokens), await used(slots)]).toEqual([70, 1])
  })

  it('never makes room for more than the limit, whatever the clock did meanwhile', async () => {
    const { quota, take, used, setClock } = scene()
    const counter = counterOf('inputTokensPerMinute', 10)
    const lost = granted(take(counter, 8))
    setClock(MINUTE_END_MS + 60_000)
    granted(take(counter, 1))
    setClock(START_MS)
    granted(take(counter, 2))
    quota.release(lost, [0])
    expect(await used(counter)).toBe(0)
    expect(take(counter, 11).kind).toBe('refused')
  })

  it('is nothing once all is forgotten', async () => {
    const { quota, take, used } = scene()
    const counter = counterOf('concurrentCalls', 2)
    const late = granted(take(counter))
    granted(take(counter))
    quota.close()
    quota.release(late, [0])
    expect([await used(counter), quota.size]).toEqual([0, 0])
  })

  it('leaves what still runs: never more slots, nor fewer, than calls that have them', () => {
    const call = fc.record({ ends: fc.boolean(), waitMs: fc.nat(40_000) })
    fc.assert(
      fc.property(fc.array(call, { maxLength: 100 }), calls => {
        const { quota, take, setClock } = scene()
        const counter = counterOf('concurrentCalls', 4)
        const open: QuotaAllocation[] = []
        let nowMs = START_MS
        for (const { ends, waitMs } of calls) {
          setClock((nowMs += waitMs))
          const ended = ends ? open.shift() : undefined
          if (ended !== undefined) quota.release(ended, [0])
          const answer = take(counter)
          expect(answer.kind).toBe(open.length < 4 ? 'granted' : 'refused')
          if (answer.kind === 'granted') open.push(answer.allocation)
        }
      }),
    )
  })
})

describe('memory', () => {
  const SWEPT_AT = 10_000
  type Take = ReturnType<typeof scene>['take']
  /** As a caller does that names ever new models. */
  const countMany = (
    take: Take,
    count: number,
    metric: QuotaMetric = 'requestsPerMinute',
    from = 0,
  ): void => {
    for (let place = from; place < from + count; place++) take(counterOf(metric, 1, `${metric} ${place}`))
  }

  it('holds nothing for what is only asked, refused or given back', async () => {
    const { quota, take, used } = scene()
    await used(counterOf('requestsPerDay', 1))
    take(counterOf('requestsPerMinute', 0))
    quota.release(granted(take(counterOf('inputTokensPerMinute', 9), 9)), [0])
    quota.release(granted(take(counterOf('concurrentCalls', 1))), [0])
    expect(quota.size).toBe(0)
  })

  it('loses the counters whose window is over, and no other', async () => {
    const { quota, take, used, setClock } = scene()
    const [day, slots] = [counterOf('requestsPerDay', 1), counterOf('concurrentCalls', 1)]
    granted(take(day))
    granted(take(slots))
    countMany(take, SWEPT_AT - 2)
    expect(quota.size).toBe(SWEPT_AT)
    setClock(MINUTE_END_MS)
    granted(take(counterOf('imagesPerMinute', 1)))
    expect(quota.size).toBe(3)
    expect([await used(day), await used(slots)]).toEqual([1, 1])
  })

  it('is looked through again only when it holds twice as much', () => {
    const { quota, take, setClock } = scene()
    countMany(take, SWEPT_AT + 1)
    setClock(MINUTE_END_MS)
    countMany(take, SWEPT_AT - 1, 'imagesPerMinute')
    expect(quota.size).toBe(2 * SWEPT_AT)
    countMany(take, 1, 'imagesPerMinute', SWEPT_AT)
    expect(quota.size).toBe(SWEPT_AT)
  })

  it('is looked through at the same size as ever after it held nearly nothing', () => {
    const { quota, take, setClock } = scene()
    countMany(take, SWEPT_AT)
    setClock(MINUTE_END_MS)
    countMany(take, SWEPT_AT, 'imagesPerMinute')
    expect(quota.size).toBe(SWEPT_AT)
    setClock(MINUTE_END_MS + 60_000)
    countMany(take, 1)
    expect(quota.size).toBe(1)
  })

  it('is never cleared of what the very call takes that has it looked through', async () => {
    const { quota, take, used } = scene()
    const [slots, other] = [counterOf('concurrentCalls', 1), counterOf('concurrentCalls', 1, 'other')]
    countMany(take, SWEPT_AT - 1)
    const takes = [slots, other].map(counter => ({ counter, amount: 1 }))
    granted(quota.allocate(takes, 'call'))
    expect([await used(slots), await used(other)]).toEqual([1, 1])
    expect([take(slots).kind, take(other).kind]).toEqual(['refused', 'refused'])
  })
})
