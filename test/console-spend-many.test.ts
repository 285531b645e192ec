/** Spend with thousands of capped keys, in Debian's Chromium: it opens, folds, is turned, and searched. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { populate } from '../bench/populate.ts'
import { openConsolePage } from './console-browser.ts'
import { TEST_MS, describeInChromium, useSite } from './console-suite.ts'
import { startPollux } from './pollux.ts'

const KEYS = 3_000
/** Nodes of 10,000 unfolded budgets were 261,287. */
const ELEMENTS_MAX = 5_000

const site = useSite({
  async start() {
    const dataDir = await mkdtemp(join(tmpdir(), 'pollux-spend-many-'))
    await populate(dataDir, { keys: KEYS, called: KEYS, budgets: true })
    return await startPollux({ dataDir })
  },
})

describeInChromium('spend with thousands of capped keys', () => {
  it(
    'shows the keys of one project at a time, a page of them, and finds one by its name',
    async () => {
      const { page, complaints } = await openConsolePage(site.browser, `${site.pollux.origin}/spend`)
      const tree = page.getByRole('region', { name: 'Every budget' })
      const open = tree.getByRole('button', { name: /^Show 300 keys/ })
      await open.first().waitFor()
      expect(await open.count()).toBe(KEYS / 300)
      expect(await page.evaluate('document.querySelectorAll("*").length')).toBeLessThan(ELEMENTS_MAX)

      await open.nth(1).click()
      await page.waitForURL(/open=bench-/)
      await page.getByText(/^1 to 50 of 3\d\d rows/).waitFor()
      const address = page.url()
      await page.getByRole('button', { name: 'Next' }).click()
      await page.getByText(/^51 to 100 of 3\d\d rows/).waitFor()
      expect(await page.evaluate('document.querySelectorAll("*").length')).toBeLessThan(ELEMENTS_MAX)
      await page.goto(address)
      await page.getByRole('button', { name: /^Hide 300 keys/ }).click()
      await page.getByRole('button', { name: /^Hide/ }).waitFor({ state: 'detached' })

      await page.getByLabel('Search budgets by name or id').fill('Key 2718')
      await tree.getByRole('link', { name: 'Key 2718', exact: true }).waitFor()
      await page.getByText(/^2 rows/).waitFor()
      await tree.getByRole('button', { name: 'Change the cap of Key 2718 a month' }).click()
      await page.getByRole('dialog').waitFor()
      expect(complaints).toEqual([])
      await page.context().close()
    },
    TEST_MS,
  )
})
