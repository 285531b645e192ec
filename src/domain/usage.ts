/** What a call consumed, as Google counts it, and the durable record of it. */

/** Token counts of one call: `usageMetadata` with absent fields as 0. */
export interface Usage {
  /** All input; includes `cachedTokens`, excludes `toolUsePromptTokens`. */
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly toolUsePromptTokens: number
  /** Visible output; excludes `thoughtsTokens`. */
  readonly candidatesTokens: number
  readonly thoughtsTokens: number
  readonly totalTokens: number
  /** Counts by modality as Google sent them; null when it sent none. A record keeps none where all they name is text. */
  readonly details: UsageDetails | null
  /** The service tier actually used, e.g. `standard`; null when not told. */
  readonly serviceTier: string | null
}

export interface ModalityCount {
  /** TEXT, IMAGE, VIDEO, AUDIO or DOCUMENT. */
  readonly modality: string
  readonly tokenCount: number
}

/** usageMetadata's four arrays by modality. */
export interface UsageDetails {
  readonly prompt: readonly ModalityCount[]
  readonly cached: readonly ModalityCount[]
  readonly toolUsePrompt: readonly ModalityCount[]
  readonly candidates: readonly ModalityCount[]
}

/** Whether all that is named is text, or nothing is. */
export function isTextOnly(details: UsageDetails | null): boolean {
  if (details === null) return true
  const { prompt, cached, toolUsePrompt, candidates } = details
  return (
    prompt.every(isText) && cached.every(isText) && toolUsePrompt.every(isText) && candidates.every(isText)
  )
}

function isText({ modality }: ModalityCount): boolean {
  return modality === 'TEXT'
}

export const NO_USAGE: Usage = {
  promptTokens: 0,
  cachedTokens: 0,
  toolUsePromptTokens: 0,
  candidatesTokens: 0,
  thoughtsTokens: 0,
  totalTokens: 0,
  details: null,
  serviceTier: null,
}

/**
 * What became of a call that was admitted. `posted`: answered with its usage, or Google counted what was embedded. `unmetered`: answered without usage where
 * none is billed (countTokens, models). `void`: refused by the upstream or never sent. `estimated`: sent, but its usage
 * was not seen, or cannot be read (MONEY.md rule 17).
 */
export type Outcome = (typeof OUTCOMES)[number]
export const OUTCOMES = ['posted', 'unmetered', 'void', 'estimated'] as const

/** One admitted call, once and for ever. Appended, never changed. */
export interface UsageRecord {
  /** The request id that the caller saw. */
  readonly callId: string
  readonly startTimeMs: number
  readonly durationMs: number
  /** From the start to the upstream's first byte; null when none came. */
  readonly firstByteMs: number | null
  readonly projectNumber: string
  readonly keyUid: string
  /** Bare method name, e.g. `GenerateContent`. */
  readonly method: string
  /** The model asked for, after alias; empty where the method names none. */
  readonly model: string
  /** The model that answered (`modelVersion`); null when not told. */
  readonly modelVersion: string | null
  readonly outcome: Outcome
  /** The HTTP status the caller was given; 499 when the caller left first. */
  readonly httpStatus: number
  readonly usage: Usage
  readonly requestBytes: number
  readonly responseBytes: number
  /** What the call cost by the price in force when it was admitted, nano-dollars; null: no price is known for it. */
  readonly costNanos: number | null
  /** The factor that is in `costNanos`, that of the project's tier when the call was admitted (`chargedNanos`). */
  readonly priceBasisPoints: number
  /** What of it was posted to the budgets of its path; the rest of the cost is their overrun (MONEY.md rule 19). */
  readonly postedNanos: number
  /** The worst case it was admitted with; 0 where no budget was in force. */
  readonly heldNanos: number
  /** The budget rows it was posted to, by id; empty where no budget was in force. */
  readonly ledger: readonly number[]
  /** The output limit it was clamped to; null where it was not. */
  readonly clampedOutputTokens: number | null
  /** From the start until its key was known and its body read, microseconds; null: not measured. */
  readonly receivedUs: number | null
  /** From the start until it was let in: its limits and budgets had room; null: not measured. */
  readonly admittedUs: number | null
  /** From the start to the upstream's last byte; null when its answer did not end, or was not measured. */
  readonly lastByteUs: number | null
}

