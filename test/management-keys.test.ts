import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { APIKEYS_V2 } from '../src/contract/apikeys.v2.ts'
import { ContractError } from '../src/contract/client.ts'
import { POLLUX_V1, PolluxKey } from '../src/contract/pollux.v1.ts'
import { digestOf } from '../src/domain/digest.ts'
import { isKeyString } from '../src/domain/keystring.ts'
import { NO_USAGE, type UsageRecord } from '../src/domain/usage.ts'
import { type Management, startManagement } from './management.ts'

const DAY_MS = 86_400_000
let management: Management
let serial = 0
let keyId = ''
beforeAll(async () => {
  management = await startManagement()
  await management.client.call(POLLUX_V1.createProject, { body: { projectId: 'key-project' } })
})
afterAll(() => management.close())
beforeEach(() => {
  keyId = `key-${++serial}`
})

const V2 = '/v2/projects/key-project/locations/global/keys'
const own = () => ({ project: 'key-project', key: keyId })
const create = (body: object = {}) =>
  management.client.call(POLLUX_V1.createKey, { params: { project: 'key-project' }, query: { keyId }, body })
const get = () => management.client.call(POLLUX_V1.getKey, { params: own() })
const update = (body: object, query: object = {}) =>
  management.client.call(POLLUX_V1.updateKey, { params: own(), query, body })
const remove = (query: object = {}) => management.client.call(POLLUX_V1.deleteKey, { params: own(), query })
const reasonOf = (call: Promise<unknown>) =>
  call.then(
    () => 'no error',
    (error: unknown) => (error instanceof ContractError ? error.reason : error),
  )

async function use(keyUid: string, startTimeMs = Date.now()): Promise<void> {
  const project = await management.storage.projects.find('key-project')
  const record: UsageRecord = {
    callId: crypto.randomUUID(),
    startTimeMs,
    durationMs: 5,
    firstByteMs: 1,
    projectNumber: project?.number ?? '',
    keyUid,
    method: 'GenerateContent',
    model: 'gemini-x',
    modelVersion: null,
    outcome: 'posted',
    httpStatus: 200,
    usage: { ...NO_USAGE, promptTokens: 7, candidatesTokens: 5, totalTokens: 12 },
    requestBytes: 10,
    responseBytes: 20,
    costNanos: null,
    priceBasisPoints: 10_000,
    postedNanos: 0,
    heldNanos: 0,
    ledger: [],
    clampedOutputTokens: null,
    receivedUs: null,
    admittedUs: null,
    lastByteUs: null,
  }
  await management.storage.usage.append(record, [])
}

