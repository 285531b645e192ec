import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NO_SIGN_IN } from '../src/control/sign-in.ts'
import { TERMS_VERSION } from '../src/domain/terms.ts'
import { type Management, startManagement } from './management.ts'
import { OWNER, PASSWORD, TestBrowser, setUpOwner } from './people.ts'
import { createAuthenticator } from './software-authenticator.ts'

const PUBLIC = 'https://pollux.example'

let local: Management
let published: Management
let owner: TestBrowser
let ownerBehindTls: TestBrowser
const behindTls = (): TestBrowser => new TestBrowser(published, { host: 'pollux.example', origin: PUBLIC })

beforeAll(async () => {
  local = await startManagement()
  published = await startManagement(undefined, { ...NO_SIGN_IN, publicOrigin: PUBLIC, linkOrigin: PUBLIC })
  owner = await setUpOwner(local)
  ownerBehindTls = await setUpOwner(published, behindTls())
})
afterAll(async () => {
  await local.close()
  await published.close()
})

describe('cookies', () => {
  it('behind TLS have the __Host- prefix, which no neighbour can plant, and no script can read them', async () => {
    const { setCookies } = await behindTls().signIn()
    expect(setCookies[0]).toMatch(
      /^__Host-pollux-session=plx_ses_\w{36}; Path=\/; Secure; HttpOnly; SameSite=Strict$/,
    )
    expect(setCookies[1]).toMatch(
      /^__Host-pollux-device=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=15552000$/,
    )
  })

  it('at http://localhost belong to the host alone', async () => {
    for (const host of [`localhost:${local.port}`, `127.0.0.1:${local.port}`, `[::1]:${local.port}`]) {
      const { setCookies } = await new TestBrowser(local, { host }).signIn()
      expect(setCookies[0]).toMatch(/^pollux-session=plx_ses_\w{36}; Path=\/; HttpOnly; SameSite=Strict$/)
    }
  })

  it('without the prefix are nothing behind TLS', async () => {
    const id = ownerBehindTls.cookies.get('__Host-pollux-session') ?? ''
    const look = (cookie: string) => behindTls().ask('GET', '/pollux/v1/session', { headers: { cookie } })
    expect((await look(`__Host-pollux-session=${id}`)).status).toBe(200)
    expect((await look(`pollux-session=${id}`)).status).toBe(401)
  })
})

describe('plain HTTP from another machine', () => {
  it('signs nobody in, and says why and what to do', async () => {
    const browser = new TestBrowser(local, { host: '192.0.2.7:8700' })
    const answer = await browser.signIn()
    expect([answer.status, answer.reason]).toEqual([403, 'SIGN_IN_DOOR_REFUSED'])
    expect(answer.setCookies).toEqual([])
    expect((await browser.ask('GET', '/pollux/v1/signIn')).json.refusal).toContain('POLLUX_PUBLIC_ORIGIN')
  })

  it('is not mended by headers that anybody can send', async () => {
    const browser = new TestBrowser(local, { host: '192.0.2.7:8700' })
    const headers = {
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'localhost',
      forwarded: 'proto=https;host=localhost',
    }
    const answer = await browser.post(
      '/pollux/v1/signIn:withPassword',
      { email: OWNER, password: PASSWORD },
      headers,
    )
    expect(answer.reason).toBe('SIGN_IN_DOOR_REFUSED')
  })

  it('does where the operator allows it', async () => {
    const allowing = await startManagement(undefined, { ...NO_SIGN_IN, allowsPlainSignIn: true })
    try {
      await setUpOwner(allowing)
      expect((await new TestBrowser(allowing, { host: '192.0.2.7:8700' }).signIn()).status).toBe(200)
    } finally {
      await allowing.close()
    }
  })
})

describe('a request that is no GET', () => {
  const absent = undefined
  const foreign = 'https://evil.example'
  const own = () => owner.origin
  const cases: readonly (readonly [string, string | undefined, (() => string) | undefined, boolean])[] = [
    ['from a page of ours', 'same-origin', own, true],
    ['from a page of ours, Origin left out', 'same-origin', absent, true],
    ['from a page of ours, by a browser without Fetch Metadata', absent, own, true],
    ['from another site', 'cross-site', () => foreign, false],
    ['from another site, Origin left out', 'cross-site', absent, false],
    ['from another host of the same site', 'same-site', () => `http://other.localhost:${local.port}`, false],
    ['from another port', 'same-site', () => 'http://localhost:1', false],
    ['from an address bar or a bookmark', 'none', absent, false],
    ['that says same-origin with a foreign Origin', 'same-origin', () => foreign, false],
    ['from another site, by a browser without Fetch Metadata', absent, () => foreign, false],
    ['from a sandboxed frame', absent, () => 'null', false],
    ['with neither header', absent, absent, false],
    ['with an unknown word', 'same-origin, cross-site', own, false],
  ]

  it.each(cases)('%s, signed in', async (_, site, origin, isServed) => {
    const headers = { 'sec-fetch-site': site, origin: origin?.() }
    const answer = await owner.ask('DELETE', '/pollux/v1/sessions/nothing-here', { headers })
    expect(answer.reason).toBe(isServed ? 'RESOURCE_NOT_FOUND' : 'CROSS_SITE_REFUSED')
  })

  it.each(cases)('%s, signing in (login CSRF)', async (_, site, origin, isServed) => {
    const stranger = new TestBrowser(local)
    const headers = { 'sec-fetch-site': site, origin: origin?.() }
    const body = { email: OWNER, password: PASSWORD }
    const answer = await stranger.post('/pollux/v1/signIn:withPassword', body, headers)
    // A program that is no browser says nothing of pages, and has no cookie that could be misused.
    const isProgram = site === undefined && origin === undefined
    expect(answer.status).toBe(isServed || isProgram ? 200 : 403)
  })

  it('passes through a proxy that replaces Host, by the public origin', async () => {
    const headers = { host: '127.0.0.1:8700', origin: PUBLIC }
    const answer = await behindTls().post(
      '/pollux/v1/signIn:withPassword',
      { email: OWNER, password: PASSWORD },
      headers,
    )
    expect(answer.setCookies[0]).toMatch(/^__Host-/)
  })

  it('with a bearer token needs no page', async () => {
    const answer = await local.request('POST', `/pollux/v1/users/${OWNER}:enable`, { body: '{}' })
    expect(answer.status).toBe(200)
  })

  it('takes no form of another page for JSON', async () => {
    const answer = await owner.post('/pollux/v1/session:signOut', {}, { 'content-type': 'text/plain' })
    expect(answer.reason).toBe('CONTENT_TYPE_REFUSED')
  })
})

