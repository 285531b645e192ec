/** What the server does with requests that no honest client sends, byte by byte (spec: request path rules A4 and A5). */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ceiling } from './ceiling.ts'
import { MODEL, createKeyString, reasonIn } from './client-keys.ts'
import { ADMIN_TOKEN, type Pollux, startPollux } from './pollux.ts'
import { type RawReply, exchange } from './raw-socket.ts'

const WEB_CLIENT = join(import.meta.dirname, 'clients/node_modules/@google/genai/dist/web/index.mjs')
const MEBIBYTE = 1024 * 1024
const BODY_BYTES_MAX = 32 * MEBIBYTE
const GENERATE = `/v1beta/models/${MODEL}:generateContent`
const HELLO = '{"contents":[{"parts":[{"text":"Say oak"}]}]}'

let pollux: Pollux
let port: number
let key: string
let otherKey: string
beforeAll(async () => {
  pollux = await startPollux()
  port = Number(new URL(pollux.origin).port)
  key = await createKeyString(pollux, 'plain')
  otherKey = await createKeyString(pollux, 'other')
})
afterAll(async () => {
  // Whatever was sent, it never brought the process down.
  expect(pollux.process.exitCode).toBeNull()
  for (const secret of [key, otherKey, ADMIN_TOKEN]) expect(pollux.output()).not.toContain(secret)
  await pollux.stop()
})

/** One request as text, on a connection that closes after it. Header lines stand as given, after `Host`. */
function request(line: string, headers: readonly string[] = [], body = ''): string {
  return [`${line} HTTP/1.1`, 'Host: pollux.test', 'Connection: close', ...headers, '', body].join('\r\n')
}

/** A POST that would succeed, but for what `headers` adds to it. */
function post(path: string, body: string | Buffer, headers?: readonly string[]): Buffer {
  const given = headers ?? [`x-goog-api-key: ${key}`, 'Content-Type: application/json']
  const bytes = Buffer.from(body)
  return Buffer.concat([
    Buffer.from(request(`POST ${path}`, [...given, `Content-Length: ${bytes.length}`])),
    bytes,
  ])
}