describe('creating a key', () => {
  it('shows the keyString once and keeps only its digest and mask', async () => {
    const { keyString = '', ...key } = await create({ displayName: 'Web' })
    expect(isKeyString(keyString, 'key')).toBe(true)
    expect(key.maskedKeyString).toBe(`plx_…${keyString.slice(-4)}`)
    expect(JSON.stringify(await get())).not.toContain(keyString)
    expect((await management.storage.keys.findByDigest(digestOf(keyString)))?.key.uid).toBe(key.uid)
    const shown = await management.request('GET', `${V2}/${keyId}/keyString`)
    expect(shown.json.error).toMatchObject({ code: 400, status: 'FAILED_PRECONDITION' })
  })

  it('answers the v2 operation with the keyString, and the kept operation without', async () => {
    const { json: operation } = await management.request('POST', `${V2}?keyId=${keyId}`, { body: '{}' })
    expect(operation.name).toMatch(/^operations\/akmf\.p7-\d+-[0-9a-f-]{36}$/)
    expect(operation).toMatchObject({
      done: true,
      response: { name: expect.stringMatching(/^projects\/\d+\//) },
    })
    expect(isKeyString(operation.response.keyString, 'key')).toBe(true)
    const expected = { ...operation, response: { ...operation.response } }
    delete expected.response.keyString
    for (const path of ['/v2', '/v1']) {
      expect((await management.request('GET', `${path}/${operation.name}`)).json).toEqual(expected)
    }
    expect((await management.request('GET', `/v3/${operation.name}`)).status).toBe(404)
  })

  it('takes its uid for an id when none is asked for', async () => {
    const key = await management.client.call(POLLUX_V1.createKey, {
      params: { project: 'key-project' },
      body: {},
    })
    expect(key.name.endsWith(`/keys/${key.uid}`)).toBe(true)
  })

  it('stores every Pollux field, and answers in the declared shape', async () => {
    const fields = {
      displayName: 'CI',
      annotations: { team: 'a_b' },
      restrictions: {
        serverKeyRestrictions: { allowedIps: ['10.0.0.0/8'] },
        apiTargets: [{ service: 'generativelanguage.googleapis.com' }],
      },
      expireTime: '2099-01-01T00:00:00.000Z',
      allowedModels: ['gemini-*'],
      allowedTools: ['googleSearch'],
      environment: 'staging',
    }
    await create(fields)
    const key = await get()
    expect(key).toMatchObject({ ...fields, state: 'ACTIVE' })
    expect(PolluxKey.strict().parse(key)).toEqual(key)
  })

  it('accepts snake_case, except in the keys of a map, and never both spellings', async () => {
    const body = {
      display_name: 'Snake',
      annotations: { snake_case: '1' },
      restrictions: { api_targets: [{ service: 'x.googleapis.com', methods: ['Get*'] }] },
    }
    const { json } = await management.request('POST', `${V2}?key_id=${keyId}`, { body: JSON.stringify(body) })
    expect(json.response).toMatchObject({
      displayName: 'Snake',
      annotations: { snake_case: '1' },
      restrictions: { apiTargets: [{ service: 'x.googleapis.com', methods: ['Get*'] }] },
    })
    const both = JSON.stringify({ display_name: 'a', displayName: 'b' })
    const twice = await management.request('POST', `${V2}?keyId=${keyId}-b`, { body: both })
    expect(twice.json.error.details[0].reason).toBe('FIELD_AMBIGUOUS')
  })

  it.each([
    [{ displayName: 'x'.repeat(64) }, 'displayName'],
    [{ displayName: 7 }, 'displayName'],
    [{ annotations: { '': 'x' } }, 'annotations'],
    [{ restrictions: { serverKeyRestrictions: { allowedIps: ['nonsense'] } } }, 'allowedIps'],
    [{ restrictions: { serverKeyRestrictions: {}, iosKeyRestrictions: {} } }, 'restrictions'],
    [{ expireTime: '2001-01-01T00:00:00Z' }, 'expireTime'],
    [{ expireTime: 'tomorrow' }, 'expireTime'],
    [{ allowedModels: ['a b'] }, 'allowedModels'],
    [{ allowedTools: ['hammer'] }, 'allowedTools'],
    [{ environment: 'moon' }, 'environment'],
    [{ serviceAccountEmail: 'x@y.z' }, 'serviceAccountEmail'],
  ])('refuses %o and names the field', async (body, field) => {
    const error = await create(body).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ httpStatus: 400, reason: 'FIELD_INVALID' })
    expect(String(error)).toContain(field)
  })

  it('refuses a used id, an id like a UUID, the 301st key, and a deleted project', async () => {
    await create()
    expect(await reasonOf(create())).toBe('ALREADY_EXISTS')
    keyId = crypto.randomUUID()
    expect(await reasonOf(create())).toBe('FIELD_INVALID')
    const params = { project: 'full-project' }
    await management.client.call(POLLUX_V1.createProject, { body: { projectId: params.project } })
    const another = () => management.client.call(POLLUX_V1.createKey, { params, body: {} })
    for (let made = 0; made < 300; made++) await another()
    expect(await reasonOf(another())).toBe('RESOURCE_QUOTA_EXCEEDED')
    await management.client.call(POLLUX_V1.deleteProject, { params })
    expect(await reasonOf(another())).toBe('STATE_CONFLICT')
  })
})

