/** What a newcomer meets: the first start, the second, and every start that cannot be. Real processes throughout. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdtemp, readFile, readdir, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KEY_BUDGETS_V1 } from '../src/contract/budgets.v1.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { type Sandbox, startSandbox } from '../src/sandbox/server.ts'
import { ceiling } from './ceiling.ts'
import { ADMIN_TOKEN, type Pollux, freePort, startPollux } from './pollux.ts'
import { readRecords } from './records.ts'
import { openCall, send } from './traffic.ts'

const CREDENTIAL = 'AIzaSyFirstStartUpstreamCredential0000000'
const BIN = join(import.meta.dirname, '..', 'bin', 'pollux')
const SECRET = /plx_\w{20,}/

let sandbox: Sandbox
const started: Pollux[] = []
const folders: string[] = []
beforeAll(async () => {
  sandbox = await startSandbox({ credential: CREDENTIAL })
})
afterAll(async () => {
  await Promise.all(started.map(pollux => pollux.stop()))
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
  await sandbox.close()
})

async function start(...options: Parameters<typeof startPollux>): Promise<Pollux> {
  const pollux = await startPollux(...options)
  started.push(pollux)
  return pollux
}

async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pollux-first-'))
  folders.push(folder)
  return folder
}

const geminiEnv = (): Record<string, string> => ({
  POLLUX_GEMINI_BASE_URL: sandbox.origin,
  GEMINI_API_KEY: CREDENTIAL,
})

/** What the printed curl line answers when it is pasted into a shell. */
async function paste(pollux: Pollux): Promise<{ readonly line: string; readonly reply: string }> {
  const line = /^ +(curl .*)$/m.exec(pollux.output())?.[1] ?? ''
  const { stdout } = await promisify(execFile)('bash', ['-c', line], { timeout: 10_000 })
  return { line, reply: stdout }
}

const textOf = (reply: string): unknown => JSON.parse(reply)?.candidates?.[0]?.content?.parts?.at(-1)?.text

describe('the first start', () => {
  test('prints a key and a curl line that works when pasted', async () => {
    const pollux = await start()
    expect(pollux.firstKeyString).toMatch(SECRET)
    const { line, reply } = await paste(pollux)
    expect(line).toContain(pollux.firstKeyString)
    expect(textOf(reply)).toMatch(/^Hello!/)
  })

  test('with a real upstream and no terminal leaves the key in a file, and the line names a listed model', async () => {
    const pollux = await start({ env: geminiEnv() })
    expect(pollux.output()).not.toMatch(SECRET)
    expect(pollux.output()).toContain('for every project')
    const file = join(pollux.dataDir, 'first-key')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    const { line, reply } = await paste(pollux)
    expect(textOf(reply)).toMatch(/^Hello!/)
    const model = /models\/([^:]+):/.exec(line)?.[1]
    const key = (await readFile(file, 'utf8')).trim()
    const list = await fetch(`${pollux.origin}/v1beta/models?pageSize=1000`, {
      headers: { 'x-goog-api-key': key },
    })
    const { models } = (await list.json()) as { models: { name: string }[] }
    expect(models.map(({ name }) => name)).toContain(`models/${model}`)
  })

  test('with a real upstream lets the first key spend ten dollars a month', async () => {
    const pollux = await start({ env: geminiEnv(), keepsFirstCap: true })
    const params = { project: 'default-project', key: 'first-key' }
    const { budgets } = await pollux.client.call(KEY_BUDGETS_V1.listBudgets, { params })
    expect(budgets).toMatchObject([{ cap: '10000000000', policy: 'clamp' }])
    expect(pollux.output()).toContain('at most $10.00 a month')
    expect((await start()).output()).not.toContain('a month')
  })

  test('says so when the upstream cannot be asked for its models, and starts all the same', async () => {
    const env = { ...geminiEnv(), POLLUX_GEMINI_BASE_URL: `http://127.0.0.1:${await freePort()}` }
    const pollux = await start({ env })
    expect(pollux.output()).toContain('could not be asked for its models')
  })
})

test('the second start finds its data and prints no secret', async () => {
  const first = await start()
  await first.client.call(POLLUX_V1.createProject, { body: { projectId: 'kept-project' } })
  const keyString = first.firstKeyString ?? ''
  await first.kill('SIGTERM')
  const second = await start({ dataDir: first.dataDir })
  expect(second.output()).not.toMatch(SECRET)
  expect(second.output()).not.toContain(ADMIN_TOKEN)
  expect(second.firstKeyString).toBeNull()
  const { projects } = await second.client.call(POLLUX_V1.listProjects, { query: {} })
  expect(projects?.map(({ projectId }) => projectId)).toContain('kept-project')
  expect((await send(second.origin, { keyString })).status).toBe(200)
})

