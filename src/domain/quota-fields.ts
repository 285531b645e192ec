/** What the fields of limits and tiers may hold. Every function throws FIELD_INVALID naming its field. */
import { parseCap } from './budget-fields.ts'
import { LIST_PRICE_BASIS_POINTS } from './cost.ts'
import { invalidField } from './error.ts'
import { ALLOWED_TOOLS, type AllowedTool } from './key.ts'
import { isModelId } from './model.ts'
import { EACH_MODEL, QUOTA_LIMITS_MAX, QUOTA_METRICS, QUOTA_VALUE_MAX, type QuotaLimit } from './quota.ts'

const TIER_ID = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/
const SUFFIX = /^[A-Za-z0-9]{0,32}$/
const DISPLAY_NAME_MAX = 63

/** A limit as it comes over the wire: `value` is an int64 in decimal. */
export interface QuotaLimitText {
  readonly metric?: string | undefined
  readonly model?: string | undefined
  readonly value?: string | undefined
}

/** Metric and model of a limit; `where` is the path of the field that holds them. */
export function parseQuotaPlace(
  { metric, model }: QuotaLimitText,
  where: string,
): Pick<QuotaLimit, 'metric' | 'model'> {
  const known = QUOTA_METRICS.find(name => name === metric)
  if (known === undefined) throw invalidField(`${where}.metric`, `must be one of ${QUOTA_METRICS.join(', ')}`)
  if (model === undefined || model === '') return { metric: known, model: null }
  if (model === EACH_MODEL || isModelId(model)) return { metric: known, model }
  throw invalidField(
    `${where}.model`,
    'use a model id, `*` for each model apart, or leave it out for all models together',
  )
}

export function parseQuotaLimit(limit: QuotaLimitText, where: string): QuotaLimit {
  return { ...parseQuotaPlace(limit, where), value: parseValue(limit.value ?? '', `${where}.value`) }
}

/** The limits of a tier: at most one for a metric and model. */
export function parseQuotaLimits(limits: readonly QuotaLimitText[], where: string): readonly QuotaLimit[] {
  if (limits.length > QUOTA_LIMITS_MAX) throw invalidField(where, `at most ${QUOTA_LIMITS_MAX} limits`)
  const parsed = limits.map((limit, index) => parseQuotaLimit(limit, `${where}[${index}]`))
  const places = new Set(parsed.map(({ metric, model }) => `${metric} ${model ?? ''}`))
  if (places.size < parsed.length) throw invalidField(where, 'name each metric and model once')
  return parsed
}

export function assertTierId(id: string): void {
  if (TIER_ID.test(id)) return
  throw invalidField('tier.name', 'use 1 to 63 lower-case letters, digits and hyphens; start with a letter')
}

export function assertTierDisplayName(name: string): void {
  if (name.length <= DISPLAY_NAME_MAX) return
  throw invalidField('tier.displayName', `use at most ${DISPLAY_NAME_MAX} characters`)
}

export function assertQuotaIdSuffix(suffix: string): void {
  if (!SUFFIX.test(suffix)) throw invalidField('tier.quotaIdSuffix', 'use at most 32 letters and digits')
}

/** null: every tool. */
export function parseTools(tools: readonly string[] | null): readonly AllowedTool[] | null {
  if (tools === null) return null
  return tools.map(name => {
    const tool = ALLOWED_TOOLS.find(tool => tool === name)
    if (tool === undefined) throw invalidField('tier.allowedTools', `tools are ${ALLOWED_TOOLS.join(', ')}`)
    return tool
  })
}

/** Nano-dollars, decimal; null: no cap. A cap of 0 would stop the tier's projects and reads like a missing one. */
export function parseSpendCap(text: string | null): number | null {
  if (text === null) return null
  const nanos = parseCap(text, 'tier.spendCap')
  if (nanos === 0) throw invalidField('tier.spendCap', 'must be above 0, or null for no cap')
  return nanos
}

/** A decimal such as `1.25`, 0.0001 to 100, as ten-thousandths; null: 1. */
export function parsePriceFactor(text: string | null): number {
  if (text === null) return LIST_PRICE_BASIS_POINTS
  const [, whole = '', decimals = ''] = FACTOR.exec(text) ?? []
  const basisPoints = Number(`${whole}${decimals.padEnd(FACTOR_DECIMALS, '0')}`)
  if (basisPoints >= 1 && basisPoints <= FACTOR_MAX * LIST_PRICE_BASIS_POINTS) return basisPoints
  throw invalidField(
    'tier.priceFactor',
    `use a decimal from 0.0001 to ${FACTOR_MAX} with at most ${FACTOR_DECIMALS} places, such as "1.25"`,
  )
}

/** Ten-thousandths as `parsePriceFactor` reads them: `1.25`, `1`. */
export function formatPriceFactor(basisPoints: number): string {
  return String(basisPoints / LIST_PRICE_BASIS_POINTS)
}

const FACTOR_DECIMALS = 4
const FACTOR_MAX = 100
const FACTOR = /^(\d{1,3})(?:\.(\d{1,4}))?$/

function parseValue(text: string, field: string): number {
  if (text === '-1') return -1
  if (!/^\d{1,16}$/.test(text) || Number(text) > QUOTA_VALUE_MAX) {
    throw invalidField(field, `use a whole number from 0 to ${QUOTA_VALUE_MAX}, or -1 for no limit`)
  }
  return Number(text)
}
