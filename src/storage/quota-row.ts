/** Limits and tiers as rows, and how those of a key are found. */
import type { Selectable } from 'kysely'
import { LIST_PRICE_BASIS_POINTS } from '../domain/cost.ts'
import type { QuotaGrant, QuotaLimit, QuotaMetric, StoredTier } from '../domain/quota.ts'
import type { Db, QuotaLimitTable, TierTable } from './schema.ts'

/** The limit a row stands for. */
export function limitOf({ metric, model, value }: Selectable<QuotaLimitTable>): QuotaLimit {
  return { metric: metric as QuotaMetric, model: model === '' ? null : model, value }
}

/** The tier a row stands for. */
export function tierOf(row: Selectable<TierTable>): StoredTier {
  return {
    id: row.id,
    displayName: row.display_name,
    quotaIdSuffix: row.quota_id_suffix,
    limits: JSON.parse(row.limits) as StoredTier['limits'],
    allowedModels: listOf(row.allowed_models),
    allowedMethods: listOf(row.allowed_methods),
    allowedTools: listOf(row.allowed_tools) as StoredTier['allowedTools'],
    spendCapNanos: row.spend_cap,
    priceBasisPoints: row.price_basis_points ?? LIST_PRICE_BASIS_POINTS,
    source: '',
    etag: row.etag,
    createTimeMs: row.create_time,
    updateTimeMs: row.update_time,
  }
}

/** What limits the calls of a key. */
export async function quotaGrantOf(
  db: Db,
  key: { readonly project_number: string; readonly lineage: string },
  tierId: string | null,
): Promise<QuotaGrant> {
  const [rows, tier] = await Promise.all([
    db
      .selectFrom('quota_limit')
      .selectAll()
      .where('project_number', '=', key.project_number)
      .where('lineage', 'in', ['', key.lineage])
      .orderBy('metric')
      .orderBy('model')
      .execute(),
    tierId === null
      ? undefined
      : db.selectFrom('tier').selectAll().where('id', '=', tierId).executeTakeFirst(),
  ])
  return {
    tier: tier === undefined ? null : tierOf(tier),
    projectLimits: rows.filter(row => row.lineage === '').map(limitOf),
    keyLimits: rows.filter(row => row.lineage !== '').map(limitOf),
  }
}

function listOf(text: string | null): readonly string[] | null {
  return text === null ? null : (JSON.parse(text) as readonly string[])
}
