/** The screens of spend in Debian's Chromium against a real Pollux. */
import { expect, it } from 'vitest'
import { KEY_BUDGETS_V1, LEDGER_V1, ORGANIZATION_BUDGETS_V1 } from '../src/contract/budgets.v1.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { PRICES_V1 } from '../src/contract/prices.v1.ts'
import { formatUsd } from '../src/domain/money.ts'
import { openConsolePage } from './console-browser.ts'
import { TEST_MS, describeInChromium, useSite } from './console-suite.ts'
import { send } from './traffic.ts'

const MODEL = 'gemini-3.8-flash'
const PROJECT = 'spend-shop'

const GONE = 'spend-gone'

let keyString = ''
let goneKeyString = ''

const site = useSite({
  async furnish({ client }) {
    await client.call(POLLUX_V1.createProject, { body: { projectId: PROJECT, displayName: 'Spend shop' } })
    await client.call(POLLUX_V1.createProject, { body: { projectId: GONE } })
    const makeKey = async (project: string, keyId: string, displayName: string): Promise<string> => {
      const asked = { params: { project }, query: { keyId }, body: { displayName } }
      return (await client.call(POLLUX_V1.createKey, asked)).keyString ?? ''
    }
    keyString = await makeKey(PROJECT, 'web', 'Checkout')
    goneKeyString = await makeKey(GONE, 'web', 'Of what will be gone')
    await makeKey(PROJECT, 'sibling', 'Sibling')
    await client.call(KEY_BUDGETS_V1.createBudget, {
      params: { project: PROJECT, key: 'sibling' },
      query: { budgetId: 'month' },
      body: { cap: '7000000000' },
    })
  },
})

