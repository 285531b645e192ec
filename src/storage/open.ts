/** Opens the storage: starts its thread and hands out the interface whose calls run there. */
import { Worker } from 'node:worker_threads'
import type { ApiError } from '../domain/error.ts'
import { AppendQueue } from './append-queue.ts'
import type { EngineChoice } from './engine.ts'
import { RemoteCaller, decodeError } from './remote.ts'
import type { Change, KeyStore, Storage, UsageStore } from './storage.ts'
import type {
  StorageEvent,
  StorageObjects,
  StorageThreadOptions,
  StoreRemote,
  UsageRemote,
} from './worker.ts'

/** How often other processes' changes are looked for. */
const POLL_EVERY_MS = 250
/** How long closing waits for the thread before it is ended by force. */
const CLOSE_TIMEOUT_MS = 5_000
/** How long a record waits for a store that is away: as long as a finished reply may (MONEY.md rule 22). */
const APPEND_RETRY_MS = 10_000

export interface StorageOptions {
  readonly engine: EngineChoice
  /** The folder of this process alone: lock, node id, and usually the SQLite file. */
  readonly dataDir: string
  /**
   * Hears of failures that no caller waits for, once per outage: folding usage, looking for others' changes. Both are
   * tried again.
   */
  readonly onFailure?: (error: ApiError) => void
}

/**
 * Locks the folder, opens the database and brings it up to date. STATE_CONFLICT when another process has the folder or
 * the database is newer than this program; STORAGE_UNAVAILABLE when either cannot be used.
 */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  const { engine, dataDir, onFailure = () => {} } = options
  const listeners = new Set<(change: Change) => void>()
  const opened = Promise.withResolvers<{ readonly hasPeers: boolean }>()
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    workerData: { engine, dataDir } satisfies StorageThreadOptions,
    name: 'storage',
  })
  worker.once('error', opened.reject)
  const caller = new RemoteCaller<StorageObjects, StorageEvent>(worker, event => {
    switch (event.kind) {
      case 'change':
        for (const listener of listeners) listener(event.change)
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
  let hasPeers: boolean
  try {
    hasPeers = (await opened.promise).hasPeers
  } catch (error) {
    await worker.terminate()
    throw error
  }
  const store = caller.object('store')
  const polling = hasPeers ? pollForChanges(store, onFailure) : null
  const usage = caller.object('usage')
  const queue = new AppendQueue((number, batches) => usage.append(number, batches), APPEND_RETRY_MS)
  const close = async (): Promise<void> => {
    polling?.stop()
    await queue.settled()
    queue.close()
    const force = setTimeout(() => void worker.terminate(), CLOSE_TIMEOUT_MS)
    // A thread that ended already has nothing left to close.
    await store.close().catch(() => {})
    await exited
    clearTimeout(force)
  }
  let closing: Promise<void> | null = null
  return {
    projects: caller.object('projects'),
    keys: keysAfterAppends(caller.object('keys'), queue),
    tokens: caller.object('tokens'),
    operations: caller.object('operations'),
    usage: usageOver(usage, queue),
    audit: caller.object('audit'),
    node: store,
    onChange: listener => {
      listeners.add(listener)
    },
    freshAsOfMs: () => polling?.freshAsOfMs() ?? performance.now(),
    close: () => (closing ??= close()),
  }
}

/** "Unused since" is judged by the records, so the records waiting here have to arrive first. */
function keysAfterAppends(keys: KeyStore, queue: AppendQueue): KeyStore {
  return {
    create: (...args) => keys.create(...args),
    find: (...args) => keys.find(...args),
    findByDigest: digest => keys.findByDigest(digest),
    list: query => keys.list(query),
    async update(target, patch, ...trail) {
      if (patch.unusedSinceMs !== undefined) await queue.settled()
      return await keys.update(target, patch, ...trail)
    },
    async delete(target, ...trail) {
      if (target.unusedSinceMs !== null) await queue.settled()
      return await keys.delete(target, ...trail)
    },
    undelete: (...args) => keys.undelete(...args),
    purge: (...args) => keys.purge(...args),
  }
}

function usageOver(usage: UsageRemote, queue: AppendQueue): UsageStore {
  return {
    append: record => queue.append(record),
    isFlowing: () => queue.isFlowing,
    async report(query) {
      await queue.settled()
      return await usage.report(query)
    },
    async recent(query) {
      await queue.settled()
      return await usage.recent(query)
    },
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
