/** Rate limits of projects and keys, and how far they are used. */
import type { BodyOf, ResponseOf } from '../contract/endpoint.ts'
import type { KEY_QUOTAS_V1, PROJECT_QUOTAS_V1, QUOTAS_V1 } from '../contract/quotas.v1.ts'
import { ApiError, invalidField } from '../domain/error.ts'
import type { RefusalCount } from '../domain/refused-call.ts'
import type { Key } from '../domain/key.ts'
import type { Project } from '../domain/project.ts'
import {
  type QuotaCounter,
  type QuotaLimit,
  type QuotaReading,
  type Tier,
  quotaRules,
} from '../domain/quota.ts'
import { parseQuotaLimit, parseQuotaPlace } from '../domain/quota-fields.ts'
import type { PlacedLimits, QuotaPlace } from '../storage/quota-store.ts'
import type { Storage } from '../storage/storage.ts'
import { auditEntry } from './audit.ts'
import { placeFinder } from './budget-places.ts'
import type { AnyCall, Handlers } from './call.ts'
import { keysByUid, requireKey, requireProject } from './lookup.ts'
import { projectName, timeJson } from './resource-names.ts'
import { type ShippedTiers, limitJson, requireTier } from './tiers.ts'

/** Where rates are counted, as far as it can be read. */
export interface QuotaReader {
  read(counters: readonly QuotaCounter[]): Promise<readonly QuotaReading[]>
}

export interface QuotaContext {
  readonly storage: Storage
  readonly quota: QuotaReader
  readonly tiers: ShippedTiers
  /** Epoch ms. */
  readonly now: () => number
}

const DAY_MS = 86_400_000
/** Models of a project whose counters are shown: those with the most calls. */
const MODELS_SHOWN_MAX = 100

/** A place as its audit entries name it, and the limits it has now. */
interface Named extends QuotaPlace {
  readonly name: string
}

export function projectQuotaHandlers({ storage }: QuotaContext): Handlers<typeof PROJECT_QUOTAS_V1> {
  const placeOf = async (
    call: AnyCall & { readonly params: { readonly project: string } },
  ): Promise<Named> => {
    const { number: projectNumber } = await requireProject(storage, call.params.project, call)
    return { projectNumber, lineage: null, name: projectName(projectNumber) }
  }
  return {
    setQuotaLimit: async call => await setLimit(storage, call, await placeOf(call)),
    unsetQuotaLimit: async call => await unsetLimit(storage, call, await placeOf(call)),
  }
}

export function keyQuotaHandlers({ storage }: QuotaContext): Handlers<typeof KEY_QUOTAS_V1> {
  const placeOf = async (
    call: AnyCall & { readonly params: { readonly project: string; readonly key: string } },
  ): Promise<Named> => {
    const { key } = await requireKey(storage, call.params, call)
    const { projectNumber, lineage } = key
    return { projectNumber, lineage, name: `${projectName(projectNumber)}/keys/${key.keyId}` }
  }
  return {
    setQuotaLimit: async call => await setLimit(storage, call, await placeOf(call)),
    unsetQuotaLimit: async call => await unsetLimit(storage, call, await placeOf(call)),
  }
}

type LimitBody = BodyOf<typeof PROJECT_QUOTAS_V1.setQuotaLimit>
type LimitName = BodyOf<typeof PROJECT_QUOTAS_V1.unsetQuotaLimit>

async function setLimit(storage: Storage, call: AnyCall & { readonly body: LimitBody }, place: Named) {
  const limit = parseQuotaLimit(call.body, 'limit')
  const audit = auditOf(call, place, { before: await limitAt(storage, place, limit), after: limit })
  return limitJson(await storage.quotas.set(place, limit, audit))
}

async function unsetLimit(storage: Storage, call: AnyCall & { readonly body: LimitName }, place: Named) {
  const limit = parseQuotaPlace(call.body, 'limit')
  const audit = auditOf(call, place, { before: await limitAt(storage, place, limit), after: null })
  await storage.quotas.unset(place, limit, audit)
  return {}
}

function auditOf(
  call: AnyCall,
  { name, projectNumber }: Named,
  change: { readonly before: QuotaLimit | null; readonly after: QuotaLimit | null },
) {
  return auditEntry(call, { resourceName: `${name}/quotaLimits`, projectNumber, ...change })
}

async function limitAt(
  storage: Storage,
  { projectNumber, lineage }: QuotaPlace,
  { metric, model }: Pick<QuotaLimit, 'metric' | 'model'>,
): Promise<QuotaLimit | null> {
  const placed = (await storage.quotas.list(projectNumber)).find(place => place.lineage === lineage)
  return placed?.limits.find(limit => limit.metric === metric && limit.model === model) ?? null
}

