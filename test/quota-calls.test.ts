/** Rate limits as callers meet them: a whole Pollux, the official client, and the management of it all. */
import { createRequire } from 'node:module'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { KEY_QUOTAS_V1, PROJECT_QUOTAS_V1, QUOTAS_V1, TIERS_V1 } from '../src/contract/quotas.v1.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import type { QuotaMetric } from '../src/domain/quota.ts'
import { rateWindow } from '../src/domain/quota-window.ts'
import { run as runCli } from './command-line.ts'
import { ADMIN_TOKEN, type Pollux, startPollux } from './pollux.ts'

const load = createRequire(new URL('clients/package.json', import.meta.url))
const { GoogleGenAI } = load('@google/genai')
const ZONE = 'America/Los_Angeles'
const MODEL = 'gemini-3.8-flash'

let pollux: Pollux
beforeAll(async () => {
  pollux = await startPollux()
})
afterAll(() => pollux.stop())

let projects = 0
let project = ''
let keyString = ''
beforeEach(async () => {
  const { endMs } = rateWindow('minute', ZONE, Date.now())
  // What a test counts belongs to one minute.
  if (endMs - Date.now() < 15_000) await delay(endMs - Date.now() + 50)
  project = `quota-project-${++projects}`
  await pollux.client.call(POLLUX_V1.createProject, { body: { projectId: project } })
  const key = await pollux.client.call(POLLUX_V1.createKey, {
    params: { project },
    query: { keyId: 'web' },
    body: {},
  })
  keyString = key.keyString ?? ''
}, 60_000)

function limit(metric: QuotaMetric, value: number, model?: string) {
  const body = { metric, value: String(value), ...(model === undefined ? {} : { model }) }
  return pollux.client.call(PROJECT_QUOTAS_V1.setQuotaLimit, { params: { project }, body })
}

interface Answer {
  readonly status: number
  readonly headers: Headers
  // oxlint-disable-next-line typescript/no-explicit-any -- bodies are compared, not used
  readonly json: any
}

async function generate(text = 'hello', model = MODEL): Promise<Answer> {
  const response = await fetch(`${pollux.origin}/v1beta/models/${model}:generateContent`, {
    method: 'POST',
    headers: { 'x-goog-api-key': keyString, 'content-type': 'application/json' },
    body: JSON.stringify({ contents: [{ parts: [{ text }] }], generationConfig: { maxOutputTokens: 20 } }),
  })
  return { status: response.status, headers: response.headers, json: await response.json() }
}

const usage = async () =>
  (await pollux.client.call(QUOTAS_V1.getQuotaUsage, { params: { project } })).counters