describe('updating a key', () => {
  it('changes the fields of the mask only, and clears those the body leaves out', async () => {
    await create({ displayName: 'A', annotations: { a: '1' }, environment: 'staging' })
    const key = await update(
      { displayName: 'B', environment: 'production' },
      { updateMask: 'display_name,annotations' },
    )
    expect(key).toMatchObject({ displayName: 'B', environment: 'staging' })
    expect(key.annotations).toBeUndefined()
  })

  it('takes an empty annotations map without a mask for a field that is not there', async () => {
    await create({ displayName: 'A', annotations: { a: '1' } })
    const { json } = await management.request('PATCH', `${V2}/${keyId}`, {
      body: '{"annotations":{},"displayName":"B"}',
    })
    expect(json.response).toMatchObject({ displayName: 'B', annotations: { a: '1' } })
  })

  it('clears a nullable field that is null, with and without a mask', async () => {
    await create({ allowedModels: ['a'], expireTime: '2099-01-01T00:00:00Z' })
    expect((await update({ allowedModels: null })).allowedModels).toBeUndefined()
    expect((await update({ expireTime: null }, { updateMask: 'expireTime' })).expireTime).toBeUndefined()
    expect((await update({ allowedModels: [] })).allowedModels).toEqual([])
  })

  it('replaces with * all fields of the surface, and leaves what v2 cannot say alone', async () => {
    await create({ displayName: 'A', annotations: { a: '1' }, environment: 'staging' })
    await management.request('PATCH', `${V2}/${keyId}?updateMask=*`, { body: '{"displayName":"B"}' })
    const key = await get()
    expect(key).toMatchObject({ displayName: 'B', environment: 'staging' })
    expect(key.annotations).toBeUndefined()
    expect((await update({ displayName: 'C' }, { updateMask: '*' })).environment).toBeUndefined()
  })

  it('refuses a bad mask, a stale etag, and a deleted key', async () => {
    const { etag } = await create()
    expect(await reasonOf(update({}, { updateMask: 'state' }))).toBe('MASK_INVALID')
    expect(await reasonOf(update({}, { updateMask: 'restrictions.api_targets' }))).toBe('MASK_INVALID')
    await update({ displayName: 'B', etag })
    expect(await reasonOf(update({ displayName: 'C', etag }))).toBe('ETAG_MISMATCH')
    await remove()
    expect(await reasonOf(update({ displayName: 'C' }))).toBe('STATE_CONFLICT')
  })

  it('switches a key off and on, as often as asked', async () => {
    const { etag } = await create()
    const call = (verb: 'disableKey' | 'enableKey', body: object = {}) =>
      management.client.call(POLLUX_V1[verb], { params: own(), body })
    const disabled = await call('disableKey', { etag })
    expect(disabled.state).toBe('DISABLED')
    expect(await call('disableKey')).toEqual(disabled)
    expect(await reasonOf(call('enableKey', { etag }))).toBe('ETAG_MISMATCH')
    expect((await call('enableKey')).state).toBe('ACTIVE')
  })
})

describe('deleting a key', () => {
  it('keeps it readable and listed on request, and brings it back', async () => {
    await create()
    expect((await remove()).state).toBe('DELETED')
    expect((await get()).deleteTime).toBeDefined()
    const listed = async (query: object) => {
      const all = await management.client.call(POLLUX_V1.listKeys, {
        params: { project: 'key-project' },
        query,
      })
      return all.keys?.some(key => key.name.endsWith(`/${keyId}`))
    }
    expect([await listed({ pageSize: 999 }), await listed({ pageSize: 999, showDeleted: true })]).toEqual([
      false,
      true,
    ])
    expect(await reasonOf(create())).toBe('ALREADY_EXISTS')
    expect(await reasonOf(remove())).toBe('STATE_CONFLICT')
    const undelete = () => management.client.call(POLLUX_V1.undeleteKey, { params: own() })
    expect((await undelete()).state).toBe('ACTIVE')
    expect(await reasonOf(undelete())).toBe('STATE_CONFLICT')
  })

  it('compares the etag after decoding, in both encodings that clients use', async () => {
    const { etag } = await create()
    const path = `${V2}/${keyId}`
    expect((await management.request('DELETE', `${path}?etag=W/%22stale%22`)).json.error.code).toBe(409)
    const written = etag.replaceAll('"', '%22').replaceAll('+', '%2B')
    expect((await management.request('DELETE', `${path}?etag=${written}`)).json.done).toBe(true)
  })

  it('refuses with CHECK while a call of the last seven days was accepted, and not otherwise', async () => {
    const { uid } = await create()
    const query = { checkExistingUsage: 'CHECK' }
    await use(uid, Date.now() - 8 * DAY_MS)
    await update({ displayName: 'tightened' }, query)
    await use(uid)
    expect(await reasonOf(update({ displayName: 'again' }, query))).toBe('KEY_IN_USE')
    expect(await reasonOf(remove(query))).toBe('KEY_IN_USE')
    expect((await remove({ checkExistingUsage: 'SKIP' })).state).toBe('DELETED')
  })
})

