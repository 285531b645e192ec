/** Budgets and the ledger over the management API. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KEY_BUDGETS_V1, LEDGER_V1, PROJECT_BUDGETS_V1 } from '../src/contract/budgets.v1.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { CAP_NANOS_MAX } from '../src/domain/budget.ts'
import { type Answer, type Management, startManagement } from './management.ts'
import { spend } from './spending.ts'

let management: Management
beforeAll(async () => {
  management = await startManagement()
})
afterAll(() => management.close())

const ROOT = '/pollux/v1'
let projects = 0

/** A project of its own with the key `web`: its id, and the number that names carry. */
async function freshProject(): Promise<{ readonly project: string; readonly number: string }> {
  const project = `budget-project-${++projects}`
  const { name } = await management.client.call(POLLUX_V1.createProject, { body: { projectId: project } })
  await management.client.call(POLLUX_V1.createKey, { params: { project }, query: { keyId: 'web' } })
  return { project, number: name.replace('projects/', '') }
}

function ask(method: string, path: string, body?: object): Promise<Answer> {
  const init = body === undefined ? {} : { body: JSON.stringify(body) }
  return management.request(method, `${ROOT}/${path}`, init)
}

/** Status and reason of a refusal, and the field it names. */
function refusal({ status, json }: Answer): [number, string, string?] {
  const [info, violation] = json.error.details
  return violation === undefined
    ? [status, info.reason]
    : [status, info.reason, violation.fieldViolations[0].field]
}

