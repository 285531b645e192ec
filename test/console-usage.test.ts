/** The usage screen, against a real Pollux with a month of sums. */
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { builtConsole, launchBrowser, openConsolePage } from './console-browser.ts'
import { type Pollux, startPollux } from './pollux.ts'
import { addDays, addUsage } from './usage-furniture.ts'

const MANY = 'many-keys'
const MANY_KEYS = 10

let pollux: Pollux
let browser: Browser

beforeAll(async () => {
  await builtConsole()
  pollux = await startPollux()
  await pollux.client.call(POLLUX_V1.createProject, {
    body: { projectId: 'web-shop', displayName: 'Web shop' },
  })
  for (const [keyId, displayName, environment] of [
    ['storefront', 'Storefront', 'production'],
    ['order-service', 'Order service', 'production'],
    ['nightly-reports', 'Nightly reports', 'staging'],
  ] as const) {
    const params = { project: 'web-shop' }
    await pollux.client.call(POLLUX_V1.createKey, {
      params,
      query: { keyId },
      body: { displayName, environment },
    })
  }
  await addUsage(pollux)
  await pollux.client.call(POLLUX_V1.createProject, { body: { projectId: MANY } })
  for (let at = 0; at < MANY_KEYS; at++)
    await pollux.client.call(POLLUX_V1.createKey, {
      params: { project: MANY },
      query: { keyId: `many-${at}` },
    })
  await addDays(
    pollux,
    MANY,
    Array.from({ length: MANY_KEYS }, (_, at) => {
      const day = { keyId: `many-${at}`, model: at === 0 ? '' : `model-${at}` }
      // The later a key, the fewer calls, and the more tokens in each.
      return [
        { ...day, daysAgo: 1, calls: MANY_KEYS - at, tokens: 10 ** at },
        { ...day, daysAgo: 31, calls: 100 * (MANY_KEYS - at), tokens: 1 },
      ]
    }).flat(),
  )
  browser = await launchBrowser()
}, 240_000)
afterAll(async () => {
  await browser.close()
  await pollux.stop()
})

describe('the usage screen', () => {
  it('shows by its address what is asked for, and its filters change the address', async () => {
    const { page, complaints } = await openConsolePage(browser, `${pollux.origin}/usage?metric=calls`)
    await page.getByRole('button', { name: /gemini-3\.5-flash-lite/ }).waitFor()
    expect(await page.getByLabel('Metric').inputValue()).toBe('calls')
    await page.getByLabel('Group by').selectOption('environment')
    await page.getByRole('button', { name: /^staging/ }).waitFor()
    await page.getByRole('search').getByLabel('Project').selectOption('web-shop')
    await page.getByLabel('Key', { exact: true }).selectOption('nightly-reports')
    await page.waitForURL(/key=nightly-reports/)
    await expect.poll(() => page.getByRole('button', { name: /^production/ }).count()).toBe(0)
    expect(complaints).toEqual([])
  })

  it('is walked by keyboard, bucket by bucket, and says the spike', async () => {
    const { page } = await openConsolePage(browser, `${pollux.origin}/usage`)
    const chart = page.getByRole('slider')
    await chart.focus()
    await page.keyboard.press('Home')
    for (let day = 1; day < 30; day++) {
      if ((await chart.getAttribute('aria-valuetext'))?.includes('times the usual') === true) break
      await page.keyboard.press('ArrowRight')
    }
    expect(await chart.getAttribute('aria-valuetext')).toMatch(/gemini-3\.5-pro \$.* times the usual/)
    await page.getByText('1 spike', { exact: true }).waitFor()
  })

  it('hides a group by its legend entry and tells the same in a table and in a file', async () => {
    const { page } = await openConsolePage(browser, `${pollux.origin}/usage?metric=calls&group=key`)
    await page.getByRole('button', { name: /^Order service/ }).click()
    await page.waitForURL(/hide=/)
    await page.getByRole('button', { name: 'Show table' }).click()
    const heads = page.getByRole('region', { name: 'Requests by key, table' }).getByRole('columnheader')
    await expect
      .poll(() => heads.allTextContents())
      .toEqual(
        expect.arrayContaining(['Time (UTC)', 'Storefront', 'Nightly reports', 'Total', 'Previous period']),
      )
    expect(await heads.allTextContents()).not.toContain('Order service')
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'CSV' }).click(),
    ])
    expect(download.suggestedFilename()).toBe('usage-calls-by-key.csv')
  })

  it('is where a key of the list leads, with that key chosen', async () => {
    const { page } = await openConsolePage(browser, `${pollux.origin}/keys`)
    await page.getByRole('button', { name: 'Actions for Storefront' }).click()
    await page.getByRole('menuitem', { name: 'View usage' }).click()
    await page.waitForURL(/\/usage\?project=web-shop&key=storefront/)
    await expect.poll(() => page.getByLabel('Key', { exact: true }).inputValue()).toBe('storefront')
  })

  it('orders groups by what it shows, draws seven and all others, and tells each in table and file', async () => {
    const { page, complaints } = await openConsolePage(
      browser,
      `${pollux.origin}/usage?group=key&metric=tokens&project=${MANY}`,
    )
    const legend = page.getByRole('list', { name: 'Shown in the chart' }).getByRole('button')
    await legend.filter({ hasText: 'many-9' }).waitFor()
    expect(await legend.count()).toBe(8)
    expect(await legend.first().textContent()).toMatch(/^many-9/)
    expect(await legend.last().textContent()).toMatch(/^All others111/)
    const rows = page.getByRole('region', { name: 'Usage by key' }).getByRole('rowheader')
    expect(await rows.allTextContents()).toEqual(
      Array.from({ length: MANY_KEYS }, (_, at) => `many-${MANY_KEYS - 1 - at}`),
    )
    await page.getByRole('button', { name: 'Show table' }).click()
    const heads = page.getByRole('region', { name: 'All tokens by key, table' }).getByRole('columnheader')
    await expect.poll(() => heads.allTextContents()).toContain('many-0')
    await legend.last().click()
    await page.waitForURL(/hide=/)
    await expect.poll(() => heads.allTextContents()).not.toContain('many-0')
    expect(await heads.allTextContents()).toContain('many-9')
    expect(complaints).toEqual([])
  })

  it('hides what has no name, in the period before too, and an address that cannot be decoded hides nothing', async () => {
    const { page, complaints } = await openConsolePage(
      browser,
      `${pollux.origin}/usage?metric=calls&project=${MANY}`,
    )
    const entry = page.getByRole('button', { name: /^no model/ })
    await entry.waitFor()
    await page.getByText('Previous period5,500').waitFor()
    await entry.click()
    await page.getByText('Previous period4,500').waitFor()
    expect(await entry.getAttribute('aria-pressed')).toBe('false')
    await page.reload()
    await page.getByText('Previous period4,500').waitFor()
    expect(await entry.getAttribute('aria-pressed')).toBe('false')

    await page.goto(`${pollux.origin}/usage?metric=calls&project=${MANY}&hide=%25`)
    await page.getByText('Previous period5,500').waitFor()
    expect(complaints).toEqual([])
  })
})
