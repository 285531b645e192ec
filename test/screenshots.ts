/**
 * Photographs every screen of the console, light and dark, into docs/screenshots. Run: `node test/screenshots.ts`, or
 * `node test/screenshots.ts --to FOLDER NAME...` for the named ones into another folder.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { builtConsole, launchBrowser, openConsolePage } from './console-browser.ts'
import { furnish } from './console-furniture.ts'
import { startPollux } from './pollux.ts'

const { values, positionals: names } = parseArgs({
  options: { to: { type: 'string', default: join(import.meta.dirname, '..', 'docs', 'screenshots') } },
  allowPositionals: true,
})
/** Screens that say more with a month of calls: they are of a demo. */
const OF_DEMO = new Map([
  ['keys', '/keys'],
  ['usage', '/usage'],
  ['usage-keys', '/usage?group=key&metric=calls&project=web-shop'],
  ['spend', '/spend'],
])
const VIEWPORT = { width: 1280, height: 800 }

await builtConsole()
await mkdir(values.to, { recursive: true })
const [pollux, fresh] = await Promise.all([startPollux(), startPollux()])
const demo = await startPollux({ args: ['--demo'] })
const browser = await launchBrowser()
try {
  const places = await furnish(pollux, fresh)
  // A report waits until every call is counted, and with it when each key was last used.
  await demo.client.call(POLLUX_V1.searchUsage, { query: { granularity: 'day', groupBy: [] } })
  const screens = places.filter(({ name }) => names.length === 0 || names.includes(name))
  const { page } = await openConsolePage(browser, pollux.origin, {
    viewport: VIEWPORT,
    reducedMotion: 'reduce',
  })
  for (const { name, url, prepare } of screens) {
    const ofDemo = OF_DEMO.get(name)
    await page.goto(ofDemo === undefined ? url : `${demo.origin}${ofDemo}`)
    await page.waitForLoadState('networkidle')
    await prepare?.(page)
    await page.evaluate('scrollTo(0, 0)')
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme })
      await page.screenshot({ path: join(values.to, `${name}-${colorScheme}.png`), fullPage: true })
    }
  }
} finally {
  await browser.close()
  await pollux.stop()
  await fresh.stop()
  await demo.stop()
}
