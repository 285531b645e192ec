/**
 * The data plane as `google-genai` for Python meets it, unmodified, sync and async. The script prints what came of each
 * check; it is judged here, by the same table as for JavaScript.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
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
import { PYTHON_INSTALL_WAIT_MS, PYTHON_SCRIPTS, missingPython, pythonWith } from './python.ts'

const run = promisify(execFile)
const CHECK_WAIT_MS = 60_000

const missing = missingPython()
if (missing !== null && process.env['CI'] === 'true') throw new Error(`CI needs ${missing}`)
if (missing !== null) console.warn(`skipped: google-genai for Python needs ${missing}`)

interface Line {
  readonly mode: 'sync' | 'async' | 'sdk'
  readonly check: string
  readonly error?: {
    readonly class: string
    readonly isKind: string | null
    readonly code: number | null
    readonly status: string | null
    readonly message: string | null
    readonly details: Parameters<typeof reasonIn>[0]
    readonly text: string
  }
  readonly [field: string]: unknown
}

async function check(python: string, task: unknown): Promise<Line[]> {
  const running = run(python, [join(PYTHON_SCRIPTS, 'sdk_check.py')], {
    timeout: CHECK_WAIT_MS,
    maxBuffer: 16 * 1024 * 1024,
    env: { PATH: process.env['PATH'], PYTHONDONTWRITEBYTECODE: '1' },
  })
  running.child.stdin?.end(JSON.stringify(task))
  const { stdout } = await running
  return stdout
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as Line)
}

describe.skipIf(missing !== null).each([
  ['requirements.txt', '3.4.0'],
  ['requirements-2.txt', '2.34.0'],
])('google-genai (%s)', (requirementsFile, version) => {
  let pollux: Pollux
  let keys: ClientKeys
  let lines: readonly Line[]
  beforeAll(async () => {
    const python = await pythonWith(requirementsFile)
    pollux = await startPollux()
    keys = await createClientKeys(pollux)
    lines = await check(python, {
      origin: pollux.origin,
      model: MODEL,
      keys: { plain: keys.plain, referrer: keys.referrer },
      referrer: ALLOWED_REFERRER,
      refusals: keys.refusals,
    })
  }, PYTHON_INSTALL_WAIT_MS + CHECK_WAIT_MS)
  afterAll(() => pollux?.stop())

  function line(mode: string, name: string): Line {
    const found = lines.find(line => line.mode === mode && line.check === name)
    if (found === undefined) throw new Error(`the script printed no line for ${mode} ${name}`)
    return found
  }

  it('is the pinned version', () => {
    expect(line('sdk', 'version')['version']).toBe(version)
  })

  describe.each(['sync', 'async'])('%s', mode => {
    it.each(API_VERSIONS)('generates, streams, counts, embeds, lists and gets on %s', apiVersion => {
      const whole = line(mode, `${apiVersion} generate`)
      expect(whole).toMatchObject({ finishReason: 'STOP', modelVersion: MODEL })
      const stream = line(mode, `${apiVersion} stream`)
      expect(stream).toMatchObject({ text: whole['text'], totalTokens: whole['totalTokens'] })
      expect(stream['chunks']).toBeGreaterThan(2)
      expect(line(mode, `${apiVersion} count`)['totalTokens']).toBe(whole['promptTokens'])
      expect(line(mode, `${apiVersion} embed`)['dimensions']).toEqual([256, 256])
      const names = line(mode, `${apiVersion} list`)['names'] as string[]
      expect(names).toContain(`models/${MODEL}`)
      expect(names.length).toBeGreaterThan(10)
      expect(line(mode, `${apiVersion} get`)['name']).toBe(`models/${MODEL}`)
    })

    it('calls a function, keeps to a schema, takes an image, and comes from an allowed page', () => {
      expect(line(mode, 'function')).toMatchObject({
        name: 'getWeather',
        args: { city: expect.any(String) },
      })
      const parsed = line(mode, 'schema')['parsed'] as { name: unknown; amounts: unknown[] }
      expect(typeof parsed.name).toBe('string')
      expect(parsed.amounts.every(Number.isInteger)).toBe(true)
      expect(line(mode, 'image')).toMatchObject({ details: { IMAGE: 258 } })
      expect(line(mode, 'referrer')['text']).toBe('oak')
    })

    it('raises ClientError or ServerError with the code, status and message of every refusal', () => {
      expect(keys.refusals.length).toBeGreaterThan(10)
      for (const refusal of keys.refusals) {
        for (const [verb, name] of [
          ['generateContent', `refused ${refusal.name}`],
          ['streamGenerateContent', `refused stream ${refusal.name}`],
        ] as const) {
          const { error } = line(mode, name)
          const kind = refusal.code < 500 ? 'ClientError' : 'ServerError'
          expect(error, name).toMatchObject({
            class: kind,
            isKind: kind,
            code: refusal.code,
            status: refusal.status,
            message: messageFor(refusal, 'v1', verb),
          })
          if (error === undefined) continue
          expect(reasonIn(error.details), name).toBe(refusal.reason)
          expect(error.text, name).not.toMatch(CREDENTIAL_LIKE)
        }
      }
    })

    it('raises for a reply and for a stream that break off', () => {
      expect(line(mode, 'truncated').error).toMatchObject({ class: 'ServerError', code: 502 })
      expect(line(mode, 'truncated stream').error).toMatchObject({
        class: 'ServerError',
        code: 502,
        status: 'UNAVAILABLE',
      })
    })
  })
})
