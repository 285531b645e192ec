/** The data plane as `curl` meets it: every way to carry a key, both framings of a stream, and the bodies of errors. */
import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { API_VERSIONS } from '../src/domain/project.ts'
import {
  ALLOWED_REFERRER,
  CREDENTIAL_LIKE,
  type ClientKeys,
  MODEL,
  createClientKeys,
  messageFor,
  reasonIn,
} from './client-keys.ts'
import { type Pollux, startPollux } from './pollux.ts'

const run = promisify(execFile)
const MARK = '\n--written-out--\n'
const WAIT_SECONDS = '10'

const isMissing = spawnSync('curl', ['--version'], { timeout: 20_000 }).error !== undefined
if (isMissing && process.env['CI'] === 'true') throw new Error('CI needs curl')
if (isMissing) console.warn('skipped: these tests need curl')

let pollux: Pollux
let keys: ClientKeys
beforeAll(async () => {
  if (isMissing) return
  pollux = await startPollux()
  keys = await createClientKeys(pollux)
})
afterAll(() => pollux?.stop())

interface Curled {
  readonly status: number
  readonly type: string
  readonly body: string
  /** curl's exit code: 0, or 18 for a transfer that broke off. */
  readonly exitCode: number
}

async function curl(path: string, ...options: readonly string[]): Promise<Curled> {
  const written = `${MARK}%{http_code} %{content_type}`
  const argv = ['-sS', '--max-time', WAIT_SECONDS, '-w', written, `${pollux.origin}${path}`, ...options]
  const { stdout, code } = await run('curl', argv, { env: { PATH: process.env['PATH'] } }).then(
    ({ stdout }) => ({ stdout, code: 0 }),
    (error: { stdout: string; code: number }) => error,
  )
  const [body = '', last = ''] = stdout.split(MARK)
  const [status = '', ...type] = last.split(' ')
  return { status: Number(status), type: type.join(' '), body, exitCode: code }
}

const JSON_TYPE = 'application/json; charset=UTF-8'
const body = (text: string, more: object = {}): readonly string[] => [
  '-H',
  'Content-Type: application/json',
  '-d',
  JSON.stringify({ contents: [{ parts: [{ text }] }], ...more }),
]
const withKey = (keyString = keys.plain): readonly string[] => ['-H', `x-goog-api-key: ${keyString}`]
const OAK = body('Say oak')

/** The events of a stream, parsed; each is one `data:` line, ended by an empty one. */
function eventsOf(text: string) {
  expect(text.endsWith('\r\n\r\n')).toBe(true)
  return text
    .slice(0, -4)
    .split('\r\n\r\n')
    .map(event => {
      expect(event.startsWith('data: {')).toBe(true)
      expect(event).not.toContain('\n')
      return JSON.parse(event.slice('data: '.length))
    })
}

const textOf = (replies: readonly ReturnType<typeof JSON.parse>[]): string =>
  replies
    .flatMap(reply => reply.candidates[0].content?.parts ?? [])
    .map(part => part.text ?? '')
    .join('')

