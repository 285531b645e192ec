import type { Budget } from '../domain/budget.ts'
import { ApiError } from '../domain/error.ts'
import type { OpenHold } from '../domain/ledger.ts'
import type { QuotaAllocation } from '../domain/quota.ts'
import { checkGrant } from './authorize.ts'
import { BudgetRefusal, unavailable } from './budget-errors.ts'
import { BoundedAsk, boundsOf, clampRuleOf, defaultLimit, unpriced } from './bounds.ts'
import type { Admission, Call, CapHit, Gateway, Grant, Hold, KeyEntry } from './call.ts'
import { countPromptTokens } from './count-tokens.ts'
import { usableEntry } from './identify.ts'
import type { HeldMoney } from './ledger.ts'
import { withOutputLimit } from './output-limit.ts'
import { allocateQuota, refusedOf, returnQuota } from './quota.ts'

/** What Google may bill for a request beyond what it counts: as much as `promptBoundTokens` allows around one. */
const COUNT_MARGIN_TOKENS = 64

type Ports = Pick<
  Gateway,
  'keys' | 'usage' | 'ledger' | 'quota' | 'journal' | 'prices' | 'modelLimits' | 'upstream' | 'events'
>

/**
 * Whether there is room for the call. The last step before anything is sent: a key that was revoked or restricted
 * while its body came in is refused here, its rate limits are charged, and the call's worst case is held on every budget of
 * its path (MONEY.md rule 10). Throws or rejects with what identify and authorize throw, with RATE_LIMIT_EXCEEDED (429),
 * with the refusals of budgets (402, 429, 400), and with STORAGE_UNAVAILABLE (503) while usage cannot be made durable. A
 * promise only where there is something to wait for.
 */
export function admit(grant: Grant, call: Call, io: Ports): Admission | Promise<Admission> {
  if (!io.usage.isFlowing()) {
    throw new ApiError(
      'STORAGE_UNAVAILABLE',
      'Usage cannot be recorded at the moment, so no call is let in. Please retry.',
    )
  }
  const { caller } = grant
  const { expireTimeMs } = caller.entry.key
  if (expireTimeMs === null && io.keys.isCurrent(caller.version)) return enter(grant, call, io)
  const found = usableEntry(caller.digest, io.keys)
  return found instanceof Promise
    ? found.then(entry => enter(withEntry(entry, grant, call), call, io))
    : enter(withEntry(found, grant, call), call, io)
}

/** The grant by the rules as they are now. Throws the refusals of authorize. */
function withEntry(entry: KeyEntry, grant: Grant, call: Call): Grant {
  if (entry === grant.caller.entry) return grant
  checkGrant(entry, call, grant)
  return { ...grant, caller: { ...grant.caller, entry } }
}

/** Rate limits before money: what they refuse never holds any. */
function enter(grant: Grant, call: Call, io: Ports): Admission | Promise<Admission> {
  if (grant.caller.entry.quotas === null) return hold(grant, call, io)
  const allocated = allocateQuota(grant, call, io)
  if (allocated === null) return hold(grant, call, io)
  return allocated instanceof Promise
    ? enterLater(allocated, { grant, call, io })
    : holdWithin(allocated, { grant, call, io })
}

interface Entering {
  readonly grant: Grant
  readonly call: Call
  readonly io: Ports
}

async function enterLater(
  allocating: Promise<QuotaAllocation | null>,
  { grant, call, io }: Entering,
): Promise<Admission> {
  const allocation = await allocating
  let now = grant
  try {
    // What changed while the counters were asked counts for the call.
    if (!io.keys.isCurrent(grant.caller.version)) now = await renewed(grant, call, io)
  } catch (error) {
    if (allocation !== null) returnQuota(allocation, io)
    throw error
  }
  return await (allocation === null ? hold(now, call, io) : holdWithin(allocation, { grant: now, call, io }))
}

/** Gives the allocation back where money refuses. */
function holdWithin(
  allocation: QuotaAllocation,
  { grant, call, io }: Entering,
): Admission | Promise<Admission> {
  const refused = (error: unknown): never => {
    returnQuota(allocation, io)
    throw error
  }
  const admitted = (admission: Admission): Admission => {
    admission.hold.quota = allocation
    return admission
  }
  try {
    const held = hold(grant, call, io)
    return held instanceof Promise ? held.then(admitted, refused) : admitted(held)
  } catch (error) {
    return refused(error)
  }
}

function hold(grant: Grant, call: Call, io: Ports): Admission | Promise<Admission> {
  const { budgets, priceBasisPoints } = grant.caller.entry
  const isBilled = grant.method.metering !== 'none'
  const price = isBilled ? io.prices.find(grant.model, call.startTimeMs) : null
  if (!isBilled || budgets.length === 0)
    return {
      grant,
      hold: { settled: false, price, priceBasisPoints, money: null, quota: null },
      body: grant.body,
    }
  if (price === null) throw unpriced(`no price is known for the model '${grant.model}'`)
  const limit = io.modelLimits.find(grant.model)
  const charge = { price, basisPoints: priceBasisPoints }
  const ask = new BoundedAsk(boundsOf(grant, limit, budgets), charge, clampRuleOf(grant, limit, budgets))
  return holdMoney({ grant, price, ask, maxOutputTokens: defaultLimit(grant, limit, budgets) }, call, io)
}

interface Priced {
  readonly grant: Grant
  readonly price: Hold['price']
  readonly ask: BoundedAsk
  /** What the budgets set for a call that names no limit; null: nothing. */
  readonly maxOutputTokens: number | null
}

