import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { APIKEYS_V2 } from '../src/contract/apikeys.v2.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { TERMS, TERMS_VERSION } from '../src/domain/terms.ts'
import { AUTOMATIC_HEADER, PROOF_MS, SESSION_IDLE_MS, SESSION_MS } from '../src/domain/session.ts'
import { ACCOUNT_ATTEMPTS_MAX, ADDRESS_ATTEMPTS_MAX } from '../src/control/throttle.ts'
import { type Management, startManagement } from './management.ts'
import { OWNER, PASSWORD, TestBrowser, setUpBody, setUpOwner, setUpToken, tokenOf } from './people.ts'

let management: Management
beforeEach(async () => {
  management = await startManagement()
})
afterEach(() => management.close())

const audit = async () =>
  (await management.storage.audit.list({ projectNumber: null, limit: 100, cursor: null })).items
const SESSION_COOKIE = 'pollux-session'
const fifteenMinutesMs = 15 * 60_000

describe('a set-up link', () => {
  it('makes the owner, signs them in and names the default project', async () => {
    const browser = new TestBrowser(management)
    const token = await setUpToken(management)
    expect((await browser.post('/pollux/v1/links:inspect', { token })).json).toEqual({ kind: 'SET_UP' })
    const answer = await browser.post('/pollux/v1/links:accept', {
      ...setUpBody(token, { email: ' Ada@Example.com ' }),
    })
    expect([answer.status, answer.json.user.email, answer.json.defaultProject]).toEqual([
      200,
      OWNER,
      'default-project',
    ])
    const me = await browser.ask('GET', '/pollux/v1/session')
    expect([me.status, me.json.subject, me.json.session.method]).toEqual([200, `user:${OWNER}`, 'link'])
    expect((await browser.ask('GET', '/pollux/v1/users')).json.users).toHaveLength(1)
  })

  it('makes nobody the owner who has not accepted the terms as they are now, and keeps which were accepted', async () => {
    const browser = new TestBrowser(management)
    const token = await setUpToken(management)
    for (const acceptedTerms of [undefined, '', '2020-01-01', `${TERMS_VERSION} `]) {
      const answer = await browser.post('/pollux/v1/links:accept', setUpBody(token, { acceptedTerms }))
      expect([answer.status, answer.reason]).toEqual([400, 'FIELD_INVALID'])
      expect(answer.json.error.message).toContain(TERMS_VERSION)
    }
    expect((await management.storage.users.list({ limit: 50, cursor: null })).items).toEqual([])
    expect((await browser.post('/pollux/v1/links:accept', setUpBody(token))).status).toBe(200)
    const [entry] = (await audit()).filter(({ methodName }) => methodName.endsWith('.AcceptLink'))
    expect(entry).toMatchObject({ principal: `user:${OWNER}`, timeMs: expect.any(Number) })
    expect(JSON.stringify(entry)).toContain(`"acceptedTerms":"${TERMS_VERSION}"`)
    // Who is invited comes to a Pollux that has an owner, who answers for it.
    const invited = await browser.post('/pollux/v1/users:invite', {
      email: 'grace@example.com',
      role: 'roles/viewer',
    })
    const body = { token: tokenOf(invited.json.link), password: PASSWORD }
    expect((await new TestBrowser(management).post('/pollux/v1/links:accept', body)).status).toBe(200)
  })

  it('is shown the words of docs/terms.md', () => {
    const document = readFileSync(join(import.meta.dirname, '..', 'docs', 'terms.md'), 'utf8')
    expect(document).toContain(`version ${TERMS_VERSION}`)
    const points = document.split('\n').filter(line => /^\d\. /.test(line))
    expect(points).toEqual(TERMS.map((point, place) => `${place + 1}. ${point}`))
  })

  it('is used by exactly one of many who have it', async () => {
    const token = await setUpToken(management)
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        new TestBrowser(management).post(
          '/pollux/v1/links:accept',
          setUpBody(token, { email: `p${index}@example.com` }),
        ),
      ),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(new Set(answers.filter(({ status }) => status !== 200).map(({ reason }) => reason))).toEqual(
      new Set(['LINK_INVALID']),
    )
    expect((await management.storage.users.list({ limit: 50, cursor: null })).items).toHaveLength(1)
  })

  it('ends after an hour, when a new one is issued, and when somebody is set up', async () => {
    const browser = new TestBrowser(management)
    const replaced = await setUpToken(management)
    const current = await setUpToken(management)
    const use = (token: string) => browser.post('/pollux/v1/links:accept', setUpBody(token))
    expect((await use(replaced)).reason).toBe('LINK_INVALID')
    management.advance(3_600_000)
    expect((await use(current)).reason).toBe('LINK_INVALID')
    await setUpOwner(management)
    await expect(setUpToken(management)).rejects.toMatchObject({ reason: 'STATE_CONFLICT' })
  })

  it('survives a password that is refused, so that the next one can be tried', async () => {
    const browser = new TestBrowser(management)
    const token = await setUpToken(management)
    const use = (password: string) => browser.post('/pollux/v1/links:accept', setUpBody(token, { password }))
    for (const weak of [
      'short',
      'password1234',
      'qwertyuiopas',
      'aaaaaaaaaaaaaaaa',
      'ada@example.com',
      'iloveyou123456',
    ]) {
      expect([weak, (await use(weak)).reason]).toEqual([weak, 'FIELD_INVALID'])
    }
    expect((await use(PASSWORD)).status).toBe(200)
  })

  it('replaces the first key when asked, and the old one is refused from then on', async () => {
    const { client, storage } = management
    await client.call(POLLUX_V1.createProject, { body: { projectId: 'default-project' } })
    const params = { project: 'default-project' }
    await client.call(POLLUX_V1.createKey, {
      params,
      query: { keyId: 'first-key' },
      body: { displayName: 'First key' },
    })
    const token = await setUpToken(management)
    const body = setUpBody(token, { replaceFirstKey: true })
    const { json } = await new TestBrowser(management).post('/pollux/v1/links:accept', body)
    expect(json.firstKey.keyString).toMatch(/^plx_/)
    const project = await storage.projects.find('default-project')
    const old = await storage.keys.find(project?.number ?? '', 'first-key')
    expect(old?.deleteTimeMs).toBeTypeOf('number')
  })
})

