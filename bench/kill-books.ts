/** What clients were told and the upstream billed against what is in the books after many kills. */
import type { RecordRow } from '../src/storage/record-row.ts'
import type { Bill } from '../test/billing-upstream.ts'
import type { Acknowledged } from './acknowledged.ts'

export interface Books {
  readonly acknowledged: ReadonlyMap<string, Acknowledged>
  readonly records: readonly RecordRow[]
  readonly bills: readonly Bill[]
}

export interface Compared {
  /** Request ids whose whole reply a client has, but that no record has. */
  readonly lost: readonly string[]
  /** Request ids of more than one record. */
  readonly doubled: readonly string[]
  /** Request ids whose record holds other counts, or another cost, than the client was told and the upstream billed. */
  readonly unequal: readonly string[]
}

export function compare({ acknowledged, records, bills }: Books): Compared {
  const byCall = new Map<string, RecordRow>()
  const doubled: string[] = []
  for (const record of records) {
    if (byCall.has(record.call_id)) doubled.push(record.call_id)
    byCall.set(record.call_id, record)
  }
  const byName = new Map(bills.map(bill => [bill.name, bill]))
  const lost: string[] = []
  const unequal: string[] = []
  for (const [callId, told] of acknowledged) {
    const record = byCall.get(callId)
    if (record === undefined) lost.push(callId)
    else if (!isEqual(record, told, byName.get(told.name))) unequal.push(callId)
  }
  return { lost, doubled, unequal }
}

function isEqual(record: RecordRow, told: Acknowledged, bill: Bill | undefined): boolean {
  const nanos = Number(bill?.nanos ?? -1)
  return (
    record.outcome === 'posted' &&
    record.http_status === 200 &&
    record.prompt_tokens === told.promptTokens &&
    record.candidates_tokens === told.candidatesTokens &&
    record.thoughts_tokens === told.thoughtsTokens &&
    record.total_tokens === told.totalTokens &&
    record.cost_nanos === nanos &&
    record.posted_nanos === nanos
  )
}

export interface Money {
  readonly billedNanos: bigint
  readonly postedNanos: bigint
  /** What the holds came to that were open at the kills. */
  readonly estimatedNanos: bigint
  /** How many of them there were. */
  readonly estimated: number
  readonly errors: readonly string[]
}

/** `openAtKills`: how many calls clients had under way at all kills together: no more can have been estimated. */
export function compareMoney({ records, bills }: Books, openAtKills: number): Money {
  const estimates = records.filter(({ outcome }) => outcome === 'estimated')
  const billedNanos = bills.reduce((sum, { nanos }) => sum + nanos, 0n)
  const postedNanos = sumOf(records)
  const estimatedNanos = sumOf(estimates)
  const errors: string[] = []
  if (postedNanos < billedNanos) errors.push(`${postedNanos} posted, below the ${billedNanos} billed`)
  if (postedNanos - billedNanos > estimatedNanos) {
    errors.push(`${postedNanos - billedNanos} above the bills, but only ${estimatedNanos} was held at kills`)
  }
  if (records.length < bills.length) errors.push(`${records.length} records, but ${bills.length} bills`)
  if (records.length - bills.length > estimates.length) {
    errors.push(`${records.length} records of ${bills.length} bills, but only ${estimates.length} estimated`)
  }
  if (estimates.length > openAtKills) {
    errors.push(`${estimates.length} estimated, but only ${openAtKills} calls were under way at kills`)
  }
  for (const { call_id, held_nanos: held, posted_nanos: posted, cost_nanos: cost } of estimates) {
    if (posted !== held || cost !== held) errors.push(`${call_id}: ${held} held, ${posted} posted`)
  }
  return { billedNanos, postedNanos, estimatedNanos, estimated: estimates.length, errors }
}

function sumOf(records: readonly RecordRow[]): bigint {
  return records.reduce((sum, { posted_nanos }) => sum + BigInt(posted_nanos), 0n)
}
