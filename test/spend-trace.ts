/**
 * What clients were told, what the upstream billed and what Pollux booked, put side by side: whether a cap was passed, and
 * whether anything was refused that fitted (MONEY.md, "Measured how").
 */
import type { RecordRow } from '../src/storage/record-row.ts'
import type { Bill } from './billing-upstream.ts'
import type { Told } from './spend-clients.ts'
import { reasonIn } from './traffic.ts'

/** A budget after the race. Amounts in nano-dollars. */
export interface TracedBudget {
  readonly name: string
  readonly cap: bigint
  readonly posted: bigint
  readonly allotted: bigint
  readonly overrun: bigint
  /** The keys it binds. */
  readonly keyUids: ReadonlySet<string>
}

export interface Trace {
  readonly told: readonly Told[]
  readonly bills: readonly Bill[]
  readonly records: readonly RecordRow[]
  readonly budgets: readonly TracedBudget[]
}

export interface Verdict {
  /** What broke a promise, a line each. */
  readonly violations: readonly string[]
  readonly refused402: number
  readonly refused429: number
  readonly clamped: number
  /** Clamped although the whole call fitted beside everything that could be held. */
  readonly clampedNeedlessly: number
}

/** `durationMs` of a record is rounded, and so is its start. */
const ROUNDING_MS = 2
/** How old what a refusal rests on may be, where nothing stands still. */
const TRAVEL_MS = 100
/** Nobody was told anything for so long: the machine may have stood still. */
const SILENCE_MS = 50

export function judge(trace: Trace): Verdict {
  const calls = callsOf(trace)
  const clamped = calls.filter(({ record }) => record.clamped_output_tokens !== null)
  return {
    violations: [
      ...booksDiffer(trace),
      ...recordsDiffer(trace, calls),
      ...falseRefusals(trace, calls),
      ...oddAnswers(trace.told),
    ],
    refused402: trace.told.filter(({ status }) => status === 402).length,
    refused429: trace.told.filter(({ status }) => status === 429).length,
    clamped: clamped.length,
    clampedNeedlessly: clamped.filter(call => isNeedless(call, calls, trace.budgets)).length,
  }
}

/** One call in all three books. */
interface TracedCall {
  readonly record: RecordRow
  readonly bill: Bill | null
  readonly told: Told
  /** When its money may have been held at the earliest: whoever waits for it in line comes before those behind. */
  readonly heldFromMs: number
  /** When its cost was known. */
  readonly endMs: number
  /** When its money was free again at the latest: its client was told after its record was durable. */
  readonly freedMs: number
}

function callsOf({ told, bills, records }: Trace): readonly TracedCall[] {
  const byId = new Map(told.filter(({ requestId }) => requestId !== '').map(one => [one.requestId, one]))
  const byName = new Map(bills.map(bill => [bill.name, bill]))
  return records.flatMap(record => {
    const one = byId.get(record.call_id)
    if (one === undefined) return []
    const bill = byName.get(one.name) ?? null
    const heldFromMs = record.start_time
    const endMs = heldFromMs + record.duration_ms
    return [{ record, bill, told: one, heldFromMs, endMs, freedMs: Math.max(endMs, one.receivedMs) }]
  })
}

/** Each budget against its records and against what the upstream billed its keys. */
function booksDiffer({ budgets, told, bills, records }: Trace): string[] {
  const keyOf = new Map(told.map(({ name, keyUid }) => [name, keyUid]))
  return budgets.flatMap(({ name, cap, posted, allotted, overrun, keyUids }) => {
    const own = records.filter(record => keyUids.has(record.key_uid))
    const recorded = own.reduce((sum, record) => sum + BigInt(record.posted_nanos), 0n)
    const billed = bills
      .filter(bill => keyUids.has(keyOf.get(bill.name) ?? ''))
      .reduce((sum, bill) => sum + bill.nanos, 0n)
    const wrong: string[] = []
    if (posted > cap) wrong.push(`${name}: ${posted} posted, above its cap of ${cap}`)
    if (billed > cap) wrong.push(`${name}: ${billed} billed, above its cap of ${cap}`)
    if (billed > posted) wrong.push(`${name}: ${billed} billed, but ${posted} posted`)
    if (recorded !== posted) wrong.push(`${name}: ${posted} posted, but ${recorded} by its records`)
    if (allotted !== 0n) wrong.push(`${name}: ${allotted} still allotted`)
    if (overrun !== 0n) wrong.push(`${name}: an overrun of ${overrun}`)
    return wrong
  })
}

