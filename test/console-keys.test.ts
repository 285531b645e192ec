/** The forms of a key in Debian's Chromium against a real Pollux. */
import { expect, it } from 'vitest'
import { openConsolePage } from './console-browser.ts'
import { TEST_MS, describeInChromium, readyButton, useSite } from './console-suite.ts'

const site = useSite()

describeInChromium('a key in the console', () => {
  it(
    'is what the template says that was chosen last',
    async () => {
      const { page, complaints } = await openConsolePage(
        site.browser,
        `${site.pollux.origin}/keys/new?name=Shop&template=browser&referrers=shop.example`,
      )
      await readyButton(page, 'Create key')
      const template = page.getByLabel('Template')
      expect(await template.inputValue()).toBe('browser')
      await template.selectOption('ci')
      await page.getByText('on every model, without tools, from anywhere').waitFor()
      await template.selectOption('server')
      await page.getByLabel('IP addresses', { exact: true }).last().fill('203.0.113.7')
      await page
        .getByText(
          'May call every method, on every model, with every tool, from the address 203.0.113.7. ' +
            'Spends at most $50.00 a month, to the nano-dollar; answers are cut to fit what is left. It never expires.',
        )
        .waitFor()
      expect(await template.inputValue()).toBe('server')
      expect(await page.getByLabel('Name', { exact: true }).inputValue()).toBe('Shop')
      expect(new URL(page.url()).search).toBe('?template=server&name=Shop')
      expect(complaints).toEqual([])
      await page.context().close()
    },
    TEST_MS,
  )
})
