/** Calls that are answered 429, as their operator can count them afterwards. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { KEY_QUOTAS_V1, PROJECT_QUOTAS_V1, QUOTAS_V1 } from '../src/contract/quotas.v1.ts'
import { run as runCli } from './command-line.ts'
import { ADMIN_TOKEN, type Pollux, startPollux } from './pollux.ts'

const MODEL = 'gemini-3.8-flash'
const OTHER_MODEL = 'gemini-2.5-pro'

let pollux: Pollux
beforeAll(async () => {
  pollux = await startPollux()
})
afterAll(() => pollux.stop())

async function makeKey(project: string): Promise<string> {
  await pollux.client.call(POLLUX_V1.createProject, { body: { projectId: project } })
  const query = { keyId: 'web' }
  const key = await pollux.client.call(POLLUX_V1.createKey, { params: { project }, query, body: {} })
  return key.keyString ?? ''
}

async function statusOf(keyString: string, model: string): Promise<number> {
  const response = await fetch(`${pollux.origin}/v1beta/models/${model}:generateContent`, {
    method: 'POST',
    headers: { 'x-goog-api-key': keyString, 'content-type': 'application/json' },
    body: JSON.stringify({ contents: [{ parts: [{ text: 'hello' }] }] }),
  })
  await response.arrayBuffer()
  return response.status
}

test('refused calls are counted by what refused them, for their project alone', async () => {
  const params = { project: 'limited-shop', key: 'web' }
  const keyString = await makeKey(params.project)
  await makeKey('idle-project')
  const ofProject = { metric: 'requestsPerDay', model: '*', value: '1' } as const
  await pollux.client.call(PROJECT_QUOTAS_V1.setQuotaLimit, { params, body: ofProject })
  const ofKey = { metric: 'concurrentCalls', model: OTHER_MODEL, value: '0' } as const
  await pollux.client.call(KEY_QUOTAS_V1.setQuotaLimit, { params, body: ofKey })
  const statuses: number[] = []
  for (const model of [MODEL, MODEL, MODEL, MODEL, OTHER_MODEL, 'sandbox-429'])
    statuses.push(await statusOf(keyString, model))
  expect(statuses).toEqual([200, 429, 429, 429, 429, 429])
  const { refusals } = await pollux.client.call(QUOTAS_V1.getQuotaRefusals, { params, query: {} })
  const ours = { reason: 'RATE_LIMIT_EXCEEDED', key: 'web' }
  expect(refusals).toHaveLength(3)
  expect(refusals[0]).toMatchObject({
    ...ours,
    scope: 'project',
    metric: 'requestsPerDay',
    model: MODEL,
    calls: 3,
  })
  expect(refusals).toContainEqual(
    expect.objectContaining({
      ...ours,
      scope: 'key',
      metric: 'concurrentCalls',
      model: OTHER_MODEL,
      calls: 1,
    }),
  )
  expect(refusals).toContainEqual(
    expect.objectContaining({ reason: 'UPSTREAM', model: 'sandbox-429', key: 'web', calls: 1 }),
  )
  const args = ['quotas', 'refusals', '--project', params.project]
  const { out } = await runCli({ url: pollux.origin, token: ADMIN_TOKEN }, args)
  expect(out).toMatch(/RATE_LIMIT_EXCEEDED \(project\) +requestsPerDay +gemini-3\.8-flash +web +3/)
  const idle = await pollux.client.call(QUOTAS_V1.getQuotaRefusals, {
    params: { project: 'idle-project' },
    query: {},
  })
  expect(idle.refusals).toEqual([])
}, 60_000)
