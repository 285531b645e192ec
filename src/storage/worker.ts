/** The storage thread: owns the data folder and the database, answers calls, folds usage once a second. */
import { once } from 'node:events'
import { flushCompileCache } from 'node:module'
import { dirname, resolve } from 'node:path'
import { parentPort } from 'node:worker_threads'
import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import { ApiError } from '../domain/error.ts'
import { KeyRing, masterKeysIn } from '../secrets/master-key.ts'
import { AuditChain, signFirstHead } from './audit-chain.ts'
import { AuditFile } from './audit-file.ts'
import { AuditTrail } from './audit-trail.ts'
import { Budgets } from './budgets.ts'
import { CallBodies } from './call-bodies.ts'
import { listCalls } from './call-list.ts'
import { tailCalls } from './call-tail.ts'
import { type ChangeBus, openBus } from './bus.ts'
import { CapHitRows } from './cap-hits.ts'
import { Committer } from './commit.ts'
import type { Engine, EngineChoice } from './engine.ts'
import { openEngine, openToInspect } from './engine.ts'
import { databaseDamaged, toApiError, toOpenError } from './failure.ts'
import { Iam } from './iam.ts'
import { Keys } from './keys.ts'
import { Lease } from './lease.ts'
import { Ledger } from './ledger.ts'
import type { FolderLock } from './lock.ts'
import { lockFolder, nodeIdOf } from './lock.ts'
import { migrate, refuseNewer } from './migrate.ts'
import { Links } from './links.ts'
import { Operations } from './operations.ts'
import { BEAT_EVERY_MS, Presence, clockSkewMs, refuseOlderNodes } from './presence.ts'
import { PriceOverrides } from './price-overrides.ts'
import { Passkeys } from './passkeys.ts'
import { Projects } from './projects.ts'
import { Quotas } from './quotas.ts'
import { Recalls } from './recalls.ts'
import { recover } from './recovery.ts'
import { Refusals } from './refusals.ts'
import type { EventMessage } from './remote.ts'
import { answerCalls, encodeError } from './remote.ts'
import { Rollup } from './rollup.ts'
import { Secrets } from './secrets.ts'
import type { Database } from './schema.ts'
import { ServiceAccounts } from './service-accounts.ts'
import { Sessions } from './sessions.ts'
import { SignIns } from './sign-ins.ts'
import { Tiers } from './tiers.ts'
import { Tokens } from './tokens.ts'
import { UsageLog } from './usage-log.ts'
import { reportUsage } from './usage-report.ts'
import { Vault } from './vault.ts'
import { Users } from './users.ts'
import type {
  StorageThreadOptions,
  StorageEvent,
  UsageRemote,
  StoreRemote,
  StorageObjects,
} from './storage-thread.ts'

/**
 * Folding is for reports, which fold what is missing themselves; here it only keeps that short. It may take a twentieth of
 * the time, as it shares disk and thread with the commits of usage: the more keys are in use, the rarer it is.
 */
const FOLD_EVERY = { minMs: 1_000, maxMs: 30_000, timesLast: 20 }
/** Every how many folds the records of other nodes are looked at as well: one of them may have died. */
const FOLD_ALL_EVERY = 10

const port = parentPort
if (port === null) throw new Error('storage/worker.ts runs as a thread only')

function emit(event: StorageEvent): void {
  port?.postMessage({ event } satisfies EventMessage<StorageEvent>)
}

function lockFolders({ engine, dataDir }: StorageThreadOptions): FolderLock {
  const locks = [lockFolder(dataDir)]
  // The database may lie elsewhere; then its own folder has one owner as well.
  if (engine.kind === 'sqlite' && engine.path !== ':memory:') {
    const folder = dirname(resolve(engine.path))
    if (folder !== resolve(dataDir)) locks.push(lockFolder(folder))
  }
  return { release: () => locks.forEach(lock => lock.release()) }
}

function openKeyRing({ masterKeys, keyDir }: StorageThreadOptions): KeyRing {
  try {
    return new KeyRing(masterKeys ?? masterKeysIn(keyDir))
  } catch (cause) {
    throw new ApiError(
      'STATE_CONFLICT',
      `The file master-key of the data folder ${resolve(keyDir)} cannot be read or made, or holds something else than ` +
        'keys of 32 bytes in base64, a line each. Put it back from where you keep a copy; without it the secrets of ' +
        'the database are lost.',
      { cause },
    )
  }
}