describe.each([
  ['the organization', async () => ({ parent: 'organizations/1', name: 'organizations/1', ids: {} })],
  [
    'a project',
    async () => {
      const { project, number } = await freshProject()
      return { parent: `projects/${project}`, name: `projects/${number}`, ids: { project } }
    },
  ],
  [
    'a key',
    async () => {
      const { project, number } = await freshProject()
      const ids = { project, key: 'web' }
      return { parent: `projects/${project}/keys/web`, name: `projects/${number}/keys/web`, ids }
    },
  ],
])('the budgets of %s', (what, make) => {
  let parent: string
  let name: string
  let ids: object
  beforeAll(async () => {
    ;({ parent, name, ids } = await make())
  })

  it('are made, read, changed and deleted', async () => {
    const made = await ask('POST', `${parent}/budgets?budgetId=month`, { cap: '1000' })
    expect(made.json).toEqual({
      name: `${name}/budgets/month`,
      scope: what.split(' ').at(-1),
      ...ids,
      period: 'month',
      cap: '1000',
      policy: 'clamp',
      state: 'ACTIVE',
      posted: '0',
      allotted: '0',
      overrun: '0',
      free: '1000',
      periodStartTime: expect.any(String),
      periodEndTime: expect.any(String),
      etag: expect.any(String),
      createTime: expect.any(String),
      updateTime: expect.any(String),
    })
    expect((await ask('GET', `${parent}/budgets/month`)).json).toEqual(made.json)
    const changed = await ask('PATCH', `${parent}/budgets/month`, {
      policy: 'refuse',
      defaultMaxOutputTokens: 512,
      toolCeilings: { googleSearch: '70' },
      etag: made.json.etag,
    })
    expect(changed.json).toMatchObject({
      cap: '1000',
      policy: 'refuse',
      defaultMaxOutputTokens: 512,
      toolCeilings: { googleSearch: '70' },
    })
    expect(changed.json.etag).not.toBe(made.json.etag)
    const stale = `etag=${encodeURIComponent(made.json.etag)}`
    expect(refusal(await ask('DELETE', `${parent}/budgets/month?${stale}`))).toEqual([409, 'ETAG_MISMATCH'])
    expect(
      refusal(await ask('PATCH', `${parent}/budgets/month`, { cap: '1', etag: made.json.etag })),
    ).toEqual([409, 'ETAG_MISMATCH'])
    const cleared = await ask(
      'PATCH',
      `${parent}/budgets/month?updateMask=default_max_output_tokens,toolCeilings`,
      {
        cap: '5',
      },
    )
    expect(cleared.json).toMatchObject({ cap: '1000', policy: 'refuse' })
    expect(cleared.json).not.toHaveProperty('defaultMaxOutputTokens')
    expect(cleared.json).not.toHaveProperty('toolCeilings')
    const deleted = await ask('DELETE', `${parent}/budgets/month`)
    expect([deleted.status, deleted.json]).toEqual([200, {}])
    expect(refusal(await ask('GET', `${parent}/budgets/month`))).toEqual([404, 'RESOURCE_NOT_FOUND'])
  })

  it('are one for each period', async () => {
    for (const period of ['total', 'day', 'month']) {
      expect((await ask('POST', `${parent}/budgets?budgetId=${period}`, { cap: '7' })).status).toBe(200)
    }
    const second = await ask('POST', `${parent}/budgets?budgetId=day`, { cap: '8' })
    expect(refusal(second)).toEqual([409, 'ALREADY_EXISTS'])
    const { budgets } = (await ask('GET', `${parent}/budgets`)).json
    expect(budgets.map((budget: { period: string }) => budget.period)).toEqual(['month', 'day', 'total'])
    expect(budgets[1].cap).toBe('7')
    expect(budgets[2]).not.toHaveProperty('periodEndTime')
    const lengthMs = Date.parse(budgets[1].periodEndTime) - Date.parse(budgets[1].periodStartTime)
    expect([23, 24, 25]).toContain(lengthMs / 3_600_000)
    for (const period of ['total', 'day', 'month']) await ask('DELETE', `${parent}/budgets/${period}`)
  })

  it('are made by a change that allows it, whatever its mask, also by many at once', async () => {
    const path = `${parent}/budgets/day`
    expect(refusal(await ask('PATCH', path, { cap: '5' }))).toEqual([404, 'RESOURCE_NOT_FOUND'])
    const stale = await ask('PATCH', `${path}?allowMissing=true`, { cap: '5', etag: 'W/"old"' })
    expect(refusal(stale)).toEqual([409, 'ETAG_MISMATCH'])
    const body = { cap: '5', policy: 'refuse' }
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => ask('PATCH', `${path}?allowMissing=true&updateMask=cap`, body)),
    )
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
    expect((await ask('GET', path)).json).toMatchObject({ cap: '5', policy: 'refuse' })
    await ask('DELETE', path)
  })

  it.each([
    ['cap', { cap: '-1' }, 'budget.cap'],
    ['cap', { cap: '0.5' }, 'budget.cap'],
    ['cap', { cap: '1e9' }, 'budget.cap'],
    ['cap', { cap: String(CAP_NANOS_MAX + 1) }, 'budget.cap'],
    ['cap', { cap: 1000 }, 'cap'],
    ['cap', {}, 'budget.cap'],
    ['policy', { cap: '1', policy: 'warn' }, 'policy'],
    ['period', { cap: '1', period: 'year' }, 'period'],
    ['period', { cap: '1', period: 'month' }, 'budget.period'],
    ['tool', { cap: '1', toolCeilings: { imageOutput: '1' } }, 'budget.toolCeilings'],
    ['ceiling', { cap: '1', toolCeilings: { urlContext: '-1' } }, 'budget.toolCeilings.urlContext'],
    ['output limit', { cap: '1', defaultMaxOutputTokens: 0 }, 'budget.defaultMaxOutputTokens'],
    ['output limit', { cap: '1', defaultMaxOutputTokens: 1.5 }, 'defaultMaxOutputTokens'],
  ])('refuse a bad %s in %j by its name, and make nothing', async (_, body, field) => {
    const answers = [
      await ask('POST', `${parent}/budgets?budgetId=day`, body),
      await ask('PATCH', `${parent}/budgets/day?allowMissing=true`, body),
    ]
    for (const answer of answers) expect(refusal(answer)).toEqual([400, 'FIELD_INVALID', field])
    expect((await ask('GET', `${parent}/budgets`)).json).toEqual({ budgets: [] })
  })

  it('have no other ids than the three periods', async () => {
    const body = { cap: '1' }
    expect(refusal(await ask('GET', `${parent}/budgets/week`))).toEqual([404, 'RESOURCE_NOT_FOUND'])
    expect(refusal(await ask('PATCH', `${parent}/budgets/week`, body))).toEqual([404, 'RESOURCE_NOT_FOUND'])
    const made = await ask('PATCH', `${parent}/budgets/week?allowMissing=true`, body)
    expect(refusal(made)).toEqual([400, 'FIELD_INVALID', 'name'])
    const week = await ask('POST', `${parent}/budgets?budgetId=week`, body)
    expect(refusal(week)).toEqual([400, 'FIELD_INVALID', 'budgetId'])
    expect(refusal(await ask('POST', `${parent}/budgets`, body))).toEqual([400, 'FIELD_INVALID', 'budgetId'])
    expect(refusal(await ask('PATCH', `${parent}/budgets/day?updateMask=state`, body))).toEqual([
      400,
      'MASK_INVALID',
      'updateMask',
    ])
  })
})