describe('lists of keys', () => {
  it('pages in the order of creation, with tokens that only fit their list', async () => {
    const params = { project: 'page-project' }
    await management.client.call(POLLUX_V1.createProject, { body: { projectId: params.project } })
    const made: string[] = []
    for (let count = 0; count < 5; count++) {
      made.push((await management.client.call(POLLUX_V1.createKey, { params, body: {} })).uid)
    }
    const seen: string[] = []
    let pageToken: string | undefined = ''
    do {
      const query: { pageSize: number; pageToken: string } = { pageSize: 2, pageToken }
      const page = await management.client.call(POLLUX_V1.listKeys, { params, query })
      seen.push(...(page.keys ?? []).map(({ uid }) => uid))
      pageToken = page.nextPageToken
    } while (pageToken !== undefined)
    expect(seen.toSorted()).toEqual(made.toSorted())
    const list = (query: object) => management.client.call(POLLUX_V1.listKeys, { params, query })
    expect((await list({ pageSize: 0 })).keys).toHaveLength(5)
    for (const query of [{ pageSize: -1 }, { pageSize: 1.5 }, { pageToken: 'x' }, { showDeleted: 'maybe' }]) {
      expect(await reasonOf(list(query))).toBe('FIELD_INVALID')
    }
  })
})

describe('lookup and test', () => {
  it('finds the key of a keyString on both surfaces, deleted or not', async () => {
    const { keyString = '', name } = await create()
    await remove()
    const found = await management.client.call(POLLUX_V1.lookupKey, { body: { keyString } })
    expect(found).toEqual({ parent: name.split('/keys/')[0], name })
    expect(await management.client.call(APIKEYS_V2.lookupKey, { query: { keyString } })).toEqual(found)
    expect(await reasonOf(management.client.call(POLLUX_V1.lookupKey, { body: { keyString: 'x' } }))).toBe(
      'RESOURCE_NOT_FOUND',
    )
  })

  it('tells which rule refuses a described call, the state of the key among them', async () => {
    await create({
      restrictions: {
        serverKeyRestrictions: { allowedIps: ['10.0.0.0/8'] },
        apiTargets: [{ service: 'generativelanguage.googleapis.com', methods: ['GenerateContent'] }],
      },
      allowedModels: ['gemini-*'],
      allowedTools: [],
    })
    const test = async (body: object) => {
      const { allowed, verdicts } = await management.client.call(POLLUX_V1.testKey, { params: own(), body })
      return [allowed, ...verdicts.filter(({ outcome }) => outcome === 'REFUSED').map(({ rule }) => rule)]
    }
    const good = { address: '10.1.2.3', model: 'models/gemini-x' }
    expect(await test(good)).toEqual([true])
    expect(await test({ ...good, address: '11.1.2.3' })).toEqual([false, 'client'])
    expect(await test({ ...good, method: 'CountTokens' })).toEqual([false, 'method'])
    expect(await test({ ...good, model: 'gemma-x' })).toEqual([false, 'model'])
    expect(await test({ ...good, tools: ['googleSearch'] })).toEqual([false, 'tools'])
    await management.client.call(POLLUX_V1.disableKey, { params: own() })
    expect(await test(good)).toEqual([false, 'state'])
  })

  it('resolves a model alias before the allowed models are asked', async () => {
    await create({ allowedModels: ['gemini-x'] })
    const params = { project: 'key-project' }
    const modelAliases = { 'gemini-pro': { model: 'gemini-x' } }
    await management.client.call(POLLUX_V1.updateProject, { params, body: { modelAliases } })
    const test = (model: string) =>
      management.client.call(POLLUX_V1.testKey, { params: own(), body: { model } })
    expect((await test('gemini-pro')).allowed).toBe(true)
    expect((await test('gemini-ultra')).allowed).toBe(false)
  })
})

