import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import type {
  UsageDimension,
  UsageGranularity,
  UsageOrder,
  UsageQuery,
  UsageRecord,
  UsageRow,
  UsageTotals,
} from '../src/domain/usage.ts'
import { NO_USAGE, USAGE_DIMENSIONS, USAGE_GRANULARITIES, USAGE_ORDERS } from '../src/domain/usage.ts'
import type { Storage } from '../src/storage/storage.ts'
import type { Place } from './storage-fixture.ts'
import {
  describeOnBothEngines,
  describeOnPostgres,
  freshFolder,
  reasonOf,
  startChild,
  times,
  usageRecord,
} from './storage-fixture.ts'

const PROJECT = '415104041262'
const NOV_MS = Date.UTC(2026, 10, 1)
const DEC_MS = Date.UTC(2026, 11, 1)
const MINUTE_MS = 60_000
const WIDTH_MS: Record<UsageGranularity, number> = {
  minute: MINUTE_MS,
  hour: 60 * MINUTE_MS,
  day: 1_440 * MINUTE_MS,
}

const everything: UsageQuery = {
  projectNumber: PROJECT,
  startTimeMs: 0,
  endTimeMs: Date.UTC(2030, 0),
  granularity: 'day',
  groupBy: [],
}

function totalsOf(records: readonly UsageRecord[]): UsageTotals {
  const sum = (of: (record: UsageRecord) => number): number =>
    records.reduce((total, record) => total + of(record), 0)
  return {
    calls: records.length,
    errors: sum(record => (record.httpStatus >= 400 ? 1 : 0)),
    estimated: sum(record => (record.outcome === 'estimated' ? 1 : 0)),
    promptTokens: sum(record => record.usage.promptTokens),
    cachedTokens: sum(record => record.usage.cachedTokens),
    toolUsePromptTokens: sum(record => record.usage.toolUsePromptTokens),
    candidatesTokens: sum(record => record.usage.candidatesTokens),
    thoughtsTokens: sum(record => record.usage.thoughtsTokens),
    totalTokens: sum(record => record.usage.totalTokens),
    requestBytes: sum(record => record.requestBytes),
    responseBytes: sum(record => record.responseBytes),
    costNanos: String(records.reduce((total, record) => total + BigInt(record.costNanos ?? 0), 0n)),
    unpriced: sum(({ costNanos, outcome }) =>
      costNanos === null && (outcome === 'posted' || outcome === 'estimated') ? 1 : 0,
    ),
    imageTokens: sum(record => tokensOf(record, 'IMAGE')),
    audioTokens: sum(record => tokensOf(record, 'AUDIO')),
    videoTokens: 0,
    documentTokens: 0,
    durationMs: sum(record => Math.round(record.durationMs)),
    durationMaxMs: Math.max(0, ...records.map(record => Math.round(record.durationMs))),
  }
}

function tokensOf({ usage: { details } }: UsageRecord, modality: string): number {
  return [...(details?.prompt ?? []), ...(details?.candidates ?? [])]
    .filter(count => count.modality === modality)
    .reduce((sum, { tokenCount }) => sum + tokenCount, 0)
}

/** The report, counted from the records themselves. */
function recount(records: readonly UsageRecord[], query: UsageQuery): readonly UsageRow[] {
  const widthMs = WIDTH_MS[query.granularity]
  const startMs = Math.floor(query.startTimeMs / widthMs) * widthMs
  const endMs = Math.ceil(query.endTimeMs / widthMs) * widthMs
  type Group = { dimensions: Omit<UsageRow, 'totals'>; records: UsageRecord[] }
  const groups = new Map<string, Group>()
  for (const record of records) {
    if (record.projectNumber !== query.projectNumber) continue
    if (query.keyUid !== undefined && record.keyUid !== query.keyUid) continue
    if (query.model !== undefined && record.model !== query.model) continue
    if (query.httpStatus !== undefined && record.httpStatus !== query.httpStatus) continue
    if (record.startTimeMs < startMs || record.startTimeMs >= endMs) continue
    const has = (dimension: UsageDimension): boolean => query.groupBy.includes(dimension)
    const bucketTimeMs = Math.floor(record.startTimeMs / widthMs) * widthMs
    const dimensions: Omit<UsageRow, 'totals'> = {
      ...(has('time') ? { bucketTimeMs } : {}),
      ...(has('project') ? { projectNumber: record.projectNumber } : {}),
      ...(has('key') ? { keyUid: record.keyUid } : {}),
      ...(has('environment') ? { environment: '' } : {}),
      ...(has('model') ? { model: record.model } : {}),
      ...(has('method') ? { method: record.method } : {}),
      ...(has('status') ? { httpStatus: record.httpStatus } : {}),
    }
    const key = JSON.stringify(dimensions)
    const group: Group = groups.get(key) ?? { dimensions, records: [] }
    groups.set(key, group)
    group.records.push(record)
  }
  if (query.groupBy.length === 0 && groups.size === 0) return [{ totals: totalsOf([]) }]
  return [...groups.values()].map(group => ({ ...group.dimensions, totals: totalsOf(group.records) }))
}

