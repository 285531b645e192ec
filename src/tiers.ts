/** The shipped tiers: `tiers/tiers.json`, with Google's published and reported limits and their date. */
import { readFileSync } from 'node:fs'
import { LIST_PRICE_BASIS_POINTS } from './domain/cost.ts'
import type { QuotaLimit, QuotaMetric, Tier } from './domain/quota.ts'

const TIERS = new URL('../tiers/tiers.json', import.meta.url)

interface TiersFile {
  readonly asOf: string
  readonly rulesSource: string
  readonly tiers: readonly { readonly tier: string; readonly quotaIdSuffix: string }[]
  readonly limits: readonly LimitRow[]
}

/** null: no limit; absent: nobody knows. A row without a model is of none that has an id. */
interface LimitRow {
  readonly tier: string
  readonly model: string | null
  readonly rpm?: number | null
  readonly tpm?: number | null
  readonly rpd?: number | null
}

const COLUMNS = [
  ['rpm', 'requestsPerMinute'],
  ['tpm', 'inputTokensPerMinute'],
  ['rpd', 'requestsPerDay'],
] as const satisfies readonly (readonly [keyof LimitRow, QuotaMetric])[]

/** By id: `free`, `tier-1`, `tier-2`, `tier-3`. */
export function loadTiers(): ReadonlyMap<string, Tier> {
  const { asOf, rulesSource, tiers, limits } = JSON.parse(readFileSync(TIERS, 'utf8')) as TiersFile
  return new Map(
    tiers.map(({ tier, quotaIdSuffix }) => {
      const id = tier.replace(/(?=\d)/, '-')
      const rows = limits.filter(row => row.tier === tier)
      return [
        id,
        {
          id,
          displayName: `${tier.charAt(0).toUpperCase()}${tier.slice(1).replace(/(?=\d)/, ' ')}`,
          quotaIdSuffix,
          limits: rows.flatMap(limitsOf),
          allowedModels: null,
          allowedMethods: null,
          allowedTools: null,
          // Google's caps are of a billing account with all its projects, not of one project.
          spendCapNanos: null,
          priceBasisPoints: LIST_PRICE_BASIS_POINTS,
          source: `as of ${asOf}: ${rulesSource}`,
        },
      ]
    }),
  )
}

function limitsOf(row: LimitRow): QuotaLimit[] {
  const { model } = row
  if (model === null) return []
  return COLUMNS.flatMap(([column, metric]) => {
    const value = row[column]
    return value === undefined || value === null ? [] : [{ metric, model, value }]
  })
}