describeInChromium('spend in the console', () => {
  const callOnce = async (): Promise<number> =>
    (await send(site.pollux.origin, { keyString, model: MODEL })).status

  it(
    'a cap is set, lowered below what is spent, seen to refuse, and deleted, in place',
    async () => {
      const { page, complaints } = await openConsolePage(site.browser, site.pollux.origin)
      expect(await callOnce()).toBe(200)
      await page.getByRole('button', { name: 'Actions for Checkout' }).click()
      await page.getByRole('menuitem', { name: 'View spend' }).click()
      await page.waitForURL(`**/spend?project=${PROJECT}&key=web`)

      await page.getByRole('button', { name: 'Set a cap of Checkout' }).click()
      const top = async (label: string) => (await page.getByLabel(label).boundingBox())?.y
      await expect.poll(async () => (await top('Period')) === (await top('Cap in dollars'))).toBe(true)
      expect(await page.getByText('Empty: no cap').count()).toBe(0)
      expect(await page.getByText('Sibling').count()).toBe(0)
      await page.getByLabel('Cap in dollars').fill('5.00')
      await page.getByRole('button', { name: 'Set the cap' }).click()
      const line = page.getByRole('row', { name: /^a month/ })
      await line.getByText('of $5.00').first().waitFor()
      expect(await callOnce()).toBe(200)

      await page.getByRole('button', { name: 'Change the cap of Checkout a month' }).click()
      expect(await page.getByLabel('Cap in dollars').inputValue()).toBe('5.00')
      await page.getByLabel('Cap in dollars').fill('0.000000001')
      await page.getByText('with this cap every call is refused at once').waitFor()
      await page.getByRole('button', { name: 'Change the cap', exact: true }).click()
      await line.getByText('spent', { exact: true }).waitFor()
      expect(await callOnce()).toBe(402)

      await expect
        .poll(
          async () => {
            await page.reload()
            await page.getByRole('button', { name: 'Verify the ledger' }).waitFor()
            return await page.getByRole('region', { name: 'Refused calls' }).count()
          },
          { timeout: 20_000 },
        )
        .toBe(1)
      await page.getByRole('row', { name: /^monthly, web 402, it is spent 1/ }).waitFor()

      await page.getByRole('button', { name: 'Verify the ledger' }).click()
      await page.getByText('The books agree').waitFor()
      await page.getByRole('button', { name: 'Delete the cap of Checkout a month' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Delete the cap' }).click()
      await line.waitFor({ state: 'detached' })
      expect(await callOnce()).toBe(200)
      expect((await site.pollux.client.call(LEDGER_V1.verifyLedger, { body: {} })).drifts).toEqual([])
      expect(complaints).toEqual([])
      await page.context().close()
    },
    TEST_MS,
  )

  it(
    'the month shows what was spent beside the cap of the organization, which is set by keyboard',
    async () => {
      const { page, complaints } = await openConsolePage(site.browser, `${site.pollux.origin}/spend`)
      const set = page.getByRole('button', { name: 'Set a cap of Organization' })
      await set.focus()
      await page.keyboard.press('Enter')
      await page.getByLabel('Cap in dollars').focus()
      await page.keyboard.type('100')
      await page.keyboard.press('Enter')
      await page.getByText('of $100.00').first().waitFor()
      const params = { organization: '1', budget: 'month' }
      const budget = await site.pollux.client.call(ORGANIZATION_BUDGETS_V1.getBudget, { params })
      expect(budget.cap).toBe('100000000000')
      await page.getByRole('button', { name: 'Show table' }).click()
      const table = page.getByRole('table', { name: 'Spend of this month, cumulated' })
      expect(await table.getByRole('row', { name: /\(not over\)/ }).count()).toBe(1)
      expect(BigInt(budget.posted)).toBeGreaterThan(0n)
      await page.getByLabel('Project', { exact: true }).last().selectOption(PROJECT)
      expect(new URL(page.url()).searchParams.get('project')).toBe(PROJECT)
      // A pace of its own is measured by no cap that it shares.
      await page.getByText('none of its own').waitFor()
      expect(complaints).toEqual([])
      await page.context().close()
    },
    TEST_MS,
  )

  it(
    'what a project has spent stays in the month when it is deleted',
    async () => {
      const { client, origin } = site.pollux
      expect((await send(origin, { keyString: goneKeyString, model: MODEL })).status).toBe(200)
      await client.call(POLLUX_V1.deleteProject, { params: { project: GONE }, query: {} })
      const params = { organization: '1', budget: 'month' }
      const query = { updateMask: 'cap', allowMissing: true }
      const body = { cap: '100000000000' }
      await client.call(ORGANIZATION_BUDGETS_V1.updateBudget, { params, query, body })
      const { page } = await openConsolePage(site.browser, `${origin}/spend`)
      const shown = page.getByText('So far', { exact: true }).locator('xpath=following-sibling::dd')
      await expect
        .poll(
          async () => {
            await page.reload()
            const { posted } = await client.call(ORGANIZATION_BUDGETS_V1.getBudget, { params })
            return [await shown.getAttribute('title'), `$${formatUsd(BigInt(posted))}`]
          },
          { timeout: 20_000 },
        )
        .toSatisfy(([sum, posted]: string[]) => sum === posted)
      await page.context().close()
    },
    TEST_MS,
  )

  it(
    'a price is set from the one that is there, and ended',
    async () => {
      const { page, complaints } = await openConsolePage(
        site.browser,
        `${site.pollux.origin}/spend/prices?q=${MODEL}`,
      )
      await page.getByText('No price was set here').waitFor()
      await page.getByRole('button', { name: `Set the price of ${MODEL}`, exact: true }).click()
      await page.getByLabel('Input, dollars for a million tokens', { exact: true }).fill('0.61')
      // The list has another price from 2027 on.
      await page.getByText(`another price of ${MODEL} is listed`).waitFor()
      await page.getByRole('dialog').getByRole('button', { name: 'Set the price' }).click()
      await page.getByRole('button', { name: `End the price of ${MODEL}` }).waitFor()
      await page.getByText('listed otherwise from').waitFor()
      const read = async () => await site.pollux.client.call(PRICES_V1.getPrice, { params: { model: MODEL } })
      expect((await read()).fields.input?.text).toBe(0.61)
      expect((await read()).fields.output?.text).toBe(3.75)
      await page.getByRole('button', { name: `End the price of ${MODEL}` }).click()
      await page.getByRole('button', { name: 'End it' }).click()
      await page.getByText('No price was set here').waitFor()
      expect((await read()).fields.input?.text).toBe(0.75)
      expect(complaints).toEqual([])
      await page.context().close()
    },
    TEST_MS,
  )

  it(
    'a price that is set from a later time on keeps what is listed for then',
    async () => {
      const { page } = await openConsolePage(
        site.browser,
        `${site.pollux.origin}/spend/prices?q=${MODEL}&at=2026-11-22`,
      )
      await page.getByRole('button', { name: `Set the price of ${MODEL}`, exact: true }).click()
      await page.getByLabel('Input, dollars for a million tokens', { exact: true }).fill('0.61')
      await page.getByLabel('From').fill('2027-01-03T00:00')
      await page.getByText('another price of').waitFor({ state: 'detached' })
      await page.getByRole('dialog').getByRole('button', { name: 'Set the price' }).click()
      await page.getByRole('button', { name: `End the price of ${MODEL}` }).waitFor()
      const { priceOverrides } = await site.pollux.client.call(PRICES_V1.listPriceOverrides, {})
      expect(priceOverrides.map(({ price }) => [price.input?.text, price.output?.text])).toEqual([
        [0.61, 7.5],
      ])
      await page.context().close()
    },
    TEST_MS,
  )
})
