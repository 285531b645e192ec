/** Storages on either engine, in temporary folders, and things to put into them. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { TestRunner, afterAll, describe, onTestFinished } from 'vitest'
import type { AuditEntry } from '../src/domain/audit.ts'
import { ApiError } from '../src/domain/error.ts'
import type { Project } from '../src/domain/project.ts'
import type { UsageRecord } from '../src/domain/usage.ts'
import { NO_USAGE } from '../src/domain/usage.ts'
import { KeyRing } from '../src/secrets/master-key.ts'
import { AuditChain, signFirstHead } from '../src/storage/audit-chain.ts'
import { Committer } from '../src/storage/commit.ts'
import type { Engine, EngineChoice } from '../src/storage/engine.ts'
import { openEngine } from '../src/storage/engine.ts'
import { Lease } from '../src/storage/lease.ts'
import type { LedgerNode } from '../src/storage/ledger.ts'
import { openStorage } from '../src/storage/open.ts'
import { Recalls } from '../src/storage/recalls.ts'
import { Vault } from '../src/storage/vault.ts'
import type { Db } from '../src/storage/schema.ts'
import type { OpenHold } from '../src/domain/ledger.ts'
import type { BudgetDraft, KeyDraft, Storage } from '../src/storage/storage.ts'
import type { TestPostgres } from './postgres.ts'
import { startPostgres } from './postgres.ts'

/** Where a storage lives: opening it twice finds the same facts. */
export interface Place {
  readonly engine: EngineChoice
  readonly dataDir: string
  /** Absent: the one that every storage of the tests has. */
  readonly masterKeys?: readonly string[]
  readonly auditFile?: string
}

/** Nodes on one database must share it. */
export const MASTER_KEYS: readonly string[] = [Buffer.alloc(32, 7).toString('base64')]

export interface EngineUnderTest {
  readonly kind: EngineChoice['kind']
  /** A fresh folder and, in it or beside it, an empty database. */
  place(): Promise<Place>
  /** Opens a storage (in a fresh place, if none is given) that is closed after the test, or outside of one after all. */
  open(place?: Place): Promise<Storage>
}

const folder = await mkdtemp(join(tmpdir(), 'pollux-storage-'))
const server = await startPostgres()
const opened: Storage[] = []
let places = 0

afterAll(async () => {
  await Promise.all(opened.map(storage => storage.close()))
  if (!('skip' in server)) await server.stop()
  await rm(folder, { recursive: true, force: true })
})

/** The PostgreSQL server of this test file; a failure when there is none. */
export function postgres(): TestPostgres {
  if ('skip' in server) throw new Error(server.skip)
  return server
}

export const postgresMissing: string | null = 'skip' in server ? server.skip : null

function underTest(kind: EngineChoice['kind']): EngineUnderTest {
  const place = async (): Promise<Place> => {
    places += 1
    const dataDir = join(folder, `data-${places}`)
    const engine: EngineChoice =
      kind === 'sqlite' ? { kind, path: join(dataDir, 'pollux.db') } : { kind, url: await postgres().url() }
    return { engine, dataDir }
  }
  return {
    kind,
    place,
    async open(at) {
      const storage = await openStorage({ masterKeys: MASTER_KEYS, ...(at ?? (await place())) })
      // One that stays open goes on beating, folding and asking beside all the tests that follow.
      if (TestRunner.getCurrentTest() === undefined) opened.push(storage)
      else onTestFinished(() => storage.close())
      return storage
    },
  }
}

/** A folder name that nothing exists at. */
export function freshFolder(): string {
  places += 1
  return join(folder, `data-${places}`)
}

/** The same tests on SQLite and on PostgreSQL. */
export function describeOnBothEngines(what: string, tests: (engine: EngineUnderTest) => void): void {
  describe(`${what} on SQLite`, () => tests(underTest('sqlite')))
  describeOnPostgres(what, tests)
}

/** Tests of what only several processes on one database can meet. */
export function describeOnPostgres(what: string, tests: (engine: EngineUnderTest) => void): void {
  const name = `${what} on PostgreSQL`
  if (postgresMissing === null) describe(name, () => tests(underTest('postgres')))
  else describe.skip(`${name}: ${postgresMissing}`, () => tests(underTest('postgres')))
}

export function auditEntry(part: Partial<AuditEntry> = {}): AuditEntry {
  return {
    insertId: randomUUID(),
    principal: 'tokens/admin',
    methodName: 'google.api.apikeys.v2.ApiKeys.CreateKey',
    permission: 'apikeys.keys.create',
    resourceName: 'projects/-/locations/global/keys/-',
    projectNumber: null,
    callerIp: '127.0.0.1',
    userAgent: null,
    requestReason: null,
    requestId: 'request',
    request: {},
    before: null,
    after: null,
    ...part,
  }
}

let ids = 0

