import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { POLLUX_V1, PolluxProject } from '../src/contract/pollux.v1.ts'
import { runJobs } from '../src/control/jobs.ts'
import { type Management, startManagement } from './management.ts'

const DAY_MS = 86_400_000
let management: Management
beforeAll(async () => {
  management = await startManagement()
})
afterAll(() => management.close())

const post = (path: string, body: object = {}) =>
  management.request('POST', path, { body: JSON.stringify(body) }).then(({ json }) => json)
const patch = (path: string, body: object) =>
  management.request('PATCH', path, { body: JSON.stringify(body) }).then(({ json }) => json)
const get = (path: string) => management.request('GET', path).then(({ json }) => json)
const remove = (path: string) => management.request('DELETE', path).then(({ json }) => json)
const reasonOf = (answer: { error?: { details: { reason: string }[] } }) => answer.error?.details[0]?.reason

describe('Resource Manager v3', () => {
  it('makes a project in one step and finds it by id and by number', async () => {
    const operation = await post('/v3/projects', {
      projectId: 'alpha-1',
      displayName: 'Alpha',
      labels: { env: 'dev' },
    })
    expect(operation.name).toMatch(/^operations\/cp\.\d+$/)
    expect(operation).toMatchObject({
      done: true,
      metadata: {
        '@type': expect.stringMatching(/\.v3\.CreateProjectMetadata$/),
        gettable: true,
        ready: true,
      },
      response: { projectId: 'alpha-1', state: 'ACTIVE', parent: 'organizations/1', labels: { env: 'dev' } },
    })
    const { '@type': type, ...project } = operation.response
    expect(type).toMatch(/\.v3\.Project$/)
    expect(await get('/v3/projects/alpha-1')).toEqual(project)
    expect(await get(`/v3/${project.name}`)).toEqual(project)
    for (const path of ['/v3', '/v1']) expect(await get(`${path}/${operation.name}`)).toEqual(operation)
  })

  it('refuses a bad or used id, a bad name or label, and a parent that does not exist', async () => {
    expect(reasonOf(await post('/v3/projects', {}))).toBe('FIELD_INVALID')
    expect(reasonOf(await post('/v3/projects', { projectId: 'short' }))).toBe('FIELD_INVALID')
    expect(reasonOf(await post('/v3/projects', { projectId: 'beta-1', displayName: 'x' }))).toBe(
      'FIELD_INVALID',
    )
    expect(reasonOf(await post('/v3/projects', { projectId: 'beta-1', labels: { A: '' } }))).toBe(
      'FIELD_INVALID',
    )
    expect(reasonOf(await post('/v3/projects', { projectId: 'alpha-1' }))).toBe('ALREADY_EXISTS')
    expect((await post('/v3/projects', { projectId: 'beta-1', parent: 'folders/1' })).error.code).toBe(403)
    expect((await get('/v3/projects?parent=organizations/2')).error.code).toBe(403)
    expect((await get('/v3/projects?parent=elsewhere')).error.code).toBe(400)
    expect((await get('/v3/projects/no-such-project')).error).toMatchObject({
      code: 403,
      status: 'PERMISSION_DENIED',
    })
    expect((await get('/v2/projects/no-such-project/locations/global/keys')).error.code).toBe(403)
    expect((await get('/pollux/v1/projects/no-such-project')).error.code).toBe(404)
  })

  it('changes what the mask names, and an empty label map only when it is named', async () => {
    await post('/v3/projects', { projectId: 'gamma-1', displayName: 'Gamma', labels: { env: 'dev' } })
    const path = '/v3/projects/gamma-1'
    expect((await patch(path, { displayName: 'Delta', labels: {} })).response).toMatchObject({
      displayName: 'Delta',
      labels: { env: 'dev' },
    })
    const { response } = await patch(`${path}?updateMask=labels`, { labels: {} })
    expect(response.labels).toBeUndefined()
    expect(reasonOf(await patch(`${path}?updateMask=projectId`, {}))).toBe('MASK_INVALID')
    expect(reasonOf(await patch(`${path}?updateMask=model_aliases`, {}))).toBe('MASK_INVALID')
    await patch(path, { displayName: 'Epsilon', etag: response.etag })
    expect((await patch(path, { displayName: 'Zeta', etag: response.etag })).error).toMatchObject({
      code: 409,
      status: 'ABORTED',
    })
  })

  it('deletes as often as asked, keeps what is deleted in sight, and brings it back once', async () => {
    await post('/v3/projects', { projectId: 'theta-1' })
    const path = '/v3/projects/theta-1'
    const key = await post('/pollux/v1/projects/theta-1/keys?keyId=k')
    expect((await remove(`${path}?etag=stale`)).error.code).toBe(409)
    expect((await remove(path)).response.state).toBe('DELETE_REQUESTED')
    expect((await remove(path)).done).toBe(true)
    expect((await get(path)).state).toBe('DELETE_REQUESTED')
    const ids = async (query: string) =>
      (await get(`/v3/projects${query}`)).projects.map(({ projectId }: { projectId: string }) => projectId)
    expect(await ids('')).not.toContain('theta-1')
    expect(await ids('?showDeleted=true&parent=organizations/1')).toContain('theta-1')
    expect(reasonOf(await patch(path, { displayName: 'Theta' }))).toBe('STATE_CONFLICT')
    expect(reasonOf(await post('/pollux/v1/projects/theta-1/keys'))).toBe('STATE_CONFLICT')
    const verdict = await post('/pollux/v1/projects/theta-1/keys/k:test', {})
    expect(verdict).toMatchObject({
      allowed: false,
      verdicts: [{ rule: 'state', outcome: 'REFUSED' }, {}, {}, {}, {}],
    })
    expect((await post(`${path}:undelete`)).response.state).toBe('ACTIVE')
    expect(reasonOf(await post(`${path}:undelete`))).toBe('STATE_CONFLICT')
    expect((await get('/pollux/v1/projects/theta-1/keys/k')).uid).toBe(key.uid)
  })

  it('searches with terms that are OR-ed, deleted projects included, over pages', async () => {
    for (const colour of ['red', 'blue', 'green']) {
      await post('/v3/projects', {
        projectId: `search-${colour}`,
        displayName: `Hue ${colour}`,
        labels: { colour },
      })
    }
    await remove('/v3/projects/search-green')
    const found: string[] = []
    let token = ''
    do {
      const query = encodeURIComponent('labels.colour:RED id:search-g* state:nothing')
      const page = await get(`/v3/projects:search?query=${query}&pageSize=1&pageToken=${token}`)
      found.push(...page.projects.map(({ projectId }: { projectId: string }) => projectId))
      token = page.nextPageToken ?? ''
    } while (token !== '')
    expect(found.toSorted()).toEqual(['search-green', 'search-red'])
    expect(reasonOf(await get('/v3/projects:search?query=owner:me'))).toBe('FIELD_INVALID')
  })
})

