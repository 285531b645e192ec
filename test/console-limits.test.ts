/** The screens of limits and tiers in Debian's Chromium against a real Pollux. */
import { expect, it } from 'vitest'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { TIERS_V1 } from '../src/contract/quotas.v1.ts'
import { openConsolePage } from './console-browser.ts'
import { TEST_MS, describeInChromium, useSite } from './console-suite.ts'
import { send } from './traffic.ts'

const MODEL = 'gemini-3.8-flash'
const PROJECT = 'busy-shop'

let keyString = ''

const site = useSite({
  async furnish(pollux) {
    await pollux.client.call(POLLUX_V1.createProject, { body: { projectId: PROJECT } })
    const key = await pollux.client.call(POLLUX_V1.createKey, {
      params: { project: PROJECT },
      query: { keyId: 'web' },
      body: { displayName: 'Checkout' },
    })
    keyString = key.keyString ?? ''
  },
})

describeInChromium('limits in the console', () => {
  const callOnce = async (): Promise<number> =>
    (await send(site.pollux.origin, { keyString, model: MODEL })).status

  it(
    'a limit that is set binds the next call, is seen to be full, and says whom it refused',
    async () => {
      const { page, complaints } = await openConsolePage(
        site.browser,
        `${site.pollux.origin}/limits?project=${PROJECT}`,
      )
      await page.getByText('Nothing limits how fast this project calls').waitFor()
      expect(await callOnce()).toBe(200)

      await page.getByRole('button', { name: 'Set a limit' }).first().click()
      const dialog = page.getByRole('dialog')
      const confirm = dialog.getByRole('button', { name: 'Set the limit' })
      expect(await confirm.isDisabled()).toBe(true)
      await dialog.getByLabel('At most').fill('many')
      await dialog.getByText('Use a whole number from 0').waitFor()
      await dialog.getByLabel('What is counted').selectOption('requestsPerDay')
      await dialog.getByLabel('At most').fill('1')
      await confirm.click()
      await dialog.waitFor({ state: 'detached' })
      expect([await callOnce(), await callOnce(), await callOnce()]).toEqual([200, 429, 429])

      const rates = page.getByRole('region', { name: 'Rates by model' })
      await rates.getByRole('img', { name: 'Requests a day: 1 of 1' }).waitFor()
      const refused = page.getByRole('region', { name: 'Refused calls' })
      await refused.getByRole('row', { name: /Requests a day.*gemini-3\.8-flash.*Checkout.*2/ }).waitFor()

      await page.getByRole('button', { name: /^Remove Requests a day/ }).click()
      await page.getByText('Nothing limits how fast this project calls').waitFor()
      expect(await callOnce()).toBe(200)
      await page.getByRole('button', { name: 'Undo' }).click()
      await page.getByRole('button', { name: /^Change Requests a day/ }).waitFor()
      expect(await callOnce()).toBe(429)
      expect(complaints).toEqual([])
      await page.context().close()
    },
    TEST_MS,
  )

  it(
    'one’s own tier is made from a published one by keyboard, changed, and deleted',
    async () => {
      const { page, complaints } = await openConsolePage(
        site.browser,
        `${site.pollux.origin}/limits/tiers/free`,
      )
      await page.getByText('Published, not to be changed').waitFor()
      expect(await page.getByRole('textbox').count()).toBe(0)
      await page.getByRole('link', { name: 'Make your own from it' }).focus()
      await page.keyboard.press('Enter')
      await page.getByLabel('Id', { exact: true }).focus()
      await page.keyboard.type('interns')
      const rate = page.getByLabel(`Requests a minute, ${MODEL}`)
      expect(await rate.inputValue()).toBe('5')
      await rate.fill('7')
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: 'interns' }).waitFor()
      const read = () => site.pollux.client.call(TIERS_V1.getTier, { params: { tier: 'interns' } })
      const limitOf = async () =>
        (await read()).limits?.find(({ metric, model }) => metric === 'requestsPerMinute' && model === MODEL)
          ?.value
      expect(await limitOf()).toBe('7')
      // On one line each, as their inputs are.
      const model = await page.getByRole('rowheader', { name: MODEL, exact: true }).boundingBox()
      expect(model?.width).toBeGreaterThan(140)

      await page.getByLabel(`Requests a minute, ${MODEL}`).fill('x')
      await page.getByText(`${MODEL}: `).waitFor()
      expect(await page.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true)
      await page.getByLabel(`Requests a minute, ${MODEL}`).fill('8')
      await page.getByRole('button', { name: 'Save' }).click()
      await page.getByRole('heading', { name: 'Tiers' }).waitFor()
      expect(await limitOf()).toBe('8')

      await page.getByRole('link', { name: 'interns' }).click()
      await page.getByRole('button', { name: 'Delete' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
      await page.getByRole('heading', { name: 'Tiers' }).waitFor()
      await expect(read()).rejects.toMatchObject({ reason: 'RESOURCE_NOT_FOUND' })
      await page.getByRole('link', { name: 'Free' }).waitFor()
      await page.getByRole('link', { name: 'interns' }).waitFor({ state: 'detached' })
      expect(complaints).toEqual([])
      await page.context().close()
    },
    TEST_MS,
  )
})
