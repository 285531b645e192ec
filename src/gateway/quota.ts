/** What a call takes from its rate limits, and what of it stays when the call is over. */
import type { QuotaAllocation, QuotaAnswer, QuotaCounter, QuotaMetric, QuotaTake } from '../domain/quota.ts'
import { boundsOf } from './bounds.ts'
import type { Call, Gateway, Grant } from './call.ts'
import type { RefusedCall } from '../domain/refused-call.ts'
import { countPromptTokens } from './count-tokens.ts'
import { overQuota } from './quota-errors.ts'
import type { Ending } from './settle.ts'

/** Where rates are counted. Whatever it answers, it answers soon: a store that is away is not waited for. */
export interface QuotaStore {
  /** All takes or none. A promise only where somebody else has to be asked. */
  allocate(takes: readonly QuotaTake[], callId: string): QuotaAnswer | Promise<QuotaAnswer>
  /** Leaves `kept` of each take counted, and gives the rest back. */
  release(allocation: QuotaAllocation, kept: readonly number[]): void
}

type Ports = Pick<Gateway, 'quota' | 'modelLimits' | 'upstream' | 'events'>

/**
 * Charges every rate limit of a call, or none; null where it has none, or the store is away (rate limits protect
 * throughput: DESIGN.md, Money). Throws, or rejects with, RATE_LIMIT_EXCEEDED (429).
 */
export function allocateQuota(
  grant: Grant,
  call: Call,
  io: Ports,
): QuotaAllocation | null | Promise<QuotaAllocation | null> {
  // Google counts what generates or embeds apart from what only asks (gemini-wire 5).
  const isCounted = grant.method.metering !== 'none'
  const counters = isCounted ? grant.caller.entry.quotas?.countersOf(grant.model) : undefined
  if (counters === undefined || counters.length === 0) return null
  const takes = takesOf(counters, grant, promptBound(grant, io))
  if (isCountable(takes, grant)) return allocateCounted(counters, { grant, call, io })
  const answer = io.quota.allocate(takes, call.id)
  if (answer instanceof Promise) return answer.then(answer => allocationOf(answer, grant, io))
  return allocationOf(answer, grant, io)
}

/** The call is over: what it really took stays, within the window in which it took it. */
export function releaseQuota(
  allocation: QuotaAllocation,
  { outcome, usage }: Pick<Ending, 'outcome' | 'usage'>,
  { quota }: Pick<Gateway, 'quota'>,
): void {
  const isVoid = outcome === 'void'
  const promptTokens = outcome === 'posted' ? usage?.promptTokens : undefined
  const kept = allocation.takes.map(({ counter: { metric }, amount }) => {
    if (metric === 'concurrentCalls') return 0
    if (metric === 'inputTokensPerMinute') return isVoid ? 0 : (promptTokens ?? amount)
    return metric === 'imagesPerMinute' && isVoid ? 0 : amount
  })
  quota.release(allocation, kept)
}

/** The call was not let in after all: as if it had never asked. */
export function returnQuota(allocation: QuotaAllocation, { quota }: Pick<Gateway, 'quota'>): void {
  quota.release(
    allocation,
    allocation.takes.map(() => 0),
  )
}

function takesOf(
  counters: readonly QuotaCounter[],
  grant: Grant,
  promptTokens: number,
): readonly QuotaTake[] {
  const amounts: Readonly<Record<QuotaMetric, number>> = {
    requestsPerMinute: 1,
    requestsPerDay: 1,
    concurrentCalls: 1,
    inputTokensPerMinute: promptTokens,
    imagesPerMinute: grant.tools.has('imageOutput') ? grant.demand.candidateCount : 0,
    requestBytesPerDay: grant.requestBytes,
  }
  const takes = counters.map(counter => ({ counter, amount: amounts[counter.metric] }))
  // A text call is none of the business of a limit on images.
  return takes.filter(({ amount }) => amount > 0)
}

/** What the prompt can take at most: a limit that is charged less could be passed. */
function promptBound(grant: Grant, io: Ports): number {
  return boundsOf(grant, io.modelLimits.find(grant.model), []).promptTokensBound
}

/** Whether only the bound of the prompt, which is some times its tokens, is above a whole limit (MONEY.md rule 12). */
function isCountable(takes: readonly QuotaTake[], { method }: Grant): boolean {
  const isTooLarge = ({ counter, amount }: QuotaTake): boolean =>
    counter.metric === 'inputTokensPerMinute' && counter.limit > 0 && amount > counter.limit
  return method.body === 'generate' && takes.some(isTooLarge)
}

async function allocateCounted(
  counters: readonly QuotaCounter[],
  { grant, call, io }: { readonly grant: Grant; readonly call: Call; readonly io: Ports },
): Promise<QuotaAllocation | null> {
  const bound = promptBound(grant, io)
  const isOfTokens = ({ counter }: QuotaTake): boolean => counter.metric === 'inputTokensPerMinute'
  // Requests come first: what they refuse shall not cost a question to Google.
  const others = takesOf(counters, grant, bound).filter(take => !isOfTokens(take))
  const charged = allocationOf(await io.quota.allocate(others, call.id), grant, io)
  const counted = Math.min(bound, (await countPromptTokens(grant, io.upstream)) ?? bound)
  const tokens = takesOf(counters, grant, counted).filter(isOfTokens)
  try {
    return together(charged, allocationOf(await io.quota.allocate(tokens, call.id), grant, io))
  } catch (refusal) {
    // Google was asked for it: a client that tries without end is to reach the end of its requests.
    if (charged !== null) io.quota.release(charged, charged.takes.map(keptOfCounted))
    throw refusal
  }
}

function keptOfCounted({ counter: { metric }, amount }: QuotaTake): number {
  return metric === 'requestsPerMinute' || metric === 'requestsPerDay' ? amount : 0
}

/** Two allocations of one call as one; null: there is nothing to release. */
function together(one: QuotaAllocation | null, other: QuotaAllocation | null): QuotaAllocation | null {
  if (one === null || other === null) return one ?? other
  return {
    callId: one.callId,
    takes: [...one.takes, ...other.takes],
    windows: [...one.windows, ...other.windows],
  }
}

function allocationOf(
  answer: QuotaAnswer,
  grant: Grant,
  { events }: Pick<Gateway, 'events'>,
): QuotaAllocation | null {
  if (answer.kind === 'refused') {
    for (const { counter } of answer.refusals) events.callLimited(limitedBy(counter, grant))
    throw overQuota(answer.refusals, grant.caller.entry.project)
  }
  return answer.kind === 'granted' ? answer.allocation : null
}

function limitedBy({ scope, metric }: QuotaCounter, grant: Grant): RefusedCall {
  return { ...refusedOf(grant), reason: 'RATE_LIMIT_EXCEEDED', quota: { scope, metric } }
}

/** Whose call is refused, and for which model. */
export function refusedOf({ caller, model }: Grant): Omit<RefusedCall, 'reason' | 'quota'> {
  const { project, key } = caller.entry
  return { timeMs: Date.now(), projectNumber: project.number, keyUid: key.uid, model }
}