/** Which calls are asked for: all fields that are given must hold. */
export interface CallFilter {
  /** Absent: every project there is. */
  readonly projectNumbers?: readonly string[]
  readonly keyUid?: string
  readonly model?: string
  readonly method?: string
  readonly outcome?: Outcome
  /** First and last of the HTTP statuses. */
  readonly statuses?: readonly [number, number]
  readonly callId?: string
  /** Calls that started in `[startTimeMs, endTimeMs)`. */
  readonly startTimeMs?: number
  readonly endTimeMs?: number
}

/** Sums over calls. */
export interface UsageTotals {
  readonly calls: number
  /** Calls the caller saw fail: `httpStatus` of 400 and above. */
  readonly errors: number
  /** Calls whose outcome is `estimated`. */
  readonly estimated: number
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly toolUsePromptTokens: number
  readonly candidatesTokens: number
  readonly thoughtsTokens: number
  readonly totalTokens: number
  readonly requestBytes: number
  readonly responseBytes: number
  /** What the calls of known price cost, nano-dollars. Decimal: a sum over many calls may pass 2^53. */
  readonly costNanos: string
  /** Calls that are or may be billed and whose price is not known; `costNanos` leaves them out. */
  readonly unpriced: number
  /** Tokens of prompts and candidates by modality, as far as Google told; what is in none of them is text. */
  readonly imageTokens: number
  readonly audioTokens: number
  readonly videoTokens: number
  readonly documentTokens: number
  /** How long the calls took together, and the longest of them. */
  readonly durationMs: number
  readonly durationMaxMs: number
}

export const USAGE_GRANULARITIES = ['minute', 'hour', 'day'] as const
/** Width of a rollup bucket. Buckets are UTC. */
export type UsageGranularity = (typeof USAGE_GRANULARITIES)[number]

export const USAGE_DIMENSIONS = [
  'project',
  'key',
  'environment',
  'model',
  'method',
  'status',
  'time',
] as const
export type UsageDimension = (typeof USAGE_DIMENSIONS)[number]

/** By what the groups are chosen that count most: sums, tokens of a kind among them, and the mean duration of a call. */
export const USAGE_ORDERS = [
  'cost',
  'calls',
  'errors',
  'tokens',
  'input',
  'cached',
  'output',
  'thinking',
  'tool',
  'bytes',
  'latency',
] as const
export type UsageOrder = (typeof USAGE_ORDERS)[number]

/** Which part of the usage is asked for. `[startTimeMs, endTimeMs)` is widened to whole buckets. */
export interface UsageQuery {
  /** Of this project. */
  readonly projectNumber?: string
  /** Of these projects. Neither: of all. */
  readonly projectNumbers?: readonly string[]
  readonly keyUid?: string
  readonly model?: string
  readonly httpStatus?: number
  readonly startTimeMs: number
  readonly endTimeMs: number
  readonly granularity: UsageGranularity
  readonly groupBy: readonly UsageDimension[]
  /** Only the groups that count most over the whole interval; the others are summed up in a row for each bucket. */
  readonly top?: { readonly limit: number; readonly by: UsageOrder }
}

/** One group of a usage report; only the dimensions that were asked for are set. */
export interface UsageRow {
  readonly projectNumber?: string
  readonly keyUid?: string
  /** Empty where the key says none. */
  readonly environment?: string
  readonly model?: string
  readonly method?: string
  readonly httpStatus?: number
  readonly bucketTimeMs?: number
  /** Everything that is in none of the groups that count most; of its dimensions only the time is set. */
  readonly isOther?: true
  readonly totals: UsageTotals
}
