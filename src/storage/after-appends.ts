/** Parts of the storage whose answers rest on the records: those that wait here have to arrive first. */
import { ApiError } from '../domain/error.ts'
import type { AppendQueue } from './append-queue.ts'
import type { TierStore } from './quota-store.ts'
import type { BudgetStore, KeyStore, LedgerRemote, ProjectStore } from './storage.ts'
import type { UsageRemote } from './storage-thread.ts'
import type { UsageStore } from './usage-store.ts'

/** "Unused since" is judged by the records, so the records waiting here have to arrive first. */
export function keysAfterAppends(keys: KeyStore, queue: AppendQueue): KeyStore {
  return {
    create: (...args) => keys.create(...args),
    find: (...args) => keys.find(...args),
    findByDigest: digest => keys.findByDigest(digest),
    reveal: (...args) => keys.reveal(...args),
    list: query => keys.list(query),
    search: query => keys.search(query),
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

/** Reports are of everything that was appended before. */
export function usageOver(usage: UsageRemote, queue: AppendQueue, isFlowing: () => boolean): UsageStore {
  return {
    append: (record, charges, onDurable) => queue.append(record, charges, onDurable),
    isFlowing,
    async report(query) {
      await queue.settled()
      return await usage.report(query)
    },
    async recent(query) {
      await queue.settled()
      return await usage.recent(query)
    },
    async list(query) {
      await queue.settled()
      return await usage.list(query)
    },
    tail: query => usage.tail(query),
  }
}

/** A new budget opens with what the records hold, so the records waiting here have to arrive first. */
export function budgetsAfterAppends(budgets: BudgetStore, queue: AppendQueue): BudgetStore {
  return {
    async create(...args) {
      await queue.settled()
      return await budgets.create(...args)
    },
    list: query => budgets.list(query),
    ofRows: rowIds => budgets.ofRows(rowIds),
    update: (...args) => budgets.update(...args),
    acknowledge: (...args) => budgets.acknowledge(...args),
    delete: (...args) => budgets.delete(...args),
  }
}

/** With a tier a project may get a new budget. */
export function projectsAfterAppends(projects: ProjectStore, queue: AppendQueue): ProjectStore {
  return {
    create: (...args) => projects.create(...args),
    find: idOrNumber => projects.find(idOrNumber),
    list: query => projects.list(query),
    async update(target, patch, ...trail) {
      if (patch.tier !== undefined) await queue.settled()
      return await projects.update(target, patch, ...trail)
    },
    delete: (...args) => projects.delete(...args),
    undelete: (...args) => projects.undelete(...args),
  }
}

/** With a spend cap the projects of a tier may get new budgets. */
export function tiersAfterAppends(tiers: TierStore, queue: AppendQueue): TierStore {
  return {
    list: () => tiers.list(),
    async put(target, draft, audit) {
      if (draft.spendCapNanos !== null) await queue.settled()
      return await tiers.put(target, draft, audit)
    },
    delete: (...args) => tiers.delete(...args),
  }
}

/** An allotment that is closed settles nothing more, so what was charged to it has to arrive first. */
export function ledgerAfterAppends(ledger: LedgerRemote, queue: AppendQueue): LedgerRemote {
  return {
    take: takes => ledger.take(takes),
    give: gives => ledger.give(gives),
    async close(allotmentIds) {
      await queue.settled()
      if (allotmentIds.some(id => queue.owes(id))) {
        throw new ApiError(
          'STORAGE_UNAVAILABLE',
          'The database does not take usage, so what was allotted cannot be closed. Try again when it runs.',
        )
      }
      await ledger.close(allotmentIds)
      for (const id of allotmentIds) queue.forget(id)
    },
    recall: rowIds => ledger.recall(rowIds),
    verify: () => ledger.verify(),
  }
}
