/** Prices where they are used: a running Pollux before an upstream that sings and speaks. */
import { writeFile, mkdtemp, rm } from 'node:fs/promises'
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PROJECT_BUDGETS_V1 } from '../src/contract/budgets.v1.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { PRICES_V1 } from '../src/contract/prices.v1.ts'
import { type Pollux, startPollux } from './pollux.ts'

const AUDIO = { inlineData: { mimeType: 'audio/mpeg', data: 'AAAA' } }
const REPLIES: Readonly<Record<string, object>> = {
  'lyria-3.5': {
    candidates: [{ content: { parts: [{ text: 'la' }, AUDIO] }, finishReason: 'STOP' }],
    usageMetadata: { promptTokenCount: 9, totalTokenCount: 9 },
  },
  'gemini-3.1-flash-tts-preview': {
    candidates: [{ content: { parts: [AUDIO] }, finishReason: 'STOP' }],
    usageMetadata: {
      promptTokenCount: 10,
      candidatesTokenCount: 100,
      candidatesTokensDetails: [{ modality: 'AUDIO', tokenCount: 100 }],
      totalTokenCount: 110,
    },
  },
  'gemini-3-pro-image': {
    candidates: [{ content: { parts: [{ inlineData: { mimeType: 'image/png', data: 'AAAA' } }] } }],
    usageMetadata: {
      promptTokenCount: 10,
      candidatesTokenCount: 1_120,
      candidatesTokensDetails: [{ modality: 'IMAGE', tokenCount: 1_120 }],
      totalTokenCount: 1_130,
    },
  },
}
const PLAIN = {
  candidates: [{ content: { parts: [{ text: 'hi' }] }, finishReason: 'STOP' }],
  usageMetadata: { promptTokenCount: 1_000, candidatesTokenCount: 100, totalTokenCount: 1_100 },
}

let upstream: Server
let pollux: Pollux
let folder = ''
let keyString = ''
const env = (): Record<string, string> => ({
  GEMINI_API_KEY: 'upstream-credential-of-the-test',
  POLLUX_GEMINI_BASE_URL: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
})

beforeAll(async () => {
  upstream = createServer((request, response) => {
    request.resume().on('end', () => {
      const model = /models\/([^:]+):/.exec(request.url ?? '')?.[1] ?? ''
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(REPLIES[model] ?? PLAIN))
    })
  })
  await new Promise<void>(resolve => upstream.listen(0, '127.0.0.1', resolve))
  folder = await mkdtemp(join(tmpdir(), 'pollux-prices-'))
  const file = join(folder, 'prices.json')
  const rows = [{ model: 'gemini-2.5-flash', effectiveFrom: null, input: { text: 1 }, output: { text: 5 } }]
  await writeFile(file, JSON.stringify(rows))
  pollux = await startPollux({ env: { ...env(), POLLUX_PRICES_FILE: file } })
  await pollux.client.call(POLLUX_V1.createProject, { body: { projectId: 'priced' } })
  const key = await pollux.client.call(POLLUX_V1.createKey, { params: { project: 'priced' }, body: {} })
  keyString = key.keyString ?? ''
  await pollux.client.call(PROJECT_BUDGETS_V1.updateBudget, {
    params: { project: 'priced', budget: 'total' },
    query: { allowMissing: true },
    body: { cap: String(100e9), policy: 'clamp' },
  })
}, 60_000)
afterAll(async () => {
  await pollux.stop()
  upstream.close()
  await rm(folder, { recursive: true, force: true })
})

async function generate(model: string, body: object = {}): Promise<Response> {
  return await fetch(`${pollux.origin}/v1beta/models/${model}:generateContent`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-goog-api-key': keyString },
    body: JSON.stringify({ contents: [{ parts: [{ text: 'sing' }] }], ...body }),
  })
}

async function spentOn(model: string): Promise<string | undefined> {
  const report = await pollux.client.call(POLLUX_V1.getUsage, {
    params: { project: 'priced' },
    query: { groupBy: ['model'] },
  })
  return report.rows.find(row => row.model === model)?.costNanos
}

const posted = async (): Promise<number> => {
  const params = { project: 'priced', budget: 'total' }
  return Number((await pollux.client.call(PROJECT_BUDGETS_V1.getBudget, { params })).posted)
}

describe('under a budget', () => {
  test.each([
    ['lyria-3.5', 80_000_000],
    ['gemini-3.1-flash-tts-preview', 10 * 1_000 + 100 * 20_000],
    ['gemini-3-pro-image', 10 * 2_000 + 1_120 * 120_000],
    ['gemini-2.5-flash', 1_000 * 1_000 + 100 * 5_000],
  ])('%s is let in, and posts exactly what it cost', async (model, nanos) => {
    const before = await posted()
    expect((await generate(model)).status).toBe(200)
    expect(await spentOn(model)).toBe(String(nanos))
    expect((await posted()) - before).toBe(nanos)
  })

  test.each([
    ['only text was asked for', { generationConfig: { responseModalities: ['TEXT'] } }, 100 * 3_000],
    ['what the model answers with unasked may be pictures', {}, 100 * 60_000],
  ])('tokens that are not told are charged the dearest way: %s', async (_, body, nanos) => {
    const before = await posted()
    expect((await generate('gemini-3.1-flash-image', body)).status).toBe(200)
    expect((await posted()) - before).toBe(1_000 * 500 + nanos)
  })

  test.each(['gemini-3.5-transcribe', 'veo-3.1-generate-preview', 'gemini-decision-1'])(
    '%s is refused: no price says what a call costs',
    async model => {
      const response = await generate(model)
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({
        error: { details: [{ reason: 'MODEL_UNPRICED' }] },
      })
    },
  )
})

test('a price that is set charges the next call, and removed no further one', async () => {
  const model = 'gemini-3.5-flash-lite'
  const costs: number[] = []
  const call = async (): Promise<void> => {
    const before = await posted()
    expect((await generate(model)).status).toBe(200)
    costs.push((await posted()) - before)
  }
  await call()
  const { name } = await pollux.client.call(PRICES_V1.createPriceOverride, {
    body: { model, price: { input: { text: 2 }, output: { text: 10 } } },
  })
  await call()
  const priceOverride = name.split('/')[1] ?? ''
  await pollux.client.call(PRICES_V1.deletePriceOverride, { params: { priceOverride } })
  await call()
  const listed = 1_000 * 300 + 100 * 2_500
  expect(costs).toEqual([listed, 1_000 * 2_000 + 100 * 10_000, listed])
})

test('a prices file that cannot be used stops the start, and says what is wrong where', async () => {
  const file = join(folder, 'bad.json')
  await writeFile(file, JSON.stringify([{ model: 'm', effectiveFrom: null, input: { smell: 1 } }]))
  const start = startPollux({ env: { ...env(), POLLUX_PRICES_FILE: file } })
  await expect(start).rejects.toThrow(/prices file .*bad\.json cannot be used[^]*smell/)
}, 60_000)
