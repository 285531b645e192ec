/** Service accounts at the door: tokens and signed JWTs, and every way in which either must be refused. */
import { createHmac, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { SignJWT, importPKCS8 } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { SERVICE_ACCOUNTS_V1 } from '../src/contract/service-accounts.v1.ts'
import { type Management, startManagement } from './management.ts'
import { type Robot, grant, makeProject, makeRobot } from './principals.ts'

const DAY_MS = 86_400_000
const SCOPE = 'https://www.googleapis.com/auth/cloud-platform'
const HOME = '/pollux/v1/projects/robot-home'
const KEYS = `${HOME}/keys`

let management: Management
beforeAll(async () => {
  management = await startManagement()
  await makeProject(management, 'robot-home')
  await makeProject(management, 'second-home')
})
afterAll(() => management.close())

const params = (serviceAccount: string) => ({ project: 'robot-home', serviceAccount })
const statusOf = async (robot: Robot, path = KEYS) => (await robot.request('GET', path)).status
const editor = (id: string, limits = {}) =>
  makeRobot(management, {
    home: 'robot-home',
    id,
    roles: [{ role: 'roles/editor', project: 'robot-home' }],
    limits,
  })

describe('a token', () => {
  it('acts with the roles of its account, shows its last use, and is stored and shown by digest and mask only', async () => {
    const robot = await editor('plain-editor')
    expect(await statusOf(robot)).toBe(200)
    expect(await statusOf(robot, '/metrics')).toBe(403)
    const { client } = management
    const listed = async () =>
      (await client.call(SERVICE_ACCOUNTS_V1.listTokens, { params: params('plain-editor') })).tokens
    await expect.poll(async () => (await listed())[0]?.lastUsedTime, { timeout: 10_000 }).toBeDefined()
    const [token] = await listed()
    expect(token?.maskedToken).toBe(`plx_pat_…${robot.token.slice(-4)}`)
    expect(JSON.stringify(await listed())).not.toContain(robot.token)
    const { items } = await management.storage.audit.list({ projectNumber: null, limit: 300, cursor: null })
    expect(JSON.stringify(items)).not.toContain(robot.token)
  })

  it('is refused from the moment it expires', async () => {
    const clocked = await startManagement()
    await makeProject(clocked, 'robot-home')
    const robot = await makeRobot(clocked, {
      home: 'robot-home',
      id: 'short-lived',
      roles: [{ role: 'roles/viewer', project: 'robot-home' }],
    })
    clocked.advance(90 * DAY_MS - 60_000)
    expect(await statusOf(robot)).toBe(200)
    clocked.advance(61_000)
    const { status, json } = await robot.request('GET', KEYS)
    expect([status, json.error.details[0].reason]).toEqual([401, 'ACCESS_TOKEN_INVALID'])
    await clocked.close()
  })

  it('lives a year at most', async () => {
    await editor('long-liver')
    const create = (days: number) =>
      management.request('POST', `${HOME}/serviceAccounts/long-liver/tokens`, {
        body: JSON.stringify({ expireTime: new Date(Date.now() + days * DAY_MS).toISOString() }),
      })
    expect((await create(364)).status).toBe(200)
    expect((await create(366)).status).toBe(400)
    expect((await create(-1)).status).toBe(400)
  })

  it('is refused on the next request once its account is disabled, and taken again once it is enabled', async () => {
    const robot = await editor('on-and-off')
    const { client } = management
    await client.call(SERVICE_ACCOUNTS_V1.disableServiceAccount, { params: params('on-and-off') })
    expect(await statusOf(robot)).toBe(401)
    await client.call(SERVICE_ACCOUNTS_V1.enableServiceAccount, { params: params('on-and-off') })
    expect(await statusOf(robot)).toBe(200)
  })

  it('is refused once its account is deleted, whose name and roles are never given again', async () => {
    const robot = await editor('soon-deleted')
    const { client } = management
    await client.call(SERVICE_ACCOUNTS_V1.deleteServiceAccount, { params: params('soon-deleted') })
    expect(await statusOf(robot)).toBe(401)
    const again = client.call(SERVICE_ACCOUNTS_V1.createServiceAccount, {
      params: { project: 'robot-home' },
      query: { accountId: 'soon-deleted' },
      body: {},
    })
    await expect(again).rejects.toMatchObject({ reason: 'ALREADY_EXISTS' })
    expect(await management.storage.iam.grantsOf(robot.member)).toEqual([])
  })

  it('is refused once it is deleted itself, and while the project of its account is deleted', async () => {
    const robot = await makeRobot(management, {
      home: 'second-home',
      id: 'homeless',
      roles: [{ role: 'roles/viewer', project: 'robot-home' }],
    })
    await management.request('DELETE', '/v3/projects/second-home')
    expect(await statusOf(robot)).toBe(401)
    await management.request('POST', '/v3/projects/second-home:undelete')
    expect(await statusOf(robot)).toBe(200)
    const tokens = '/pollux/v1/projects/second-home/serviceAccounts/homeless/tokens'
    const [{ name }] = (await management.request('GET', tokens)).json.tokens
    expect((await management.request('DELETE', `/pollux/v1/${name}`)).status).toBe(200)
    expect(await statusOf(robot)).toBe(401)
  })

  it('that is narrowed does less than its role, in permissions and in place', async () => {
    const reader = await editor('reads-only', { permissions: ['apikeys.keys.list'] })
    expect(await statusOf(reader)).toBe(200)
    expect((await reader.request('POST', KEYS, {})).status).toBe(403)
    const roles = [{ role: 'roles/editor' }] as const
    const local = await makeRobot(management, {
      home: 'robot-home',
      id: 'stays-home',
      roles,
      limits: { project: 'robot-home' },
    })
    expect(await statusOf(local)).toBe(200)
    expect(await statusOf(local, '/pollux/v1/projects/second-home/keys')).toBe(404)
    expect(await statusOf(local, '/pollux/v1/organizations/1/budgets')).toBe(403)
    const { json } = await local.request('GET', '/v3/projects')
    expect(json.projects.map(({ projectId }: { projectId: string }) => projectId)).toEqual(['robot-home'])
  })

  it('is refused when one character is changed, before any look-up by its checksum', async () => {
    const robot = await editor('one-off')
    const flipped = robot.token.replace(/.$/, last => (last === 'A' ? 'B' : 'A'))
    const { status } = await management.request('GET', KEYS, {
      headers: { authorization: `Bearer ${flipped}` },
    })
    expect(status).toBe(401)
  })
})

describe('credentials are made only by those who hold all that the account holds', () => {
  it('so not for an account that is, or becomes, more powerful', async () => {
    const admin = await makeRobot(management, {
      home: 'robot-home',
      id: 'key-admin',
      roles: [
        { role: 'roles/iam.serviceAccountKeyAdmin', project: 'robot-home' },
        { role: 'roles/iam.serviceAccountAdmin', project: 'robot-home' },
        { role: 'roles/viewer', project: 'robot-home' },
      ],
    })
    const target = await makeRobot(management, { home: 'robot-home', id: 'target' })
    const tokens = `${HOME}/serviceAccounts/target/tokens`
    expect((await admin.request('POST', tokens, {})).status).toBe(200)
    await grant(management, { member: target.member, role: 'roles/viewer', project: 'robot-home' })
    expect((await admin.request('POST', tokens, {})).status).toBe(200)
    await grant(management, { member: target.member, role: 'roles/editor', project: 'robot-home' })
    for (const path of ['tokens', 'keys']) {
      const { status, json } = await admin.request('POST', `${HOME}/serviceAccounts/target/${path}`, {})
      expect([status, json.error.details[0].reason]).toEqual([403, 'IAM_PERMISSION_DENIED'])
    }
    await management.request('POST', `${HOME}/serviceAccounts/target:disable`)
    expect((await admin.request('POST', `${HOME}/serviceAccounts/target:enable`, {})).status).toBe(403)
  })

  it('and a narrowed token makes no wider one, not even of its own account', async () => {
    const limits = {
      permissions: ['pollux.serviceAccountTokens.create', 'iam.serviceAccountKeys.create'],
      project: 'robot-home',
    }
    const narrow = await makeRobot(management, {
      home: 'robot-home',
      id: 'self-widener',
      roles: [{ role: 'roles/iam.serviceAccountKeyAdmin', project: 'robot-home' }],
      limits,
    })
    await makeRobot(management, { home: 'robot-home', id: 'powerless' })
    const make = async (path: string, body: unknown) =>
      (await narrow.request('POST', `${HOME}/serviceAccounts/${path}`, body)).status
    expect(await make('self-widener/tokens', {})).toBe(403)
    expect(await make('powerless/tokens', {})).toBe(403)
    expect(await make('powerless/keys', {})).toBe(403)
    expect(await make('powerless/tokens', { ...limits, project: 'second-home' })).toBe(404)
    expect(await make('powerless/tokens', { ...limits, permissions: ['apikeys.keys.list'] })).toBe(403)
    expect(await make('powerless/tokens', limits)).toBe(200)
  })
})

interface KeyFile {
  readonly client_email: string
  readonly private_key: string
  readonly private_key_id: string
}

async function keyFileOf(id: string): Promise<KeyFile> {
  const { client } = management
  const made = await client.call(SERVICE_ACCOUNTS_V1.createServiceAccountKey, {
    params: params(id),
    body: {},
  })
  return JSON.parse(Buffer.from(made.privateKeyData ?? '', 'base64').toString('utf8'))
}

const nowS = () => Math.floor(Date.now() / 1000)

/** A JWT as Google's clients sign it, with parts replaced; undefined leaves one out. */
async function signed(
  file: KeyFile,
  parts: { readonly claims?: Record<string, unknown>; readonly header?: Record<string, unknown> } = {},
): Promise<string> {
  const { client_email: email } = file
  const base = { iss: email, sub: email, scope: SCOPE, iat: nowS(), exp: nowS() + 3600 }
  const header = { alg: 'RS256', typ: 'JWT', kid: file.private_key_id, ...parts.header }
  const claims = JSON.parse(JSON.stringify({ ...base, ...parts.claims }))
  const key = await importPKCS8(file.private_key, 'RS256')
  return await new SignJWT(claims).setProtectedHeader(JSON.parse(JSON.stringify(header))).sign(key)
}

const present = async (jwt: string, method = 'GET', path = KEYS) =>
  await management.request(method, path, {
    headers: { authorization: `Bearer ${jwt}`, 'content-type': 'application/json' },
    ...(method === 'POST' ? { body: '{}' } : {}),
  })

describe('a JWT signed with a key file', () => {
  let file: KeyFile
  let robot: Robot
  beforeAll(async () => {
    robot = await editor('jwt-signer')
    file = await keyFileOf('jwt-signer')
  })

  it('acts as its account, with a scope or with an audience of this Pollux or of the Google API it takes the place of', async () => {
    expect((await present(await signed(file))).status).toBe(200)
    const audiences = [
      management.origin,
      `${management.origin}/`,
      `${management.origin}${KEYS}`,
      'https://apikeys.googleapis.com/',
    ]
    for (const aud of audiences) {
      expect((await present(await signed(file, { claims: { scope: undefined, aud } }))).status).toBe(200)
    }
  })

  it('with the read-only scope reads, and changes nothing', async () => {
    const scope = `${SCOPE}.read-only`
    expect((await present(await signed(file, { claims: { scope } }))).status).toBe(200)
    expect((await present(await signed(file, { claims: { scope } }), 'POST')).status).toBe(403)
    const both = `${scope} ${SCOPE}`
    expect((await present(await signed(file, { claims: { scope: both } }), 'POST')).status).toBe(200)
  })

  const refusedClaims: readonly (readonly [string, Record<string, unknown>])[] = [
    ['has expired', { iat: nowS() - 3700, exp: nowS() - 100 }],
    ['was issued more than an hour ago', { iat: nowS() - 3700, exp: nowS() + 600 }],
    ['is issued in the future', { iat: nowS() + 120, exp: nowS() + 600 }],
    ['lives longer than an hour', { exp: nowS() + 3700 }],
    ['has no expiry', { exp: undefined }],
    ['has no time of issue', { iat: undefined }],
    ['is not valid yet', { nbf: nowS() + 600 }],
    ['names another issuer', { iss: 'somebody@robot-home.iam.pollux.internal' }],
    ['names another subject', { sub: 'tokens/admin' }],
    ['is meant for somebody else', { aud: 'https://example.com' }],
    ['is meant for somebody else, and has a scope', { aud: 'https://oauth2.googleapis.com/token' }],
    ['has several audiences', { aud: ['https://apikeys.googleapis.com/', 'https://example.com'] }],
    ['has neither audience nor scope', { scope: undefined }],
    ['has another scope only', { scope: 'https://www.googleapis.com/auth/drive' }],
  ]
  it.each(refusedClaims)('that %s is refused', async (_, claims) => {
    const { status, json, headers } = await present(await signed(file, { claims }))
    expect([status, json.error.details[0].reason]).toEqual([401, 'ACCESS_TOKEN_INVALID'])
    expect(headers.get('www-authenticate')).toContain('invalid_token')
  })

  it('that names no key, an unknown one, or the key of another account is refused', async () => {
    await editor('other-signer')
    const other = await keyFileOf('other-signer')
    for (const kid of [undefined, 'f'.repeat(40), '../../etc/passwd', other.private_key_id]) {
      expect((await present(await signed(file, { header: { kid } }))).status).toBe(401)
    }
    const claims = { iss: file.client_email, sub: file.client_email }
    expect((await present(await signed(other, { claims }))).status).toBe(401)
  })

  it('with another algorithm is refused: none, and HMAC with the public key for a secret', async () => {
    const publicKey = createPublicKey(createPrivateKey(file.private_key)).export({
      type: 'spki',
      format: 'pem',
    })
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const { client_email: email, private_key_id: kid } = file
    const claims = part({ iss: email, sub: email, scope: SCOPE, iat: nowS(), exp: nowS() + 600 })
    const hmac = `${part({ alg: 'HS256', typ: 'JWT', kid })}.${claims}`
    const attacks = [
      `${hmac}.${createHmac('sha256', publicKey).update(hmac).digest('base64url')}`,
      `${part({ alg: 'none', kid })}.${claims}.`,
      `${part({ alg: 'none', kid })}.${claims}.AAAA`,
      `${part({ alg: 'RS256', kid })}.${claims}.AAAA`,
      `${part({ alg: 'RS256', kid, b64: false, crit: ['b64'] })}.${claims}.AAAA`,
    ]
    for (const attack of attacks) expect((await present(attack)).status).toBe(401)
  })

  it('that brings its own key in the header is refused', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const own = { ...file, private_key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })) }
    const jwk = publicKey.export({ format: 'jwk' })
    expect((await present(await signed(own, { header: { jwk } }))).status).toBe(401)
  })

  it('is refused with any part of it changed', async () => {
    const jwt = await signed(file)
    const places = [3, jwt.indexOf('.') + 5, jwt.lastIndexOf('.') + 7]
    for (const place of places) {
      const changed = jwt.slice(0, place) + (jwt[place] === 'A' ? 'B' : 'A') + jwt.slice(place + 1)
      expect((await present(changed)).status).toBe(401)
    }
  })

  it('is refused once its key is deleted, and its key file is nowhere to be had again', async () => {
    const jwt = await signed(file)
    const { client } = management
    const { keys } = await client.call(SERVICE_ACCOUNTS_V1.listServiceAccountKeys, {
      params: params('jwt-signer'),
    })
    expect(keys).toHaveLength(1)
    expect(keys[0]).not.toHaveProperty('privateKeyData')
    const key = { ...params('jwt-signer'), key: file.private_key_id }
    await client.call(SERVICE_ACCOUNTS_V1.deleteServiceAccountKey, { params: key })
    expect((await present(jwt)).status).toBe(401)
    expect(await statusOf(robot)).toBe(200)
  })

  it('is refused once its account is disabled', async () => {
    const own = await keyFileOf('jwt-signer')
    await management.request('POST', `${HOME}/serviceAccounts/jwt-signer:disable`)
    expect((await present(await signed(own))).status).toBe(401)
    await management.request('POST', `${HOME}/serviceAccounts/jwt-signer:enable`)
    expect((await present(await signed(own))).status).toBe(200)
  })
})
