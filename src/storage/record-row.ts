/** Usage records on their way into rows and back. Encoding runs on the event loop, once per call: it is kept lean. */
import { ApiError } from '../domain/error.ts'
import { LIST_PRICE_BASIS_POINTS } from '../domain/cost.ts'
import type { Outcome, UsageDetails, UsageRecord } from '../domain/usage.ts'
import type { JsonColumn } from './engine.ts'

/** A row of a usage_record table without its key (node_id, seq). */
export interface RecordRow {
  readonly call_id: string
  readonly start_time: number
  readonly duration_ms: number
  readonly first_byte_ms: number | null
  readonly project_number: string
  readonly key_uid: string
  readonly method: string
  readonly model: string
  readonly model_version: string | null
  readonly outcome: string
  readonly http_status: number
  readonly prompt_tokens: number
  readonly cached_tokens: number
  readonly tool_use_prompt_tokens: number
  readonly candidates_tokens: number
  readonly thoughts_tokens: number
  readonly total_tokens: number
  readonly details: string | null
  readonly service_tier: string | null
  readonly request_bytes: number
  readonly response_bytes: number
  readonly cost_nanos: number | null
  readonly posted_nanos: number
  readonly held_nanos: number
  /** Row ids, joined by commas. */
  readonly ledger: string
  readonly clamped_output_tokens: number | null
  /** null: the list price. */
  readonly price_basis_points: number | null
  readonly received_us: number | null
  readonly admitted_us: number | null
  readonly last_byte_us: number | null
}

const text = (name: keyof RecordRow): JsonColumn => ({ name, kind: 'text' })
const bigint = (name: keyof RecordRow): JsonColumn => ({ name, kind: 'bigint' })

/** The columns in the order in which `encodeRecord` writes their values. */
export const RECORD_COLUMNS: readonly JsonColumn[] = [
  text('call_id'),
  bigint('start_time'),
  bigint('duration_ms'),
  bigint('first_byte_ms'),
  text('project_number'),
  text('key_uid'),
  text('method'),
  text('model'),
  text('model_version'),
  text('outcome'),
  bigint('http_status'),
  bigint('prompt_tokens'),
  bigint('cached_tokens'),
  bigint('tool_use_prompt_tokens'),
  bigint('candidates_tokens'),
  bigint('thoughts_tokens'),
  bigint('total_tokens'),
  text('details'),
  text('service_tier'),
  bigint('request_bytes'),
  bigint('response_bytes'),
  bigint('cost_nanos'),
  bigint('posted_nanos'),
  bigint('held_nanos'),
  text('ledger'),
  bigint('clamped_output_tokens'),
  bigint('price_basis_points'),
  bigint('received_us'),
  bigint('admitted_us'),
  bigint('last_byte_us'),
]

/** Columns that may be null. */
export const NULLABLE_RECORD_COLUMNS: ReadonlySet<string> = new Set([
  'first_byte_ms',
  'model_version',
  'details',
  'service_tier',
  'cost_nanos',
  'clamped_output_tokens',
  'price_basis_points',
  'received_us',
  'admitted_us',
  'last_byte_us',
])

/**
 * The record as a JSON array. Throws INTERNAL for a number that no bigint column can hold: such a record would take its
 * whole batch down with it.
 */
export function encodeRecord(record: UsageRecord): string {
  const { usage } = record
  const encoded = JSON.stringify([
    record.callId,
    whole(record.startTimeMs),
    whole(Math.round(record.durationMs)),
    record.firstByteMs === null ? null : whole(Math.round(record.firstByteMs)),
    record.projectNumber,
    record.keyUid,
    record.method,
    record.model,
    record.modelVersion,
    record.outcome,
    whole(record.httpStatus),
    whole(usage.promptTokens),
    whole(usage.cachedTokens),
    whole(usage.toolUsePromptTokens),
    whole(usage.candidatesTokens),
    whole(usage.thoughtsTokens),
    whole(usage.totalTokens),
    usage.details,
    usage.serviceTier,
    whole(record.requestBytes),
    whole(record.responseBytes),
    record.costNanos === null ? null : amount(record.costNanos),
    amount(record.postedNanos),
    amount(record.heldNanos),
    record.ledger.map(whole).join(),
    record.clampedOutputTokens === null ? null : whole(record.clampedOutputTokens),
    record.priceBasisPoints === LIST_PRICE_BASIS_POINTS ? null : whole(record.priceBasisPoints),
    record.receivedUs === null ? null : whole(record.receivedUs),
    record.admittedUs === null ? null : whole(record.admittedUs),
    record.lastByteUs === null ? null : whole(record.lastByteUs),
  ])
  return encoded.includes(UNICODE_ESCAPE) ? withoutUnstorable(encoded) : encoded
}