async function send(...parts: readonly (string | Buffer)[]): Promise<RawReply> {
  const { replies } = await exchange(port, ...parts)
  expect(replies).toHaveLength(1)
  const [reply] = replies
  if (reply === undefined) throw new Error('no reply')
  expect(reply.headers['x-content-type-options']).toBe('nosniff')
  expect(reply.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
  return reply
}

/** Status and ErrorInfo reason of a refusal, whose body must be Google's. */
async function refusal(...parts: readonly (string | Buffer)[]): Promise<[number, string | null]> {
  const reply = await send(...parts)
  const body = JSON.parse(reply.body)
  expect(body.error).toMatchObject({
    code: reply.status,
    message: expect.any(String),
    status: expect.any(String),
  })
  expect(reply.headers['content-security-policy']).toBe(
    "sandbox; default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
  )
  expect(reply.headers['cache-control']).toBe('no-store')
  expect(reply.body).not.toContain(key)
  return [reply.status, reasonIn(body)]
}

const jsonHeaders = (): string[] => [`x-goog-api-key: ${key}`, 'Content-Type: application/json']

it('answers the request that all of these are variations of', async () => {
  const reply = await send(post(GENERATE, HELLO))
  expect(reply.status).toBe(200)
  expect(reply.body).toContain('"text": "oak"')
  expect(reply.headers).toMatchObject({
    'content-security-policy': "sandbox; default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    'cache-control': 'no-store',
    connection: 'close',
  })
  for (const told of ['set-cookie', 'server', 'x-powered-by', 'etag'])
    expect(reply.headers).not.toHaveProperty(told)
})

describe('headers', () => {
  it.each([
    ['Host', 'pollux.test'],
    ['Authorization', 'Bearer x'],
    ['X-Goog-Api-Key', 'x'],
    ['Content-Type', 'application/json'],
  ])('%s twice is refused, also when both say the same', async (name, value) => {
    const twice =
      name === 'Host' ? [`${name}: ${value}`] : [`${name}: ${value}`, `${name.toLowerCase()}: ${value}`]
    expect(await refusal(post(GENERATE, HELLO, twice))).toEqual([400, 'REQUEST_HEADERS_REFUSED'])
  })

  it.each([
    ['Content-Length twice', ['Content-Length: 2', 'Content-Length: 2']],
    ['Content-Length and Transfer-Encoding', ['Content-Length: 2', 'Transfer-Encoding: chunked']],
    ['a Content-Length that is no number', ['Content-Length: +2']],
    ['a list in Content-Length', ['Content-Length: 2, 2']],
    ['an unknown Transfer-Encoding', ['Transfer-Encoding: xchunked']],
    ['a space before the colon', ['Content-Length : 2']],
    ['a folded line', ['X-One: a', ' b']],
    ['more than 16 KiB', [`X-Long: ${'a'.repeat(17 * 1024)}`]],
  ])('%s is refused', async (_what, headers) => {
    const [status, reason] = await refusal(request(`POST ${GENERATE}`, [...jsonHeaders(), ...headers], '{}'))
    expect([status, reason]).toEqual([400, 'REQUEST_HEADERS_REFUSED'])
  })

  it('no Host at all is refused', async () => {
    const [reply] = (await exchange(port, `GET /v1/models HTTP/1.1\r\nConnection: close\r\n\r\n`)).replies
    expect(reply?.status).toBe(400)
  })

  it('a header named __proto__ is one like any other', async () => {
    const reply = await send(post(GENERATE, HELLO, [...jsonHeaders(), '__proto__: x', 'constructor: y']))
    expect(reply.status).toBe(200)
  })

  it.each([
    ['gzip', 'Content-Encoding: gzip'],
    ['an unknown one', 'Content-Encoding: x'],
  ])('a content encoding is refused: %s', async (_what, header) => {
    expect(await refusal(post(GENERATE, HELLO, [...jsonHeaders(), header]))).toEqual([
      415,
      'CONTENT_TYPE_REFUSED',
    ])
  })

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonx',
  ])('a body that says it is no JSON is refused: %s', async type => {
    const headers = [`x-goog-api-key: ${key}`, `Content-Type: ${type}`]
    expect(await refusal(post(GENERATE, HELLO, headers))).toEqual([415, 'CONTENT_TYPE_REFUSED'])
  })

  it('slow ones are closed after some ten seconds, with a reply', { concurrent: true }, async () => {
    const { replies, tookMs } = await exchange(
      port,
      `POST ${GENERATE} HTTP/1.1\r\nHost: pollux.test\r\nX-Slow: `,
    )
    expect(tookMs).toBeGreaterThan(9_000)
    expect(tookMs).toBeLessThan(ceiling(13_000))
    expect(replies).toMatchObject([{ status: 408, headers: { 'x-content-type-options': 'nosniff' } }])
    expect(JSON.parse(replies[0]?.body ?? '').error).toMatchObject({ code: 408, status: 'DEADLINE_EXCEEDED' })
  })
})

it.each(['/healthz', '/readyz'])('%s is nothing to show or to frame either', async path => {
  const { headers } = await send(request(`GET ${path}`))
  expect(headers).toMatchObject({
    'content-security-policy': "sandbox; default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
  })
})

