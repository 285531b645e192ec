/** Members and roles in Debian's Chromium against a real Pollux: what is done there holds at once, or is refused with why. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { expect, it } from 'vitest'
import { ORGANIZATION_IAM_V1 } from '../src/contract/iam.v3.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { USERS_V1 } from '../src/contract/users.v1.ts'
import { openConsolePage, openPage } from './console-browser.ts'
import { TEST_MS, describeInChromium, readyButton, useSite } from './console-suite.ts'
import { addPerson } from './people-furniture.ts'
import { OWNER, PASSWORD, ageProofs, setUpOwner } from './people.ts'

const EMMY = 'emmy@example.com'
const PROJECT = 'default-project'

const site = useSite({
  async furnish(pollux) {
    await setUpOwner({ client: pollux.client, port: Number(new URL(pollux.origin).port) })
    await addPerson(pollux, { email: EMMY, displayName: 'Emmy Noether', role: 'roles/viewer' })
  },
})

describeInChromium('members', () => {
  it(
    'lets somebody in by a link that is shown once, after a fresh proof',
    async () => {
      const { page, complaints } = await signedIn(OWNER, '/members')
      await page.getByRole('button', { name: 'Invite somebody' }).click()
      await page.getByLabel('E-mail address').fill('grete@example.com')
      await page.getByLabel('Name', { exact: true }).fill('Grete Hermann')
      await page.getByLabel('Role at the organization').selectOption({ label: 'Editor' })
      ageProofs(site.pollux)
      await page.getByRole('button', { name: 'Make the invitation' }).click()
      const proof = page.getByRole('dialog', { name: 'Is it still you?' })
      await proof.getByLabel('Password').fill(PASSWORD)
      await proof.getByRole('button', { name: 'Go on' }).click()
      const link = (await page.getByTestId('secret').textContent()) ?? ''
      await page.getByRole('row', { name: /Grete Hermann.*Invited.*Editor/ }).waitFor()
      await page.getByRole('button', { name: 'I have it' }).click()
      expect(await page.content()).not.toContain(link)

      const invited = await openPage(site.browser, link.replace('localhost', '127.0.0.1'))
      await invited.page.getByLabel('Password', { exact: true }).fill(PASSWORD)
      await invited.page.getByRole('button', { name: 'Sign in' }).click()
      await invited.page.getByText('Grete Hermann').waitFor()
      await invited.page.context().close()
      expect(serious(complaints)).toEqual([])
      await page.context().close()
    },
    TEST_MS,
  )

  it('has Sign out inside the rail, however long the address of who is signed in', async () => {
    const email = 'firstname.lastname@department.company.example'
    await addPerson(site.pollux, { email, displayName: 'Firstname Lastname' })
    const { page } = await signedIn(email, '/projects')
    await isSignOutInRail(page)
    await page.getByTitle(`Firstname Lastname, ${email}`).waitFor()
    await page.context().close()
  })

  it('names the token in the data folder as the audit trail does', async () => {
    const token = (await readFile(join(site.pollux.dataDir, 'local-token'), 'utf8')).trim()
    const { page } = await openPage(site.browser, `${site.pollux.origin}/projects`, { token })
    await page.getByText(/^tokens\/local-[0-9a-f]{8}$/).waitFor()
    await isSignOutInRail(page)
    await page.context().close()
  })

  it(
    'gives a role in one project, which holds from the next request on, and takes it away',
    async () => {
      const { page } = await signedIn(OWNER, `/members/people/${EMMY}`)
      const emmy = await signedIn(EMMY, '/keys')
      const key = { project: PROJECT, key: 'emmys' }
      const create = () =>
        emmy.page.evaluate(
          async path =>
            (
              await fetch(path, {
                method: 'POST',
                headers: { 'content-type': 'application/json' },
                body: '{}',
              })
            ).status,
          `/pollux/v1/projects/${PROJECT}/keys?keyId=${key.key}`,
        )
      expect(await create()).toBe(403)
      await page.getByLabel('Where').selectOption(PROJECT)
      await page.getByLabel('Role', { exact: true }).selectOption('roles/serviceusage.apiKeysAdmin')
      await page.getByText('Keys, with their keyStrings.').waitFor()
      await page.getByRole('button', { name: 'Give the role' }).click()
      await page.getByRole('heading', { name: /API Keys Admin\s+in default-project/ }).waitFor()
      expect(await create()).toBe(200)
      expect((await site.pollux.client.call(POLLUX_V1.getKey, { params: key })).state).toBe('ACTIVE')

      await page.getByRole('button', { name: 'Take away API Keys Admin in default-project' }).click()
      await page.getByText('is taken away, from the next request on').waitFor()
      await page.getByRole('heading', { name: /API Keys Admin/ }).waitFor({ state: 'detached' })
      expect(await create()).toBe(403)
      await emmy.page.context().close()
      await page.context().close()
    },
    TEST_MS,
  )

  it('does not overwrite a policy that somebody else changed meanwhile', async () => {
    const { page } = await signedIn(OWNER, `/members/people/${EMMY}`)
    await page.getByRole('heading', { name: /Viewer\s+at the organization/ }).waitFor()
    const params = { organization: '1' }
    const policy = await site.pollux.client.call(ORGANIZATION_IAM_V1.getIamPolicy, { params, body: {} })
    const bindings = [
      ...(policy.bindings ?? []),
      { role: 'roles/monitoring.viewer', members: [`user:${EMMY}`] },
    ]
    await site.pollux.client.call(ORGANIZATION_IAM_V1.setIamPolicy, {
      params,
      body: { policy: { bindings } },
    })
    await page.getByLabel('Role', { exact: true }).selectOption('roles/billing.admin')
    await page.getByRole('button', { name: 'Give the role' }).click()
    await page.getByText('was changed since it was read').waitFor()
    // What is there now is shown, and the next attempt goes by it.
    await page.getByRole('heading', { name: /Monitoring Viewer/ }).waitFor()
    await page.getByRole('button', { name: 'Give the role' }).click()
    await page.getByRole('heading', { name: /Billing Admin/ }).waitFor()
    const after = await site.pollux.client.call(ORGANIZATION_IAM_V1.getIamPolicy, { params, body: {} })
    expect(
      after.bindings?.filter(({ members }) => members?.includes(`user:${EMMY}`)).map(({ role }) => role),
    ).toEqual(['roles/billing.admin', 'roles/monitoring.viewer', 'roles/viewer'])
    await page.context().close()
  })

  it('says why the last owner stays, and why nobody disables themselves', async () => {
    const { page } = await signedIn(OWNER, `/members/people/${OWNER}`)
    await page.getByText('Nobody can disable themselves').waitFor()
    expect(await page.getByRole('button', { name: 'Disable' }).isDisabled()).toBe(true)
    await page.getByText('The organization is never left without an owner').waitFor()
    expect(await page.getByRole('button', { name: /^Take away Owner/ }).isDisabled()).toBe(true)
    await page.context().close()
  })

  it('tells who may not that they may not, and which permission it takes', async () => {
    const { page } = await signedIn(EMMY, '/members')
    await page.getByText('This takes pollux.users.create at the organization').waitFor()
    expect(await page.getByRole('button', { name: 'Invite somebody' }).isDisabled()).toBe(true)
    await page.getByText('You may not list who can sign in').waitFor()
    await page.context().close()
  })

  it(
    'shuts somebody out and lets them in again',
    async () => {
      const emmy = await signedIn(EMMY, '/keys')
      const { page } = await signedIn(OWNER, `/members/people/${EMMY}`)
      await page.getByRole('button', { name: 'Disable' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Disable' }).click()
      await page.getByText('is signed in nowhere').waitFor()
      const status = () => emmy.page.evaluate(async () => (await fetch('/pollux/v1/session')).status)
      expect(await status()).toBe(401)
      expect((await site.pollux.client.call(USERS_V1.getUser, { params: { user: EMMY } })).state).toBe(
        'DISABLED',
      )
      await page.getByRole('button', { name: 'Enable' }).click()
      await page.getByText('may sign in again').waitFor()
      await emmy.page.reload()
      await signIn(emmy.page, EMMY)
      expect(await status()).toBe(200)
      await page.reload()
      await page.getByRole('button', { name: 'Sign out everywhere' }).click()
      await page.getByText('is signed out: 1 session ended').waitFor()
      expect(await status()).toBe(401)
      await emmy.page.context().close()
      await page.context().close()
    },
    TEST_MS,
  )

  it(
    'gives a program an account with a role, a token and a key file, each shown once, by keyboard too',
    async () => {
      const { page, complaints } = await openConsolePage(
        site.browser,
        `${site.pollux.origin}/members/service-accounts`,
      )
      await (await readyButton(page, 'Create service account')).focus()
      await page.keyboard.press('Enter')
      await page.getByRole('dialog').waitFor()
      await page.keyboard.type('deploy-robot')
      await page.keyboard.press('Enter')
      await page.getByRole('heading', { name: 'deploy-robot', level: 1 }).waitFor()
      await page.getByLabel('Where').selectOption(PROJECT)
      await page.getByLabel('Role', { exact: true }).selectOption('roles/viewer')
      await page.getByRole('button', { name: 'Give the role' }).click()
      await page.getByRole('heading', { name: /Viewer\s+in default-project/ }).waitFor()

      await page.getByRole('button', { name: 'Create token' }).click()
      await page.getByLabel('Name', { exact: true }).fill('CI')
      await page.getByLabel('Only read').check()
      await page.getByRole('dialog').getByRole('button', { name: 'Create token' }).click()
      const token = (await page.getByTestId('secret').textContent()) ?? ''
      expect(token).toMatch(/^plx_pat_\w{36}$/)
      expect(await keysWith(token)).toBe(200)
      await page.reload()
      await page.getByRole('row', { name: /CI.*permissions/ }).waitFor()
      expect(await page.content()).not.toContain(token)

      await page.getByRole('button', { name: 'Create key file' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Create key file' }).click()
      const [file] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: /^Download deploy-robot-/ }).click(),
      ])
      const keyFile = JSON.parse(await readFile(await file.path(), 'utf8'))
      expect(keyFile).toMatchObject({
        type: 'service_account',
        client_email: `deploy-robot@${PROJECT}.iam.pollux.internal`,
      })
      expect(keyFile.private_key).toContain('PRIVATE KEY')

      await page.getByRole('button', { name: /^Delete token/ }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
      await page.getByText('It has no token.').waitFor()
      expect(await keysWith(token)).toBe(401)
      await page.getByRole('button', { name: 'Delete', exact: true }).last().click()
      await page.getByLabel('Type deploy-robot to delete it').fill('deploy-robot')
      await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
      await page.getByText('No program manages this Pollux').waitFor()
      expect(serious(complaints)).toEqual([])
      await page.context().close()
    },
    TEST_MS,
  )
})

async function isSignOutInRail(page: Page): Promise<void> {
  const button = await page.getByRole('button', { name: 'Sign out', exact: true }).boundingBox()
  const rail = await page.getByRole('banner').boundingBox()
  if (button === null || rail === null) throw new Error('There is no rail.')
  expect(button.x + button.width).toBeLessThanOrEqual(rail.x + rail.width)
}

async function keysWith(token: string): Promise<number> {
  const path = `/pollux/v1/projects/${PROJECT}/keys`
  const response = await fetch(`${site.pollux.origin}${path}`, {
    headers: { authorization: `Bearer ${token}` },
  })
  await response.arrayBuffer()
  return response.status
}

async function signedIn(email: string, path: string) {
  const opened = await openPage(site.browser, `${site.pollux.origin}${path}`)
  await signIn(opened.page, email)
  return opened
}

async function signIn(page: Page, email: string): Promise<void> {
  await page.getByLabel('E-mail address').fill(email)
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.getByRole('button', { name: 'Sign out', exact: true }).waitFor()
}

/** Refusals that a screen shows are wanted. */
function serious(complaints: readonly string[]): string[] {
  return complaints.filter(text => !text.startsWith('Failed to load resource'))
}
