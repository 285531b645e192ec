/** Every command against a real management plane: what it prints on a terminal, in a pipe and as JSON. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { NO_USAGE, type UsageRecord } from '../src/domain/usage.ts'
import { type Situation, type Ran, run, steady } from './command-line.ts'
import { ADMIN_TOKEN, type Management, startManagement } from './management.ts'

let management: Management
beforeAll(async () => {
  management = await startManagement()
})
afterAll(() => management.close())

const MASKED_UUID = '00000000-0000-0000-0000-000000000000'

async function pollux(argv: string[], situation?: Situation): Promise<Ran> {
  return await run({ url: management.origin, token: ADMIN_TOKEN }, argv, situation)
}

/** Runs what must succeed, and returns its standard output. */
async function output(argv: string[], situation?: Situation): Promise<string> {
  const { code, out, err } = await pollux(argv, situation)
  expect(code, err).toBe(0)
  return out
}

// oxlint-disable-next-line typescript/no-explicit-any -- a test reads whatever the wire brought
async function json(argv: string[]): Promise<any> {
  return JSON.parse(await output([...argv, '--json']))
}

const project = async (id: string) => void (await output(['projects', 'create', id]))
const steadyLines = (text: string): string[] => steady(text).trimEnd().split('\n')

/** Appends usage of a key as the gateway would, and sees it summed up. */
async function use(projectId: string, keyId: string, record: Partial<UsageRecord> = {}): Promise<void> {
  const found = await management.storage.projects.find(projectId)
  const key = await management.storage.keys.find(found?.number ?? '', keyId)
  const used: UsageRecord = {
    callId: crypto.randomUUID(),
    startTimeMs: Date.now() - 2 * 3_600_000,
    durationMs: 5,
    firstByteMs: 4,
    projectNumber: found?.number ?? '',
    keyUid: key?.uid ?? '',
    method: 'GenerateContent',
    model: 'gemini-3.8-flash',
    modelVersion: null,
    outcome: 'posted',
    httpStatus: 200,
    usage: { ...NO_USAGE, promptTokens: 1_000, candidatesTokens: 234, thoughtsTokens: 0, totalTokens: 1_234 },
    requestBytes: 10,
    responseBytes: 20,
    costNanos: 2_500_000,
    priceBasisPoints: 10_000,
    postedNanos: 0,
    heldNanos: 0,
    ledger: [],
    clampedOutputTokens: null,
    receivedUs: null,
    admittedUs: null,
    lastByteUs: null,
    ...record,
  }
  await management.storage.usage.append(used, [])
  const interval = { startTimeMs: 0, endTimeMs: Date.now(), granularity: 'day', groupBy: [] } as const
  await management.storage.usage.report({ projectNumber: found?.number ?? '', ...interval })
}