const sorted = (rows: readonly UsageRow[]): readonly string[] =>
  rows
    .map(({ totals, ...dimensions }) =>
      JSON.stringify([
        dimensions.bucketTimeMs,
        dimensions.projectNumber,
        dimensions.keyUid,
        dimensions.environment,
        dimensions.model,
        dimensions.method,
        dimensions.httpStatus,
        totals,
      ]),
    )
    .sort()

const count = fc.integer({ min: 0, max: 3_000_000 })

const anyRecord: fc.Arbitrary<UsageRecord> = fc.record({
  callId: fc.string(),
  startTimeMs: fc.integer({ min: DEC_MS - 90 * MINUTE_MS, max: DEC_MS + 90 * MINUTE_MS }),
  durationMs: fc.double({ min: 0, max: 100_000, noNaN: true }),
  firstByteMs: fc.option(fc.integer({ min: 0, max: 9_999 })),
  projectNumber: fc.constantFrom(PROJECT, PROJECT, '100000000000'),
  keyUid: fc.constantFrom('key-1', 'key-2', 'key-3'),
  method: fc.constantFrom('GenerateContent', 'CountTokens'),
  model: fc.constantFrom('', 'gemini-2.5-flash', 'Gemini', '"\\\'; --', '\u{1F916}'),
  modelVersion: fc.option(fc.string()),
  outcome: fc.constantFrom('posted', 'unmetered', 'void', 'estimated'),
  httpStatus: fc.constantFrom(200, 399, 400, 499, 503),
  usage: fc.record({
    promptTokens: count,
    cachedTokens: count,
    toolUsePromptTokens: count,
    candidatesTokens: count,
    thoughtsTokens: count,
    totalTokens: count,
    details: fc.option(
      fc.record({
        prompt: fc.array(fc.record({ modality: fc.constantFrom('TEXT', 'IMAGE'), tokenCount: count })),
        cached: fc.constant([]),
        toolUsePrompt: fc.constant([]),
        candidates: fc.array(fc.record({ modality: fc.constantFrom('TEXT', 'AUDIO'), tokenCount: count })),
      }),
    ),
    serviceTier: fc.option(fc.constantFrom('standard', 'flex')),
  }),
  requestBytes: count,
  responseBytes: count,
  costNanos: fc.option(fc.integer({ min: 0, max: 2 ** 45 })),
  priceBasisPoints: fc.constantFrom(1, 10_000, 12_500),
  postedNanos: fc.integer({ min: 0, max: 2 ** 45 }),
  heldNanos: count,
  ledger: fc.constant([]),
  clampedOutputTokens: fc.option(count),
  receivedUs: fc.option(count),
  admittedUs: fc.option(count),
  lastByteUs: fc.option(count),
})

/** What makes a key's one record count more than that of all other keys, by each order; by calls it has three of them. */
const MOST: Readonly<Record<UsageOrder, Partial<UsageRecord>>> = {
  cost: { costNanos: 2 ** 40 },
  calls: {},
  errors: { httpStatus: 500 },
  tokens: { usage: { ...NO_USAGE, totalTokens: 9 } },
  input: { usage: { ...NO_USAGE, promptTokens: 9 } },
  cached: { usage: { ...NO_USAGE, cachedTokens: 9 } },
  output: { usage: { ...NO_USAGE, candidatesTokens: 9 } },
  thinking: { usage: { ...NO_USAGE, thoughtsTokens: 9 } },
  tool: { usage: { ...NO_USAGE, toolUsePromptTokens: 9 } },
  bytes: { responseBytes: 99 },
  latency: { durationMs: 99 },
}