describe('a password', () => {
  it('signs in, with a new session id each time, and no id that was brought along is ever taken (fixation)', async () => {
    await setUpOwner(management)
    const browser = new TestBrowser(management)
    const planted = `plx_ses_${'A'.repeat(36)}`
    browser.cookies.set(SESSION_COOKIE, planted)
    expect((await browser.signIn()).status).toBe(200)
    const first = browser.cookies.get(SESSION_COOKIE)
    expect(first).not.toBe(planted)
    expect((await browser.signIn()).status).toBe(200)
    expect(browser.cookies.get(SESSION_COOKIE)).not.toBe(first)
    const old = new TestBrowser(management)
    old.cookies.set(SESSION_COOKIE, first ?? '')
    expect((await old.ask('GET', '/pollux/v1/session')).reason).toBe('SESSION_ENDED')
  })

  it('is refused with one text whoever is asked for, and takes as long for nobody as for somebody', async () => {
    await setUpOwner(management)
    const took = { known: [] as number[], unknown: [] as number[] }
    const texts = new Set<string>()
    for (let round = 0; round < 8; round++) {
      for (const [kind, email] of [
        ['known', OWNER],
        ['unknown', `nobody${round}@example.com`],
      ] as const) {
        const startMs = performance.now()
        const answer = await new TestBrowser(management).signIn(email, 'wrong horse battery')
        took[kind].push(performance.now() - startMs)
        expect(answer.status).toBe(401)
        texts.add(answer.json.error.message)
      }
    }
    expect(texts.size).toBe(1)
    // The fastest of each: what is slower is the machine's. Without a decoy hash, nobody is answered several times as fast.
    expect(Math.min(...took.unknown)).toBeGreaterThan(Math.min(...took.known) / 2)
  })

  it('is nowhere in the audit trail, and neither are links and session ids', async () => {
    const browser = await setUpOwner(management)
    await browser.signIn(OWNER, 'a wrong but secret one')
    await browser.signIn()
    const trail = JSON.stringify(await audit())
    expect(trail).toContain('pollux.v1.SignIn.SignInWithPassword')
    for (const secret of [PASSWORD, 'a wrong but secret one', 'plx_link_', 'plx_ses_', '$argon2id']) {
      expect(trail).not.toContain(secret)
    }
  })

  it('is stored as argon2id, and is worth nothing once replaced', async () => {
    const browser = await setUpOwner(management)
    const other = new TestBrowser(management)
    await other.signIn()
    const user = await management.storage.users.find(OWNER)
    expect(await management.storage.users.passwordHashOf(user?.uid ?? '')).toMatch(
      /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/,
    )
    const changed = await browser.post('/pollux/v1/session:changePassword', {
      password: 'lantern-gravel-quiet-88',
    })
    expect(changed.status).toBe(200)
    expect((await other.ask('GET', '/pollux/v1/session')).reason).toBe('SESSION_ENDED')
    expect((await browser.ask('GET', '/pollux/v1/session')).status).toBe(200)
    expect((await new TestBrowser(management).signIn()).reason).toBe('SIGN_IN_FAILED')
    expect((await new TestBrowser(management).signIn(OWNER, 'lantern-gravel-quiet-88')).status).toBe(200)
  })
})