describe('pollux projects', () => {
  test('are made, listed, changed, deleted and brought back', async () => {
    const created = await output([
      'projects',
      'create',
      'web-shop',
      '--display-name',
      'Web shop',
      '--labels',
      'team=web',
    ])
    expect(steadyLines(created)).toEqual([
      'Project  web-shop',
      'Name     Web shop',
      'Number   400000000000',
      'State    ACTIVE',
      'Parent   organizations/1',
      'Created  2026-01-01T00:00:00.000Z',
      'Updated  2026-01-01T00:00:00.000Z',
      'Labels   team=web',
      'Etag     W/"etag"',
    ])
    expect(steadyLines(await output(['projects', 'list']))).toEqual([
      'PROJECT   NAME      STATE   NUMBER        CREATED                   LABELS',
      'web-shop  Web shop  ACTIVE  400000000000  2026-01-01T00:00:00.000Z  team=web',
    ])
    expect(steadyLines(await output(['projects', 'list'], { columns: 80 }))).toEqual([
      'PROJECT   NAME      STATE   NUMBER        CREATED  LABELS',
      'web-shop  Web shop  ACTIVE  400000000000  now      team=web',
    ])
    expect(steadyLines(await output(['projects', 'list'], { columns: 40 }))).toEqual([
      'PROJECT   NAME      STATE   NUMBER',
      'web-shop  Web shop  ACTIVE  400000000000',
    ])
    const aliases = ['--model-alias', 'gemini-pro=gemini-3.8-pro@v1beta', '--clear-labels']
    const updated = await json(['projects', 'update', 'projects/web-shop', ...aliases])
    expect(updated).toMatchObject({
      displayName: 'Web shop',
      modelAliases: { 'gemini-pro': { model: 'gemini-3.8-pro', apiVersion: 'v1beta' } },
    })
    expect(updated).not.toHaveProperty('labels')
    expect(await output(['projects', 'get', 'web-shop'])).toContain(
      'Aliases  gemini-pro=gemini-3.8-pro@v1beta\n',
    )
    const deleted = await pollux(['projects', 'delete', 'web-shop'], {
      isStdinTty: true,
      stdin: 'web-shop\n',
    })
    expect(deleted).toMatchObject({ code: 0, out: '' })
    expect(deleted.err).toContain('All keys of web-shop will be refused at once.')
    expect(await json(['projects', 'list'])).toEqual({ projects: [] })
    expect(await output(['projects', 'list', '--show-deleted'])).toContain('DELETE_REQUESTED')
    expect(await json(['projects', 'undelete', 'web-shop'])).toMatchObject({ state: 'ACTIVE' })
  })

  test('are not deleted unless their id is typed', async () => {
    await project('kept-project')
    const typo = await pollux(['projects', 'delete', 'kept-project'], { isStdinTty: true, stdin: 'y\n' })
    expect(typo).toMatchObject({ code: 1, out: '' })
    expect(await json(['projects', 'get', 'kept-project'])).toMatchObject({ state: 'ACTIVE' })
  })
})

describe('pollux keys create', () => {
  const flags = [
    '--display-name',
    'Web',
    '--allowed-ips',
    '203.0.113.0/24',
    '--allowed-models',
    'gemini-3.8-flash',
  ]

  test('shows people the key once, with lines that can be pasted, and says so on standard error', async () => {
    await project('create-human')
    const ran = await pollux(['keys', 'create', '--project', 'create-human', '--key-id', 'web', ...flags], {
      columns: 80,
    })
    expect(ran.code).toBe(0)
    expect(steadyLines(ran.out)).toEqual([
      `export GEMINI_API_KEY=plx_${'K'.repeat(36)}`,
      "export GOOGLE_GEMINI_BASE_URL='http://127.0.0.1:8700'",
      `curl 'http://127.0.0.1:8700/v1beta/models/gemini-3.8-flash:generateContent' -H "x-goog-api-key: $GEMINI_API_KEY" -H 'content-type: application/json' -d '{"contents":[{"role":"user","parts":[{"text":"Hello"}]}]}'`,
    ])
    expect(ran.err).toBe('Made key web in create-human. It is shown only this once: keep it now.\n')
    expect(ran.out.match(/plx_/g)).toHaveLength(1)
    expect(await output(['keys', 'get', 'web', '-p', 'create-human'])).not.toMatch(/plx_[0-9A-Za-z]{8}/)
  })

  test('prints with --json what the API answers, and with --quiet the key alone', async () => {
    await project('create-script')
    const key = await json(['keys', 'create', '--project', 'create-script', '--key-id', 'web', ...flags])
    expect(key).toMatchObject({
      displayName: 'Web',
      keyString: expect.stringMatching(/^plx_[0-9A-Za-z]{36}$/),
      restrictions: { serverKeyRestrictions: { allowedIps: ['203.0.113.0/24'] } },
      allowedModels: ['gemini-3.8-flash'],
    })
    const quiet = await output(['keys', 'create', '--project', 'create-script', '-q'])
    expect(quiet).toMatch(/^plx_[0-9A-Za-z]{36}\n$/)
    expect((await pollux(['keys', 'create', '--quiet', '--json'])).code).toBe(2)
  })

  test('takes every restriction, with commas and repetition', async () => {
    await project('create-all')
    const create = ['keys', 'create', '--project', 'create-all']
    const target = 'service=generativelanguage.googleapis.com,methods=GenerateContent;CountTokens'
    const browser = [
      '--allowed-referrers',
      'example.com/*,example.org/*',
      '--allowed-referrers',
      'example.net/*',
    ]
    const labels = ['--annotations', 'team=web,tier=1', '--environment', 'staging', '--allowed-tools', 'none']
    const app = `sha1_fingerprint=${'AB:'.repeat(19)}AB,package_name=com.example`
    expect(
      await json([...create, ...browser, ...labels, '--api-target', target, '--expire-time', '2099-01-01']),
    ).toMatchObject({
      restrictions: {
        browserKeyRestrictions: { allowedReferrers: ['example.com/*', 'example.org/*', 'example.net/*'] },
        apiTargets: [
          { service: 'generativelanguage.googleapis.com', methods: ['GenerateContent', 'CountTokens'] },
        ],
      },
      annotations: { team: 'web', tier: '1' },
      environment: 'staging',
      allowedTools: [],
      expireTime: '2099-01-01T00:00:00.000Z',
    })
    expect(await json([...create, '--allowed-application', app])).toMatchObject({
      restrictions: {
        androidKeyRestrictions: {
          allowedApplications: [{ sha1Fingerprint: 'AB'.repeat(20), packageName: 'com.example' }],
        },
      },
    })
    expect(await json([...create, '--allowed-bundle-ids', 'a.b,c.d'])).toMatchObject({
      restrictions: { iosKeyRestrictions: { allowedBundleIds: ['a.b', 'c.d'] } },
    })
    const { expireTime } = await json([...create, '--expires', '90d'])
    expect(Math.abs(Date.parse(expireTime) - Date.now() - 90 * 86_400_000)).toBeLessThan(60_000)
  })
})

