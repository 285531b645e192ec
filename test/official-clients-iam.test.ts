/** IAM and service accounts as Google's own clients meet them, unmodified: only address and credential are ours. */
import { createRequire } from 'node:module'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SERVICE_ACCOUNTS_V1 } from '../src/contract/service-accounts.v1.ts'
import { ADMIN_TOKEN, type Management, startManagement } from './management.ts'
import { makeProject, makeRobot } from './principals.ts'

// The clients are a package apart, so that installing Pollux installs none of them.
const load = createRequire(new URL('clients/package.json', import.meta.url))
const { ApiKeysClient } = load('@google-cloud/apikeys')
const { ProjectsClient } = load('@google-cloud/resource-manager')
const { GoogleAuth, JWT, OAuth2Client } = load('google-auth-library')
const { google } = load('googleapis')

const PARENT = 'projects/client-project/locations/global'

let management: Management
/** The JSON of a key file, as it was downloaded. */
let keyFile: Record<string, string>
beforeAll(async () => {
  management = await startManagement()
  await makeProject(management, 'client-project')
  await makeProject(management, 'foreign-project')
  await makeRobot(management, {
    home: 'client-project',
    id: 'automation',
    roles: [{ role: 'roles/editor', project: 'client-project' }],
  })
  const params = { project: 'client-project', serviceAccount: 'automation' }
  const made = await management.client.call(SERVICE_ACCOUNTS_V1.createServiceAccountKey, { params, body: {} })
  keyFile = JSON.parse(Buffer.from(made.privateKeyData ?? '', 'base64').toString('utf8'))
})
afterAll(() => management.close())

function admin() {
  const client = new OAuth2Client()
  client.setCredentials({ access_token: ADMIN_TOKEN })
  return client
}

const rest = (more: object) => ({
  fallback: true,
  protocol: 'http',
  apiEndpoint: '127.0.0.1',
  port: management.port,
  ...more,
})
const failure = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'no error',
    (error: unknown) => error,
  )

describe('@google-cloud/resource-manager', () => {
  it('reads, sets and tests the policy of a project, and raises on an old etag', async () => {
    const projects = new ProjectsClient(rest({ authClient: admin() }))
    const resource = 'projects/client-project'
    const [policy] = await projects.getIamPolicy({ resource })
    expect(policy.version).toBe(1)
    const bindings = [...policy.bindings, { role: 'roles/viewer', members: ['user:ada@example.com'] }]
    const [changed] = await projects.setIamPolicy({ resource, policy: { ...policy, bindings } })
    expect(changed.bindings).toContainEqual(
      expect.objectContaining({ role: 'roles/viewer', members: ['user:ada@example.com'] }),
    )
    expect(await failure(projects.setIamPolicy({ resource, policy }))).toMatchObject({ code: 409 })
    const [again] = await projects.getIamPolicy({ resource, options: { requestedPolicyVersion: 3 } })
    expect(again.bindings).toEqual(changed.bindings)
    const permissions = ['apikeys.keys.create', 'compute.instances.list']
    const [tested] = await projects.testIamPermissions({ resource, permissions })
    expect(tested.permissions).toEqual(['apikeys.keys.create'])
  })
})

describe('googleapis (the discovery client)', () => {
  const projectsAs = (auth: unknown) =>
    google.cloudresourcemanager({ version: 'v3', auth, rootUrl: `${management.origin}/` }).projects

  it('reads, sets and tests the policy of a project', async () => {
    const projects = projectsAs(admin())
    const resource = 'projects/client-project'
    const { data: policy } = await projects.getIamPolicy({ resource, requestBody: {} })
    policy.bindings.push({ role: 'roles/pollux.auditor', members: ['user:grace@example.com'] })
    const { data: changed } = await projects.setIamPolicy({ resource, requestBody: { policy } })
    expect(changed.bindings).toEqual(expect.arrayContaining(policy.bindings))
    const refused = projects.setIamPolicy({ resource, requestBody: { policy } })
    expect(await failure(refused)).toMatchObject({ status: 409 })
    const { data } = await projects.testIamPermissions({
      resource,
      requestBody: { permissions: ['apikeys.keys.get'] },
    })
    expect(data.permissions).toEqual(['apikeys.keys.get'])
  })

  it('signs in with a key file, as long as it signs itself, and is kept to what the account holds', async () => {
    const { client_email: email, private_key: key, private_key_id: keyId } = keyFile
    const auth = new JWT({ email, key, keyId, scopes: ['https://www.googleapis.com/auth/cloud-platform'] })
    auth.useJWTAccessWithScope = true
    const projects = projectsAs(auth)
    expect((await projects.get({ name: 'projects/client-project' })).data.projectId).toBe('client-project')
    expect(await failure(projects.get({ name: 'projects/foreign-project' }))).toMatchObject({ status: 403 })
    expect(await failure(projects.delete({ name: 'projects/client-project' }))).toMatchObject({ status: 403 })
  })
})

describe('a key file', () => {
  it('signs @google-cloud/apikeys in, which makes and lists keys', async () => {
    const keys = new ApiKeysClient(rest({ credentials: keyFile }))
    const [operation] = await keys.createKey({ parent: PARENT, keyId: 'by-automation', key: {} })
    expect((await operation.promise())[0].name).toMatch(/\/keys\/by-automation$/)
    const [listed] = await keys.listKeys({ parent: PARENT })
    expect(listed.map(({ name }: { name: string }) => name.split('/').at(-1))).toContain('by-automation')
    const foreign = keys.listKeys({ parent: 'projects/foreign-project/locations/global' })
    expect(await failure(foreign)).toMatchObject({ code: 7, reason: 'CONSUMER_INVALID' })
  })

  it('signs @google-cloud/resource-manager in', async () => {
    const projects = new ProjectsClient(rest({ credentials: keyFile }))
    const [listed] = await projects.searchProjects({})
    expect(listed.map(({ projectId }: { projectId: string }) => projectId)).toEqual(['client-project'])
  })

  it('is read by google-auth-library as its own', async () => {
    const client = new GoogleAuth().fromJSON(keyFile)
    expect(client).toBeInstanceOf(JWT)
    const headers = await client.getRequestHeaders(`${management.origin}/v3/projects/client-project`)
    const authorization = headers.get('authorization')
    const answer = await management.request('GET', '/v3/projects/client-project', {
      headers: { authorization },
    })
    expect(answer.status).toBe(200)
  })
})
