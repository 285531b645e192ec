/**
 * What happened to other gateways and must not happen to this one's data plane: one test for each incident that can apply,
 * named by what it prevents and by the incident. docs/incidents.md has the whole list.
 */
import { request as httpRequest } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import * as fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { createKeyString, reasonIn } from './client-keys.ts'
import { type Pollux, startPollux } from './pollux.ts'
import { type RawReply, exchange } from './raw-socket.ts'
import {
  type RecordingUpstream,
  httpReply,
  modelReply,
  startRecordingUpstream,
} from './recording-upstream.ts'

const MODEL = 'gemini-2.5-flash'
const CREDENTIAL = 'upstream-credential-of-the-incident-suite'
const GENERATE = `/v1beta/models/${MODEL}:generateContent`
const HELLO = '{"contents":[{"parts":[{"text":"Say oak"}]}]}'
const ALLOWED_ADDRESS = '198.51.100.7'

let upstream: RecordingUpstream
/** Where nobody has a reason to go. */
let canary: RecordingUpstream
let pollux: Pollux
let port: number
let key: string
/** May be used from `ALLOWED_ADDRESS` alone. */
let boundKey: string
beforeAll(async () => {
  ;[upstream, canary] = [await startRecordingUpstream(), await startRecordingUpstream()]
  pollux = await startPollux({
    env: { GEMINI_API_KEY: CREDENTIAL, POLLUX_GEMINI_BASE_URL: upstream.origin, POLLUX_LOG_LEVEL: 'debug' },
  })
  port = Number(new URL(pollux.origin).port)
  key = await createKeyString(pollux, 'plain')
  boundKey = await createKeyString(pollux, 'bound', {
    restrictions: { serverKeyRestrictions: { allowedIps: [ALLOWED_ADDRESS] } },
  })
})
beforeEach(() => upstream.answerWith(null))
afterAll(async () => {
  expect(pollux.process.exitCode).toBeNull()
  expect(canary.connections()).toBe(0)
  await pollux.stop()
  await Promise.all([upstream.close(), canary.close()])
})

interface Sent {
  readonly method?: string
  readonly target?: string
  readonly headers?: readonly string[]
  readonly body?: string | Buffer
  readonly host?: string
  readonly at?: number
}

/** One request as bytes, on a connection of its own. */
async function send({
  method = 'POST',
  target = GENERATE,
  headers,
  body,
  host,
  at,
}: Sent): Promise<RawReply> {
  const bytes = Buffer.from(body ?? (method === 'POST' ? HELLO : ''))
  const lines = [
    `${method} ${target} HTTP/1.1`,
    `Host: ${host ?? 'pollux.test'}`,
    'Connection: close',
    ...(headers ?? [`x-goog-api-key: ${key}`]),
    ...(method === 'POST' ? ['Content-Type: application/json', `Content-Length: ${bytes.length}`] : []),
  ]
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  const { replies } = await exchange(at ?? port, Buffer.concat([head, bytes]))
  const [reply] = replies
  if (reply === undefined || replies.length !== 1) throw new Error(`${replies.length} replies`)
  return reply
}

const refusalOf = ({ status, body }: RawReply) => [status, reasonIn(JSON.parse(body))]
const withKey = (...headers: readonly string[]) => [`x-goog-api-key: ${key}`, ...headers]

it('a caller cannot choose where its call goes, nor have the provider’s credential sent there (CVE-2024-6587)', async () => {
  const there = canary.origin
  const before = upstream.requests.length
  const names = ['api_base', 'apiBase', 'base_url', 'baseUrl', 'endpoint', 'upstream', 'proxy', 'httpOptions']
  const tries: Sent[] = [
    ...names.map(name => ({ target: `${GENERATE}?${name}=${encodeURIComponent(there)}` })),
    ...names.map(name => ({
      body: JSON.stringify({ contents: [{ parts: [{ text: 'x' }] }], [name]: there }),
    })),
    ...[
      'X-Upstream',
      'X-Api-Base',
      'X-Goog-Api-Base',
      'X-Original-URL',
      'X-Rewrite-URL',
      'Forwarded',
      'Location',
    ].map(name => ({ headers: withKey(`${name}: ${name === 'Forwarded' ? `host=${canary.host}` : there}`) })),
    { headers: withKey(`X-Forwarded-Host: ${canary.host}`, 'X-Forwarded-Proto: http') },
    { host: canary.host },
    { target: `${there}${GENERATE}` },
    { target: `//${canary.host}${GENERATE}` },
    { target: `/v1beta/models/${encodeURIComponent(`${there}/x`)}:generateContent` },
    { target: `/v1beta/models/x@${canary.host}:generateContent` },
  ]
  for (const attempt of tries) {
    const { status } = await send(attempt)
    expect([200, 400, 404], JSON.stringify(attempt)).toContain(status)
  }
  expect(canary.connections()).toBe(0)
  for (const { headers } of upstream.requests.slice(before)) {
    expect(headers.filter(([name]) => name.toLowerCase() === 'host')).toEqual([['host', upstream.host]])
  }
})