export function quotaHandlers(context: QuotaContext): Handlers<typeof QUOTAS_V1> {
  const { storage } = context
  return {
    async listQuotaLimits(call) {
      const project = await requireProject(storage, call.params.project, call)
      const { tier, placed } = await limitsOf(context, project)
      const own = placed.find(({ lineage }) => lineage === null)?.limits ?? []
      const isOwn = ({ metric, model }: QuotaLimit): boolean =>
        own.some(limit => limit.metric === metric && limit.model === model)
      const ofTier = (tier?.limits ?? []).filter(limit => !isOwn(limit))
      return {
        ...(tier === null ? {} : { tier: tier.id }),
        limits: [
          ...own.map(limit => ({ ...limitJson(limit), source: 'project' as const })),
          ...ofTier.map(limit => ({ ...limitJson(limit), source: 'tier' as const })),
          ...(await keyLimits(storage, placed)),
        ],
      }
    },
    async getQuotaUsage(call) {
      const project = await requireProject(storage, call.params.project, call)
      const counters = await countersOf(context, project)
      const readings = await read(
        context.quota,
        counters.map(({ counter }) => counter),
      )
      return {
        project: projectName(project.number),
        counters: counters.map(({ counter, keyId }, place) => usageJson(counter, keyId, readings[place])),
      }
    },
    async getQuotaRefusals(call) {
      const project = await requireProject(storage, call.params.project, call)
      const { startTime, endTime } = call.query
      const endTimeMs = endTime === undefined ? context.now() : Date.parse(endTime)
      const startTimeMs = startTime === undefined ? endTimeMs - DAY_MS : Date.parse(startTime)
      if (startTimeMs >= endTimeMs) throw invalidField('endTime', 'must be after startTime')
      const counts = await storage.refusals.report({
        projectNumber: project.number,
        startTimeMs,
        endTimeMs,
      })
      const keys = counts.length === 0 ? new Map<string, Key>() : await keysByUid(storage, project.number)
      return {
        project: projectName(project.number),
        startTime: timeJson(startTimeMs),
        endTime: timeJson(endTimeMs),
        refusals: counts.map(count => refusalJson(count, keys)),
      }
    },
  }
}

async function limitsOf(
  { storage, tiers }: QuotaContext,
  project: Project,
): Promise<{ readonly tier: Tier | null; readonly placed: readonly PlacedLimits[] }> {
  const tier = project.tier === null ? null : await requireTier(storage, tiers, project.tier)
  return { tier, placed: await storage.quotas.list(project.number) }
}

async function keyLimits(storage: Storage, placed: readonly PlacedLimits[]) {
  const find = placeFinder(storage)
  const found = await Promise.all(
    placed
      .filter(({ lineage }) => lineage !== null)
      .map(async ({ projectNumber, lineage, limits }) => {
        const { keyId } = await find({ scope: 'key', projectNumber, lineage })
        const key = keyId === null ? {} : { key: keyId }
        return limits.map(limit => ({ ...limitJson(limit), source: 'key' as const, ...key }))
      }),
  )
  return found.flat()
}

interface NamedCounter {
  readonly counter: QuotaCounter
  readonly keyId: string | null
}

/** The counters of the project's models: those with limits of their own, and those called since yesterday. */
async function countersOf(context: QuotaContext, project: Project): Promise<readonly NamedCounter[]> {
  const { storage, now } = context
  const { tier, placed } = await limitsOf(context, project)
  const projectLimits = placed.find(({ lineage }) => lineage === null)?.limits ?? []
  const rows = await storage.usage.report({
    projectNumber: project.number,
    startTimeMs: now() - DAY_MS,
    endTimeMs: now(),
    granularity: 'hour',
    groupBy: ['model'],
  })
  const called = rows
    .toSorted((one, other) => other.totals.calls - one.totals.calls)
    .flatMap(({ model = '' }) => (model === '' ? [] : [model]))
    .slice(0, MODELS_SHOWN_MAX)
  const find = placeFinder(storage)
  const counters: NamedCounter[] = []
  const add = (lineage: string, grant: Parameters<typeof quotaRules>[1], keyId: string | null): void => {
    const rules = quotaRules({ projectNumber: project.number, lineage }, grant)
    const models = new Set([...called, ...(rules?.models ?? [])])
    const all = [...models, ''].flatMap(model => rules?.countersOf(model) ?? [])
    const named = all.filter(({ model }) => model !== '').map(counter => [counter.id, counter] as const)
    for (const counter of new Map(named).values()) counters.push({ counter, keyId })
  }
  add('', { tier, projectLimits, keyLimits: [] }, null)
  for (const { projectNumber, lineage, limits } of placed) {
    if (lineage === null) continue
    const { keyId } = await find({ scope: 'key', projectNumber, lineage })
    add(lineage, { tier: null, projectLimits: [], keyLimits: limits }, keyId)
  }
  return counters
}

async function read(quota: QuotaReader, counters: readonly QuotaCounter[]): Promise<readonly QuotaReading[]> {
  try {
    return await quota.read(counters)
  } catch (cause) {
    throw new ApiError(
      'STORAGE_UNAVAILABLE',
      'Redis, which counts rates, does not answer; until it does, limits are not enforced.',
      { cause },
    )
  }
}

type UsageJson = ResponseOf<typeof QUOTAS_V1.getQuotaUsage>['counters'][number]

function usageJson(
  { scope, metric, model, limit }: QuotaCounter,
  keyId: string | null,
  reading: QuotaReading | undefined,
): UsageJson {
  const { used = 0, resetTimeMs = null } = reading ?? {}
  return {
    scope,
    ...(keyId === null ? {} : { key: keyId }),
    metric,
    ...(model === null ? {} : { model }),
    limit: String(limit),
    used: String(used),
    ...(resetTimeMs === null ? {} : { resetTime: timeJson(resetTimeMs) }),
  }
}

type RefusalJson = ResponseOf<typeof QUOTAS_V1.getQuotaRefusals>['refusals'][number]

function refusalJson(count: RefusalCount, keys: ReadonlyMap<string, Key>): RefusalJson {
  const { reason, scope, metric, model, keyUid, calls, lastTimeMs } = count
  const key = keys.get(keyUid)
  return {
    reason,
    ...(scope === null ? {} : { scope }),
    ...(metric === null ? {} : { metric }),
    ...(model === '' ? {} : { model }),
    ...(keyUid === '' ? {} : { key: key?.keyId ?? keyUid }),
    ...(key === undefined ? {} : { keyDisplayName: key.displayName }),
    calls,
    lastTime: timeJson(lastTimeMs),
  }
}
