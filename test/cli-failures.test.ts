/** What the command line does when something goes wrong: exit codes, secrets, hostile answers. And its examples. */
import { type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT } from '../src/cli/errors.ts'
import { type Shell, type Situation, run } from './command-line.ts'
import { ADMIN_TOKEN, type Management, startManagement } from './management.ts'

let management: Management
let shell: Shell
beforeAll(async () => {
  management = await startManagement()
  shell = { url: management.origin, token: ADMIN_TOKEN }
  await run(shell, ['projects', 'create', 'default-project'])
  await run(shell, ['keys', 'create', '--key-id', 'first-key'])
})
afterAll(() => management.close())

/** Runs against a server that is no Pollux. */
async function against(
  answer: (response: ServerResponse) => void,
  argv: string[],
): Promise<Awaited<ReturnType<typeof run>> & { readonly url: string }> {
  const server = createServer((_, response) => answer(response))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  try {
    return { ...(await run({ url, token: 'token' }, argv)), url }
  } finally {
    server.closeAllConnections()
    await new Promise(resolve => server.close(resolve))
  }
}

const refusal = (httpStatus: number, status: string, reason: string) => (response: ServerResponse) => {
  const info = { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason, domain: 'pollux' }
  response.writeHead(httpStatus, { 'content-type': 'application/json', 'x-request-id': 'request-1' })
  response.end(JSON.stringify({ error: { code: httpStatus, message: 'No.', status, details: [info] } }))
}

describe('every documented exit code can be reached', () => {
  test.each([
    [0, ['keys', 'get', 'first-key']],
    [2, ['keys', 'get']],
    [2, ['keys', 'create', '--expires', 'soon']],
    [2, ['keys', 'create', '--allowed-ips', 'not-an-address']],
    [2, ['keys', 'create', '--allowed-ips', '::1', '--allowed-bundle-ids', 'a.b']],
    [2, ['keys', 'get', 'a/b']],
    [2, ['keys']],
    [2, ['frobnicate']],
    [3, ['keys', 'get', 'no-such-key']],
    [3, ['keys', 'list', '--project', 'no-such-project']],
    [6, ['keys', 'create', '--key-id', 'first-key']],
    [6, ['keys', 'undelete', 'first-key']],
    [10, ['keys', 'test', 'refusing-key', '--model', 'gemini-3.8-flash']],
  ])('%i: %j', async (code, argv) => {
    if (code === 10) {
      await run(shell, ['keys', 'create', '--key-id', 'refusing-key', '--allowed-models', 'none'])
    }
    const ran = await run(shell, argv)
    expect(ran.code, ran.err).toBe(code)
    expect(ran.out === '').toBe(code !== 0 && code !== 10)
  })

  test.each([
    [5, 403, 'PERMISSION_DENIED', 'IAM_PERMISSION_DENIED'],
    [7, 429, 'RESOURCE_EXHAUSTED', 'RATE_LIMIT_EXCEEDED'],
    [8, 402, 'FAILED_PRECONDITION', 'SPEND_CAP_REACHED'],
    [9, 503, 'UNAVAILABLE', 'STORAGE_UNAVAILABLE'],
    [1, 500, 'INTERNAL', 'INTERNAL'],
  ])('%i: a server that answers %i', async (code, httpStatus, status, reason) => {
    const ran = await against(refusal(httpStatus, status, reason), ['keys', 'list', '--json'])
    expect(ran.code).toBe(code)
    expect(JSON.parse(ran.err)).toMatchObject({ error: { code: httpStatus, reason, requestId: 'request-1' } })
  })

  test('1: a server that is no Pollux', async () => {
    const ran = await against(response => response.end('<html>hello</html>'), ['keys', 'list', '--debug'])
    expect(ran.code).toBe(1)
  })

  test('4: no token, and a token that is not one', async () => {
    const connection = () => {
      throw new Error('No token: set POLLUX_TOKEN.')
    }
    expect(await run(shell, ['keys', 'list'], { connection })).toMatchObject({
      code: 4,
      err: 'error: No token: set POLLUX_TOKEN.\n',
    })
    const wrong = await run({ ...shell, token: 'wrong' }, ['keys', 'list'])
    expect(wrong.code).toBe(4)
    expect(wrong.err).toContain('hint: Set POLLUX_TOKEN')
  })

  test('9: nobody listens: the URL and what to do', async () => {
    const { url } = await against(response => response.end(), ['version'])
    const ran = await run({ ...shell, url }, ['keys', 'list'])
    expect(ran).toEqual({
      code: 9,
      out: '',
      err: `error: No answer from ${url}.\nhint: Start Pollux with \`npm start\`, or set POLLUX_URL to where it runs.\n`,
    })
  })

  test('9: a server that never answers', async () => {
    const ran = await against(() => {}, ['keys', 'list', '--timeout', '1s'])
    expect(ran.code).toBe(9)
    expect(ran.err).toContain(`No answer from ${ran.url} within 1 s.`)
  })
})

