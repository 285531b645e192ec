import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MemoryQuota } from '../src/quota/memory.ts'
import {
  QUOTA_METRICS,
  type QuotaGrant,
  type QuotaLimit,
  type Tier,
  UNLIMITED,
  quotaRules,
} from '../src/domain/quota.ts'
import { midnightsAround, rateWindow } from '../src/domain/quota-window.ts'

const ZONE = 'America/Los_Angeles'
const OWNER = { projectNumber: '1', lineage: 'k' }
const rpm = (model: string | null, value: number): QuotaLimit => ({
  metric: 'requestsPerMinute',
  model,
  value,
})
const tierOf = (limits: readonly QuotaLimit[]): Tier => ({
  id: 't',
  displayName: '',
  quotaIdSuffix: 'FreeTier',
  limits,
  allowedModels: null,
  allowedMethods: null,
  allowedTools: null,
  spendCapNanos: null,
  priceBasisPoints: 10_000,
  source: '',
})

describe('the limits of a call', () => {
  it('are none, and cost nothing, where none is set', () => {
    for (const tier of [tierOf([]), null])
      expect(quotaRules(OWNER, { tier, projectLimits: [], keyLimits: [] })).toBeNull()
  })

  it.each<[string, string, readonly [string, number][]]>([
    [
      'the model’s own before that of each model, and all together',
      'a',
      [
        ['a', 1],
        ['', 9],
      ],
    ],
    [
      'each model apart where it has none of its own',
      'b',
      [
        ['b', 5],
        ['', 9],
      ],
    ],
    ['only all together where the model is unlimited', 'free', [['', 9]]],
  ])('are %s', (_, model, expected) => {
    const projectLimits = [rpm('a', 1), rpm('*', 5), rpm(null, 9), rpm('free', UNLIMITED)]
    const counters = quotaRules(OWNER, { tier: null, projectLimits, keyLimits: [] })?.countersOf(model)
    expect(counters?.map(counter => [counter.model ?? '', counter.limit])).toEqual(expected)
  })

  it('are the project’s in place of its tier’s, and the key’s beside them', () => {
    const grant = {
      tier: tierOf([rpm('a', 1), rpm('b', 2)]),
      projectLimits: [rpm('a', 7)],
      keyLimits: [rpm('a', 3)],
    }
    const rules = quotaRules(OWNER, grant)
    const shown = (model: string) =>
      rules?.countersOf(model).map(({ scope, limit, quotaIdSuffix }) => [scope, limit, quotaIdSuffix])
    expect(shown('a')).toEqual([
      ['project', 7, ''],
      ['key', 3, ''],
    ])
    expect(shown('b')).toEqual([['project', 2, 'FreeTier']])
  })

  it.each<[string, string | null]>([
    ['a model', 'a'],
    ['each model', '*'],
    ['all models', null],
  ])('are none of the tier’s for %s where the project has no limit', (_, model) => {
    const grant = { tier: tierOf([rpm(model, 1)]), projectLimits: [rpm(model, UNLIMITED)], keyLimits: [] }
    expect(quotaRules(OWNER, grant)?.countersOf('a')).toEqual([])
  })

  it('say how each is counted, under an id that nodes of other versions know', () => {
    const projectLimits: QuotaLimit[] = [
      { metric: 'concurrentCalls', model: '*', value: 2 },
      { metric: 'requestsPerDay', model: null, value: 0 },
    ]
    const keyLimits = [rpm('a', 3)]
    const owner = { projectNumber: '41', lineage: 'lin' }
    expect(quotaRules(owner, { tier: null, projectLimits, keyLimits })?.countersOf('a')).toEqual([
      {
        id: '{41}:requestsPerDay:',
        scope: 'project',
        metric: 'requestsPerDay',
        window: 'day',
        model: null,
        limit: 0,
        quotaIdSuffix: '',
      },
      {
        id: '{41}:concurrentCalls:a',
        scope: 'project',
        metric: 'concurrentCalls',
        window: 'slots',
        model: 'a',
        limit: 2,
        quotaIdSuffix: '',
      },
      {
        id: '{41}:lin:requestsPerMinute:a',
        scope: 'key',
        metric: 'requestsPerMinute',
        window: 'minute',
        model: 'a',
        limit: 3,
        quotaIdSuffix: '',
      },
    ])
  })

  it('are counted apart by project, key, metric and model, and by nothing else', () => {
    const everything = (value: number): QuotaLimit[] =>
      QUOTA_METRICS.flatMap(metric => ['*', null].map(model => ({ metric, model, value })))
    const idsOf = (value: number) =>
      ['1', '2'].flatMap(projectNumber =>
        ['k', 'l'].flatMap(lineage => {
          const limits = everything(value)
          const rules = quotaRules(
            { projectNumber, lineage },
            { tier: null, projectLimits: limits, keyLimits: limits },
          )
          return ['a', 'b'].flatMap(model => rules?.countersOf(model).map(({ id }) => id) ?? [])
        }),
      )
    const ids = new Set(idsOf(5))
    // Of two projects, and of two keys in each: two models and all together.
    expect(ids.size).toBe((2 + 4) * QUOTA_METRICS.length * 3)
    expect(new Set(idsOf(9))).toEqual(ids)
    for (const id of ids) expect(id).toMatch(/^\{[12]\}:/)
  })

  it('name the models that have some of their own, of whatever source', () => {
    const grant: QuotaGrant = {
      tier: tierOf([rpm('a', 1), rpm('*', 2), rpm(null, 3)]),
      projectLimits: [rpm('a', 7), rpm('b', UNLIMITED)],
      keyLimits: [rpm('c', 3), rpm('*', 4)],
    }
    expect(quotaRules(OWNER, grant)?.models).toEqual(new Set(['a', 'b', 'c']))
    expect(quotaRules(OWNER, { ...grant, tier: null, projectLimits: [] })?.models).toEqual(new Set(['c']))
  })

  it('are worked out once for each of the models a key calls, however many it names', () => {
    const rules = quotaRules(OWNER, { tier: null, projectLimits: [rpm('*', 5)], keyLimits: [] })
    const first = rules?.countersOf('m0')
    for (let place = 1; place < 64; place++) rules?.countersOf(`m${place}`)
    expect(rules?.countersOf('m0')).toBe(first)
    // A caller may name ever new models: they are not all remembered.
    rules?.countersOf('one more')
    expect(rules?.countersOf('m0')).not.toBe(first)
    expect(rules?.countersOf('m0')).toEqual(first)
  })
})

