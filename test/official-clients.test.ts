/** The management plane as Google's own clients meet it, unmodified: only address and credential are ours. */
import { createRequire } from 'node:module'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { isKeyString } from '../src/domain/keystring.ts'
import { ADMIN_TOKEN, type Management, startManagement } from './management.ts'

// The clients are a package apart, so that installing Pollux installs none of them.
const load = createRequire(new URL('clients/package.json', import.meta.url))
const { ApiKeysClient } = load('@google-cloud/apikeys')
const { ProjectsClient } = load('@google-cloud/resource-manager')
const { OAuth2Client, PassThroughClient } = load('google-auth-library')
const { google } = load('googleapis')

const PARENT = 'projects/client-project/locations/global'
/** google.rpc.Code numbers, which the gRPC-shaped clients report. */
const CODE = {
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  UNAUTHENTICATED: 16,
}

/** Project.State numbers, as this client decodes the result of an operation. */
const STATE = { ACTIVE: 1, DELETE_REQUESTED: 2 }

let management: Management
beforeAll(async () => {
  management = await startManagement()
})
afterAll(() => management.close())

function bearer(token = ADMIN_TOKEN) {
  const client = new OAuth2Client()
  client.setCredentials({ access_token: token })
  return client
}

const options = (authClient: unknown = bearer()) => ({
  fallback: true,
  protocol: 'http',
  apiEndpoint: '127.0.0.1',
  port: management.port,
  authClient,
})

const failure = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'no error',
    (error: unknown) => error,
  )

describe('@google-cloud/resource-manager', () => {
  it('makes, reads, lists, searches, updates, deletes and undeletes a project', async () => {
    const projects = new ProjectsClient(options())
    const [creation] = await projects.createProject({
      project: { projectId: 'client-project', displayName: 'Client', labels: { env: 'dev' } },
    })
    const [created, metadata] = await creation.promise()
    expect(created).toMatchObject({
      projectId: 'client-project',
      state: STATE.ACTIVE,
      parent: 'organizations/1',
    })
    expect(metadata).toMatchObject({ gettable: true, ready: true })
    const { name } = created
    expect((await projects.getProject({ name: 'projects/client-project' }))[0].name).toBe(name)

    const [update] = await projects.updateProject({
      project: { name, displayName: 'Renamed' },
      updateMask: { paths: ['display_name'] },
    })
    expect((await update.promise())[0]).toMatchObject({ displayName: 'Renamed', labels: { env: 'dev' } })
    const [implied] = await projects.updateProject({ project: { name, displayName: 'Again' } })
    expect((await implied.promise())[0]).toMatchObject({ displayName: 'Again', labels: { env: 'dev' } })
    const stale = projects.updateProject({ project: { name, displayName: 'Never', etag: created.etag } })
    expect(await failure(stale)).toMatchObject({ code: 409 })

    const [listed] = await projects.listProjects({ parent: 'organizations/1' })
    expect(listed).toMatchObject([{ name }])
    const [found] = await projects.searchProjects({ query: 'name:aga* labels.env:none' })
    expect(found).toMatchObject([{ name }])

    const [deletion] = await projects.deleteProject({ name })
    expect((await deletion.promise())[0].state).toBe(STATE.DELETE_REQUESTED)
    const [undeletion] = await projects.undeleteProject({ name })
    expect((await undeletion.promise())[0].state).toBe(STATE.ACTIVE)
    const checked = await projects.checkCreateProjectProgress(creation.name)
    expect(checked.done).toBe(true)
  })

  it('raises permission denied for a project that does not exist', async () => {
    const projects = new ProjectsClient(options())
    // This client still rides on the older runtime, which reports the HTTP status and the body as the message.
    expect(await failure(projects.getProject({ name: 'projects/no-such-project' }))).toMatchObject({
      code: 403,
      message: expect.stringContaining('IAM_PERMISSION_DENIED'),
    })
  })
})

