import { askedModalities, boundsOf } from './bounds.ts'
import { worstCase } from '../domain/bound.ts'
import { type Served, chargedNanos, costOf } from '../domain/cost.ts'
import type { Charge } from '../domain/ledger.ts'
import { NO_USAGE, type Outcome, type Usage, type UsageRecord, isTextOnly } from '../domain/usage.ts'
import type { Admission, Gateway, Grant, Hold } from './call.ts'
import type { HeldMoney } from './ledger.ts'
import type { OpenCall } from './open-calls.ts'
import { releaseQuota } from './quota.ts'

/** How an admitted call ended. */
export interface Ending {
  readonly outcome: Outcome
  /** What the caller was, or will be, given; 499 when it left first. */
  readonly httpStatus: number
  readonly usage?: Usage | null
  readonly modelVersion?: string | null
  readonly served?: Served | undefined
  /** performance.now() at the upstream's first byte. */
  readonly firstByteAtMs?: number | null
  /** performance.now() at its last one; null when its answer did not end. */
  readonly lastByteAtMs?: number | null
  readonly responseBytes?: number
}

type Ports = Pick<Gateway, 'usage' | 'events' | 'ledger' | 'quota' | 'journal' | 'prices' | 'modelLimits'>

/**
 * Ends an admission: exactly once, with a durable record, in the transaction that posts its cost. What was held is let go
 * once that is durable. Resolves then; rejects with STORAGE_UNAVAILABLE when it takes too long for a reply to wait.
 */
export function settle(open: OpenCall, ending: Ending, io: Ports): Promise<void> {
  const { admission, call } = open
  const { hold } = admission
  if (hold.settled) throw new Error(`call ${call.id} is settled already`)
  hold.settled = true
  if (hold.quota !== null) releaseQuota(hold.quota, ending, io)
  const costNanos = costBy(admission, ending, { call, io })
  const { money } = hold
  const isCovered = money === null || costNanos === null || costNanos <= money.nanos
  const booked = isCovered
    ? book(recordOf(open, ending, costNanos), money, io)
    : io.ledger.extend(money, costNanos - money.nanos).then(() => {
        // Above what still fitted the path freezes (rule 19).
        if (costNanos > money.nanos) io.ledger.freeze(money)
        return book(recordOf(open, ending, costNanos), money, io)
      })
  if (open.copy !== null) open.copy.settled(booked)
  return booked
}

function book(record: UsageRecord, money: HeldMoney | null, io: Ports): Promise<void> {
  io.events.callSettled(record)
  const charges = money === null ? NO_CHARGES : io.ledger.charges(money, record.postedNanos)
  const onDurable = (): void => {
    if (money !== null) io.ledger.release(money, record.postedNanos)
  }
  return io.usage.append(record, charges, onDurable).catch((error: unknown) => {
    io.events.usageNotDurable(record, error)
    throw error
  })
}

const NO_CHARGES: readonly Charge[] = []

function recordOf(
  { admission, call, admittedAtMs }: OpenCall,
  ending: Ending,
  costNanos: number | null,
): UsageRecord {
  const { grant, hold } = admission
  const { money } = hold
  const firstByteAtMs = ending.firstByteAtMs ?? null
  const lastByteAtMs = ending.lastByteAtMs ?? null
  const { key, project } = grant.caller.entry
  return {
    callId: call.id,
    startTimeMs: call.startTimeMs,
    durationMs: Math.round(performance.now() - call.startedMs),
    firstByteMs: firstByteAtMs === null ? null : Math.round(firstByteAtMs - call.startedMs),
    projectNumber: project.number,
    keyUid: key.uid,
    method: grant.method.name,
    model: grant.model,
    modelVersion: ending.modelVersion ?? null,
    outcome: ending.outcome,
    httpStatus: ending.httpStatus,
    usage: recorded(ending.usage ?? NO_USAGE),
    requestBytes: grant.requestBytes,
    responseBytes: ending.responseBytes ?? 0,
    costNanos,
    priceBasisPoints: hold.priceBasisPoints,
    // No more than what is held: the rest of the cost is overrun.
    postedNanos: Math.min(money?.nanos ?? 0, costNanos ?? 0),
    heldNanos: money?.nanos ?? 0,
    ledger: money === null ? NO_ROWS : money.rows.map(row => row.rowId),
    clampedOutputTokens: money?.clamped?.maxOutputTokens ?? null,
    receivedUs: microseconds(call.receivedAtMs - call.startedMs),
    admittedUs: microseconds(admittedAtMs - call.startedMs),
    lastByteUs: lastByteAtMs === null ? null : microseconds(lastByteAtMs - call.startedMs),
  }
}

/** Counts that name nothing but text say no more than the totals, once the cost is known. */
function recorded(usage: Usage): Usage {
  return usage.details !== null && isTextOnly(usage.details) ? { ...usage, details: null } : usage
}

function microseconds(ms: number): number {
  return Math.round(ms * 1_000)
}

const NO_ROWS: readonly number[] = []

/** What the call cost (rules 17 and 18); null: no price is known for what it used. */
function costBy(
  { grant, hold }: Admission,
  ending: Ending,
  { call, io }: { readonly call: OpenCall['call']; readonly io: Ports },
): number | null {
  const { outcome } = ending
  if (outcome === 'void' || outcome === 'unmetered') return 0
  if (outcome === 'estimated') return hold.money?.nanos ?? estimate(grant, hold, io)
  // The model that answered may be another than the one asked for: its price counts where it has one.
  const model = ending.modelVersion ?? grant.model
  const answered = model === grant.model ? null : io.prices.find(model, call.startTimeMs)
  const price = answered ?? hold.price
  const usage = ending.usage ?? NO_USAGE
  const cost = price === null ? null : costOf(usage, price, ending.served, askedModalities(grant))
  // Under a budget nothing is free for want of a price: then the whole hold counts.
  return cost === null ? (hold.money?.nanos ?? null) : chargedNanos(cost, hold.priceBasisPoints)
}

/** The worst case of a call without a budget, of which no usage was seen. */
function estimate(grant: Grant, { price, priceBasisPoints }: Hold, io: Ports): number | null {
  if (price === null) return null
  const worst = worstCase(boundsOf(grant, io.modelLimits.find(grant.model), []), price)
  return 'nanos' in worst ? chargedNanos(worst.nanos, priceBasisPoints) : null
}
