/** Tiers: the shipped ones, and the operator's, which replace those of the same id. */
import type { BodyOf, ResponseOf } from '../contract/endpoint.ts'
import type { TIERS_V1 } from '../contract/quotas.v1.ts'
import { LIST_PRICE_BASIS_POINTS } from '../domain/cost.ts'
import { ApiError, invalidField } from '../domain/error.ts'
import { parseMask } from '../domain/field-mask.ts'
import { parseModelPattern } from '../domain/model.ts'
import type { QuotaLimit, StoredTier, Tier } from '../domain/quota.ts'
import {
  assertQuotaIdSuffix,
  assertTierDisplayName,
  assertTierId,
  formatPriceFactor,
  parsePriceFactor,
  parseQuotaLimits,
  parseSpendCap,
  parseTools,
} from '../domain/quota-fields.ts'
import { shownName } from '../domain/redaction.ts'
import { parseRestrictions } from '../domain/restriction.ts'
import { GEMINI_SERVICE } from '../domain/method-name.ts'
import type { TierDraft } from '../storage/quota-store.ts'
import type { Storage } from '../storage/storage.ts'
import { auditEntry } from './audit.ts'
import type { Handlers } from './call.ts'
import { emptyToNull, presentFields } from './parse.ts'
import { timeJson } from './resource-names.ts'

type TierJson = ResponseOf<typeof TIERS_V1.getTier>
type TierBody = BodyOf<typeof TIERS_V1.updateTier>
export type ShippedTiers = ReadonlyMap<string, Tier>
type AnyTier = Tier | StoredTier

const MUTABLE = [
  'displayName',
  'quotaIdSuffix',
  'limits',
  'allowedModels',
  'allowedMethods',
  'allowedTools',
  'spendCap',
  'priceFactor',
] as const

const EMPTY: TierDraft = {
  displayName: '',
  quotaIdSuffix: '',
  limits: [],
  allowedModels: null,
  allowedMethods: null,
  allowedTools: null,
  spendCapNanos: null,
  priceBasisPoints: LIST_PRICE_BASIS_POINTS,
}

export function tierHandlers(storage: Storage, shipped: ShippedTiers): Handlers<typeof TIERS_V1> {
  return {
    async listTiers() {
      return { tiers: (await allTiers(storage, shipped)).map(tierJson) }
    },
    async getTier({ params }) {
      return tierJson(await requireTier(storage, shipped, params.tier))
    },
    async updateTier(call) {
      const { body, params } = call
      const isAllowed = call.query.allowMissing === true
      const find = isAllowed ? findTier : requireTier
      if (isAllowed) assertTierId(params.tier)
      const before = await find(storage, shipped, params.tier)
      const fields = parseMask(call.query.updateMask, MUTABLE, presentFields(body))
      const after = { ...draftOf(before), ...readFields(body, fields) }
      const audit = auditEntry(call, {
        resourceName: `tiers/${params.tier}`,
        projectNumber: null,
        before: before === null ? null : draftOf(before),
        after,
      })
      const target = { id: params.tier, etag: emptyToNull(body.etag) }
      return tierJson(await storage.tiers.put(target, after, audit))
    },
    async deleteTier(call) {
      const { tier: id } = call.params
      const before = await requireTier(storage, shipped, id)
      const audit = auditEntry(call, {
        resourceName: `tiers/${id}`,
        projectNumber: null,
        before: draftOf(before),
        after: null,
      })
      const isReplaced = shipped.has(id)
      await storage.tiers.delete({ id, etag: emptyToNull(call.query.etag), isReplaced }, audit)
      return {}
    },
  }
}

/** The tier of this id; RESOURCE_NOT_FOUND without one. */
export async function requireTier(storage: Storage, shipped: ShippedTiers, id: string): Promise<AnyTier> {
  const tier = await findTier(storage, shipped, id)
  if (tier !== null) return tier
  throw new ApiError(
    'RESOURCE_NOT_FOUND',
    `Tier '${shownName(id)}' does not exist. List the tiers to see all.`,
  )
}

async function findTier(storage: Storage, shipped: ShippedTiers, id: string): Promise<AnyTier | null> {
  return (await allTiers(storage, shipped)).find(tier => tier.id === id) ?? null
}

