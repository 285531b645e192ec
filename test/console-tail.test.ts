/** The live tail of calls in Debian's Chromium against a real Pollux: what it asks by itself, and what it does without answers. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Page, Request } from 'playwright-core'
import { expect, it } from 'vitest'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { AUTOMATIC_HEADER, SEEN_EVERY_MS } from '../src/domain/session.ts'
import { openConsolePage, openPage } from './console-browser.ts'
import { describeInChromium, signIn, useSite } from './console-suite.ts'
import { setUpOwner } from './people.ts'

const LIVE = 'Live: calls appear when they end'
const WAIT = { timeout: 20_000 }

let keyString: string
/** Calls of the key, each of which has a row. */
let made = 0
const site = useSite({
  async furnish(pollux) {
    await setUpOwner({ client: pollux.client, port: Number(new URL(pollux.origin).port) })
    const key = await pollux.client.call(POLLUX_V1.createKey, {
      params: { project: 'default-project' },
      body: { displayName: 'Shop' },
    })
    keyString = key.keyString ?? ''
  },
})

describeInChromium('the live tail', () => {
  it('keeps no session alive while nobody touches the page, and does when somebody does', async () => {
    const { page } = await openPage(site.browser, `${site.pollux.origin}/sign-in`)
    await signIn(page)
    await page.getByRole('heading', { name: 'API keys' }).waitFor()
    await page.clock.install()
    await page.goto(`${site.pollux.origin}/calls`)
    await page.getByText(LIVE).waitFor()
    await page.clock.fastForward(SEEN_EVERY_MS)
    await page.waitForRequest(isAutomatic, WAIT)
    const seenMs = ageSessions()
    for (let asked = 0; asked < 2; asked++) {
      const answer = await page.waitForResponse(response => isAutomatic(response.request()), WAIT)
      expect(answer.status()).toBe(200)
    }
    expect(lastSeenMs()).toBe(seenMs)
    await page.keyboard.press('Shift')
    await expect.poll(lastSeenMs, WAIT).toBeGreaterThan(seenMs)
    await page.context().close()
  })

  it('asks for nothing while its tab is hidden, and misses nothing', async () => {
    const { page } = await openConsolePage(site.browser, `${site.pollux.origin}/calls`)
    await page.getByText(LIVE).waitFor()
    await expect.poll(() => rows(page).count(), WAIT).toBe(made)
    let asked = 0
    page.on('request', request => (asked += isTail(request) ? 1 : 0))
    await hide(page, true)
    // What was under way when the tab was hidden.
    await page.waitForTimeout(2_000)
    asked = 0
    await call()
    await page.waitForTimeout(4_000)
    expect([asked, await rows(page).count()]).toEqual([0, made - 1])
    await hide(page, false)
    await expect.poll(() => rows(page).count(), WAIT).toBe(made)
    await page.context().close()
  })

  it('reconnects after answers were lost, and shows what ended meanwhile', async () => {
    const { page } = await openConsolePage(site.browser, `${site.pollux.origin}/calls`)
    await page.getByText(LIVE).waitFor()
    await expect.poll(() => rows(page).count(), WAIT).toBe(made)
    // From here on nothing that is asked for is to be asked for anew.
    await page.waitForResponse(response => isTail(response.request()), WAIT)
    await page.route(isTailUrl, route => route.abort())
    await page.getByText('Reconnecting').waitFor()
    await call()
    await page.unroute(isTailUrl)
    await page.getByText(LIVE).waitFor()
    await expect.poll(() => rows(page).count(), WAIT).toBe(made)
    await page.context().close()
  })
})

function rows(page: Page) {
  return page.getByRole('region', { name: 'Calls' }).locator('tbody tr')
}

function isTailUrl({ pathname }: URL): boolean {
  return pathname === '/pollux/v1/calls:tail'
}

function isTail(request: Request): boolean {
  return isTailUrl(new URL(request.url()))
}

function isAutomatic(request: Request): boolean {
  return isTail(request) && request.headers()[AUTOMATIC_HEADER] === '1'
}

/** As the browser says it of a tab behind another; a Chromium without windows has none. */
async function hide(page: Page, isHidden: boolean): Promise<void> {
  await page.evaluate(`
    Object.defineProperty(document, 'hidden', { configurable: true, value: ${isHidden} })
    document.dispatchEvent(new Event('visibilitychange'))
  `)
}

async function call(): Promise<void> {
  const response = await fetch(`${site.pollux.origin}/v1beta/models/gemini-3.8-flash:generateContent`, {
    method: 'POST',
    headers: { 'x-goog-api-key': keyString, 'content-type': 'application/json' },
    body: JSON.stringify({ contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] }),
  })
  await response.arrayBuffer()
  made++
}

/** Lets ten minutes pass for every session since its last use. Returns when that was. */
function ageSessions(): number {
  const database = open()
  database.prepare('update session set last_seen_time = last_seen_time - ?').run(10 * SEEN_EVERY_MS)
  database.close()
  return lastSeenMs()
}

function lastSeenMs(): number {
  const database = open()
  const row = database.prepare('select max(last_seen_time) as seen from session').get()
  database.close()
  return Number(row?.['seen'])
}

function open(): DatabaseSync {
  return new DatabaseSync(join(site.pollux.dataDir, 'pollux.sqlite'), { timeout: 5_000 })
}