describe.skipIf(isMissing)('curl', () => {
  it.each([
    ['the header x-goog-api-key', () => ['', ...withKey()] as const],
    ['a bearer token', () => ['', '-H', `Authorization: Bearer ${keys.plain}`] as const],
    ['the query', () => [`?key=${keys.plain}`] as const],
    [
      'all three of them',
      () => [`?key=${keys.plain}`, ...withKey(), '-H', `Authorization: Bearer ${keys.plain}`] as const,
    ],
  ])('calls with the key in %s', async (_where, options) => {
    const [query, ...headers] = options()
    const reply = await curl(`/v1beta/models/${MODEL}:generateContent${query}`, ...headers, ...OAK)
    expect(reply).toMatchObject({ status: 200, type: JSON_TYPE, exitCode: 0 })
    expect(textOf([JSON.parse(reply.body)])).toBe('oak')
  })

  it('is refused with two different keys', async () => {
    const other = ['-H', `Authorization: Bearer ${keys.referrer}`]
    const reply = await curl(`/v1beta/models/${MODEL}:generateContent`, ...withKey(), ...other, ...OAK)
    expect(reply.status).toBe(400)
    expect(JSON.parse(reply.body).error).toEqual({
      code: 400,
      message: 'Multiple authentication credentials received. Please pass only one.',
      status: 'INVALID_ARGUMENT',
    })
  })

  it.each(API_VERSIONS)('generates, streams, counts, embeds, lists and gets on %s', async version => {
    const models = `/${version}/models`
    const long = body('Count to ten in 60 words')
    const whole = JSON.parse((await curl(`${models}/${MODEL}:generateContent`, ...withKey(), ...long)).body)

    const sse = await curl(`${models}/${MODEL}:streamGenerateContent?alt=sse`, '-N', ...withKey(), ...long)
    expect(sse).toMatchObject({ status: 200, type: 'text/event-stream', exitCode: 0 })
    const events = eventsOf(sse.body)
    expect(events.length).toBeGreaterThan(2)
    expect(textOf(events)).toBe(textOf([whole]))
    expect(events.at(-1).usageMetadata.totalTokenCount).toBe(whole.usageMetadata.totalTokenCount)

    const array = await curl(`${models}/${MODEL}:streamGenerateContent`, '-N', ...withKey(), ...long)
    expect(array).toMatchObject({ status: 200, type: JSON_TYPE, exitCode: 0 })
    expect(JSON.parse(array.body).length).toBe(events.length)
    expect(textOf(JSON.parse(array.body))).toBe(textOf([whole]))

    const counted = await curl(`${models}/${MODEL}:countTokens`, ...withKey(), ...long)
    expect(JSON.parse(counted.body).totalTokens).toBe(whole.usageMetadata.promptTokenCount)

    const embedding = JSON.stringify({ content: { parts: [{ text: 'apple' }] }, outputDimensionality: 8 })
    const path = `${models}/gemini-embedding-001:embedContent`
    const embedded = await curl(path, ...withKey(), '-H', 'content-type: application/json', '-d', embedding)
    expect(JSON.parse(embedded.body).embedding.values).toHaveLength(8)

    const listed = await curl(`${models}?pageSize=3&key=${keys.plain}`)
    expect(JSON.parse(listed.body).models).toHaveLength(3)
    const got = await curl(`${models}/${MODEL}`, ...withKey())
    expect(JSON.parse(got.body).name).toBe(`models/${MODEL}`)
  })

  it("keeps the older guides' call working: gemini-pro on v1, the key as a bearer token", async () => {
    const bearer = ['-H', `Authorization: Bearer ${keys.plain}`]
    const reply = await curl('/v1/models/gemini-pro:generateContent', '-X', 'POST', ...bearer, ...OAK)
    expect(reply).toMatchObject({ status: 200, exitCode: 0 })
    expect(textOf([JSON.parse(reply.body)])).toBe('oak')
  })

  it('comes from an allowed page', async () => {
    const page = ['-e', ALLOWED_REFERRER]
    const reply = await curl(
      `/v1/models/${MODEL}:generateContent`,
      ...withKey(keys.referrer),
      ...page,
      ...OAK,
    )
    expect(reply.status).toBe(200)
  })

  it.each(['object', 'events', 'array'])('shows every refusal as JSON, where the reply is %s', async form => {
    const verb = form === 'object' ? 'generateContent' : 'streamGenerateContent'
    const query = form === 'events' ? '?alt=sse' : ''
    for (const refusal of keys.refusals) {
      const reply = await curl(
        `/v1/models/${refusal.model}:${verb}${query}`,
        ...(refusal.keyString === null ? [] : withKey(refusal.keyString)),
        ...body('Say oak', refusal.search ? { tools: [{ googleSearch: {} }] } : {}),
      )
      expect(reply, refusal.name).toMatchObject({ status: refusal.code, type: JSON_TYPE, exitCode: 0 })
      const parsed = JSON.parse(reply.body)
      expect(Array.isArray(parsed), refusal.name).toBe(form === 'array')
      const status = form === 'array' ? parsed[0] : parsed
      expect(status.error, refusal.name).toMatchObject({
        code: refusal.code,
        status: refusal.status,
        message: messageFor(refusal, 'v1', verb),
      })
      expect(reasonIn(status), refusal.name).toBe(refusal.reason)
      expect(reply.body, refusal.name).not.toMatch(CREDENTIAL_LIKE)
    }
  })

  it('sees that a stream broke off: an error as its last event, and no proper end', async () => {
    const path = '/v1beta/models/sandbox-truncate:streamGenerateContent'
    const long = body('Count to ten in 60 words')
    const sse = await curl(`${path}?alt=sse`, '-N', ...withKey(), ...long)
    expect(sse.exitCode).toBe(18)
    const events = eventsOf(sse.body)
    expect(events.length).toBe(3)
    expect(events.at(-1).error).toMatchObject({ code: 502, status: 'UNAVAILABLE' })

    const array = await curl(path, '-N', ...withKey(), ...long)
    expect(array.exitCode).toBe(18)
    expect(JSON.parse(array.body).at(-1).error).toMatchObject({ code: 502, status: 'UNAVAILABLE' })
  })
})