describe('attempts', () => {
  const wrong = (browser: TestBrowser, email = OWNER) => browser.signIn(email, 'wrong horse battery')

  it('at one account are throttled, but do not lock its person out of a browser they know', async () => {
    const known = await setUpOwner(management)
    await known.post('/pollux/v1/session:signOut')
    const reasons = []
    for (let count = 0; count <= ACCOUNT_ATTEMPTS_MAX + 1; count++)
      reasons.push((await wrong(new TestBrowser(management))).reason)
    expect(reasons.slice(0, ACCOUNT_ATTEMPTS_MAX)).toEqual(Array(ACCOUNT_ATTEMPTS_MAX).fill('SIGN_IN_FAILED'))
    expect(reasons.slice(ACCOUNT_ATTEMPTS_MAX)).toEqual(['SIGN_IN_THROTTLED', 'SIGN_IN_THROTTLED'])
    expect((await new TestBrowser(management).signIn()).reason).toBe('SIGN_IN_THROTTLED')
    expect((await known.signIn()).status).toBe(200)
    management.advance(fifteenMinutesMs)
    expect((await new TestBrowser(management).signIn()).status).toBe(200)
    const throttled = (await audit()).filter(({ after }) => JSON.stringify(after).includes('THROTTLED'))
    expect(throttled).toHaveLength(1)
  })

  it('are counted all of them when many come at once', async () => {
    await setUpOwner(management)
    const answers = await Promise.all(Array.from({ length: 30 }, () => wrong(new TestBrowser(management))))
    expect(answers.filter(({ reason }) => reason === 'SIGN_IN_FAILED')).toHaveLength(ACCOUNT_ATTEMPTS_MAX)
  })

  it('from one address are throttled over all accounts', async () => {
    const answers = []
    for (let count = 0; count <= ADDRESS_ATTEMPTS_MAX; count += 6) {
      const batch = Array.from({ length: 6 }, (_, index) =>
        wrong(new TestBrowser(management), `p${count + index}@example.com`),
      )
      answers.push(...(await Promise.all(batch)))
    }
    expect(answers.filter(({ reason }) => reason === 'SIGN_IN_FAILED')).toHaveLength(ADDRESS_ATTEMPTS_MAX)
    expect(answers.at(-1)?.reason).toBe('SIGN_IN_THROTTLED')
  })
})

