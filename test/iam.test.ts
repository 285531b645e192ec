/** Who may give which role to whom: policies over HTTP, and what people try who want more than they have. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Management, startManagement } from './management.ts'
import { type Robot, grant, makeProject, makeRobot } from './principals.ts'

let management: Management
/** Owner of `iam-project`, and of nothing else. */
let owner: Robot
let number: string
beforeAll(async () => {
  management = await startManagement()
  number = await makeProject(management, 'iam-project')
  await makeProject(management, 'other-project')
  owner = await makeRobot(management, {
    home: 'iam-project',
    id: 'project-owner',
    roles: [{ role: 'roles/owner', project: 'iam-project' }],
  })
})
afterAll(() => management.close())

const PROJECT = '/v3/projects/iam-project'
const ORGANIZATION = '/pollux/v1/organizations/1'
const policyOf = async (resource: string) =>
  (await management.request('POST', `${resource}:getIamPolicy`)).json
const set = (robot: Robot, resource: string, policy: unknown) =>
  robot.request('POST', `${resource}:setIamPolicy`, { policy })
const reasonOf = ({ status, json }: Awaited<ReturnType<Robot['request']>>) => [
  status,
  json.error?.details[0].reason,
]
const DENIED = [403, 'IAM_PERMISSION_DENIED']

/** The policy of a resource with one binding more. */
async function widened(resource: string, role: string, member: string) {
  const policy = await policyOf(resource)
  return { ...policy, bindings: [...(policy.bindings ?? []), { role, members: [member] }] }
}

