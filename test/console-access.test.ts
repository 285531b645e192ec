/** Barriers (axe, WCAG 2.2 AA) on every screen of the console, in every colour scheme and at 320 CSS pixels. */
import { existsSync } from 'node:fs'
import { AxeBuilder } from '@axe-core/playwright'
import type { Browser, BrowserContextOptions } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CHROMIUM, builtConsole, launchBrowser, openConsolePage } from './console-browser.ts'
import { type Place, furnish } from './console-furniture.ts'
import { type Pollux, startPollux } from './pollux.ts'

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
const TEST_MS = 300_000

/** 320 CSS pixels are a window of 1280 at 400 % (WCAG 1.4.10). */
const LOOKS: readonly (readonly [string, BrowserContextOptions])[] = [
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['forced colours', { forcedColors: 'active' }],
  ['320 px', { viewport: { width: 320, height: 640 } }],
]

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

  it.each(LOOKS)(
    'in %s',
    async (_, options) => {
      const { page, complaints } = await openConsolePage(browser, pollux.origin, {
        reducedMotion: 'reduce',
        ...options,
      })
      const found: unknown[] = []
      for (const { name, url, prepare } of screens) {
        await page.goto(url)
        await page.waitForLoadState('networkidle')
        await prepare?.(page)
        const { violations } = await new AxeBuilder({ page }).withTags(TAGS).analyze()
        found.push(...violations.map(({ id, nodes }) => [name, id, nodes.map(node => node.html)]))
        const widths = await page.evaluate<number[]>('[document.documentElement.scrollWidth, innerWidth]')
        if ((widths[0] ?? 0) > (widths[1] ?? 0)) found.push([name, 'scrolls sideways', widths])
      }
      expect(found).toEqual([])
      // Refusals that a screen shows are wanted.
      expect(complaints.filter(text => !text.startsWith('Failed to load resource'))).toEqual([])
      await page.context().close()
    },
    TEST_MS,
  )
})
