/** Opens the storage: starts its thread and hands out the interface whose calls run there. */
import type { Worker } from 'node:worker_threads'
import { ApiError } from '../domain/error.ts'
import type { Recalled } from '../domain/ledger.ts'
import { DEFAULT_TIME_ZONE } from '../domain/period.ts'
import {
  budgetsAfterAppends,
  keysAfterAppends,
  ledgerAfterAppends,
  projectsAfterAppends,
  tiersAfterAppends,
  usageOver,
} from './after-appends.ts'
import { AppendQueue, type SendMessage } from './append-queue.ts'
import { BodyQueue, bodiesOver } from './body-queue.ts'
import { ClockSkew } from './clock-skew.ts'
import type { EngineChoice } from './engine.ts'
import { Journal } from './journal.ts'
import { LEASE_MS } from './lease.ts'
import type { RefusalRemote, RefusalStore } from './quota-store.ts'
import { RefusalTally } from './refusal-tally.ts'
import { patience } from './patience.ts'
import { RemoteCaller, decodeError } from './remote.ts'
import type { Change, Storage } from './storage.ts'
import {
  type StorageEvent,
  type StorageObjects,
  type StorageThreadOptions,
  type StoreRemote,
  startStorageThread,
} from './storage-thread.ts'

/** How often other processes' changes are looked for. */
export const POLL_EVERY_MS = 250
/** How often the lease is renewed, and when again after that failed. */
const RENEW_EVERY_MS = LEASE_MS / 5
const RENEW_AGAIN_MS = 250
/** A node stops spending so long before others may take it for lost (MONEY.md rule 9). */
const LEASE_MARGIN_MS = 1_000
/** How long closing waits for the thread before it is ended by force. */
const CLOSE_TIMEOUT_MS = 5_000
/** How long whoever appends a record waits for it: as long as a finished reply may (MONEY.md rule 22). */
export const APPEND_WAIT_MS = 10_000

export interface StorageOptions {
  readonly engine: EngineChoice
  /** The folder of this process alone: lock, node id, and usually the SQLite file. */
  readonly dataDir: string
  /** Whose days and months the budgets have; an IANA name. */
  readonly timeZone?: string
  /** In base64, the one that seals first, then older ones that still open. Absent: the file master-key of the folder, made there. */
  readonly masterKeys?: readonly string[]
  /** Where that file is, if not in `dataDir`: nodes of one machine share it. */
  readonly keyDir?: string
  /** A file that audit entries are appended to besides; nothing changes while it cannot be written. */
  readonly auditFile?: string
  /** Where nodes that share a PostgreSQL tell each other of changes; without it they do so there. */
  readonly redisUrl?: string
  /** Started before, so that its modules and the caller's were loaded at the same time; without it one is started now. */
  readonly thread?: Worker
  /**
   * Hears of failures that no caller waits for, once per outage: folding usage, looking for others' changes. Both are
   * tried again.
   */
  readonly onFailure?: (error: ApiError) => void
  /** Calls that are under way now: usage of many of them is committed sooner where hardly more is to come. */
  readonly openCalls?: () => number
  /** Hears of how many calls bodies were lost that their projects would have kept. */
  readonly onBodiesDropped?: (calls: number) => void
}