describe('failures with --json are one object of five fields on standard error', () => {
  test('from the server', async () => {
    const { err } = await run(shell, ['keys', 'create', '--key-id', 'first-key', '--json'])
    const { error } = JSON.parse(err)
    expect(Object.keys(error)).toEqual(['code', 'message', 'reason', 'requestId', 'hint'])
    expect(error).toMatchObject({
      code: 409,
      reason: 'ALREADY_EXISTS',
      hint: expect.stringContaining('another id'),
    })
    expect(error.requestId).toMatch(/^[0-9a-f-]{36}$/)
  })

  test('from the command line itself', async () => {
    const { err } = await run(shell, ['keys', 'get', '--json'])
    expect(JSON.parse(err)).toEqual({
      error: {
        code: null,
        message: "missing required argument 'key'",
        reason: 'USAGE',
        requestId: null,
        hint: null,
      },
    })
  })
})

describe('no key where it could be seen', () => {
  const KEY = `plx_${'Secret9'.repeat(5)}X`
  const TOKEN = `plx_pat_${'Secret9'.repeat(5)}X`
  const GOOGLE = `AIza${'Secret9'.repeat(5)}`

  test.each([
    [['keys', 'lookup', KEY]],
    [['keys', 'lookup', `--stdin=${KEY}`]],
    [['keys', 'get', KEY, '--json']],
    [['usage', '--key', GOOGLE, '--debug']],
    [['projects', 'list', '--token', TOKEN]],
    [[KEY]],
  ])(
    'an argument that looks like a key is refused before anything is sent, and not repeated: %#',
    async argv => {
      const ran = await run({ url: 'http://127.0.0.1:9', token: 'token' }, argv)
      expect(ran.code).toBe(2)
      expect(ran.err).toContain('An argument looks like a key.')
      expect(ran.out + ran.err).not.toContain('Secret9')
    },
  )

  test('--debug shows requests, but neither the token nor the key that is looked up', async () => {
    const created = await run(shell, ['keys', 'create', '--quiet', '--debug'])
    expect(created.err).toMatch(
      /^debug: POST http.*\/keys\ndebug: 200 in \d+ ms, request id [0-9a-f-]{36}\n$/,
    )
    const keyString = created.out.trim()
    const found = await run(shell, ['keys', 'lookup', '--debug'], { stdin: keyString })
    expect(found.code).toBe(0)
    for (const secret of [keyString, keyString.slice(4, 20), ADMIN_TOKEN]) {
      expect(created.err + found.out + found.err).not.toContain(secret)
    }
  })

  test('a key that a server repeats in its error is masked', async () => {
    const body = JSON.stringify({
      error: { code: 400, status: 'INVALID_ARGUMENT', message: `What is ${GOOGLE}?` },
    })
    const ran = await against(response => response.writeHead(400).end(body), ['keys', 'list'])
    expect(ran).toMatchObject({ code: 2, err: 'error: What is AIza…?\n' })
  })
})

