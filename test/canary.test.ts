/**
 * No key in full reaches a log, an error, an audit entry, a metric or a file: every route and every failure that can be
 * provoked is walked with keys that occur nowhere else, and then everything that was written anywhere is searched.
 */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ENDPOINTS } from '../src/contract/table.ts'
import { mintKeyString } from '../src/domain/keystring.ts'
import { type Sandbox, startSandbox } from '../src/sandbox/server.ts'
import { type Sink, columnsOf, filesOf, findLeaks } from './leak-search.ts'
import { type Pollux, startPollux } from './pollux.ts'

// Of no known shape: what takes known shapes out of a text must not be all that protects them.
const CREDENTIAL = `upstream-${randomBytes(24).toString('hex')}`
const ADMIN = `admin+${randomBytes(24).toString('base64')}`
const MASTER = randomBytes(32).toString('base64')

const secrets = new Map([
  ['the upstream credential', CREDENTIAL],
  ['the admin token', ADMIN],
  ['the master key', MASTER],
  ['an unknown key', mintKeyString('key')],
  ['an unknown token', mintKeyString('token')],
  ["a key of Google's", `AIza${randomBytes(32).toString('hex').slice(0, 35)}`],
])
const secret = (name: string): string => secrets.get(name) ?? ''

let sandbox: Sandbox
let pollux: Pollux
let env: Readonly<Record<string, string>>
const replies: Sink[] = []
/** Anything that is a key of ours in full, known to this test or not. */
const ANY_KEY = /plx_(?:pat_)?[0-9A-Za-z]{36}/

beforeAll(async () => {
  sandbox = await startSandbox({ credential: CREDENTIAL })
  env = {
    POLLUX_GEMINI_BASE_URL: sandbox.origin,
    GEMINI_API_KEY: CREDENTIAL,
    POLLUX_ADMIN_TOKEN: ADMIN,
    POLLUX_MASTER_KEY: MASTER,
    POLLUX_LOG_LEVEL: 'debug',
  }
  pollux = await startPollux({ env })
  for (const [name, file] of [
    ['the first key', 'first-key'],
    ['the local token', 'local-token'],
  ] as const) {
    secrets.set(name, (await readFile(join(pollux.dataDir, file), 'utf8')).trim())
  }
  await walkManagement()
  await walkCalls()
  await walkBrokenRequests()
  await walkStorageFailures()
  await ask('GET', '/metrics', { headers: bearer(ADMIN) })
})
afterAll(async () => {
  await pollux.stop()
  await sandbox.close()
})

interface Asked {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Breaks the call off when this long has passed without an end. */
  readonly leaveMs?: number
  /** The name of the key that is made. Every reply that makes one shows it, this once. */
  readonly makes?: string
}

const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

/** Sends a request and keeps everything that comes back. */
async function ask(method: string, path: string, asked: Asked = {}): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<{ status: number; text: string }>()
  const body = asked.body ?? ''
  const request = httpRequest(`${pollux.origin}${path}`, {
    method,
    agent: false,
    headers: {
      ...(body === ''
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
      ...asked.headers,
    },
  })
  if (asked.leaveMs !== undefined) setTimeout(() => request.destroy(), asked.leaveMs)
  request.on('error', () => resolve({ status: 0, text: '' }))
  request.on('response', response => {
    let text = `HTTP ${response.statusCode} ${response.rawHeaders.join('\n')}\n\n`
    response.setEncoding('utf8')
    response.on('data', chunk => (text += chunk))
    response.on('close', () => resolve({ status: response.statusCode ?? 0, text }))
    response.on('error', () => {})
  })
  request.end(body)
  const { status, text } = await promise
  const makesKey = status === 200 && method === 'POST' && /^[^?]*\/keys(\?|$)/.test(path)
  const content = makesKey ? withoutMade(text, asked.makes ?? `key number ${replies.length}`) : text
  replies.push({ where: `reply to ${method} ${path.slice(0, 60)}`, content: Buffer.from(content) })
  return status
}

/** The reply that made a key without that key, which is searched for everywhere else. */
function withoutMade(text: string, name: string): string {
  const keyString = /"keyString": *"([^"]+)"/.exec(text)?.[1]
  if (keyString === undefined) throw new Error(`no keyString in ${text.slice(0, 300)}`)
  secrets.set(name, keyString)
  return text.replace(keyString, '')
}

