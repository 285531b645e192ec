/** Budgets of the demo, and the calls of the last hours, which are charged to them as the gateway charges calls. */
import type { BudgetPeriod, BudgetPolicy, BudgetStatus } from '../domain/budget.ts'
import type { Standing } from '../domain/ledger.ts'
import { DEFAULT_TIME_ZONE, periodWindow } from '../domain/period.ts'
import type { UsageRecord } from '../domain/usage.ts'
import type { Storage } from '../storage/storage.ts'
import { BILLING, demoEntry } from './entry.ts'
import type { Random } from './random.ts'
import type { Seeded } from './seed.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000
const NANOS_PER_DOLLAR = 1_000_000_000
const TAIL_HOURS = 6

interface PlannedBudget {
  /** Neither: the organization. */
  readonly project?: string
  readonly key?: string
  readonly period: BudgetPeriod
  readonly policy: BudgetPolicy
  /** Times what a period of this length costs by now. 1 for `total` only: then the cap is reached, to the nano. */
  readonly room: number
}

const BUDGETS: readonly PlannedBudget[] = [
  { period: 'month', policy: 'clamp', room: 1.4 },
  { project: 'web-shop', period: 'month', policy: 'clamp', room: 1.25 },
  { project: 'web-shop', key: 'storefront', period: 'month', policy: 'clamp', room: 1.2 },
  { project: 'web-shop', key: 'storefront', period: 'day', policy: 'refuse', room: 1.6 },
  { project: 'web-shop', key: 'order-service', period: 'month', policy: 'clamp', room: 2.4 },
  { project: 'support-desk', period: 'month', policy: 'clamp', room: 1.5 },
  { project: 'support-desk', key: 'ticket-triage', period: 'total', policy: 'clamp', room: 1.06 },
  { project: 'support-desk', key: 'escalation-bot', period: 'total', policy: 'refuse', room: 1 },
  { project: 'media-studio', period: 'month', policy: 'clamp', room: 1.15 },
  { project: 'media-studio', key: 'cover-art', period: 'month', policy: 'clamp', room: 2 },
  { project: 'research', period: 'month', policy: 'refuse', room: 1.3 },
  { project: 'research', key: 'evaluations', period: 'day', policy: 'refuse', room: 2.2 },
  { project: 'knowledge-base', key: 'search-answers', period: 'month', policy: 'clamp', room: 1.35 },
]

/** Calls that a budget refused: days ago, how many, by which one. */
const CAP_HITS = [
  { key: 'escalation-bot', period: 'total', daysAgo: 0, calls: 41 },
  { key: 'storefront', period: 'day', daysAgo: 9, calls: 318 },
  { key: 'evaluations', period: 'day', daysAgo: 14, calls: 96 },
] as const

const SCOPES = { organization: 'Organization', project: 'Project', key: 'Key' } as const

/** The tier's cap, times what the dearest of its projects costs in a month. */
const TIER_ROOM = 1.8

export interface Money {
  readonly storage: Storage
  readonly seeded: Seeded
  readonly random: Random
  /** All of them, of which those before the tail are recorded. */
  readonly calls: readonly UsageRecord[]
  readonly nowMs: number
  readonly putOwnTier: (spendCapNanos: number) => Promise<void>
}

/** From when on calls are charged to budgets: some hours ago, but in the day that is now, as only its rows are open. */
export function tailStartMs(nowMs: number): number {
  const { startMs } = periodWindow('day', DEFAULT_TIME_ZONE, nowMs)
  return Math.max(startMs, nowMs - TAIL_HOURS * HOUR_MS)
}

/** Opens the budgets, which begin with what was recorded, and charges the calls since. */
export async function addBudgets(money: Money): Promise<void> {
  const { storage, seeded, calls, nowMs } = money
  const webShop = seeded.projects.get('web-shop')?.number ?? ''
  const monthNanos = costSince(calls, nowMs - 30 * DAY_MS, { projectNumber: webShop })
  await money.putOwnTier(round(monthNanos * TIER_ROOM, Math.ceil))
  for (const plan of BUDGETS) {
    const projectNumber = seeded.projects.get(plan.project ?? '')?.number ?? null
    const lineage = seeded.keyUids.get(plan.key ?? '') ?? null
    const place = { projectNumber, keyUid: lineage }
    const scope = lineage !== null ? 'key' : projectNumber !== null ? 'project' : 'organization'
    const audit = demoEntry(BILLING, {
      methodName: `pollux.v1.Budgets.Create${SCOPES[scope]}Budget`,
      resourceName: nameOf(plan, projectNumber),
      projectNumber,
    })
    const draft = {
      scope,
      projectNumber,
      lineage,
      period: plan.period,
      capNanos: capOf(plan, place, money),
      policy: plan.policy,
      defaultMaxOutputTokens: plan.policy === 'clamp' ? 8_192 : null,
      toolCeilingsNanos:
        plan.key === 'search-answers' ? { googleSearch: 70_000_000, urlContext: 1_000_000 } : {},
    } as const
    await storage.budgets.create(draft, audit)
  }
  const budgets = await storage.budgets.list({})
  await charge(money, budgets)
  await addCapHits(money, budgets)
}

