/** What the screens of calls and of security show in the access suite and in the screenshots. */
import type { Page } from 'playwright-core'
import { BODIES_V1 } from '../src/contract/bodies.v1.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import type { Pollux } from './pollux.ts'

const KEY = '/projects/web-shop/keys/order-service'
const PROJECT = 'default-project'

export const CALL_SCREENS = [
  { name: 'calls', path: '/calls', prepare: hasCalls },
  {
    name: 'call',
    path: '/calls?project=web-shop&live=off',
    prepare: async (page: Page) => {
      await openFirstCall(page)
      await page.getByRole('heading', { name: 'Tokens' }).waitFor()
    },
  },
  {
    name: 'call-bodies',
    path: `/calls?project=${PROJECT}&live=off`,
    prepare: async (page: Page) => {
      await openFirstCall(page)
      const dialog = page.getByRole('dialog')
      await dialog.getByRole('button', { name: 'Show request and reply' }).click()
      await dialog.getByRole('region', { name: 'Reply' }).scrollIntoViewIfNeeded()
    },
  },
  { name: 'calls-not-found', path: '/calls?status=5xx&project=web-shop&live=off' },
  { name: 'key-calls', path: `${KEY}?tab=calls` },
  { name: 'key-ledger', path: `${KEY}?tab=ledger` },
  { name: 'key-audit', path: `${KEY}?tab=audit` },
  { name: 'security', path: '/security' },
] as const

async function openFirstCall(page: Page): Promise<void> {
  const first = page.getByRole('region', { name: 'Calls' }).getByRole('rowheader').first()
  await first.getByRole('link').click()
}

async function hasCalls(page: Page): Promise<void> {
  // The filter of models names it, too.
  await page.getByRole('region', { name: 'Calls' }).getByText('sandbox-503').waitFor()
}

/** Calls of a key that does a bit of everything. */
export async function addCalls({ client, origin }: Pollux): Promise<void> {
  const params = { project: PROJECT }
  await client.call(BODIES_V1.updateBodySettings, { params, query: {}, body: { retentionHours: 24 } })
  const { keyString = '' } = await client.call(POLLUX_V1.createKey, {
    params,
    query: { keyId: 'notebook' },
    body: { displayName: 'Notebook', environment: 'development' },
  })
  const calls = [
    'gemini-3.8-flash:generateContent',
    'gemini-2.5-pro:countTokens',
    'sandbox-429:generateContent',
    'gemini-2.5-pro:streamGenerateContent?alt=sse',
    'sandbox-503:generateContent',
    'gemini-2.5-flash:generateContent',
  ]
  for (const call of calls) {
    const response = await fetch(`${origin}/v1beta/models/${call}`, {
      method: 'POST',
      headers: { 'x-goog-api-key': keyString, 'content-type': 'application/json' },
      body: JSON.stringify({ contents: [{ role: 'user', parts: [{ text: 'What is a star made of?' }] }] }),
    })
    await response.arrayBuffer()
  }
}
