/** The console in Debian's Chromium against a real Pollux: the whole life of a key, by mouse and by keyboard alone. */
import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { openConsolePage } from './console-browser.ts'
import { TEST_MS, describeInChromium, readyButton, useSite } from './console-suite.ts'
import { ADMIN_TOKEN } from './pollux.ts'
import { send } from './traffic.ts'

const MODEL = 'gemini-3.8-flash'

const site = useSite()

describeInChromium('the console', () => {
  /** The HTTP status of a call with this key. */
  const callWith = async (keyString: string): Promise<number> =>
    (await send(site.pollux.origin, { keyString, model: MODEL })).status

  it(
    'takes a key from creation to undeletion by mouse',
    async () => {
      const { page, complaints } = await openConsolePage(site.browser, site.pollux.origin)
      await page.getByRole('link', { name: 'Create key' }).first().click()
      await page.getByLabel('Name', { exact: true }).fill('Checkout')
      await page.getByLabel('production').check()
      await page.getByLabel('Cap in dollars').fill('10.00')
      await expect.poll(() => page.getByText('Spends at most $10.00 a month').count()).toBe(1)
      await page.getByRole('button', { name: 'Create key' }).click()

      await page.getByRole('button', { name: 'Copy key' }).click()
      await page.getByRole('button', { name: 'Copied' }).waitFor()
      const keyString = await page.evaluate<string>('navigator.clipboard.readText()')
      expect(keyString).toMatch(/^plx_\w{36}$/)
      await page.getByRole('button', { name: 'Run it' }).click()
      await page.getByText('The first call was answered').waitFor()
      await page.getByRole('link', { name: 'Go to the key' }).click()

      await usageOf(page)
      expect(await page.content()).not.toContain(keyString)

      await page.getByRole('link', { name: 'Edit restrictions' }).click()
      await page.getByLabel('IP addresses').check()
      await page.getByLabel('IP addresses', { exact: true }).last().fill('203.0.113.7')
      await page.getByRole('button', { name: 'Save' }).click()
      // The address alone also stands in the form, before it is saved.
      await page.getByRole('heading', { name: 'Usage this month' }).waitFor()
      await page.getByText('203.0.113.7', { exact: true }).waitFor()
      expect(await callWith(keyString)).toBe(403)

      await page.getByRole('link', { name: 'API keys' }).click()
      await choose(page, 'View usage')
      await sumOf(page, 'Checkout')
      await page.getByRole('link', { name: 'API keys' }).click()
      await choose(page, 'Disable')
      await row(page, 'Disabled').waitFor()
      expect(await callWith(keyString)).toBe(400)
      await page.getByRole('button', { name: 'Undo' }).click()
      await row(page, 'Active').waitFor()

      await choose(page, 'Delete')
      const confirm = page.getByRole('dialog').getByRole('button', { name: 'Delete' })
      expect(await confirm.isDisabled()).toBe(true)
      await page.getByLabel('Type Checkout to delete it').fill('Checkout')
      await confirm.click()
      await page.getByRole('row', { name: /Checkout/ }).waitFor({ state: 'detached' })

      await page.getByLabel('Status').selectOption('deleted')
      expect(new URL(page.url()).searchParams.get('status')).toBe('deleted')
      await choose(page, 'Undelete')
      await page.getByLabel('Status').selectOption('')
      await row(page, 'Active').waitFor()
      expect(complaints).toEqual([])
      await page.context().close()
    },
    TEST_MS,
  )

  it(
    'takes a key from creation to undeletion by keyboard alone',
    async () => {
      const { page, complaints } = await openConsolePage(site.browser, site.pollux.origin)
      await press(page, page.getByRole('link', { name: 'Create key' }).first(), 'Enter')
      await tabTo(page, page.getByLabel('Name', { exact: true }))
      await page.keyboard.type('Night job')
      // Enter does nothing before the project is known.
      await readyButton(page, 'Create key')
      await page.keyboard.press('Enter')

      await press(page, page.getByRole('button', { name: 'Copy key' }), 'Enter')
      await page.getByRole('button', { name: 'Copied' }).waitFor()
      const keyString = await page.evaluate<string>('navigator.clipboard.readText()')
      await press(page, page.getByRole('button', { name: 'Run it' }), 'Space')
      await page.getByText('The first call was answered').waitFor()
      await press(page, page.getByRole('link', { name: 'Go to the key' }), 'Enter')
      await usageOf(page)

      await press(page, page.getByRole('link', { name: 'Edit restrictions' }), 'Enter')
      await tabTo(page, page.getByRole('textbox', { name: 'Models' }))
      await page.keyboard.type('gemini-2.5-pro')
      await press(page, page.getByRole('button', { name: 'Save' }), 'Enter')
      await page.getByRole('heading', { name: 'Usage this month' }).waitFor()
      expect(await callWith(keyString)).toBe(403)

      await press(page, page.getByRole('link', { name: 'API keys' }), 'Enter')
      await chooseByKeyboard(page, 'View usage')
      await sumOf(page, 'Night job')
      await press(page, page.getByRole('link', { name: 'API keys' }), 'Enter')
      await chooseByKeyboard(page, 'Disable')
      await row(page, 'Disabled', 'Night job').waitFor()
      expect(await callWith(keyString)).toBe(400)
      await chooseByKeyboard(page, 'Delete')
      await tabTo(page, page.getByLabel('Type Night job to delete it'))
      await page.keyboard.type('Night job')
      await page.keyboard.press('Enter')
      await page.getByRole('row', { name: /Night job/ }).waitFor({ state: 'detached' })

      await tabTo(page, page.getByLabel('Status'))
      await page.keyboard.type('Del')
      await chooseByKeyboard(page, 'Undelete')
      // No key is left that the filter would show.
      await page.getByText('No key matches').waitFor()
      await tabTo(page, page.getByLabel('Status'))
      await page.keyboard.type('Sta')
      await row(page, 'Disabled', 'Night job').waitFor()
      const params = { project: 'default-project', key: 'night-job' }
      expect((await site.pollux.client.call(POLLUX_V1.getKey, { params })).state).toBe('DISABLED')
      expect(complaints).toEqual([])
      await page.context().close()
    },
    TEST_MS,
  )

  it('lets in who has a management token, and keeps out who has none', async () => {
    const context = await site.browser.newContext()
    const page = await context.newPage()
    await page.goto(`${site.pollux.origin}/projects?from=mail`)
    await page.getByText('Use a management token instead').click()
    await page.getByLabel('Management token').fill('plx_pat_000000000000000000000000000000000000')
    await page.getByRole('button', { name: 'Sign in with the token' }).click()
    await page.getByRole('alert').getByText('Not signed in').waitFor()
    expect(await page.getByRole('alert').textContent()).toMatch(/request [0-9a-f-]{36}/)
    await page.getByLabel('Management token').fill(ADMIN_TOKEN)
    await page.getByRole('button', { name: 'Sign in with the token' }).click()
    await page.getByRole('heading', { name: 'Projects' }).waitFor()
    expect(page.url()).toBe(`${site.pollux.origin}/projects?from=mail`)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByText('Use a management token instead').waitFor()
    await context.close()
  })

  it('asks once before a key is left behind that nobody took', async () => {
    const { page } = await openConsolePage(site.browser, site.pollux.origin)
    await page.goto(`${site.pollux.origin}/keys/new?name=Forgotten`)
    await page.getByRole('button', { name: 'Create key' }).click()
    await page.getByRole('link', { name: 'Go to the key' }).click()
    await page.getByRole('dialog', { name: 'Leave without the key?' }).waitFor()
    await page.getByRole('button', { name: 'Leave without it' }).click()
    await page.getByRole('heading', { name: 'Forgotten' }).waitFor()
    await page.context().close()
  })

  it('says which rule would refuse a described request', async () => {
    await site.pollux.client.call(POLLUX_V1.createKey, {
      params: { project: 'default-project' },
      query: { keyId: 'bound' },
      body: { displayName: 'Bound', allowedModels: [MODEL] },
    })
    const { page } = await openConsolePage(
      site.browser,
      `${site.pollux.origin}/projects/default-project/keys/bound`,
    )
    await page.getByLabel('Model', { exact: true }).fill('gemini-2.5-pro')
    await page.getByRole('button', { name: 'Test', exact: true }).click()
    await page.getByText('This call would be refused').waitFor()
    await page.getByText('Requests to model gemini-2.5-pro are blocked for this API key.').waitFor()
    await page.getByLabel('Model', { exact: true }).fill(MODEL)
    await page.getByRole('button', { name: 'Test', exact: true }).click()
    await page.getByText('This call would be let in').waitFor()
    await page.context().close()
  })
})

