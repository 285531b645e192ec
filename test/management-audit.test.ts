/** The audit trail and recoverable keys as people meet them: over the API and on the command line. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { APIKEYS_V2 } from '../src/contract/apikeys.v2.ts'
import { AUDIT_V1 } from '../src/contract/audit.v1.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { canonicalJson } from '../src/domain/canonical-json.ts'
import { digestOf } from '../src/domain/digest.ts'
import { openEngine } from '../src/storage/engine.ts'
import { run } from './command-line.ts'
import { ADMIN_TOKEN, type Management, startManagement } from './management.ts'

let management: Management
const shell = () => ({ url: management.origin, token: ADMIN_TOKEN })
const PROJECT = { project: 'audited-shop' }
let keyString = ''

beforeAll(async () => {
  management = await startManagement()
  const { client } = management
  await client.call(POLLUX_V1.createProject, { body: { projectId: PROJECT.project, displayName: 'Shop' } })
  await client.call(POLLUX_V1.updateProject, { params: PROJECT, query: {}, body: { recoverableKeys: true } })
  const key = await client.call(POLLUX_V1.createKey, { params: PROJECT, query: { keyId: 'web' }, body: {} })
  keyString = key.keyString ?? ''
  await client.call(POLLUX_V1.createKey, { params: PROJECT, query: { keyId: 'web-2' }, body: {} })
})
afterAll(() => management.close())

interface Entry {
  readonly labels: Readonly<Record<string, string>>
  readonly protoPayload: {
    readonly methodName: string
    readonly response?: { readonly recoverableKeys?: boolean }
    readonly resourceOriginalState?: { readonly recoverableKeys?: boolean }
  }
}

describe('the audit trail over the API', () => {
  test('has the shape of Cloud Audit Logs: who, what, from where, why, before and after', async () => {
    await management.request('PATCH', `/pollux/v1/projects/${PROJECT.project}?updateMask=displayName`, {
      headers: {
        authorization: `Bearer ${ADMIN_TOKEN}`,
        'content-type': 'application/json',
        'user-agent': 'terraform/1.9',
        'x-goog-request-reason': 'ticket 7',
      },
      body: JSON.stringify({ displayName: 'Web shop' }),
    })
    const query = { project: PROJECT.project, pageSize: 1 }
    const { entries } = await management.client.call(AUDIT_V1.listAuditEntries, { query })
    expect(entries?.[0]).toMatchObject({
      logName: expect.stringMatching(/^projects\/\d+\/logs\/cloudaudit\.googleapis\.com%2Factivity$/),
      severity: 'NOTICE',
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
      resource: { type: 'audited_resource', labels: { method: 'pollux.v1.Projects.UpdateProject' } },
      protoPayload: {
        '@type': 'type.googleapis.com/google.cloud.audit.AuditLog',
        methodName: 'pollux.v1.Projects.UpdateProject',
        resourceName: expect.stringMatching(/^projects\/\d+$/),
        authenticationInfo: { principalSubject: 'tokens/admin' },
        authorizationInfo: [{ permission: 'resourcemanager.projects.update', granted: true }],
        requestMetadata: {
          callerIp: '203.0.113.9',
          callerSuppliedUserAgent: 'terraform/1.9',
          requestAttributes: { reason: 'ticket 7' },
        },
        resourceOriginalState: { displayName: 'Shop' },
        response: { displayName: 'Web shop' },
        status: {},
      },
    })
  })

  test('can be recomputed from an export alone: each digest covers its entry and the one before', async () => {
    const { out, code } = await run(shell(), ['audit', 'export'])
    expect(code).toBe(0)
    let previous = ''
    const entries = out
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as Entry)
    for (const [place, entry] of entries.entries()) {
      const { 'pollux/digest': digest = '', ...labels } = entry.labels
      expect(labels).toEqual({ 'pollux/sequence': String(place + 1), 'pollux/previousDigest': previous })
      expect(digestOf(canonicalJson({ ...entry, labels }))).toBe(digest)
      previous = digest
    }
    expect(entries.length).toBeGreaterThanOrEqual(4)
  })

  test('is found by the key it is about, read from standard input, without the key beside it', async () => {
    const found = await run(shell(), ['audit', 'find', '--key-stdin', '--json'], { stdin: `${keyString}\n` })
    const { name, entries } = JSON.parse(found.out) as { name: string; entries: readonly Entry[] }
    expect(name).toMatch(/\/keys\/web$/)
    expect(entries.map(({ protoPayload }) => protoPayload.methodName)).toEqual(['pollux.v1.Keys.CreateKey'])
    expect(found.out).not.toContain(keyString)
    expect((await run(shell(), ['audit', 'find', '--key-stdin'], { stdin: 'garbage\n' })).code).toBe(2)
  })
})

describe('a recoverable key', () => {
  test('is the choice of its project, made explicitly and audited', async () => {
    const query = { project: PROJECT.project, method: 'pollux.v1.Projects.UpdateProject', oldestFirst: true }
    const { entries = [] } = await management.client.call(AUDIT_V1.listAuditEntries, { query })
    const [first] = entries as unknown as readonly Entry[]
    expect(first?.protoPayload.resourceOriginalState?.recoverableKeys).toBe(false)
    expect(first?.protoPayload.response?.recoverableKeys).toBe(true)
  })

  test('is revealed in Google’s shape and on the command line, each time with an entry of data access', async () => {
    const params = { ...PROJECT, key: 'web' }
    const answer = await management.client.call(APIKEYS_V2.getKeyString, { params })
    expect(answer).toEqual({ keyString })
    const revealed = await run(shell(), ['keys', 'reveal', 'web', '--project', PROJECT.project])
    expect(revealed).toEqual({ code: 0, out: `${keyString}\n`, err: '' })
    const query = { method: 'google.api.apikeys.v2.ApiKeys.GetKeyString' }
    const { entries = [] } = await management.client.call(AUDIT_V1.listAuditEntries, { query })
    expect(entries).toHaveLength(2)
    expect(entries[0]?.logName).toMatch(/%2Fdata_access$/)
    expect(JSON.stringify(entries)).not.toContain(keyString)
  })

  test('is switched on and off by a flag; off forgets', async () => {
    const flag = (name: string) => run(shell(), ['projects', 'update', 'flagged-shop', name])
    await run(shell(), ['projects', 'create', 'flagged-shop'])
    expect((await flag('--recoverable-keys')).out).toContain('Recoverable')
    await run(shell(), ['keys', 'create', '--project', 'flagged-shop', '--key-id', 'web'])
    expect((await run(shell(), ['keys', 'reveal', 'web', '--project', 'flagged-shop'])).code).toBe(0)
    expect((await flag('--no-recoverable-keys')).out).not.toContain('Recoverable')
    const refused = await run(shell(), ['keys', 'reveal', 'web', '--project', 'flagged-shop'])
    expect(refused.code).toBe(6)
    expect(refused.err).toContain('shown once')
  })
})

describe('pollux audit verify and pollux rekey', () => {
  test('say that all is well, and 13 when an entry was changed', async () => {
    const rekeyed = await run(shell(), ['rekey'])
    expect(rekeyed).toMatchObject({ code: 0, err: expect.stringContaining('every one of them opened') })
    expect(await run(shell(), ['audit', 'verify'])).toMatchObject({
      code: 0,
      out: expect.stringContaining('The trail is whole'),
    })
    const { db } = openEngine({ kind: 'sqlite', path: management.databasePath })
    await db.updateTable('audit_entry').set({ principal: 'tokens/somebody' }).where('seq', '=', 2).execute()
    await db.destroy()
    const broken = await run(shell(), ['audit', 'verify'])
    expect(broken).toMatchObject({ code: 13, out: expect.stringMatching(/2 +ENTRY_CHANGED/) })
  })
})