async function inspect(found: Kysely<Database>): Promise<void> {
  try {
    await refuseNewer(found)
  } finally {
    await found.destroy()
  }
}

async function openDatabase(choice: EngineChoice): Promise<Engine> {
  let engine: Engine | null = null
  try {
    const found = openToInspect(choice)
    if (found !== null) await inspect(found)
    engine = openEngine(choice)
    if (engine.hasPeers) await refuseOlderNodes(engine)
    await migrate(engine.db)
    const problems = engine.findDamage()
    if (problems.length > 0) throw databaseDamaged(engine.place, problems)
    return engine
  } catch (error) {
    await engine?.close()
    throw toOpenError(error, choice)
  }
}

/** Runs a job again and again, after a while that follows how long it took. Gives back what stops it. */
function repeat(job: (run: number) => Promise<void>, every: typeof FOLD_EVERY): () => Promise<void> {
  let stopped = false
  let running: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout
  const once = async (run: number): Promise<void> => {
    const startMs = performance.now()
    await job(run)
    const waitMs = (performance.now() - startMs) * every.timesLast
    if (!stopped) timer = setTimeout(start, Math.min(Math.max(waitMs, every.minMs), every.maxMs), run + 1)
  }
  const start = (run: number): void => {
    running = once(run)
  }
  start(0)
  return async () => {
    stopped = true
    clearTimeout(timer)
    await running
  }
}

async function serve(options: StorageThreadOptions): Promise<void> {
  const lock = lockFolders(options)
  const nodeId = nodeIdOf(options.dataDir)
  const engine = await openDatabase(options.engine)
  engine.ballast?.fill()
  const translate = (error: unknown): ApiError => {
    const translated = toApiError(error, engine)
    if (translated.reason === 'DATABASE_DAMAGED') emit({ kind: 'unusable', error: encodeError(translated) })
    return translated
  }
  const vault = new Vault(engine, openKeyRing(options))
  await vault.admit()
  const signingKey = await vault.signingKey(signFirstHead)
  const auditFile = options.auditFile === null ? null : new AuditFile(options.auditFile)
  await auditFile?.probe()
  const chain = new AuditChain(engine, signingKey, auditFile)
  const presence = engine.hasPeers ? new Presence(engine, nodeId) : null
  await join(presence, engine)
  let bus: ChangeBus | null = null
  const committer = new Committer(
    engine,
    chain,
    change => emit({ kind: 'change', change }),
    () => bus?.announce(),
  )
  const lease = new Lease(engine, committer, { nodeId, leaseMs: options.leaseMs })
  const recalls = new Recalls(engine, nodeId, () => bus?.announce())
  await recalls.mark('lowered', await recover({ engine, nodeId, lease, committer }, options.dataDir))
  // On a database of one process every other node is gone for good.
  if (!engine.hasPeers) await lease.resolveLost()
  const look = lookFor(committer, recalls)
  const rollup = new Rollup(engine, nodeId)
  await rollup.begin()
  const log = new UsageLog({ engine, nodeId, committer }, block => rollup.touch(block))
  // From here on nothing another process does is missed.
  if (engine.hasPeers) {
    await look()
    bus = await listenForNews(options, nodeId, look)
  }
  let failing = false
  const stopFolding = repeat(async run => {
    try {
      const isForAll = run % FOLD_ALL_EVERY === 0
      await (isForAll ? rollup.all() : rollup.own())
      // Folding nothing of one's own asks the database nothing, so it says nothing about the outage.
      if (isForAll) failing = false
    } catch (error) {
      // Once per outage, not once per second.
      if (!failing) emit({ kind: 'jobFailed', error: encodeError(translate(error)) })
      failing = true
    }
  }, FOLD_EVERY)
  const stopBeating = presence === null ? async () => {} : keepPresent(presence, engine)
  const objects: StorageObjects = {
    projects: new Projects(engine, committer, options.timeZone),
    keys: new Keys({ engine, committer, vault }, rollup),
    tokens: new Tokens(engine, committer),
    iam: new Iam(engine, committer),
    serviceAccounts: new ServiceAccounts(engine, committer),
    users: new Users(engine, committer),
    links: new Links(engine, committer),
    sessions: new Sessions(engine, committer),
    passkeys: new Passkeys(engine, committer),
    signIns: new SignIns(engine),
    operations: new Operations(engine),
    audit: new AuditTrail(engine, chain, signingKey),
    secrets: new Secrets(committer, vault),
    budgets: new Budgets(engine, committer, options.timeZone),
    capHits: new CapHitRows(engine, options.timeZone),
    quotas: new Quotas(engine, committer),
    tiers: new Tiers(engine, committer, options.timeZone),
    refusals: new Refusals(engine),
    bodies: new CallBodies({ engine, committer, vault }),
    ledger: new Ledger(engine, { nodeId, lease, recalls }, options.timeZone),
    prices: new PriceOverrides(engine, committer),
    usage: usageObject(engine, rollup, log),
    store: storeObject(engine, {
      look,
      lease,
      recalls,
      release: async () => {
        await Promise.all([stopFolding(), stopBeating()])
        await bus?.close()
        // Whoever cannot say so is taken for gone soon.
        await Promise.all([presence?.leave().catch(() => {}), lease.end().catch(() => {})])
        await engine.close()
        lock.release()
      },
    }),
  }
  if (port !== null) answerCalls(port, { objects: { ...objects }, patience: engine.patience }, translate)
  emit({ kind: 'open', hasPeers: engine.hasPeers })
  flushCompileCache()
}

