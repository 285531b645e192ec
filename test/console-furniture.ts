/** What the console's screens show in the access suite and in the screenshots: a small team's keys after some calls. */
import type { Page } from 'playwright-core'
import { KEY_BUDGETS_V1, PROJECT_BUDGETS_V1 } from '../src/contract/budgets.v1.ts'
import type { BodyOf } from '../src/contract/endpoint.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { USERS_V1 } from '../src/contract/users.v1.ts'
import { CALL_SCREENS, addCalls } from './calls-furniture.ts'
import { AUDIT_SCREENS, FRAME_SCREENS } from './audit-furniture.ts'
import { LIMIT_SCREENS, addLimits } from './limits-furniture.ts'
import { USAGE_SCREENS, addUsage } from './usage-furniture.ts'
import { SPEND_SCREENS, addSpend } from './spend-furniture.ts'
import { PEOPLE_SCREENS, addPeople } from './people-furniture.ts'
import { OWNER, PASSWORD, ageProofs, setUpOwner } from './people.ts'
import type { Pollux } from './pollux.ts'

interface Screen {
  /** Of the screenshot's file. */
  readonly name: string
  readonly path: string
  /** What is done before it is looked at. */
  readonly prepare?: (page: Page) => Promise<void>
}

const CREATE =
  '/keys/new?template=server&project=web-shop&name=Checkout&addresses=203.0.113.7,198.51.100.0/24&models=gemini-3.8-flash'
const KEY = '/projects/web-shop/keys/order-service'

/** The screens that have an address of their own, in the states that matter. */
const SCREENS: readonly Screen[] = [
  { name: 'keys', path: '/keys' },
  {
    name: 'key-menu',
    path: '/keys',
    prepare: async page => {
      await page.getByRole('button', { name: 'Actions for Order service' }).click()
      await page.getByRole('menu').waitFor()
    },
  },
  {
    name: 'rename-key',
    path: '/keys',
    prepare: async page => {
      await page.getByRole('button', { name: 'Actions for Order service' }).click()
      await page.getByRole('menuitem', { name: 'Rename' }).click()
      await page.getByRole('dialog').waitFor()
    },
  },
  {
    name: 'delete-key',
    path: '/keys',
    prepare: async page => {
      await page.getByRole('button', { name: 'Actions for Order service' }).click()
      await page.getByRole('menuitem', { name: 'Delete' }).click()
      await page.getByRole('dialog').waitFor()
    },
  },
  { name: 'keys-not-found', path: '/keys?q=nothing' },
  { name: 'keys-empty', path: '/keys?project=research' },
  { name: 'create-key', path: CREATE },
  {
    name: 'new-key',
    path: '/keys/new?project=research&name=Paper%20reader',
    prepare: async page => {
      await page.getByRole('button', { name: 'Create key' }).click()
      await page.getByRole('button', { name: 'Run it' }).click()
      await page.getByText('The first call was answered').waitFor()
      // Taken: leaving asks nothing.
      await page.getByRole('button', { name: 'Copy key' }).click()
    },
  },
  {
    name: 'key',
    path: KEY,
    prepare: async page => {
      await page.getByLabel('Address').fill('192.0.2.1')
      await page.getByRole('button', { name: 'Test', exact: true }).click()
      await page.getByText('This call would be refused').waitFor()
    },
  },
  { name: 'edit-key', path: `${KEY}/edit` },
  { name: 'projects', path: '/projects' },
  {
    name: 'create-project',
    path: '/projects',
    prepare: async page => {
      await page.getByRole('button', { name: 'Create project' }).click()
      await page.getByRole('dialog').waitFor()
    },
  },
  { name: 'project', path: '/projects/web-shop' },
  { name: 'project-settings', path: '/projects/web-shop/settings' },
  { name: 'project-aliases', path: '/projects/web-shop/aliases' },
  { name: 'projects-not-found', path: '/projects?q=nothing' },
  ...USAGE_SCREENS,
  ...SPEND_SCREENS,
  ...LIMIT_SCREENS,
  ...PEOPLE_SCREENS,
  ...CALL_SCREENS,
  ...AUDIT_SCREENS,
  ...FRAME_SCREENS,
  { name: 'nowhere', path: '/settings/nowhere' },
  {
    name: 'sign-in-refused',
    path: '/',
    prepare: async page => {
      await page.getByRole('button', { name: 'Sign out' }).click()
      await page.getByText('Use a management token instead').click()
      await page.getByLabel('Management token').fill('plx_pat_000000000000000000000000000000000000')
      await page.getByRole('button', { name: 'Sign in with the token' }).click()
      await page.getByRole('alert').waitFor()
    },
  },
]