describe('pollux keys list and get', () => {
  const list = ['keys', 'list', '--project', 'list-project']
  beforeAll(async () => {
    await project('list-project')
    const create = ['keys', 'create', '--project', 'list-project', '-q']
    const restricted = ['--allowed-ips', '203.0.113.7', '--allowed-models', 'gemini-3*', '--expires', '721h']
    await output([...create, '--key-id', 'web', '--display-name', 'Web shop of the north', ...restricted])
    await output(create)
    await use('list-project', 'web')
  })

  test('in a pipe: whole cells, RFC 3339, no colour', async () => {
    const { out, err } = await pollux(list)
    expect(err).toBe('')
    expect(steadyLines(out)).toEqual([
      'KEY                                   NAME                   STATE   LAST USED                 KEY STRING  EXPIRES                   RESTRICTIONS',
      'web                                   Web shop of the north  ACTIVE  2026-01-01T00:00:00.000Z  plx_…KKKK   2026-01-01T00:00:00.000Z  addresses 203.0.113.7; models gemini-3*',
      `${MASKED_UUID}                         ACTIVE  never                     plx_…KKKK   never                     none`,
    ])
  })

  test('on 80 columns: relative times, shortened names, a hint of what is hidden', async () => {
    const { out, err } = await pollux(list, { columns: 80 })
    expect(steadyLines(out)).toEqual([
      'KEY                                   NAME         STATE   LAST USED  KEY STRING',
      'web                                   Web shop o…  ACTIVE  2 h ago    plx_…KKKK',
      `${MASKED_UUID}               ACTIVE  never      plx_…KKKK`,
    ])
    expect(err).toBe('hint: no room for EXPIRES, RESTRICTIONS; --json shows everything\n')
  })

  test('on 40 columns: id, name and state', async () => {
    const { out } = await pollux(list, { columns: 40 })
    expect(steadyLines(out).map(line => line.replace(/^[0-9a-f]{8}-[-0-9a-f]+…/, 'UUID…'))).toEqual([
      'KEY                     NAME      STATE',
      'web                     Web sho…  ACTIVE',
      'UUID…            ACTIVE',
    ])
  })

  test('bold titles only where colour is wanted on a terminal', async () => {
    expect(await output(list, { columns: 80, colour: true })).toContain('\u001b[1mKEY')
    expect(await output(list, { colour: true })).not.toContain('\u001b')
    expect(await output(list, { columns: 80 })).not.toContain('\u001b')
  })

  test('with --json exactly what the API answers', async () => {
    const answer = await management.request('GET', '/pollux/v1/projects/list-project/keys')
    expect(await output([...list, '--json'])).toBe(`${JSON.stringify(answer.json, null, 2)}\n`)
  })

  test('get shows everything but the key, by id, uid and resource name', async () => {
    const key = await json(['keys', 'get', 'web', '--project', 'list-project'])
    const byId = await output(['keys', 'get', 'web', '--project', 'list-project'], { columns: 80 })
    expect(steadyLines(byId)).toEqual([
      'Key         web',
      'Name        Web shop of the north',
      'State       ACTIVE',
      'Key string  plx_…KKKK',
      'Resource    projects/400000000000/locations/global/keys/web',
      `Uid         ${MASKED_UUID}`,
      'Created     now',
      'Updated     now',
      'Last used   2 h ago',
      'Expires     in 30 days',
      'Clients     addresses 203.0.113.7',
      'APIs        any',
      'Models      gemini-3*',
      'Tools       any',
      'Etag        W/"etag"',
    ])
    expect(await output(['keys', 'get', key.name], { columns: 80 })).toBe(byId)
    expect(await output(['keys', 'get', key.uid, '-p', 'list-project'], { columns: 80 })).toBe(byId)
    expect((await pollux(['keys', 'get', key.name, '--project', 'other-project'])).code).toBe(2)
  })

  test('all pages come in one answer', async () => {
    await project('full-project')
    const params = { project: 'full-project' }
    const ids = Array.from({ length: 301 }, (_, at) => `key-${at}`)
    const [first = '', ...others] = ids
    await management.client.call(POLLUX_V1.createKey, { params, query: { keyId: first }, body: {} })
    await management.client.call(POLLUX_V1.deleteKey, { params: { ...params, key: first } })
    const creations = others.map(keyId =>
      management.client.call(POLLUX_V1.createKey, { params, query: { keyId }, body: {} }),
    )
    await Promise.all(creations)
    const all = ['keys', 'list', '--project', 'full-project', '--show-deleted']
    expect((await json(all)).keys).toHaveLength(301)
    expect((await output(all)).split('\n')).toHaveLength(301 + 2)
  })

  test('an empty project says how to make a key, on standard error', async () => {
    await project('empty-project')
    const { out, err } = await pollux(['keys', 'list', '--project', 'empty-project'])
    expect([out, err]).toEqual(['', 'No keys. Make one with: pollux keys create\n'])
  })
})

