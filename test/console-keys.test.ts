/** The forms of a key and the list of keys in Debian's Chromium against a real Pollux. */
import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { openConsolePage } from './console-browser.ts'
import { TEST_MS, describeInChromium, readyButton, useSite } from './console-suite.ts'
import { send } from './traffic.ts'

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

  const project = 'default-project'
  const addKey = (keyId: string, body: { displayName: string }) =>
    site.pollux.client.call(POLLUX_V1.createKey, { params: { project }, query: { keyId }, body })
  const patchKey = (key: string, body: { displayName: string } | { allowedModels: string[] }) =>
    site.pollux.client.call(POLLUX_V1.updateKey, {
      params: { project, key },
      query: { updateMask: Object.keys(body).join(',') },
      body,
    })
  const readKey = (key: string) => site.pollux.client.call(POLLUX_V1.getKey, { params: { project, key } })

  it(
    'keeps what is typed when somebody else changes it, and asks whose it shall be',
    async () => {
      await addKey('held', { displayName: 'Held' })
      const path = `/projects/${project}/keys/held/edit`
      const { page } = await openConsolePage(site.browser, `${site.pollux.origin}${path}`)
      const models = page.getByRole('textbox', { name: 'Models' })
      await models.fill('gemini-2.5-pro')
      await patchKey('held', { allowedModels: ['gemini-3.8-flash'] })
      await comeBack(page)
      await page.getByText('The key was changed meanwhile').waitFor()
      expect(await models.inputValue()).toBe('gemini-2.5-pro')
      expect(await page.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true)
      await page.getByRole('button', { name: 'Load what is stored' }).click()
      await expect.poll(() => models.inputValue()).toBe('gemini-3.8-flash')

      // Nothing is typed: the form follows.
      await patchKey('held', { allowedModels: ['gemini-2.5-flash'] })
      await comeBack(page)
      await expect.poll(() => models.inputValue()).toBe('gemini-2.5-flash')

      // The screen learns of it by being refused.
      await models.fill('gemini-2.5-pro')
      await patchKey('held', { displayName: 'Theirs' })
      await page.getByRole('button', { name: 'Save' }).click()
      await page.getByText('The key was changed meanwhile').waitFor()
      expect(await models.inputValue()).toBe('gemini-2.5-pro')
      await page.getByRole('button', { name: 'Keep mine' }).click()
      await (await readyButton(page, 'Save')).click()
      await page.getByRole('heading', { name: 'Usage this month' }).waitFor()
      expect(await readKey('held')).toMatchObject({ displayName: 'Held', allowedModels: ['gemini-2.5-pro'] })
      await page.context().close()
    },
    TEST_MS,
  )

  it(
    'is saved once, however often Save is pressed',
    async () => {
      await addKey('pressed', { displayName: 'Pressed' })
      const path = `/projects/${project}/keys/pressed/edit`
      const { page, complaints } = await openConsolePage(site.browser, `${site.pollux.origin}${path}`)
      let patches = 0
      page.on('request', request => {
        if (request.method() === 'PATCH') patches += 1
      })
      await page.getByLabel('Name', { exact: true }).fill('Pressed twice')
      await (await readyButton(page, 'Save')).dblclick()
      await page.getByRole('heading', { name: 'Pressed twice', exact: true }).waitFor()
      expect([patches, complaints]).toEqual([1, []])
      await page.context().close()
    },
    TEST_MS,
  )

  it(
    'is made under a free id after one that went again, and after one that somebody else took',
    async () => {
      const { page } = await openConsolePage(
        site.browser,
        `${site.pollux.origin}/keys/new?name=Burnt&cap=5&project=${project}`,
      )
      await page.route(/burnt.budgets/, route => route.abort(), { times: 1 })
      await (await readyButton(page, 'Create key')).click()
      await page.getByText('No answer from').waitFor()
      expect((await readKey('burnt')).state).toBe('DELETED')
      // The keys are not read again before it is pressed: the answer says that the id is taken.
      await page.route(/pollux.v1.keys\?/, route => route.abort())
      await addKey('burnt-2', { displayName: 'Burnt' })
      await (await readyButton(page, 'Create key')).click()
      await page.getByRole('heading', { name: 'Burnt is ready' }).waitFor()
      expect((await readKey('burnt-3')).state).toBe('ACTIVE')
      await page.context().close()
    },
    TEST_MS,
  )

  it(
    'says why it was not made, even if it could not be taken back',
    async () => {
      const { page } = await openConsolePage(
        site.browser,
        `${site.pollux.origin}/keys/new?name=Stays&cap=5&project=${project}`,
      )
      await page.route(/stays.budgets/, route => route.abort())
      await page.route(
        url => url.pathname.endsWith('/keys/stays'),
        route => route.continue({ url: `${route.request().url()}-not` }),
      )
      await (await readyButton(page, 'Create key')).click()
      await page.getByText('The key was not made').waitFor()
      expect(await page.getByRole('alert').textContent()).toMatch(/No answer from/)
      await page.context().close()
    },
    TEST_MS,
  )

  it(
    'is tried with a model and a method that it may call, where this browser may use it',
    async () => {
      const { page, complaints } = await openConsolePage(site.browser, `${site.pollux.origin}/keys`)
      const make = async (search: string): Promise<void> => {
        await page.goto(`${site.pollux.origin}/keys/new?project=${project}&${search}`)
        await (await readyButton(page, 'Create key')).click()
        await page.getByRole('button', { name: 'Copy key' }).click()
        await page.getByRole('button', { name: 'Copied' }).waitFor()
      }
      for (const [models, said] of [
        ['gemini-embedding-001', 'A vector of'],
        ['gemini-2.5-pro*', 'gemini-2.5-pro'],
      ]) {
        await make(`models=${models}`)
        await (await readyButton(page, 'Run it')).click()
        const outcome = page.locator('.notice--fine')
        await outcome.waitFor()
        expect(await outcome.textContent()).toMatch(/^The first call was answered/)
        expect(await outcome.textContent()).toContain(said)
      }
      await make('template=browser&referrers=shop.example/*')
      await page.getByText('This browser cannot make the call with the key. Requests from referer').waitFor()
      expect(await page.getByRole('button', { name: 'Run it' }).isDisabled()).toBe(true)
      await make('addresses=203.0.113.7')
      await page.getByText('This browser cannot make the call with the key. The provided API key').waitFor()
      // Its own pages may.
      await make(`referrers=${site.pollux.origin}/*`)
      await (await readyButton(page, 'Run it')).click()
      await page.getByText('The first call was answered').waitFor()
      expect(complaints).toEqual([])
      await page.context().close()
    },
    TEST_MS,
  )

  it(
    'is not made before somebody has looked at what its address says in vain',
    async () => {
      const { page, complaints } = await openConsolePage(
        site.browser,
        `${site.pollux.origin}/keys/new?project=${project}&name=Vain&methods=nonsense!&period=week&expires=14`,
      )
      await page.getByText('It expires in 14 days.').waitFor()
      await page.getByText('methods=nonsense!').waitFor()
      expect(await page.getByLabel('Expires').inputValue()).toBe('14')
      const create = page.getByRole('button', { name: 'Create key' })
      expect(await create.isDisabled()).toBe(true)
      await page.getByLabel('CountTokens').check()
      await page.getByText('methods=nonsense!').waitFor({ state: 'detached' })
      await page.getByText('period=week').waitFor()
      expect(await create.isDisabled()).toBe(true)
      await page.getByRole('button', { name: 'Go on without it' }).click()
      await (await readyButton(page, 'Create key')).click()
      await page.getByRole('heading', { name: 'Vain is ready' }).waitFor()
      expect(complaints).toEqual([])
      await page.context().close()
    },
    TEST_MS,
  )

  it(
    'leaves its row within the page, however much it says',
    async () => {
      const { keyString = '' } = await site.pollux.client.call(POLLUX_V1.createKey, {
        params: { project },
        query: { keyId: 'wide' },
        body: {
          displayName: 'Nightly invoice reconciliation, second region, standby',
          environment: 'development',
          restrictions: {
            serverKeyRestrictions: { allowedIps: ['127.0.0.1', '2001:db8:1234:5678:9abc:def0::/96'] },
          },
          allowedModels: ['gemini-3.8-flash', 'gemini-embedding-001'],
          expireTime: new Date(Date.now() + 5.5 * 86_400_000).toISOString(),
        },
      })
      expect((await send(site.pollux.origin, { keyString, model: 'gemini-3.8-flash' })).status).toBe(200)
      const { page } = await openConsolePage(site.browser, `${site.pollux.origin}/keys`, {
        viewport: { width: 1_280, height: 720 },
      })
      const row = page.getByRole('row', { name: /Nightly invoice/ })
      for (let tries = 0; tries < 20 && (await row.getByText(/^\$0\.0*[1-9]/).count()) === 0; tries++) {
        await page.reload()
        await row
          .getByText(/^\$0\.0*[1-9]/)
          .waitFor({ timeout: 2_000 })
          .catch(() => null)
      }
      await row.getByText('this month, no cap').waitFor()
      for (const width of [1_280, 1_030]) {
        await page.setViewportSize({ width, height: 720 })
        const [table, room] = await page.evaluate<readonly [number, number]>(
          '[document.querySelector(".keys").getBoundingClientRect().right, document.documentElement.clientWidth]',
        )
        expect([width, table]).toEqual([width, expect.toSatisfy((right: number) => right <= room)])
      }
      await page.context().close()
    },
    TEST_MS,
  )

  it(
    'is shown on its page by an element that is there, and keeps its own while it stays',
    async () => {
      const names = Array.from({ length: 60 }, (_, at) => `Turned ${String(at + 1).padStart(2, '0')}`)
      for (const displayName of names)
        await addKey(displayName.toLowerCase().replace(' ', '-'), { displayName })
      const { page, complaints } = await openConsolePage(
        site.browser,
        `${site.pollux.origin}/keys?q=turned&sort=name`,
      )
      await page.getByText('1 to 50 of 60 keys').waitFor()
      await page.evaluate('for (const row of document.querySelectorAll(".keys__row")) row.wasThere = true')
      await page.getByRole('button', { name: 'Next' }).click()
      await page.getByText('51 to 60 of 60 keys').waitFor()
      expect(new URL(page.url()).search).toBe('?q=turned&sort=name&page=2')
      expect(await page.locator('.keys__row .keys__name').allInnerTexts()).toEqual(names.slice(50))
      expect(
        await page.evaluate('[...document.querySelectorAll(".keys__row")].map(row => row.wasThere)'),
      ).toEqual(names.slice(50).map(() => true))
      await page.getByRole('button', { name: 'Previous' }).click()
      await page.getByText('1 to 50 of 60 keys').waitFor()
      expect(await page.locator('.keys__row .keys__name').allInnerTexts()).toEqual(names.slice(0, 50))

      // One comes before it: the focus goes with the key.
      const focused = page.locator(':focus')
      await page.getByRole('button', { name: 'Actions for Turned 49' }).focus()
      await addKey('turned-00', { displayName: 'Turned 00' })
      await comeBack(page)
      await page.getByRole('link', { name: 'Turned 00' }).waitFor()
      expect(await focused.getAttribute('aria-label')).toBe('Actions for Turned 49')

      // It goes: the focus is nobody's, least of all that of the key which is shown in its place.
      await site.pollux.client.call(POLLUX_V1.deleteKey, { params: { project, key: 'turned-49' } })
      await comeBack(page)
      await page.getByRole('link', { name: 'Turned 50' }).waitFor()
      expect([await focused.count(), complaints]).toEqual([0, []])
      await page.context().close()
    },
    TEST_MS,
  )
})

/** Another window had the focus for a minute: what is older than some seconds is read again. */
async function comeBack(page: Page): Promise<void> {
  await page.evaluate(
    `{ const { now } = Date; Date.now = () => now() + 60_000; dispatchEvent(new Event('visibilitychange')) }`,
  )
}
