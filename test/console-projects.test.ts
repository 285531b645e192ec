/** The screens of projects in Debian's Chromium against a real Pollux. */
import { existsSync } from 'node:fs'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { CHROMIUM, builtConsole, launchBrowser, openConsolePage, openPage } from './console-browser.ts'
import { OWNER, PASSWORD, ageProofs, setUpOwner } from './people.ts'
import { type Pollux, startPollux } from './pollux.ts'

const TEST_MS = 120_000

let pollux: Pollux
let browser: Browser

describe.skipIf(!existsSync(CHROMIUM))('projects in the console', () => {
  beforeAll(async () => {
    await builtConsole()
    ;[pollux, browser] = await Promise.all([startPollux(), launchBrowser()])
  }, TEST_MS)
  afterAll(async () => {
    await browser.close()
    await pollux.stop()
  })

  const read = (project: string) => pollux.client.call(POLLUX_V1.getProject, { params: { project } })

  async function callWith(keyString: string, model: string): Promise<number> {
    const response = await fetch(`${pollux.origin}/v1beta/models/${model}:generateContent`, {
      method: 'POST',
      headers: { 'x-goog-api-key': keyString, 'content-type': 'application/json' },
      body: JSON.stringify({ contents: [{ parts: [{ text: 'Hello' }] }] }),
    })
    await response.arrayBuffer()
    return response.status
  }

  it(
    'are made three at once, given settings and an alias, deleted by their typed name, and restored',
    async () => {
      const { page, complaints } = await openConsolePage(browser, `${pollux.origin}/projects`)
      await page.getByRole('button', { name: 'Create project' }).click()
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('Name', { exact: true }).fill('Web shop')
      await dialog.getByRole('button', { name: 'Another' }).click()
      await dialog.getByLabel('Name 2').fill('Night jobs')
      await dialog.getByRole('button', { name: 'Another' }).click()
      await dialog.getByLabel('Name 3').fill('Web shop')
      await dialog.getByText('This id is taken.').waitFor()
      await dialog.getByLabel('Id 3').fill('research')
      await dialog.getByLabel('Tier').selectOption('free')
      await dialog.getByLabel('staging').check()
      await dialog.getByRole('button', { name: 'Create 3 projects' }).click()
      await dialog.waitFor({ state: 'detached' })
      for (const id of ['web-shop', 'night-jobs', 'research']) {
        expect(await read(id)).toMatchObject({ tier: 'free', labels: { environment: 'staging' } })
      }

      await page
        .getByRole('row', { name: /web-shop/ })
        .getByRole('link', { name: 'Web shop' })
        .click()
      await page
        .getByRole('navigation', { name: 'Project', exact: true })
        .getByRole('link', { name: 'Settings' })
        .click()
      await page.getByLabel('Other labels').fill('No spaces=x')
      await page.getByText('Keys and values are at most').waitFor()
      expect(await page.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true)
      await page.getByLabel('Other labels').fill('team=shop')
      await page.getByLabel('Tier').selectOption('')
      await page.getByRole('button', { name: 'Save' }).click()
      await page.getByText('Saved. It holds').waitFor()
      const saved = await read('web-shop')
      expect([saved.tier, saved.labels]).toEqual([undefined, { environment: 'staging', team: 'shop' }])

      const key = await pollux.client.call(POLLUX_V1.createKey, {
        params: { project: 'web-shop' },
        query: { keyId: 'web' },
        body: {},
      })
      expect(await callWith(key.keyString ?? '', 'house-model')).toBe(404)
      await page.getByRole('link', { name: 'Model aliases' }).click()
      await page.getByRole('button', { name: 'Add an alias' }).click()
      await page.getByLabel('Alias', { exact: true }).last().fill('house-model')
      await page.getByLabel('Model', { exact: true }).last().fill('gemini-3.8-flash')
      await page.getByRole('button', { name: 'Save' }).click()
      // What was saved before says so, too.
      const aliases = async () => Object.keys((await read('web-shop')).modelAliases ?? {})
      await expect.poll(aliases, { timeout: 60_000 }).toEqual(['house-model'])
      expect(await callWith(key.keyString ?? '', 'house-model')).toBe(200)

      await page.getByRole('link', { name: 'Projects' }).click()
      const lastUse = async () => {
        const params = { project: 'web-shop', key: 'web' }
        return (await pollux.client.call(POLLUX_V1.getKey, { params })).lastUsedTime
      }
      await expect.poll(lastUse, { timeout: 60_000 }).toBeDefined()
      await page.reload()
      await page
        .getByRole('row', { name: /web-shop/ })
        .getByRole('link', { name: '1' })
        .waitFor()
      const actions = page
        .getByRole('row', { name: /web-shop/ })
        .getByRole('button', { name: 'Actions for Web shop' })
      await actions.click()
      await page.getByRole('menuitem', { name: 'Delete' }).click()
      const confirm = page.getByRole('dialog').getByRole('button', { name: 'Delete' })
      expect(await confirm.isDisabled()).toBe(true)
      await page.getByLabel('Type Web shop to delete it').fill('Web shop')
      await confirm.click()
      await page.getByRole('row', { name: /web-shop/ }).waitFor({ state: 'detached' })
      expect(await callWith(key.keyString ?? '', 'gemini-3.8-flash')).toBe(400)
      await page.getByLabel('State').selectOption('deleted')
      await actions.focus()
      await page.keyboard.press('Enter')
      await page.getByRole('menuitem', { name: 'Restore' }).waitFor()
      await page.keyboard.press('Enter')
      await page.getByText('Web shop is back').waitFor()
      expect(await callWith(key.keyString ?? '', 'gemini-3.8-flash')).toBe(200)
      expect(complaints).toEqual([])
      await page.context().close()
    },
    TEST_MS,
  )

  it(
    'lose nothing that is typed to a press beside the dialog or to somebody else',
    async () => {
      const { page } = await openConsolePage(browser, `${pollux.origin}/projects`)
      await page.getByRole('button', { name: 'Create project' }).click()
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('Name', { exact: true }).fill('Held')
      await page.mouse.click(5, 5)
      await page.keyboard.press('Tab')
      expect(await dialog.getByLabel('Name', { exact: true }).inputValue()).toBe('Held')
      await page.keyboard.press('Escape')
      await dialog.waitFor({ state: 'detached' })

      const params = { project: 'held-shop' }
      const patch = (body: { displayName: string } | { labels: Record<string, string> }) =>
        pollux.client.call(POLLUX_V1.updateProject, {
          params,
          query: { updateMask: Object.keys(body).join(',') },
          body,
        })
      await pollux.client.call(POLLUX_V1.createProject, {
        body: { projectId: 'held-shop', displayName: 'Held' },
      })
      await page.goto(`${pollux.origin}/projects/held-shop/settings`)
      const labels = page.getByLabel('Other labels')
      await labels.fill('team=mine')
      await patch({ labels: { team: 'theirs' } })
      await page.getByRole('button', { name: 'Save' }).click()
      await page.getByText('The project was changed meanwhile').waitFor()
      expect(await labels.inputValue()).toBe('team=mine')
      await page.getByRole('button', { name: 'Keep mine' }).click()
      await page.getByRole('button', { name: 'Save', disabled: false }).click()
      await page.getByText('Saved. It holds').waitFor()
      expect((await read('held-shop')).labels).toEqual({ team: 'mine' })

      await page.getByRole('link', { name: 'Model aliases' }).click()
      await page.getByRole('button', { name: 'Add an alias' }).click()
      await page.getByLabel('Alias', { exact: true }).fill('house-model')
      await page.getByLabel('Model', { exact: true }).fill('gemini-3.8-flash')
      await patch({ displayName: 'Theirs' })
      await page.getByRole('button', { name: 'Save' }).click()
      await page.getByText('The project was changed meanwhile').waitFor()
      expect(await page.getByLabel('Alias', { exact: true }).inputValue()).toBe('house-model')
      await page.getByRole('button', { name: 'Load what is stored' }).click()
      await page.getByLabel('Alias', { exact: true }).waitFor({ state: 'detached' })
      await page.context().close()
    },
    TEST_MS,
  )

  it(
    'that keep their keys show one again, after a fresh proof',
    async () => {
      const project = 'kept-keys'
      await pollux.client.call(POLLUX_V1.createProject, {
        body: { projectId: project, recoverableKeys: true },
      })
      const { keyString = '' } = await pollux.client.call(POLLUX_V1.createKey, {
        params: { project },
        query: { keyId: 'kept' },
        body: { displayName: 'Kept' },
      })
      await setUpOwner({ client: pollux.client, port: Number(new URL(pollux.origin).port) })
      const { page } = await openPage(browser, `${pollux.origin}/keys?project=${project}`)
      await page.getByLabel('E-mail address').fill(OWNER)
      await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
      await page.getByRole('button', { name: 'Sign in', exact: true }).click()
      await page.getByRole('button', { name: 'Actions for Kept' }).click()
      await page.getByRole('menuitem', { name: 'Show key' }).click()
      ageProofs(pollux)
      await page.getByRole('button', { name: 'Show the key' }).click()
      const proof = page.getByRole('dialog', { name: 'Is it still you?' })
      await proof.waitFor()
      expect(await page.content()).not.toContain(keyString)
      await proof.getByLabel('Password').fill(PASSWORD)
      await page.keyboard.press('Enter')
      await page.getByTestId('key-string').waitFor()
      expect(await page.getByTestId('key-string').textContent()).toBe(keyString)
      await page.context().close()
    },
    TEST_MS,
  )
})