/** Waits until the one call is in the usage: rollups follow a call by a second. */
async function usageOf(page: Page): Promise<void> {
  const cell = page.getByRole('row', { name: new RegExp(MODEL) })
  // A reload before the screen is there would be one of the screen before.
  await page.getByRole('heading', { name: 'Usage this month' }).waitFor()
  for (let tries = 0; tries < 20 && (await cell.count()) === 0; tries++) {
    await page.reload()
    await page.getByRole('heading', { name: 'Usage this month' }).waitFor()
    await cell.waitFor({ timeout: 1_000 }).catch(() => null)
  }
  expect(await cell.getByRole('cell').nth(1).textContent()).toBe('1')
}

/** On the screen of usage, with the key preset: the one call that was let in, and its cost. */
async function sumOf(page: Page, name: string): Promise<void> {
  await page.getByRole('heading', { name: 'Usage', exact: true }).waitFor()
  expect(new URL(page.url()).searchParams.get('key')).toBe(name.toLowerCase().replace(' ', '-'))
  const sum = page
    .getByRole('region', { name: 'Usage by model' })
    .getByRole('row', { name: new RegExp(MODEL) })
  await sum.waitFor()
  expect(await sum.getByRole('cell').first().textContent()).toBe('1')
  expect(await sum.getByRole('cell').last().textContent()).toMatch(/^\$0\.0*[1-9]/)
}