/** At the door, which has passkeys where it has a name. */
const DOOR_SCREENS: readonly Screen[] = [
  {
    name: 'sign-in',
    path: '/',
    prepare: async page => {
      await page.getByRole('button', { name: 'Sign out' }).click()
      await page.getByLabel('Password', { exact: true }).waitFor()
    },
  },
  { name: 'link-broken', path: '/invite' },
]

/** Of somebody who signed in, and not of a token, which has no password, passkeys and sessions. */
const PERSON_SCREENS: readonly Screen[] = [
  {
    name: 'settings-person',
    path: '/settings',
    prepare: async page => {
      await signInAgain(page)
      await page.getByText('None yet. A passkey is kept by your device').waitFor()
    },
  },
  {
    name: 'security-person',
    path: '/security',
    prepare: async page => {
      await signInAgain(page)
      await page.getByText('this one').waitFor()
    },
  },
]

/** Before anybody has set Pollux up. */
const FIRST_SCREENS: readonly Screen[] = [
  {
    name: 'sign-in-first',
    path: '/',
    prepare: async page => {
      await page.getByRole('button', { name: 'Sign out' }).click()
      await page.getByText('Nobody owns this Pollux yet').waitFor()
    },
  },
]

export interface Place extends Omit<Screen, 'path'> {
  readonly url: string
}

/** Fills one Pollux, leaves the other as it is, and answers every screen of both. */
export async function furnish(pollux: Pollux, fresh: Pollux): Promise<readonly Place[]> {
  await addKeys(pollux)
  // Before the organization has a cap: under one, models without a price are refused and leave no record.
  await addCalls(pollux)
  await addUsage(pollux)
  await addSpend(pollux)
  await addLimits(pollux)
  const { port } = new URL(pollux.origin)
  await setUpOwner({ client: pollux.client, port: Number(port) })
  await addPeople(pollux)
  const setUp = await fresh.client.call(USERS_V1.issueSetUpLink, { body: {} })
  const invite = await pollux.client.call(USERS_V1.inviteUser, {
    body: { email: 'grete@example.com', displayName: 'Grete Hermann', role: 'roles/editor' },
  })
  const reset = await pollux.client.call(USERS_V1.issueResetLink, { params: { user: OWNER }, body: {} })
  const named = ({ origin }: Pollux) => origin.replace('127.0.0.1', 'localhost')
  const at = (of: Pollux, link: string) => `${named(of)}${new URL(link).pathname}${new URL(link).hash}`
  return [
    ...SCREENS.map(({ path, ...screen }) => ({ ...screen, url: `${pollux.origin}${path}` })),
    ...DOOR_SCREENS.map(({ path, ...screen }) => ({ ...screen, url: `${named(pollux)}${path}` })),
    ...PERSON_SCREENS.map(({ path, ...screen }) => ({ ...screen, url: `${named(pollux)}${path}` })),
    ...FIRST_SCREENS.map(({ path, ...screen }) => ({ ...screen, url: `${named(fresh)}${path}` })),
    { name: 'set-up', url: at(fresh, setUp.link) },
    { name: 'invite', url: at(pollux, invite.link), prepare: refusePassword },
    { name: 'reset', url: at(pollux, reset.link) },
    { name: 'proof', url: `${pollux.origin}/keys`, prepare: page => askForProof(page, pollux) },
  ]
}

