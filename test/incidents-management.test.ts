/**
 * What happened to other gateways and must not happen to this one's management plane, its secrets and its supply: one test
 * for each incident that can apply, named by what it prevents and by the incident. docs/incidents.md has the whole list.
 */
import { createHmac, generateKeyPairSync } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { SignJWT, importPKCS8 } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import packageJson from '../package.json' with { type: 'json' }
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { SERVICE_ACCOUNTS_V1 } from '../src/contract/service-accounts.v1.ts'
import { ENDPOINTS } from '../src/contract/table.ts'
import { PROOF_MS } from '../src/domain/session.ts'
import { createKeyString, reasonIn } from './client-keys.ts'
import { startManagement } from './management.ts'
import { PASSWORD, TestBrowser, setUpOwner } from './people.ts'
import { ADMIN_TOKEN, type Pollux, startPollux } from './pollux.ts'
import { socketUrl, startPostgres } from './postgres.ts'
import { exchange } from './raw-socket.ts'
import { runProgram } from './program.ts'
import { type RecordingUpstream, startRecordingUpstream } from './recording-upstream.ts'

const ROOT = join(import.meta.dirname, '..')
const GENERATE = '/v1beta/models/gemini-2.5-flash:generateContent'
const PROJECTS = '/pollux/v1/projects'

let upstream: RecordingUpstream
let pollux: Pollux
let port: number
let key: string
beforeAll(async () => {
  upstream = await startRecordingUpstream()
  pollux = await startPollux({
    env: { GEMINI_API_KEY: 'upstream-credential-of-the-suite', POLLUX_GEMINI_BASE_URL: upstream.origin },
  })
  port = Number(new URL(pollux.origin).port)
  key = await createKeyString(pollux, 'plain')
})
afterAll(async () => {
  expect(pollux.process.exitCode).toBeNull()
  await pollux.stop()
  await upstream.close()
})

interface Answer {
  readonly status: number
  readonly reason: string | null
  // oxlint-disable-next-line typescript/no-explicit-any -- a test reads whatever the wire brought
  readonly json: any
}

