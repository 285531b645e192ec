/**
 * A node of a simulation: the gateway's ledger, the append queue, the journal on disk, the lease and the recovery as they
 * are, put together as storage/open.ts and storage/worker.ts do it, with the simulation between the two and the database.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DEFAULT_TIME_ZONE } from '../src/domain/period.ts'
import { Ledger } from '../src/gateway/ledger.ts'
import { AppendQueue, type RecordKeeper } from '../src/storage/append-queue.ts'
import { Committer } from '../src/storage/commit.ts'
import { toApiError } from '../src/storage/failure.ts'
import { Journal } from '../src/storage/journal.ts'
import { headerLine, journalFolder, listSegments, segmentName } from '../src/storage/journal-segment.ts'
import { LEASE_MS, Lease } from '../src/storage/lease.ts'
import { Ledger as StoredLedger } from '../src/storage/ledger.ts'
import type { Recalled } from '../src/domain/ledger.ts'
import { ledgerAfterAppends } from '../src/storage/after-appends.ts'
import { APPEND_WAIT_MS, POLL_EVERY_MS, keepLease } from '../src/storage/open.ts'
import { Recalls } from '../src/storage/recalls.ts'
import { recover } from '../src/storage/recovery.ts'
import type { StoreRemote } from '../src/storage/storage-thread.ts'
import { UsageLog } from '../src/storage/usage-log.ts'
import type { Process } from './simulated-time.ts'
import type { SimulatedStore } from './simulated-store.ts'

/** What a node needs of its world. */
export interface Surroundings {
  readonly store: SimulatedStore
  /** Takes a request to the database, and its answer back to the process. */
  request<Result>(process: Process, name: string, work: () => Promise<Result>): Promise<Result>
  /** Runs `run` in the process before anything that is answered from now on. */
  tell(process: Process, run: () => void): void
}

const START_AGAIN_MS = 400

export class SimulatedNode {
  readonly process: Process
  readonly ledger: Ledger
  readonly queue: AppendQueue
  readonly journal: Journal

  private constructor(process: Process, parts: Pick<SimulatedNode, 'ledger' | 'queue' | 'journal'>) {
    this.process = process
    this.ledger = parts.ledger
    this.queue = parts.queue
    this.journal = parts.journal
  }

  /** Recovers what the folder holds, for as long as it takes, and joins. Call it as the process. */
  static async start(
    process: Process,
    { nodeId, folder, synced }: { readonly nodeId: string; readonly folder: string; readonly synced: Synced },
    world: Surroundings,
  ): Promise<SimulatedNode> {
    const openedMs = performance.now()
    const { engine, chain } = world.store
    const lost: (() => void)[] = []
    const recalled: ((recalled: Recalled) => void)[] = []
    const committer = new Committer(engine, chain, () => {})
    const lease = new Lease(engine, committer, { nodeId, leaseMs: LEASE_MS })
    const recalls = new Recalls(engine, nodeId, () => {})
    for (;;) {
      try {
        await world.request(process, 'recover', async () => {
          await recalls.mark('lowered', await recover({ engine, nodeId, lease, committer }, folder))
        })
        break
      } catch {
        await new Promise(resolve => setTimeout(resolve, START_AGAIN_MS))
      }
    }
    const log = new UsageLog({ engine, nodeId, committer }, () => {})
    const stored = new StoredLedger(engine, { nodeId, lease, recalls }, DEFAULT_TIME_ZONE)
    const ask = <Result>(name: string, work: () => Promise<Result>): Promise<Result> =>
      world.request(process, name, () =>
        work().catch((error: unknown) => {
          throw toApiError(error, engine)
        }),
      )
    const journal = new Journal(folder)
    synced.note(folder)
    const queue = new AppendQueue(
      // What it fails with is told apart by whether it is an outage.
      (number, message) => ask('append', () => log.append(number, message)),
      keeperNoting(journal, () => synced.note(folder)),
      { waitMs: APPEND_WAIT_MS, openCalls: () => Infinity },
    )
    const store = {
      renewLease: () =>
        ask('renew', () => lease.renew(() => world.tell(process, () => lost.forEach(tell => tell())))),
      resolveLost: () =>
        ask('resolve', async () => {
          await lease.resolveLost()
          await recalls.tidy()
        }),
    } satisfies Partial<StoreRemote>
    const leasing = keepLease(store, { openedMs, onFailure: () => {} })
    const look = async (): Promise<void> => {
      try {
        await ask('look', async () => {
          const news = await recalls.look()
          if (news.lacking.length + news.lowered.length > 0)
            world.tell(process, () => recalled.forEach(tell => tell(news)))
        })
      } catch {
        // The next look sees it.
      }
      setTimeout(() => void look(), POLL_EVERY_MS)
    }
    setTimeout(() => void look(), POLL_EVERY_MS)
    const port = ledgerAfterAppends(
      {
        take: takes => ask('take', () => stored.take(takes)),
        give: gives => ask('give', () => stored.give(gives)),
        close: ids => ask('close', () => stored.close(ids)),
        recall: rowIds => ask('recall', () => stored.recall(rowIds)),
        verify: () => stored.verify(),
      },
      queue,
    )
    const ledger = new Ledger({
      port,
      peers: {
        recall: rowIds => port.recall(rowIds),
        onRecall: listener => void recalled.push(listener),
        onLost: listener => void lost.push(listener),
        leasedUntilMs: () => leasing.untilMs(),
      },
      onFailure: () => {},
    })
    return new SimulatedNode(process, { ledger, queue, journal })
  }
}

function keeperNoting(journal: Journal, note: () => void): RecordKeeper {
  return {
    keep(encoded) {
      journal.keep(encoded)
      note()
    },
    settled: callId => journal.settled(callId),
    recorded: call => journal.recorded(call),
  }
}

/** How much of a journal outlives its machine: what was there at the last fsync. */
export class Synced {
  #bytes = 0
  #path: string | null = null

  note(folder: string): void {
    this.#path = lastSegment(folder)
    this.#bytes = this.#path === null ? 0 : statSync(this.#path).size
  }

  /** What the machine finds when it runs again: of the rest `part`, from 0 to 1. */
  cut(folder: string, part: number): void {
    const journal = journalFolder(folder)
    for (const number of listSegments(journal)) {
      const path = join(journal, segmentName(number))
      const text = readFileSync(path, 'utf8')
      const keptBytes = path === this.#path ? this.#bytes : text.length
      const bytes = Math.floor(keptBytes + (text.length - keptBytes) * part)
      const ofOtherBoot = text.slice(0, bytes).replace(/^.*\n/, headerLine('another run of the machine'))
      writeFileSync(path, ofOtherBoot)
    }
  }
}

function lastSegment(folder: string): string | null {
  const number = listSegments(journalFolder(folder)).at(-1)
  return number === undefined ? null : join(journalFolder(folder), segmentName(number))
}
