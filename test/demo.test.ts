/** `pollux start --demo`: a month to look at whose books are right, and which is never mixed with anything else. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { AUDIT_V1 } from '../src/contract/audit.v1.ts'
import { LEDGER_V1 } from '../src/contract/budgets.v1.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { QUOTAS_V1 } from '../src/contract/quotas.v1.ts'
import { SERVER_V1 } from '../src/contract/server.v1.ts'
import { DEFAULT_TIME_ZONE, periodWindow } from '../src/domain/period.ts'
import { type Pollux, startPollux } from './pollux.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

describe('a demo', () => {
  let pollux: Pollux

  beforeAll(async () => {
    pollux = await startPollux({ args: ['--demo'] })
  }, 120_000)
  afterAll(() => pollux?.stop())

  test('says that it is one, and gives nobody a way in but a link of one use', async () => {
    expect(await pollux.client.call(SERVER_V1.getServer, {})).toMatchObject({
      demo: true,
      upstream: 'SANDBOX',
    })
    expect(pollux.output()).toContain('This is a demo')
    expect(pollux.output()).toMatch(/\/invite#plx_link_\w{36}\n/)
  })

  test('its ledger and its audit trail are whole', async () => {
    const ledger = await pollux.client.call(LEDGER_V1.verifyLedger, {})
    expect(ledger).toMatchObject({ drifts: [] })
    expect(ledger.rowsChecked).toBeGreaterThan(10)
    // Calls are charged one by one since the day of budgets began: just after that there may be none.
    const { startMs } = periodWindow('day', DEFAULT_TIME_ZONE, Date.now())
    if (Date.now() - startMs > 2 * HOUR_MS) expect(ledger.recordsChecked).toBeGreaterThan(0)
    expect(await pollux.client.call(AUDIT_V1.verifyAudit, {})).toMatchObject({ problems: [] })
  })

  test('has a month of calls that ends today, with errors and several models', async () => {
    const { rows } = await pollux.client.call(POLLUX_V1.searchUsage, {
      query: {
        startTime: new Date(Date.now() - 30 * DAY_MS).toISOString(),
        granularity: 'day',
        groupBy: ['time', 'model'],
      },
    })
    const days = new Set(rows.map(({ time }) => time?.slice(0, 10)))
    expect(days.size).toBeGreaterThanOrEqual(30)
    expect(days).toContain(new Date(Date.now() - 3_600_000).toISOString().slice(0, 10))
    expect(new Set(rows.map(({ model }) => model)).size).toBeGreaterThan(5)
    const sum = (of: (row: (typeof rows)[number]) => number) =>
      rows.reduce((total, row) => total + of(row), 0)
    expect(sum(({ calls }) => calls)).toBeGreaterThan(10_000)
    expect(sum(({ errors }) => errors)).toBeGreaterThan(100)
    expect(sum(({ imageTokens }) => imageTokens)).toBeGreaterThan(0)
    expect(sum(({ unpriced }) => unpriced)).toBe(0)
  })

  test('has keys that were made after their projects and before their first call', async () => {
    const query = { showDeleted: true, pageSize: 300 }
    const { keys = [] } = await pollux.client.call(POLLUX_V1.searchKeys, { query })
    const { projects = [] } = await pollux.client.call(POLLUX_V1.listProjects, { query })
    const { rows } = await pollux.client.call(POLLUX_V1.searchUsage, {
      query: {
        startTime: new Date(Date.now() - 120 * DAY_MS).toISOString(),
        granularity: 'day',
        groupBy: ['key', 'time'],
        limit: 50,
      },
    })
    const called = keys.filter(({ lastUsedTime }) => lastUsedTime !== undefined)
    expect(called.length).toBeGreaterThan(10)
    for (const { name, uid, createTime } of called) {
      const project = projects.find(project => name.startsWith(`${project.name}/`))
      expect(Date.parse(project?.createTime ?? '')).toBeLessThan(Date.parse(createTime))
      const days = rows.flatMap(row => (row.keyUid === uid ? [Date.parse(row.time ?? '')] : []))
      expect(Date.parse(createTime)).toBeLessThan(Math.min(...days) + DAY_MS)
    }
  })

  test('has keys in every state, and budgets with room, nearly used and used up', async () => {
    const { keys = [] } = await pollux.client.call(POLLUX_V1.searchKeys, {
      query: { showDeleted: true, pageSize: 300 },
    })
    expect(new Set(keys.map(({ state }) => state))).toEqual(
      new Set(['ACTIVE', 'DISABLED', 'EXPIRED', 'DELETED']),
    )
    const { budgets } = await pollux.client.call(LEDGER_V1.searchBudgets, { query: {} })
    const used = budgets.map(({ cap, posted }) => Number(posted) / Number(cap))
    expect(used.filter(share => share >= 1)).toHaveLength(1)
    expect(used.some(share => share > 0.9 && share < 1)).toBe(true)
    const { capHits } = await pollux.client.call(LEDGER_V1.searchCapHits, { query: {} })
    expect(capHits.map(({ calls }) => calls).toSorted((one, other) => one - other)).toEqual([41, 96, 318])
    const refusals = await pollux.client.call(QUOTAS_V1.getQuotaRefusals, {
      params: { project: 'research' },
      query: {},
    })
    expect(refusals.refusals.length).toBeGreaterThan(1)
  })

  test('is found again by the next start, and nothing is added', async () => {
    const count = async ({ client }: Pollux) => {
      const { rows } = await client.call(POLLUX_V1.searchUsage, {
        query: {
          startTime: new Date(Date.now() - 90 * DAY_MS).toISOString(),
          granularity: 'day',
          groupBy: [],
        },
      })
      const { projects = [] } = await client.call(POLLUX_V1.listProjects, { query: { showDeleted: true } })
      return { calls: rows[0]?.calls, projects: projects.map(({ name }) => name) }
    }
    const before = await count(pollux)
    await pollux.kill('SIGTERM')
    pollux = await startPollux({ args: ['--demo'], dataDir: pollux.dataDir })
    expect(await count(pollux)).toEqual(before)
    expect(pollux.output()).not.toContain('plx_link_')
    expect(await pollux.client.call(LEDGER_V1.verifyLedger, {})).toMatchObject({ drifts: [] })
  }, 120_000)
})

describe('a demo is refused', () => {
  const refusalOf = (env: Readonly<Record<string, string>>, args: readonly string[] = []) =>
    new Promise<{ readonly code: unknown; readonly stderr: string }>(resolve => {
      const file = join(import.meta.dirname, '..', 'bin', 'pollux')
      const options = { env: { PATH: process.env['PATH'], POLLUX_PORT: '0', ...env }, timeout: 60_000 }
      execFile(file, ['start', '--demo', ...args], options, (error, _stdout, stderr) =>
        resolve({ code: error?.code ?? 0, stderr }),
      )
    })
  let folder: string

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pollux-test-'))
    await writeFile(join(folder, 'pollux.sqlite'), '')
  })
  afterAll(() => rm(folder, { recursive: true }))

  test('in a folder that holds something else', async () => {
    const { code, stderr } = await refusalOf({ POLLUX_DATA_DIR: folder })
    expect([code, stderr]).toEqual([1, expect.stringContaining('holds something else than a demo')])
  })

  test('in the folder of a demo that is not whole', async () => {
    const half = await mkdtemp(join(tmpdir(), 'pollux-test-'))
    await writeFile(join(half, 'demo'), 'unfinished\n')
    const { code, stderr } = await refusalOf({ POLLUX_DATA_DIR: half })
    await rm(half, { recursive: true })
    expect([code, stderr]).toEqual([1, expect.stringContaining('is not whole')])
  })

  test.each([
    ['with a real key', { GEMINI_API_KEY: 'not-a-real-key' }, 'GEMINI_API_KEY is set'],
    [
      'on a PostgreSQL database',
      { POLLUX_DATABASE_URL: 'postgres://nowhere/x' },
      'POLLUX_DATABASE_URL is set',
    ],
    ['with counters that others share', { POLLUX_REDIS_URL: 'redis://nowhere' }, 'POLLUX_REDIS_URL is set'],
  ])('%s', async (_case, env, message) => {
    const { code, stderr } = await refusalOf(env)
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
  })

  test('as several processes', async () => {
    const { code, stderr } = await refusalOf({}, ['--nodes', '2'])
    expect([code, stderr]).toEqual([2, expect.stringContaining('--demo is one process')])
  })
})