async function refusePassword(page: Page): Promise<void> {
  await page.getByLabel('Password', { exact: true }).fill('grete1234567')
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByText('It is on lists of leaked passwords').waitFor()
}

/** As the owner, who comes back to where they were. */
async function signInAgain(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByLabel('E-mail address').fill(OWNER)
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
}

async function askForProof(page: Page, pollux: Pollux): Promise<void> {
  await signInAgain(page)
  await page.getByRole('button', { name: 'Actions for Nightly reports' }).click()
  await page.getByRole('menuitem', { name: 'Delete' }).click()
  await page.getByRole('dialog').waitFor()
  ageProofs(pollux)
  await page.getByRole('button', { name: 'Delete' }).click()
  await page.getByRole('dialog', { name: 'Is it still you?' }).waitFor()
}

type KeyBody = BodyOf<typeof POLLUX_V1.createKey>

const KEYS: readonly { readonly key: string; readonly body: KeyBody; readonly cap?: string }[] = [
  {
    key: 'storefront',
    body: {
      displayName: 'Storefront',
      environment: 'production',
      restrictions: { browserKeyRestrictions: { allowedReferrers: ['https://shop.example/*'] } },
      allowedModels: ['gemini-3.8-flash'],
    },
    cap: '25000000000',
  },
  {
    key: 'order-service',
    body: {
      displayName: 'Order service',
      environment: 'production',
      restrictions: { serverKeyRestrictions: { allowedIps: ['127.0.0.1', '203.0.113.0/24'] } },
    },
    cap: '10000000',
  },
  {
    key: 'nightly-reports',
    body: {
      displayName: 'Nightly reports',
      environment: 'staging',
      allowedTools: [],
      expireTime: new Date(Date.now() + 5.5 * 86_400_000).toISOString(),
    },
    cap: '50000000000',
  },
  { key: 'old-prototype', body: { displayName: 'Old prototype', environment: 'development' } },
]

const CALLS = 8

async function addKeys({ client, origin }: Pollux): Promise<void> {
  const project = 'web-shop'
  await client.call(POLLUX_V1.createProject, {
    body: {
      projectId: project,
      displayName: 'Web shop',
      labels: { environment: 'production', team: 'shop' },
      modelAliases: { 'shop-model': { model: 'gemini-3.8-flash' } },
    },
  })
  await client.call(POLLUX_V1.createProject, { body: { projectId: 'research', displayName: 'Research' } })
  await client.call(PROJECT_BUDGETS_V1.createBudget, {
    params: { project },
    query: { budgetId: 'month' },
    body: { cap: '500000000000' },
  })
  for (const { key, body, cap } of KEYS) {
    const { keyString = '' } = await client.call(POLLUX_V1.createKey, {
      params: { project },
      query: { keyId: key },
      body,
    })
    if (cap !== undefined) {
      const params = { project, key }
      await client.call(KEY_BUDGETS_V1.createBudget, { params, query: { budgetId: 'month' }, body: { cap } })
    }
    if (key === 'order-service') for (let call = 0; call < CALLS; call++) await callOnce(origin, keyString)
  }
  // What it has spent is most of what is left of its cap.
  await client.call(KEY_BUDGETS_V1.updateBudget, {
    params: { project, key: 'order-service', budget: 'month' },
    query: { updateMask: 'cap' },
    body: { cap: '4500000' },
  })
  await client.call(POLLUX_V1.disableKey, { params: { project, key: 'old-prototype' } })
}

async function callOnce(origin: string, keyString: string): Promise<void> {
  const text = 'Write a story about two stars that belong together. '.repeat(8)
  const response = await fetch(`${origin}/v1beta/models/gemini-3.8-flash:generateContent`, {
    method: 'POST',
    headers: { 'x-goog-api-key': keyString, 'content-type': 'application/json' },
    body: JSON.stringify({ contents: [{ role: 'user', parts: [{ text }] }] }),
  })
  await response.arrayBuffer()
}