/** One request as bytes, so that nothing on the way makes its target or headers decent. */
async function ask(
  method: string,
  target: string,
  {
    headers = [],
    body,
    host = 'localhost',
    at = port,
  }: { headers?: readonly string[]; body?: string; host?: string; at?: number } = {},
): Promise<Answer> {
  const lines = [`${method} ${target} HTTP/1.1`, `Host: ${host}`, 'Connection: close', ...headers]
  if (body !== undefined)
    lines.push('Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`)
  const { replies } = await exchange(at, Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body ?? ''}`, 'latin1'))
  const [reply] = replies
  if (reply === undefined) throw new Error('no reply')
  const isJson = reply.headers['content-type']?.startsWith('application/json') === true && reply.body !== ''
  const json = isJson ? JSON.parse(reply.body) : null
  return { status: reply.status, reason: json?.error === undefined ? null : reasonIn(json), json }
}

const bearer = (token: string) => ({ headers: [`Authorization: Bearer ${token}`] })

const SQL = [
  `' or '1'='1`,
  `'; drop table api_key; --`,
  `" or ""="`,
  `') union select digest from token --`,
  '\\',
  '%',
  '_',
  `$1`,
  '?',
  `'||pg_sleep(5)||'`,
  '/**/or/**/1',
  `'\u0000`,
  'plx_' + `'`.padEnd(36, 'a'),
  '{"$ne":null}',
  '1;select 1',
]

const postgres = await startPostgres()
afterAll(async () => {
  if (!('skip' in postgres)) await postgres.stop()
})
if ('skip' in postgres) console.warn(`skipped: SQL in credentials on PostgreSQL (${postgres.skip})`)
const engines = ['skip' in postgres ? [] : ['PostgreSQL'], 'SQLite'].flat()

describe.each(engines)('on %s', engine => {
  let server: Pollux
  beforeAll(async () => {
    if (engine === 'SQLite' || 'skip' in postgres) server = await startPollux()
    else server = await startPollux({ env: { POLLUX_DATABASE_URL: socketUrl(await postgres.url()) } })
  })
  afterAll(() => server?.stop())

  it('SQL in a credential or a name reaches no database as SQL (CVE-2026-42208)', async () => {
    const at = Number(new URL(server.origin).port)
    const keysBefore = await server.client.call(POLLUX_V1.searchKeys, { query: {} })
    for (const text of SQL) {
      const header = text.replaceAll('\u0000', '')
      const call = { at, body: '{"contents":[]}' }
      expect([
        header,
        (await ask('POST', GENERATE, { ...call, headers: [`x-goog-api-key: ${header}`] })).reason,
      ]).toEqual([header, 'API_KEY_INVALID'])
      for (const scheme of ['Bearer', 'Basic', 'bearer ']) {
        const headers = [`Authorization: ${scheme} ${header}`]
        expect((await ask('GET', PROJECTS, { at, headers })).status).toBe(401)
      }
      for (const name of ['pollux-session', '__Host-pollux-session', 'pollux-device'])
        expect((await ask('GET', PROJECTS, { at, headers: [`Cookie: ${name}=${header}`] })).status).toBe(401)
      const encoded = encodeURIComponent(text)
      for (const target of [
        `${PROJECTS}/${encoded}`,
        `${PROJECTS}?filter=${encoded}&pageToken=${encoded}&orderBy=${encoded}`,
        `/v3/projects:search?query=${encoded}`,
        `/pollux/v1/keys?query=${encoded}`,
        `/pollux/v1/auditEntries?principal=${encoded}&method=${encoded}&resource=${encoded}`,
        `${PROJECTS}/default-project/keys/${encoded}`,
        `${PROJECTS}/default-project/usage?groupBy=${encoded}`,
        `/pollux/v1/users/${encoded}`,
      ]) {
        const { status } = await ask('GET', target, { at, ...bearer(ADMIN_TOKEN) })
        expect([200, 400, 403, 404], target).toContain(status)
      }
    }
    const after = await server.client.call(POLLUX_V1.searchKeys, { query: {} })
    expect(after).toEqual(keysBefore)
    expect(server.output()).not.toMatch(/syntax error|unrecognized token|SQLITE_ERROR/i)
  })
})

it('no SQL is put together from text: what is written raw is a constant (CVE-2026-42208)', () => {
  const raw = sourcesOf('src').flatMap(({ path, text }) =>
    [...text.matchAll(/sql\.raw\(([^)]*\)?)/g)].map(([, argument]) => `${path} ${argument}`),
  )
  expect(raw).toEqual([
    `src/storage/engine.ts hasJsonbEach(database)`,
    `src/storage/usage-sums.ts isMoney(name)`,
  ])
  const put = sourcesOf('src').flatMap(({ path, text }) =>
    [...text.matchAll(/\.(?:query|exec|prepare)\(\s*`[^`]*\$\{(\w+)/g)].map(([, name]) => `${path} ${name}`),
  )
  // The checks are a list of constants in the same file.
  expect(put).toEqual(['src/storage/postgres-bus.ts CHANNEL', 'src/storage/sqlite-damage.ts check'])
})

it('what Host says decides neither who may ask nor what is asked for (CVE-2026-49468, CVE-2026-48710)', async () => {
  const hosts = fc.constantFrom(
    `localhost${GENERATE}`,
    'localhost/v1beta/models?x=',
    'localhost/healthz#',
    'localhost/pollux/v1/links:inspect?',
    '/healthz',
    'a@b',
    'localhost:99999',
    '[::1',
    'x/../../metrics',
    'metrics',
    'localhost%2Fhealthz',
    '',
    ' ',
    'é',
    '..',
  )
  const targets = fc.constantFrom(
    PROJECTS,
    '/metrics',
    '/pollux/v1/openapi.json',
    '/v3/projects/default-project',
    '/v1beta/models',
  )
  await fc.assert(
    fc.asyncProperty(
      hosts,
      targets,
      fc.constantFrom<readonly string[]>([], [`x-goog-api-key: nonsense`]),
      async (host, target, headers) => {
        const plain = await ask('GET', target, { headers })
        const bent = await ask('GET', target, { headers, host })
        expect(plain.status).toBeGreaterThanOrEqual(400)
        // A Host that is no Host may be refused as such; nothing else may come of it.
        if (bent.reason !== 'REQUEST_HEADERS_REFUSED' && bent.reason !== 'HOST_REFUSED') {
          expect([host, bent.status, bent.reason]).toEqual([host, plain.status, plain.reason])
        }
      },
    ),
    { numRuns: 150 },
  )
})

it('two credentials that begin alike are two: no cache knows one by a part of it (CVE-2026-35030)', async () => {
  const { file, jwt } = await signedJwt()
  const asAccount = await ask('GET', `${PROJECTS}/default-project`, bearer(jwt))
  expect(asAccount.status).toBe(200)
  const other = String(
    generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
  )
  const forged = await sign({ ...file, private_key: other })
  const common = (left: string, right: string) =>
    Array.from(left).findIndex((letter, place) => letter !== right[place])
  expect(common(jwt, forged)).toBeGreaterThan(64)
  expect((await ask('GET', `${PROJECTS}/default-project`, bearer(forged))).status).toBe(401)
  const body = '{"contents":[{"parts":[{"text":"x"}]}]}'
  expect((await ask('POST', GENERATE, { headers: [`x-goog-api-key: ${key}`], body })).status).toBe(200)
  for (let place = 4; place < key.length; place += 5) {
    const near = key.slice(0, place) + (key[place] === 'a' ? 'b' : 'a') + key.slice(place + 1)
    const { reason } = await ask('POST', GENERATE, { headers: [`x-goog-api-key: ${near}`], body })
    expect(reason).toBe('API_KEY_INVALID')
  }
  expect((await ask('POST', GENERATE, { headers: [`x-goog-api-key: ${key}x`], body })).reason).toBe(
    'API_KEY_INVALID',
  )
})

it('testing a key runs nothing and connects to nowhere (CVE-2026-42271)', async () => {
  const marker = join(tmpdir(), `pollux-incident-${process.pid}`)
  const before = upstream.requests.length
  const commands = [
    `$(touch ${marker})`,
    `; touch ${marker}`,
    `|touch ${marker}`,
    upstream.origin,
    'file:///etc/passwd',
  ]
  for (const text of commands) {
    for (const field of [
      'method',
      'model',
      'clientAddress',
      'referrer',
      'command',
      'args',
      'url',
      'baseUrl',
    ]) {
      const body = JSON.stringify({ method: 'GenerateContent', [field]: text })
      const { status } = await ask('POST', `${PROJECTS}/default-project/keys/plain:test`, {
        ...bearer(ADMIN_TOKEN),
        body,
      })
      expect([200, 400]).toContain(status)
    }
  }
  expect(existsSync(marker)).toBe(false)
  expect(upstream.requests).toHaveLength(before)
  // One file of the server starts a process: the console's build, with nothing of a request in it.
  const starts = sourcesOf('src').filter(({ text }) =>
    /node:(?:child_process|vm)'|new Function\(|\beval\(/.test(text),
  )
  expect(starts.map(({ path }) => path).filter(path => path !== 'src/quota/redis.ts')).toEqual([
    'src/console.ts',
  ])
})

it('what is installed is what was reviewed, and runs nothing by being installed (LiteLLM on PyPI, March 2026)', () => {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'))
  const packages: readonly [
    string,
    { integrity?: string; hasInstallScript?: boolean; dev?: boolean; link?: boolean },
  ][] = Object.entries(lock.packages)
  const installed = packages.filter(([path]) => path !== '')
  expect(installed.filter(([, { integrity }]) => integrity?.startsWith('sha512-') !== true)).toEqual([])
  expect(installed.filter(([, { hasInstallScript }]) => hasInstallScript === true)).toEqual([])
  expect(readFileSync(join(ROOT, '.ci', 'run'), 'utf8')).toMatch(/^npm ci$/m)
  const reasons = readFileSync(join(ROOT, 'docs', 'dependencies.md'), 'utf8')
  for (const name of Object.keys({ ...packageJson.dependencies, ...packageJson.devDependencies }))
    expect(reasons, name).toContain(`\`${name}\``)
  // All that runs in the server, with what it brings along: more is a decision, and this number says so.
  const running = installed.filter(([, { dev }]) => dev !== true).length
  expect(running).toBeLessThanOrEqual(125)
})

it.each([
  ['POLLUX_ADMIN_TOKEN', ''],
  ['POLLUX_ADMIN_TOKEN', 'x'],
  ['POLLUX_MASTER_KEY', ''],
  ['POLLUX_MASTER_KEY', 'AAAA'],
  ['POLLUX_MASTER_KEY', Buffer.alloc(31, 1).toString('base64')],
  ['POLLUX_OIDC_CLIENT_SECRET', ''],
])(
  'a secret that is empty or short is no secret: refused at the start, %s=%j (CVE-2026-41432)',
  async (name, value) => {
    const env = {
      POLLUX_PORT: '0',
      POLLUX_DATA_DIR: join(tmpdir(), 'pollux-incident-never-made'),
      ...(name.startsWith('POLLUX_OIDC')
        ? { POLLUX_OIDC_ISSUER: 'https://issuer.example', POLLUX_OIDC_CLIENT_ID: 'x' }
        : {}),
      [name]: value,
    }
    const { code, err } = await runProgram(['start'], env)
    expect(code).not.toBe(0)
    expect(err).toContain(name)
    expect(existsSync(env.POLLUX_DATA_DIR)).toBe(false)
  },
)

it('a key is revealed after a fresh proof of this session only, however the request is written (GO-2026-4813)', async () => {
  const management = await startManagement()
  try {
    const browser = await setUpOwner(management)
    const { client } = management
    await client.call(POLLUX_V1.createProject, {
      body: { projectId: 'reveal-project', recoverableKeys: true },
    })
    await client.call(POLLUX_V1.createKey, {
      params: { project: 'reveal-project' },
      query: { keyId: 'one' },
      body: {},
    })
    const reveal = '/v2/projects/reveal-project/locations/global/keys/one/keyString'
    expect((await browser.ask('GET', reveal)).json.keyString).toMatch(/^plx_/)
    const other = new TestBrowser(management)
    await other.signIn()
    management.advance(PROOF_MS)
    const stale = browser.cookieHeader()
    for (const path of [reveal, `${reveal}?alt=json`, `${reveal}?stepUp=true&proof=1`]) {
      for (const headers of [{}, { 'x-pollux-proof': '1' }, { 'x-http-method-override': 'POST' }]) {
        expect((await browser.ask('GET', path, { headers })).reason).toBe('STEP_UP_REQUIRED')
      }
    }
    // What is not this address shows nothing, proven or not.
    for (const path of [
      `${reveal}/`,
      `/${reveal}`,
      reveal.replace('keyString', 'KEYSTRING'),
      reveal.replace('/one/', '/one%2f'),
    ])
      expect((await browser.ask('GET', path)).status, path).toBeGreaterThanOrEqual(400)
    expect((await other.post('/pollux/v1/session:prove', { password: PASSWORD })).status).toBe(200)
    expect((await browser.ask('GET', reveal)).reason).toBe('STEP_UP_REQUIRED')
    expect((await other.ask('GET', reveal)).status).toBe(200)
    expect((await browser.post('/pollux/v1/session:prove', { password: PASSWORD })).status).toBe(200)
    expect((await browser.ask('GET', reveal)).status).toBe(200)
    expect((await browser.ask('GET', reveal, { headers: { cookie: stale } })).reason).toBe('SESSION_ENDED')
  } finally {
    await management.close()
  }
})

it('no two installations share a credential, and none is a word that could be guessed (CVE-2020-13945, GHSA-g53w-w6mj-hrpp)', async () => {
  const bare = { POLLUX_ADMIN_TOKEN: undefined } as unknown as Record<string, string>
  const [one, two] = [await startPollux({ env: bare }), await startPollux({ env: bare })]
  try {
    const secretsOf = (started: Pollux) => {
      const { dataDir, firstKeyString } = started
      const files = ['local-token', 'first-key', 'master-key'].filter(name => existsSync(join(dataDir, name)))
      for (const name of files) expect(statSync(join(dataDir, name)).mode & 0o077, name).toBe(0)
      const link = /#(plx_\w+)/.exec(started.output())?.[1]
      return [...files.map(name => readFileSync(join(dataDir, name), 'utf8').trim()), firstKeyString, link]
    }
    const [ofOne, ofTwo] = [secretsOf(one), secretsOf(two)]
    expect(ofOne.length).toBeGreaterThanOrEqual(4)
    expect(ofOne).not.toContain(undefined)
    expect(ofOne.filter(secret => ofTwo.includes(secret))).toEqual([])
    const at = Number(new URL(one.origin).port)
    const words = [
      'secret-api-key',
      'edd1c9f034335f136f87ad84b625c8f1',
      'sk-1234',
      'sk-master-key',
      'admin',
      'pollux',
      'changeme',
      'test',
      'undefined',
      'null',
      'Bearer',
      '0',
      ADMIN_TOKEN,
    ]
    for (const word of [...words, '']) {
      expect((await ask('GET', PROJECTS, { at, ...bearer(word) })).status, word).toBe(401)
      const signIn = { email: 'admin@example.com', password: word }
      const headers = ['Origin: http://localhost']
      const { status } = await ask('POST', '/pollux/v1/signIn:withPassword', {
        at,
        headers,
        body: JSON.stringify(signIn),
      })
      expect([400, 401, 403, 429]).toContain(status)
    }
    for (const { path, text } of sourcesOf('src'))
      expect(text, path).not.toMatch(
        /plx_\w{36}|AIza[\w-]{35}|(?:token|secret|password)\w* *[=:] *'(?!plx_|input_token)[\w-]{8,}'/i,
      )
  } finally {
    await Promise.all([one.stop(), two.stop()])
  }
})

it('no route forgets to ask who is there: each, by each method and in each spelling, refuses a stranger (APISIX Dashboard < 2.10.1)', async () => {
  const closed = ENDPOINTS.filter(({ permission }) => permission !== 'anyone')
  const open = new Set(ENDPOINTS.filter(({ permission }) => permission === 'anyone').map(({ path }) => path))
  expect(closed.length).toBeGreaterThan(100)
  const spellings = (path: string) => [
    path,
    `${path}/`,
    `${path}.json`,
    `${path};x=y`,
    `${path}?x`,
    path.toUpperCase(),
    `/${path}`,
    `/healthz/..${path}`,
    path.replace(/\/(?=[^/]*$)/, '%2f'),
    path.replace(/\/(?=[^/]*$)/, '/./'),
  ]
  const seen = new Map<number, number>()
  for (const { path } of closed) {
    const real = path
      .replaceAll('{project}', 'default-project')
      .replaceAll('{key}', 'plain')
      .replaceAll('{operation}', 'cp.x')
      .replaceAll(/\{\w+\}/g, 'x')
    if (open.has(path)) continue
    const asked = [
      ...['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].map(method => ({
        method,
        target: real,
      })),
      ...spellings(real).map(target => ({ method: 'GET', target })),
    ]
    const answers = await Promise.all(
      asked.map(async ({ method, target }) => ({
        method,
        target,
        answer: await ask(method, target, { headers: [`x-goog-api-key: ${key}`] }),
      })),
    )
    for (const { method, target, answer } of answers) {
      expect([400, 401, 404], `${method} ${target}`).toContain(answer.status)
      seen.set(answer.status, (seen.get(answer.status) ?? 0) + 1)
    }
    expect((await ask('GET', real)).status, real).toBe(401)
    expect((await fetch(`${pollux.origin}${real}`, { method: 'HEAD' })).status, real).toBe(401)
  }
  expect(seen.get(401)).toBeGreaterThan(600)
}, 240_000)