describe('a session', () => {
  it('ends when it is idle, and at last even in use', async () => {
    const browser = await setUpOwner(management)
    const look = () => browser.ask('GET', '/pollux/v1/session')
    management.advance(SESSION_IDLE_MS - 60_000)
    expect((await look()).status).toBe(200)
    management.advance(SESSION_IDLE_MS - 60_000)
    expect((await look()).status).toBe(200)
    management.advance(SESSION_IDLE_MS + 1_000)
    expect((await look()).reason).toBe('SESSION_ENDED')
    expect((await browser.signIn()).status).toBe(200)
    for (let usedMs = 0; usedMs < SESSION_MS - SESSION_IDLE_MS; usedMs += SESSION_IDLE_MS / 2) {
      expect((await look()).status).toBe(200)
      management.advance(SESSION_IDLE_MS / 2)
    }
    expect((await look()).status).toBe(200)
    management.advance(SESSION_IDLE_MS)
    expect((await look()).reason).toBe('SESSION_ENDED')
  })

  it('is served where the database does not take when it was seen, as on a full disk', async () => {
    const browser = await setUpOwner(management)
    const database = new DatabaseSync(management.databasePath)
    database.exec(`create trigger full before update of last_seen_time on session
      begin select raise(abort, 'full'); end`)
    database.close()
    management.advance(SESSION_IDLE_MS - 60_000)
    expect((await browser.ask('GET', '/pollux/v1/session')).status).toBe(200)
    management.advance(120_000)
    expect((await browser.ask('GET', '/pollux/v1/session')).reason).toBe('SESSION_ENDED')
  })

  it('is not kept alive by what a page asks by itself, which is refused when it has ended', async () => {
    const browser = await setUpOwner(management)
    const poll = () => browser.ask('GET', '/pollux/v1/session', { headers: { [AUTOMATIC_HEADER]: '1' } })
    for (let idleMs = 0; idleMs < SESSION_IDLE_MS; idleMs += SESSION_IDLE_MS / 10) {
      expect((await poll()).status).toBe(200)
      management.advance(SESSION_IDLE_MS / 10)
    }
    expect((await poll()).reason).toBe('SESSION_ENDED')
  })

  it('is listed and ended by its person, and all of them by an owner, at once and on the record', async () => {
    const browser = await setUpOwner(management)
    const other = new TestBrowser(management)
    await other.signIn()
    const { sessions } = (await browser.ask('GET', '/pollux/v1/sessions')).json
    expect(sessions.map((session: { isCurrent: boolean }) => session.isCurrent).toSorted()).toEqual([
      false,
      true,
    ])
    const elsewhere = sessions.find((session: { isCurrent: boolean }) => !session.isCurrent)
    expect((await browser.ask('DELETE', `/pollux/v1/${elsewhere.name}`)).status).toBe(200)
    expect((await other.ask('GET', '/pollux/v1/session')).reason).toBe('SESSION_ENDED')
    const { json } = await management.request('POST', `/pollux/v1/users/${OWNER}:signOut`, { body: '{}' })
    expect(json).toEqual({ ended: 1 })
    expect((await browser.ask('GET', '/pollux/v1/session')).reason).toBe('SESSION_ENDED')
    const methods = (await audit()).map(({ methodName }) => methodName)
    expect(methods).toContain('pollux.v1.Sessions.EndSession')
    expect(methods).toContain('pollux.v1.Users.SignOutUser')
  })

  it('ends by signing out, which takes the cookie away', async () => {
    const browser = await setUpOwner(management)
    const cookie = browser.cookieHeader()
    const answer = await browser.post('/pollux/v1/session:signOut')
    expect(answer.setCookies[0]).toBe('pollux-session=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0')
    const replay = await browser.ask('GET', '/pollux/v1/session', { headers: { cookie } })
    expect(replay.reason).toBe('SESSION_ENDED')
  })

  it('of a person who is disabled ends at once, and a new one is not to be had', async () => {
    const browser = await setUpOwner(management)
    await management.request('POST', `/pollux/v1/users/${OWNER}:disable`, { body: '{}' })
    expect((await browser.ask('GET', '/pollux/v1/session')).reason).toBe('SESSION_ENDED')
    expect((await new TestBrowser(management).signIn()).reason).toBe('SIGN_IN_FAILED')
    await management.request('POST', `/pollux/v1/users/${OWNER}:enable`, { body: '{}' })
    expect((await browser.ask('GET', '/pollux/v1/session')).reason).toBe('SESSION_ENDED')
    expect((await new TestBrowser(management).signIn()).status).toBe(200)
  })

  it('is no credential where keys and tokens are, nor is the cookie one beside another of its name', async () => {
    const browser = await setUpOwner(management)
    const id = browser.cookies.get(SESSION_COOKIE) ?? ''
    const bearer = await management.request('GET', '/pollux/v1/users', {
      headers: { authorization: `Bearer ${id}` },
    })
    expect(bearer.status).toBe(401)
    const twice = `${SESSION_COOKIE}=${id}; ${SESSION_COOKIE}=${id}`
    expect((await browser.ask('GET', '/pollux/v1/users', { headers: { cookie: twice } })).status).toBe(401)
  })
})

