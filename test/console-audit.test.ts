/** The audit trail in Debian's Chromium against a real Pollux: what was done is found, told apart, proven and taken away. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { openConsolePage } from './console-browser.ts'
import { describeInChromium, useSite } from './console-suite.ts'

const PROJECT = 'default-project'
const KEYS = 60

let keyString: string

const site = useSite({
  async furnish(pollux) {
    const { client } = pollux
    for (let number = 1; number <= KEYS; number++) {
      await client.call(POLLUX_V1.createKey, {
        params: { project: PROJECT },
        query: { keyId: `key-${number}` },
        body: { displayName: `Key ${number}` },
      })
    }
    const params = { project: PROJECT, key: 'checkout' }
    const created = await client.call(POLLUX_V1.createKey, {
      params: { project: PROJECT },
      query: { keyId: params.key },
      body: { displayName: 'Checkout', allowedModels: ['gemini-2.5-pro', 'gemini-3.8-flash'] },
    })
    keyString = created.keyString ?? ''
    await client.call(POLLUX_V1.updateKey, {
      params,
      query: { updateMask: 'displayName,allowedModels' },
      body: { displayName: 'Till', allowedModels: ['gemini-3.8-flash'] },
    })
    await client.call(POLLUX_V1.disableKey, { params })
  },
})

describeInChromium('the audit screens', () => {
  it('shows what a change changed, at an address that shows it again', async () => {
    const { page, complaints } = await openConsolePage(site.browser, `${site.pollux.origin}/audit`)
    await page.getByRole('button', { name: /^Update key/ }).click()
    await page.getByRole('row', { name: 'changed: displayName Checkout Till', exact: true }).waitFor()
    await page
      .getByRole('row', { name: 'removed: allowedModels gemini-2.5-pro nothing', exact: true })
      .waitFor()
    expect(await page.locator('.difference tbody tr').count()).toBe(2)
    await page.goto(page.url())
    await page.getByRole('row', { name: 'changed: displayName Checkout Till', exact: true }).waitFor()
    expect(complaints).toEqual([])
    await page.context().close()
  })

  it('narrows to one method, one resource, one person, and pages through the rest', async () => {
    const { page } = await openConsolePage(site.browser, `${site.pollux.origin}/audit`)
    await page.getByRole('button', { name: /^Disable key/ }).click()
    await page.getByRole('button', { name: 'Only this resource' }).click()
    await expect.poll(() => rows(page).allTextContents()).toEqual(['Disable key', 'Update key', 'Create key'])
    await page.getByRole('button', { name: 'Clear' }).click()
    await page.getByLabel('Method').fill('pollux.v1.Keys.DisableKey')
    await page.keyboard.press('Enter')
    await expect.poll(() => rows(page).allTextContents()).toEqual(['Disable key'])
    await page.getByLabel('Method').fill('pollux.v1.Keys.CreateKey')
    await page.keyboard.press('Enter')
    await page.getByLabel('When').selectOption('24h')
    await page.getByText('50 shown').waitFor()
    await page.getByRole('button', { name: 'Show older ones' }).click()
    await page.getByRole('button', { name: 'Show older ones' }).waitFor({ state: 'detached' })
    expect(await rows(page).count()).toBe(KEYS + 1)
    await page.goto(`${site.pollux.origin}/audit?principal=user:nobody@example.com`)
    await page.getByText('No entry is like that').waitFor()
    await page.context().close()
  })

  it('finds what became of a key by the key itself, which stays out of every address', async () => {
    const { page } = await openConsolePage(site.browser, `${site.pollux.origin}/audit/find`)
    const urls: string[] = []
    page.on('request', request => urls.push(request.url()))
    await page.getByLabel('Key', { exact: true }).fill('plx_tooshort')
    await page.getByText('This is no key of Pollux').waitFor()
    await page.getByLabel('Key', { exact: true }).fill(keyString)
    await page.keyboard.press('Enter')
    await page.getByText('with 3 entries').waitFor()
    await page.getByRole('row', { name: /Disable key.*keys\/checkout/ }).waitFor()
    expect(urls.some(url => url.endsWith('/pollux/v1/auditEntries:find?pageSize=300'))).toBe(true)
    expect(`${urls.join()} ${page.url()}`).not.toContain(keyString)
    await page.context().close()
  })

  it('exports every entry as it is', async () => {
    const { page } = await openConsolePage(site.browser, `${site.pollux.origin}/audit`)
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Export as JSON lines' }).click(),
    ])
    const lines = readFileSync(await file.path(), 'utf8')
      .trimEnd()
      .split('\n')
    const sequences = lines.map(line => Number(JSON.parse(line).labels['pollux/sequence']))
    expect(sequences.length).toBeGreaterThan(KEYS + 3)
    expect(sequences).toEqual(sequences.map((_, index) => index + 1))
    await page.context().close()
  })

  it('proves that the trail is whole, and finds an entry that was changed behind its back', async () => {
    const { page } = await openConsolePage(site.browser, `${site.pollux.origin}/audit/verify`)
    await page.getByRole('button', { name: 'Sign a checkpoint' }).click()
    await page.getByText('Signature').waitFor()
    await page.getByRole('button', { name: 'Verify the chain' }).click()
    await page.getByText('The trail is whole').waitFor()
    const database = new DatabaseSync(join(site.pollux.dataDir, 'pollux.sqlite'))
    database.prepare("update audit_entry set principal = 'user:somebody-else' where seq = 5").run()
    database.close()
    await page.getByRole('button', { name: 'Verify the chain' }).click()
    await page.getByText('The trail was changed behind the back of Pollux').waitFor()
    await page.getByRole('row', { name: /5\s+The entry is not what was written/ }).waitFor()
    await page.context().close()
  })
})

/** The entries, without what one that is open shows. */
function rows(page: Page) {
  return page.locator('.entries > tbody > tr > th')
}