it('an upstream cannot send a call elsewhere by a redirect, as a filter of addresses was got around (GO-2025-4154)', async () => {
  for (const status of [301, 302, 303, 307, 308]) {
    for (const to of [`${canary.origin}/`, `//${canary.host}/`, 'http://169.254.169.254/latest/meta-data/']) {
      upstream.answerWith(
        socket => void socket.write(httpReply(`${status} Elsewhere`, '{}', [`Location: ${to}`])),
      )
      const reply = await send({})
      expect(reply.status).toBe(502)
      expect(reply.headers).not.toHaveProperty('location')
    }
  }
  expect(canary.connections()).toBe(0)
})

it('no header of a caller gives it another address, and no batch endpoint calls back in its name (CVE-2022-24112)', async () => {
  const names = [
    'X-Real-IP',
    'X-Forwarded-For',
    'True-Client-IP',
    'CF-Connecting-IP',
    'X-Client-IP',
    'X_Forwarded_For',
  ]
  for (const name of names) {
    const headers = [`x-goog-api-key: ${boundKey}`, `${name}: ${ALLOWED_ADDRESS}`]
    expect(refusalOf(await send({ headers })), name).toEqual([403, 'API_KEY_IP_ADDRESS_BLOCKED'])
  }
  const headers = [`x-goog-api-key: ${boundKey}`, `Forwarded: for=${ALLOWED_ADDRESS}`]
  expect((await send({ headers })).status).toBe(403)
  const part = `--x\r\nContent-Type: application/http\r\n\r\nPOST ${GENERATE}\r\nX-Real-IP: ${ALLOWED_ADDRESS}\r\n\r\n${HELLO}\r\n--x--`
  for (const target of ['/batch', '/batch/v1beta', '/apisix/batch-requests', '/v1beta/batch']) {
    expect([401, 404], target).toContain((await send({ target, body: part, headers: withKey() })).status)
  }
  for (const header of ['X-HTTP-Method-Override: DELETE', 'X-HTTP-Method: PUT', '_method: DELETE']) {
    await send({ headers: withKey(header) })
    expect(upstream.requests.at(-1)?.method).toBe('POST')
  }
})

it('a caller cannot put an address before the one the proxy saw: the list is read from the right (CVE-2026-27700)', async () => {
  const behind = await startPollux({
    env: {
      GEMINI_API_KEY: CREDENTIAL,
      POLLUX_GEMINI_BASE_URL: upstream.origin,
      POLLUX_TRUSTED_PROXIES: '127.0.0.0/8',
    },
  })
  try {
    const at = Number(new URL(behind.origin).port)
    const bound = await createKeyString(behind, 'bound', {
      restrictions: { serverKeyRestrictions: { allowedIps: [ALLOWED_ADDRESS] } },
    })
    const from = async (list: string) =>
      (await send({ at, headers: [`x-goog-api-key: ${bound}`, `X-Forwarded-For: ${list}`] })).status
    expect(await from(ALLOWED_ADDRESS)).toBe(200)
    expect(await from(`203.0.113.66, ${ALLOWED_ADDRESS}`)).toBe(200)
    expect(await from(`${ALLOWED_ADDRESS}, 203.0.113.66`)).toBe(403)
    expect(await from(`${ALLOWED_ADDRESS}, 203.0.113.66, 127.0.0.9`)).toBe(403)
    expect(await from(`${ALLOWED_ADDRESS}, unknown`)).toBe(403)
  } finally {
    await behind.stop()
  }
})

