/** `pollux iam`, `pollux service-accounts` and `pollux tokens` against a real management plane. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isKeyString } from '../src/domain/keystring.ts'
import { type Ran, type Situation, run, steady } from './command-line.ts'
import { ADMIN_TOKEN, type Management, startManagement } from './management.ts'

let management: Management
beforeAll(async () => {
  management = await startManagement()
  await output(['projects', 'create', 'access-shop'])
  await output(['service-accounts', 'create', 'cli-robot', ...SHOP, '--display-name', 'Robot'])
})
afterAll(() => management.close())

const SHOP = ['--project', 'access-shop']
const ROBOT = 'cli-robot@access-shop.iam.pollux.internal'

async function pollux(argv: readonly string[], situation?: Situation, token = ADMIN_TOKEN): Promise<Ran> {
  return await run({ url: management.origin, token }, argv, situation)
}

/** Runs what must succeed, and returns its standard output. */
async function output(argv: readonly string[], situation?: Situation): Promise<string> {
  const { code, out, err } = await pollux(argv, situation)
  expect(code, err).toBe(0)
  return out
}

describe('pollux iam', () => {
  test('gives a role, lists it, and takes it away', async () => {
    const binding = ['--member', 'user:ada@example.com', '--role', 'roles/viewer']
    expect(await output(['iam', 'add-binding', ...SHOP, ...binding])).toBe(
      'ROLE          MEMBER\nroles/viewer  user:ada@example.com\n',
    )
    const shown = JSON.parse(await output(['iam', 'policy', ...SHOP, '--json']))
    expect(shown.bindings).toEqual([{ role: 'roles/viewer', members: ['user:ada@example.com'] }])
    const removed = await pollux(['iam', 'remove-binding', ...SHOP, ...binding])
    expect([removed.code, removed.err]).toEqual([0, expect.stringContaining('Nobody holds a role there')])
    expect((await pollux(['iam', 'remove-binding', ...SHOP, ...binding])).code).toBe(2)
  })

  test('gives roles of the organization without --project, and lists all there are', async () => {
    const binding = ['--member', `serviceAccount:${ROBOT}`, '--role', 'roles/monitoring.viewer']
    expect(await output(['iam', 'add-binding', ...binding])).toContain(`serviceAccount:${ROBOT}`)
    expect(await output(['iam', 'roles'])).toMatch(/^roles\/monitoring\.viewer +organization +Reads/m)
    expect((await pollux(['iam', 'add-binding', ...SHOP, ...binding])).code).toBe(2)
  })

  test('tells what one may do', async () => {
    const asked = ['apikeys.keys.create', 'no.such.permission']
    expect(await output(['iam', 'test', ...asked, ...SHOP])).toBe('apikeys.keys.create\n')
  })
})

describe('pollux service-accounts and tokens', () => {
  test('shows an account, switches it off and on, and asks before it is deleted', async () => {
    expect(steady(await output(['service-accounts', 'get', 'cli-robot', ...SHOP]))).toBe(
      [
        `Email      ${ROBOT}`,
        'Name       Robot',
        'State      ACTIVE',
        'Project    access-shop',
        'Unique id  00000000-0000-0000-0000-000000000000',
        'Created    2026-01-01T00:00:00.000Z',
        'Updated    2026-01-01T00:00:00.000Z\n',
      ].join('\n'),
    )
    expect(await output(['service-accounts', 'disable', 'cli-robot', ...SHOP])).toContain('DISABLED')
    expect(await output(['service-accounts', 'enable', ROBOT, ...SHOP])).toContain('ACTIVE')
    await output(['service-accounts', 'create', 'goner-robot', ...SHOP])
    const deletion = ['service-accounts', 'delete', 'goner-robot', ...SHOP]
    expect((await pollux(deletion)).code).toBe(2)
    expect((await pollux(deletion, { stdin: 'no\n', isStdinTty: true })).code).toBe(1)
    await output([...deletion, '--yes'])
    expect(await output(['service-accounts', 'list', ...SHOP])).not.toContain('goner-robot')
  })

  test('a token is printed once, works within its permissions, and is refused once deleted', async () => {
    const role = ['--member', `serviceAccount:${ROBOT}`, '--role', 'roles/editor']
    await output(['iam', 'add-binding', ...SHOP, ...role])
    const account = [...SHOP, '--service-account', 'cli-robot']
    const limits = ['--permissions', 'apikeys.keys.list', '--only-project', 'access-shop', '--expires', '1d']
    const token = (await output(['tokens', 'create', ...account, ...limits, '--quiet'])).trim()
    expect(isKeyString(token, 'token')).toBe(true)
    expect((await pollux(['keys', 'list', ...SHOP], {}, token)).code).toBe(0)
    expect((await pollux(['keys', 'create', ...SHOP], {}, token)).code).toBe(5)
    const listed = await output(['tokens', 'list', ...account])
    expect(listed).toContain(`plx_pat_…${token.slice(-4)}`)
    const { tokens } = JSON.parse(await output(['tokens', 'list', ...account, '--json']))
    await output(['tokens', 'delete', tokens[0].name, ...account])
    expect((await pollux(['keys', 'list', ...SHOP], {}, token)).code).toBe(4)
  })

  test('a key file goes to a file, never to a terminal', async () => {
    const create = ['service-accounts', 'create-key', 'cli-robot', ...SHOP]
    expect((await pollux(create, { columns: 80 })).code).toBe(2)
    const file = JSON.parse(await output(create))
    expect(file).toMatchObject({ type: 'service_account', client_email: ROBOT, project_id: 'access-shop' })
    expect(await output(['service-accounts', 'list-keys', 'cli-robot', ...SHOP])).toMatch(
      new RegExp(`^${file.private_key_id} .* never$`, 'm'),
    )
    await output(['service-accounts', 'delete-key', 'cli-robot', file.private_key_id, ...SHOP])
  })
})