describe('pollux keys update', () => {
  test('changes what flags are given for, keeps the other half of the restrictions, and clears', async () => {
    await project('update-project')
    const update = ['keys', 'update', 'web', '--project', 'update-project']
    const create = ['keys', 'create', '--project', 'update-project', '--key-id', 'web', '-q']
    await output([
      ...create,
      '--allowed-ips',
      '203.0.113.7',
      '--allowed-models',
      'gemini-3*',
      '--expires',
      '9d',
    ])
    expect(await output([...update, '--display-name', 'Web'])).toContain(
      'Clients     addresses 203.0.113.7\n',
    )
    const targeted = await json([...update, '--api-target', 'service=generativelanguage.googleapis.com'])
    expect(targeted.restrictions).toEqual({
      serverKeyRestrictions: { allowedIps: ['203.0.113.7'] },
      apiTargets: [{ service: 'generativelanguage.googleapis.com' }],
    })
    const moved = await json([...update, '--allowed-referrers', 'example.com/*'])
    expect(Object.keys(moved.restrictions).sort()).toEqual(['apiTargets', 'browserKeyRestrictions'])
    expect(moved).toMatchObject({ displayName: 'Web', allowedModels: ['gemini-3*'] })
    const cleared = await json([
      ...update,
      '--clear-restrictions',
      '--clear-allowed-models',
      '--clear-expire-time',
    ])
    for (const field of ['restrictions', 'allowedModels', 'expireTime'])
      expect(cleared).not.toHaveProperty(field)
    expect((await pollux([...update, '--etag', moved.etag, '--display-name', 'Late'])).code).toBe(6)
    expect(await json([...update, '--etag', cleared.etag, '--display-name', 'Now'])).toMatchObject({
      displayName: 'Now',
    })
    expect((await pollux(update)).code).toBe(2)
    expect((await pollux([...update, '--clear-restrictions', '--allowed-ips', '::1'])).code).toBe(2)
  })
})

