/** Caps from the organization down, one that refuses calls, and a contract's price: what the screens of spend show. */
import type { Page } from 'playwright-core'
import { KEY_BUDGETS_V1, LEDGER_V1, ORGANIZATION_BUDGETS_V1 } from '../src/contract/budgets.v1.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { PRICES_V1 } from '../src/contract/prices.v1.ts'
import { TIERS_V1 } from '../src/contract/quotas.v1.ts'
import type { Pollux } from './pollux.ts'

const MODEL = 'gemini-3.8-flash'

export const SPEND_SCREENS = [
  {
    name: 'spend',
    path: '/spend',
    prepare: async (page: Page) => {
      await page.getByRole('button', { name: 'Verify the ledger' }).click()
      await page.getByText('The books agree').waitFor()
    },
  },
  { name: 'spend-key', path: '/spend?project=web-shop&key=order-service' },
  {
    name: 'change-cap',
    path: '/spend?project=web-shop',
    prepare: async (page: Page) => {
      await page.getByRole('button', { name: 'Change the cap of Web shop a month' }).click()
      await page.getByRole('dialog').waitFor()
    },
  },
  { name: 'prices', path: '/spend/prices?q=gemini-3' },
  {
    name: 'set-price',
    path: '/spend/prices',
    prepare: async (page: Page) => {
      await page.getByRole('button', { name: 'Set the price of gemini-2.5-flash', exact: true }).click()
      await page.getByRole('dialog').waitFor()
    },
  },
] as const

/** Sets caps and a price, and makes calls until one cap refuses them. */
export async function addSpend({ client, origin }: Pollux): Promise<void> {
  const params = { project: 'web-shop', key: 'thrifty-bot' }
  await client.call(ORGANIZATION_BUDGETS_V1.createBudget, {
    params: { organization: '1' },
    query: { budgetId: 'month' },
    body: { cap: '2000000000000' },
  })
  const body = { displayName: 'Team', spendCap: '800000000000', priceFactor: '1.1' }
  await client.call(TIERS_V1.updateTier, { params: { tier: 'team' }, query: { allowMissing: true }, body })
  await client.call(POLLUX_V1.updateProject, {
    params,
    query: { updateMask: 'tier' },
    body: { tier: 'team' },
  })
  const { keyString = '' } = await client.call(POLLUX_V1.createKey, {
    params,
    query: { keyId: params.key },
    body: { displayName: 'Thrifty bot', environment: 'production', allowedTools: [] },
  })
  const cap = { cap: '20000000', policy: 'refuse' } as const
  await client.call(KEY_BUDGETS_V1.createBudget, { params, query: { budgetId: 'day' }, body: cap })
  const price = { input: { text: 0.6 }, output: { text: 3 }, note: 'our contract' }
  await client.call(PRICES_V1.createPriceOverride, { body: { model: MODEL, price } })
  for (let refused = 0, call = 0; refused < 3 && call < 60; call++) {
    const response = await fetch(`${origin}/v1beta/models/${MODEL}:generateContent`, {
      method: 'POST',
      headers: { 'x-goog-api-key': keyString, 'content-type': 'application/json' },
      body: JSON.stringify({
        contents: [{ parts: [{ text: 'Name a star. '.repeat(400) }] }],
        generationConfig: { maxOutputTokens: 2_000 },
      }),
    })
    await response.arrayBuffer()
    if (response.status === 402) refused += 1
  }
  // Counted a second after the calls.
  const deadlineMs = performance.now() + 10_000
  while ((await client.call(LEDGER_V1.searchCapHits, { query: params })).capHits.length === 0)
    if (performance.now() > deadlineMs) throw new Error('no budget refused a call')
}