it('there is one organization', async () => {
  const answer = await ask('GET', 'organizations/2/budgets')
  expect(refusal(answer)).toEqual([404, 'RESOURCE_NOT_FOUND'])
})

describe('a budget', () => {
  it('shows what was spent, and may be set below it', async () => {
    const { project } = await freshProject()
    const path = `projects/${project}/budgets/total`
    await ask('PATCH', `${path}?allowMissing=true`, { cap: '1000' })
    await spend(management.storage, { project, key: 'web', postedNanos: 600 })
    expect((await ask('GET', path)).json).toMatchObject({ state: 'ACTIVE', posted: '600', free: '400' })
    const stopped = await ask('PATCH', path, { cap: '10' })
    expect(stopped.json).toMatchObject({ cap: '10', posted: '600', free: '0', state: 'EXHAUSTED' })
  })

  it('opens with what its period has cost so far', async () => {
    const { project } = await freshProject()
    await ask('PATCH', `projects/${project}/budgets/day?allowMissing=true`, { cap: '1000' })
    await spend(management.storage, { project, key: 'web', postedNanos: 250 })
    const key = await ask('PATCH', `projects/${project}/keys/web/budgets/month?allowMissing=true`, {
      cap: '900',
    })
    expect(key.json).toMatchObject({ posted: '250', free: '650' })
  })

  it('is frozen by an overrun until it is acknowledged', async () => {
    const { project } = await freshProject()
    const path = `projects/${project}/budgets/total`
    await ask('PATCH', `${path}?allowMissing=true`, { cap: '1000' })
    await spend(management.storage, { project, key: 'web', postedNanos: 1000, costNanos: 1500 })
    expect((await ask('GET', path)).json).toMatchObject({ state: 'FROZEN', posted: '1000', overrun: '500' })
    expect((await ask('POST', 'ledger:verify', {})).json).toMatchObject({ overruns: 1, drifts: [] })
    const acknowledged = await ask('POST', `${path}:acknowledge`, {})
    expect(acknowledged.json).toMatchObject({ state: 'EXHAUSTED', posted: '1000', overrun: '500' })
    expect((await ask('POST', 'ledger:verify', {})).json).toMatchObject({ overruns: 0, drifts: [] })
    expect((await ask('POST', `${path}:acknowledge`, {})).status).toBe(200)
  })

  it('leaves an audit entry for every change, with both states', async () => {
    const { project, number } = await freshProject()
    const path = `projects/${project}/keys/web/budgets/day`
    await ask('PATCH', `${path}?allowMissing=true`, { cap: '5' })
    await ask('PATCH', path, { cap: '6' })
    await ask('POST', `${path}:acknowledge`, {})
    await ask('DELETE', path)
    const { items } = await management.storage.audit.list({ projectNumber: number, limit: 4, cursor: null })
    expect(items.map(({ methodName }) => methodName)).toEqual([
      'pollux.v1.Budgets.DeleteKeyBudget',
      'pollux.v1.Budgets.AcknowledgeKeyBudget',
      'pollux.v1.Budgets.UpdateKeyBudget',
      'pollux.v1.Budgets.UpdateKeyBudget',
    ])
    for (const { resourceName } of items) expect(resourceName).toBe(`projects/${number}/keys/web/budgets/day`)
    expect(items[0]).toMatchObject({ before: { capNanos: 6 } })
    expect(items[2]).toMatchObject({ before: { capNanos: 5 }, after: { capNanos: 6 } })
    expect(items[3]).toMatchObject({ before: null, after: { capNanos: 5, scope: 'key' } })
  })

  it('keeps its name and its money when its key is deleted and brought back', async () => {
    const { project, number } = await freshProject()
    const path = `projects/${project}/keys/web/budgets/total`
    await ask('PATCH', `${path}?allowMissing=true`, { cap: '1000' })
    await spend(management.storage, { project, key: 'web', postedNanos: 400 })
    await ask('DELETE', `projects/${project}/keys/web`)
    const [listed] = (await ask('GET', `budgets?project=${project}`)).json.budgets
    expect(listed).toMatchObject({ name: `projects/${number}/keys/web/budgets/total`, posted: '400' })
    await ask('POST', `projects/${project}/keys/web:undelete`, {})
    expect((await ask('GET', path)).json).toMatchObject({ posted: '400', state: 'ACTIVE' })
  })
})

