/** A key that may no longer call is refused on the very next request, and what it has open ends: on real processes. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import type { Client } from '../src/contract/client.ts'
import { ceiling } from './ceiling.ts'
import { type Pollux, startPollux } from './pollux.ts'
import { type TestPostgres, socketUrl, startPostgres } from './postgres.ts'
import { recordsOfCalls } from './records.ts'
import { type Form, type OpenedCall, openCall, reasonIn, send } from './traffic.ts'

let pollux: Pollux
beforeAll(async () => {
  pollux = await startPollux()
})
afterAll(() => pollux.stop())

/** A key in a project of its own. */
interface Subject {
  readonly params: { readonly project: string; readonly key: string }
  readonly keyString: string
}

let subjects = 0

async function subject(client: Client = pollux.client): Promise<Subject> {
  subjects++
  const project = `revoked-${subjects}-${process.pid}`
  await client.call(POLLUX_V1.createProject, { body: { projectId: project } })
  const key = await client.call(POLLUX_V1.createKey, {
    params: { project },
    query: { keyId: 'subject' },
    body: {},
  })
  return { params: { project, key: 'subject' }, keyString: key.keyString ?? '' }
}

/** What takes a key its right, and what gives it back. */
interface Revocation {
  readonly reason: string
  readonly revoke: (client: Client, subject: Subject) => Promise<unknown>
  readonly restore: (client: Client, subject: Subject) => Promise<unknown>
}

const update = (client: Client, { params }: Subject, body: object): Promise<unknown> =>
  client.call(POLLUX_V1.updateKey, { params, query: { updateMask: Object.keys(body).join(',') }, body })

const REVOCATIONS: Readonly<Record<string, Revocation>> = {
  'the key is deleted': {
    reason: 'API_KEY_INVALID',
    revoke: (client, { params }) => client.call(POLLUX_V1.deleteKey, { params, query: {} }),
    restore: (client, { params }) => client.call(POLLUX_V1.undeleteKey, { params, body: {} }),
  },
  'the key is disabled': {
    reason: 'API_KEY_INVALID',
    revoke: (client, { params }) => client.call(POLLUX_V1.disableKey, { params, body: {} }),
    restore: (client, { params }) => client.call(POLLUX_V1.enableKey, { params, body: {} }),
  },
  'its addresses are restricted': {
    reason: 'API_KEY_IP_ADDRESS_BLOCKED',
    revoke: (client, subject) =>
      update(client, subject, {
        restrictions: { serverKeyRestrictions: { allowedIps: ['203.0.113.7'] } },
      }),
    restore: (client, subject) =>
      update(client, subject, { restrictions: { serverKeyRestrictions: { allowedIps: ['127.0.0.1'] } } }),
  },
  'its models are restricted': {
    reason: 'API_KEY_MODEL_BLOCKED',
    revoke: (client, subject) => update(client, subject, { allowedModels: ['gemma-4-31b-it'] }),
    restore: (client, subject) => update(client, subject, { allowedModels: null }),
  },
  'the project is deleted': {
    reason: 'API_KEY_INVALID',
    revoke: (client, { params }) =>
      client.call(POLLUX_V1.deleteProject, { params: { project: params.project }, query: {} }),
    restore: (client, { params }) =>
      client.call(POLLUX_V1.undeleteProject, { params: { project: params.project }, body: {} }),
  },
}

const ROUNDS = 40
const RACERS = 4

