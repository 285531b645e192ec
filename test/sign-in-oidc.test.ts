import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { NO_SIGN_IN, type SignInSettings } from '../src/control/sign-in.ts'
import { parseIdentityRule } from '../src/domain/identity-roles.ts'
import { PROOF_MS } from '../src/domain/session.ts'
import { CLIENT_ID, CLIENT_SECRET, type Issuer, type Person, startIssuer } from './issuer.ts'
import { type Management, startManagement } from './management.ts'
import { OWNER, TestBrowser, setUpOwner } from './people.ts'

const PUBLIC = 'https://pollux.example'
const people = new Map<string, Person>()
let issuer: Issuer
let management: Management

const rules = ['example.com=roles/owner', 'group:auditors=roles/pollux.auditor'].map(parseIdentityRule)
const settings = (oidc: Partial<NonNullable<SignInSettings['oidc']>> = {}): SignInSettings => ({
  ...NO_SIGN_IN,
  publicOrigin: PUBLIC,
  linkOrigin: PUBLIC,
  oidc: {
    issuer: issuer.url,
    clientId: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    rules: rules.filter(rule => rule !== null),
    isOnlyWay: false,
    ...oidc,
  },
})

beforeAll(async () => {
  issuer = await startIssuer(people, `${PUBLIC}/sign-in/callback`)
})
afterAll(() => issuer.close())
beforeEach(async () => {
  people.clear()
  people.set('1', { email: 'Grace@Example.com', email_verified: true, name: 'Grace Hopper' })
  people.set('2', { email: 'vera@other.example', email_verified: true, name: 'Vera', groups: ['auditors'] })
  people.set('3', { email: 'mallory@evil.example', email_verified: true, name: 'Mallory' })
  people.set('4', { email: OWNER, email_verified: false, name: 'Not Ada' })
  management = await startManagement(undefined, settings())
})
afterEach(() => management.close())

const visitor = (): TestBrowser => new TestBrowser(management, { host: 'pollux.example', origin: PUBLIC })
const start = async (browser: TestBrowser): Promise<string> =>
  (await browser.post('/pollux/v1/signIn:startOidc')).json.authorizationUri
const finish = (browser: TestBrowser, parameters: string) =>
  browser.post('/pollux/v1/signIn:finishOidc', { parameters })
const signIn = async (subject: string, browser = visitor()) => ({
  browser,
  answer: await finish(browser, await issuer.authorize(await start(browser), subject)),
})

