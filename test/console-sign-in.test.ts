/** The doors of the console in Debian's Chromium against a real Pollux: links, passwords, passkeys, an issuer, fresh proofs. */
import type { Page, Route } from 'playwright-core'
import { afterAll, expect, it, onTestFinished } from 'vitest'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { USERS_V1 } from '../src/contract/users.v1.ts'
import { openPage } from './console-browser.ts'
import { TEST_MS, addAuthenticator, describeInChromium, signIn, useSite } from './console-suite.ts'
import { CLIENT_ID, CLIENT_SECRET, type Issuer, startIssuer } from './issuer.ts'
import { OWNER, PASSWORD, ageProofs, setUpOwner, setUpToken, tokenOf } from './people.ts'
import { type Pollux, freePort, startPollux } from './pollux.ts'

/** Passkeys belong to a name, so this is what people open. */
let origin: string

let issuer: Issuer | undefined
afterAll(() => issuer?.close())

const site = useSite({
  async start() {
    const port = await freePort()
    origin = `http://localhost:${port}`
    const grace = { email: 'grace@example.com', email_verified: true, name: 'Grace Hopper' }
    issuer = await startIssuer(new Map([['grace', grace]]), `${origin}/sign-in/callback`)
    const pollux = await startPollux({
      port,
      env: {
        POLLUX_OIDC_ISSUER: issuer.url,
        POLLUX_OIDC_CLIENT_ID: CLIENT_ID,
        POLLUX_OIDC_CLIENT_SECRET: CLIENT_SECRET,
        POLLUX_OIDC_ROLES: 'example.com=roles/editor',
      },
    })
    await setUpOwner({ client: pollux.client, port })
    return pollux
  },
})

