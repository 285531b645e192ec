import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { PROJECT_QUOTAS_V1 } from '../src/contract/quotas.v1.ts'
import { SERVER_V1 } from '../src/contract/server.v1.ts'
import { degradedModesTable } from '../src/domain/degraded-mode.ts'
import { ceiling } from './ceiling.ts'
import { startPollux } from './pollux.ts'
import { startRedis } from './redis.ts'
import { send } from './traffic.ts'

const REDIS = await startRedis()

test('docs/operations.md has the table of degraded modes as the program has it', () => {
  const page = readFileSync(join(import.meta.dirname, '..', 'docs', 'operations.md'), 'utf8')
  expect(page).toContain(degradedModesTable())
})

test.skipIf('skip' in REDIS)(
  'rate limits that are not enforced are told of, for as long as they are not',
  async () => {
    if ('skip' in REDIS) return
    onTestFinished(() => REDIS.stop())
    const pollux = await startPollux({ env: { POLLUX_REDIS_URL: REDIS.url } })
    onTestFinished(() => pollux.stop())
    const keyString = pollux.firstKeyString ?? ''
    const params = { project: 'default-project' }
    const body = { metric: 'requestsPerDay', value: '0' } as const
    await pollux.client.call(PROJECT_QUOTAS_V1.setQuotaLimit, { params, body })
    const status = async (): Promise<number> => (await send(pollux.origin, { keyString })).status
    const told = async () => {
      const { degradedModes } = await pollux.client.call(SERVER_V1.getServer, {})
      const metrics = await pollux.client.call(POLLUX_V1.getMetrics, {})
      return [degradedModes, /^pollux_degraded\{mode="quota"\} (\d)/m.exec(metrics)?.[1]]
    }
    const within = { timeout: ceiling(30_000), interval: 250 }
    await expect.poll(told, within).toEqual([[], '0'])
    expect(await status()).toBe(429)
    REDIS.freeze()
    try {
      expect(await status()).toBe(200)
      expect(await told()).toEqual([['quota'], '1'])
    } finally {
      REDIS.thaw()
    }
    await expect.poll(status, within).toBe(429)
    await expect.poll(told, within).toEqual([[], '0'])
    await REDIS.end()
    await expect.poll(told, within).toEqual([['quota'], '1'])
  },
  120_000,
)