it('a stranger’s X-Forwarded-Proto and -Host make no plain connection safe, and no link lead elsewhere (CVE-2026-3635)', async () => {
  const forged = [
    'X-Forwarded-Proto: https',
    'X-Forwarded-Host: evil.example',
    'X-Forwarded-Port: 443',
    'X-Forwarded-Ssl: on',
    'Front-End-Https: on',
    'X-Forwarded-Scheme: https',
    'Forwarded: proto=https;host=evil.example',
  ]
  const host = '192.0.2.7:8700'
  const credentials = JSON.stringify({ email: 'ada@example.com', password: PASSWORD })
  for (const origin of [`http://${host}`, `https://${host}`, 'https://evil.example']) {
    const headers = [...forged, `Origin: ${origin}`]
    const { reason } = await ask('POST', '/pollux/v1/signIn:withPassword', {
      host,
      headers,
      body: credentials,
    })
    expect(reason).toBe(origin === `http://${host}` ? 'SIGN_IN_DOOR_REFUSED' : 'CROSS_SITE_REFUSED')
  }
  const { headers } = bearer(ADMIN_TOKEN)
  const issued = await ask('POST', '/pollux/v1/setUpLinks:issue', {
    host: 'evil.example',
    headers: [...headers, ...forged],
    body: '{}',
  })
  expect(issued.json.link).toMatch(/^http:\/\/localhost:\d+\/set-up#plx_/)
})

it('a token does not say by which algorithm, or with whose key, it is checked (CVE-2026-22817, CVE-2026-22818)', async () => {
  const { file, jwt } = await signedJwt()
  const [, claims = ''] = jwt.split('.')
  const { private_key_id: kid } = file
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const own = { ...file, private_key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })) }
  const hmac = `${part({ alg: 'HS256', typ: 'JWT', kid })}.${claims}`
  const secrets = ['', kid, file.client_email]
  const forged = [
    ...secrets.map(secret => `${hmac}.${createHmac('sha256', secret).update(hmac).digest('base64url')}`),
    ...['none', 'None', 'NONE', 'nOnE', ''].map(alg => `${part({ alg, kid })}.${claims}.`),
    `${part({ kid })}.${claims}.${jwt.split('.')[2] ?? ''}`,
    ...(await Promise.all([
      sign(own, { jwk: publicKey.export({ format: 'jwk' }) }),
      sign(own, { jku: `${upstream.origin}/keys`, x5u: `${upstream.origin}/cert` }),
      sign(own, { kid: '../../../dev/null' }),
    ])),
  ]
  const before = upstream.connections()
  for (const token of forged) {
    expect((await ask('GET', `${PROJECTS}/default-project`, bearer(token))).status).toBe(401)
  }
  expect(upstream.connections()).toBe(before)
  expect((await ask('GET', `${PROJECTS}/default-project`, bearer(jwt))).status).toBe(200)
})