describe('a server cannot drive the terminal', () => {
  const EVIL = '\u001b]0;owned\u0007\u009b2J\u202eevil'
  const key = {
    name: `projects/1/locations/global/keys/${EVIL}`,
    uid: EVIL,
    displayName: EVIL,
    state: EVIL,
    createTime: EVIL,
    updateTime: EVIL,
    lastUsedTime: EVIL,
    maskedKeyString: EVIL,
    keyString: EVIL,
    etag: EVIL,
    annotations: { [EVIL]: EVIL },
    restrictions: { serverKeyRestrictions: { allowedIps: [EVIL] }, apiTargets: [{ service: EVIL }] },
    allowedModels: [EVIL],
  }
  const evilFields = (names: string) => Object.fromEntries(names.split(',').map(name => [name, EVIL]))
  const budget = {
    ...evilFields(
      'name,scope,project,key,period,policy,state,cap,posted,allotted,free,overrun,periodStartTime,periodEndTime,createTime,updateTime,etag',
    ),
    toolCeilings: { [EVIL]: EVIL },
  }
  const drift = evilFields('budget,periodStartTime,what,booked,expected')
  const ok = (body: object) => (response: ServerResponse) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }

  test.each([
    ['keys list', { keys: [key] }],
    ['keys list --json', { keys: [key] }],
    ['keys get web', key],
    ['keys get web --json', key],
    ['keys create', key],
    ['keys create --quiet', key],
    ['keys disable web', key],
    [
      'keys test web',
      { allowed: false, verdicts: [{ rule: EVIL, outcome: 'REFUSED', reason: EVIL, message: EVIL }] },
    ],
    ['projects list', { projects: [{ name: EVIL, projectId: EVIL, state: EVIL, createTime: EVIL }] }],
    [
      'projects get web',
      { name: EVIL, projectId: EVIL, state: EVIL, parent: EVIL, etag: EVIL, labels: { a: EVIL } },
    ],
    ['projects delete web-shop --yes', { projectId: EVIL }],
    ['usage', { project: EVIL, startTime: EVIL, endTime: EVIL, groupBy: ['key', 'model'], rows: [] }],
    ['usage', { groupBy: ['key', 'model'], rows: [{ keyId: EVIL, model: EVIL, calls: 1, costNanos: EVIL }] }],
    ['budgets list', { budgets: [budget] }],
    ['budgets list --json', { budgets: [budget] }],
    ['budgets set --project web-shop --period day --cap 1', budget],
    ['ledger verify', { rowsChecked: EVIL, recordsChecked: EVIL, drifts: [drift], overruns: 1 }],
  ])('%s', async (line, body) => {
    const ran = await against(ok(body), line.split(' '))
    expect((ran.out + ran.err).replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u)
    expect(ran.out + ran.err).toContain('evil')
  })

  test('nor can its errors and request ids', async () => {
    const body = JSON.stringify({ error: { code: 400, status: EVIL, message: EVIL, details: [] } })
    for (const flag of ['--json', '--debug']) {
      const ran = await against(response => response.writeHead(400).end(body), ['keys', 'list', flag])
      expect(ran.err.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u)
    }
  })
})

/** Every command that help leads to, e.g. `keys create`. */
async function commandPaths(prefix: readonly string[] = []): Promise<string[][]> {
  const { out } = await run(shell, [...prefix, '--help'])
  const commands = /\nCommands:\n(.*?)(?:\n\n|$)/s.exec(out)?.[1] ?? ''
  const names = [...commands.matchAll(/^ {2}([a-z-]+)/gm)].map(match => match[1] ?? '')
  const below = await Promise.all(
    names.filter(name => name !== 'help').map(name => commandPaths([...prefix, name])),
  )
  return [[...prefix], ...below.flat()]
}

