/** What the screens of calls and of security show in the access suite and in the screenshots. */
import type { Page } from 'playwright-core'
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
      await page
        .getByRole('region', { name: 'Calls' })
        .getByRole('rowheader')
        .first()
        .getByRole('link')
        .click()
      await page.getByRole('heading', { name: 'Tokens' }).waitFor()
    },
  },
  { name: 'calls-not-found', path: '/calls?status=5xx&project=web-shop&live=off' },
  { name: 'key-calls', path: `${KEY}?tab=calls` },
  { name: 'key-ledger', path: `${KEY}?tab=ledger` },
  { name: 'key-audit', path: `${KEY}?tab=audit` },
  { name: 'security', path: '/security' },
] as const

async function hasCalls(page: Page): Promise<void> {
  // The filter of models names it, too.
  await page.getByRole('region', { name: 'Calls' }).getByText('sandbox-503').waitFor()
}

/** Calls of a key that does a bit of everything. */
export async function addCalls({ client, origin }: Pollux): Promise<void> {
  const { keyString = '' } = await client.call(POLLUX_V1.createKey, {
    params: { project: PROJECT },
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