describe('a passkey', () => {
  const start = '/pollux/v1/signIn:startPasskey'
  const finish = '/pollux/v1/signIn:withPasskey'

  async function registered() {
    const authenticator = createAuthenticator()
    const browser = new TestBrowser(local)
    await browser.signIn()
    const { json } = await browser.post('/pollux/v1/passkeys:start')
    const credential = authenticator.create(json.options, browser.origin)
    const passkey = { challengeId: json.challengeId, credential, displayName: 'Laptop' }
    const answer = await browser.post('/pollux/v1/passkeys', { passkey })
    expect([answer.status, answer.json.displayName]).toEqual([200, 'Laptop'])
    return { authenticator, browser, name: answer.json.name as string }
  }

  it('signs in by itself, and makes a proof fresh', async () => {
    const { authenticator } = await registered()
    const browser = new TestBrowser(local)
    const asked = (await browser.post(start)).json
    expect(asked.options.allowCredentials ?? []).toEqual([])
    const passkey = {
      challengeId: asked.challengeId,
      credential: authenticator.get(asked.options, browser.origin),
    }
    const answer = await browser.post(finish, { passkey })
    expect([answer.status, answer.json.session.method]).toEqual([200, 'passkey'])
    const proof = (await browser.post('/pollux/v1/session:startPasskey')).json
    const proven = {
      challengeId: proof.challengeId,
      credential: authenticator.get(proof.options, browser.origin),
    }
    expect((await browser.post('/pollux/v1/session:prove', { passkey: proven })).status).toBe(200)
  })

  it('answers a question once, for the page that asked, with its person present and verified', async () => {
    const { authenticator } = await registered()
    const browser = new TestBrowser(local)
    const attempt = async (origin: string, lies = {}) => {
      const { challengeId, options } = (await browser.post(start)).json
      const passkey = { challengeId, credential: authenticator.get(options, origin, lies) }
      return { passkey, answer: await browser.post(finish, { passkey }) }
    }
    expect((await attempt('https://localhost.evil.example')).answer.reason).toBe('SIGN_IN_FAILED')
    expect((await attempt(browser.origin, { isUserVerified: false })).answer.reason).toBe('SIGN_IN_FAILED')
    const { passkey, answer } = await attempt(browser.origin)
    expect(answer.status).toBe(200)
    expect((await browser.post(finish, { passkey })).reason).toBe('SIGN_IN_FAILED')
    expect((await attempt(browser.origin, { counter: 1 })).answer.reason).toBe('SIGN_IN_FAILED')
  })

  it('proves nothing in another session than the one that was asked, nor at the sign-in', async () => {
    const { authenticator, browser } = await registered()
    const other = new TestBrowser(local)
    await other.signIn()
    const { challengeId, options } = (await browser.post('/pollux/v1/session:startPasskey')).json
    const passkey = { challengeId, credential: authenticator.get(options, browser.origin) }
    expect((await other.post('/pollux/v1/session:prove', { passkey })).reason).toBe('SIGN_IN_FAILED')
  })

  it('that was removed signs nobody in', async () => {
    const { authenticator, browser, name } = await registered()
    expect((await browser.ask('DELETE', `/pollux/v1/${name}`)).status).toBe(200)
    const { challengeId, options } = (await browser.post(start)).json
    const passkey = { challengeId, credential: authenticator.get(options, browser.origin) }
    expect((await new TestBrowser(local).post(finish, { passkey })).reason).toBe('SIGN_IN_FAILED')
  })

  it('can be all that an owner sets up, and is offered only where browsers make one', async () => {
    const fresh = await startManagement()
    try {
      const browser = new TestBrowser(fresh)
      const { json: link } = await fresh.request('POST', '/pollux/v1/setUpLinks:issue', { body: '{}' })
      const token = new URL(link.link).hash.slice(1)
      const who = { token, email: OWNER, displayName: 'Ada' }
      const { challengeId, options } = (await browser.post('/pollux/v1/links:startPasskey', who)).json
      const credential = createAuthenticator().create(options, browser.origin)
      const answer = await browser.post('/pollux/v1/links:accept', {
        ...who,
        acceptedTerms: TERMS_VERSION,
        passkey: { challengeId, credential },
      })
      expect([answer.status, answer.json.user.hasPassword]).toEqual([200, false])
      expect((await browser.signIn()).reason).toBe('SIGN_IN_FAILED')
      const methods = async (host: string) =>
        (await new TestBrowser(fresh, { host }).ask('GET', '/pollux/v1/signIn')).json.methods
      expect(await methods(`localhost:${fresh.port}`)).toEqual(['PASSKEY', 'PASSWORD'])
      expect(await methods(`127.0.0.1:${fresh.port}`)).toEqual(['PASSWORD'])
    } finally {
      await fresh.close()
    }
  })
})