describe('pollux keys disable, enable, delete, undelete', () => {
  const params = ['web', '--project', 'life-project']
  const state = async (): Promise<string> => (await json(['keys', 'get', ...params])).state
  beforeAll(async () => {
    await project('life-project')
    await output(['keys', 'create', '--project', 'life-project', '--key-id', 'web', '-q'])
  })

  test('disable and enable say what is so now', async () => {
    const disabled = await pollux(['keys', 'disable', ...params])
    expect(disabled).toEqual({
      code: 0,
      out: '',
      err: 'The key web is disabled: calls with it are refused from now on.\n',
    })
    expect(await state()).toBe('DISABLED')
    expect(await json(['keys', 'enable', ...params])).toMatchObject({ state: 'ACTIVE' })
  })

  test('delete asks on a terminal, and is a usage error where nobody can answer', async () => {
    expect((await pollux(['keys', 'delete', ...params])).code).toBe(2)
    const no = await pollux(['keys', 'delete', ...params], { isStdinTty: true, stdin: '\n' })
    expect(no).toMatchObject({ code: 1, out: '' })
    expect(no.err).toContain('Delete key web? [y/N] ')
    expect(await state()).toBe('ACTIVE')
    expect((await pollux(['keys', 'delete', ...params], { isStdinTty: true, stdin: 'y\n' })).code).toBe(0)
    expect(await state()).toBe('DELETED')
    expect((await pollux(['keys', 'undelete', ...params])).err).toBe(
      'The key web is back; its state is ACTIVE.\n',
    )
    expect(await json(['keys', 'delete', ...params, '--yes'])).toMatchObject({ state: 'DELETED' })
    expect(await json(['keys', 'undelete', ...params])).toMatchObject({ state: 'ACTIVE' })
  })

  test('a key in use is deleted only when its id is typed, and not at all with --check-existing-usage', async () => {
    await use('life-project', 'web')
    const yes = await pollux(['keys', 'delete', ...params], { isStdinTty: true, stdin: 'y\n', columns: 80 })
    expect(yes.code).toBe(1)
    expect(yes.err).toContain('The key web was last used 2 h ago. Type its id to delete it: ')
    const checked = await pollux(['keys', 'delete', ...params, '--yes', '--check-existing-usage'])
    expect(checked.code).toBe(6)
    expect(checked.err).toContain('hint: Wait until nobody uses the key')
    expect((await pollux(['keys', 'delete', ...params], { isStdinTty: true, stdin: 'web\n' })).code).toBe(0)
  })
})

describe('pollux keys test', () => {
  beforeAll(async () => {
    await project('test-project')
    const flags = ['--allowed-ips', '203.0.113.0/24', '--allowed-models', 'gemini-3*']
    await output(['keys', 'create', '--project', 'test-project', '--key-id', 'web', '-q', ...flags])
  })
  const judge = ['keys', 'test', 'web', '--project', 'test-project', '--model', 'gemini-3.8-flash']

  test('an allowed call exits with 0 and shows the verdict of every rule', async () => {
    const ran = await pollux([
      ...judge,
      '--ip',
      '203.0.113.7',
      '--method',
      'GenerateContent',
      '--api-version',
      'v1beta',
    ])
    expect(ran.code).toBe(0)
    expect(ran.out.split('\n')).toEqual([
      'RULE    VERDICT  REASON',
      'state   allowed',
      'client  allowed',
      'method  no rule',
      'model   allowed',
      'tools   no rule',
      '',
      'Allowed.',
      '',
    ])
  })

  test('a refused call exits with 10 and says which rule refuses and why', async () => {
    const ran = await pollux([...judge, '--address', '198.51.100.1'])
    expect(ran.code).toBe(10)
    expect(ran.out).toContain('client  refused  API_KEY_IP_ADDRESS_BLOCKED\n')
    expect(ran.out).toMatch(/\nRefused\. .*198\.51\.100\.1/)
    const asJson = await pollux([
      ...judge,
      '--referrer',
      'https://example.com/',
      '--tools',
      'googleSearch',
      '--json',
    ])
    expect(asJson.code).toBe(10)
    expect(JSON.parse(asJson.out)).toMatchObject({ allowed: false })
  })
})