it.each([
  ['at its first moment', '2026-03-08T09:59:00.000Z'],
  ['within it', '2026-03-08T09:59:30.500Z'],
  ['at its last moment', '2026-03-08T09:59:59.999Z'],
])('a minute of quotas is one of UTC, asked %s', (_, at) => {
  const startMs = Date.parse('2026-03-08T09:59:00Z')
  for (const zone of [ZONE, 'Asia/Kathmandu'])
    expect(rateWindow('minute', zone, Date.parse(at))).toEqual({ startMs, endMs: startMs + 60_000 })
})

describe('a day of quotas', () => {
  const HOUR_MS = 3_600_000
  it.each([
    ['in winter', '2026-01-15T20:00:00Z', '2026-01-16T08:00:00Z', 24],
    ['in summer', '2026-07-15T20:00:00Z', '2026-07-16T07:00:00Z', 24],
    ['when clocks go forward', '2026-03-08T20:00:00Z', '2026-03-09T07:00:00Z', 23],
    ['when clocks go back', '2026-11-01T20:00:00Z', '2026-11-02T08:00:00Z', 25],
  ])('ends at midnight Pacific %s', (_, at, end, hours) => {
    const { startMs, endMs } = rateWindow('day', ZONE, Date.parse(at))
    expect(new Date(endMs).toISOString().replace('.000', '')).toBe(end)
    expect((endMs - startMs) / HOUR_MS).toBe(hours)
  })

  it('has its midnights around it, and follows another zone where one is configured', () => {
    for (const zone of [ZONE, 'Asia/Kathmandu', 'America/Havana', 'Australia/Lord_Howe']) {
      fc.assert(
        fc.property(fc.integer({ min: Date.UTC(2020, 0), max: Date.UTC(2035, 0) }), atMs => {
          const around = midnightsAround(zone, atMs)
          const { startMs, endMs } = rateWindow('day', zone, atMs)
          expect([around[1], around[2]]).toEqual([startMs, endMs])
          // One that is a day late or early finds its own day between two of them as well.
          const [before = 0, , after = 0, last] = around
          expect(rateWindow('day', zone, before)).toEqual({ startMs: before, endMs: startMs })
          expect(rateWindow('day', zone, after)).toEqual({ startMs: after, endMs: last })
        }),
        { numRuns: 25 },
      )
    }
  })
})

it('no window of any schedule holds more than the limit, and none refuses while it has room', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ waitMs: fc.nat(40_000), amount: fc.integer({ min: 1, max: 5 }) }), {
        maxLength: 200,
      }),
      calls => {
        let nowMs = Date.UTC(2026, 2, 8, 9, 59)
        const quota = new MemoryQuota(ZONE, () => nowMs)
        const [counter] =
          quotaRules(OWNER, { tier: null, projectLimits: [rpm(null, 7)], keyLimits: [] })?.countersOf('m') ??
          []
        if (counter === undefined) throw new Error('no counter')
        const sums = new Map<number, number>()
        for (const { waitMs, amount } of calls) {
          nowMs += waitMs
          const { startMs } = rateWindow('minute', ZONE, nowMs)
          const before = sums.get(startMs) ?? 0
          const isGranted = quota.allocate([{ counter, amount }], 'c').kind === 'granted'
          expect(isGranted).toBe(before + amount <= 7)
          if (isGranted) sums.set(startMs, before + amount)
        }
      },
    ),
  )
})