describe('an expired key', () => {
  it('is told as such from the moment on', async () => {
    const later = await startManagement()
    const params = { project: 'later-project' }
    await later.client.call(POLLUX_V1.createProject, { body: { projectId: params.project } })
    const expireTime = new Date(Date.now() + 3_600_000).toISOString()
    const query = { keyId: 'short' }
    await later.client.call(POLLUX_V1.createKey, { params, query, body: { expireTime } })
    const state = async () =>
      (await later.client.call(POLLUX_V1.getKey, { params: { ...params, key: 'short' } })).state
    expect(await state()).toBe('ACTIVE')
    later.advance(3_600_001)
    expect(await state()).toBe('EXPIRED')
    await later.close()
  })
})

describe('usage', () => {
  it('sums the current month by key and model unless asked otherwise', async () => {
    const params = { project: 'key-project' }
    const { uid } = await create({ displayName: 'Metered' })
    await use(uid)
    await use(uid)
    const report = (query: object) => management.client.call(POLLUX_V1.getUsage, { params, query })
    const byDefault = await report({ key: keyId })
    expect(byDefault.groupBy).toEqual(['key', 'model'])
    expect(byDefault.rows).toMatchObject([
      {
        keyUid: uid,
        keyId,
        keyDisplayName: 'Metered',
        model: 'gemini-x',
        calls: 2,
        promptTokens: 14,
        totalTokens: 24,
      },
    ])
    const byTime = await report({ key: uid, groupBy: ['time', 'method'], granularity: 'hour' })
    expect(byTime.rows.reduce((calls, row) => calls + row.calls, 0)).toBe(2)
    expect(byTime.rows[0]).toMatchObject({
      method: 'GenerateContent',
      time: expect.stringMatching(/:00:00\.000Z$/),
    })
    expect(await reasonOf(report({ key: 'absent' }))).toBe('RESOURCE_NOT_FOUND')
    const year = { startTime: '2025-01-01T00:00:00Z', endTime: '2026-01-01T00:00:00Z' }
    expect(await reasonOf(report({ ...year, groupBy: ['time'], granularity: 'minute' }))).toBe(
      'FIELD_INVALID',
    )
    expect(await reasonOf(report({ startTime: year.endTime, endTime: year.startTime }))).toBe('FIELD_INVALID')
    expect(await reasonOf(report({ groupBy: ['colour'] }))).toBe('FIELD_INVALID')
  })
})

describe('the audit trail', () => {
  it('tells of a change who made it, from where, why, and what it was before and after, without any key', async () => {
    const { keyString = '', uid } = await create({ displayName: 'Before' })
    const headers = {
      authorization: 'Bearer admin-token-of-the-test-suites-0123456789',
      'content-type': 'application/json',
      'user-agent': `terraform ${keyString}`,
      'x-goog-request-reason': 'ticket 7',
    }
    const body = JSON.stringify({ displayName: keyString })
    const { headers: answer } = await management.request('PATCH', `${V2}/${uid}`, { headers, body })
    const { items } = await management.storage.audit.list({ projectNumber: null, limit: 2, cursor: null })
    expect(items[0]).toMatchObject({
      principal: 'tokens/admin',
      methodName: 'google.api.apikeys.v2.ApiKeys.UpdateKey',
      permission: 'apikeys.keys.update',
      resourceName: expect.stringMatching(new RegExp(`^projects/\\d+/locations/global/keys/${keyId}$`)),
      callerIp: '203.0.113.9',
      requestReason: 'ticket 7',
      requestId: answer.get('x-request-id'),
      before: { displayName: 'Before' },
      after: { displayName: 'plx_…' },
    })
    expect(items[1]).toMatchObject({ methodName: 'pollux.v1.Keys.CreateKey', before: null })
    expect(JSON.stringify(items)).not.toContain(keyString)
  })
})