function usageObject(engine: Engine, rollup: Rollup, log: UsageLog): UsageRemote {
  return {
    append: (number, message) => log.append(number, message),
    async report(query) {
      await rollup.own()
      return await reportUsage(engine, query)
    },
    async recent(query) {
      await rollup.own()
      return await log.recent(query)
    },
    async list(query) {
      await rollup.own()
      return await listCalls(engine, query)
    },
    tail: query => tailCalls(engine, query),
  }
}

async function join(presence: Presence | null, engine: Engine): Promise<void> {
  try {
    await presence?.join()
  } catch (error) {
    await engine.close()
    throw error
  }
}

/**
 * A beat that fails is followed by the next; that the database is away is told by others. Where the database is not this
 * program's any more the thread ends: whatever it asked now, it would ask of tables that it does not know.
 */
function keepPresent(presence: Presence, engine: Engine): () => Promise<void> {
  return repeat(
    async () => {
      try {
        await presence.beat()
        emit({ kind: 'clock', skewMs: await clockSkewMs(engine) })
      } catch (error) {
        if (!(error instanceof ApiError)) return
        emit({ kind: 'unusable', error: encodeError(error) })
        process.exit()
      }
    },
    { minMs: BEAT_EVERY_MS, maxMs: BEAT_EVERY_MS, timesLast: 0 },
  )
}

/** Tells the near side of what other nodes changed and recalled since the last look. */
function lookFor(committer: Committer, recalls: Recalls): () => Promise<void> {
  return async () => {
    await committer.poll()
    const recalled = await recalls.look()
    if (recalled.lacking.length + recalled.lowered.length > 0) emit({ kind: 'recall', recalled })
  }
}

/** A message is answered by a look. What it fails to see, the next regular one does. */
async function listenForNews(
  { engine, redisUrl }: StorageThreadOptions,
  nodeId: string,
  look: () => Promise<void>,
): Promise<ChangeBus | null> {
  if (engine.kind !== 'postgres') return null
  const choice =
    redisUrl === null
      ? ({ kind: 'postgres', url: engine.url } as const)
      : ({ kind: 'redis', url: redisUrl } as const)
  return await openBus(choice, nodeId, {
    onNews: () => void look().catch(() => {}),
    onState: isUp => emit({ kind: 'push', isUp }),
  })
}

interface StoreWork {
  readonly look: () => Promise<void>
  readonly lease: Lease
  readonly recalls: Recalls
  readonly release: () => Promise<void>
}

function storeObject(engine: Engine, { look, lease, recalls, release }: StoreWork): StoreRemote {
  let isSilent = false
  return {
    async ping() {
      await sql`select 1`.execute(engine.db)
    },
    nowMs: () => engine.nowMs(engine.db),
    async poll() {
      try {
        await look()
      } catch (error) {
        isSilent = true
        throw error
      }
      if (isSilent) engine.renewConnections()
      isSilent = false
    },
    renewLease: () => lease.renew(() => emit({ kind: 'lost' })),
    async resolveLost() {
      await lease.resolveLost()
      await recalls.tidy()
    },
    async close() {
      await release()
      // The answer still goes out; then nothing keeps the thread alive.
      setImmediate(() => port?.close())
    },
  }
}

const [options] = (await once(port, 'message')) as [StorageThreadOptions]
try {
  await serve(options)
} catch (error) {
  emit({ kind: 'refused', error: encodeError(toOpenError(error, options.engine)) })
}
