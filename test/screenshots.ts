/**
 * Photographs every screen of the console, light and dark, into docs/screenshots. Run: `node test/screenshots.ts`, or
 * `node test/screenshots.ts --to FOLDER NAME...` for the named ones into another folder.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { builtConsole, launchBrowser, openConsolePage } from './console-browser.ts'
import { furnish } from './console-furniture.ts'
import { startPollux } from './pollux.ts'

const { values, positionals: names } = parseArgs({
  options: { to: { type: 'string', default: join(import.meta.dirname, '..', 'docs', 'screenshots') } },
  allowPositionals: true,
})
const VIEWPORT = { width: 1280, height: 800 }

await builtConsole()
await mkdir(values.to, { recursive: true })
const [pollux, fresh] = await Promise.all([startPollux(), startPollux()])
const browser = await launchBrowser()
try {
  const places = await furnish(pollux, fresh)
  const screens = places.filter(({ name }) => names.length === 0 || names.includes(name))
  for (const colorScheme of ['light', 'dark'] as const) {
    const { page } = await openConsolePage(browser, pollux.origin, {
      colorScheme,
      viewport: VIEWPORT,
      reducedMotion: 'reduce',
    })
    for (const { name, url, prepare } of screens) {
      await page.goto(url)
      await page.waitForLoadState('networkidle')
      await prepare?.(page)
      await page.screenshot({ path: join(values.to, `${name}-${colorScheme}.png`), fullPage: true })
    }
    await page.context().close()
  }
} finally {
  await browser.close()
  await pollux.stop()
  await fresh.stop()
}