describe('a policy', () => {
  it('is given and taken away with effect on the next request, and each change is audited', async () => {
    const robot = await makeRobot(management, { home: 'iam-project', id: 'next-request' })
    const read = async () => (await robot.request('GET', '/pollux/v1/projects/iam-project/keys')).status
    const before = await policyOf(PROJECT)
    expect(await read()).toBe(404)
    const given = await set(owner, PROJECT, await widened(PROJECT, 'roles/viewer', robot.member))
    expect(given.json).toMatchObject({ version: 1, etag: expect.stringMatching(/^[\w+/]+=*$/) })
    expect(await read()).toBe(200)
    expect((await set(owner, PROJECT, { bindings: before.bindings })).status).toBe(200)
    expect(await read()).toBe(404)
    const { items } = await management.storage.audit.list({ projectNumber: number, limit: 20, cursor: null })
    const changes = items.filter(({ methodName }) => methodName.endsWith('.SetIamPolicy'))
    expect(changes.slice(0, 2)).toMatchObject([
      { before: { bindings: expect.arrayContaining([{ role: 'roles/viewer', members: [robot.member] }]) } },
      {
        principal: owner.member,
        methodName: 'google.cloud.resourcemanager.v3.Projects.SetIamPolicy',
        permission: 'resourcemanager.projects.setIamPolicy',
        resourceName: `projects/${number}`,
        after: { bindings: expect.arrayContaining([{ role: 'roles/viewer', members: [robot.member] }]) },
      },
    ])
  })

  it('over a project gives it no other tier: that is for who may change tiers', async () => {
    const move = (tier: string) =>
      owner.request('PATCH', '/pollux/v1/projects/iam-project?updateMask=tier', { tier })
    expect(reasonOf(await move('tier-1'))).toEqual(DENIED)
    await management.request('PATCH', '/pollux/v1/projects/iam-project', { body: '{"tier":"free"}' })
    expect((await move('free')).status).toBe(200)
    expect(reasonOf(await move(''))).toEqual(DENIED)
  })

  it('is the empty one where none was set', async () => {
    expect(await policyOf('/v3/projects/other-project')).toEqual({ version: 1, etag: 'ACAB' })
  })

  it('is refused with the etag of an earlier one, and accepted in every dialect of base64', async () => {
    const before = await policyOf(PROJECT)
    const after = await widened(PROJECT, 'roles/viewer', 'user:etag@example.com')
    expect((await set(owner, PROJECT, { ...after, etag: before.etag.replaceAll('=', '') })).status).toBe(200)
    expect(reasonOf(await set(owner, PROJECT, before))).toEqual([409, 'ETAG_MISMATCH'])
  })

  it('of ten changes with one etag lets one through, and of five without refuses none', async () => {
    const resource = '/v3/projects/other-project'
    const send = (policy: unknown) =>
      management.request('POST', `${resource}:setIamPolicy`, { body: JSON.stringify({ policy }) })
    const member = (index: number) => `user:racer-${index}@example.com`
    const { etag } = await policyOf(resource)
    const raced = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        send({ etag, bindings: [{ role: 'roles/viewer', members: [member(index)] }] }),
      ),
    )
    expect(raced.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(raced.filter(({ status }) => status === 409)).toHaveLength(9)
    const blind = await Promise.all(
      Array.from({ length: 5 }, () => send({ bindings: [{ role: 'roles/viewer', members: [member(99)] }] })),
    )
    expect(blind.every(({ status }) => status === 200)).toBe(true)
  })

  it.each([
    ['allUsers', 'allUsers'],
    ['allAuthenticatedUsers', 'allAuthenticatedUsers'],
    ['a domain', 'domain:example.com'],
    ['a group', 'group:staff@example.com'],
    ['a wildcard', 'user:*'],
    ['a name without a kind', 'somebody@example.com'],
    ['a token of the machine', 'tokens/admin'],
    ['a service account that does not exist', 'serviceAccount:nobody@iam-project.iam.pollux.internal'],
  ])('refuses %s as a member', async (_, member) => {
    const policy = await widened(PROJECT, 'roles/viewer', member)
    expect(reasonOf(await set(owner, PROJECT, policy))).toEqual([400, 'FIELD_INVALID'])
  })

  it('refuses conditions, audit settings, unknown roles, and organization roles on a project', async () => {
    const policy = await policyOf(PROJECT)
    const binding = { role: 'roles/viewer', members: ['user:a@example.com'] }
    for (const refused of [
      { ...policy, bindings: [{ ...binding, condition: { expression: 'true' } }] },
      { ...policy, auditConfigs: [{ service: 'allServices' }] },
      { ...policy, bindings: [{ ...binding, role: 'roles/god' }] },
      { ...policy, bindings: [{ ...binding, role: 'roles/resourcemanager.projectCreator' }] },
      { ...policy, version: 2 },
    ]) {
      expect(reasonOf(await set(owner, PROJECT, refused))).toEqual([400, 'FIELD_INVALID'])
    }
    expect(await policyOf(PROJECT)).toEqual(policy)
  })

  it('takes e-mails in any case for one member', async () => {
    const policy = await widened(PROJECT, 'roles/viewer', 'user:Case@Example.COM')
    policy.bindings.push({ role: 'roles/viewer', members: ['user:case@example.com'] })
    const { json } = await set(owner, PROJECT, policy)
    const viewers = json.bindings.find(({ role }: { role: string }) => role === 'roles/viewer')
    expect(viewers.members.filter((member: string) => member.includes('case'))).toEqual([
      'user:case@example.com',
    ])
  })
})