describe('help', () => {
  test('of every command exits with 0 and has an example', async () => {
    const paths = await commandPaths()
    expect(paths.length).toBeGreaterThan(20)
    for (const path of paths) {
      const { code, out, err } = await run(shell, [...path, '--help'])
      expect([code, err], path.join(' ')).toEqual([0, ''])
      expect(out, path.join(' ')).toMatch(/\nExamples?:\n {2}\$ pollux /)
    }
  })

  test('names every exit code', async () => {
    const { out } = await run(shell, ['--help'])
    for (const code of Object.values(EXIT)) expect(out).toMatch(new RegExp(`(?:^| )${code} [a-z]`, 'm'))
  })

  test('has examples that work as they stand', async () => {
    const { out: keyString } = await run(shell, ['keys', 'create', '--quiet'])
    const failed: string[] = []
    const paths = await commandPaths()
    for (const path of paths.filter(path => path.length > 0)) {
      const { out } = await run(shell, [...path, '--help'])
      for (const [, example = ''] of out.matchAll(/^ {2}\$ pollux (.*)$/gm)) {
        // It never ends; test/management-calls.test.ts reads it.
        if (example.endsWith('--follow')) continue
        await restore()
        if (path.at(-1) === 'undelete')
          await run(shell, [path[0] ?? '', 'delete', ...path.slice(2), ID[path[0] ?? ''] ?? '', '--yes'])
        if (path.at(-1) === 'reveal') {
          await run(shell, ['projects', 'update', 'default-project', '--recoverable-keys'])
          await run(shell, ['keys', 'create', '--key-id', 'billing'])
        }
        const { code, err } = await run(shell, shellWords(example), answering(path, keyString))
        const expected = REFUSED_HERE.get(path.join(' ')) ?? 0
        if (code !== expected) failed.push(`${example}: ${code}\n${err}`)
      }
    }
    expect(failed).toEqual([])
  })
})

/** Examples that carry an id which the server makes up, and the one for a Pollux without people. */
const REFUSED_HERE: ReadonlyMap<string, number> = new Map([
  ['calls get', EXIT.notFound],
  ['calls bodies', EXIT.notFound],
  ['service-accounts delete-key', EXIT.notFound],
  ['tokens delete', EXIT.notFound],
  ['prices unset', EXIT.notFound],
  ['setup-link', EXIT.conflict],
])

const ID: Readonly<Record<string, string>> = { keys: 'first-key', projects: 'web-shop' }

/** What the examples speak of, alive; what they make, gone or never made. */
async function restore(): Promise<void> {
  await run(shell, ['keys', 'undelete', 'first-key'])
  await run(shell, ['budgets', 'set', '--project', 'default-project', '--period', 'month', '--cap', '1'])
  if ((await run(shell, ['projects', 'get', 'web-shop'])).code === 0) {
    await run(shell, ['projects', 'undelete', 'web-shop'])
  }
  for (const account of ['deploy-robot', 'retired-robot'])
    await run(shell, ['service-accounts', 'create', account])
  await run(shell, ['users', 'invite', 'ada@example.com'])
  await run(shell, ['iam', 'add-binding', '--member', 'user:ada@example.com', '--role', 'roles/viewer'])
  await run(shell, ['tiers', 'set', 'students', '--limit', 'concurrentCalls=2'])
  for (const place of [
    ['--project', 'default-project'],
    ['--key', 'first-key'],
  ]) {
    const limit = ['--metric', 'requestsPerMinute', '--model', '*', '--value', '60']
    await run(shell, ['quotas', 'set', ...place, ...limit])
  }
}

function answering(path: readonly string[], keyString: string): Situation {
  if (path.at(-1) === 'lookup' || path.at(-1) === 'find') return { stdin: keyString }
  return { isStdinTty: true, stdin: path[0] === 'projects' ? 'web-shop\n' : 'y\n' }
}

/** Words as a shell splits them; redirections are left out. */
function shellWords(line: string): string[] {
  return [...line.replace(/ [<>] \S+$/, '').matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(
    ([, single, double, bare]) => single ?? double ?? bare ?? '',
  )
}