describe('targets', () => {
  it.each([
    'http://evil.test/v1beta/models',
    '//evil.test/v1beta/models',
    '/v1beta//models',
    '/v1beta/../pollux/v1/projects',
    '/v1beta/./models',
    '/v1beta/models/..',
    '/v1beta/%2e%2e/pollux/v1/projects',
    '/v1beta/models%2fgemini',
    '/v1beta/models/a%5Cb',
    '/v1beta/models/a%252fb',
    '/v1beta/models/a%00b',
    '/v1beta/models/a%0d%0ab',
    '/v1beta/models/%zz',
    '/v1beta/models/a%20b',
  ])('%s is refused', async target => {
    expect(await refusal(request(`GET ${target}`, [`x-goog-api-key: ${key}`]))).toEqual([
      400,
      'REQUEST_TARGET_REFUSED',
    ])
  })

  it.each([
    ['POST', `/v1beta/models/${MODEL}:predict`],
    ['POST', `/v1beta/models/${MODEL}:generatecontent`],
    ['POST', `/v1beta/models/${MODEL}:generateContent/`],
    ['POST', `/v1beta/models/${MODEL}`],
    ['GET', `/v1beta/models/${MODEL}:generateContent`],
    ['PUT', `/v1beta/models/${MODEL}:generateContent`],
    ['DELETE', `/v1beta/models/${MODEL}`],
    ['TRACE', `/v1beta/models/${MODEL}`],
    ['GET', '/v1beta/models/'],
    ['GET', '/v1beta/files'],
    ['POST', '/v1beta/cachedContents'],
    ['POST', '/upload/v1beta/files'],
    ['GET', '/v1/operations/x'],
    ['GET', '/v1beta'],
  ])('%s %s is no method', async (verb, path) => {
    const [status] = await refusal(
      request(`${verb} ${path}`, [`x-goog-api-key: ${key}`, 'Content-Length: 0']),
    )
    expect(status).toBe(404)
  })

  it.each([
    'fields=candidates',
    '$fields=candidates',
    'callback=alert',
    'alt=proto',
    '$alt=proto',
    'alt=media',
    'alt=sse',
    'access_token=x',
    'oauth_token=x',
    '$outputDefaults=true',
    'x=1',
  ])('?%s is refused', async query => {
    expect(await refusal(post(`${GENERATE}?${query}`, HELLO))).toEqual([400, 'FIELD_INVALID'])
  })
})

describe('credentials', () => {
  it('the same one three times counts as one', async () => {
    const headers = [...jsonHeaders(), `Authorization: Bearer ${key}`]
    expect((await send(post(`${GENERATE}?key=${key}`, HELLO, headers))).status).toBe(200)
  })

  it.each([
    ['header and bearer', () => [GENERATE, `x-goog-api-key: ${key}`, `Authorization: Bearer ${otherKey}`]],
    ['header and query', () => [`${GENERATE}?key=${otherKey}`, `x-goog-api-key: ${key}`]],
    ['bearer and query', () => [`${GENERATE}?key=${otherKey}`, `Authorization: Bearer ${key}`]],
    ['query and query', () => [`${GENERATE}?key=${otherKey}&key=${key}`]],
    ['header and another scheme', () => [GENERATE, `x-goog-api-key: ${key}`, 'Authorization: Basic eDp5']],
  ])('two different ones are refused: %s', async (_where, given) => {
    const [path = '', ...headers] = given()
    const reply = await send(post(path, HELLO, [...headers, 'Content-Type: application/json']))
    expect(reply.status).toBe(400)
    expect(JSON.parse(reply.body).error.message).toBe(
      'Multiple authentication credentials received. Please pass only one.',
    )
  })

  it.each([
    ['none', []],
    ['an empty header', ['x-goog-api-key:']],
    ['an empty bearer', ['Authorization: Bearer ']],
  ])('%s is an unregistered caller', async (_what, headers) => {
    expect(await refusal(post(GENERATE, HELLO, [...headers, 'Content-Type: application/json']))).toEqual([
      403,
      null,
    ])
  })

  it.each(["' OR 1=1 --", 'plx_'.padEnd(40, 'A'), '*', '"', '%00', 'a'.repeat(8_000)])(
    'garbage is no key: %j',
    async garbage => {
      const headers = [`x-goog-api-key: ${garbage}`, 'Content-Type: application/json']
      expect(await refusal(post(GENERATE, HELLO, headers))).toEqual([400, 'API_KEY_INVALID'])
    },
  )

  it.each([
    '/pollux/v1/projects',
    '/pollux/v1/openapi.json',
    '/v2/projects/default-project/locations/global/keys',
    '/v3/projects/default-project',
    '/v1/operations/cp.1',
    '/metrics',
  ])('a key opens no management: %s', async path => {
    const ways = [[`Authorization: Bearer ${key}`], [`x-goog-api-key: ${key}`], []]
    for (const headers of ways) {
      const reply = await send(request(`GET ${path}`, headers))
      expect(reply.status).toBe(401)
      expect(reply.body).not.toContain(key)
      expect(reply.headers).not.toHaveProperty('access-control-allow-origin')
    }
    expect((await send(request(`GET ${path}?key=${key}`))).status).toBe(401)
  })

  it('a token of the management plane calls no model', async () => {
    const headers = [`Authorization: Bearer ${ADMIN_TOKEN}`, 'Content-Type: application/json']
    expect(await refusal(post(GENERATE, HELLO, headers))).toEqual([400, 'API_KEY_INVALID'])
  })
})