async function readAll(storage: Storage): Promise<readonly UsageRecord[]> {
  return await storage.usage.recent({ projectNumber: PROJECT, limit: 10_000_000 })
}

describeOnBothEngines('usage', engine => {
  test('a record comes back as it was appended', async () => {
    const storage = await engine.open()
    const record = usageRecord({
      firstByteMs: 20,
      modelVersion: 'gemini-2.5-flash-001',
      usage: {
        promptTokens: 9_007_199_254_740_991,
        cachedTokens: 1,
        toolUsePromptTokens: 2,
        candidatesTokens: 3,
        thoughtsTokens: 4,
        totalTokens: 5,
        details: {
          prompt: [{ modality: 'TEXT', tokenCount: 7 }],
          cached: [],
          toolUsePrompt: [],
          candidates: [{ modality: 'AUDIO', tokenCount: 3 }],
        },
        serviceTier: 'priority',
      },
      costNanos: 9_007_199_254_740_991,
      postedNanos: 9_007_199_254_740_990,
      heldNanos: 1,
      ledger: [],
      clampedOutputTokens: 256,
      receivedUs: 310,
      admittedUs: 840,
      lastByteUs: 5_210_000,
    })
    const plain = usageRecord()
    await storage.usage.append(record, [])
    await storage.usage.append(plain, [])
    expect(await readAll(storage)).toEqual([plain, record])
  })

  test('a record that no column can hold is refused alone, and odd characters do not harm the others', async () => {
    const storage = await engine.open()
    const results = await Promise.allSettled([
      storage.usage.append(usageRecord({ requestBytes: Number.NaN }), []),
      storage.usage.append(usageRecord({ usage: { ...NO_USAGE, totalTokens: 2 ** 60 } }), []),
      storage.usage.append(usageRecord({ startTimeMs: Infinity }), []),
      storage.usage.append(usageRecord({ model: 'a\0b\ud800c\u0007' }), []),
      storage.usage.append(usageRecord({ model: 'plain' }), []),
    ])
    expect(results.map(result => result.status)).toEqual([
      'rejected',
      'rejected',
      'rejected',
      'fulfilled',
      'fulfilled',
    ])
    const models = (await readAll(storage)).map(record => record.model)
    expect(models.toSorted()).toEqual(['a\u{FFFD}b\u{FFFD}c\u0007', 'plain'])
  })

  test('the newest records come first, across months, of a project or of one key of it', async () => {
    const storage = await engine.open()
    const times = [NOV_MS, DEC_MS - 1, DEC_MS, DEC_MS + 5_000, Date.UTC(2027, 0, 1)]
    const records = times.map((startTimeMs, place) =>
      usageRecord({ startTimeMs, keyUid: place % 2 === 0 ? 'even' : 'odd' }),
    )
    await Promise.all(records.map(record => storage.usage.append(record, [])))
    await storage.usage.append(usageRecord({ projectNumber: '100000000000' }), [])
    const newest = records.toReversed()
    const recent = (limit: number, keyUid?: string) =>
      storage.usage.recent({ projectNumber: PROJECT, limit, ...(keyUid === undefined ? {} : { keyUid }) })
    expect(await recent(3)).toEqual(newest.slice(0, 3))
    expect(await recent(100)).toEqual(newest)
    expect(await recent(100, 'odd')).toEqual(newest.filter(record => record.keyUid === 'odd'))
    expect(await recent(2, 'even')).toEqual(newest.filter(record => record.keyUid === 'even').slice(0, 2))
  })

  test('reports equal a recount of the records, for random batches and queries', async () => {
    const storage = await engine.open()
    const all: UsageRecord[] = []
    const anyTime = fc.integer({ min: DEC_MS - 120 * MINUTE_MS, max: DEC_MS + 120 * MINUTE_MS })
    const anyQuery: fc.Arbitrary<UsageQuery> = fc
      .record({
        times: fc.tuple(anyTime, anyTime),
        granularity: fc.constantFrom(...USAGE_GRANULARITIES),
        groupBy: fc.subarray([...USAGE_DIMENSIONS]),
        keyUid: fc.option(fc.constantFrom('key-1', 'key-2')),
        model: fc.option(fc.constantFrom('Gemini', ''), { freq: 1 }),
        httpStatus: fc.option(fc.constantFrom(200, 503), { freq: 1 }),
      })
      .map(({ times: [a, b], keyUid, model, httpStatus, ...rest }) => ({
        projectNumber: PROJECT,
        startTimeMs: Math.min(a, b),
        endTimeMs: Math.max(a, b),
        ...(keyUid === null ? {} : { keyUid }),
        ...(model === null ? {} : { model }),
        ...(httpStatus === null ? {} : { httpStatus }),
        ...rest,
      }))
    const batches = fc.array(anyRecord, { maxLength: 60 })
    await fc.assert(
      fc.asyncProperty(
        batches,
        fc.array(anyQuery, { minLength: 1, maxLength: 4 }),
        async (records, queries) => {
          all.push(...records)
          // Not awaited before the reports: those wait for what was appended before them.
          const appended = Promise.all(records.map(record => storage.usage.append(record, [])))
          for (const query of queries) {
            expect(sorted(await storage.usage.report(query))).toEqual(sorted(recount(all, query)))
          }
          await appended
        },
      ),
      { numRuns: 25, endOnFailure: true },
    )
  })

  test('a report contains every record appended before it while folding goes on beside', async () => {
    const storage = await engine.open()
    for (const appended of [500, 1_000, 1_500, 2_000, 2_500]) {
      await Promise.all(Array.from({ length: 500 }, () => storage.usage.append(usageRecord(), [])))
      // Each of them finds another one folding.
      const reports = await Promise.all(Array.from({ length: 4 }, () => storage.usage.report(everything)))
      expect(reports.map(([row]) => row?.totals.calls)).toEqual(Array(4).fill(appended))
    }
  })

  test('report rows are sorted by time, key, model, method', async () => {
    const storage = await engine.open()
    for (const [minute, keyUid, model] of [
      [1, 'b', 'm'],
      [0, 'c', 'z'],
      [1, 'B', 'm'],
      [1, 'b', 'M'],
    ] as const) {
      const startTimeMs = NOV_MS + minute * MINUTE_MS
      await storage.usage.append(usageRecord({ startTimeMs, keyUid, model }), [])
    }
    const rows = await storage.usage.report({
      ...everything,
      granularity: 'minute',
      groupBy: ['model', 'key', 'time'],
    })
    expect(rows.map(row => [row.bucketTimeMs, row.keyUid, row.model])).toEqual([
      [NOV_MS, 'c', 'z'],
      [NOV_MS + MINUTE_MS, 'B', 'm'],
      [NOV_MS + MINUTE_MS, 'b', 'M'],
      [NOV_MS + MINUTE_MS, 'b', 'm'],
    ])
  })

  test('the group that counts most by each order is found by it', async () => {
    const storage = await engine.open()
    const base = { durationMs: 10, requestBytes: 1, responseBytes: 1, costNanos: 1, usage: NO_USAGE }
    for (const [by, record] of Object.entries(MOST)) {
      const records = Array.from({ length: by === 'calls' ? 3 : 1 }, () =>
        usageRecord({ startTimeMs: NOV_MS, ...base, ...record, keyUid: by }),
      )
      await Promise.all(records.map(one => storage.usage.append(one, [])))
    }
    for (const by of USAGE_ORDERS) {
      const query = { ...everything, groupBy: ['key'] as const, top: { limit: 1, by } }
      const [first, others] = await storage.usage.report(query)
      expect([first?.keyUid, others?.isOther]).toEqual([by, true])
      expect((first?.totals.calls ?? 0) + (others?.totals.calls ?? 0)).toBe(USAGE_ORDERS.length + 2)
    }
  })

  test('closing commits what was appended', async () => {
    const place = await engine.place()
    const storage = await engine.open(place)
    const appended = Promise.all(Array.from({ length: 100 }, () => storage.usage.append(usageRecord(), [])))
    await storage.close()
    await appended
    expect(await reasonOf(storage.usage.append(usageRecord(), []))).toBe('STORAGE_UNAVAILABLE')
    const again = await engine.open(place)
    expect((await again.usage.report(everything))[0]?.totals.calls).toBe(100)
  })

  test('kill -9 under load loses and doubles no acknowledged record, and reports still equal the records', async () => {
    const place = await engine.place()
    const acknowledgedPath = freshFolder()
    const record = usageRecord({ startTimeMs: DEC_MS - MINUTE_MS, usage: { ...NO_USAGE, totalTokens: 3 } })
    const acknowledged = (): readonly string[] =>
      existsSync(acknowledgedPath) ? readFileSync(acknowledgedPath, 'utf8').trimEnd().split('\n') : []
    // More than five on a machine that is busy.
    for (let run = 1; run <= 5 || (run <= 30 && acknowledged().length <= 1_000); run += 1) {
      const child = await startChild({
        mode: 'append',
        place,
        acknowledgedPath,
        record,
        prefix: `run-${run}`,
      })
      expect(child.said).toBe('open')
      const killAfterMs = 30 + Math.random() * (run % 3 === 0 ? 1_500 : 300)
      await new Promise(resolve => setTimeout(resolve, killAfterMs))
      await child.kill()
    }
    expect(acknowledged().length).toBeGreaterThan(1_000)
    const storage = await engine.open(place)
    const records = await readAll(storage)
    const ids = new Set(records.map(record => record.callId))
    expect(ids.size).toBe(records.length)
    expect(acknowledged().filter(id => !ids.has(id))).toEqual([])
    const query: UsageQuery = { ...everything, granularity: 'minute', groupBy: ['time', 'key', 'model'] }
    expect(sorted(await storage.usage.report(query))).toEqual(sorted(recount(records, query)))
    const days: UsageQuery = { ...everything, groupBy: ['time'] }
    expect(sorted(await storage.usage.report(days))).toEqual(sorted(recount(records, days)))
  }, 90_000)

  test('1,000 concurrent appends share a few commits', async () => {
    const place = await engine.place()
    const storage = await engine.open(place)
    await storage.usage.append(usageRecord(), [])
    const before = await commits(place, storage)
    await Promise.all(Array.from({ length: 1_000 }, () => storage.usage.append(usageRecord(), [])))
    // Some are those of the fold that runs beside.
    expect((await commits(place, storage)) - before).toBeLessThan(20)
  })
})

