/** A clock that is set back while Pollux runs on SQLite, where no database has another. */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { SERVER_V1 } from '../src/contract/server.v1.ts'
import { startPollux } from './pollux.ts'
import { send } from './traffic.ts'

test('what has expired stays expired: nothing is served until the clock is right, or Pollux is started again', async () => {
  const NODE_OPTIONS = `--import=${join(import.meta.dirname, 'moved-clock.ts')}`
  const pollux = await startPollux({ env: { NODE_OPTIONS } })
  onTestFinished(() => pollux.stop())
  const { keyString = '' } = await pollux.client.call(POLLUX_V1.createKey, {
    params: { project: 'default-project' },
    query: { keyId: 'short' },
    body: { expireTime: new Date(Date.now() + 1_500).toISOString() },
  })
  const call = async () => {
    const { status, reason, text, headers } = await send(pollux.origin, { keyString })
    return [status, reason, /API key expired/.test(text), headers['retry-after']]
  }
  const [expired, refused] = [
    [400, 'API_KEY_INVALID', true, undefined],
    [503, 'CLOCK_WRONG', false, '1'],
  ]
  const ready = async (): Promise<number> => (await fetch(`${pollux.origin}/readyz`)).status
  const modes = async () => (await pollux.client.call(SERVER_V1.getServer, {})).degradedModes
  while ((await call())[0] === 200) await delay(50)
  expect([await call(), await ready(), await modes()]).toEqual([expired, 200, []])

  pollux.process.kill('SIGUSR2')
  await expect.poll(call).not.toEqual(expired)
  expect([await call(), await ready(), await modes()]).toEqual([refused, 503, ['clock']])
  expect(await pollux.client.call(POLLUX_V1.getMetrics, {})).toMatch(/^pollux_clock_skew_seconds -3[56]\d\d/m)

  pollux.process.kill('SIGUSR2')
  await expect.poll(call).not.toEqual(refused)
  expect([await call(), await ready(), await modes()]).toEqual([expired, 200, []])
}, 60_000)