async function walkManagement(): Promise<void> {
  const admin = { headers: bearer(ADMIN) }
  const V2 = '/v2/projects/default-project/locations/global/keys'
  const V1 = '/pollux/v1/projects/default-project/keys'
  await ask('POST', `${V2}?keyId=canary-two`, {
    ...admin,
    body: '{"displayName":"two"}',
    makes: 'a key made by v2',
  })
  await ask('POST', `${V1}?keyId=canary`, {
    ...admin,
    body: '{"displayName":"one"}',
    makes: 'a key made by v1',
  })
  const keys = ['a key made by v1', 'a key made by v2', 'the first key', 'an unknown key'].map(secret)
  for (const keyString of keys) {
    await ask('GET', `/v2/keys:lookupKey?keyString=${keyString}`, admin)
    await ask('POST', '/pollux/v1/keys:lookup', { ...admin, body: JSON.stringify({ keyString }) })
  }
  const tokens = [
    ADMIN,
    ...['the local token', 'an unknown token', 'the first key', 'an unknown key'].map(secret),
    '',
  ]
  const params: Record<string, string> = { project: 'default-project', key: 'canary', operation: 'unknown' }
  for (const { method, path, body } of ENDPOINTS) {
    const target = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => params[name] ?? '')
    for (const token of tokens) {
      // Only what nobody may do: with a good token deletions would take away what the walk needs.
      if (method === 'DELETE' && (token === ADMIN || token === secret('the local token'))) continue
      const headers = {
        ...bearer(token),
        'user-agent': `agent ${keys[0]}`,
        'x-goog-request-reason': `for ${keys[1]}`,
      }
      const sent = body === null ? {} : { body: '{"displayName":"changed"}' }
      await ask(method, target, { headers, ...sent })
    }
    // Keys where no key belongs: in the path, in the query, in broken and in refused bodies.
    const misplaced = path.replaceAll(/\{\w+\}/g, secret('a key made by v1'))
    await ask(method, `${misplaced}?pageToken=${keys[0]}&etag=${keys[1]}&key=${keys[2]}`, admin)
    await ask('PUT', `${target}?access_token=${tokens[1]}`, admin)
    if (body === null) continue
    await ask(method, target, { ...admin, body: `{"displayName": "${keys[0]}` })
    await ask(method, target, {
      ...admin,
      body: `{"${keys[0]}": 1, "restrictions": {"apiTargets": "${keys[1]}"}}`,
    })
    await ask(method, `${target}?updateMask=${keys[0]}`, { ...admin, body: `{"etag":"${keys[1]}"}` })
  }
  await ask('DELETE', `${V1}/canary-two`, admin)
  await ask('POST', `${V1}/canary-two:undelete`, { ...admin, body: '{}' })
}

const MODELS = ['gemini-3.8-flash', 'gemini-embedding-001', 'sandbox-429', 'sandbox-500', 'sandbox-503']
  .concat([
    'sandbox-slow',
    'sandbox-hang',
    'sandbox-truncate',
    'sandbox-garbage',
    'sandbox-credential',
    'sandbox-max',
  ])
  .concat(['no-such-model'])

const BODIES: Readonly<Record<string, string>> = {
  generateContent: '{"contents":[{"parts":[{"text":"Say hello"}]}]}',
  streamGenerateContent: '{"contents":[{"parts":[{"text":"Say hello"}]}]}',
  'streamGenerateContent?alt=sse': '{"contents":[{"parts":[{"text":"Say hello"}]}]}',
  countTokens: '{"contents":[{"parts":[{"text":"Say hello"}]}]}',
  embedContent: '{"content":{"parts":[{"text":"hello"}]}}',
  batchEmbedContents: '{"requests":[]}',
}

