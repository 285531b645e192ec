/** A disk whose fsync fails: nothing is acknowledged on it, nothing that it was told before is assumed to be there. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LEDGER_V1, PROJECT_BUDGETS_V1 } from '../src/contract/budgets.v1.ts'
import { ContractError } from '../src/contract/client.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { readJournal } from '../src/storage/journal-segment.ts'
import { failFsync, runFailingFirstFsync, tracingMissing } from './failing-disk.ts'
import { type Pollux, startPollux } from './pollux.ts'
import { readRecords } from './records.ts'
import { freshFolder, holdOf, usageRecord } from './storage-fixture.ts'
import { type Sent, send } from './traffic.ts'

const missing = tracingMissing()
const params = { project: 'default-project' }

describe.skipIf(missing !== null)('while every fsync fails', () => {
  let pollux: Pollux
  beforeAll(async () => {
    pollux = await startPollux()
    const query = { budgetId: 'total' } as const
    await pollux.client.call(PROJECT_BUDGETS_V1.createBudget, { params, query, body: { cap: '900000000' } })
  })
  afterAll(() => pollux.stop())

  test('nothing is acknowledged; then the database is opened anew and checked, and all that was acknowledged is there, once', async () => {
    const keyString = pollux.firstKeyString ?? ''
    const good: string[] = []
    const call = async (): Promise<Sent | null> => {
      const sent = await send(pollux.origin, { keyString }).catch(() => null)
      if (sent?.status === 200) good.push(sent.requestId)
      return sent
    }
    await Promise.all(Array.from({ length: 20 }, call))
    expect(good).toHaveLength(20)
    const disk = await failFsync(pollux.process.pid ?? 0)
    // This one finds out, and is held back; those after it are not let in.
    const held = call()
    await delay(500)
    while ((await call())?.reason !== 'STORAGE_UNAVAILABLE') await delay(20)
    const change = pollux.client.call(POLLUX_V1.createKey, { params, query: { keyId: 'unsaid' }, body: {} })
    const refusal: unknown = await change.catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(ContractError)
    expect((refusal as ContractError).httpStatus).toBe(503)
    expect((await fetch(`${pollux.origin}/readyz`)).status).toBe(503)
    await delay(500)
    expect(good).toHaveLength(20)
    const seen = await disk.mend()
    while ((await call())?.status !== 200) await delay(20)
    expect((await held)?.status).toBe(200)

    const failed = seen.findIndex(line => line.includes('EIO'))
    expect(failed).toBeGreaterThan(-1)
    expect(seen.slice(failed).some(line => /openat\(.*pollux\.sqlite"/.test(line))).toBe(true)
    await expectAllRecorded(good)
    await pollux.kill('SIGKILL')
    pollux = await startPollux({ dataDir: pollux.dataDir })
    await expectAllRecorded(good)
  }, 120_000)

  async function expectAllRecorded(good: readonly string[]): Promise<void> {
    const { drifts, overruns } = await pollux.client.call(LEDGER_V1.verifyLedger, { body: {} })
    expect([drifts, overruns]).toEqual([[], 0])
    const recorded = readRecords(pollux.dataDir).map(({ call_id }) => call_id)
    expect(new Set(recorded).size).toBe(recorded.length)
    expect(good.filter(callId => !recorded.includes(callId))).toEqual([])
    const database = new DatabaseSync(join(pollux.dataDir, 'pollux.sqlite'), { readOnly: true })
    expect(database.prepare('pragma integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
    database.close()
  }
})

test.skipIf(missing !== null)(
  'a journal whose fsync failed says so, goes on in another file, and is never taken for whole again',
  async () => {
    const dataDir = freshFolder()
    const module = new URL('../src/storage/journal.ts', import.meta.url).href
    const encoder = new URL('../src/storage/record-row.ts', import.meta.url).href
    const record = usageRecord()
    const [before, after] = [holdOf(record, []), holdOf(usageRecord(), [])]
    const told = runFailingFirstFsync(`
      const { Journal } = await import(${JSON.stringify(module)})
      const { encodeRecord } = await import(${JSON.stringify(encoder)})
      const journal = new Journal(${JSON.stringify(dataDir)})
      const keep = () => {
        try { journal.keep([encodeRecord(${JSON.stringify(record)})]); return 'kept' } catch (error) { return error.reason }
      }
      await journal.append(${JSON.stringify(before)})
      const first = keep()
      await journal.append(${JSON.stringify(after)})
      console.log(first, keep())
      journal.close()`)
    expect(told).toBe('STORAGE_UNAVAILABLE kept')
    const { segments, holds, isWhole } = readJournal(dataDir)
    expect([segments, [...holds.keys()]]).toEqual([
      [1, 2],
      [before.callId, after.callId],
    ])
    expect(isWhole).toBe(false)
    await rm(dataDir, { recursive: true })
  },
)