describe('a fresh proof', () => {
  const KEYS = '/v2/projects/proof-project/locations/global/keys'

  it('is asked for before a key is deleted, belongs to one session, and lasts ten minutes', async () => {
    const browser = await setUpOwner(management)
    await management.client.call(POLLUX_V1.createProject, { body: { projectId: 'proof-project' } })
    for (const keyId of ['one', 'two', 'three']) {
      await management.client.call(APIKEYS_V2.createKey, {
        params: { project: 'proof-project' },
        query: { keyId },
        body: {},
      })
    }
    const other = new TestBrowser(management)
    await other.signIn()
    expect((await browser.ask('DELETE', `${KEYS}/one`)).status).toBe(200)
    management.advance(PROOF_MS)
    expect((await browser.ask('DELETE', `${KEYS}/two`)).reason).toBe('STEP_UP_REQUIRED')
    expect((await browser.post('/pollux/v1/session:prove', { password: 'wrong horse battery' })).reason).toBe(
      'SIGN_IN_FAILED',
    )
    expect((await browser.ask('DELETE', `${KEYS}/two`)).reason).toBe('STEP_UP_REQUIRED')
    const before = browser.cookies.get(SESSION_COOKIE) ?? ''
    expect((await browser.post('/pollux/v1/session:prove', { password: PASSWORD })).status).toBe(200)
    expect(browser.cookies.get(SESSION_COOKIE)).not.toBe(before)
    // A proof is not the account's: the other session of the same person is as stale as before.
    expect((await other.ask('DELETE', `${KEYS}/two`)).reason).toBe('STEP_UP_REQUIRED')
    expect((await browser.ask('DELETE', `${KEYS}/two`)).status).toBe(200)
    const stale = await browser.ask('DELETE', `${KEYS}/three`, {
      headers: { cookie: `${SESSION_COOKIE}=${before}` },
    })
    expect(stale.reason).toBe('SESSION_ENDED')
    const token = await management.request('DELETE', `${KEYS}/three`)
    expect(token.status).toBe(200)
  })
})

describe('people', () => {
  it('come in by an invitation, once, and are named as who they are in the trail', async () => {
    const owner = await setUpOwner(management)
    const invited = await owner.post('/pollux/v1/users:invite', {
      email: 'grace@example.com',
      displayName: 'Grace',
      role: 'roles/viewer',
    })
    expect([invited.status, invited.json.state]).toEqual([200, 'INVITED'])
    const token = tokenOf(invited.json.link)
    const browser = new TestBrowser(management)
    const { json } = await browser.post('/pollux/v1/links:inspect', { token })
    expect(json).toEqual({ kind: 'INVITE', email: 'grace@example.com', displayName: 'Grace' })
    expect((await browser.post('/pollux/v1/links:accept', { token, password: PASSWORD })).status).toBe(200)
    expect((await browser.post('/pollux/v1/links:accept', { token, password: PASSWORD })).reason).toBe(
      'LINK_INVALID',
    )
    const entry = (await audit()).find(({ methodName }) => methodName === 'pollux.v1.Links.AcceptLink')
    expect(entry?.principal).toBe('user:grace@example.com')
    expect((await browser.ask('GET', '/pollux/v1/projects')).status).toBe(200)
    expect((await browser.ask('GET', '/pollux/v1/users')).reason).toBe('IAM_PERMISSION_DENIED')
    const again = await owner.post('/pollux/v1/users:invite', { email: 'GRACE@example.com' })
    expect(again.reason).toBe('ALREADY_EXISTS')
  })

  it('get a reset link that ends their sessions when it is used, not before', async () => {
    const browser = await setUpOwner(management)
    const { json } = await management.request('POST', `/pollux/v1/users/${OWNER}:issueResetLink`, {
      body: '{}',
    })
    expect((await browser.ask('GET', '/pollux/v1/session')).status).toBe(200)
    const fresh = new TestBrowser(management)
    const password = 'lantern-gravel-quiet-88'
    expect(
      (await fresh.post('/pollux/v1/links:accept', { token: tokenOf(json.link), password })).status,
    ).toBe(200)
    expect((await browser.ask('GET', '/pollux/v1/session')).reason).toBe('SESSION_ENDED')
    expect((await new TestBrowser(management).signIn(OWNER, password)).status).toBe(200)
  })
})