describe(`no call succeeds that was sent after the change was acknowledged, ${ROUNDS} times in a row`, () => {
  test.each(Object.entries(REVOCATIONS))('%s', async (_, { reason, revoke, restore }) => {
    const { client, origin } = pollux
    const key = await subject()
    for (let round = 0; round < ROUNDS; round++) {
      const traffic = race(origin, key.keyString)
      await traffic.flowing
      await delay((round * 7) % 12)
      await revoke(client, key)
      const revokedMs = performance.now()
      const next = await Promise.all([send(origin, key), send(origin, key)])
      expect(next.map(sent => sent.reason)).toEqual([reason, reason])
      const sent = await traffic.stop()
      expect(sent.filter(({ status, sentMs }) => status === 200 && sentMs > revokedMs)).toEqual([])
      expect(new Set(sent.map(({ reason }) => reason))).toEqual(new Set([null, reason]))
      await restore(client, key)
      expect((await send(origin, key)).status, 'it works again at once').toBe(200)
    }
  })

  test('the key expires', async () => {
    const { client, origin } = pollux
    const key = await subject()
    for (let round = 0; round < 5; round++) {
      const traffic = race(origin, key.keyString)
      await traffic.flowing
      const expireTime = new Date(Date.now() + ceiling(120)).toISOString()
      await update(client, key, { expireTime })
      while (Date.now() < Date.parse(expireTime)) await delay(1)
      const expiredMs = performance.now()
      expect((await send(origin, key)).reason).toBe('API_KEY_INVALID')
      const sent = await traffic.stop()
      expect(sent.filter(({ status, sentMs }) => status === 200 && sentMs > expiredMs)).toEqual([])
      await update(client, key, { expireTime: null })
      expect((await send(origin, key)).status).toBe(200)
    }
  })
})

/** Clients that call one after the other until they have been refused twice. */
function race(origin: string, keyString: string) {
  const first = Promise.withResolvers<void>()
  const results: { status: number; reason: string | null; sentMs: number }[] = []
  const running = Array.from({ length: RACERS }, async () => {
    let refusals = 0
    while (refusals < 2) {
      const { status, reason, sentMs } = await send(origin, { keyString })
      results.push({ status, reason, sentMs })
      if (status === 200) first.resolve()
      else refusals++
    }
  })
  return {
    flowing: first.promise,
    async stop() {
      await Promise.all(running)
      return results
    },
  }
}

interface Opened {
  readonly form: Form
  readonly call: OpenedCall
  readonly requestId: string
}

const CUT_WITHIN_MS = 1_000
/** Refused within a second on every process, and the streams follow. */
const PEER_CUT_WITHIN_MS = 1_500

/** A slow stream of each form, begun. */
async function openStreams(origin: string, { keyString }: Subject): Promise<readonly Opened[]> {
  return await Promise.all(
    (['sse', 'array'] as const).map(async form => {
      const call = openCall(origin, {
        keyString,
        form,
        model: 'sandbox-slow',
        text: 'Tell me of stars in 60 words',
      })
      await call.begun
      const { headers } = await call.head
      return { form, call, requestId: String(headers['x-request-id']) }
    }),
  )
}

/** The pieces of a stream, each of which must be whole. */
function piecesOf(form: Form, text: string): readonly Record<string, unknown>[] {
  if (form === 'array') return JSON.parse(text)
  expect(text.endsWith('\r\n\r\n')).toBe(true)
  return text
    .split('\r\n\r\n')
    .slice(0, -1)
    .map(event => {
      expect(event.startsWith('data: ')).toBe(true)
      return JSON.parse(event.slice('data: '.length))
    })
}

/** Ended in time, with the error as the last piece and nothing broken before it. */
async function expectCut(
  opened: readonly Opened[],
  { sinceMs, reason, withinMs = CUT_WITHIN_MS }: { sinceMs: number; reason: string; withinMs?: number },
) {
  for (const { form, call } of opened) {
    const { text, atMs, isWhole } = await call.ended
    expect(atMs - sinceMs).toBeLessThan(ceiling(withinMs))
    expect(isWhole).toBe(true)
    const pieces = piecesOf(form, text)
    expect(pieces.length).toBeGreaterThan(1)
    expect(pieces.map(piece => 'error' in piece)).toEqual(
      pieces.map((_, place) => place === pieces.length - 1),
    )
    expect(reasonIn(JSON.stringify(pieces.at(-1)))).toBe(reason)
  }
}

