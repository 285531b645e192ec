/** `pollux budgets` and `pollux ledger` against a real management plane: what they print, refuse and exit with. */
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Ran, type Situation, run, steady } from './command-line.ts'
import { ADMIN_TOKEN, type Management, startManagement } from './management.ts'
import { ADMIN_TOKEN as PROCESS_TOKEN, startPollux } from './pollux.ts'
import { spend } from './spending.ts'

let management: Management
let projects = 0
/** A project of its own for each test, with the key `web`. */
let project: string

beforeAll(async () => {
  management = await startManagement()
})
afterAll(() => management.close())
beforeEach(async () => {
  project = `budget-shop-${++projects}`
  await output(['projects', 'create', project])
  await output(['keys', 'create', '--project', project, '--key-id', 'web', '--quiet'])
})

async function pollux(argv: readonly string[], situation?: Situation): Promise<Ran> {
  return await run({ url: management.origin, token: ADMIN_TOKEN }, argv, situation)
}

/** Runs what must succeed, and returns its standard output. */
async function output(argv: readonly string[], situation?: Situation): Promise<string> {
  const { code, out, err } = await pollux(argv, situation)
  expect(code, err).toBe(0)
  return out
}

// oxlint-disable-next-line typescript/no-explicit-any -- a test reads whatever the wire brought
async function json(argv: readonly string[]): Promise<any> {
  return JSON.parse(await output([...argv, '--json']))
}

const steadyLines = (text: string): string[] =>
  steady(text)
    .replaceAll(/projects\/\d+/g, 'projects/N')
    .trimEnd()
    .split('\n')

describe('pollux budgets set', () => {
  test('makes a budget and shows it in dollars', async () => {
    const flags = ['--cap', '1.00', '--period', 'total', '--tool-ceiling', 'googleSearch=0.10']
    expect(steadyLines(await output(['budgets', 'set', '--project', project, ...flags]))).toEqual([
      `Budget         ${project}`,
      'Period         total',
      'State          ACTIVE',
      'Cap            $1.00',
      'Posted         $0.00',
      'Allotted       $0.00',
      'Free           $1.00',
      'Overrun        $0.00',
      'Policy         clamp',
      'Tool ceilings  googleSearch=$0.10',
      'Since          2026-01-01T00:00:00.000Z',
      'Ends           never',
      'Resource       projects/N/budgets/total',
      'Created        2026-01-01T00:00:00.000Z',
      'Updated        2026-01-01T00:00:00.000Z',
      'Etag           W/"etag"',
    ])
  })

  test('changes only what flags are given for', async () => {
    const name = ['budgets', 'set', '--project', project, '--key', 'web', '--period', 'day']
    const first = ['--cap', '0.000000001', '--policy', 'refuse', '--default-max-output-tokens', '512']
    expect(await json([...name, ...first])).toMatchObject({
      name: expect.stringMatching(/^projects\/\d+\/keys\/web\/budgets\/day$/),
      scope: 'key',
      project,
      key: 'web',
      period: 'day',
      cap: '1',
      policy: 'refuse',
      defaultMaxOutputTokens: 512,
    })
    expect(await json([...name, '--cap', '2.5'])).toMatchObject({ cap: '2500000000', policy: 'refuse' })
    const cleared = await json([...name, '--clear-default-max-output-tokens', '--policy', 'clamp'])
    expect(cleared).toMatchObject({ cap: '2500000000', policy: 'clamp' })
    expect(cleared).not.toHaveProperty('defaultMaxOutputTokens')
  })

  test('of the organization needs its scope', async () => {
    const set = ['budgets', 'set', '--scope', 'organization', '--cap', '9000000', '--period', 'month']
    expect(await json(set)).toMatchObject({
      name: 'organizations/1/budgets/month',
      cap: '9000000000000000',
    })
    await output(['budgets', 'delete', '--scope', 'organization', '--period', 'month', '--yes'])
  })

  test.each([
    [['--cap', '-1.00'], 'such as 1.00'],
    [['--cap=-1.00'], 'such as 1.00'],
    [['--cap', '1e3'], 'such as 1.00'],
    [['--cap', '0.0000000001'], 'such as 1.00'],
    [['--cap', '9000000.000000001'], 'such as 1.00'],
    [['--cap', 'a lot'], 'such as 1.00'],
    [['--tool-ceiling', 'imageOutput=1'], 'is none of googleSearch'],
    [['--tool-ceiling', 'googleSearch=-1'], 'such as 1.00'],
    [['--policy', 'warn'], 'Allowed choices are clamp, refuse'],
    [['--default-max-output-tokens', '0'], 'above 0'],
    [[], 'No flag says what to set.'],
    [['--cap', '1', '--period', 'week'], 'Allowed choices are month, day, total'],
    [['--cap', '1', '--scope', 'organization'], 'contradict'],
    [['--cap', '1', '--scope', 'project', '--key', 'web'], 'contradict'],
    [['--cap', '1', '--scope', 'key'], '--scope key needs --key'],
  ])('refuses %j as a mistake of usage', async (flags, message) => {
    const ran = await pollux(['budgets', 'set', '--project', project, '--period', 'day', ...flags])
    expect([ran.code, ran.out]).toEqual([2, ''])
    expect(ran.err).toContain(message)
    expect(await json(['budgets', 'list', '--project', project])).toEqual({ budgets: [] })
  })

  test('says whose budget and which period is missing', async () => {
    const nobody = await pollux(['budgets', 'set', '--cap', '1', '--period', 'day'])
    expect(nobody).toMatchObject({ code: 2, err: expect.stringContaining('--scope organization') })
    const never = await pollux(['budgets', 'set', '--project', project, '--cap', '1'])
    expect(never).toMatchObject({ code: 2, err: expect.stringContaining('--period') })
    const gone = await pollux(['budgets', 'set', '--project', 'no-such', '--cap', '1', '--period', 'day'])
    expect(gone.code).toBe(3)
    const first = await pollux([
      'budgets',
      'set',
      '--project',
      project,
      '--policy',
      'clamp',
      '--period',
      'day',
    ])
    expect(first).toMatchObject({ code: 2, err: expect.stringContaining('budget.cap') })
  })
})