describe('a sign-in at an issuer', () => {
  it('asks with PKCE, state and nonce, and lets in whose domain has a role', async () => {
    const { searchParams } = new URL(await start(visitor()))
    expect(searchParams.get('code_challenge_method')).toBe('S256')
    for (const name of ['code_challenge', 'state', 'nonce'])
      expect(searchParams.get(name)).toMatch(/^[\w-]{43}$/)
    const { browser, answer } = await signIn('1')
    expect([answer.status, answer.json.user.email, answer.json.session.method]).toEqual([
      200,
      'grace@example.com',
      'oidc',
    ])
    expect((await browser.ask('GET', '/pollux/v1/users')).status).toBe(200)
  })

  it('gives what the groups say and no more, anew at each sign-in', async () => {
    const { browser, answer } = await signIn('2')
    expect(answer.status).toBe(200)
    expect(answer.json.user.issuerRoles).toEqual(['roles/pollux.auditor'])
    expect((await management.storage.users.find('vera@other.example'))?.identityRoles).toEqual([
      'roles/pollux.auditor',
    ])
    expect((await browser.ask('GET', '/pollux/v1/users')).status).toBe(200)
    const invite = await browser.post('/pollux/v1/users:invite', { email: 'new@example.com' })
    expect(invite.reason).toBe('IAM_PERMISSION_DENIED')
    people.set('2', { email: 'vera@other.example', email_verified: true, name: 'Vera', groups: [] })
    expect((await signIn('2')).answer.json.user).not.toHaveProperty('issuerRoles')
    expect((await management.storage.users.find('vera@other.example'))?.identityRoles).toEqual([])
  })

  it('refuses who has no role and was not invited', async () => {
    expect((await signIn('3')).answer.reason).toBe('SIGN_IN_FAILED')
    expect(await management.storage.users.find('mallory@evil.example')).toBeNull()
  })

  it('gives nobody the account of an address that the issuer has not verified', async () => {
    await setUpOwner(management, visitor())
    expect((await signIn('4')).answer.reason).toBe('SIGN_IN_FAILED')
  })

  it('knows people by their subject: an address that changed hands is no account', async () => {
    await signIn('1')
    people.set('9', { email: 'grace@example.com', email_verified: true, name: 'Another Grace' })
    expect((await signIn('9')).answer.reason).toBe('SIGN_IN_FAILED')
    people.set('1', { email: 'hopper@example.com', email_verified: true, name: 'Grace Hopper' })
    expect((await signIn('1')).answer.json.user.email).toBe('grace@example.com')
  })

  it('takes an answer once, from the browser that asked, for the question it asked', async () => {
    const browser = visitor()
    const parameters = await issuer.authorize(await start(browser), '1')
    expect((await finish(visitor(), parameters)).reason).toBe('SIGN_IN_FAILED')
    const another = visitor()
    await start(another)
    expect((await finish(another, parameters)).reason).toBe('SIGN_IN_FAILED')
    const cookie = browser.cookieHeader()
    expect((await finish(browser, parameters)).status).toBe(200)
    const replay = await visitor().post('/pollux/v1/signIn:finishOidc', { parameters }, { cookie })
    expect(replay.reason).toBe('SIGN_IN_FAILED')
  })

  it('refuses a code of another flow, and an answer of another issuer (mix-up)', async () => {
    const [victim, attacker] = [visitor(), visitor()]
    const [theirs, stolen] = [await start(victim), await start(attacker)]
    const parameters = new URLSearchParams(await issuer.authorize(theirs, '1'))
    const code = new URLSearchParams(await issuer.authorize(stolen, '2')).get('code') ?? ''
    parameters.set('code', code)
    expect((await finish(victim, parameters.toString())).reason).toBe('SIGN_IN_FAILED')
    const fresh = visitor()
    const mixed = new URLSearchParams(await issuer.authorize(await start(fresh), '1'))
    mixed.set('iss', 'https://evil.example')
    expect((await finish(fresh, mixed.toString())).reason).toBe('SIGN_IN_FAILED')
  })

  it('is a fresh proof for who is signed in, as the same person only', async () => {
    const { browser } = await signIn('1')
    management.advance(PROOF_MS)
    const invite = () => browser.post('/pollux/v1/users:invite', { email: 'new@example.com' })
    expect((await invite()).reason).toBe('STEP_UP_REQUIRED')
    people.set('5', { email: 'eve@example.com', email_verified: true, name: 'Eve' })
    expect((await finish(browser, await issuer.authorize(await start(browser), '5'))).reason).toBe(
      'SIGN_IN_FAILED',
    )
    expect((await invite()).reason).toBe('STEP_UP_REQUIRED')
    const uri = await start(browser)
    expect([new URL(uri).searchParams.get('prompt'), new URL(uri).searchParams.get('max_age')]).toEqual([
      'login',
      '0',
    ])
    expect((await finish(browser, await issuer.authorize(uri, '1'))).status).toBe(200)
    expect((await invite()).status).toBe(200)
  })

  it('leaves an entry for each sign-in and each refusal', async () => {
    await signIn('1')
    await signIn('3')
    const { items } = await management.storage.audit.list({ projectNumber: null, limit: 10, cursor: null })
    const told = items
      .filter(({ methodName }) => methodName === 'pollux.v1.SignIn.SignInWithOidc')
      .map(({ principal, after }) => [principal, (after as { outcome: string }).outcome])
    expect(told).toEqual([
      ['anonymous', 'REFUSED'],
      ['user:grace@example.com', 'SIGNED_IN'],
    ])
    expect(JSON.stringify(items)).not.toContain('code=')
  })
})

describe('where the issuer is the only way in', () => {
  it('passwords, passkeys and links are refused, and not offered', async () => {
    const strict = await startManagement(undefined, settings({ isOnlyWay: true }))
    try {
      const browser = new TestBrowser(strict, { host: 'pollux.example', origin: PUBLIC })
      expect((await browser.ask('GET', '/pollux/v1/signIn')).json.methods).toEqual(['OIDC'])
      expect((await browser.signIn()).reason).toBe('STATE_CONFLICT')
      expect((await browser.post('/pollux/v1/signIn:startPasskey')).reason).toBe('STATE_CONFLICT')
      const accepted = await browser.post('/pollux/v1/links:accept', {
        token: 'x',
        email: OWNER,
        password: 'y',
      })
      expect(accepted.reason).toBe('STATE_CONFLICT')
      const parameters = await issuer.authorize(await start(browser), '1')
      expect((await finish(browser, parameters)).status).toBe(200)
      expect((await browser.post('/pollux/v1/session:changePassword', { password: 'z' })).reason).toBe(
        'STATE_CONFLICT',
      )
    } finally {
      await strict.close()
    }
  })
})

describe('an issuer that is away', () => {
  it('is told as what it is: 503', async () => {
    const away = await startManagement(undefined, settings({ issuer: 'http://127.0.0.1:1' }))
    try {
      const browser = new TestBrowser(away, { host: 'pollux.example', origin: PUBLIC })
      const answer = await browser.post('/pollux/v1/signIn:startOidc')
      expect([answer.status, answer.reason]).toEqual([503, 'ISSUER_UNAVAILABLE'])
    } finally {
      await away.close()
    }
  })
})
