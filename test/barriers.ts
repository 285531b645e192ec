/** What stands in the way on one screen: axe's findings (WCAG 2.2 AA) in every look, and sideways scrolling. */
import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'
import type { Place } from './console-furniture.ts'

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
const WIDE = { width: 1280, height: 800 }
/** 320 CSS pixels are a window of 1280 at 400 % (WCAG 1.4.10). */
const NARROW = { width: 320, height: 640 }
/** These change colours alone, so only colours are asked for: one visit serves every look. */
const COLOURS = [
  ['dark', { colorScheme: 'dark', forcedColors: 'none' }],
  ['forced colours', { colorScheme: 'light', forcedColors: 'active' }],
] as const

/** Goes to the place once and answers everything found there, each with the place and the look. */
export async function barriersAt(page: Page, { name, url, prepare }: Place): Promise<unknown[]> {
  const found: unknown[] = []
  const analyze = async (look: string, axe: AxeBuilder) => {
    const { violations } = await axe.analyze()
    found.push(...violations.map(({ id, nodes }) => [name, look, id, nodes.map(node => node.html)]))
  }
  await page.setViewportSize(WIDE)
  await page.emulateMedia({ colorScheme: 'light', forcedColors: 'none', reducedMotion: 'reduce' })
  await page.goto(url)
  await page.waitForLoadState('networkidle')
  await prepare?.(page)
  await analyze('light', on(page).withTags(TAGS))
  for (const [look, media] of COLOURS) {
    await page.emulateMedia(media)
    await analyze(look, on(page).withRules('color-contrast'))
  }
  await page.emulateMedia({ colorScheme: 'light', forcedColors: 'none' })
  await page.setViewportSize(NARROW)
  await analyze('320 px', on(page).withTags(TAGS).disableRules('color-contrast'))
  const [content = 0, window = 0] = await page.evaluate<number[]>(
    '[document.documentElement.scrollWidth, innerWidth]',
  )
  if (content > window) found.push([name, '320 px', 'scrolls sideways', content])
  return found
}

/** Of one frame, as the console has no others: then axe needs no second page to put its findings together. */
function on(page: Page): AxeBuilder {
  return new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ['violations'] })
}