it('a body goes upstream byte for byte, and no field has a second name that is not looked at (GHSA-4gph-2hhr-5mwg)', async () => {
  const untouched = [
    '{ "contents" : [ {"parts":[{"text":"\\u0041\\/ \\ud83c\\udf33"}]} ] ,"generationConfig":{"temperature":1.0e0,"seed":9007199254740993}}',
    '{"contents":[{"parts":[{"text":"x"}]}],"MODEL":"models/gemini-2.5-pro","Tools":[{"googleSearch":{}}]}',
    '{"contents":[{"parts":[{"text":"x"}]}],"GenerationConfig":{"MaxOutputTokens":1},"toolſ":[]}',
  ]
  for (const body of untouched) {
    const { status } = await send({ body })
    // Either refused or as it came: never read and written anew.
    if (status === 200) expect(upstream.requests.at(-1)?.body.toString('utf8')).toBe(body)
    else expect(status).toBe(400)
  }
  const searchless = await createKeyString(pollux, 'searchless', { allowedTools: ['codeExecution'] })
  const headers = [`x-goog-api-key: ${searchless}`]
  const spellings = ['googleSearch', 'google_search', '\\u0067oogleSearch']
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...spellings),
      fc.constantFrom('tools', '\\u0074ools'),
      fc.boolean(),
      async (tool, tools, isTwice) => {
        const field = `"${tools}":[{"${tool}":{}}]`
        const body = `{"contents":[{"parts":[{"text":"x"}]}],${isTwice ? `"tools":[],` : ''}${field}}`
        expect([400, 403]).toContain((await send({ headers, body })).status)
      },
    ),
    { numRuns: 24 },
  )
})

it('a path is not matched by a part of it, a body is not rebuilt, and nobody is answered twice (CVE-2026-55602, CVE-2026-55603, CVE-2025-32996)', async () => {
  const targets = [
    `/evil${GENERATE}`,
    `/x?/${GENERATE}`,
    `${GENERATE}/../../metrics`,
    `/v1betaX/models/${MODEL}:generateContent`,
    `/v1beta/modelsX/${MODEL}:generateContent`,
    `${GENERATE}X`,
  ]
  const before = upstream.requests.length
  for (const target of targets) expect([400, 401, 404], target).toContain((await send({ target })).status)
  const multipart = [
    `POST ${GENERATE} HTTP/1.1`,
    'Host: pollux.test',
    'Connection: close',
    `x-goog-api-key: ${key}`,
    'Content-Type: multipart/form-data; boundary="x\r\n y"',
    `Content-Length: ${HELLO.length}`,
  ]
  const { replies } = await exchange(port, `${multipart.join('\r\n')}\r\n\r\n${HELLO}`)
  expect(replies.map(({ status }) => status)).toEqual([400])
  expect(upstream.requests).toHaveLength(before)
})

it('what was checked is what is sent: one call makes one request of a known form, whatever its target says (r3verii 2026-02-27)', async () => {
  const known = /^\/v1beta\/models\/[a-z0-9.-]+:(?:generateContent|countTokens)(?:\?[\w=&%.+-]*)?$/
  const piece = fc.constantFrom(
    MODEL,
    '..',
    '.',
    '/',
    '%2f',
    '%2F',
    '%5c',
    '\\',
    '%2e%2e',
    '%00',
    '%0d%0a',
    '%0a',
    '?',
    '#',
    '%23',
    '%3f',
    '@',
    ';',
    ':generateContent',
    ':countTokens',
    '%3AgenerateContent',
    ' HTTP/1.1',
    '%20',
    'é',
    'a',
    '%c0%ae',
    '&',
    '=',
    '%25',
  )
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 6 }), async pieces => {
      const before = upstream.requests.length
      const target = `/v1beta/models/${pieces.join('')}:generateContent`
      const { status } = await send({ target })
      const made = upstream.requests.slice(before)
      expect(made.length, target).toBe(status === 200 ? 1 : 0)
      for (const request of made) expect(request.target, target).toMatch(known)
    }),
    { numRuns: 300 },
  )
})

it('what goes upstream has one length, our own host, and no header of the caller’s connection (CVE-2026-1525, CVE-2026-2229)', async () => {
  const hostile = [
    'Transfer-Encoding-X: chunked',
    'TE: trailers',
    'Upgrade: websocket',
    'Keep-Alive: timeout=1',
    'Proxy-Connection: keep-alive',
    'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=99999',
    'Trailer: x-goog-api-key',
    'Cookie: a=b',
    'X-Goog-User-Project: victim',
    'Authorization-X: y',
  ]
  await send({ headers: withKey(...hostile, 'User-Agent: ada/1') })
  const sent = upstream.requests.at(-1)
  const names = sent?.headers.map(([name]) => name.toLowerCase()) ?? []
  expect(names.toSorted()).toEqual([
    'accept',
    'accept-encoding',
    'connection',
    'content-length',
    'content-type',
    'host',
    'user-agent',
    'x-goog-api-key',
  ])
  expect(sent?.headers).toContainEqual(['host', upstream.host])
  expect(sent?.headers).toContainEqual(['x-goog-api-key', CREDENTIAL])
})

