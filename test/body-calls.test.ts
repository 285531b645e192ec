/** Bodies of calls, from the gateway to who may read them: a whole Pollux as a process, over the wire. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BODIES_V1 } from '../src/contract/bodies.v1.ts'
import { ContractError } from '../src/contract/client.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { run as runCli } from './command-line.ts'
import { ADMIN_TOKEN, type Pollux, startPollux } from './pollux.ts'
import {
  type RecordingUpstream,
  httpReply,
  modelReply,
  startRecordingUpstream,
} from './recording-upstream.ts'

const TEST_MS = 120_000
const MODEL = 'gemini-2.5-flash'
const IMAGE = Buffer.alloc(9_000, 3).toString('base64')

let pollux: Pollux
let upstream: RecordingUpstream
beforeAll(async () => {
  upstream = await startRecordingUpstream()
  pollux = await startPollux({
    env: { GEMINI_API_KEY: 'AIzaSy-the-real-credential-0123456789', POLLUX_GEMINI_BASE_URL: upstream.origin },
  })
}, TEST_MS)
afterAll(async () => {
  await pollux.stop()
  await upstream.close()
})

let projects = 0
async function makeProject(retentionHours: number | null): Promise<{ project: string; keyString: string }> {
  projects += 1
  const project = `body-project-${projects}`
  await pollux.client.call(POLLUX_V1.createProject, { body: { projectId: project } })
  const params = { project }
  if (retentionHours !== null)
    await pollux.client.call(BODIES_V1.updateBodySettings, { params, query: {}, body: { retentionHours } })
  const { keyString = '' } = await pollux.client.call(POLLUX_V1.createKey, {
    params,
    query: { keyId: 'web' },
    body: {},
  })
  return { project, keyString }
}

interface Made {
  readonly id: string
  readonly status: number
  readonly text: string
}

async function call(keyString: string, body: unknown, verb = 'generateContent'): Promise<Made> {
  const response = await fetch(`${pollux.origin}/v1beta/models/${MODEL}:${verb}`, {
    method: 'POST',
    headers: { 'x-goog-api-key': keyString, 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  const text = await response.text()
  return { id: response.headers.get('x-request-id') ?? '', status: response.status, text }
}

const asked = (text: string) => ({ contents: [{ role: 'user', parts: [{ text }] }] })

const read = (project: string, { id }: Pick<Made, 'id'>) =>
  pollux.client.call(BODIES_V1.getCallBodies, { params: { project, call: id } })

/** They are there a moment after the call. */
async function readSoon(project: string, made: Pick<Made, 'id'>) {
  await expect
    .poll(() => read(project, made).then(() => 'there', reasonOf), { timeout: 20_000 })
    .toBe('there')
  return await read(project, made)
}

function reasonOf(error: unknown): string {
  if (error instanceof ContractError) return `${error.httpStatus} ${error.reason}`
  throw error
}

function streamed(pieces: readonly string[]): string {
  const body = pieces.map(piece => `data: ${piece}\r\n\r\n`).join('')
  return httpReply('200 OK', body).replace('application/json', 'text/event-stream')
}

