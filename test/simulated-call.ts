/** The calls of a simulation: what they ask for, hold and leave behind. */
import type { Budget } from '../src/domain/budget.ts'
import type { OpenHold } from '../src/domain/ledger.ts'
import { NO_USAGE, type Outcome, type UsageRecord } from '../src/domain/usage.ts'
import type { Ask } from '../src/gateway/ask.ts'
import type { HeldMoney } from '../src/gateway/ledger.ts'
import { type Random, between } from './seeded-random.ts'

export interface PlayedCall {
  readonly id: string
  readonly path: readonly Budget[]
  readonly ask: Ask
  readonly startedMs: number
  state: 'waiting' | 'held' | 'over'
  money: HeldMoney | null
  /** When it was last seen that it did not fit beside all that is held and all who wait longer. */
  unfitMs: number
  /** What its client was told; null: its node was gone before. */
  told: string | null
  billed: number
}

/** What a call asks for; four in ten can be clamped, to half of what is free and at least their floor. */
export function drawAsk(random: Random): Ask {
  const worstNanos = between(random, 20, 500)
  if (random() < 0.6) return { worstNanos, floorNanos: worstNanos, clampTo: () => null }
  const floorNanos = Math.ceil(worstNanos / between(random, 2, 8))
  return {
    worstNanos,
    floorNanos,
    clampTo(freeNanos) {
      if (freeNanos < floorNanos) return null
      const nanos = Math.max(floorNanos, Math.min(worstNanos, Math.floor(freeNanos / 2)))
      return { nanos, maxOutputTokens: nanos, thinkingBudget: null }
    },
  }
}

/** `epochMs` is Date.now() at the start of the run. */
export function openHold({ id, startedMs }: PlayedCall, money: HeldMoney, epochMs: number): OpenHold {
  return {
    callId: id,
    startTimeMs: Math.floor(epochMs + startedMs),
    projectNumber: '1',
    keyUid: 'key',
    method: 'GenerateContent',
    model: 'gemini-2.5-flash',
    heldNanos: money.nanos,
    priceBasisPoints: 10_000,
    ledger: money.rows.map(row => row.rowId),
    allotmentIds: money.rows.map(row => row.allotmentId ?? ''),
  }
}

export function recordOf(
  hold: OpenHold,
  money: HeldMoney,
  { outcome, costNanos }: { readonly outcome: Outcome; readonly costNanos: number },
): UsageRecord {
  return {
    ...hold,
    durationMs: 0,
    firstByteMs: null,
    modelVersion: null,
    outcome,
    httpStatus: 200,
    usage: NO_USAGE,
    requestBytes: 0,
    responseBytes: 0,
    costNanos,
    postedNanos: costNanos,
    clampedOutputTokens: money.clamped?.maxOutputTokens ?? null,
    receivedUs: null,
    admittedUs: null,
    lastByteUs: null,
  }
}