describe.concurrent('what a key has open ends for the client within a second, and its usage is recorded', () => {
  test.each(Object.entries(REVOCATIONS))('%s', async (_, { reason, revoke }) => {
    const { client, origin, dataDir } = pollux
    const key = await subject()
    const hanging = openCall(origin, { keyString: key.keyString, model: 'sandbox-hang' })
    // Sent later and answered already: by then the other one hangs.
    const opened = await openStreams(origin, key)
    const sinceMs = performance.now()
    await revoke(client, key)
    await expectCut(opened, { sinceMs, reason })
    const { text, atMs } = await hanging.ended
    expect(atMs - sinceMs).toBeLessThan(ceiling(CUT_WITHIN_MS))
    expect(reasonIn(text)).toBe(reason)
    const { status } = await hanging.head
    const records = await recordsOfCalls(
      dataDir,
      opened.map(({ requestId }) => requestId),
    )
    expect(records.map(({ outcome }) => outcome)).toEqual(['posted', 'posted'])
    for (const record of records) {
      expect(record.http_status).toBe(status)
      expect(record.candidates_tokens).toBeGreaterThan(0)
    }
  })

  test('the key expires, whether the time was set before the call or during it', async () => {
    const { client, origin } = pollux
    const [before, during] = [await subject(), await subject()]
    // Streams take two seconds.
    const expireTime = new Date(Date.now() + 1_200).toISOString()
    await update(client, before, { expireTime })
    const opened = await Promise.all([before, during].map(key => openStreams(origin, key)))
    await update(client, during, { expireTime })
    await delay(Date.parse(expireTime) - Date.now())
    await expectCut(opened.flat(), { sinceMs: performance.now(), reason: 'API_KEY_INVALID' })
  })

  test('a change that the open call still satisfies leaves it alone', async () => {
    const { client, origin } = pollux
    const key = await subject()
    const opened = await openStreams(origin, key)
    await update(client, key, { allowedModels: ['sandbox-*'], displayName: 'changed' })
    for (const { form, call } of opened) {
      const { text, isWhole } = await call.ended
      expect(isWhole).toBe(true)
      expect(piecesOf(form, text).some(piece => 'error' in piece)).toBe(false)
    }
  })
})

const server = await startPostgres()
afterAll(async () => {
  if (!('skip' in server)) await server.stop()
})

describe.skipIf('skip' in server)('two processes on one PostgreSQL database', () => {
  let one: Pollux
  let other: Pollux
  const folders: string[] = []
  beforeAll(async () => {
    const url = socketUrl(await (server as TestPostgres).url())
    const start = async (): Promise<Pollux> => {
      const dataDir = await mkdtemp(join(tmpdir(), 'pollux-peer-'))
      folders.push(dataDir)
      const masterKey = Buffer.alloc(32, 7).toString('base64')
      return await startPollux({
        env: { POLLUX_DATABASE_URL: url, POLLUX_MASTER_KEY: masterKey },
        dataDir,
      })
    }
    one = await start()
    other = await start()
  })
  afterAll(async () => {
    await Promise.all([one.stop(), other.stop()])
    for (const folder of folders) await rm(folder, { recursive: true, force: true })
  })

  test.each(Object.entries(REVOCATIONS))('%s on one: refused and cut on the other', async (_, revocation) => {
    const key = await subject(one.client)
    expect((await send(other.origin, key)).status).toBe(200)
    const opened = await openStreams(other.origin, key)
    await revocation.revoke(one.client, key)
    const revokedMs = performance.now()
    expect((await send(one.origin, key)).reason).toBe(revocation.reason)
    let lastGoodMs = revokedMs
    let refusals = 0
    while (refusals < 20) {
      const { reason, sentMs } = await send(other.origin, key)
      if (reason === null) lastGoodMs = sentMs
      else refusals++
    }
    expect(lastGoodMs - revokedMs).toBeLessThan(ceiling(1_000))
    await expectCut(opened, { sinceMs: revokedMs, reason: revocation.reason, withinMs: PEER_CUT_WITHIN_MS })
    await revocation.restore(one.client, key)
    await delay(1_000)
    expect((await send(other.origin, key)).status).toBe(200)
  })
})
