/** The calls of the demo, as the gateway would have recorded them: by day and week, with errors and days of too many. */
import { SERVED_PLAINLY, chargedNanos, costOf } from '../domain/cost.ts'
import { NO_USAGE, type Outcome, type Usage, type UsageRecord } from '../domain/usage.ts'
import type { PriceBook } from '../domain/price-book.ts'
import { MANNERS, type Manner } from './manners.ts'
import type { Rhythm, Traffic } from './plan.ts'
import type { Random } from './random.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
/** A month, and the one before to compare it with. */
const DAYS = 60

/** A key that is called. */
export interface Caller {
  readonly projectNumber: string
  readonly keyUid: string
  readonly priceBasisPoints: number
  readonly traffic: Traffic
}

/** How busy each hour of the day (UTC) is, and each day of the week from Sunday on, beside the others. */
const HOURS: Readonly<Record<Rhythm, readonly number[]>> = {
  people: [2, 1, 1, 1, 1, 2, 4, 7, 10, 12, 13, 12, 10, 12, 14, 14, 13, 12, 11, 11, 10, 8, 5, 3],
  always: [7, 7, 6, 6, 6, 7, 8, 9, 10, 10, 10, 10, 9, 10, 10, 10, 10, 9, 9, 9, 9, 8, 8, 7],
  nightly: [8, 20, 24, 18, 9, 3, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3],
}
const WEEKDAYS: Readonly<Record<Rhythm, readonly number[]>> = {
  people: [0.42, 1.1, 1.18, 1.2, 1.15, 1.0, 0.5],
  always: [0.75, 1.05, 1.1, 1.1, 1.05, 1.0, 0.8],
  nightly: [0.3, 1.2, 1.1, 1.1, 1.1, 1.2, 0.4],
}
/** It was less busy at the start. */
const GROWTH = 0.45

interface Failure {
  readonly status: number
  readonly outcome: Outcome
  readonly weight: number
}

const FAILURES: readonly [Failure, ...Failure[]] = [
  { status: 429, outcome: 'void', weight: 5 },
  { status: 503, outcome: 'void', weight: 3 },
  { status: 400, outcome: 'void', weight: 3 },
  { status: 500, outcome: 'void', weight: 1 },
]

export interface Month {
  readonly random: Random
  readonly prices: PriceBook
  readonly nowMs: number
}

/** Every call of the callers up to now, in the order of time. None belongs to a budget. */
export function callsOf(callers: readonly Caller[], month: Month): UsageRecord[] {
  return callers
    .flatMap(caller =>
      startsOf(caller.traffic, { ...month, random: month.random.branch() }).map(({ startMs, random }) =>
        record(caller, startMs, { ...month, random }),
      ),
    )
    .toSorted((one, other) => one.startTimeMs - other.startTimeMs)
}

interface Start {
  readonly startMs: number
  /** Of this call alone: it is the same call whatever else is within the month. */
  readonly random: Random
}

/** When the first call of such traffic can start, epoch ms; without traffic as with that of the whole time. */
export function firstCallMs(traffic: Traffic | null, nowMs: number): number {
  return nowMs - (traffic?.sinceDaysAgo ?? DAYS) * DAY_MS
}

function startsOf(traffic: Traffic, { random, nowMs }: Month): Start[] {
  const { untilDaysAgo = 0, spikes = {}, rhythm } = traffic
  const [firstMs, lastMs] = [firstCallMs(traffic, nowMs), nowMs - untilDaysAgo * DAY_MS]
  const hours = HOURS[rhythm]
  const perHour = traffic.callsPerDay / hours.reduce((sum, weight) => sum + weight, 0)
  const starts: Start[] = []
  for (let dayMs = Math.floor(firstMs / DAY_MS) * DAY_MS; dayMs < lastMs; dayMs += DAY_MS) {
    const daysAgo = Math.floor(nowMs / DAY_MS) - dayMs / DAY_MS
    const grown = 1 - (GROWTH * Math.min(daysAgo, DAYS)) / DAYS
    const busy = (WEEKDAYS[rhythm][new Date(dayMs).getUTCDay()] ?? 1) * grown * (spikes[daysAgo] ?? 1)
    for (const [hour, weight] of hours.entries()) {
      const count = random.count(perHour * weight * busy)
      for (let call = 0; call < count; call++) {
        const startMs = dayMs + hour * HOUR_MS + Math.floor(random.next() * HOUR_MS)
        const own = random.branch()
        if (startMs >= firstMs && startMs < lastMs) starts.push({ startMs, random: own })
      }
    }
  }
  return starts
}