/** Exactly one record for each call that was let in, to the nano what the upstream billed. */
function recordsDiffer({ told, bills, records }: Trace, calls: readonly TracedCall[]): string[] {
  const wrong: string[] = []
  const ids = new Set(records.map(record => record.call_id))
  if (ids.size !== records.length) wrong.push(`${records.length - ids.size} records are of one call twice`)
  if (new Set(bills.map(({ name }) => name)).size !== bills.length) wrong.push('a call was billed twice')
  for (const { status, requestId, name } of told) {
    if (status === 200 && !ids.has(requestId)) wrong.push(`${name}: acknowledged, but not recorded`)
    if ((status === 402 || status === 429) && ids.has(requestId)) wrong.push(`${name}: refused, but recorded`)
  }
  const billed = records.filter(record => record.outcome !== 'void').length
  if (billed !== bills.length) wrong.push(`${billed} records of billed calls, but ${bills.length} bills`)
  for (const call of calls) wrong.push(...recordDiffers(call))
  return wrong
}

function recordDiffers({ record, bill, told }: TracedCall): string[] {
  const { name, worstNanos, counted } = told
  const { posted_nanos: posted, held_nanos: held, cost_nanos: cost, clamped_output_tokens: limit } = record
  const wrong: string[] = []
  const nanos = bill === null ? 0 : Number(bill.nanos)
  switch (record.outcome) {
    case 'posted':
      if (cost !== nanos || posted !== nanos) {
        wrong.push(`${name}: ${nanos} billed, but a cost of ${cost} and ${posted} posted`)
      }
      break
    case 'estimated':
      if (posted !== held) wrong.push(`${name}: estimated, with ${posted} posted instead of ${held} held`)
      break
    default:
      if (posted !== 0 || bill !== null) wrong.push(`${name}: ${record.outcome}, with ${posted} posted`)
  }
  if (nanos > held) wrong.push(`${name}: ${nanos} billed, above the ${held} held`)
  if (limit === null && held !== worstNanos && held !== counted.worstNanos) {
    wrong.push(`${name}: ${held} held, not its worst ${worstNanos}, nor ${counted.worstNanos} by its count`)
  }
  if (limit !== null && (held < counted.floorNanos || held >= worstNanos)) {
    wrong.push(
      `${name}: clamped, with ${held} held; its floor is ${counted.floorNanos}, its worst ${worstNanos}`,
    )
  }
  if (limit !== null && bill !== null && bill.maxOutputTokens !== limit) {
    wrong.push(`${name}: clamped to ${limit}, but ${bill.maxOutputTokens} was sent`)
  }
  if (told.status === 200 && told.clampedTo !== limit) {
    wrong.push(`${name}: clamped to ${limit}, but the client was told ${told.clampedTo}`)
  }
  return wrong
}

/**
 * A 402 is false where posted and the call's floor fit; a SPEND_HELD where they fit beside all holds that could be open
 * and all who waited before it.
 * A 402 is judged by what is sure to have been so at the latest when the client was told, a SPEND_HELD by the time it
 * names.
 */
function falseRefusals({ told, budgets }: Trace, calls: readonly TracedCall[]): string[] {
  const silences = silencesOf(told)
  const refusals = told
    .filter(({ status }) => status === 402 || status === 429)
    .map(one => ({ one, atMs: (asOfMs(one.text) ?? one.receivedMs) + ROUNDING_MS }))
  return refusals.flatMap(refusal => {
    const { one, atMs } = refusal
    const path = budgets.filter(({ keyUids }) => keyUids.has(one.keyUid))
    const decided = [decidedFromMs(atMs, silences), atMs] as const
    const inItsWay = ({ keyUids }: TracedBudget): number =>
      one.status === 429 ? heldBetween(calls, keyUids, decided) + aheadOf(refusal, refusals, keyUids) : 0
    // Before a 402 the prompt is counted.
    const { floorNanos } = one.status === 402 ? one.counted : one
    const fits = (budget: TracedBudget): boolean =>
      postedBy(calls, budget.keyUids, atMs) + inItsWay(budget) + floorNanos <= Number(budget.cap)
    if (!path.every(fits)) return []
    const facts = path.map(
      budget =>
        `${budget.name} ${postedBy(calls, budget.keyUids, atMs)} posted, ${inItsWay(budget)} held or ahead, cap ${budget.cap}`,
    )
    const [waitedMs, lateMs] = [one.receivedMs - one.sentMs, one.receivedMs - atMs].map(Math.round)
    const what = `${one.status} after ${waitedMs} ms, told ${lateMs} ms late, floor ${floorNanos}`
    return [`${one.name}: falsely refused (${what}; ${facts.join('; ')}), by ${refusedBy(one.text)}`]
  })
}

