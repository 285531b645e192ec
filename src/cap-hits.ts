/** Refusals of budgets on their way into storage: counted in memory, written once a second. */
import type { CapHits } from './domain/cap-hit.ts'
import type { CapHit, GatewayEvents } from './gateway/call.ts'
import type { CapHitStore } from './storage/cap-hit-store.ts'

const EVERY_MS = 1_000
/** Budgets that can refuse in one second and be told; more than that are not counted until the next. */
const BUDGETS_MAX = 10_000

export interface CapHitCounter {
  add(hit: CapHit): void
  /** The same events, and every hit counted. */
  counting(events: GatewayEvents): GatewayEvents
  /** Writes what is counted. */
  close(): Promise<void>
}

/** A crash loses the counts of its last second. What cannot be written stays for the next time; `onFailure` hears of it. */
export function countCapHits(store: CapHitStore, onFailure: (error: unknown) => void): CapHitCounter {
  let counted = new Map<string, CapHits>()
  let isFailing = false
  let writing: Promise<void> = Promise.resolve()
  const merge = (hits: CapHits): void => {
    const key = `${hits.budgetUid} ${hits.reason}`
    const before = counted.get(key)
    if (before === undefined && counted.size >= BUDGETS_MAX) return
    counted.set(key, before === undefined ? hits : together(before, hits))
  }
  const write = async (): Promise<void> => {
    if (counted.size === 0) return
    const hits = [...counted.values()]
    counted = new Map()
    try {
      await store.add(hits)
      isFailing = false
    } catch (error) {
      for (const hit of hits) merge(hit)
      // Once for an outage, not every second.
      if (!isFailing) onFailure(error)
      isFailing = true
    }
  }
  const timer = setInterval(() => {
    writing = writing.then(write)
  }, EVERY_MS)
  timer.unref()
  const counter: CapHitCounter = {
    add({ timeMs, projectNumber, keyUid, callId, ...hit }) {
      merge({
        ...hit,
        calls: 1,
        firstTimeMs: timeMs,
        lastTimeMs: timeMs,
        lastProjectNumber: projectNumber,
        lastKeyUid: keyUid,
        lastCallId: callId,
      })
    },
    counting: events => ({
      ...events,
      capHit(hit) {
        counter.add(hit)
        events.capHit(hit)
      },
    }),
    async close() {
      clearInterval(timer)
      await writing
      await write()
    },
  }
  return counter
}

function together(one: CapHits, other: CapHits): CapHits {
  return {
    ...(one.lastTimeMs > other.lastTimeMs ? one : other),
    calls: one.calls + other.calls,
    firstTimeMs: Math.min(one.firstTimeMs, other.firstTimeMs),
  }
}