describeOnPostgres('usage of several nodes', engine => {
  test('adds up, and that of a dead node is folded by the living, who do it at once', async () => {
    const { engine: choice } = await engine.place()
    const acknowledgedPath = freshFolder()
    const record = usageRecord({ usage: { ...NO_USAGE, totalTokens: 3 } })
    const places = Array.from({ length: 2 }, () => ({ engine: choice, dataDir: freshFolder() }))
    const children = await Promise.all(
      places.map((place, node) =>
        startChild({ mode: 'append', place, acknowledgedPath, record, prefix: `node-${node}` }),
      ),
    )
    await new Promise(resolve => setTimeout(resolve, 1_500))
    await Promise.all(children.map(child => child.kill()))
    const [storage] = await Promise.all(
      times(3, choice).map(at => engine.open({ engine: at, dataDir: freshFolder() })),
    )
    if (storage === undefined) throw new Error('no storage')
    await storage.usage.append({ ...record, callId: 'own' }, [])
    const records = await readAll(storage)
    expect(records.length).toBeGreaterThan(1_000)
    const query: UsageQuery = { ...everything, granularity: 'minute', groupBy: ['time', 'key', 'model'] }
    // Folding everybody's records runs every ten seconds, the first time at once.
    await expect
      .poll(async () => sorted(await storage.usage.report(query)), { timeout: 15_000 })
      .toEqual(sorted(recount(records, query)))
  }, 40_000)
})

/** How many transactions have written, as the engine's own books say. */
async function commits(place: Place, storage: Storage): Promise<number> {
  const { engine } = place
  if (engine.kind === 'sqlite') return committedFrames(`${engine.path}-wal`)
  await storage.node.ping()
  const { Client } = await import('pg')
  const client = new Client({ connectionString: engine.url })
  await client.connect()
  try {
    const { rows } = await client.query<{ writers: string }>('select txid_current() as writers')
    return Number(rows[0]?.writers)
  } finally {
    await client.end()
  }
}

/** Frames of a WAL file that end a transaction (sqlite.org/fileformat2.html, 4.1). */
function committedFrames(path: string): number {
  const file = openSync(path, 'r')
  const header = Buffer.alloc(32)
  const frame = Buffer.alloc(24)
  readSync(file, header, 0, 32, 0)
  const pageBytes = header.readUInt32BE(8)
  let commits = 0
  for (let at = 32; readSync(file, frame, 0, 24, at) === 24; at += 24 + pageBytes) {
    const ofThisRound = frame.subarray(8, 16).equals(header.subarray(16, 24))
    if (ofThisRound && frame.readUInt32BE(4) !== 0) commits += 1
  }
  closeSync(file)
  return commits
}
