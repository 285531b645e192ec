/**
 * Barriers (axe, WCAG 2.2 AA) on every screen of the console, in every colour scheme and at 320 CSS pixels. Only some:
 * `SCREENS=spend,limits vitest run test/console-access.test.ts` looks at those whose names begin so.
 */
import { existsSync } from 'node:fs'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { barriersAt } from './barriers.ts'
import { CHROMIUM, builtConsole, launchBrowser, openConsolePage } from './console-browser.ts'
import { type Place, furnish } from './console-furniture.ts'
import { type Pollux, startPollux } from './pollux.ts'

const TEST_MS = 600_000
/** Pages that look at the places side by side. */
const PAGES = 2
const WANTED = (process.env['SCREENS'] ?? '').split(',')

let pollux: Pollux
let fresh: Pollux
let screens: readonly Place[]
let browser: Browser

describe.skipIf(!existsSync(CHROMIUM))('no barrier on the screen', () => {
  beforeAll(async () => {
    await builtConsole()
    ;[pollux, fresh, browser] = await Promise.all([startPollux(), startPollux(), launchBrowser()])
    screens = await furnish(pollux, fresh)
  }, TEST_MS)
  afterAll(async () => {
    await browser.close()
    await pollux.stop()
    await fresh.stop()
  })

  it(
    'in light, dark and forced colours, and at 320 px',
    async () => {
      const left = screens.filter(({ name }) => WANTED.some(start => name.startsWith(start)))
      expect(left).not.toEqual([])
      const found: unknown[] = []
      const walk = async (): Promise<void> => {
        const { page, complaints } = await openConsolePage(browser, pollux.origin)
        for (let place = left.shift(); place !== undefined; place = left.shift()) {
          found.push(...(await barriersAt(page, place)))
        }
        // Refusals that a screen shows are wanted.
        found.push(...complaints.filter(text => !text.startsWith('Failed to load resource')))
        await page.context().close()
      }
      await Promise.all(Array.from({ length: PAGES }, walk))
      expect(found).toEqual([])
    },
    TEST_MS,
  )
})