describeInChromium('the door of the console', () => {
  it(
    'makes whoever opens the set-up link the owner, who takes a new first key and lands on the keys',
    async () => {
      const fresh = await startPollux()
      onTestFinished(() => fresh.stop())
      const token = await setUpToken(fresh)
      const { page, complaints } = await openPage(site.browser, `${fresh.origin}/sign-in`)
      await page.getByText('Nobody owns this Pollux yet').waitFor()
      await page.goto(`${fresh.origin}/set-up#${token}`)
      await page.getByLabel('E-mail address').fill(OWNER)
      await page.getByLabel('Name', { exact: true }).fill('Ada Lovelace')
      await page.getByLabel('Password', { exact: true }).fill('password1234')
      const setUp = page.getByRole('button', { name: 'Set up and sign in' })
      expect(await setUp.isDisabled()).toBe(true)
      await page.getByText(/^Terms of use/).click()
      await page.getByText('You run this Pollux and answer for it').waitFor()
      await page.getByLabel(/^I have read the terms/).check()
      await setUp.click()
      await page.getByText('It is on lists of leaked passwords').waitFor()
      await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
      await setUp.click()

      await page.getByText('default-project', { exact: true }).waitFor()
      await page.getByText(`plx_…${(fresh.firstKeyString ?? '').slice(-4)}`).waitFor()
      await page.getByRole('button', { name: 'Replace the first key' }).click()
      const keyString = (await page.getByTestId('key-string').textContent()) ?? ''
      expect(keyString).toMatch(/^plx_\w{36}$/)
      await page.getByText('deleted and refused from now on').waitFor()
      expect(await statusWith(fresh, fresh.firstKeyString ?? '')).toBe(400)
      expect(await statusWith(fresh, keyString)).toBe(200)
      await page.getByRole('button', { name: 'Go to the API keys' }).click()
      await page.getByRole('heading', { name: 'API keys' }).waitFor()
      await page.getByText('Ada Lovelace').waitFor()
      await page.getByRole('row', { name: /Unrestricted/ }).waitFor()
      expect(new URL(page.url()).hash).toBe('')

      await page.goto(`${fresh.origin}/set-up#${token}`)
      await page.getByText('The link was used, replaced, or is too old').waitFor()
      expect(serious(complaints)).toEqual([])
      await page.context().close()
    },
    TEST_MS,
  )

  it('refuses a wrong password, and leads who signs in to where they wanted to go', async () => {
    const { page, complaints } = await openPage(site.browser, `${origin}/projects?from=mail`)
    await signIn(page, 'not-the-password-of-ada')
    await page.getByRole('alert').getByText('This did not sign you in').waitFor()
    await signIn(page)
    await page.getByRole('heading', { name: 'Projects' }).waitFor()
    expect(page.url()).toBe(`${origin}/projects?from=mail`)

    await page.reload()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('Password', { exact: true }).waitFor()
    await page.goto(`${origin}/sign-in?to=${encodeURIComponent('https://evil.example/')}`)
    await signIn(page)
    await page.getByRole('heading', { name: 'API keys' }).waitFor()
    expect(new URL(page.url()).origin).toBe(origin)
    expect(serious(complaints)).toEqual([])
    await page.context().close()
  })

  it('leads to the sign-in when a session was ended elsewhere, and from there back', async () => {
    const { page } = await openPage(site.browser, `${origin}/keys?q=first`)
    await signIn(page)
    await page.getByRole('row', { name: /Unrestricted/ }).waitFor()
    await site.pollux.client.call(USERS_V1.signOutUser, { params: { user: OWNER }, body: {} })
    // Whatever is asked next leads there: this, unless the screen itself has asked for something before.
    const disable = async (): Promise<void> => {
      await page.getByRole('button', { name: /^Actions for/ }).click()
      await page.getByRole('menuitem', { name: 'Disable' }).click()
    }
    await Promise.any([disable(), page.getByLabel('E-mail address').waitFor()])
    await signIn(page)
    await page.getByRole('row', { name: /Unrestricted/ }).waitFor()
    expect(page.url()).toBe(`${origin}/keys?q=first`)
    await page.context().close()
  })

  it('opens to the next one whatever the last one had still asked for', async () => {
    const { page } = await openPage(site.browser, `${origin}/projects`)
    await signIn(page)
    await page.getByRole('heading', { name: 'Projects' }).waitFor()
    const held = new Map<string, Route>()
    await page.route(/\/pollux\/v1\/(?:keys|budgets|signIn)(?:\?|$)/, async route => {
      const { pathname } = new URL(route.request().url())
      if (held.has(pathname)) await route.continue()
      else held.set(pathname, route)
    })
    const refuse = (pathname: string) =>
      held.get(pathname)?.fulfill({
        status: 401,
        json: { error: { code: 401, message: 'The session is over.', status: 'UNAUTHENTICATED' } },
      })
    await page.goto(`${origin}/keys`)
    await expect.poll(() => [...held.keys()].toSorted()).toEqual(['/pollux/v1/budgets', '/pollux/v1/keys'])
    await page.getByRole('button', { name: 'Sign out' }).click()
    await expect.poll(() => held.has('/pollux/v1/signIn')).toBe(true)
    // While the door asks how it may be opened, and after it was opened again.
    await refuse('/pollux/v1/keys')
    await held.get('/pollux/v1/signIn')?.continue()
    await signIn(page)
    const keys = page.getByRole('row', { name: /Unrestricted/ })
    await keys.waitFor()
    await refuse('/pollux/v1/budgets')
    await page.reload()
    await keys.waitFor()
    await page.context().close()
  })

  it('asks for the password again before a key is deleted with an old proof', async () => {
    await site.pollux.client.call(POLLUX_V1.createKey, {
      params: { project: 'default-project' },
      query: { keyId: 'unused' },
      body: { displayName: 'Unused' },
    })
    const { page } = await openPage(site.browser, `${origin}/keys?q=Unused`)
    await signIn(page)
    await page.getByRole('button', { name: 'Actions for Unused' }).waitFor()
    ageProofs(site.pollux)
    await askToDelete(page)
    const proof = page.getByRole('dialog', { name: 'Is it still you?' })
    await proof.getByRole('button', { name: 'Cancel' }).click()
    await page.getByText('This asks for a fresh proof of who you are').waitFor()
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
    await proof.getByLabel('Password').fill('not-the-password-of-ada')
    await proof.getByRole('button', { name: 'Go on' }).click()
    await proof.getByText('This did not sign you in').waitFor()
    expect(await stateOf('unused')).not.toBe('DELETED')
    await proof.getByLabel('Password').fill(PASSWORD)
    await proof.getByRole('button', { name: 'Go on' }).click()
    await page.getByText('Unused is deleted').waitFor()
    expect(await stateOf('unused')).toBe('DELETED')
    await page.context().close()
  })

  it('takes a passkey from the invitation to the sign-in and the fresh proof', async () => {
    const { link } = await site.pollux.client.call(USERS_V1.inviteUser, {
      body: { email: 'grete@example.com', displayName: 'Grete Hermann', role: 'roles/editor' },
    })
    await site.pollux.client.call(POLLUX_V1.createKey, {
      params: { project: 'default-project' },
      query: { keyId: 'unused-too' },
      body: { displayName: 'Unused' },
    })
    const { page, complaints } = await openPage(site.browser, `${origin}/sign-in`)
    await addAuthenticator(page)
    await page.goto(`${origin}/invite#${tokenOf(link)}`)
    expect(await page.getByLabel('E-mail address').inputValue()).toBe('grete@example.com')
    await page.getByLabel('Make a passkey on this device').check()
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('Grete Hermann').waitFor()

    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('button', { name: 'Use a passkey' }).click()
    await page.getByRole('button', { name: 'Actions for Unused' }).waitFor()
    ageProofs(site.pollux)
    await askToDelete(page)
    await page.getByRole('button', { name: 'Use a passkey' }).click()
    await page.getByText('Unused is deleted').waitFor()
    expect(serious(complaints)).toEqual([])
    await page.context().close()
  })

  it('lets who signs in at the issuer in, and back to where they wanted to go', async () => {
    issuer?.knows('grace')
    const { page } = await openPage(site.browser, `${origin}/projects?from=mail`)
    await page.getByRole('button', { name: /^Continue at/ }).click()
    await page.getByText('Grace Hopper').waitFor()
    expect(page.url()).toBe(`${origin}/projects?from=mail`)
    await page.goto(`${origin}/sign-in/callback?state=of-nobody&code=guessed`)
    await page.getByRole('alert').getByText('Not signed in').waitFor()
    await page.context().close()
  })

  it('takes the old password away with a reset link', async () => {
    const { link } = await site.pollux.client.call(USERS_V1.issueResetLink, {
      params: { user: OWNER },
      body: {},
    })
    const { page } = await openPage(site.browser, `${origin}/reset#${tokenOf(link)}`)
    const replaced = 'quartz-lantern-meadow-83'
    await page.getByLabel('Password', { exact: true }).fill(replaced)
    await page.getByRole('button', { name: 'Set and sign in' }).click()
    await page.getByRole('heading', { name: 'API keys' }).waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await signIn(page, PASSWORD)
    await page.getByRole('alert').getByText('This did not sign you in').waitFor()
    await signIn(page, replaced)
    await page.getByRole('heading', { name: 'API keys' }).waitFor()
    await page.context().close()
  })
})

async function askToDelete(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Actions for Unused' }).click()
  await page.getByRole('menuitem', { name: 'Delete' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
}

async function stateOf(key: string): Promise<string> {
  const params = { project: 'default-project', key }
  return (await site.pollux.client.call(POLLUX_V1.getKey, { params })).state
}

async function statusWith({ origin }: Pollux, keyString: string): Promise<number> {
  const response = await fetch(`${origin}/v1beta/models`, { headers: { 'x-goog-api-key': keyString } })
  await response.arrayBuffer()
  return response.status
}

/** Without what the browser writes down of every refusal: those are wanted here. */
function serious(complaints: readonly string[]): string[] {
  return complaints.filter(text => !text.startsWith('Failed to load resource'))
}
