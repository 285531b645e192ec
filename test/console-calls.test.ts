/** Calls and security in the console, in Debian's Chromium against a real Pollux. */
import { existsSync } from 'node:fs'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KEY_BUDGETS_V1 } from '../src/contract/budgets.v1.ts'
import { CALLS_V1 } from '../src/contract/calls.v1.ts'
import type { ResponseOf } from '../src/contract/endpoint.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { CHROMIUM, builtConsole, launchBrowser, openConsolePage, openPage } from './console-browser.ts'
import { OWNER, PASSWORD, setUpOwner } from './people.ts'
import { type Pollux, freePort, startPollux } from './pollux.ts'

const TEST_MS = 120_000
const PROJECT = 'default-project'
const STEPS = [
  'Key checked, request read',
  'Limits and budgets',
  "Upstream's first byte",
  "Upstream's answer",
  'Settling',
  'In all',
]

/** Whole milliseconds stand in for what is finer. */
function momentsOf(call: ResponseOf<typeof CALLS_V1.listCalls>['calls'][number]): number[] {
  const { receivedMs = NaN, admittedMs = NaN, firstByteMs = NaN, lastByteMs = NaN, durationMs } = call
  return [0, receivedMs, admittedMs, firstByteMs, lastByteMs, durationMs].map(Math.round)
}

let pollux: Pollux
let browser: Browser
let keyString: string

