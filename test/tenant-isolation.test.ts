/** Nobody reaches another project: generated from the contract table, so that a new route is tested without being listed. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Endpoint, fillTemplate, paramNames, resourceOf } from '../src/contract/endpoint.ts'
import { ENDPOINTS } from '../src/contract/table.ts'
import { allPermissions } from '../src/domain/permission.ts'
import { type Answer, type Management, startManagement } from './management.ts'
import { type Robot, makeProject, makeRobot } from './principals.ts'
import { spend } from './spending.ts'

let management: Management
let theirs: {
  readonly id: string
  readonly number: string
  readonly keyUid: string
  readonly keyString: string
}
/** Owner of its own project, and of nothing else. */
let owner: Robot
beforeAll(async () => {
  management = await startManagement()
  const number = await makeProject(management, 'their-project')
  await makeProject(management, 'own-project')
  owner = await makeRobot(management, {
    home: 'own-project',
    id: 'own-owner',
    roles: [{ role: 'roles/owner', project: 'own-project' }],
  })
  await makeRobot(management, { home: 'their-project', id: 'their-robot' })
  const keys = '/pollux/v1/projects/their-project/keys'
  const made = await management.request('POST', `${keys}?keyId=secret`, { body: '{}' })
  theirs = { id: 'their-project', number, keyUid: made.json.uid, keyString: made.json.keyString }
})
afterAll(() => management.close())

const withProject = ENDPOINTS.filter(endpoint => resourceOf(endpoint) === 'project')
const ASKS_NOTHING = new Set<string>(['anyone', 'any authenticated'])
const ofOrganization = ENDPOINTS.filter(
  endpoint => resourceOf(endpoint) === 'organization' && !ASKS_NOTHING.has(endpoint.permission),
)
const named = (endpoints: readonly Endpoint[]) => endpoints.map(endpoint => [endpoint.id, endpoint] as const)
const EXISTING: Readonly<Record<string, string>> = {
  key: 'web',
  serviceAccount: 'their-robot',
  budget: 'month',
  token: 'token',
}

function send({ method, path, body }: Endpoint, values: Readonly<Record<string, string>>): Promise<Answer> {
  const params = Object.fromEntries(
    paramNames(path).map(name => [name, values[name] ?? EXISTING[name] ?? 'nothing']),
  )
  return owner.request(method, fillTemplate(path, params), body === null ? undefined : {})
}

describe('a route that names a project', () => {
  it.each(named(withProject))(
    '%s answers the owner of another project as if there were none',
    async (_, endpoint) => {
      const missing = await send(endpoint, { project: 'no-such-project' })
      const expected = missing.text.replaceAll('no-such-project', 'their-project')
      const byId = await send(endpoint, { project: theirs.id })
      expect([403, 404]).toContain(byId.status)
      expect([byId.status, byId.text]).toEqual([missing.status, expected])
      const byNumber = await send(endpoint, { project: theirs.number })
      expect([byNumber.status, byNumber.text]).toEqual([
        missing.status,
        missing.text.replaceAll('no-such-project', theirs.number),
      ])
    },
  )

  it.each(named(withProject.filter(({ path }) => path.includes('{key}'))))(
    '%s does not find a key of another project by its uid under the own project',
    async (_, endpoint) => {
      const answer = await send(endpoint, { project: 'own-project', key: theirs.keyUid })
      expect(answer.status).toBe(404)
    },
  )

  it.each(named(withProject.filter(({ path }) => path.includes('{serviceAccount}'))))(
    '%s does not find an account of another project by e-mail or uid under the own project',
    async (_, endpoint) => {
      const account = await management.request(
        'GET',
        '/pollux/v1/projects/their-project/serviceAccounts/their-robot',
      )
      for (const serviceAccount of [account.json.email, account.json.uniqueId]) {
        const answer = await send(endpoint, { project: 'own-project', serviceAccount })
        expect(answer.status).toBe(404)
      }
    },
  )
})

describe('a route of the organization', () => {
  it.each(named(ofOrganization))('%s refuses the owner of a project', async (_, endpoint) => {
    const { status, json } = await send(endpoint, { organization: '1' })
    expect([status, json.error.details[0].reason]).toEqual([403, 'IAM_PERMISSION_DENIED'])
  })
})

