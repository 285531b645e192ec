/** Refused permissions are in the audit trail: who lacked what, in bounded number, and the chain stays whole (ASVS 16.3.2). */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ENTRIES_OF_PRINCIPAL_MAX } from '../src/control/refusals.ts'
import type { ChainedEntry } from '../src/domain/audit.ts'
import { logEntryOf } from '../src/domain/audit.ts'
import { type Management, startManagement } from './management.ts'
import { type Robot, makeProject, makeRobot } from './principals.ts'

let management: Management
let ours: string
let theirs: string
let robot: Robot
beforeEach(async () => {
  management = await startManagement()
  ours = await makeProject(management, 'our-project')
  theirs = await makeProject(management, 'their-project')
  const roles = [{ role: 'roles/viewer', project: 'our-project' }] as const
  robot = await makeRobot(management, { home: 'our-project', id: 'reads-only', roles })
})
afterEach(() => management.close())

const trail = async (): Promise<readonly ChainedEntry[]> => {
  const page = await management.storage.audit.list({ projectNumber: null, limit: 300, cursor: null })
  return page.items.filter(({ status }) => (status ?? null) !== null)
}
/** The answer does not wait for its entry. */
const refusals = async (atLeast: number): Promise<readonly ChainedEntry[]> => {
  for (;;) {
    const found = await trail()
    if (found.length >= atLeast) return found
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

const KEYS = '/v2/projects/our-project/locations/global/keys'

it('each says who asked for what, from where, and which permission was missing', async () => {
  expect((await robot.request('POST', `${KEYS}?keyId=mine`, {})).status).toBe(403)
  const [entry] = await refusals(1)
  if (entry === undefined) throw new Error('no entry')
  expect(entry).toMatchObject({
    principal: robot.member,
    methodName: 'google.api.apikeys.v2.ApiKeys.CreateKey',
    permission: 'apikeys.keys.create',
    resourceName: 'projects/our-project/locations/global/keys',
    projectNumber: ours,
    callerIp: '203.0.113.9',
    before: null,
    after: null,
  })
  expect(logEntryOf(entry)).toMatchObject({
    severity: 'ERROR',
    protoPayload: {
      authorizationInfo: [{ permission: 'apikeys.keys.create', granted: false }],
      status: { code: 7, message: expect.stringContaining('apikeys.keys.create') },
    },
  })
})

it('reads, projects of others and what only the organization may are taken down as well', async () => {
  await robot.request('GET', '/pollux/v1/users')
  await robot.request('GET', '/pollux/v1/projects/their-project')
  await robot.request('GET', '/v3/projects/their-project')
  await robot.request('GET', '/v2/projects/their-project/locations/global/keys/web')
  const found = await refusals(4)
  expect(found.map(({ permission, projectNumber }) => `${permission} ${projectNumber}`).toSorted()).toEqual([
    `apikeys.keys.get ${theirs}`,
    'pollux.users.list null',
    `resourcemanager.projects.get ${theirs}`,
    `resourcemanager.projects.get ${theirs}`,
  ])
  // What is merely not there is no refusal.
  expect((await robot.request('GET', '/pollux/v1/projects/our-project/keys/nothing')).status).toBe(404)
  expect(await trail()).toHaveLength(4)
})

it('a flood of them writes a few entries a minute and the number of the rest, and the chain is whole', async () => {
  const flood = 60
  const ask = () => robot.request('DELETE', `${KEYS}/web`)
  const answers = await Promise.all(Array.from({ length: flood }, ask))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([403]))
  expect(await refusals(ENTRIES_OF_PRINCIPAL_MAX)).toHaveLength(ENTRIES_OF_PRINCIPAL_MAX)
  management.advance(60_000)
  await ask()
  const found = await refusals(ENTRIES_OF_PRINCIPAL_MAX + 2)
  expect(found).toHaveLength(ENTRIES_OF_PRINCIPAL_MAX + 2)
  const counted = found.find(({ methodName }) => methodName === 'pollux.v1.Access.OmitRefusals')
  expect(counted).toMatchObject({
    principal: robot.member,
    request: { omitted: flood - ENTRIES_OF_PRINCIPAL_MAX, principals: { [robot.member]: 55 } },
  })
  const verification = await management.storage.audit.verify()
  expect(verification.problems).toEqual([])
  expect(verification.entriesChecked).toBeGreaterThan(ENTRIES_OF_PRINCIPAL_MAX + 2)
})

it('many accounts are no way around it', async () => {
  for (let account = 0; account < 8; account += 1) {
    const other = await makeRobot(management, { home: 'our-project', id: `account-${account}` })
    await Promise.all(Array.from({ length: 10 }, () => other.request('GET', '/pollux/v1/users')))
  }
  await refusals(30)
  expect(await trail()).toHaveLength(30)
})

it('strangers write none: what has no principal could fill it', async () => {
  await management.request('GET', '/pollux/v1/users', { headers: {} })
  await management.request('GET', '/pollux/v1/users', { headers: { authorization: 'Bearer nonsense' } })
  await robot.request('GET', '/pollux/v1/users')
  expect(await refusals(1)).toHaveLength(1)
})