describe('the list of all budgets', () => {
  let project: string
  const names = async (query: object) => {
    const { budgets } = await management.client.call(LEDGER_V1.searchBudgets, { query })
    return budgets.map(({ name }) => name.replace(/projects\/\d+/, 'projects/P'))
  }

  beforeAll(async () => {
    project = (await freshProject()).project
    const { client } = management
    await client.call(POLLUX_V1.createKey, { params: { project }, query: { keyId: 'other' } })
    const rest = { query: { allowMissing: true }, body: { cap: '1' } }
    const inProject = { project, budget: 'day' }
    await client.call(KEY_BUDGETS_V1.updateBudget, { params: { ...inProject, key: 'web' }, ...rest })
    await client.call(KEY_BUDGETS_V1.updateBudget, { params: { ...inProject, key: 'other' }, ...rest })
    await client.call(PROJECT_BUDGETS_V1.updateBudget, { params: inProject, ...rest })
    await ask('PATCH', 'organizations/1/budgets/month?allowMissing=true', { cap: String(CAP_NANOS_MAX) })
  })

  it('has those at and below what is asked for, from the organization down', async () => {
    const ofProject = [
      'projects/P/budgets/day',
      'projects/P/keys/other/budgets/day',
      'projects/P/keys/web/budgets/day',
    ]
    expect(await names({ project })).toEqual(ofProject)
    expect(await names({ project, key: 'web' })).toEqual(['projects/P/keys/web/budgets/day'])
    const all = await names({})
    expect(all[0]).toBe('organizations/1/budgets/month')
    expect(all).toEqual(expect.arrayContaining(ofProject))
  })

  it('has those of the path instead where that is asked for', async () => {
    const above = ['organizations/1/budgets/month', 'projects/P/budgets/day']
    expect(await names({ project, key: 'web', path: true })).toEqual([
      ...above,
      'projects/P/keys/web/budgets/day',
    ])
    expect(await names({ project, path: true })).toEqual(above)
    expect(await names({ path: true })).toEqual(above.slice(0, 1))
  })

  it('is refused for what does not exist', async () => {
    expect(refusal(await ask('GET', 'budgets?key=web'))).toEqual([400, 'FIELD_INVALID', 'project'])
    expect(refusal(await ask('GET', 'budgets?project=nothing-here'))).toEqual([404, 'RESOURCE_NOT_FOUND'])
    const key = await ask('GET', `budgets?project=${project}&key=nothing-here`)
    expect(refusal(key)).toEqual([404, 'RESOURCE_NOT_FOUND'])
  })
})

it('the usage of a project has its cost, and how many calls have none', async () => {
  const { project } = await freshProject()
  await spend(management.storage, { project, key: 'web', postedNanos: 0, costNanos: 1_500 })
  const params = { project }
  const { rows } = await management.client.call(POLLUX_V1.getUsage, { params, query: { groupBy: [] } })
  expect(rows).toMatchObject([{ calls: 1, costNanos: '1500', unpriced: 0 }])
})
