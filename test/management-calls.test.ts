/** Calls one by one over the management API, and on the command line. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCli } from '../src/cli/run.ts'
import { KEY_BUDGETS_V1, ORGANIZATION_BUDGETS_V1 } from '../src/contract/budgets.v1.ts'
import { CALLS_V1 } from '../src/contract/calls.v1.ts'
import type { UsageRecord } from '../src/domain/usage.ts'
import { NO_USAGE } from '../src/domain/usage.ts'
import { run, steady } from './command-line.ts'
import { ADMIN_TOKEN, type Management, startManagement } from './management.ts'
import { makeProject, makeRobot } from './principals.ts'
import { spend } from './spending.ts'

const START_MS = Date.UTC(2026, 0, 15, 10, 30)
const PROJECT = 'call-project'

let management: Management
let number: string
let keyUid: string
beforeAll(async () => {
  management = await startManagement()
  number = await makeProject(management, PROJECT)
  keyUid = (await management.storage.keys.find(number, 'web'))?.uid ?? ''
  await append({ callId: 'answered', startTimeMs: START_MS })
  await append({ callId: 'refused', startTimeMs: START_MS + 1_000, httpStatus: 429, outcome: 'void' })
  await append({ callId: 'pro', startTimeMs: START_MS + 2_000, model: 'gemini-2.5-pro', costNanos: null })
})
afterAll(() => management.close())

async function append(part: Partial<UsageRecord>): Promise<void> {
  const record: UsageRecord = {
    callId: 'call',
    startTimeMs: START_MS,
    durationMs: 250,
    firstByteMs: 90,
    projectNumber: number,
    keyUid,
    method: 'GenerateContent',
    model: 'gemini-3.8-flash',
    modelVersion: null,
    outcome: 'posted',
    httpStatus: 200,
    usage: { ...NO_USAGE, promptTokens: 1_000, candidatesTokens: 234, totalTokens: 1_234 },
    requestBytes: 10,
    responseBytes: 20,
    costNanos: 2_500_000,
    priceBasisPoints: 10_000,
    postedNanos: 0,
    heldNanos: 0,
    ledger: [],
    clampedOutputTokens: null,
    receivedUs: 310,
    admittedUs: 840,
    lastByteUs: 249_600,
    ...part,
  }
  await management.storage.usage.append(record, [])
}

const idsOf = (calls: readonly { readonly callId: string }[]) => calls.map(({ callId }) => callId)
const listed = async (query: string) => {
  const { status, json } = await management.request('GET', `/pollux/v1/calls?${query}`)
  return status === 200 ? idsOf(json.calls) : [status, json.error.details[0].reason]
}
const pollux = (argv: readonly string[]) => run({ url: management.origin, token: ADMIN_TOKEN }, argv)

describe('the list of calls', () => {
  it.each([
    ['', ['pro', 'refused', 'answered']],
    [`project=${PROJECT}&key=web`, ['pro', 'refused', 'answered']],
    ['project=default-project', [404, 'RESOURCE_NOT_FOUND']],
    ['status=4xx', ['refused']],
    ['status=200', ['pro', 'answered']],
    ['status=5xx', []],
    ['status=6xx', [400, 'FIELD_INVALID']],
    ['outcome=void', ['refused']],
    ['model=gemini-2.5-pro', ['pro']],
    ['method=CountTokens', []],
    ['callId=answered', ['answered']],
    ['startTime=2026-01-15T10:30:01Z&endTime=2026-01-15T10:30:02Z', ['refused']],
    ['key=web', [400, 'FIELD_INVALID']],
    [`project=${PROJECT}&key=nothing`, [404, 'RESOURCE_NOT_FOUND']],
    ['pageToken=nonsense', [400, 'FIELD_INVALID']],
  ])('with %s holds %j', async (query, expected) => {
    const untilThen =
      query.includes('Time') || query.includes('pageToken') ? '' : '&endTime=2026-02-01T00:00:00Z'
    expect(await listed(`${query}${untilThen}`)).toEqual(expected)
  })

  it('tells what a record knows, and names its key and project', async () => {
    const query = { callId: 'answered' }
    const { calls } = await management.client.call(CALLS_V1.listCalls, { query })
    expect(calls).toEqual([
      {
        name: `projects/${number}/calls/answered`,
        callId: 'answered',
        projectId: PROJECT,
        keyUid,
        keyId: 'web',
        startTime: '2026-01-15T10:30:00.000Z',
        durationMs: 250,
        receivedMs: 0.31,
        admittedMs: 0.84,
        firstByteMs: 90,
        lastByteMs: 249.6,
        method: 'GenerateContent',
        model: 'gemini-3.8-flash',
        outcome: 'posted',
        httpStatus: 200,
        promptTokens: 1_000,
        cachedTokens: 0,
        toolUsePromptTokens: 0,
        candidatesTokens: 234,
        thoughtsTokens: 0,
        totalTokens: 1_234,
        requestBytes: 10,
        responseBytes: 20,
        costNanos: '2500000',
        heldNanos: '0',
        postedNanos: '0',
      },
    ])
  })
})

describe('one call', () => {
  it('is read by its id, with the start or without, and not otherwise', async () => {
    const path = `/pollux/v1/projects/${PROJECT}/calls`
    const ask = async (query: string) => {
      const { status, json } = await management.request('GET', `${path}/${query}`)
      return status === 200 ? json.callId : status
    }
    expect(await ask('refused')).toBe('refused')
    expect(await ask('refused?startTime=2026-01-15T10:30:01Z')).toBe('refused')
    expect(await ask('refused?startTime=2026-01-15T10:30:02Z')).toBe(404)
    expect(await ask('nothing')).toBe(404)
  })

  it('has a ledger line for each budget that bound it, of those its reader may list', async () => {
    const { client } = management
    const query = { budgetId: 'total' } as const
    const body = { cap: '1000000000' }
    const params = { project: PROJECT, key: 'web' }
    await client.call(ORGANIZATION_BUDGETS_V1.createBudget, { params: { organization: '1' }, query, body })
    await client.call(KEY_BUDGETS_V1.createBudget, { params, query, body })
    const call = await spend(management.storage, { project: PROJECT, key: 'web', postedNanos: 700 })
    const asked = { params: { project: PROJECT, call } }
    const { ledger } = await client.call(CALLS_V1.getCall, asked)
    const sums = { heldNanos: '700', postedNanos: '700', freedNanos: '0' }
    const periodStartTime = ledger[0]?.periodStartTime
    expect(ledger).toEqual([
      { budget: 'organizations/1/budgets/total', periodStartTime, ...sums },
      { budget: `projects/${number}/keys/web/budgets/total`, periodStartTime, ...sums },
    ])
    const roles = [{ role: 'roles/viewer', project: PROJECT } as const]
    const viewer = await makeRobot(management, { home: PROJECT, id: 'viewer-robot', roles })
    const seen = await viewer.client.call(CALLS_V1.getCall, asked)
    expect(seen.ledger.map(({ budget }) => budget)).toEqual([`projects/${number}/keys/web/budgets/total`])
  })
})

describe('pollux calls', () => {
  const since = ['--since', '2026-01-15', '--until', '2026-01-16']

  it('list shows the newest first, in a pipe with whole times and ids', async () => {
    const { code, out, err } = await pollux(['calls', 'list', '--project', PROJECT, ...since])
    expect([code, err]).toEqual([0, ''])
    expect(out.split('\n')).toEqual([
      'STARTED                   STATUS  KEY  MODEL             METHOD             TIME  TOKENS      COST  REQUEST ID',
      '2026-01-15T10:30:02.000Z     200  web  gemini-2.5-pro    GenerateContent  250 ms    1234  unpriced  pro',
      '2026-01-15T10:30:01.000Z     429  web  gemini-3.8-flash  GenerateContent  250 ms    1234   $0.0025  refused',
      '2026-01-15T10:30:00.000Z     200  web  gemini-3.8-flash  GenerateContent  250 ms    1234   $0.0025  answered',
      '',
    ])
    const one = await pollux(['calls', 'list', ...since, '--limit', '1', '--status', '2xx', '--json'])
    expect(idsOf(JSON.parse(one.out).calls)).toEqual(['pro'])
    expect((await pollux(['calls', 'list', '--limit', 'all'])).code).toBe(2)
    expect((await pollux(['calls', 'list', ...since, '--status', '5xx'])).err).toBe('No calls.\n')
  })

  it('get shows one', async () => {
    const { out } = await pollux(['calls', 'get', 'answered', '--project', PROJECT])
    expect(steady(out).split('\n')).toEqual([
      'name        projects/400000000000/calls/answered',
      'started     2026-01-01T00:00:00.000Z',
      'key         call-project/web',
      'method      GenerateContent',
      'model       gemini-3.8-flash',
      'status      200',
      'outcome     posted',
      'received    after 0.31 ms',
      'let in      after 0.84 ms',
      'first byte  after 90 ms',
      'last byte   after 249.6 ms',
      'duration    250 ms',
      'tokens      1000 input, 0 cached, 0 tool use, 234 output, 0 thoughts, 1234 in all',
      'bytes       10 in, 20 out',
      'cost        $0.0025',
      '',
    ])
    expect((await pollux(['calls', 'get', 'nothing', '--project', PROJECT])).code).toBe(3)
  })

  it('list --follow prints each call as it ends, until it is stopped', async () => {
    const printed: string[] = []
    const begin = Promise.withResolvers<void>()
    const following = runCli(['calls', 'list', '--follow', '--json', '--status', '418'], {
      stdout: {
        write(text) {
          printed.push(text)
          if (printed.length === 2) throw new Error('the reader is gone')
        },
      },
      stderr: { write: text => void (text.startsWith('Calls are shown') && begin.resolve()) },
      stdin: (async function* () {})(),
      connection: () => ({ url: management.origin, token: ADMIN_TOKEN }),
      colour: false,
      version: '1.2.3',
    })
    await begin.promise
    let made = 0
    while (printed.length < 2) {
      await append({ callId: `teapot-${made++}`, httpStatus: 418, startTimeMs: Date.now() })
      await new Promise(resolve => setTimeout(resolve, 100))
    }
    expect(await following).toBe(1)
    const ids = printed.map(line => JSON.parse(line).callId as string)
    expect(new Set(ids).size).toBe(2)
    expect(ids.every(id => id.startsWith('teapot-'))).toBe(true)
  })
})