describe('pollux budgets list', () => {
  beforeEach(async () => {
    await output(['budgets', 'set', '--project', project, '--cap', '1.00', '--period', 'total'])
    await output(['budgets', 'set', '--project', project, '--key', 'web', '--cap', '0.5', '--period', 'day'])
    await spend(management.storage, { project, key: 'web', postedNanos: 250_000_000 })
  })

  test('gives nano-dollars as decimal strings', async () => {
    const { budgets } = await json(['budgets', 'list', '--project', project])
    expect(budgets).toMatchObject([
      { scope: 'project', period: 'total', cap: '1000000000', posted: '250000000', overrun: '0' },
      { scope: 'key', period: 'day', cap: '500000000', posted: '250000000', overrun: '0' },
    ])
    for (const { allotted } of budgets) expect(allotted).toMatch(/^\d+$/)
    expect((await json(['budgets', 'list', '--project', project, '--key', 'web'])).budgets).toHaveLength(1)
    const path = await json(['budgets', 'list', '--project', project, '--key', 'web', '--path'])
    expect(path.budgets).toEqual(budgets)
  })

  test('shows people dollars', async () => {
    const lines = steadyLines(await output(['budgets', 'list', '--project', project]))
    expect(lines.map(line => line.replaceAll(/ +/g, ' '))).toEqual([
      'BUDGET PERIOD STATE CAP POSTED ALLOTTED FREE OVERRUN ENDS POLICY',
      `${project} total ACTIVE $1.00 $0.25 $0.00 $0.75 $0.00 never clamp`,
      `${project}/web day ACTIVE $0.50 $0.25 $0.00 $0.25 $0.00 2026-01-01T00:00:00.000Z clamp`,
    ])
    const narrow = await pollux(['budgets', 'list', '--project', project], { columns: 60 })
    expect(narrow.out).toContain('$0.25')
    expect(narrow.err).toContain('--json shows everything')
  })

  test('says so where there is none', async () => {
    await output(['projects', 'create', `${project}-empty`])
    const ran = await pollux(['budgets', 'list', '--project', `${project}-empty`])
    expect(ran).toMatchObject({ code: 0, out: '', err: expect.stringContaining('No budgets.') })
  })
})