describe('@google-cloud/apikeys', () => {
  it('makes a key with an id, finds it by its string, and is told that the string is shown once', async () => {
    const keys = new ApiKeysClient(options())
    const restrictions = {
      browserKeyRestrictions: { allowedReferrers: ['*.example.com/*'] },
      apiTargets: [{ service: 'generativelanguage.googleapis.com', methods: ['Get*'] }],
    }
    const [operation] = await keys.createKey({
      parent: PARENT,
      keyId: 'web',
      key: { displayName: 'Web', annotations: { a_b: 'c' }, restrictions },
    })
    const [key] = await operation.promise()
    expect(isKeyString(key.keyString, 'key')).toBe(true)
    expect(key.name).toMatch(/^projects\/\d+\/locations\/global\/keys\/web$/)
    expect(key).toMatchObject({ displayName: 'Web', annotations: { a_b: 'c' } })
    const [read] = await keys.getKey({ name: `${PARENT}/keys/web` })
    expect(read).toMatchObject({ name: key.name, keyString: '', restrictions })
    expect(Number(read.createTime.seconds) * 1000).toBeGreaterThan(Date.now() - 60_000)
    expect((await keys.lookupKey({ keyString: key.keyString }))[0]).toMatchObject({
      parent: key.name.replace(/\/keys\/web$/, ''),
      name: key.name,
    })
    expect(await failure(keys.getKeyString({ name: key.name }))).toMatchObject({
      code: CODE.FAILED_PRECONDITION,
      reason: 'KEY_STRING_SHOWN_ONCE',
    })
    const project = { params: { project: 'client-project' }, query: {} }
    await management.client.call(POLLUX_V1.updateProject, { ...project, body: { recoverableKeys: true } })
    const [made] = await (await keys.createKey({ parent: PARENT, keyId: 'kept', key: {} }))[0].promise()
    expect((await keys.getKeyString({ name: made.name }))[0]).toEqual({ keyString: made.keyString })
    await (await keys.deleteKey({ name: made.name }))[0].promise()
    await management.client.call(POLLUX_V1.updateProject, { ...project, body: { recoverableKeys: false } })
    const kept = await keys.checkCreateKeyProgress(operation.name)
    expect(kept.done).toBe(true)
    expect(kept.result.keyString).toBe('')
  })

  it('lists pages, with deleted keys on request', async () => {
    const keys = new ApiKeysClient(options())
    for (const keyId of ['page-1', 'page-2'])
      await (await keys.createKey({ parent: PARENT, keyId, key: {} }))[0].promise()
    await (await keys.deleteKey({ name: `${PARENT}/keys/page-1` }))[0].promise()
    const idsOf = (page: readonly { name: string }[]) => page.map(({ name }) => name.split('/').at(-1))
    const [first, next] = await keys.listKeys({ parent: PARENT, pageSize: 1 }, { autoPaginate: false })
    expect(idsOf(first)).toEqual(['web'])
    expect(next.pageToken).not.toBe('')
    expect(idsOf((await keys.listKeys({ parent: PARENT }))[0])).toEqual(['web', 'page-2'])
    const [all] = await keys.listKeys({ parent: PARENT, showDeleted: true })
    expect(new Set(idsOf(all))).toEqual(new Set(['kept', 'page-1', 'page-2', 'web']))
  })

  it('updates with snake and camel masks, and without a mask leaves the annotations alone', async () => {
    const keys = new ApiKeysClient(options())
    const name = `${PARENT}/keys/web`
    const update = async (key: object, paths?: readonly string[]) => {
      const request = { key: { name, ...key }, ...(paths === undefined ? {} : { updateMask: { paths } }) }
      return (await (await keys.updateKey(request))[0].promise())[0]
    }
    expect(await update({ displayName: 'Snake' }, ['display_name'])).toMatchObject({ displayName: 'Snake' })
    expect(await update({ displayName: 'Camel' }, ['displayName'])).toMatchObject({ displayName: 'Camel' })
    expect(await update({ displayName: 'None' })).toMatchObject({
      displayName: 'None',
      annotations: { a_b: 'c' },
    })
    expect((await update({}, ['annotations'])).annotations).toEqual({})
    expect(await failure(update({}, ['restrictions.api_targets']))).toMatchObject({ reason: 'MASK_INVALID' })
    expect(await failure(update({}, ['uid']))).toMatchObject({ reason: 'MASK_INVALID' })
  })

  it('raises on a stale etag, deletes with the right one, and undeletes', async () => {
    const keys = new ApiKeysClient(options())
    const name = `${PARENT}/keys/web`
    const [key] = await keys.getKey({ name })
    const stale = 'W/"0WHTE/IzU6N+m0Cx"'
    expect(await failure(keys.updateKey({ key: { name, etag: stale } }))).toMatchObject({
      code: CODE.ABORTED,
    })
    expect(await failure(keys.deleteKey({ name, etag: stale }))).toMatchObject({ code: CODE.ABORTED })
    const [deleted] = await (await keys.deleteKey({ name, etag: key.etag }))[0].promise()
    expect(deleted.deleteTime).not.toBeNull()
    expect((await keys.getKey({ name }))[0].deleteTime).not.toBeNull()
    const again = keys.createKey({ parent: PARENT, keyId: 'web', key: {} })
    expect(await failure(again)).toMatchObject({ code: CODE.ALREADY_EXISTS })
    const [restored] = await (await keys.undeleteKey({ name }))[0].promise()
    expect(restored.deleteTime).toBeNull()
    expect(await failure(keys.undeleteKey({ name }))).toMatchObject({ code: CODE.FAILED_PRECONDITION })
    expect(await failure(keys.getKey({ name: `${PARENT}/keys/absent` }))).toMatchObject({
      code: CODE.NOT_FOUND,
    })
  })

  it('raises unauthenticated without a token and with a wrong one', async () => {
    for (const credential of [new PassThroughClient(), bearer('wrong-token')]) {
      const keys = new ApiKeysClient(options(credential))
      expect(await failure(keys.listKeys({ parent: PARENT }))).toMatchObject({ code: CODE.UNAUTHENTICATED })
    }
  })
})