/**
 * Locks the folder, opens the database and brings it up to date. STATE_CONFLICT when another process has the folder or
 * the database is newer than this program, or sealed under another master key; STORAGE_UNAVAILABLE when either cannot be used.
 */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  const { engine, dataDir, timeZone = DEFAULT_TIME_ZONE, redisUrl = null, onFailure = () => {} } = options
  const { masterKeys = null, keyDir = dataDir, auditFile = null } = options
  const skew = new ClockSkew()
  let isPushed = false
  // For good: what is damaged or too new stays so, and whoever mended it starts Pollux again.
  let isUnusable = false
  const openedMs = performance.now()
  const listeners = new Set<(change: Change) => void>()
  const recallListeners = new Set<(recalled: Recalled) => void>()
  const lost = new Set<() => void>()
  const opened = Promise.withResolvers<{ readonly hasPeers: boolean }>()
  const { thread: worker = startStorageThread() } = options
  worker.ref()
  worker.once('error', opened.reject)
  const caller = new RemoteCaller<StorageObjects, StorageEvent>(worker, event => {
    switch (event.kind) {
      case 'change':
        for (const listener of listeners) listener(event.change)
        break
      case 'push':
        isPushed = event.isUp
        break
      case 'clock':
        skew.compared(event.skewMs)
        break
      case 'recall':
        for (const listener of recallListeners) listener(event.recalled)
        break
      case 'lost':
        for (const listener of lost) listener()
        break
      case 'unusable':
        if (!isUnusable) onFailure(decodeError(event.error))
        isUnusable = true
        break
      case 'jobFailed':
        onFailure(decodeError(event.error))
        break
      case 'open':
        opened.resolve(event)
        break
      case 'refused':
        opened.reject(decodeError(event.error))
        break
    }
  })
  const exited = new Promise<void>(resolve => worker.once('exit', () => resolve()))
  const opening = { engine, dataDir, timeZone, masterKeys, keyDir, auditFile, redisUrl, leaseMs: LEASE_MS }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  worker.postMessage(opening satisfies StorageThreadOptions)
  let hasPeers: boolean
  let journal: Journal
  try {
    hasPeers = (await opened.promise).hasPeers
    // The thread has posted what earlier segments held, and locked the folder.
    journal = new Journal(dataDir)
  } catch (error) {
    await worker.terminate()
    throw error
  }
  const store = caller.object('store')
  const polling = hasPeers ? pollForChanges(store, onFailure) : null
  const leasing = hasPeers ? keepLease(store, { openedMs, onFailure }) : null
  const usage = caller.object('usage')
  const { openCalls = () => Infinity } = options
  const send: SendMessage = (number, message) => usage.append(number, message)
  const queue = new AppendQueue(send, journal, { waitMs: APPEND_WAIT_MS, openCalls })
  const refusals = caller.object('refusals')
  const tally = new RefusalTally(rows => refusals.add(rows), onFailure)
  const bodies = caller.object('bodies')
  const onDrop = options.onBodiesDropped ?? (() => {})
  const bodyQueue = new BodyQueue(batch => bodies.add(batch), { onDrop, onFailure })
  const close = async (): Promise<void> => {
    polling?.stop()
    leasing?.stop()
    await queue.settled()
    queue.close()
    journal.close()
    tally.stop()
    bodyQueue.stop()
    // To look at only: a database that is away now keeps nobody from closing.
    await Promise.allSettled([tally.settled(), bodyQueue.settled()])
    const force = setTimeout(() => void worker.terminate(), CLOSE_TIMEOUT_MS)
    // A thread that ended already has nothing left to close.
    await store.close().catch(() => {})
    await exited
    clearTimeout(force)
  }
  let closing: Promise<void> | null = null
  return {
    hasPeers,
    projects: projectsAfterAppends(caller.object('projects'), queue),
    keys: keysAfterAppends(caller.object('keys'), queue),
    tokens: caller.object('tokens'),
    iam: caller.object('iam'),
    serviceAccounts: caller.object('serviceAccounts'),
    users: caller.object('users'),
    links: caller.object('links'),
    sessions: caller.object('sessions'),
    passkeys: caller.object('passkeys'),
    signIns: caller.object('signIns'),
    operations: caller.object('operations'),
    usage: usageOver(usage, queue, () => queue.isFlowing && !isUnusable),
    budgets: budgetsAfterAppends(caller.object('budgets'), queue),
    capHits: caller.object('capHits'),
    quotas: caller.object('quotas'),
    tiers: tiersAfterAppends(caller.object('tiers'), queue),
    refusals: refusalsOver(refusals, tally),
    bodies: bodiesOver(bodies, bodyQueue),
    ledger: {
      ...ledgerAfterAppends(caller.object('ledger'), queue),
      onRecall: listener => void recallListeners.add(listener),
      onLost: listener => void lost.add(listener),
      leasedUntilMs: () => leasing?.untilMs() ?? Infinity,
    },
    journal,
    prices: caller.object('prices'),
    audit: caller.object('audit'),
    secrets: caller.object('secrets'),
    node: store,
    onChange: listener => {
      listeners.add(listener)
    },
    freshAsOfMs: () => polling?.freshAsOfMs() ?? performance.now(),
    isPushed: () => isPushed || !hasPeers,
    clockSkewMs: () => skew.ms(),
    patience,
    close: () => (closing ??= close()),
  }
}

function refusalsOver(refusals: RefusalRemote, tally: RefusalTally): RefusalStore {
  return {
    count: refused => tally.count(refused),
    async report(query) {
      await tally.settled()
      return await refusals.report(query)
    },
    purge: beforeMs => refusals.purge(beforeMs),
  }
}

interface Polling {
  freshAsOfMs(): number
  stop(): void
}

/**
 * Asks the thread to look for changes, one question after the other. The time is taken here, before the question is
 * sent: performance.now() of the two threads count from different moments.
 */
function pollForChanges(store: StoreRemote, onFailure: (error: ApiError) => void): Polling {
  let freshAsOfMs = performance.now()
  let stopped = false
  let failing = false
  let timer: NodeJS.Timeout
  const poll = async (): Promise<void> => {
    const askedMs = performance.now()
    try {
      await store.poll()
      freshAsOfMs = askedMs
      failing = false
    } catch (error) {
      if (!stopped && !failing) onFailure(error as ApiError)
      failing = true
    }
    if (!stopped) schedule()
  }
  const schedule = (): void => {
    timer = setTimeout(() => void poll(), POLL_EVERY_MS)
  }
  schedule()
  return {
    freshAsOfMs: () => freshAsOfMs,
    stop: () => {
      stopped = true
      clearTimeout(timer)
    },
  }
}

interface Leasing {
  untilMs(): number
  stop(): void
}

/**
 * Renews the lease on time and looks after nodes that did not. How long it lasts is counted on this thread's monotonic
 * clock, from before the question: the database counts from later on, whatever stood still in between.
 */
export function keepLease(
  store: Pick<StoreRemote, 'renewLease' | 'resolveLost'>,
  { openedMs, onFailure }: { readonly openedMs: number; readonly onFailure: (error: ApiError) => void },
): Leasing {
  const lengthMs = LEASE_MS - LEASE_MARGIN_MS
  let untilMs = openedMs + lengthMs
  let stopped = false
  let failing = false
  let timer: NodeJS.Timeout
  const tell = (error: unknown): void => {
    if (!stopped && !failing) onFailure(error as ApiError)
    failing = true
  }
  const renew = async (): Promise<void> => {
    const askedMs = performance.now()
    try {
      await store.renewLease()
    } catch (error) {
      tell(error)
      schedule(RENEW_AGAIN_MS)
      return
    }
    untilMs = askedMs + lengthMs
    schedule(RENEW_EVERY_MS)
    await store.resolveLost().then(() => (failing = false), tell)
  }
  const schedule = (afterMs: number): void => {
    if (!stopped) timer = setTimeout(() => void renew(), afterMs)
  }
  schedule(0)
  return {
    untilMs: () => untilMs,
    stop: () => {
      stopped = true
      clearTimeout(timer)
    },
  }
}