function nameOf({ key, period }: PlannedBudget, projectNumber: string | null): string {
  if (projectNumber === null) return `organizations/1/budgets/${period}`
  const project = `projects/${projectNumber}`
  return `${key === undefined ? project : `${project}/keys/${key}`}/budgets/${period}`
}

interface CallPlace {
  readonly projectNumber: string | null
  readonly keyUid?: string | null
}

function costSince(
  calls: readonly UsageRecord[],
  sinceMs: number,
  { projectNumber, keyUid }: CallPlace,
): number {
  let nanos = 0
  for (const call of calls) {
    const isHere =
      (projectNumber === null || call.projectNumber === projectNumber) &&
      (keyUid === null || keyUid === undefined || call.keyUid === keyUid)
    if (isHere && call.startTimeMs >= sinceMs) nanos += call.costNanos ?? 0
  }
  return nanos
}

/** By what was spent in thirty days, so that it looks alike whichever day of the month it is. */
function capOf({ period, room }: PlannedBudget, place: CallPlace, { calls, nowMs }: Money): number {
  if (period === 'total') {
    const spentNanos = costSince(calls, 0, place)
    return room === 1 ? spentNanos : round(spentNanos * room, Math.ceil)
  }
  const monthNanos = costSince(calls, nowMs - 30 * DAY_MS, place)
  const { startMs } = periodWindow(period, DEFAULT_TIME_ZONE, nowMs)
  const spentNanos = costSince(calls, startMs, place)
  const usualNanos = period === 'month' ? monthNanos : monthNanos / 30
  return round(Math.max(usualNanos * room, spentNanos * 1.1), Math.ceil)
}

/** To two digits, as people set caps. */
function round(nanos: number, how: (steps: number) => number): number {
  const step = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(nanos, NANOS_PER_DOLLAR / 100))) - 1)
  return Math.max(step, how(nanos / step) * step)
}

/** Takes the money of the tail in one piece and settles every call from it. */
async function charge(
  { storage, random, calls, nowMs }: Money,
  budgets: readonly BudgetStatus[],
): Promise<void> {
  const tailMs = tailStartMs(nowMs)
  const tail = calls.filter(({ startTimeMs }) => startTimeMs >= tailMs)
  const wanted = budgets
    .map(budget => {
      const place = { projectNumber: budget.projectNumber, keyUid: budget.lineage }
      return { budgetUid: budget.uid, nanos: costSince(tail, tailMs, place), place }
    })
    .filter(({ nanos }) => nanos > 0)
  const takes = wanted.map(({ budgetUid, nanos }) => ({ budgetUid, minNanos: nanos, wantNanos: nanos }))
  const { taken, standings } = await storage.ledger.take(takes)
  if (!taken && takes.length > 0) throw new Error('the budgets of the demo have no room for its last hours')
  const byBudget = new Map(standings.map(standing => [standing.budgetUid, standing]))
  const pathOf = (call: UsageRecord): Standing[] =>
    wanted.flatMap(({ budgetUid, place }) => {
      const isHere =
        (place.projectNumber === null || place.projectNumber === call.projectNumber) &&
        (place.keyUid === null || place.keyUid === call.keyUid)
      return isHere ? (byBudget.get(budgetUid) ?? []) : []
    })
  await Promise.all(
    tail.map(call => {
      const path = pathOf(call)
      const postedNanos = path.length === 0 ? 0 : (call.costNanos ?? 0)
      const heldNanos = path.length === 0 ? 0 : Math.round(postedNanos * (2 + 3 * random.next()))
      const charges = path.flatMap(({ allotment }) =>
        allotment === null || postedNanos === 0 ? [] : [{ allotmentId: allotment.id, nanos: postedNanos }],
      )
      const ledger = path.map(({ rowId }) => rowId)
      return storage.usage.append({ ...call, postedNanos, heldNanos, ledger }, charges)
    }),
  )
  await storage.ledger.close(standings.flatMap(({ allotment }) => (allotment === null ? [] : [allotment.id])))
}

async function addCapHits(
  { storage, seeded, random, nowMs }: Money,
  budgets: readonly BudgetStatus[],
): Promise<void> {
  const hits = CAP_HITS.flatMap(({ key, period, daysAgo, calls }) => {
    const lastKeyUid = seeded.keyUids.get(key) ?? ''
    const budget = budgets.find(({ lineage, period: its }) => lineage === lastKeyUid && its === period)
    if (budget === undefined) return []
    const lastTimeMs = nowMs - daysAgo * DAY_MS - 4 * 60_000
    return [
      {
        budgetUid: budget.uid,
        reason: 'BUDGET_EXHAUSTED' as const,
        calls,
        firstTimeMs: lastTimeMs - 2 * HOUR_MS,
        lastTimeMs,
        lastProjectNumber: budget.projectNumber ?? '',
        lastKeyUid,
        lastCallId: random.uuid(),
      },
    ]
  })
  await storage.capHits.add(hits)
}
