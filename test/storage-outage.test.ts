/** What happens to usage when the database goes away for a moment, at the worst moment. */
import { Client } from 'pg'
import { expect, test } from 'vitest'
import type { UsageRecord } from '../src/domain/usage.ts'
import { NO_USAGE } from '../src/domain/usage.ts'
import { describeOnPostgres } from './storage-fixture.ts'

const OUTAGES = 25

function record(callId: string): UsageRecord {
  return {
    callId,
    startTimeMs: Date.UTC(2026, 10, 21),
    durationMs: 1,
    firstByteMs: 1,
    projectNumber: '1',
    keyUid: 'key',
    method: 'GenerateContent',
    model: 'model',
    modelVersion: null,
    outcome: 'posted',
    httpStatus: 200,
    usage: { ...NO_USAGE, promptTokens: 1, totalTokens: 1 },
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
}

describeOnPostgres('usage through outages', engine => {
  test('connections cut at any moment of a commit lose no record and double none', async () => {
    const place = await engine.place()
    const storage = await engine.open(place)
    if (place.engine.kind !== 'postgres') throw new Error('a PostgreSQL place was asked for')
    const admin = new Client({ connectionString: place.engine.url })
    await admin.connect()
    const over = new AbortController()
    let appended = 0
    const client = async (name: number): Promise<void> => {
      for (let turn = 0; !over.signal.aborted; turn++) {
        await storage.usage.append(record(`${name}-${turn}`), [])
        appended++
      }
    }
    const clients = Promise.all(Array.from({ length: 16 }, (_, name) => client(name)))
    let sawOutage = false
    for (let outage = 0; outage < OUTAGES; outage++) {
      await new Promise(resolve => setTimeout(resolve, 150 + ((outage * 53) % 250)))
      await admin.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = current_database()',
      )
      sawOutage ||= !storage.usage.isFlowing()
    }
    over.abort()
    await clients
    expect(storage.usage.isFlowing()).toBe(true)
    const { rows } = await admin.query<{ total: string; distinct: string }>(
      'select count(*) as total, count(distinct call_id) as distinct from usage_record_202611',
    )
    await admin.end()
    expect(appended).toBeGreaterThan(OUTAGES)
    expect(rows[0]).toEqual({ total: String(appended), distinct: String(appended) })
    expect(sawOutage).toBe(true)
  }, 60_000)
})