describe('googleapis (the discovery client)', () => {
  const apikeys = () => google.apikeys({ version: 'v2', auth: bearer(), rootUrl: `${management.origin}/` })
  const resourcemanager = () =>
    google.cloudresourcemanager({ version: 'v3', auth: bearer(), rootUrl: `${management.origin}/` })

  it('goes through the life of a key', async () => {
    const { keys } = apikeys().projects.locations
    const { data: operation } = await keys.create({
      parent: PARENT,
      keyId: 'plain',
      requestBody: { displayName: 'P' },
    })
    expect(operation).toMatchObject({ done: true, response: { displayName: 'P' } })
    expect((await apikeys().operations.get({ name: operation.name })).data.response.keyString).toBeUndefined()
    const name = `${PARENT}/keys/plain`
    const patched = await keys.patch({ name, updateMask: 'displayName', requestBody: { displayName: 'Q' } })
    const { etag, displayName } = patched.data.response
    expect(displayName).toBe('Q')
    expect((await keys.list({ parent: PARENT })).data.keys.length).toBeGreaterThan(1)
    expect((await keys.delete({ name, etag })).data.response.deleteTime).toBeDefined()
    expect((await keys.undelete({ name })).data.done).toBe(true)
    const { keyString } = operation.response
    expect((await apikeys().keys.lookupKey({ keyString })).data.name).toMatch(/\/keys\/plain$/)
    expect((await keys.delete({ name, checkExistingUsage: 'CHECK' })).data.done).toBe(true)
  })

  it('raises the status and message of the server', async () => {
    const { keys } = apikeys().projects.locations
    expect(await failure(keys.get({ name: `${PARENT}/keys/absent` }))).toMatchObject({
      status: 404,
      message: expect.stringContaining("'absent'"),
    })
    expect(await failure(keys.getKeyString({ name: `${PARENT}/keys/web` }))).toMatchObject({
      status: 400,
      message: expect.stringContaining('make a new key'),
    })
    expect(await failure(keys.create({ parent: PARENT, keyId: 'Bad', requestBody: {} }))).toMatchObject({
      status: 400,
    })
  })

  it('goes through the life of a project', async () => {
    const { projects, operations } = resourcemanager()
    const { data: operation } = await projects.create({ requestBody: { projectId: 'plain-project' } })
    expect((await operations.get({ name: operation.name })).data).toEqual(operation)
    const { name } = operation.response
    const { data: patched } = await projects.patch({
      name,
      updateMask: 'labels',
      requestBody: { labels: { a: 'b' } },
    })
    expect(patched.response.labels).toEqual({ a: 'b' })
    expect((await projects.search({ query: 'labels.a:b' })).data.projects).toMatchObject([{ name }])
    expect((await projects.delete({ name })).data.response.state).toBe('DELETE_REQUESTED')
    expect(
      (await projects.list({ parent: 'organizations/1', showDeleted: true })).data.projects,
    ).toHaveLength(2)
    expect((await projects.undelete({ name })).data.response.state).toBe('ACTIVE')
    expect((await projects.get({ name: 'projects/plain-project' })).data.state).toBe('ACTIVE')
  })
})