describe.skipIf(!existsSync(CHROMIUM))('calls and security in the console', () => {
  beforeAll(async () => {
    await builtConsole()
    const port = await freePort()
    ;[pollux, browser] = await Promise.all([startPollux({ port }), launchBrowser()])
    await setUpOwner({ client: pollux.client, port })
    const made = await pollux.client.call(POLLUX_V1.createKey, {
      params: { project: PROJECT },
      query: { keyId: 'shop' },
      body: { displayName: 'Shop' },
    })
    keyString = made.keyString ?? ''
    await pollux.client.call(KEY_BUDGETS_V1.createBudget, {
      params: { project: PROJECT, key: 'shop' },
      query: { budgetId: 'month' },
      body: { cap: '10000000000' },
    })
  }, TEST_MS)
  afterAll(async () => {
    await browser.close()
    await pollux.stop()
  })

  /** Makes a call and resolves to its request id. */
  async function call(method = 'generateContent'): Promise<string> {
    const response = await fetch(`${pollux.origin}/v1beta/models/gemini-3.8-flash:${method}`, {
      method: 'POST',
      headers: { 'x-goog-api-key': keyString, 'content-type': 'application/json' },
      body: JSON.stringify({ contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] }),
    })
    await response.arrayBuffer()
    return response.headers.get('x-request-id') ?? ''
  }

  const rows = (page: Page) => page.getByRole('region', { name: 'Calls' }).locator('tbody tr')

  it(
    'shows a call while one looks, stops when paused, and tells everything of one',
    async () => {
      await call('streamGenerateContent?alt=sse')
      const { page, complaints } = await openConsolePage(browser, `${pollux.origin}/calls?project=${PROJECT}`)
      await expect.poll(() => rows(page).count(), { timeout: 20_000 }).toBe(1)
      await page.getByText('Live: calls appear when they end').waitFor()
      const id = await call()
      await expect.poll(() => rows(page).count(), { timeout: 20_000 }).toBe(2)

      await page.getByRole('button', { name: 'Pause' }).click()
      expect(new URL(page.url()).searchParams.get('live')).toBe('off')
      const missed = await call()
      await page.waitForTimeout(3_000)
      expect(await rows(page).count()).toBe(2)
      await page.getByRole('button', { name: 'Go live' }).click()
      await expect.poll(() => rows(page).count(), { timeout: 20_000 }).toBe(3)

      // By keyboard.
      await rows(page).first().getByRole('link').first().focus()
      await page.keyboard.press('Enter')
      const dialog = page.getByRole('dialog')
      await dialog.getByText(missed).waitFor()
      const steps = dialog.getByRole('table', { name: 'Where its time went' })
      for (const step of STEPS) await steps.getByRole('rowheader', { name: step }).waitFor()
      const { calls } = await pollux.client.call(CALLS_V1.listCalls, { query: { project: PROJECT } })
      expect(calls.map(momentsOf)).toEqual(calls.map(call => momentsOf(call).toSorted((a, b) => a - b)))
      await dialog.getByText(/keys\/shop\/budgets\/month$/).waitFor()
      await page.keyboard.press('Escape')
      await dialog.waitFor({ state: 'detached' })

      await page.getByLabel('Request id').fill(id)
      await expect.poll(() => rows(page).count(), { timeout: 20_000 }).toBe(1)
      await page.reload()
      await expect.poll(() => rows(page).count(), { timeout: 20_000 }).toBe(1)
      expect(new URL(page.url()).searchParams.get('id')).toBe(id)
      await page.getByLabel('Status').selectOption('5xx')
      await page.getByText('No call matches').waitFor()
      await page.getByRole('button', { name: 'Show all calls' }).click()
      await expect.poll(() => rows(page).count(), { timeout: 20_000 }).toBe(3)
      expect(complaints).toEqual([])
      await page.context().close()
    },
    TEST_MS,
  )

  it(
    'shows the calls, ledger lines and audit entries of a key in tabs that have addresses',
    async () => {
      const { page, complaints } = await openConsolePage(
        browser,
        `${pollux.origin}/projects/${PROJECT}/keys/shop`,
      )
      await page.getByRole('heading', { name: 'Usage this month' }).waitFor()
      // What it costs is in sight where the table is wider than the window.
      await page.setViewportSize({ width: 360, height: 740 })
      const usage = page.getByRole('region', { name: 'Usage by model' })
      const cost = await usage.getByRole('columnheader', { name: 'Cost' }).boundingBox()
      const frame = await usage.boundingBox()
      expect((cost?.x ?? Infinity) + (cost?.width ?? 0)).toBeLessThanOrEqual(
        (frame?.x ?? 0) + (frame?.width ?? 0),
      )
      await page.setViewportSize({ width: 1280, height: 740 })
      await page.getByRole('tab', { name: 'Calls' }).click()
      await page.getByRole('region', { name: 'Calls of this key' }).waitFor()
      await page.getByRole('tab', { name: 'Ledger' }).click()
      const ledger = page.getByRole('region', { name: 'Ledger lines' })
      await expect.poll(() => ledger.locator('tbody tr').count(), { timeout: 20_000 }).toBe(3)
      await page.getByRole('tab', { name: 'Audit' }).click()
      const audit = page.getByRole('region', { name: 'Audit entries of this key' })
      await audit.getByText('CreateKey', { exact: true }).waitFor()
      await audit.getByText('CreateKeyBudget').waitFor()
      expect(new URL(page.url()).searchParams.get('tab')).toBe('audit')
      await page.reload()
      await audit.getByText('CreateKeyBudget').waitFor()
      expect(complaints).toEqual([])
      await page.context().close()
    },
    TEST_MS,
  )

  it(
    'counts the keys that deserve a look and leads to them',
    async () => {
      const { page, complaints } = await openConsolePage(browser, `${pollux.origin}/security`)
      const cards = page.getByRole('list', { name: 'Keys to look at' })
      // The shop has a cap; the first key has none. Neither is restricted.
      await cards.getByRole('link', { name: /^1 ?No cap/ }).waitFor()
      await cards.getByRole('link', { name: /^0 ?Idle/ }).waitFor()
      await cards.getByRole('link', { name: /^2 ?Unrestricted/ }).click()
      await page.getByRole('row', { name: /Shop/ }).waitFor()
      await page.getByLabel('Look at').selectOption('no-cap')
      await page.getByRole('row', { name: /Shop/ }).waitFor({ state: 'detached' })
      expect(new URL(page.url()).searchParams.get('risk')).toBe('no-cap')
      await page.goto(`${pollux.origin}/security`)
      await page.getByText('We see you as').waitFor()
      await page.getByText('A management token is used here').waitFor()
      expect(complaints).toEqual([])
      await page.context().close()
    },
    TEST_MS,
  )

  it(
    'ends one session, and all others',
    async () => {
      const door = `${pollux.origin.replace('127.0.0.1', 'localhost')}/security`
      const pages = await Promise.all([1, 2, 3, 4].map(() => openPage(browser, door)))
      for (const { page } of pages) {
        await page.getByLabel('E-mail address').fill(OWNER)
        await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
        await page.getByRole('button', { name: 'Sign in', exact: true }).click()
        await page.getByRole('heading', { name: 'Where you are signed in' }).waitFor()
      }
      const [mine, ...others] = pages.map(({ page }) => page)
      if (mine === undefined) throw new Error('no page')
      await mine.reload()
      const sessions = mine.locator('.sessions li')
      await sessions.first().waitFor()
      const before = await sessions.count()
      await mine
        .getByRole('button', { name: /^End the session/ })
        .first()
        .click()
      await mine.getByRole('dialog').getByRole('button', { name: 'End' }).click()
      await expect.poll(() => sessions.count(), { timeout: 20_000 }).toBe(before - 1)
      await mine.getByRole('button', { name: 'End all others' }).click()
      await mine.getByRole('dialog').getByRole('button', { name: 'End' }).click()
      await expect.poll(() => sessions.count(), { timeout: 20_000 }).toBe(1)
      for (const page of others) {
        await page.reload()
        await page.getByLabel('Password', { exact: true }).waitFor()
      }
      await mine.reload()
      await mine.getByText('this one').waitFor()
      for (const { page } of pages) await page.context().close()
    },
    TEST_MS,
  )
})