describe('the upstream credential', () => {
  test('is GOOGLE_API_KEY where both are set', async () => {
    const pollux = await start({
      env: { ...geminiEnv(), GEMINI_API_KEY: 'wrong', GOOGLE_API_KEY: CREDENTIAL },
    })
    expect(pollux.output()).toContain('GOOGLE_API_KEY')
    expect(textOf((await paste(pollux)).reply)).toMatch(/^Hello!/)
  })

  test('when it is wrong, is not the caller’s error', async () => {
    const pollux = await start({ env: { ...geminiEnv(), GOOGLE_API_KEY: 'wrong' } })
    const keyString = (await readFile(join(pollux.dataDir, 'first-key'), 'utf8')).trim()
    expect(await send(pollux.origin, { keyString })).toMatchObject({
      status: 503,
      reason: 'UPSTREAM_CREDENTIAL_REFUSED',
    })
  })

  test('may be a key of another Pollux', async () => {
    const first = await start()
    const second = await start({
      env: { POLLUX_GEMINI_BASE_URL: first.origin, GEMINI_API_KEY: first.firstKeyString ?? '' },
    })
    expect(textOf((await paste(second)).reply)).toMatch(/^Hello!/)
    const keyString = (await readFile(join(second.dataDir, 'first-key'), 'utf8')).trim()
    const stream = await send(second.origin, { keyString, form: 'sse' })
    expect(stream.text).toContain('usageMetadata')
    const [there, here] = [readRecords(first.dataDir), readRecords(second.dataDir)]
    const totals = (rows: typeof here): number[] =>
      rows.map(row => row.total_tokens).filter(total => total > 0)
    expect(totals(here)).toHaveLength(2)
    expect(totals(there)).toEqual(totals(here))
  })
})

interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs the command to its end with this environment and nothing else in it. */
async function run(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  identity: { uid?: number; gid?: number } = {},
): Promise<Ran> {
  const child = spawn(BIN, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], ...env },
    timeout: 15_000,
    ...identity,
  })
  let [out, err] = ['', '']
  child.stdout.on('data', chunk => (out += String(chunk)))
  child.stderr.on('data', chunk => (err += String(chunk)))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, out, err }
}

/** A refusal a person can act on: said in words on standard error, no stack, nothing started. */
function expectClear({ code, out, err }: Ran, says: RegExp, expectedCode = 1): void {
  expect(err).toMatch(says)
  expect(err).toMatch(/^pollux: /)
  expect(err).not.toMatch(/^ +at /m)
  expect(out).toBe('')
  expect(code).toBe(expectedCode)
}

describe('a start that cannot be says why and ends', () => {
  test('port in use', async () => {
    const other = createServer()
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as { port: number }
    const ran = await run(['start'], { POLLUX_DATA_DIR: await freshFolder(), POLLUX_PORT: String(port) })
    other.close()
    expectClear(ran, new RegExp(`Port ${port} .* in use`))
  })

  test('read-only data folder', async () => {
    const folder = await freshFolder()
    // Root may write everywhere, so the process runs as nobody.
    const identity = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}
    if (identity.uid !== undefined) await chown(folder, identity.uid, identity.gid)
    await chmod(folder, 0o500)
    const ran = await run(['start'], { POLLUX_DATA_DIR: folder, POLLUX_PORT: '0' }, identity)
    expectClear(ran, /data folder .* cannot be written \(EACCES\).*POLLUX_DATA_DIR/)
    expect(await readdir(folder)).toEqual([])
  })

  test('bad environment variables, all of them at once', async () => {
    const ran = await run(['start'], {
      POLLUX_DATA_DIR: await freshFolder(),
      POLLUX_PORT: '87000',
      POLLUX_ADMIN_TOKEN: 'short-secret',
      POLLUX_MASTER_KEY: 'not base64',
      POLLUX_LOG_LEVEL: 'loud',
      POLLUX_TRUSTED_PROXIES: '10.0.0.0/99',
      POLLUX_GEMINI_BASE_URL: 'ftp://example.com',
    })
    for (const name of [
      'PORT',
      'ADMIN_TOKEN',
      'MASTER_KEY',
      'LOG_LEVEL',
      'TRUSTED_PROXIES',
      'GEMINI_BASE_URL',
    ]) {
      expectClear(ran, new RegExp(`POLLUX_${name} `), 2)
    }
    expect(ran.err).not.toContain('short-secret')
  })

  test('a second process on the same folder', async () => {
    const pollux = await start()
    const ran = await run(['start'], { POLLUX_DATA_DIR: pollux.dataDir, POLLUX_PORT: '0' })
    expectClear(ran, /in use by another Pollux/)
    expect((await send(pollux.origin, { keyString: pollux.firstKeyString ?? '' })).status).toBe(200)
  })

  test('a database newer than the program, which stays as it is', async () => {
    const pollux = await start()
    await pollux.kill('SIGTERM')
    const path = join(pollux.dataDir, 'pollux.sqlite')
    const database = new DatabaseSync(path)
    database.exec("insert into kysely_migration (name, timestamp) values ('9999-later', '2030-01-01')")
    database.close()
    const before = await readFile(path)
    expectClear(
      await run(['start'], { POLLUX_DATA_DIR: pollux.dataDir, POLLUX_PORT: '0' }),
      /9999-later.*newer/,
    )
    expect((await readFile(path)).equals(before)).toBe(true)
  })
})