export async function createProject(
  storage: Storage,
  part: Partial<{ projectId: string; displayName: string }> = {},
): Promise<Project> {
  ids += 1
  const draft = { projectId: `project-${ids}`, displayName: '', labels: {}, modelAliases: {}, ...part }
  return await storage.projects.create(draft, auditEntry(), null)
}

export function keyDraft(projectNumber: string, part: Partial<KeyDraft> = {}): KeyDraft {
  const uid = randomUUID()
  return {
    projectNumber,
    keyId: null,
    uid,
    digest: `digest of ${uid}`,
    displayName: 'a key',
    annotations: {},
    restrictions: null,
    expireTimeMs: null,
    allowedModels: null,
    allowedTools: null,
    environment: null,
    maskedKeyString: 'plx_…abcd',
    ...part,
  }
}

export function usageRecord(part: Partial<UsageRecord> = {}): UsageRecord {
  ids += 1
  return {
    callId: `call-${ids}`,
    startTimeMs: Date.UTC(2026, 10, 21, 12),
    durationMs: 250,
    firstByteMs: null,
    projectNumber: '415104041262',
    keyUid: 'key-1',
    method: 'GenerateContent',
    model: 'gemini-2.5-flash',
    modelVersion: null,
    outcome: 'posted',
    httpStatus: 200,
    usage: NO_USAGE,
    requestBytes: 10,
    responseBytes: 20,
    costNanos: 0,
    priceBasisPoints: 10_000,
    postedNanos: 0,
    heldNanos: 0,
    ledger: [],
    clampedOutputTokens: null,
    receivedUs: null,
    admittedUs: null,
    lastByteUs: null,
    ...part,
  }
}

/** A budget of the organization that never ends, unless told otherwise. */
export function budgetDraft(part: Partial<BudgetDraft> = {}): BudgetDraft {
  return {
    scope: 'organization',
    projectNumber: null,
    lineage: null,
    period: 'total',
    capNanos: 1_000,
    policy: 'clamp',
    defaultMaxOutputTokens: null,
    toolCeilingsNanos: {},
    ...part,
  }
}

/** A hold like the one that the record of the same call would have had. */
export function holdOf(record: UsageRecord, allotmentIds: readonly string[]): OpenHold {
  const { callId, startTimeMs, projectNumber, keyUid, method, model, ledger } = record
  const { heldNanos, priceBasisPoints } = record
  const call = { callId, startTimeMs, projectNumber, keyUid, method, model }
  return { ...call, heldNanos, priceBasisPoints, ledger, allotmentIds }
}

/** As many of a value as told. */
export function times<Value>(count: number, value: Value): readonly Value[] {
  return Array.from({ length: count }, () => value)
}

/** Works on the database behind the storage's back. */
export async function behind<Result>(place: Place, work: (db: Db) => Promise<Result>): Promise<Result> {
  const { db } = openEngine(place.engine)
  try {
    return await work(db)
  } finally {
    await db.destroy()
  }
}

/** A node that lives from now on for `leaseMs`, without a process. */
export async function nodeOn(engine: Engine, nodeId: string, leaseMs = 60_000): Promise<LedgerNode> {
  const vault = new Vault(engine, new KeyRing(MASTER_KEYS))
  const chain = new AuditChain(engine, await vault.signingKey(signFirstHead), null)
  const tellNobody = (): void => {}
  const lease = new Lease(engine, new Committer(engine, chain, tellNobody, tellNobody), { nodeId, leaseMs })
  await engine.db.transaction().execute(async trx => lease.claim(trx, await engine.nowMs(trx)))
  return { nodeId, lease, recalls: new Recalls(engine, nodeId, tellNobody) }
}

/** The error a promise rejects with; a failure when it resolves. */
export async function refusal(promise: Promise<unknown>): Promise<ApiError> {
  const error: unknown = await promise.then(
    () => new Error('it was not refused'),
    (error: unknown) => error,
  )
  if (!(error instanceof ApiError)) throw error
  return error
}

/** Its reason. */
export async function reasonOf(promise: Promise<unknown>): Promise<string> {
  return (await refusal(promise)).reason
}

/** A process of storage-child.ts, with the first line it printed. */
export async function startChild(
  order: {
    readonly mode: 'open' | 'append' | 'spend' | 'hold' | 'audit' | 'rekey'
    readonly place: Place
  } & Readonly<Record<string, unknown>>,
  identity: { readonly uid?: number; readonly gid?: number } = {},
): Promise<{ readonly said: string; kill(): Promise<void> }> {
  const script = fileURLToPath(new URL('./storage-child.ts', import.meta.url))
  const place = { masterKeys: MASTER_KEYS, ...order.place }
  const child = spawn(process.execPath, [script, JSON.stringify({ ...order, place })], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...identity,
  })
  const exited = once(child, 'exit')
  const [said] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return {
    said,
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}