test('pollux budgets delete asks, and removes the cap', async () => {
  await output(['budgets', 'set', '--project', project, '--cap', '1.00', '--period', 'total'])
  const remove = ['budgets', 'delete', '--project', project, '--period', 'total']
  expect(await pollux(remove)).toMatchObject({ code: 2, err: expect.stringContaining('--yes') })
  const no = await pollux(remove, { isStdinTty: true, stdin: 'n\n' })
  expect(no).toMatchObject({
    code: 1,
    err: expect.stringContaining(`total budget of ${project}, which caps at $1.00`),
  })
  expect((await json(['budgets', 'list', '--project', project])).budgets).toHaveLength(1)
  expect((await pollux(remove, { isStdinTty: true, stdin: 'y\n' })).code).toBe(0)
  expect(await json(['budgets', 'list', '--project', project])).toEqual({ budgets: [] })
  expect((await pollux([...remove, '--yes'])).code).toBe(3)
})

describe('pollux ledger verify', () => {
  test('exits 0 while every budget equals its records, and 12 for an overrun until it is acknowledged', async () => {
    await output(['budgets', 'set', '--project', project, '--cap', '1.00', '--period', 'total'])
    await spend(management.storage, { project, key: 'web', postedNanos: 999 })
    expect(await output(['ledger', 'verify', '--json'])).toContain('"drifts": []')
    await spend(management.storage, { project, key: 'web', postedNanos: 1, costNanos: 2_000_000_001 })
    const overrun = await pollux(['ledger', 'verify'])
    expect(overrun).toMatchObject({ code: 12, err: expect.stringContaining('nobody has acknowledged: 1.') })
    expect(overrun.out).toContain('every budget equals its records')
    expect(await output(['budgets', 'acknowledge', '--project', project, '--period', 'total'])).not.toContain(
      'FROZEN',
    )
    expect((await pollux(['ledger', 'verify'])).err).toBe('')
    expect((await pollux(['ledger', 'verify'])).code).toBe(0)
  })

  test('exits 13 for a budget that differs from its records, and names it', async () => {
    await output(['budgets', 'set', '--project', project, '--cap', '1.00', '--period', 'total'])
    await spend(management.storage, { project, key: 'web', postedNanos: 700 })
    const { budgets } = await json(['budgets', 'list', '--project', project])
    expect(budgets[0].posted).toBe('700')
    const database = new DatabaseSync(management.databasePath)
    const posted = database.prepare('update budget_period set posted = posted + ? where budget_uid = ?')
    const status = await management.storage.budgets.list({ period: 'total' })
    const uid = status.find(({ balance }) => balance.postedNanos === 700)?.uid ?? ''
    try {
      posted.run(5, uid)
      const drift = await pollux(['ledger', 'verify'])
      expect(drift.code).toBe(13)
      expect(drift.out).toMatch(/^projects\/\d+\/budgets\/total +\S+ +posted +\$0\.000000705 +\$0\.0000007$/m)
      const { code, out } = await pollux(['ledger', 'verify', '--json'])
      expect([code, JSON.parse(out).drifts]).toMatchObject([
        13,
        [{ budget: budgets[0].name, what: 'posted', booked: '705', expected: '700' }],
      ])
    } finally {
      posted.run(-5, uid)
      database.close()
    }
    expect((await pollux(['ledger', 'verify'])).code).toBe(0)
  })
})

test('every command of budgets works against a whole Pollux', { timeout: 60_000 }, async () => {
  const server = await startPollux()
  try {
    const shell = { url: server.origin, token: PROCESS_TOKEN }
    const set = await run(shell, [
      'budgets',
      'set',
      '--scope',
      'organization',
      '--cap',
      '1',
      '--period',
      'month',
    ])
    expect(set.code, set.err).toBe(0)
    const list = await run(shell, ['budgets', 'list', '--json'])
    expect(JSON.parse(list.out).budgets).toMatchObject([{ scope: 'organization', cap: '1000000000' }])
    expect((await run(shell, ['ledger', 'verify'])).code).toBe(0)
  } finally {
    await server.stop()
  }
})