describe('SIGTERM', () => {
  test('lets calls under way finish, then ends with 0', async () => {
    const pollux = await start()
    const keyString = pollux.firstKeyString ?? ''
    const stream = openCall(pollux.origin, { keyString, model: 'sandbox-slow', form: 'sse' })
    const unary = openCall(pollux.origin, { keyString, model: 'sandbox-slow' })
    await stream.begun
    // A client that keeps its connection open does not hold the process up.
    await (await fetch(`${pollux.origin}/healthz`)).text()
    const gone = pollux.kill('SIGTERM')
    const [streamed, replied] = await Promise.all([stream.ended, unary.ended])
    expect(streamed.isWhole).toBe(true)
    expect(streamed.text).toContain('"finishReason":"STOP"')
    expect(replied.isWhole).toBe(true)
    expect(textOf(replied.text)).toMatch(/^Hello!/)
    const endedMs = performance.now()
    expect(await gone).toBe(0)
    expect(performance.now() - endedMs).toBeLessThan(ceiling(3_000))
    expect(readRecords(pollux.dataDir).map(({ outcome }) => outcome)).toEqual(['posted', 'posted'])
  })
})

test('a call that does not end in the time it was given is told so', async () => {
  const pollux = await start({ env: { POLLUX_DRAIN_SECONDS: '1' } })
  const keyString = pollux.firstKeyString ?? ''
  const [stream, unary] = [
    openCall(pollux.origin, { keyString, model: 'sandbox-slow', form: 'sse' }),
    openCall(pollux.origin, { keyString, model: 'sandbox-slow' }),
  ]
  await stream.begun
  const gone = pollux.kill('SIGTERM')
  const [streamed, replied] = await Promise.all([stream.ended, unary.ended])
  expect(streamed.isWhole).toBe(true)
  expect(streamed.text).toMatch(/^data: \{"error":.*SHUTTING_DOWN/m)
  expect((await unary.head).status).toBe(503)
  expect(replied.text).toContain('SHUTTING_DOWN')
  expect(await gone).toBe(0)
  // Their upstreams were waited for all the same.
  expect(readRecords(pollux.dataDir).map(({ outcome }) => outcome)).toEqual(['posted', 'posted'])
})

test.each([
  ['POLLUX_GEMINI_BASE_URL', 'https://user:hunter2@gemini.example/'],
  ['POLLUX_GEMINI_BASE_URL', 'https://gemini.example/?key=hunter2'],
  ['POLLUX_DRAIN_SECONDS', '-1'],
])('%s=%s is refused, and not repeated', async (name, value) => {
  const { code, out, err } = await run(['check-config'], { [name]: value, GEMINI_API_KEY: CREDENTIAL })
  expect(code).toBe(2)
  expect(err).toContain(`${name} must be`)
  expect(out + err).not.toContain('hunter2')
})

test('check-config prints the configuration and no secret', async () => {
  const env = {
    POLLUX_DATA_DIR: '/nowhere',
    POLLUX_ADMIN_TOKEN: 'admin-secret-0123456789-0123456789-abc',
    POLLUX_MASTER_KEY: Buffer.alloc(32, 7).toString('base64'),
    POLLUX_DATABASE_URL: 'postgres://user:database-secret@db.example/pollux?password=secret-in-query',
    GEMINI_API_KEY: 'gemini-secret-0123456789',
    GOOGLE_API_KEY: 'google-secret-0123456789',
    POLLUX_PROT: '8700',
  }
  const { code, out, err } = await run(['check-config'], env)
  expect(code, err).toBe(0)
  for (const name of Object.keys(env))
    expect(out).toContain(name === 'GOOGLE_API_KEY' ? `from ${name}` : name)
  expect(out).toMatch(/POLLUX_PROT +\(nothing reads it\)/)
  expect(out + err).not.toMatch(/secret-|database-secret|BwcHBw/)
})
