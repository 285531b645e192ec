/** What a network and a broken upstream can do to a call: each ends in one answer and one outcome, and the next is whole. */
import { once } from 'node:events'
import { type AddressInfo, type Server, createServer } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { startSandbox } from '../src/sandbox/server.ts'
import { ceiling } from './ceiling.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { type Pollux, startPollux } from './pollux.ts'
import { recordsOfCalls } from './records.ts'
import { FORMS, type Form, openCall, reasonIn, send } from './traffic.ts'

const CREDENTIAL = 'credential-of-the-fault-tests'

describe('between Pollux and its upstream', () => {
  let sandbox: Awaited<ReturnType<typeof startSandbox>>
  let proxy: FaultProxy
  let pollux: Pollux
  beforeAll(async () => {
    sandbox = await startSandbox({ credential: CREDENTIAL })
    proxy = await startFaultProxy({ host: '127.0.0.1', port: Number(new URL(sandbox.origin).port) })
    pollux = await startPollux({
      env: { GEMINI_API_KEY: CREDENTIAL, POLLUX_GEMINI_BASE_URL: `http://127.0.0.1:${proxy.port}` },
    })
    keyString = await makeKey(pollux)
  })
  afterAll(async () => {
    await pollux.stop()
    await proxy.close()
    await sandbox.close()
  })
  let keyString: string
  beforeEach(() => {
    proxy.set({ kind: 'none' })
    proxy.reset()
  })

  const call = (form: Form) => ({ keyString, form, text: 'Tell me of stars in 30 words' })

  test.each(FORMS)('late and sliced bytes make a whole reply: %s', async form => {
    const { text: plain } = await send(pollux.origin, call(form))
    proxy.set({ kind: 'latency', ms: 50 })
    const late = await send(pollux.origin, call(form))
    proxy.set({ kind: 'slice', bytes: 7, pauseMs: 1 }, 'reply')
    const sliced = await send(pollux.origin, call(form))
    expect([late.status, sliced.status]).toEqual([200, 200])
    // The same but for its id.
    expect(withoutIds(late.text)).toBe(withoutIds(plain))
    expect(withoutIds(sliced.text)).toBe(withoutIds(plain))
  })

  describe.each(['reset', 'end'] as const)('a connection that breaks (%s)', by => {
    test('before the reply begins: 502, and what it cost nobody knows', async () => {
      for (const form of FORMS) {
        proxy.reset()
        proxy.set({ kind: 'limit', bytes: 0, by }, 'reply')
        const { status, reason, requestId } = await send(pollux.origin, call(form))
        expect([status, reason]).toEqual([502, 'UPSTREAM_BROKEN'])
        expect(await outcomesOf(pollux, [requestId])).toEqual(['estimated'])
      }
    })

    test('inside the reply: 502, or an error as the last piece of a stream', async () => {
      for (const form of FORMS) {
        proxy.reset()
        proxy.set({ kind: 'limit', bytes: 900, by }, 'reply')
        const open = openCall(pollux.origin, call(form))
        const { text } = await open.ended
        const { status, headers } = await open.head
        expect(status).toBe(form === 'unary' ? 502 : 200)
        expect(text).toContain('UPSTREAM_BROKEN')
        expect(await outcomesOf(pollux, [String(headers['x-request-id'])])).toEqual(['estimated'])
      }
    })

    test('leaves nothing behind: the next call is whole', async () => {
      const { status } = await send(pollux.origin, call('unary'))
      expect(status).toBe(200)
    })
  })

  test('an upstream that refuses connections: 502 at once, nothing billed, served again when it is back', async () => {
    await proxy.stop()
    const { status, reason, requestId } = await send(pollux.origin, call('unary'))
    expect([status, reason]).toEqual([502, 'UPSTREAM_UNREACHABLE'])
    expect(await outcomesOf(pollux, [requestId])).toEqual(['void'])
    await proxy.start()
    expect((await send(pollux.origin, call('unary'))).status).toBe(200)
  })

  test('an upstream that vanished without a word: a revoked key still ends the call for its client', async () => {
    const doomed = await makeKey(pollux)
    const open = openCall(pollux.origin, {
      keyString: doomed,
      form: 'sse',
      model: 'sandbox-slow',
      text: 'In 60 words',
    })
    await open.begun
    proxy.set({ kind: 'half-open' })
    const [project] = lastProject
    await pollux.client.call(POLLUX_V1.disableKey, { params: { project, key: 'subject' }, body: {} })
    const revokedMs = performance.now()
    const { text, atMs } = await open.ended
    expect(atMs - revokedMs).toBeLessThan(ceiling(1_000))
    expect(reasonIn(text.trimEnd().split('\r\n\r\n').at(-1) ?? '')).toBe('API_KEY_INVALID')
  })
})

