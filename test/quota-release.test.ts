import { describe, expect, it } from 'vitest'
import { QUOTA_METRICS, type QuotaAllocation, type QuotaCounter, WINDOW_OF } from '../src/domain/quota.ts'
import { MemoryQuota } from '../src/quota/memory.ts'
import { readReply } from '../src/gateway/read-usage.ts'
import { releaseQuota, returnQuota } from '../src/gateway/quota.ts'
import type { Ending } from '../src/gateway/settle.ts'

const AMOUNTS = {
  requestsPerMinute: 1,
  inputTokensPerMinute: 500,
  requestsPerDay: 1,
  imagesPerMinute: 3,
  requestBytesPerDay: 900,
  concurrentCalls: 1,
} as const

const counters: readonly QuotaCounter[] = QUOTA_METRICS.map(metric => ({
  id: metric,
  scope: 'project',
  metric,
  window: WINDOW_OF[metric],
  model: null,
  limit: 1_000,
  quotaIdSuffix: '',
}))

/** A call that took from every limit there is. */
function takeAll(): { readonly quota: MemoryQuota; readonly allocation: QuotaAllocation } {
  const quota = new MemoryQuota('UTC', () => Date.UTC(2026, 0, 1, 12))
  const answer = quota.allocate(
    counters.map(counter => ({ counter, amount: AMOUNTS[counter.metric] })),
    'call',
  )
  if (answer.kind !== 'granted') throw new Error('not granted')
  return { quota, allocation: answer.allocation }
}

async function countedIn(quota: MemoryQuota): Promise<Record<string, number>> {
  const readings = await quota.read(counters)
  return Object.fromEntries(counters.map(({ metric }, place) => [metric, readings[place]?.used ?? -1]))
}

describe('what stays counted when a call is over', () => {
  const { usage } = readReply({ usageMetadata: { promptTokenCount: 120, candidatesTokenCount: 7 } })
  it.each<[string, Pick<Ending, 'outcome' | 'usage'>, object]>([
    ['the prompt as it was counted', { outcome: 'posted', usage }, { inputTokensPerMinute: 120 }],
    ['all of the prompt where nobody counted it', { outcome: 'unmetered' }, {}],
    ['all of the prompt where a reply has no count', { outcome: 'posted', usage: null }, {}],
    ['all of the prompt where the count is of a part', { outcome: 'estimated', usage }, {}],
    [
      'no token and no image where it was never accepted, but the request',
      { outcome: 'void', usage },
      { inputTokensPerMinute: 0, imagesPerMinute: 0 },
    ],
  ])('is %s', async (_, ending, different) => {
    const { quota, allocation } = takeAll()
    releaseQuota(allocation, ending, { quota })
    expect(await countedIn(quota)).toEqual({ ...AMOUNTS, concurrentCalls: 0, ...different })
  })

  it('is nothing where the call was not let in after all', async () => {
    const { quota, allocation } = takeAll()
    returnQuota(allocation, { quota })
    expect(Object.values(await countedIn(quota))).toEqual(counters.map(() => 0))
  })
})