it('nobody gets what an upstream wrote behind the answer to somebody else (CVE-2026-48931)', async () => {
  const poison = httpReply('200 OK', modelReply('poison'))
  // At once with the answer, or later, while the connection waits for its next call.
  for (const isLate of [false, true]) {
    for (let call = 0; call < 8; call += 1) {
      let written: Promise<unknown> = Promise.resolve()
      upstream.answerWith(socket => {
        const own = httpReply('200 OK', modelReply('oak'))
        socket.write(isLate ? own : own + poison)
        if (isLate) written = delay(20).then(() => new Promise(resolve => socket.write(poison, resolve)))
      })
      const reply = await send({})
      expect(reply.body).not.toContain('poison')
      // The connection may be found broken, and then the call failed; but never as another's answer.
      expect([200, 502]).toContain(reply.status)
      await written
      await delay(50)
    }
  }
  upstream.answerWith(null)
  expect((await send({})).status).toBe(200)
})

it('a header named __proto__ takes no process down (Node, March 2026)', async () => {
  const names = ['__proto__', 'constructor', 'hasOwnProperty', 'toString']
  const headers = names.map(name => `${name}: x`)
  expect((await send({ headers: withKey(...headers, ...headers) })).status).toBe(200)
  for (const target of [
    '/pollux/v1/projects',
    '/metrics',
    '/readyz',
    `/v1beta/models?__proto__=1&constructor=2`,
  ]) {
    expect((await send({ method: 'GET', target, headers: withKey(...headers) })).status).toBeLessThan(500)
  }
  expect((await fetch(`${pollux.origin}/readyz`)).status).toBe(200)
})

it('an upgrade to a WebSocket passes no check by: it is answered like the same request without one (CVE-2026-44578)', async () => {
  const upgrade = [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  ]
  const live = '/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent'
  const targets = [live, '/pollux/v1/projects', '/metrics', `/v1beta/models/${MODEL}`, '/v2/nothing']
  for (const target of targets) {
    for (const own of [[], [`x-goog-api-key: ${boundKey}`]]) {
      const plain = await send({ method: 'GET', target, headers: own })
      const status = await new Promise<number>((resolve, reject) => {
        const headers = Object.fromEntries(
          [...upgrade, ...own].map(line => line.split(': ') as [string, string]),
        )
        const request = httpRequest(`${pollux.origin}${target}`, { headers, agent: false })
        request.once('upgrade', (_, socket) => {
          socket.destroy()
          resolve(101)
        })
        request.once('response', response => {
          response.resume()
          resolve(response.statusCode ?? 0)
        })
        request.once('error', reject)
        request.end()
      })
      expect([target, status]).toEqual([target, plain.status])
      expect(status).toBeGreaterThanOrEqual(400)
    }
  }
})

it('a key in an address is in no log and no error when the upstream fails (litellm #24902, #13073, #8075, #6963, #15799)', async () => {
  const failures = [
    (socket: { destroy(): unknown }) => void socket.destroy(),
    (socket: { write(text: string): unknown }) =>
      void socket.write(
        httpReply('400 Bad Request', `{"error":{"message":"bad ${GENERATE}?key=${CREDENTIAL}"}}`),
      ),
    (socket: { write(text: string): unknown }) => void socket.write('HTTP/1.1 nonsense\r\n\r\n'),
  ]
  for (const fail of failures) {
    upstream.answerWith(fail)
    for (const target of [
      `${GENERATE}?key=${key}`,
      `${GENERATE}?key=${key}&bad=${key}`,
      `${GENERATE}/${key}?key=${key}`,
    ]) {
      const reply = await send({ target, headers: [] })
      expect(reply.status).toBeGreaterThanOrEqual(400)
      expect(reply.body + JSON.stringify(reply.headers)).not.toMatch(new RegExp(`${key}|${CREDENTIAL}`))
    }
  }
  for (const request of upstream.requests) expect(request.target).not.toMatch(/[?&]key=/)
  expect(pollux.output()).not.toMatch(new RegExp(`${key}|${CREDENTIAL}`))
})