describe('a route that finds projects itself', () => {
  it('is one of these, whose own tests follow', () => {
    const filtered = ENDPOINTS.filter(endpoint => resourceOf(endpoint) === 'filtered').map(({ id }) => id)
    expect(filtered.sort()).toEqual([
      'apikeys.v2.keys.lookupKey',
      'apikeys.v2.operations.get',
      'pollux.v1.budgets.list',
      'pollux.v1.calls.list',
      'pollux.v1.calls.tail',
      'pollux.v1.capHits.list',
      'pollux.v1.keys.lookup',
      'pollux.v1.keys.search',
      'pollux.v1.prices.get',
      'pollux.v1.prices.list',
      'pollux.v1.projects.list',
      'pollux.v1.usage.search',
      'resourcemanager.v1.operations.get',
      'resourcemanager.v3.operations.get',
      'resourcemanager.v3.projects.list',
      'resourcemanager.v3.projects.search',
    ])
  })

  it.each(['/v3/projects', '/v3/projects:search', '/pollux/v1/projects'])(
    '%s lists the own projects only, and its page tokens name no other',
    async path => {
      const { json } = await owner.request('GET', `${path}?pageSize=1`)
      expect(json.projects.map(({ projectId }: { projectId: string }) => projectId)).toEqual(['own-project'])
      expect(json.nextPageToken).toBeUndefined()
    },
  )

  it('what models cost may be read in any project, what was set for all only above them', async () => {
    for (const path of ['/pollux/v1/prices', '/pollux/v1/prices/gemini-2.5-pro'])
      expect((await owner.request('GET', path)).status).toBe(200)
    expect((await owner.request('GET', '/pollux/v1/priceOverrides')).status).toBe(403)
  })

  it('search lists keys of the own projects only, and its page tokens name no other', async () => {
    const { json } = await owner.request('GET', '/pollux/v1/keys?pageSize=300&showDeleted=true')
    const projects = json.keys.map(({ name }: { name: string }) => name.split('/')[1])
    expect(new Set(projects).size).toBe(1)
    expect(json.nextPageToken).toBeUndefined()
  })

  it('lookup finds keys of the own projects only', async () => {
    const missing = await owner.request('POST', '/pollux/v1/keys:lookup', { keyString: 'plx_nothing' })
    const found = await owner.request('POST', '/pollux/v1/keys:lookup', { keyString: theirs.keyString })
    expect([found.status, found.text]).toEqual([404, missing.text])
    const google = await owner.request('GET', `/v2/keys:lookupKey?keyString=${theirs.keyString}`)
    expect([google.status, google.text]).toEqual([404, missing.text])
    const own = await owner.request('POST', '/pollux/v1/projects/own-project/keys?keyId=mine', {})
    const mine = await owner.request('POST', '/pollux/v1/keys:lookup', { keyString: own.json.keyString })
    expect(mine.json.name).toMatch(/\/keys\/mine$/)
  })

  it('operations of other projects are not there', async () => {
    const keys = '/v2/projects/their-project/locations/global/keys'
    const ofKey = await management.request('POST', keys, { body: '{}' })
    const ofProject = await management.request('PATCH', '/v3/projects/their-project?updateMask=labels', {
      body: '{"labels":{"a":"b"}}',
    })
    const paths = [
      `/v2/${ofKey.json.name}`,
      `/v1/${ofKey.json.name}`,
      `/v3/${ofProject.json.name}`,
      `/v1/${ofProject.json.name}`,
    ]
    for (const path of paths) {
      expect((await owner.request('GET', path)).status).toBe(404)
      expect((await management.request('GET', path)).status).toBe(200)
    }
    const own = await owner.request('POST', '/v2/projects/own-project/locations/global/keys', {})
    expect((await owner.request('GET', `/v2/${own.json.name}`)).status).toBe(200)
  })

  it('budgets of other projects and of the organization are not listed, not even as those above', async () => {
    const budget = (parent: string) =>
      management.request('POST', `/pollux/v1/${parent}/budgets?budgetId=total`, { body: '{"cap":"1000"}' })
    for (const parent of ['organizations/1', 'projects/their-project', 'projects/own-project']) {
      expect((await budget(parent)).status).toBe(200)
    }
    const listed = async (query: string) => {
      const { status, json } = await owner.request('GET', `/pollux/v1/budgets${query}`)
      return status === 200 ? json.budgets.map(({ project }: { project: string }) => project) : status
    }
    expect(await listed('')).toEqual(['own-project'])
    expect(await listed('?project=own-project&path=true')).toEqual(['own-project'])
    expect(await listed('?project=their-project')).toBe(404)
    expect(await listed('?project=their-project&key=web')).toBe(404)
    expect(await listed('?project=their-project&key=no-such-key')).toBe(404)
  })

  it('calls of other projects are not listed, followed or read', async () => {
    const tailPath = '/pollux/v1/calls:tail'
    const begun = await owner.request('GET', tailPath)
    const { storage } = management
    const foreign = await spend(storage, { project: 'their-project', key: 'web', postedNanos: 0 })
    const mine = await spend(storage, { project: 'own-project', key: 'web', postedNanos: 0 })
    const idsOf = ({ json }: Answer): string[] => json.calls.map(({ callId }: { callId: string }) => callId)
    expect(idsOf(await owner.request('GET', '/pollux/v1/calls'))).toEqual([mine])
    expect(idsOf(await owner.request('GET', `${tailPath}?tailToken=${begun.json.tailToken}`))).toEqual([mine])
    for (const query of ['?project=their-project', '?project=their-project&key=web'])
      expect((await owner.request('GET', `/pollux/v1/calls${query}`)).status).toBe(404)
    expect((await owner.request('GET', `${tailPath}?project=their-project`)).status).toBe(404)
    expect((await owner.request('GET', `/pollux/v1/projects/own-project/calls/${foreign}`)).status).toBe(404)
    expect((await owner.request('GET', `/pollux/v1/projects/own-project/calls/${mine}`)).status).toBe(200)
  })

  it('cap hits of other projects and of the organization are not listed', async () => {
    const { storage } = management
    const budgets = await storage.budgets.list({})
    const hit = {
      reason: 'BUDGET_EXHAUSTED',
      calls: 1,
      lastProjectNumber: '',
      lastKeyUid: '',
      lastCallId: '',
    } as const
    const nowMs = Date.now()
    await storage.capHits.add(
      budgets.map(({ uid }) => ({ ...hit, budgetUid: uid, firstTimeMs: nowMs, lastTimeMs: nowMs })),
    )
    const listed = async (who: Pick<typeof owner, 'request'>, query = '') => {
      const { status, json } = await who.request('GET', `/pollux/v1/capHits${query}`)
      return status === 200 ? json.capHits.map(({ budget }: { budget: string }) => budget) : status
    }
    const own = await owner.request('GET', '/v3/projects/own-project')
    expect(await listed(management)).toHaveLength(budgets.length)
    expect(await listed(owner)).toEqual([`${own.json.name}/budgets/total`])
    expect(await listed(owner, '?project=their-project')).toBe(404)
    expect(await listed(owner, '?project=their-project&key=web')).toBe(404)
  })

  it('usage is that of the own projects only, however it is grouped', async () => {
    const before = await owner.request('GET', '/pollux/v1/usage')
    await spend(management.storage, { project: 'their-project', key: 'web', postedNanos: 0 })
    const calls = async (query: string) => {
      const { status, json } = await owner.request('GET', `/pollux/v1/usage${query}`)
      return status === 200 ? json.rows.map(({ calls }: { calls: string }) => calls) : status
    }
    const own = before.json.rows[0].calls
    expect(await calls('')).toEqual([own])
    for (const group of ['project', 'key', 'model', 'status', 'environment', 'method'])
      expect(await calls(`?groupBy=${group}`), group).toEqual([own])
    expect(await calls('?project=their-project')).toBe(404)
    expect(await calls('?project=their-project&key=web')).toBe(404)
  })

  it('usage of a key of another project is not reported', async () => {
    const { status } = await owner.request(
      'GET',
      `/pollux/v1/projects/own-project/usage?key=${theirs.keyUid}`,
    )
    expect(status).toBe(404)
  })
})

it('every route asks for a permission that there is', () => {
  const known: readonly string[] = [...allPermissions(), ...ASKS_NOTHING]
  for (const { id, permission } of ENDPOINTS) expect(known, id).toContain(permission)
})