describe('bodies of calls', () => {
  test(
    'are not kept unless somebody asked for it',
    async () => {
      const { project, keyString } = await makeProject(null)
      const made = await call(keyString, asked('nobody keeps this'))
      expect(made.status).toBe(200)
      // What came later is written later.
      const other = await makeProject(1)
      await readSoon(other.project, await call(other.keyString, asked('somebody keeps this')))
      const error = await read(project, made).catch((error: unknown) => error)
      expect(reasonOf(error)).toBe('404 BODIES_NOT_KEPT')
      expect(String(error)).toContain('keeps no bodies of calls')
    },
    TEST_MS,
  )

  test(
    'are what was asked and answered, without keys and media',
    async () => {
      const { project, keyString } = await makeProject(24)
      const reply = modelReply(`do not paste ${keyString} here`)
      upstream.answerWith(socket => void socket.write(httpReply('200 OK', reply)))
      const body = {
        contents: [
          {
            role: 'user',
            parts: [
              { inlineData: { mimeType: 'image/png', data: IMAGE } },
              { text: `my key is ${keyString}, what is in the picture?` },
            ],
          },
        ],
      }
      const made = await call(keyString, body)
      expect(made.text).toBe(reply)
      const { request, reply: answered, expireTime } = await readSoon(project, made)
      expect(JSON.parse(request.text).contents[0].parts).toEqual([
        { inlineData: { mimeType: 'image/png', data: '[image/png, 9000 bytes, not kept]' } },
        { text: 'my key is plx_…, what is in the picture?' },
      ])
      expect([request.sizeBytes, request.truncated]).toEqual([JSON.stringify(body).length, false])
      expect(answered).toEqual({
        text: reply.replace(keyString, 'plx_…'),
        sizeBytes: reply.length,
        truncated: false,
      })
      expect(Math.abs(Date.parse(expireTime) - Date.now() - 86_400_000)).toBeLessThan(300_000)
      upstream.answerWith(null)
    },
    TEST_MS,
  )

  test(
    'of a stream are all that was passed on of it',
    async () => {
      const { project, keyString } = await makeProject(1)
      const pieces = ['one', 'two'].map(text =>
        JSON.stringify({ candidates: [{ content: { parts: [{ text }] }, index: 0 }] }),
      )
      upstream.answerWith(socket => void socket.write(streamed([...pieces, modelReply('three')])))
      const made = await call(keyString, asked('count'), 'streamGenerateContent?alt=sse')
      expect(made.text).toContain('three')
      const { request, reply } = await readSoon(project, made)
      expect(reply).toEqual({ text: made.text, sizeBytes: made.text.length, truncated: false })
      expect(JSON.parse(request.text)).toEqual(asked('count'))
      upstream.answerWith(null)
    },
    TEST_MS,
  )

  test(
    'are the beginning of what is large, with the size of the whole',
    async () => {
      const { project, keyString } = await makeProject(1)
      const [piece, last] = [modelReply('y'.repeat(50_000)), modelReply('z'.repeat(50_000))]
      const open = piece.replace('"finishReason":"STOP",', '')
      upstream.answerWith(socket => void socket.write(streamed([open, last])))
      const body = JSON.stringify(asked('x'.repeat(200_000)))
      const made = await call(keyString, body, 'streamGenerateContent?alt=sse')
      expect(made.text).toContain('zzz')
      const { request, reply } = await readSoon(project, made)
      expect(request).toEqual({ text: body.slice(0, 65_536), sizeBytes: body.length, truncated: true })
      expect(reply).toEqual({
        text: made.text.slice(0, 65_536),
        sizeBytes: made.text.length,
        truncated: true,
      })
      upstream.answerWith(null)
    },
    TEST_MS,
  )

  test(
    'are those of errors, too: of the upstream and of the gateway itself',
    async () => {
      const { project, keyString } = await makeProject(1)
      const refusal = JSON.stringify({
        error: { code: 400, message: 'no such thing', status: 'INVALID_ARGUMENT' },
      })
      upstream.answerWith(socket => void socket.write(httpReply('400 Bad Request', refusal)))
      const refused = await call(keyString, asked('refused'))
      expect((await readSoon(project, refused)).reply.text).toBe(refused.text)
      upstream.answerWith(socket => void socket.destroy())
      const broken = await call(keyString, asked('broken'))
      expect(broken.status).toBe(502)
      const { request, reply } = await readSoon(project, broken)
      expect(reply.text).toBe(broken.text)
      expect(request.text).toContain('broken')
      upstream.answerWith(null)
    },
    TEST_MS,
  )

  test(
    'are deleted when that is switched off, which holds for the next call',
    async () => {
      const { project, keyString } = await makeProject(24)
      const made = await call(keyString, asked('soon gone'))
      await readSoon(project, made)
      const shell = { url: pollux.origin, token: ADMIN_TOKEN }
      const off = await runCli(shell, ['projects', 'bodies', project, '--keep-none', '--yes'])
      expect([off.code, off.err]).toEqual([0, expect.stringContaining('No bodies')])
      expect(await read(project, made).catch(reasonOf)).toBe('404 BODIES_NOT_KEPT')
      const after = await call(keyString, asked('never there'))
      await runCli(shell, ['projects', 'bodies', project, '--keep', '36h', '--yes'])
      const again = await call(keyString, asked('there again'))
      await readSoon(project, again)
      for (const gone of [made, after])
        expect(await read(project, gone).catch(reasonOf)).toBe('404 BODIES_NOT_KEPT')
      const shown = await runCli(shell, ['projects', 'bodies', project])
      expect(shown.out).toContain('36 hours')
      const { out } = await runCli(shell, ['calls', 'bodies', again.id, '--project', project])
      expect(out).toContain('there again')
    },
    TEST_MS,
  )
})