interface Refusal {
  readonly one: Told
  /** When it was decided, at the latest. */
  readonly atMs: number
}

/**
 * The least that those asked for who came before a refused call, were not yet told when it was refused, and were refused
 * in the end: who waits is served in order (MONEY.md rule 15), and may not be overtaken.
 */
function aheadOf({ one, atMs }: Refusal, refusals: readonly Refusal[], keyUids: ReadonlySet<string>): number {
  let nanos = 0
  for (const { one: other, atMs: untilMs } of refusals) {
    if (other.sentMs < one.sentMs && untilMs > atMs && keyUids.has(other.keyUid)) nanos += other.floorNanos
  }
  return nanos
}

type Span = readonly [fromMs: number, toMs: number]

/** When no client was told anything, latest first. */
function silencesOf(told: readonly Told[]): readonly Span[] {
  const times = told.map(({ receivedMs }) => receivedMs).sort((one, other) => other - one)
  return times
    .map((toMs, place): Span => [times[place + 1] ?? toMs, toMs])
    .filter(([fromMs, toMs]) => toMs - fromMs > SILENCE_MS)
}

/** The earliest moment at which something can have been decided that a client was told at `atMs`. */
function decidedFromMs(atMs: number, silences: readonly Span[]): number {
  let earliestMs = atMs - TRAVEL_MS
  for (const [fromMs, toMs] of silences) {
    if (toMs <= atMs && toMs > earliestMs) earliestMs -= toMs - fromMs
  }
  return earliestMs
}

/** Epoch ms of the time that an error names. */
function asOfMs(text: string): number | null {
  const asOf = /"asOf": *"([^"]*)"/.exec(text)?.[1]
  return asOf === undefined ? null : Date.parse(asOf)
}

/** The budget that an error names. */
function refusedBy(text: string): string {
  return /"budget": *"([^"]*)"/.exec(text)?.[1] ?? 'no budget'
}

function postedBy(calls: readonly TracedCall[], keyUids: ReadonlySet<string>, atMs: number): number {
  let nanos = 0
  for (const { record, endMs } of calls) {
    if (endMs <= atMs && keyUids.has(record.key_uid)) nanos += record.posted_nanos
  }
  return nanos
}

/** The most that can have been held at any one moment, beyond what was posted by then. */
function heldBetween(
  calls: readonly TracedCall[],
  keyUids: ReadonlySet<string>,
  [fromMs, toMs]: readonly [number, number],
): number {
  let nanos = 0
  for (const { record, heldFromMs, endMs, freedMs } of calls) {
    if (heldFromMs > toMs || freedMs < fromMs || !keyUids.has(record.key_uid)) continue
    nanos += endMs <= toMs ? record.held_nanos - record.posted_nanos : record.held_nanos
  }
  return nanos
}

function isNeedless(
  { record, told, heldFromMs, bill }: TracedCall,
  calls: readonly TracedCall[],
  budgets: readonly TracedBudget[],
): boolean {
  if (bill === null) return false
  const others = calls.filter(call => call.record !== record)
  return budgets
    .filter(({ keyUids }) => keyUids.has(record.key_uid))
    .every(({ keyUids, cap }) => {
      const posted = postedBy(others, keyUids, bill.atMs)
      const held = heldBetween(others, keyUids, [heldFromMs, bill.atMs])
      return posted + held + told.worstNanos <= Number(cap)
    })
}

/** Errors of a kind that a race must not bring, and refusals that do not say what they have to. */
function oddAnswers(told: readonly Told[]): string[] {
  const wrong: string[] = []
  for (const { name, status, text, shouldRetry } of told) {
    if (status === 200 || status === 0) continue
    const reason = reasonIn(text)
    const expected = EXPECTED.get(status)
    if (expected === undefined || !expected.has(reason)) wrong.push(`${name}: HTTP ${status}: ${text}`)
    if (status === 402 && shouldRetry !== 'false') wrong.push(`${name}: a 402 without x-should-retry: false`)
  }
  return wrong
}

/** 502 and 503 are faults of the upstream, where it was told to have some; a busy machine may shed calls besides. */
const EXPECTED: ReadonlyMap<number, ReadonlySet<string>> = new Map([
  [402, new Set(['BUDGET_EXHAUSTED'])],
  [429, new Set(['SPEND_HELD'])],
  [502, new Set(['UPSTREAM_BROKEN'])],
  [503, new Set(['UNAVAILABLE', 'OVERLOADED'])],
])