describe('a limit', () => {
  it('per minute refuses in Google’s words with the seconds to wait, in body and header', async () => {
    await limit('requestsPerMinute', 1, '*')
    expect((await generate()).status).toBe(200)
    const { status, headers, json } = await generate()
    expect(status).toBe(429)
    expect(json.error).toMatchObject({ code: 429, status: 'RESOURCE_EXHAUSTED' })
    const [help, failure, retry] = json.error.details
    expect(help['@type']).toBe('type.googleapis.com/google.rpc.Help')
    expect(failure).toEqual({
      '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
      violations: [
        {
          quotaMetric: 'generativelanguage.googleapis.com/generate_content_requests',
          quotaId: 'GenerateRequestsPerMinutePerProjectPerModel',
          quotaDimensions: { location: 'global', model: MODEL },
          quotaValue: '1',
        },
      ],
    })
    const seconds = Number(/^(\d+)s$/.exec(retry.retryDelay)?.[1])
    expect(seconds).toBeGreaterThan(0)
    expect(seconds).toBeLessThanOrEqual(60)
    expect(headers.get('retry-after')).toBe(String(seconds))
    expect(json.error.message).toMatch(
      /\n\* Quota exceeded for metric: .*, limit: 1, model: .*\nPlease retry in [\d.]+s\.$/,
    )
    expect((await generate('hello', 'gemini-2.5-pro')).status).toBe(200)
  })

  it('per day tells of midnight in the body, and no client to sleep or to try again', async () => {
    await limit('requestsPerDay', 0)
    await limit('requestsPerDay', 1)
    await generate()
    const { status, headers, json } = await generate()
    expect(status).toBe(429)
    const [, failure, retry] = json.error.details
    expect(failure.violations[0].quotaId).toBe('GenerateRequestsPerDayPerProject')
    const waitMs = rateWindow('day', ZONE, Date.now()).endMs - Date.now()
    expect(Math.abs(Number.parseInt(retry.retryDelay, 10) - waitMs / 1_000)).toBeLessThan(5)
    if (waitMs > 60_000) {
      expect(headers.get('retry-after')).toBeNull()
      expect(headers.get('x-should-retry')).toBe('false')
    }
    expect(json.error.message).not.toContain('Please retry in')
  })

  it('of nothing says that waiting does not help', async () => {
    await limit('requestsPerMinute', 0, MODEL)
    const { headers, json } = await generate()
    expect(json.error.message).toContain('limit: 0,')
    expect(json.error.details[2].retryDelay).toBe('86400s')
    expect([headers.get('retry-after'), headers.get('x-should-retry')]).toEqual([null, 'false'])
  })

  it('reaches the official client as an error it can read', async () => {
    await limit('requestsPerMinute', 0)
    const client = new GoogleGenAI({ apiKey: keyString, httpOptions: { baseUrl: pollux.origin } })
    const request = { model: MODEL, contents: 'hello' }
    const error = await client.models.generateContent(request).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'ApiError', status: 429 })
    expect(JSON.parse(error.message).error.details[1].violations[0].quotaValue).toBe('0')
    const streamed = await client.models.generateContentStream(request).catch((thrown: unknown) => thrown)
    expect(streamed).toMatchObject({ name: 'ApiError', status: 429 })
  })

  it('of tokens is charged at the bound and corrected to what the reply says', async () => {
    await limit('inputTokensPerMinute', 5_000)
    const { json } = await generate('one two three')
    const [counter] = await usage()
    expect(counter).toMatchObject({ metric: 'inputTokensPerMinute', limit: '5000' })
    expect(counter?.used).toBe(String(json.usageMetadata.promptTokenCount))
  })

  it('of tokens lets a prompt through whose bytes, but not its tokens, are above it', async () => {
    await limit('inputTokensPerMinute', 4_000)
    const text = 'international '.repeat(500)
    const { status, json } = await generate(text)
    expect([status, json.error?.message]).toEqual([200, undefined])
    expect(json.usageMetadata.promptTokenCount).toBeLessThanOrEqual(4_000)
    const tooMuch = await generate('international '.repeat(3_000))
    expect(tooMuch.status).toBe(429)
    expect(tooMuch.json.error.message).toContain('waiting does not help')
    // What gemini-cli stops for, and what keeps every other client from sleeping (gemini-wire 3.5).
    expect(Number.parseInt(tooMuch.json.error.details[2].retryDelay, 10)).toBeGreaterThan(300)
    expect(tooMuch.json.error.message).not.toContain('Please retry in')
    expect([tooMuch.headers.get('retry-after'), tooMuch.headers.get('x-should-retry')]).toEqual([
      null,
      'false',
    ])
  })

  it('of a key binds that key; calls that are refused for money take nothing', async () => {
    const params = { project, key: 'web' }
    const body = { metric: 'requestsPerMinute' as const, value: '2' }
    await pollux.client.call(KEY_QUOTAS_V1.setQuotaLimit, { params, body })
    const budget = `${pollux.origin}/pollux/v1/projects/${project}/budgets?budgetId=month`
    const authorization = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' }
    await fetch(budget, { method: 'POST', headers: authorization, body: '{"cap":"0"}' })
    for (let call = 0; call < 4; call++) expect((await generate()).status).toBe(402)
    expect((await usage())[0]).toMatchObject({ scope: 'key', key: 'web', used: '0' })
  })

  it('of calls at a time is free again when the call is over', async () => {
    await limit('concurrentCalls', 1)
    for (let call = 0; call < 3; call++) expect((await generate()).status).toBe(200)
    expect((await usage()).map(({ used }) => used)).toEqual(['0'])
  })
})

