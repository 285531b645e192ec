/** People, roles and a robot, and the screens that show them. */
import type { Page } from 'playwright-core'
import { PROJECT_IAM_V3 } from '../src/contract/iam.v3.ts'
import { SERVICE_ACCOUNTS_V1 } from '../src/contract/service-accounts.v1.ts'
import { USERS_V1 } from '../src/contract/users.v1.ts'
import { PASSWORD, TestBrowser, tokenOf } from './people.ts'
import type { Pollux } from './pollux.ts'

const PROJECT = 'web-shop'
const ROBOT = 'deploy-robot'
const ROBOT_MEMBER = `serviceAccount:${ROBOT}@${PROJECT}.iam.pollux.internal`

export const PEOPLE_SCREENS = [
  { name: 'members', path: '/members' },
  {
    name: 'invite-somebody',
    path: '/members',
    prepare: async (page: Page) => {
      await page.getByRole('button', { name: 'Invite somebody' }).click()
      await page.getByLabel('E-mail address').fill('katherine')
      await page.getByText('This is no e-mail address').waitFor()
    },
  },
  { name: 'person', path: '/members/people/emmy@example.com' },
  { name: 'service-accounts', path: '/members/service-accounts' },
  {
    name: 'service-account',
    path: '/members/service-accounts/web-shop/deploy-robot',
    prepare: async (page: Page) => {
      await page.getByRole('button', { name: 'Create token' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Create token' }).click()
      await page.getByText('Take the token now').waitFor()
    },
  },
  { name: 'roles', path: '/members/roles' },
] as const

/** Lets somebody in who has signed in once. Returns the browser in which they are. */
export async function addPerson(
  { client, origin }: Pick<Pollux, 'client' | 'origin'>,
  person: { readonly email: string; readonly displayName: string; readonly role?: string },
): Promise<TestBrowser> {
  const { link } = await client.call(USERS_V1.inviteUser, { body: person })
  const browser = new TestBrowser({ port: Number(new URL(origin).port) })
  const answer = await browser.post('/pollux/v1/links:accept', { token: tokenOf(link), password: PASSWORD })
  if (answer.status !== 200) throw new Error(`${person.email} could not come in: ${answer.reason ?? ''}`)
  return browser
}

/** Needs the project `web-shop`. */
export async function addPeople(pollux: Pollux): Promise<void> {
  const { client } = pollux
  await addPerson(pollux, { email: 'emmy@example.com', displayName: 'Emmy Noether', role: 'roles/viewer' })
  await addPerson(pollux, { email: 'paul@example.com', displayName: 'Paul Kim' })
  await client.call(USERS_V1.disableUser, { params: { user: 'paul@example.com' }, body: {} })
  const params = { project: PROJECT }
  await client.call(SERVICE_ACCOUNTS_V1.createServiceAccount, {
    params,
    query: { accountId: ROBOT },
    body: { displayName: 'Deploy robot', description: 'Terraform in CI' },
  })
  await client.call(PROJECT_IAM_V3.setIamPolicy, {
    params,
    body: {
      policy: {
        bindings: [
          { role: 'roles/serviceusage.apiKeysAdmin', members: [ROBOT_MEMBER, 'user:emmy@example.com'] },
          { role: 'roles/billing.admin', members: ['user:lise@example.com'] },
        ],
      },
    },
  })
  const account = { ...params, serviceAccount: ROBOT }
  const { token = '' } = await client.call(SERVICE_ACCOUNTS_V1.createToken, {
    params: account,
    body: { displayName: 'Terraform in CI' },
  })
  await client.call(SERVICE_ACCOUNTS_V1.createServiceAccountKey, { params: account, body: {} })
  // Its last use is shown.
  await fetch(`${pollux.origin}/pollux/v1/session`, { headers: { authorization: `Bearer ${token}` } })
}