/** Replies that no HTTP library would send, each to a request of its own. */
const GOOD = JSON.stringify({
  candidates: [{ content: { role: 'model', parts: [{ text: 'good' }] }, finishReason: 'STOP', index: 0 }],
  usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 },
})
const head = (...lines: string[]): string =>
  // It closes after each reply; unannounced, the next call may be sent into the closing connection.
  ['HTTP/1.1 200 OK', 'content-type: application/json', 'connection: close', ...lines, '', ''].join('\r\n')
const whole = (body: string): string => `${head(`content-length: ${Buffer.byteLength(body)}`)}${body}`

const BROKEN: Readonly<Record<string, { reply: string; status: number; reason: string | null }>> = {
  'no JSON': { reply: whole('<html>busy</html>'), status: 502, reason: 'UPSTREAM_BROKEN' },
  'no HTTP': { reply: 'SSH-2.0-OpenSSH_9.2\r\n', status: 502, reason: 'UPSTREAM_BROKEN' },
  'a body that is shorter than it says': {
    reply: `${head('content-length: 100000')}${GOOD}`,
    status: 502,
    reason: 'UPSTREAM_BROKEN',
  },
  'a chunk size that is none': {
    reply: `${head('transfer-encoding: chunked')}zz\r\n${GOOD}\r\n0\r\n\r\n`,
    status: 502,
    reason: 'UPSTREAM_BROKEN',
  },
  'a coding that was not asked for': {
    reply: `${head('content-encoding: gzip', `content-length: ${GOOD.length}`)}${GOOD}`,
    status: 200,
    reason: null,
  },
  'a second reply after the first': {
    reply: `${whole(GOOD)}${whole(GOOD.replace('good', 'of somebody else'))}`,
    status: 200,
    reason: null,
  },
  'a status that redirects': {
    reply: 'HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n',
    status: 502,
    reason: 'UPSTREAM_BROKEN',
  },
}

describe('an upstream that answers with', () => {
  let server: Server
  let reply = whole(GOOD)
  let pollux: Pollux
  let keyString: string
  beforeAll(async () => {
    server = createServer(socket => {
      socket.on('error', () => {})
      socket.on('data', chunk => {
        // Requests of these tests come in one piece, body and all.
        if (!chunk.includes('"contents"')) return
        socket.write(reply)
        if (reply !== whole(GOOD)) setTimeout(() => socket.end(), 50)
      })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    pollux = await startPollux({
      env: { GEMINI_API_KEY: CREDENTIAL, POLLUX_GEMINI_BASE_URL: `http://127.0.0.1:${port}` },
    })
    keyString = await makeKey(pollux)
  })
  afterAll(async () => {
    await pollux.stop()
    server.close()
  })

  test.each(Object.entries(BROKEN))('%s', async (_, broken) => {
    reply = broken.reply
    const sent = await send(pollux.origin, { keyString })
    expect([sent.status, sent.reason]).toEqual([broken.status, broken.reason])
    reply = whole(GOOD)
    const next = await Promise.all([1, 2, 3].map(() => send(pollux.origin, { keyString })))
    expect(next.map(({ status, text }) => [status, text])).toEqual(next.map(() => [200, GOOD]))
  })
})

let projects = 0
let lastProject: readonly [string] = ['']

async function makeKey({ client }: Pollux): Promise<string> {
  projects++
  const project = `faulty-${projects}`
  lastProject = [project]
  await client.call(POLLUX_V1.createProject, { body: { projectId: project } })
  const query = { keyId: 'subject' }
  const { keyString } = await client.call(POLLUX_V1.createKey, { params: { project }, query, body: {} })
  return keyString ?? ''
}

async function outcomesOf({ dataDir }: Pollux, requestIds: readonly string[]): Promise<readonly string[]> {
  return (await recordsOfCalls(dataDir, requestIds)).map(({ outcome }) => outcome)
}

function withoutIds(text: string): string {
  return text.replaceAll(/"responseId": ?"[^"]*"/g, '')
}