function row(page: Page, status: string, name = 'Checkout') {
  return page.getByRole('row', { name: new RegExp(`${name}.*${status}`) })
}

async function choose(page: Page, item: string): Promise<void> {
  await page.getByRole('button', { name: 'Actions for Checkout' }).click()
  await page.getByRole('menuitem', { name: item, exact: true }).click()
}

type Target = ReturnType<Page['getByRole']>

const TABS_MAX = 150

/** Presses Tab until the target has the focus, as a hand would. */
async function tabTo(page: Page, target: Target): Promise<void> {
  await target.waitFor()
  for (let tabs = 0; tabs < TABS_MAX; tabs++) {
    if (await target.evaluate(element => element === element.ownerDocument.activeElement)) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`${TABS_MAX} tabs did not lead to ${String(target)}`)
}

async function press(page: Page, target: Target, key: string): Promise<void> {
  await tabTo(page, target)
  await page.keyboard.press(key)
}

async function chooseByKeyboard(page: Page, item: string): Promise<void> {
  await press(page, page.getByRole('button', { name: 'Actions for Night job' }), 'Enter')
  const target = page.getByRole('menuitem', { name: item, exact: true })
  // A key that comes before the menu has the focus would be pressed on its button.
  await page.locator('[role=menuitem]:focus').waitFor()
  for (let moves = 0; moves < 12; moves++) {
    if (await target.evaluate(element => element === element.ownerDocument.activeElement)) break
    await page.keyboard.press('ArrowDown')
  }
  await page.keyboard.press('Enter')
  await target.waitFor({ state: 'detached' })
}
