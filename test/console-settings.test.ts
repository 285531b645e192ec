/** Settings and the frame in Debian's Chromium against a real Pollux: one's own account, the palette, what is not as usual. */
import type { Page } from 'playwright-core'
import { expect, it, onTestFinished } from 'vitest'
import { AUDIT_V1 } from '../src/contract/audit.v1.ts'
import { KEY_BUDGETS_V1 } from '../src/contract/budgets.v1.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { SERVER_V1 } from '../src/contract/server.v1.ts'
import { openConsolePage, openPage } from './console-browser.ts'
import { TEST_MS, addAuthenticator, describeInChromium, useSite } from './console-suite.ts'
import { OWNER, PASSWORD, TestBrowser, ageProofs, setUpOwner } from './people.ts'
import { freePort, startPollux } from './pollux.ts'

const PROJECT = 'default-project'
const NEXT_PASSWORD = 'quartz-lantern-meadow-83'

/** Passkeys belong to a name. */
let origin: string
let port: number

const site = useSite({
  async start() {
    port = await freePort()
    origin = `http://localhost:${port}`
    return await startPollux({ port })
  },
  async furnish({ client }) {
    await setUpOwner({ client, port })
  },
})

describeInChromium('settings', () => {
  it(
    'adds a passkey and takes it away, each after a fresh proof',
    async () => {
      const { page } = await signedIn('/settings', PASSWORD)
      await addAuthenticator(page)
      await page.getByText('None yet. A passkey is kept by your device').waitFor()
      ageProofs(site.pollux)
      await page.getByLabel('Name of the device').fill('Laptop')
      await page.getByRole('button', { name: 'Add a passkey' }).click()
      await prove(page, PASSWORD)
      await page.getByRole('row', { name: /Laptop/ }).waitFor()
      await page.getByRole('button', { name: 'Remove passkey Laptop' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click()
      await page.getByText('None yet. A passkey is kept by your device').waitFor()
      await page.context().close()
    },
    TEST_MS,
  )

  it(
    'changes the password, which ends the other sessions, and says what is wrong with a weak one',
    async () => {
      const other = new TestBrowser({ port })
      expect((await other.signIn()).status).toBe(200)
      const { page } = await signedIn('/settings', PASSWORD)
      await page.getByLabel('New password').fill('password1234')
      await page.keyboard.press('Enter')
      await page.getByText('It is on lists of leaked passwords').waitFor()
      await page.getByLabel('New password').fill(NEXT_PASSWORD)
      await page.keyboard.press('Enter')
      await page.getByText('The password is set').waitFor()
      expect((await other.ask('GET', '/pollux/v1/session')).status).toBe(401)
      expect((await new TestBrowser({ port }).signIn(OWNER, NEXT_PASSWORD)).status).toBe(200)
      await page.context().close()
    },
    TEST_MS,
  )

  it('wears the colours that one chooses, in the rail and in the settings alike', async () => {
    const { page } = await openConsolePage(site.browser, `${origin}/settings`)
    const worn = () => page.evaluate<string>('document.documentElement.dataset.theme')
    await page.getByLabel('Dark').check()
    expect(await worn()).toBe('dark')
    await page.getByRole('button', { name: 'Theme: dark. Change to system' }).click()
    expect(await page.getByLabel('As the system').isChecked()).toBe(true)
    expect(await worn()).toBe('system')
    await page.context().close()
  })

  it('seals the secrets anew, and says what the server is', async () => {
    const { page } = await openConsolePage(site.browser, `${origin}/settings/server`)
    await page.getByText('Nothing is away').waitFor()
    const { version, degradedModes } = await site.pollux.client.call(SERVER_V1.getServer, {})
    expect(degradedModes).toEqual([])
    await page.getByRole('main').getByText(version, { exact: true }).waitFor()
    await page.getByRole('button', { name: 'Seal anew and verify' }).click()
    await page.getByText('every secret there is').waitFor()
    await page.context().close()
  })
})

describeInChromium('the frame', () => {
  it('goes by the clock of the browser, and says by which, but for usage, which goes by UTC', async () => {
    const timeZone = 'America/Los_Angeles'
    const { page } = await openConsolePage(site.browser, `${origin}/audit`, { timezoneId: timeZone })
    const { entries } = await site.pollux.client.call(AUDIT_V1.listAuditEntries, { query: { pageSize: 1 } })
    const timestamp = entries?.[0]?.timestamp ?? ''
    const date = new Intl.DateTimeFormat('en', { timeZone, dateStyle: 'medium' }).format(
      Date.parse(timestamp),
    )
    const time = new Intl.DateTimeFormat('en', { timeZone, timeStyle: 'long' }).format(Date.parse(timestamp))
    await page.getByText(`${date}, ${time}`, { exact: true }).first().waitFor()
    expect(time).toMatch(/ P[SD]T$/)
    await page.getByText(/· America\/Los Angeles · USD$/).waitFor()
    await page.getByRole('link', { name: 'Usage' }).click()
    await page.getByText('Times are UTC').waitFor()
    await page.context().close()
  })

  it('leads to a key, a project and a screen by a few letters and Enter', async () => {
    await site.pollux.client.call(POLLUX_V1.createKey, {
      params: { project: PROJECT },
      query: { keyId: 'order-service' },
      body: { displayName: 'Order service' },
    })
    const { page, complaints } = await openConsolePage(site.browser, `${origin}/keys`)
    await page.getByRole('heading', { name: 'API keys' }).waitFor()
    await goTo(page, 'ord serv')
    await page.getByRole('heading', { name: 'Order service', level: 1 }).waitFor()
    expect(new URL(page.url()).pathname).toBe(`/projects/${PROJECT}/keys/order-service`)
    await goTo(page, 'memb')
    await page.getByRole('heading', { name: 'Members', level: 1 }).waitFor()
    await goTo(page, 'create k')
    await page.getByRole('heading', { name: 'Create key', level: 1 }).waitFor()

    await page.getByRole('button', { name: 'Go to…' }).click()
    await page.getByText('choose, Enter goes there').waitFor()
    await page.keyboard.press('ArrowUp')
    const options = found(page)
    expect(await options.last().getAttribute('aria-selected')).toBe('true')
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    expect(complaints).toEqual([])
    await page.context().close()
  })

  it('says that the console was updated under an open page', async () => {
    const { page } = await openConsolePage(site.browser, `${origin}/keys`)
    const asked = page.waitForResponse(response => response.request().method() === 'HEAD')
    await page.reload()
    await asked
    await page.getByRole('heading', { name: 'API keys' }).waitFor()
    await page.route(`${origin}/`, route => route.fulfill({ status: 200, headers: { etag: '"newer"' } }))
    // As when somebody comes back to the tab.
    await page.evaluate("document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))")
    await page.getByText('The console was updated while this page was open').waitFor()
    await page.unroute(`${origin}/`)
    await page.getByRole('button', { name: 'Load it anew' }).click()
    await page.getByRole('heading', { name: 'API keys' }).waitFor()
    expect(await page.getByText('The console was updated').count()).toBe(0)
    await page.context().close()
  })

  it('counts the caps that are reached, until one hides it', async () => {
    const params = { project: PROJECT, key: 'order-service' }
    await site.pollux.client.call(KEY_BUDGETS_V1.createBudget, {
      params,
      query: { budgetId: 'month' },
      body: { cap: '0' },
    })
    const { page } = await openConsolePage(site.browser, `${origin}/keys`)
    await page.getByText('A cap is reached').waitFor()
    await page.getByRole('link', { name: 'Keys over their caps' }).click()
    await page.getByRole('row', { name: /Order service/ }).waitFor()
    await page.getByRole('button', { name: 'Hide' }).click()
    await page.getByText('A cap is reached').waitFor({ state: 'detached' })
    await page.context().close()
  })

  it('tells an address that leads nowhere, and the way on', async () => {
    const { page } = await openConsolePage(site.browser, `${origin}/members/nowhere/at-all`)
    await page.getByRole('heading', { name: 'There is nothing here' }).waitFor()
    await page.getByRole('link', { name: 'Go to the API keys' }).click()
    await page.getByRole('heading', { name: 'API keys' }).waitFor()
    await page.context().close()
  })

  it(
    'says calmly that the server is away, and shows what is new once it is back',
    async () => {
      const { page } = await openConsolePage(site.browser, `${origin}/keys?q=later`)
      await page.getByText('No key').first().waitFor()
      // Not only answered: an answer that is not read keeps its connection busy.
      const isRead = page.waitForEvent('requestfinished', request => request.url().endsWith('/readyz'))
      await page.reload()
      await isRead
      await site.pollux.kill('SIGTERM')
      await page.getByText('No answer from Pollux').waitFor()
      const again = await startPollux({ port, dataDir: site.pollux.dataDir })
      onTestFinished(() => again.stop())
      await again.client.call(POLLUX_V1.createKey, {
        params: { project: PROJECT },
        query: { keyId: 'later' },
        body: { displayName: 'Made later' },
      })
      await page.getByText('No answer from Pollux').waitFor({ state: 'detached' })
      await page.getByRole('link', { name: 'Made later' }).waitFor()
      await page.context().close()
    },
    TEST_MS,
  )
})

async function goTo(page: Page, letters: string): Promise<void> {
  await page.keyboard.press('Control+k')
  await page.getByRole('combobox', { name: /^Name of/ }).waitFor()
  await page.keyboard.type(letters)
  await found(page).first().waitFor()
  await page.keyboard.press('Enter')
}

function found(page: Page) {
  return page.getByRole('listbox', { name: 'Found' }).getByRole('option')
}

async function signedIn(path: string, password: string) {
  const opened = await openPage(site.browser, `${origin}${path}`)
  await opened.page.getByLabel('E-mail address').fill(OWNER)
  await opened.page.getByLabel('Password', { exact: true }).fill(password)
  await opened.page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await opened.page.getByRole('button', { name: 'Sign out', exact: true }).waitFor()
  return opened
}

async function prove(page: Page, password: string): Promise<void> {
  const dialog = page.getByRole('dialog', { name: 'Is it still you?' })
  await dialog.getByLabel('Password').fill(password)
  await dialog.getByRole('button', { name: 'Go on' }).click()
}