/** JSON.stringify writes this for control characters and lone surrogates only. */
const UNICODE_ESCAPE = '\\u'

/** PostgreSQL refuses U+0000 and lone surrogates in JSON; both become U+FFFD, so that the record is kept. */
function withoutUnstorable(encoded: string): string {
  const clean = (_key: string, value: unknown): unknown =>
    typeof value === 'string' ? value.toWellFormed().replaceAll('\0', '\u{FFFD}') : value
  return JSON.stringify(JSON.parse(encoded, clean))
}

function whole(value: number): number {
  if (Number.isSafeInteger(value)) return value
  throw new ApiError('INTERNAL', 'The usage of the call could not be recorded.', {
    cause: `a usage record holds ${value} where a whole number belongs`,
  })
}

/** Whole nano-dollars, not below nothing. Throws INTERNAL otherwise. */
export function amount(nanos: number): number {
  if (nanos >= 0) return whole(nanos)
  throw new ApiError('INTERNAL', 'The usage of the call could not be recorded.', {
    cause: `${nanos} is no amount of money`,
  })
}

/**
 * The record that `encodeRecord` was given; what it could not keep apart is rounded and cleaned. Of an earlier version it is
 * shorter: what it does not say is null.
 */
export function decodeRecord(encoded: readonly unknown[]): UsageRecord {
  const row = Object.fromEntries(RECORD_COLUMNS.map(({ name }, place) => [name, encoded[place] ?? null]))
  const { details } = row
  return recordOf({ ...row, details: details === null ? null : JSON.stringify(details) } as RecordRow)
}

/** The record a row stands for. */
export function recordOf(row: RecordRow): UsageRecord {
  return {
    callId: row.call_id,
    startTimeMs: row.start_time,
    durationMs: row.duration_ms,
    firstByteMs: row.first_byte_ms,
    projectNumber: row.project_number,
    keyUid: row.key_uid,
    method: row.method,
    model: row.model,
    modelVersion: row.model_version,
    outcome: row.outcome as Outcome,
    httpStatus: row.http_status,
    usage: {
      promptTokens: row.prompt_tokens,
      cachedTokens: row.cached_tokens,
      toolUsePromptTokens: row.tool_use_prompt_tokens,
      candidatesTokens: row.candidates_tokens,
      thoughtsTokens: row.thoughts_tokens,
      totalTokens: row.total_tokens,
      details: row.details === null ? null : (JSON.parse(row.details) as UsageDetails),
      serviceTier: row.service_tier,
    },
    requestBytes: row.request_bytes,
    responseBytes: row.response_bytes,
    costNanos: row.cost_nanos,
    priceBasisPoints: row.price_basis_points ?? LIST_PRICE_BASIS_POINTS,
    postedNanos: row.posted_nanos,
    heldNanos: row.held_nanos,
    ledger: row.ledger === '' ? [] : row.ledger.split(',').map(Number),
    clampedOutputTokens: row.clamped_output_tokens,
    receivedUs: row.received_us,
    admittedUs: row.admitted_us,
    lastByteUs: row.last_byte_us,
  }
}

const FIRST_MS = Date.UTC(1970, 0)
const END_MS = Date.UTC(10_000, 0)

/** Names the UTC month of a moment, e.g. `202611`, remembering the last one: calls come in the order of time. */
export class BlockClock {
  #startMs = 0
  #endMs = 0
  #block = ''

  blockOf(timeMs: number): string {
    if (timeMs >= this.#startMs && timeMs < this.#endMs) return this.#block
    if (!(timeMs >= FIRST_MS && timeMs < END_MS)) {
      throw new ApiError('INTERNAL', 'The usage of the call could not be recorded.', {
        cause: `a usage record starts at ${timeMs}, which is no time`,
      })
    }
    const date = new Date(timeMs)
    const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()]
    this.#startMs = Date.UTC(year, month)
    this.#endMs = Date.UTC(year, month + 1)
    this.#block = `${String(year).padStart(4, '0')}${String(month + 1).padStart(2, '0')}`
    return this.#block
  }
}