async function holdMoney(priced: Priced, call: Call, io: Ports): Promise<Admission> {
  const { grant, price } = priced
  const { caller } = grant
  const { budgets, priceBasisPoints } = caller.entry
  let money: HeldMoney
  try {
    const held = holdBounded(priced, call, io)
    money = held instanceof Promise ? await held : held
  } catch (error) {
    if (error instanceof ApiError && error.reason === 'SPEND_HELD')
      io.events.callLimited({ ...refusedOf(grant), reason: 'SPEND_HELD', quota: null })
    if (error instanceof BudgetRefusal) io.events.capHit(hitOf(error, grant, call))
    throw error
  }
  let now = grant
  try {
    // Whoever waited for money may be gone by now: then nothing is sent.
    if (call.response.destroyed)
      throw new ApiError('CLIENT_GONE', 'The client left before its call was let in.')
    await io.journal.append(openHold(grant, call, money))
    if (!io.ledger.isSpendable(money)) throw unavailable('the lease of this node has run out')
    // What changed while the call waited counts for it: nothing else looks after it before it is open.
    if (!io.keys.isCurrent(caller.version)) now = await renewed(grant, call, io)
    if (isSamePath(now.caller.entry.budgets, budgets))
      return {
        grant: now,
        // The factor that is in what is held: another one counts from the next call on.
        hold: { settled: false, price, priceBasisPoints, money, quota: null },
        body: bodyOf(priced, money),
      }
  } catch (error) {
    drop(money, call, io)
    throw error
  }
  // A budget came or went: nothing may be spent past one that is there.
  drop(money, call, io)
  return await hold(now, call, io)
}

function hitOf({ budgetUid, capHit }: BudgetRefusal, { caller }: Grant, call: Call): CapHit {
  const { key, project } = caller.entry
  return {
    timeMs: Date.now(),
    budgetUid,
    reason: capHit,
    projectNumber: project.number,
    keyUid: key.uid,
    callId: call.id,
  }
}

/** Holds the worst case; before it is refused for the bytes of its prompt, Google is asked for the tokens (rule 12). */
function holdBounded(priced: Priced, call: Call, io: Ports): HeldMoney | Promise<HeldMoney> {
  const holdAsk = (ask: BoundedAsk): HeldMoney | Promise<HeldMoney> => {
    const held = io.ledger.hold(priced.grant.caller.entry.budgets, ask)
    return held instanceof Promise ? whileThere(held, { ask, call, io }) : held
  }
  const holdCounted = async (refusal: unknown): Promise<HeldMoney> => {
    const counted = await countedAsk(refusal, priced, io)
    if (counted === null) throw refusal
    return await holdAsk(counted)
  }
  try {
    const held = holdAsk(priced.ask)
    return held instanceof Promise ? held.catch(holdCounted) : held
  } catch (refusal) {
    return holdCounted(refusal)
  }
}

/**
 * A refused call by its counted prompt; null where that cannot help: no money for its output alone, a prompt that is not
 * in the request, or nobody who counts it.
 */
async function countedAsk(
  refusal: unknown,
  { grant, ask }: Priced,
  { ledger, upstream }: Ports,
): Promise<BoundedAsk | null> {
  if (!(refusal instanceof ApiError) || refusal.reason !== 'BUDGET_EXHAUSTED') return null
  const { demand, caller } = grant
  if (demand.prompt.hasReference) return null
  const margin = COUNT_MARGIN_TOKENS * demand.requests
  if (!ledger.hasRoom(caller.entry.budgets, ask.withPromptTokens(margin).floorNanos)) return null
  const counted = await countPromptTokens(grant, upstream)
  if (counted === null || counted + margin >= ask.promptTokensBound) return null
  return ask.withPromptTokens(counted + margin)
}

/** Waits for money as long as the client does. */
async function whileThere(
  held: Promise<HeldMoney>,
  { ask, call, io }: { readonly ask: BoundedAsk; readonly call: Call; readonly io: Ports },
): Promise<HeldMoney> {
  const leave = (): void => io.ledger.leave(ask)
  call.response.once('close', leave)
  try {
    return await held
  } finally {
    call.response.off('close', leave)
  }
}

function openHold({ caller, method, model }: Grant, call: Call, money: HeldMoney): OpenHold {
  return {
    callId: call.id,
    startTimeMs: call.startTimeMs,
    projectNumber: caller.entry.project.number,
    keyUid: caller.entry.key.uid,
    method: method.name,
    model,
    heldNanos: money.nanos,
    priceBasisPoints: caller.entry.priceBasisPoints,
    ledger: money.rows.map(row => row.rowId),
    allotmentIds: money.rows.map(row => row.allotmentId ?? ''),
  }
}

/** The grant as its key is now. Rejects with what identify and authorize throw. */
async function renewed(grant: Grant, call: Call, io: Ports): Promise<Grant> {
  const { version } = io.keys
  const entry = await usableEntry(grant.caller.digest, io.keys)
  const { caller, ...rest } = withEntry(entry, grant, call)
  return { ...rest, caller: { ...caller, version } }
}

function isSamePath(one: readonly Budget[], other: readonly Budget[]): boolean {
  return one.length === other.length && one.every(({ uid }, index) => uid === other[index]?.uid)
}

/** The call is not sent: what it held is free. */
function drop(money: HeldMoney, call: Call, io: Ports): void {
  io.journal.settled(call.id)
  io.ledger.release(money, 0)
}

/** What is sent: with the output limit that the hold is for, where the call named none or a higher one. */
function bodyOf({ grant, maxOutputTokens }: Priced, { clamped }: HeldMoney): Buffer {
  if (clamped !== null) return withOutputLimit(grant.body, clamped)
  if (maxOutputTokens === null) return grant.body
  return withOutputLimit(grant.body, { maxOutputTokens, thinkingBudget: null })
}