async function allTiers(storage: Storage, shipped: ShippedTiers): Promise<readonly AnyTier[]> {
  const own = await storage.tiers.list()
  return [...new Map<string, AnyTier>([...shipped, ...own.map(tier => [tier.id, tier] as const)]).values()]
}

function draftOf(tier: AnyTier | null): TierDraft {
  if (tier === null) return EMPTY
  const { displayName, quotaIdSuffix, limits, allowedModels, allowedMethods, allowedTools } = tier
  const { spendCapNanos, priceBasisPoints } = tier
  const allowed = { allowedModels, allowedMethods, allowedTools }
  return { displayName, quotaIdSuffix, limits, ...allowed, spendCapNanos, priceBasisPoints }
}

/** A limit as the wire has it. */
export function limitJson({ metric, model, value }: QuotaLimit) {
  return { metric, ...(model === null ? {} : { model }), value: String(value) }
}

function tierJson(tier: AnyTier): TierJson {
  const { id, limits, allowedModels, allowedMethods, allowedTools, source, ...names } = tier
  const { spendCapNanos, priceBasisPoints } = tier
  return {
    name: `tiers/${id}`,
    displayName: names.displayName,
    ...(names.quotaIdSuffix === '' ? {} : { quotaIdSuffix: names.quotaIdSuffix }),
    limits: limits.map(limitJson),
    ...(allowedModels === null ? {} : { allowedModels: [...allowedModels] }),
    ...(allowedMethods === null ? {} : { allowedMethods: [...allowedMethods] }),
    ...(allowedTools === null ? {} : { allowedTools: [...allowedTools] }),
    ...(spendCapNanos === null ? {} : { spendCap: String(spendCapNanos) }),
    ...(priceBasisPoints === LIST_PRICE_BASIS_POINTS
      ? {}
      : { priceFactor: formatPriceFactor(priceBasisPoints) }),
    isShipped: !('etag' in tier),
    ...(source === '' ? {} : { source }),
    ...('etag' in tier
      ? {
          etag: tier.etag,
          createTime: timeJson(tier.createTimeMs),
          updateTime: timeJson(tier.updateTimeMs),
        }
      : {}),
  }
}

/** The validated values of `fields`; a field that the body leaves out is cleared. */
function readFields(body: TierBody, fields: ReadonlySet<(typeof MUTABLE)[number]>): Partial<TierDraft> {
  const readers: { readonly [F in (typeof MUTABLE)[number]]: () => Partial<TierDraft> } = {
    displayName() {
      assertTierDisplayName(body.displayName ?? '')
      return { displayName: body.displayName ?? '' }
    },
    quotaIdSuffix() {
      assertQuotaIdSuffix(body.quotaIdSuffix ?? '')
      return { quotaIdSuffix: body.quotaIdSuffix ?? '' }
    },
    limits: () => ({ limits: parseQuotaLimits(body.limits ?? [], 'tier.limits') }),
    allowedModels: () => ({ allowedModels: body.allowedModels?.map(modelPattern) ?? null }),
    allowedMethods: () => ({ allowedMethods: methodsOf(body.allowedMethods ?? null) }),
    allowedTools: () => ({ allowedTools: parseTools(body.allowedTools ?? null) }),
    spendCap: () => ({ spendCapNanos: parseSpendCap(body.spendCap ?? null) }),
    priceFactor: () => ({ priceBasisPoints: parsePriceFactor(body.priceFactor ?? null) }),
  }
  return Object.assign({}, ...[...fields].map(field => readers[field]())) as Partial<TierDraft>
}

function modelPattern(text: string): string {
  const pattern = parseModelPattern(text)
  if (pattern === null)
    throw invalidField('tier.allowedModels', 'use model ids, or a prefix that ends with *')
  return pattern
}

/** As on a key, where an empty list means every method; of a tier null says that. */
function methodsOf(methods: readonly string[] | null): readonly string[] | null {
  if (methods === null) return null
  if (methods.length === 0)
    throw invalidField('tier.allowedMethods', 'name at least one method, or null for all')
  const targets = { apiTargets: [{ service: GEMINI_SERVICE, methods: [...methods] }] }
  return parseRestrictions(targets, 'tier.allowedMethods').apiTargets?.[0]?.methods ?? null
}