describe('nobody gives what they do not hold', () => {
  it('not even an owner of the project a role at the organization', async () => {
    const policy = await widened(ORGANIZATION, 'roles/owner', owner.member)
    expect(reasonOf(await set(owner, ORGANIZATION, policy))).toEqual(DENIED)
  })

  it.each(['roles/editor', 'roles/viewer', 'roles/pollux.auditor', 'roles/iam.serviceAccountAdmin'] as const)(
    '%s cannot change the policy of its project',
    async role => {
      const robot = await makeRobot(management, {
        home: 'iam-project',
        id: `r${randomUUID().slice(0, 8)}`,
        roles: [{ role, project: 'iam-project' }],
      })
      const policy = await widened(PROJECT, 'roles/owner', robot.member)
      expect(reasonOf(await set(robot, PROJECT, policy))).toEqual(DENIED)
    },
  )

  it('a token narrowed to setIamPolicy gives no role, to itself neither, and takes none away', async () => {
    const robot = await makeRobot(management, {
      home: 'iam-project',
      id: 'narrowed-owner',
      roles: [{ role: 'roles/owner', project: 'iam-project' }],
      limits: { permissions: ['resourcemanager.projects.setIamPolicy', 'resourcemanager.projects.get'] },
    })
    const policy = await widened(PROJECT, 'roles/viewer', robot.member)
    expect(reasonOf(await set(robot, PROJECT, policy))).toEqual(DENIED)
    expect(reasonOf(await set(robot, PROJECT, { bindings: [] }))).toEqual(DENIED)
    const same = await policyOf(PROJECT)
    expect((await set(robot, PROJECT, same)).status).toBe(200)
  })

  it('the organization is never left without an owner, but an owner may follow another', async () => {
    await grant(management, { member: 'user:first@example.com', role: 'roles/owner' })
    const without = async () => {
      const policy = await policyOf(ORGANIZATION)
      const bindings = policy.bindings.filter(({ role }: { role: string }) => role !== 'roles/owner')
      return { ...policy, bindings }
    }
    const send = async (policy: unknown) =>
      await management.request('POST', `${ORGANIZATION}:setIamPolicy`, { body: JSON.stringify({ policy }) })
    expect(reasonOf(await send(await without()))).toEqual([400, 'STATE_CONFLICT'])
    const next = await without()
    next.bindings.push({ role: 'roles/owner', members: ['user:second@example.com'] })
    expect((await send(next)).status).toBe(200)
    expect((await policyOf(ORGANIZATION)).bindings).toContainEqual({
      role: 'roles/owner',
      members: ['user:second@example.com'],
    })
  })

  it('who may make projects owns what it makes, and nothing else', async () => {
    const robot = await makeRobot(management, {
      home: 'iam-project',
      id: 'project-maker',
      roles: [{ role: 'roles/resourcemanager.projectCreator' }],
    })
    const make = (projectId: string) => robot.request('POST', '/v3/projects', { projectId })
    expect((await make('made-project')).status).toBe(200)
    expect((await policyOf('/v3/projects/made-project')).bindings).toEqual([
      { role: 'roles/owner', members: [robot.member] },
    ])
    const listed = await robot.request('GET', '/v3/projects')
    expect(listed.json.projects.map(({ projectId }: { projectId: string }) => projectId)).toEqual([
      'made-project',
    ])
    expect((await robot.request('GET', '/v2/projects/made-project/locations/global/keys')).status).toBe(200)
    expect(reasonOf(await robot.request('GET', PROJECT))).toEqual(DENIED)
  })
})

describe('testIamPermissions', () => {
  const ask = async (robot: Robot, resource: string, permissions: readonly string[]) =>
    (await robot.request('POST', `${resource}:testIamPermissions`, { permissions })).json

  it('tells what the caller holds there, and nothing of what Pollux does not know', async () => {
    const asked = ['apikeys.keys.create', 'resourcemanager.projects.create', 'compute.instances.list']
    expect(await ask(owner, PROJECT, asked)).toEqual({
      permissions: ['apikeys.keys.create', 'resourcemanager.projects.create'],
    })
    expect(await ask(owner, ORGANIZATION, asked)).toEqual({})
    const refused = await owner.request('POST', `${PROJECT}:testIamPermissions`, {
      permissions: ['apikeys.*'],
    })
    expect(reasonOf(refused)).toEqual([400, 'FIELD_INVALID'])
  })

  it('tells strangers nothing', async () => {
    const { status } = await owner.request('POST', '/v3/projects/other-project:testIamPermissions', {})
    expect(status).toBe(403)
  })
})