describe('projects of /pollux/v1', () => {
  it('knows model aliases, and answers in the declared shape', async () => {
    const { client } = management
    const modelAliases = { 'gemini-pro': { model: 'gemini-x', apiVersion: 'v1beta' as const } }
    await client.call(POLLUX_V1.createProject, { body: { projectId: 'alias-1', modelAliases } })
    const project = await client.call(POLLUX_V1.getProject, { params: { project: 'alias-1' } })
    expect(project.modelAliases).toEqual(modelAliases)
    expect(PolluxProject.strict().parse(project)).toEqual(project)
    const chain = { modelAliases: { a: { model: 'b' }, b: { model: 'c' } } }
    expect(reasonOf(await patch('/pollux/v1/projects/alias-1', chain))).toBe('FIELD_INVALID')
    const params = { project: 'alias-1' }
    const cleared = await client.call(POLLUX_V1.updateProject, {
      params,
      query: { updateMask: '*' },
      body: {},
    })
    expect(cleared.modelAliases).toBeUndefined()
    await client.call(POLLUX_V1.deleteProject, { params })
    expect((await client.call(POLLUX_V1.undeleteProject, { params })).state).toBe('ACTIVE')
    const { projects } = await client.call(POLLUX_V1.listProjects, { query: { pageSize: 300 } })
    expect(projects?.map(({ projectId }) => projectId)).toContain('alias-1')
  })
})

describe('the hourly jobs', () => {
  it('purge what was deleted more than 30 days ago and operations older than seven, and fail into the log only', async () => {
    const { name } = await post('/v3/projects', { projectId: 'purge-1' })
    await post('/pollux/v1/projects/purge-1/keys?keyId=gone')
    await remove('/pollux/v1/projects/purge-1/keys/gone')
    const errors: unknown[] = []
    const log = { info: () => {}, error: (fields: unknown) => void errors.push(fields) }
    const runAfter = (days: number) =>
      runJobs({ storage: management.storage, log, now: () => Date.now() + days * DAY_MS })
    await runAfter(6)
    expect((await get(`/v3/${name}`)).done).toBe(true)
    await runAfter(29)
    expect((await get('/pollux/v1/projects/purge-1/keys/gone')).state).toBe('DELETED')
    expect((await get(`/v3/${name}`)).error.code).toBe(404)
    await runAfter(31)
    expect(reasonOf(await post('/pollux/v1/projects/purge-1/keys/gone:undelete'))).toBe('RESOURCE_NOT_FOUND')
    expect((await post('/pollux/v1/projects/purge-1/keys?keyId=gone')).state).toBe('ACTIVE')
    expect(errors).toEqual([])
    const closed = await startManagement()
    await closed.storage.close()
    await runJobs({ storage: closed.storage, log, now: Date.now })
    // Each job fails on its own.
    expect(errors).toHaveLength(2)
    await closed.close()
  })
})