async function walkCalls(): Promise<void> {
  const names = [
    'the first key',
    'a key made by v1',
    'an unknown key',
    "a key of Google's",
    'the admin token',
  ]
  for (const name of [...names, 'the local token', 'the upstream credential']) {
    const value = secret(name)
    const ways: { query: string; headers: Record<string, string> }[] = [
      { query: '', headers: { 'x-goog-api-key': value } },
      { query: `key=${encodeURIComponent(value)}`, headers: {} },
      { query: '', headers: bearer(value) },
      { query: `key=${encodeURIComponent(value)}`, headers: { 'x-goog-api-key': secret('an unknown key') } },
      { query: `alt=${encodeURIComponent(value)}`, headers: { 'x-goog-api-key': value } },
    ]
    for (const { query, headers } of ways) {
      for (const target of [
        'models',
        'models/gemini-3.8-flash',
        'models/unknown',
        'files',
        'cachedContents/x',
      ]) {
        await ask('GET', `/v1beta/${target}?${query}`, { headers })
      }
      const body = BODIES['generateContent'] ?? ''
      await ask('POST', `/v1/models/gemini-3.8-flash:generateContent?${query}`, { headers, body })
      await ask('OPTIONS', `/v1/models/gemini-3.8-flash:generateContent?${query}`, { headers })
    }
  }
  const headers = { 'x-goog-api-key': secret('a key made by v1') }
  const calls = MODELS.flatMap(model => Object.entries(BODIES).map(([verb, body]) => ({ model, verb, body })))
  // All at once: the slow and the hanging ones take their time.
  await Promise.all(
    calls.map(({ model, verb, body }) =>
      ask('POST', `/v1beta/models/${model}:${verb}`, {
        headers,
        body,
        leaveMs: model === 'sandbox-hang' ? 500 : 8_000,
      }),
    ),
  )
}

async function walkBrokenRequests(): Promise<void> {
  const key = secret('a key made by v1')
  const headers = { 'x-goog-api-key': key }
  const generate = '/v1beta/models/gemini-3.8-flash:generateContent'
  for (const body of [
    `{"contents": "${key}`,
    `{"${key}": 1}`,
    `{"contents":[{"parts":[{"text":"${key}"}]}],"${key}":1}`,
    `{"contents":[{"parts":[{"text":"hi"}]}],"model":"models/${key}"}`,
    `{"contents":[{"parts":[{"fileData":{"fileUri":"https://example.com/?key=${key}"}}]}]}`,
    `{"cachedContent":"cachedContents/${key}"}`,
    `"${key}"`,
  ]) {
    await ask('POST', generate, { headers, body })
  }
  await ask('POST', generate, { headers: { ...headers, 'content-type': key }, body: '{}' })
  await ask('POST', generate, { headers: { ...headers, 'content-encoding': key }, body: '{}' })
  await ask('POST', `${generate}?${key}=1`, { headers, body: '{}' })
  for (const path of [
    `/v1beta/models/${key}:generateContent`,
    `/v1beta/tunedModels/${key}`,
    `/v1beta/${key}`,
    `/${key}`,
  ]) {
    await ask('POST', path, { headers, body: BODIES['generateContent'] ?? '' })
    await ask('GET', `${path}?key=${key}`, { headers })
    await ask('PATCH', path, { headers: bearer(ADMIN) })
  }
  await ask('GET', `/v1beta//models?key=${key}`)
  await ask('GET', `/v1beta/%2e%2e/models?key=${key}`)
  await raw(`GET http://127.0.0.1/v1beta/models?key=${key} HTTP/1.1\r\nhost: x\r\n\r\n`)
  await raw(`GET /v1beta/models?key=${key} HTTP/9.9\r\nhost: x\r\n\r\n`)
  await raw(
    `GET /v1beta/models HTTP/1.1\r\nhost: x\r\nx-goog-api-key: ${key}\r\nx-goog-api-key: ${key}\r\n\r\n`,
  )
  await raw(`GET /v1beta/models HTTP/1.1\r\nhost: x\r\nx-goog-api-key: ${key}${'x'.repeat(20_000)}\r\n\r\n`)
}

/** Bytes that no HTTP client would send. */
async function raw(bytes: string): Promise<void> {
  const { hostname, port } = new URL(pollux.origin)
  await new Promise<void>(resolve => {
    const socket = connect({ host: hostname, port: Number(port) })
    const chunks: Buffer[] = []
    const timer = setTimeout(() => socket.destroy(), 1_000)
    socket.on('data', chunk => chunks.push(chunk))
    socket.on('error', () => {})
    socket.on('close', () => {
      clearTimeout(timer)
      replies.push({ where: `reply to ${bytes.slice(0, 30)}`, content: Buffer.concat(chunks) })
      resolve()
    })
    socket.end(bytes)
  })
}

