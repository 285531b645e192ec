/** A project that calls faster than it may, and a tier of the operator's own: what the screens of limits show. */
import type { Page } from 'playwright-core'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { KEY_QUOTAS_V1, PROJECT_QUOTAS_V1, TIERS_V1 } from '../src/contract/quotas.v1.ts'
import type { Pollux } from './pollux.ts'

const LIMITED = 'batch-jobs'
const KEY = 'indexer'

export const LIMIT_SCREENS = [
  { name: 'limits', path: `/limits?project=${LIMITED}` },
  { name: 'limits-empty', path: '/limits?project=research' },
  {
    name: 'set-limit',
    path: `/limits?project=${LIMITED}`,
    prepare: async (page: Page) => {
      await page.getByRole('button', { name: 'Set a limit' }).first().click()
      await page.getByRole('dialog').waitFor()
    },
  },
  { name: 'tiers', path: '/limits/tiers' },
  { name: 'tier-published', path: '/limits/tiers/free' },
  { name: 'tier', path: '/limits/tiers/interns' },
  { name: 'new-tier', path: '/limits/tiers/new?from=free' },
] as const

/** Makes the project, and the calls of which some are refused. */
export async function addLimits({ client, origin }: Pollux): Promise<void> {
  const params = { project: LIMITED, key: KEY }
  await client.call(POLLUX_V1.createProject, {
    body: { projectId: LIMITED, displayName: 'Batch jobs', tier: 'free' },
  })
  const { keyString = '' } = await client.call(POLLUX_V1.createKey, {
    params,
    query: { keyId: KEY },
    body: { displayName: 'Indexer', environment: 'staging' },
  })
  const limits = [
    { metric: 'requestsPerDay', model: '*', value: '200' },
    { metric: 'requestsPerMinute', model: '*', value: '40' },
    { metric: 'requestBytesPerDay', value: '50000000' },
  ] as const
  for (const body of limits) await client.call(PROJECT_QUOTAS_V1.setQuotaLimit, { params, body })
  const ofKey = { metric: 'requestsPerDay', model: 'gemini-embedding-001', value: '4' } as const
  await client.call(KEY_QUOTAS_V1.setQuotaLimit, { params, body: ofKey })
  await client.call(TIERS_V1.updateTier, {
    params: { tier: 'interns' },
    query: { allowMissing: true },
    body: {
      displayName: 'Interns',
      quotaIdSuffix: 'Interns',
      limits: [
        { metric: 'requestsPerMinute', model: 'gemini-3.8-flash', value: '30' },
        { metric: 'inputTokensPerMinute', model: 'gemini-3.8-flash', value: '100000' },
        { metric: 'requestsPerMinute', model: '*', value: '10' },
        { metric: 'concurrentCalls', value: '5' },
      ],
      allowedModels: ['gemini-3.8-flash*', 'gemini-embedding-*'],
      allowedTools: ['codeExecution'],
    },
  })
  const calls: readonly (readonly [string, number])[] = [
    ['gemini-3.8-flash', 11],
    ['gemini-2.5-pro', 3],
    ['gemini-embedding-001', 6],
    ['sandbox-429', 2],
  ]
  for (const [model, count] of calls)
    for (let call = 0; call < count; call++) await callOnce({ origin, keyString, model })
}

interface OneCall {
  readonly origin: string
  readonly keyString: string
  readonly model: string
}

async function callOnce({ origin, keyString, model }: OneCall): Promise<void> {
  const isEmbedding = model.includes('embedding')
  const content = { parts: [{ text: 'Two stars that belong together.' }] }
  const response = await fetch(
    `${origin}/v1beta/models/${model}:${isEmbedding ? 'embedContent' : 'generateContent'}`,
    {
      method: 'POST',
      headers: { 'x-goog-api-key': keyString, 'content-type': 'application/json' },
      body: JSON.stringify(isEmbedding ? { content } : { contents: [content] }),
    },
  )
  await response.arrayBuffer()
}