test('pollux keys lookup reads the key from standard input and tells whose it is', async () => {
  await project('lookup-project')
  const key = await json(['keys', 'create', '--project', 'lookup-project', '--key-id', 'web'])
  const found = await pollux(['keys', 'lookup'], { stdin: `${key.keyString}\n` })
  expect(found.out).toMatch(/^Key {9}web\n/)
  const parent = key.name.replace('/keys/web', '')
  const asJson = await pollux(['keys', 'lookup', '--stdin', '--json'], { stdin: key.keyString })
  expect(JSON.parse(asJson.out)).toEqual({ parent, name: key.name })
  const wrong = await pollux(['keys', 'lookup'], { stdin: `${key.keyString.slice(0, -1)}\n` })
  expect(wrong.code).toBe(2)
  expect(wrong.err).toContain('Nothing was sent.')
})

describe('pollux usage', () => {
  const usage = ['usage', '--project', 'usage-project']
  const atMs = Date.UTC(2026, 0, 15, 10, 30)
  const since = ['--since', '2026-01-15', '--until', '2026-01-16']
  beforeAll(async () => {
    await project('usage-project')
    await output(['keys', 'create', '--project', 'usage-project', '--key-id', 'web', '-q'])
    await use('usage-project', 'web', { startTimeMs: atMs })
    const unpriced = { model: 'gemini-3.8-pro', httpStatus: 500, costNanos: null }
    await use('usage-project', 'web', { startTimeMs: atMs, ...unpriced })
  })

  test('in a pipe: plain numbers, nothing but rows', async () => {
    expect((await output([...usage, ...since])).split('\n')).toEqual([
      'KEY  MODEL             CALLS     COST  TOTAL  INPUT  OUTPUT  THOUGHTS  CACHED  TOOL USE  ERRORS  ESTIMATED  UNPRICED',
      'web  gemini-3.8-flash      1  $0.0025   1234   1000     234         0       0         0       0          0         0',
      'web  gemini-3.8-pro        1    $0.00   1234   1000     234         0       0         0       1          0         1',
      '',
    ])
  })

  test('on 80 and 40 columns: separators, a sum, whole numbers', async () => {
    expect((await output([...usage, ...since], { columns: 80 })).split('\n')).toEqual([
      'KEY    MODEL             CALLS     COST  TOTAL  INPUT  OUTPUT  THOUGHTS  CACHED',
      'web    gemini-3.8-flash      1  $0.0025  1,234  1,000     234         0       0',
      'web    gemini-3.8-pro        1    $0.00  1,234  1,000     234         0       0',
      'total                        2  $0.0025  2,468  2,000     468         0       0',
      '',
    ])
    expect((await output([...usage, ...since], { columns: 40 })).split('\n')).toEqual([
      'KEY    MODEL             CALLS     COST',
      'web    gemini-3.8-flash      1  $0.0025',
      'web    gemini-3.8-pro        1    $0.00',
      'total                        2  $0.0025',
      '',
    ])
  })

  test('groups as asked, and with --json is what the API answers', async () => {
    const query =
      'startTime=2026-01-15T00:00:00.000Z&endTime=2026-01-16T00:00:00.000Z&granularity=hour&groupBy=time,method'
    const answer = await management.request('GET', `/pollux/v1/projects/usage-project/usage?key=web&${query}`)
    const grouped = [...usage, ...since, '--key', 'web', '--granularity', 'hour', '--group-by', 'time,method']
    expect(await output([...grouped, '--json'])).toBe(`${JSON.stringify(answer.json, null, 2)}\n`)
    expect(await output(grouped)).toMatch(/GenerateContent +2026-01-15T10:00:00\.000Z +2 +\$0\.0025 +2468/)
  })

  test('nothing used is said on standard error', async () => {
    const { out, err } = await pollux([...usage, '--since', '2025-01-01', '--until', '2025-01-02'])
    expect([out, err]).toEqual(['', 'No calls from 2025-01-01T00:00:00.000Z to 2025-01-02T00:00:00.000Z.\n'])
  })
})

test('pollux version needs no server', async () => {
  const connection = () => {
    throw new Error('no token')
  }
  expect(await pollux(['version'], { connection })).toEqual({ code: 0, out: 'pollux 1.2.3\n', err: '' })
  expect(await pollux(['version', '--json'], { connection })).toMatchObject({
    code: 0,
    out: '{\n  "version": "1.2.3"\n}\n',
  })
  expect(await pollux(['--version'], { connection })).toMatchObject({ code: 0, out: '1.2.3\n' })
})
