/** What the bell tells, in Debian's Chromium against a real Pollux. */
import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { KEY_BUDGETS_V1 } from '../src/contract/budgets.v1.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { openConsolePage } from './console-browser.ts'
import { TEST_MS, describeInChromium, useSite } from './console-suite.ts'
import { send } from './traffic.ts'

const MODEL = 'gemini-3.8-flash'
const PROJECT = 'default-project'
const DAY_MS = 86_400_000
const WAIT = { timeout: 20_000 }

const site = useSite({
  async furnish({ client, origin }) {
    const params = { project: PROJECT, key: 'shop' }
    const { keyString = '' } = await client.call(POLLUX_V1.createKey, {
      params,
      query: { keyId: params.key },
      body: {
        displayName: 'Shop',
        allowedModels: [MODEL],
        expireTime: new Date(Date.now() + 3.5 * DAY_MS).toISOString(),
      },
    })
    await client.call(KEY_BUDGETS_V1.createBudget, {
      params,
      query: { budgetId: 'month' },
      body: { cap: '10000000000' },
    })
    expect((await send(origin, { keyString, model: MODEL })).status).toBe(200)
  },
})

const bell = (page: Page, name: RegExp | string) => page.getByRole('button', { name })
const panel = (page: Page) => page.getByRole('dialog', { name: /^Things to look at/ })

describeInChromium('notifications', () => {
  it(
    'tell by keyboard what is to look at, lead to where it is mended, and stay seen',
    async () => {
      const { page, complaints } = await openConsolePage(site.browser, `${site.pollux.origin}/projects`)
      // The first key may do everything; the shop's expires.
      await bell(page, 'Notifications: 2, 2 new').waitFor()
      await page.keyboard.press('F8')
      const focused = () => page.evaluate('document.activeElement.textContent')
      await expect.poll(focused, WAIT).toBe('Change its expiry: Shop expires in 3 days')
      await page.keyboard.press('ArrowDown')
      await expect.poll(focused, WAIT).toMatch(/^Restrict it: /)
      await page.keyboard.press('Escape')
      await panel(page).waitFor({ state: 'detached' })
      await bell(page, /^Notifications: 2$/).waitFor()

      await page.reload()
      await bell(page, /^Notifications: 2\b/).click()
      await expect.poll(focused, WAIT).toMatch(/^Change its expiry/)
      expect(await panel(page).getByText('new', { exact: true }).count()).toBe(0)
      await page.keyboard.press('End')
      await expect.poll(focused, WAIT).toMatch(/^Restrict it: /)
      await page.keyboard.press('Enter')
      await page.waitForURL(`**/projects/${PROJECT}/keys/*/edit`)
      await panel(page).waitFor({ state: 'detached' })
      expect(complaints).toEqual([])
      await page.context().close()
    },
    TEST_MS,
  )

  it(
    'say what comes up while somebody is here, first what is wrong',
    async () => {
      const url = `${site.pollux.origin}/spend?project=${PROJECT}&key=shop`
      const { page, complaints } = await openConsolePage(site.browser, url, {
        viewport: { width: 320, height: 640 },
      })
      await bell(page, /^Notifications: 2\b/).waitFor()
      await page.getByRole('button', { name: 'Change the cap of Shop a month' }).click()
      await page.getByLabel('Cap in dollars').fill('0.000000001')
      await page.getByRole('button', { name: 'Change the cap', exact: true }).click()
      await bell(page, /^Notifications: 3\b/).waitFor()
      await page
        .getByRole('status')
        .getByText('To look at: Shop: monthly cap reached')
        .waitFor({ state: 'attached' })
      await bell(page, /^Notifications: 3\b/).click()
      const first = panel(page).getByRole('listitem').first()
      await first.getByText(/of \$0\S* are spent\. Calls get 402 until/).waitFor()
      const box = await panel(page).boundingBox()
      expect([(box?.x ?? -1) >= 0, (box?.x ?? 0) + (box?.width ?? 999) <= 320]).toEqual([true, true])
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(320)
      expect(complaints).toEqual([])
      await page.context().close()
    },
    TEST_MS,
  )
})
