import { LIST_PRICE_BASIS_POINTS } from '../domain/cost.ts'
import { keyState } from '../domain/key.ts'
import { quotaRules } from '../domain/quota.ts'
import { compileRestrictions } from '../domain/restriction.ts'
import { compileTier } from '../domain/tier.ts'
import type { KeyEntry, KeyFinder } from './call.ts'

/** Keys that are kept compiled in memory; the oldest leaves first. */
const ENTRIES_MAX = 200_000

/** For how long the database may have been silent before its silence proves nothing (revocation bound: 1 s). */
export const LEASE_MS = 900

/** What tells the directory that something changed, and up to when it can be sure that nothing did. */
export interface ChangeFeed {
  /** performance.now() up to which no change of another process can have been missed. */
  freshAsOfMs(): number
}

/**
 * Known keys by digest, compiled for the hot path. A change drops what it touched before it is acknowledged, so a
 * revoked key is refused on the very next request; when changes of other processes might be missed, every look-up
 * goes to the database again.
 */
export class KeyDirectory {
  readonly #finder: KeyFinder
  readonly #feed: ChangeFeed
  readonly #entries = new Map<string, KeyEntry>()
  readonly #digestsByKey = new Map<string, string>()
  #version = 0
  /** Look-ups under way, shared by calls that arrive meanwhile. Emptied by every change: a read begun before is stale. */
  #lookups = new Map<string, Promise<KeyEntry | null>>()

  constructor(finder: KeyFinder, feed: ChangeFeed) {
    this.#finder = finder
    this.#feed = feed
  }

  /** Changes with every change that reached this directory: what was found under the same version is still so. */
  get version(): number {
    return this.#version
  }

  /** Whether what was found under `version` is still known to be so. */
  isCurrent(version: number): boolean {
    return version === this.#version && performance.now() - this.#feed.freshAsOfMs() < LEASE_MS
  }

  /** The key of this digest with its project, or null when there is none. Whether it may be used is not decided here. */
  find(digest: string): KeyEntry | Promise<KeyEntry | null> {
    const known = this.#entries.get(digest)
    if (known !== undefined && performance.now() - this.#feed.freshAsOfMs() < LEASE_MS) return known
    const pending = this.#lookups.get(digest)
    if (pending !== undefined) return pending
    const lookups = this.#lookups
    const lookup = this.#load(digest).finally(() => lookups.delete(digest))
    lookups.set(digest, lookup)
    return lookup
  }

  forgetKey(keyUid: string): void {
    this.#version++
    this.#lookups = new Map()
    const digest = this.#digestsByKey.get(keyUid)
    if (digest !== undefined) this.#drop(digest, keyUid)
  }

  forgetProject(projectNumber: string): void {
    this.#version++
    this.#lookups = new Map()
    for (const [digest, { key }] of this.#entries) {
      if (key.projectNumber === projectNumber) this.#drop(digest, key.uid)
    }
  }

  forgetAll(): void {
    this.#version++
    this.#lookups = new Map()
    this.#entries.clear()
    this.#digestsByKey.clear()
  }

  async #load(digest: string): Promise<KeyEntry | null> {
    const lookups = this.#lookups
    const found = await this.#finder.findByDigest(digest)
    // A change since the look-up began may have overtaken what it read. Who waits here was not open when the change
    // cut the calls it concerns, so it must not be let in by the old rules either.
    if (lookups !== this.#lookups) return this.find(digest)
    if (found === null) {
      const known = this.#entries.get(digest)
      if (known !== undefined) this.#drop(digest, known.key.uid)
      return null
    }
    const entry = entryOf(found)
    this.#keep(digest, entry)
    return entry
  }

  #keep(digest: string, entry: KeyEntry): void {
    if (this.#entries.size >= ENTRIES_MAX) {
      const [oldest] = this.#entries
      if (oldest !== undefined) this.#drop(oldest[0], oldest[1].key.uid)
    }
    this.#entries.set(digest, entry)
    this.#digestsByKey.set(entry.key.uid, digest)
  }

  #drop(digest: string, keyUid: string): void {
    this.#entries.delete(digest)
    this.#digestsByKey.delete(keyUid)
  }
}

type Found = NonNullable<Awaited<ReturnType<KeyFinder['findByDigest']>>>

function entryOf({ key, project, budgets, quota }: Found): KeyEntry {
  return {
    key,
    project,
    budgets,
    rules: compileRestrictions(key.restrictions, { models: key.allowedModels, tools: key.allowedTools }),
    tierRules: quota.tier === null ? null : compileTier(quota.tier),
    priceBasisPoints: quota.tier?.priceBasisPoints ?? LIST_PRICE_BASIS_POINTS,
    quotas: quotaRules({ projectNumber: project.number, lineage: key.lineage }, quota),
    keepsBodies: project.bodyRetentionHours !== null,
    consumer: `projects/${project.number}`,
    permitted: new Map(),
  }
}

/** The state of an entry now: a key of a deleted project counts as deleted. */
export function entryState(entry: KeyEntry, nowMs: number): ReturnType<typeof keyState> {
  return entry.project.deleteTimeMs === null ? keyState(entry.key, nowMs) : 'DELETED'
}