function record({ traffic, ...caller }: Caller, startMs: number, month: Month): UsageRecord {
  const { random, prices } = month
  const manner = MANNERS[random.pick(traffic.manners).name]
  const failure = random.chance(traffic.errors) ? random.pick(FAILURES) : null
  const usage = failure === null ? usageOf(manner, random) : NO_USAGE
  const firstByteMs = random.skewed(manner.firstByteMs)
  const outputTokens = usage.candidatesTokens + usage.thoughtsTokens
  const answeredMs = firstByteMs + outputTokens * manner.msPerOutputToken
  const price = prices.find(manner.model, startMs)
  const cost = failure !== null || price === null ? 0 : costOf(usage, price, SERVED_PLAINLY)
  return {
    callId: random.uuid(),
    startTimeMs: startMs,
    durationMs: Math.round(answeredMs),
    firstByteMs,
    projectNumber: caller.projectNumber,
    keyUid: caller.keyUid,
    method: manner.method,
    model: manner.model,
    modelVersion: failure === null && manner.method !== 'CountTokens' ? manner.model : null,
    outcome: failure?.outcome ?? (manner.method === 'CountTokens' ? 'unmetered' : 'posted'),
    httpStatus: failure?.status ?? 200,
    usage,
    requestBytes: 420 + usage.promptTokens * 4,
    responseBytes: failure === null ? 380 + usage.candidatesTokens * 5 : 240,
    costNanos: cost === null ? null : chargedNanos(cost, caller.priceBasisPoints),
    priceBasisPoints: caller.priceBasisPoints,
    postedNanos: 0,
    heldNanos: 0,
    ledger: [],
    clampedOutputTokens: null,
    ...momentsOf(startMs, usage, { firstByteMs, answeredMs }),
  }
}

/** As a small machine would have it; of nothing random, so that the calls are the same as ever. */
function momentsOf(
  startMs: number,
  { promptTokens }: Usage,
  { firstByteMs, answeredMs }: { readonly firstByteMs: number; readonly answeredMs: number },
) {
  const receivedUs = 180 + (startMs % 140) + Math.round(promptTokens / 40)
  const admittedUs = receivedUs + 90 + (startMs % 110)
  const lastByteUs = Math.max(firstByteMs * 1_000, Math.round(answeredMs * 1_000) - 120 - (startMs % 90))
  return { receivedUs, admittedUs, lastByteUs }
}

function usageOf(manner: Manner, random: Random): Usage {
  if (manner.method === 'CountTokens') return NO_USAGE
  const text = random.skewed(manner.promptTokens)
  const attached = manner.attached === null ? 0 : random.skewed(manner.attached.tokens)
  const cachedTokens = random.chance(manner.cached) ? Math.round(text * 0.7) : 0
  const candidatesTokens = random.skewed(manner.outputTokens)
  const thoughtsTokens = random.skewed(manner.thoughtsTokens)
  const promptTokens = text + attached
  const others =
    manner.attached === null ? [] : [{ modality: manner.attached.modality, tokenCount: attached }]
  return {
    promptTokens,
    cachedTokens,
    toolUsePromptTokens: 0,
    candidatesTokens,
    thoughtsTokens,
    totalTokens: promptTokens + candidatesTokens + thoughtsTokens,
    details: {
      prompt: [{ modality: 'TEXT', tokenCount: text }, ...others],
      cached: cachedTokens === 0 ? [] : [{ modality: 'TEXT', tokenCount: cachedTokens }],
      toolUsePrompt: [],
      candidates: [{ modality: manner.makesPictures ? 'IMAGE' : 'TEXT', tokenCount: candidatesTokens }],
    },
    serviceTier: 'standard',
  }
}