describe('a tier', () => {
  it('limits its projects under its own name, and their own limits replace its', async () => {
    const updateProject = (tier: string) =>
      pollux.client.call(POLLUX_V1.updateProject, { params: { project }, query: {}, body: { tier } })
    expect((await updateProject('free')).tier).toBe('free')
    const { json } = await generate('hello', 'gemini-2.5-pro')
    expect(json.error.details[1].violations.map(({ quotaId }: { quotaId: string }) => quotaId)).toEqual([
      'GenerateRequestsPerMinutePerProjectPerModel-FreeTier',
      'GenerateContentInputTokensPerModelPerMinute-FreeTier',
      'GenerateRequestsPerDayPerProjectPerModel-FreeTier',
    ])
    expect(json.error.message).toContain('generate_content_free_tier_requests, limit: 0')
    for (const metric of ['requestsPerMinute', 'inputTokensPerMinute', 'requestsPerDay'] as const) {
      await limit(metric, -1, 'gemini-2.5-pro')
    }
    expect((await generate('hello', 'gemini-2.5-pro')).status).toBe(200)
    await expect(updateProject('nonesuch')).rejects.toMatchObject({ reason: 'RESOURCE_NOT_FOUND' })
    expect((await updateProject('')).tier).toBeUndefined()
  })

  it('that loses a model refuses it from the next call on, and cannot go while it is used', async () => {
    const params = { tier: 'interns' }
    const set = (body: object) =>
      pollux.client.call(TIERS_V1.updateTier, { params, query: { allowMissing: true }, body })
    await set({ limits: [{ metric: 'requestsPerMinute', model: '*', value: '5' }] })
    await pollux.client.call(POLLUX_V1.updateProject, {
      params: { project },
      query: {},
      body: { tier: 'interns' },
    })
    expect((await generate()).status).toBe(200)
    await set({ allowedModels: ['gemini-3.7-*'] })
    const refused = await generate()
    expect([refused.status, refused.json.error.details[0].reason]).toEqual([403, 'API_KEY_MODEL_BLOCKED'])
    const tested = await pollux.client.call(POLLUX_V1.testKey, {
      params: { project, key: 'web' },
      body: { model: MODEL },
    })
    expect(tested.allowed).toBe(false)
    const remove = () => pollux.client.call(TIERS_V1.deleteTier, { params, query: {} })
    await expect(remove()).rejects.toMatchObject({ reason: 'STATE_CONFLICT' })
    await pollux.client.call(POLLUX_V1.updateProject, { params: { project }, query: {}, body: { tier: '' } })
    expect((await generate()).status).toBe(200)
    expect(await remove()).toEqual({})
  })
})

it('the command line sets, lists, shows and removes', async () => {
  const run = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await runCli({ url: pollux.origin, token: ADMIN_TOKEN }, args)
    expect([code, err]).toEqual([0, expect.not.stringContaining('error')])
    return out
  }
  await run('tiers', 'set', 'team', '--limit', 'requestsPerMinute:*=7', '--limit', 'concurrentCalls=2')
  await run('projects', 'update', project, '--tier', 'team')
  await run('quotas', 'set', '-p', project, '--key', 'web', '--metric', 'requestsPerDay', '--value', '9')
  await generate()
  expect(await run('quotas', 'list', '-p', project)).toMatch(
    /tier team +requestsPerMinute +each model +7\n.*tier team +concurrentCalls +all models together +2\n.*key web +requestsPerDay +all models together +9/,
  )
  expect(await run('quotas', 'usage', '-p', project)).toMatch(
    /project +requestsPerMinute +gemini-3\.8-flash +1 +7/,
  )
  await run('quotas', 'unset', '-p', project, '--key', 'web', '--metric', 'requestsPerDay')
  expect(JSON.parse(await run('quotas', 'list', '-p', project, '--json')).limits).toHaveLength(2)
  expect(await run('tiers', 'show', 'free')).toContain('as of 2026-11-21')
  expect(await run('tiers', 'list')).toMatch(/team +2 +own/)
}, 60_000)