describe('bodies', () => {
  const invalid = (bytes: string | Buffer, path = GENERATE) => refusal(post(path, bytes))
  const nested = (levels: number) => `{"a":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`

  it.each([
    ['nothing', ''],
    ['half an object', '{"contents":['],
    ['two objects', '{}{}'],
    ['a comment', '{} // x'],
    ['a trailing comma', '{"contents":[],}'],
    ['a list', '[{"contents":[]}]'],
    ['null', 'null'],
    ['NaN', '{"a":NaN}'],
    ['a key twice', '{"contents":[],"contents":[]}'],
    ['a key twice, once escaped', '{"contents":[],"\\u0063ontents":[]}'],
    ['a key twice, deep inside', '{"generationConfig":{"a":[{"b":1,"b":2}]}}'],
    ['101 levels', nested(101)],
    ['100,000 levels', nested(100_000)],
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['UTF-16', Buffer.from(HELLO, 'utf16le')],
  ])('are refused as malformed: %s', async (_what, bytes) => {
    expect(await invalid(bytes)).toEqual([400, 'REQUEST_MALFORMED'])
  })

  it('keeps __proto__ in a body apart from what objects inherit', async () => {
    const reply = await send(
      post(GENERATE, HELLO.replace('{', '{"__proto__":{"tools":[{"googleSearch":{}}]},')),
    )
    expect(JSON.parse(reply.body).error).toMatchObject({ code: 400 })
  })

  it.each([
    '{"generationConfig":{},"generation_config":{}}',
    '{"generationConfig":{"maxOutputTokens":1,"max_output_tokens":9}}',
    '{"generationConfig":{"thinkingConfig":{"thinkingBudget":1,"thinking_budget":9}}}',
    '{"systemInstruction":null,"system_instruction":{"parts":[]}}',
    '{"contents":[{"parts":[{"fileData":null,"file_data":{"fileUri":"x"}}]}]}',
    '{"contents":[{"parts":[{"fileData":{"fileUri":"https://a.test/","file_uri":"x"}}]}]}',
    '{"tools":[{"fileSearch":null,"file_search":{}}]}',
  ])('are refused with a field in both spellings: %s', async bytes => {
    expect(await invalid(bytes)).toEqual([400, 'FIELD_AMBIGUOUS'])
  })

  it.each([
    ['generateContent', '{"model":"models/gemini-2.5-pro","contents":[]}'],
    ['countTokens', '{"generateContentRequest":{"model":"models/gemini-2.5-pro"}}'],
    ['countTokens', '{"generate_content_request":{"model":"gemini-2.5-pro"}}'],
    ['batchEmbedContents', `{"requests":[{"model":"models/${MODEL}"},{"model":"models/gemini-2.5-pro"}]}`],
  ])('are refused when they name another model than the URL: %s %s', async (verb, bytes) => {
    expect(await invalid(bytes, `/v1beta/models/${MODEL}:${verb}`)).toEqual([400, 'FIELD_AMBIGUOUS'])
  })

  const FILE = 'https://generativelanguage.googleapis.com/v1beta/files/abc'
  it.each([
    ['generateContent', '{"cachedContent":"cachedContents/abc"}'],
    ['generateContent', '{"cached_content":"cachedContents/abc"}'],
    ['generateContent', `{"contents":[{"parts":[{"fileData":{"fileUri":"${FILE}"}}]}]}`],
    ['generateContent', `{"contents":{"parts":{"file_data":{"file_uri":"${FILE}"}}}}`],
    ['generateContent', `{"systemInstruction":{"parts":[{"fileData":{"fileUri":"files/abc"}}]}}`],
    ['generateContent', `{"system_instruction":{"parts":[{"fileData":{"fileUri":"gs://bucket/abc"}}]}}`],
    ['generateContent', `{"contents":[{"parts":[{"fileData":{}}]}]}`],
    [
      'generateContent',
      `{"contents":[{"parts":[{"functionResponse":{"name":"f","response":{},"parts":[{"fileData":{"fileUri":"${FILE}"}}]}}]}]}`,
    ],
    ['generateContent', '{"tools":[{"fileSearch":{"fileSearchStoreNames":["fileSearchStores/abc"]}}]}'],
    ['generateContent', '{"tools":{"file_search":{}}}'],
    ['streamGenerateContent?alt=sse', '{"cachedContent":"cachedContents/abc"}'],
    ['countTokens', '{"generateContentRequest":{"cachedContent":"cachedContents/abc"}}'],
    ['embedContent', `{"content":{"parts":[{"fileData":{"fileUri":"${FILE}"}}]}}`],
    ['batchEmbedContents', `{"requests":[{"content":{"parts":[{"fileData":{"fileUri":"${FILE}"}}]}}]}`],
  ])('are refused when they refer to what nobody owns here: %s %s', async (verb, bytes) => {
    expect(await invalid(bytes, `/v1beta/models/${MODEL}:${verb}`)).toEqual([400, 'OBJECT_NOT_OWNED'])
  })

  it('may refer to the public web', async () => {
    const part = '{"fileData":{"fileUri":"https://www.youtube.com/watch?v=abc","mimeType":"video/mp4"}}'
    expect((await send(post(GENERATE, `{"contents":[{"parts":[${part},{"text":"Say oak"}]}]}`))).status).toBe(
      200,
    )
  })

  it('may come without a content type, and in chunks', async () => {
    expect((await send(post(GENERATE, HELLO, [`x-goog-api-key: ${key}`]))).status).toBe(200)
    const head = request(`POST ${GENERATE}`, [...jsonHeaders(), 'Transfer-Encoding: chunked'])
    const half = HELLO.length >> 1
    const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`
    const reply = await send(head, chunk(HELLO.slice(0, half)), chunk(HELLO.slice(half)), '0\r\n\r\n')
    expect(reply.status).toBe(200)
  })
})

describe('bodies that are too large', () => {
  const TOO_LARGE = BODY_BYTES_MAX + 1

  it('are refused by their Content-Length, before any of it came', async () => {
    const head = request(`POST ${GENERATE}`, [...jsonHeaders(), `Content-Length: ${TOO_LARGE}`])
    expect(await refusal(head)).toEqual([413, 'BODY_TOO_LARGE'])
  })

  it('are refused so that a client that sends it all the same can read why', async () => {
    const head = request(`POST ${GENERATE}`, [...jsonHeaders(), `Content-Length: ${TOO_LARGE}`])
    expect(await refusal(head, Buffer.alloc(TOO_LARGE, 0x20))).toEqual([413, 'BODY_TOO_LARGE'])
  })

  it('are refused at the chunk too many', async () => {
    const head = request(`POST ${GENERATE}`, [...jsonHeaders(), 'Transfer-Encoding: chunked'])
    const chunk = Buffer.concat([
      Buffer.from(`${MEBIBYTE.toString(16)}\r\n`),
      Buffer.alloc(MEBIBYTE, 0x20),
      Buffer.from('\r\n'),
    ])
    const chunks = Array.from({ length: 40 }, () => chunk)
    expect(await refusal(head, ...chunks)).toEqual([413, 'BODY_TOO_LARGE'])
  })

  it('cost nothing where the key is refused first', async () => {
    const headers = [
      'x-goog-api-key: nonsense',
      'Content-Type: application/json',
      `Content-Length: ${TOO_LARGE}`,
    ]
    expect(await refusal(request(`POST ${GENERATE}`, headers))).toEqual([400, 'API_KEY_INVALID'])
  })
})

describe('Expect: 100-continue', () => {
  const expecting = (length: number, keyString = key) =>
    request(`POST ${GENERATE}`, [
      `x-goog-api-key: ${keyString}`,
      'Content-Type: application/json',
      'Expect: 100-continue',
      `Content-Length: ${length}`,
    ])

  it('is not continued for a call that is refused', async () => {
    expect(await refusal(expecting(10, 'nonsense'))).toEqual([400, 'API_KEY_INVALID'])
    expect(await refusal(expecting(BODY_BYTES_MAX + 1))).toEqual([413, 'BODY_TOO_LARGE'])
  })

  it('is continued for one that may go on', async () => {
    const { replies } = await exchange(port, expecting(HELLO.length), HELLO)
    expect(replies.map(({ status }) => status)).toEqual([100, 200])
  })
})

it('answers two calls that came at once, in their order', async () => {
  const first = post(GENERATE, HELLO).toString().replace('Connection: close\r\n', '')
  const second = post(GENERATE, HELLO.replace('oak', 'elm'))
  const { replies } = await exchange(port, first + second.toString())
  expect(replies.map(({ status }) => status)).toEqual([200, 200])
  expect(replies[0]?.body).toContain('"text": "oak"')
  expect(replies[1]?.body).toContain('"text": "elm"')
})

describe('CORS', () => {
  const preflight = (path: string) =>
    send(
      request(`OPTIONS ${path}`, [
        'Origin: https://shop.example.com',
        'Access-Control-Request-Method: POST',
        'Access-Control-Request-Headers: content-type,x-goog-api-key,x-goog-api-client',
      ]),
    )

  it('answers a preflight without a key, and allows no credentials', async () => {
    const reply = await preflight(GENERATE)
    expect(reply).toMatchObject({ status: 204, body: '' })
    expect(reply.headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'GET, POST, OPTIONS',
      'access-control-allow-headers': expect.stringMatching(
        /content-type.*x-goog-api-client.*x-goog-api-key/,
      ),
    })
    expect(reply.headers).not.toHaveProperty('access-control-allow-credentials')
  })

  it('lets the official client for the web send every header that it sets', async () => {
    const source = readFileSync(WEB_CLIENT, 'utf8')
    const names = [...source.matchAll(/^const [A-Z_]+_HEADER = '(.+)';$/gm)].map(([, name = '']) => name)
    expect(names.length).toBeGreaterThanOrEqual(5)
    const { headers } = await preflight(GENERATE)
    const allowed = String(headers['access-control-allow-headers']).split(', ')
    for (const name of names) expect(allowed).toContain(name.toLowerCase())
  })

  it('lets a page read replies and refusals alike', async () => {
    const origin = 'Origin: https://shop.example.com'
    for (const headers of [
      [...jsonHeaders(), origin],
      [origin, 'Content-Type: application/json'],
    ]) {
      const reply = await send(post(GENERATE, HELLO, headers))
      expect(reply.headers['access-control-allow-origin']).toBe('*')
      for (const name of ['x-request-id', 'x-pollux-max-output-tokens', 'x-should-retry', 'retry-after'])
        expect(reply.headers['access-control-expose-headers']).toContain(name)
      expect(reply.headers).not.toHaveProperty('access-control-allow-credentials')
    }
  })

  it('has nothing to say about management', async () => {
    for (const path of ['/pollux/v1/projects', '/v3/projects/default-project']) {
      const reply = await preflight(path)
      expect(reply.status).toBeGreaterThanOrEqual(400)
      expect(reply.headers).not.toHaveProperty('access-control-allow-origin')
    }
  })
})
