/** Bodies of calls in the console: switched on and off in a project's settings, and read at a call. */
import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { BODIES_V1 } from '../src/contract/bodies.v1.ts'
import { PROJECT_IAM_V3 } from '../src/contract/iam.v3.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { SERVICE_ACCOUNTS_V1 } from '../src/contract/service-accounts.v1.ts'
import { openConsolePage, openPage } from './console-browser.ts'
import { TEST_MS, describeInChromium, useSite } from './console-suite.ts'

const PROJECT = 'default-project'

let keyString = ''

const site = useSite({
  async furnish(pollux) {
    const made = await pollux.client.call(POLLUX_V1.createKey, {
      params: { project: PROJECT },
      query: { keyId: 'shop' },
      body: { displayName: 'Shop' },
    })
    keyString = made.keyString ?? ''
  },
})

describeInChromium('bodies of calls in the console', () => {
  async function call(text: string): Promise<string> {
    const response = await fetch(`${site.pollux.origin}/v1beta/models/gemini-3.8-flash:generateContent`, {
      method: 'POST',
      headers: { 'x-goog-api-key': keyString, 'content-type': 'application/json' },
      body: JSON.stringify({ contents: [{ role: 'user', parts: [{ text }] }] }),
    })
    await response.arrayBuffer()
    return response.headers.get('x-request-id') ?? ''
  }

  const settings = () => site.pollux.client.call(BODIES_V1.getBodySettings, { params: { project: PROJECT } })

  async function viewerToken(): Promise<string> {
    const params = { project: PROJECT }
    const { email } = await site.pollux.client.call(SERVICE_ACCOUNTS_V1.createServiceAccount, {
      params,
      query: { accountId: 'a-viewer' },
      body: {},
    })
    const policy = await site.pollux.client.call(PROJECT_IAM_V3.getIamPolicy, { params })
    const bindings = [
      ...(policy.bindings ?? []),
      { role: 'roles/viewer', members: [`serviceAccount:${email}`] },
    ]
    await site.pollux.client.call(PROJECT_IAM_V3.setIamPolicy, {
      params,
      body: { policy: { ...policy, bindings } },
    })
    const account = { ...params, serviceAccount: 'a-viewer' }
    return (
      (await site.pollux.client.call(SERVICE_ACCOUNTS_V1.createToken, { params: account, body: {} })).token ??
      ''
    )
  }

  async function openFirstCall(page: Page) {
    await page.getByRole('region', { name: 'Calls' }).getByRole('rowheader').first().getByRole('link').click()
    const dialog = page.getByRole('dialog')
    await dialog.getByRole('heading', { name: 'Tokens' }).waitFor()
    return dialog
  }

  it(
    'are switched on with a warning and an end, shown to who may read them, and deleted when switched off',
    async () => {
      const calls = `${site.pollux.origin}/calls?project=${PROJECT}&live=off`
      await call('before anybody kept it')
      const { page, complaints } = await openConsolePage(site.browser, calls)
      const before = await openFirstCall(page)
      await before.getByText('is not kept').waitFor()
      await before.getByRole('link', { name: 'The settings' }).click()

      const choice = page.getByLabel('Keep what is asked and answered')
      const save = page.getByRole('button', { name: 'Change what is kept' })
      await choice.waitFor()
      expect(await save.isDisabled()).toBe(true)
      await choice.selectOption('24')
      await page.getByText('Bodies hold whatever people write').waitFor()
      await save.click()
      await page.getByText('It holds from the next call on.').waitFor()
      expect((await settings()).retentionHours).toBe(24)

      const id = await call(`what is kept, without ${keyString}`)
      const read = () =>
        site.pollux.client
          .call(BODIES_V1.getCallBodies, { params: { project: PROJECT, call: id } })
          .then(() => true)
          .catch(() => false)
      await expect.poll(read, { timeout: 20_000 }).toBe(true)
      await page.goto(calls)
      const dialog = await openFirstCall(page)
      const look = dialog.getByRole('button', { name: 'Show request and reply' })
      // A dialog that has just opened takes the focus to itself.
      await page.locator('[role=dialog] :focus, [role=dialog]:focus').waitFor()
      await look.press('Enter')
      const request = dialog.getByRole('region', { name: 'Request' })
      await request.getByText('"text": "what is kept, without plx_…"').waitFor()
      expect(await dialog.getByRole('region', { name: 'Reply' }).textContent()).toContain('"candidates": [')
      await dialog.getByRole('button', { name: 'Copy: Request' }).click()
      const copied = await page.evaluate<string>('navigator.clipboard.readText()')
      expect(JSON.parse(copied).contents[0].parts[0].text).toBe('what is kept, without plx_…')

      const viewer = await openPage(site.browser, calls, { token: await viewerToken() })
      const seen = await openFirstCall(viewer.page)
      await seen.getByText('This takes pollux.calls.getBodies').waitFor()
      expect(await seen.getByRole('button', { name: 'Show request and reply' }).isDisabled()).toBe(true)
      await viewer.page.goto(`${site.pollux.origin}/projects/${PROJECT}/settings`)
      await viewer.page.getByText('This takes pollux.bodySettings.update').waitFor()

      await page.goto(`${site.pollux.origin}/projects/${PROJECT}/settings`)
      await choice.selectOption('')
      await page.getByText('This deletes all that are kept').waitFor()
      await save.click()
      await page.getByText('Those that were kept are deleted.').waitFor()
      expect((await settings()).retentionHours).toBeUndefined()
      expect(await read()).toBe(false)
      await viewer.page.goto(calls)
      const closed = await openFirstCall(viewer.page)
      expect(await closed.getByText('is not kept').count()).toBe(0)
      expect(complaints).toEqual([])
      for (const each of [page, viewer.page]) await each.context().close()
    },
    TEST_MS,
  )
})