/** Queries that fail for want of a table, and a database that somebody else has locked. */
async function walkStorageFailures(): Promise<void> {
  const database = new DatabaseSync(join(pollux.dataDir, 'pollux.sqlite'), { timeout: 5_000 })
  const admin = { headers: bearer(ADMIN) }
  const statuses: number[] = []
  const attempt = async (): Promise<void> => {
    const { generateContent: body = '' } = BODIES
    const generate = '/v1beta/models/gemini-3.8-flash:generateContent'
    const all = await Promise.all([
      ask('POST', generate, { headers: { 'x-goog-api-key': secret('a key made by v2') }, body }),
      ask('POST', generate, { headers: { 'x-goog-api-key': mintKeyString('key') }, body }),
      ask('POST', '/pollux/v1/projects/default-project/keys', { ...admin, body: '{"displayName":"lost"}' }),
      ask('POST', '/v2/projects/default-project/locations/global/keys', { ...admin, body: '{}' }),
      ask('GET', `/v2/keys:lookupKey?keyString=${secret('a key made by v1')}`, admin),
      ask('GET', '/pollux/v1/projects', { headers: bearer(secret('the local token')) }),
    ])
    statuses.push(...all)
  }
  database.exec('alter table "key" rename to key_gone; alter table token rename to token_gone')
  await attempt()
  database.exec('alter table key_gone rename to "key"; alter table token_gone rename to token')
  database.exec('begin exclusive')
  const locked = attempt()
  await locked
  database.exec('rollback')
  database.close()
  expect(statuses.filter(status => status >= 500).length, statuses.join()).toBeGreaterThan(4)
}

describe('no key, token or credential is found', () => {
  test('in what the process printed and logged', () => {
    const output = pollux.output()
    expect(output).toContain('call refused')
    expect(output).toContain('management request failed')
    expect(findLeaks([{ where: 'output', content: Buffer.from(output) }], secrets)).toEqual([])
    expect(output).not.toMatch(ANY_KEY)
  })

  test('in any reply, the one that may show a new key excepted, nor in the metrics', () => {
    expect(replies.length).toBeGreaterThan(500)
    expect(replies.filter(({ content }) => content.includes('pollux_calls_total'))).not.toEqual([])
    expect(findLeaks(replies, secrets)).toEqual([])
    const showing = replies.filter(({ content }) => ANY_KEY.test(content.toString('latin1')))
    expect(showing.map(({ where }) => where)).toEqual([])
  })

  test('in any column of the database', () => {
    const columns = columnsOf(join(pollux.dataDir, 'pollux.sqlite'))
    expect(columns.map(({ where }) => where)).toContain('column audit_entry.user_agent')
    expect(findLeaks(columns, secrets)).toEqual([])
  })

  test('in any file of the data folder, the database and its log included', async () => {
    const files = await filesOf(pollux.dataDir, ['local-token', 'first-key'])
    expect(files.map(({ where }) => where)).toEqual(
      expect.arrayContaining(['file pollux.sqlite', 'file pollux.sqlite-wal']),
    )
    expect(findLeaks(files, secrets)).toEqual([])
    for (const { content } of files) expect(content.toString('latin1')).not.toMatch(ANY_KEY)
  })

  test('in anything a restart and a shutdown say', async () => {
    // Otherwise what hangs there is waited for.
    await sandbox.close()
    await pollux.kill('SIGTERM')
    const again = await startPollux({ dataDir: pollux.dataDir, env })
    await again.kill('SIGTERM')
    const content = Buffer.from(pollux.output() + again.output())
    expect(findLeaks([{ where: 'output', content }], secrets)).toEqual([])
  })
})

describe('the search finds a secret', () => {
  const planted = mintKeyString('key')
  test.each([
    ['as it is', planted],
    ['in base64', Buffer.from(planted).toString('base64')],
    ['in base64 one byte on', Buffer.from(`x${planted}`).toString('base64')],
    ['in base64 two bytes on', Buffer.from(`xy${planted}`).toString('base64url')],
    ['URL-encoded', encodeURIComponent(`?key=${planted}`)],
    ['in hexadecimal', Buffer.from(planted).toString('hex')],
    ['cut short', planted.slice(0, 36)],
  ])('%s', (_, text) => {
    const sinks = [{ where: 'here', content: Buffer.from(`before ${text} after`) }]
    expect(findLeaks(sinks, new Map([['it', planted]]))).toHaveLength(1)
    expect(findLeaks(sinks, new Map([['another', mintKeyString('key')]]))).toEqual([])
  })
})