interface KeyFile {
  readonly client_email: string
  readonly private_key: string
  readonly private_key_id: string
}

async function sign(file: KeyFile, header: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const nowS = Math.floor(Date.now() / 1_000)
  const { client_email: email, private_key_id: kid } = file
  const claims = {
    iss: email,
    sub: email,
    scope: 'https://www.googleapis.com/auth/cloud-platform',
    iat: nowS,
    exp: nowS + 600,
  }
  const key = await importPKCS8(file.private_key, 'RS256')
  return await new SignJWT(claims).setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid, ...header }).sign(key)
}

let accounts = 0
/** A service account that may read the default project, its key file, and a JWT signed with it. */
async function signedJwt(): Promise<{ readonly file: KeyFile; readonly jwt: string }> {
  const { client } = pollux
  const accountId = `incident-${(accounts += 1)}`
  const home = { project: 'default-project' }
  const { email } = await client.call(SERVICE_ACCOUNTS_V1.createServiceAccount, {
    params: home,
    query: { accountId },
    body: {},
  })
  const policy = JSON.stringify({
    policy: { bindings: [{ role: 'roles/viewer', members: [`serviceAccount:${email}`] }] },
  })
  await ask('POST', '/v3/projects/default-project:setIamPolicy', { ...bearer(ADMIN_TOKEN), body: policy })
  const params = { ...home, serviceAccount: accountId }
  const made = await client.call(SERVICE_ACCOUNTS_V1.createServiceAccountKey, { params, body: {} })
  const file = JSON.parse(Buffer.from(made.privateKeyData ?? '', 'base64').toString('utf8')) as KeyFile
  return { file, jwt: await sign(file) }
}

function sourcesOf(folder: string): readonly { readonly path: string; readonly text: string }[] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts') && !entry.name.endsWith('.test.ts'))
    .map(({ parentPath, name }) => join(parentPath, name))
    .map(path => ({ path: path.slice(ROOT.length + 1), text: readFileSync(path, 'utf8') }))
    .toSorted((left, right) => (left.path < right.path ? -1 : 1))
}
