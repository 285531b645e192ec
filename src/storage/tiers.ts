/** The operator's tiers, and what may not be done to one that projects have. */
import type { AuditEntry } from '../domain/audit.ts'
import { LIST_PRICE_BASIS_POINTS } from '../domain/cost.ts'
import { ApiError } from '../domain/error.ts'
import type { StoredTier } from '../domain/quota.ts'
import type { Committer } from './commit.ts'
import type { Engine } from './engine.ts'
import { toJson } from './key-row.ts'
import { newEtag, requireEtag } from './etag.ts'
import { tierOf } from './quota-row.ts'
import type { Db } from './schema.ts'
import type { TierDraft, TierStore } from './quota-store.ts'
import type { Target } from './storage.ts'
import { followTiers } from './tier-budgets.ts'

export class Tiers implements TierStore {
  readonly #engine: Engine
  readonly #committer: Committer
  readonly #timeZone: string

  constructor(engine: Engine, committer: Committer, timeZone: string) {
    this.#engine = engine
    this.#committer = committer
    this.#timeZone = timeZone
  }

  async list(): Promise<readonly StoredTier[]> {
    const rows = await this.#engine.db.selectFrom('tier').selectAll().orderBy('id').execute()
    return rows.map(tierOf)
  }

  async put(target: Target, draft: TierDraft, audit: AuditEntry): Promise<StoredTier> {
    return await this.#committer.commit({ audit, operation: null }, async (trx, nowMs, spent) => {
      await this.#engine.lockTiers(trx)
      const { id, etag } = target
      const columns = { ...columnsOf(draft), etag: newEtag(), update_time: nowMs }
      const row =
        etag === null
          ? await trx
              .insertInto('tier')
              .values({ id, ...columns, create_time: nowMs })
              .onConflict(conflict => conflict.column('id').doUpdateSet(columns))
              .returningAll()
              .executeTakeFirstOrThrow()
          : await trx
              .updateTable('tier')
              .set(columns)
              .where('id', '=', id)
              .where('etag', '=', etag)
              .returningAll()
              .executeTakeFirst()
      if (row === undefined) throw await refusal(trx, target)
      const entries = await followTiers(trx, { tier: id }, { nowMs, timeZone: this.#timeZone, spent, audit })
      return { result: tierOf(row), changes: [{ kind: 'all' }], resource: null, entries }
    })
  }

  async delete(target: Target & { readonly isReplaced: boolean }, audit: AuditEntry): Promise<void> {
    await this.#committer.commit({ audit, operation: null }, async (trx, nowMs, spent) => {
      await this.#engine.lockTiers(trx)
      let removal = trx.deleteFrom('tier').where('id', '=', target.id)
      if (target.etag !== null) removal = removal.where('etag', '=', target.etag)
      if (!target.isReplaced) {
        removal = removal.where(row =>
          row.not(row.exists(row.selectFrom('project').select('number').where('tier', '=', target.id))),
        )
      }
      const { numDeletedRows } = await removal.executeTakeFirst()
      if (numDeletedRows === 0n) throw await refusal(trx, target)
      // Where a shipped tier is back, it brings no cap.
      const cause = { nowMs, timeZone: this.#timeZone, spent, audit }
      const entries = await followTiers(trx, { tier: target.id }, cause)
      return { result: true, changes: [{ kind: 'all' }], resource: null, entries }
    })
  }
}

function columnsOf(draft: TierDraft) {
  return {
    display_name: draft.displayName,
    quota_id_suffix: draft.quotaIdSuffix,
    limits: JSON.stringify(draft.limits),
    allowed_models: toJson(draft.allowedModels),
    allowed_methods: toJson(draft.allowedMethods),
    allowed_tools: toJson(draft.allowedTools),
    spend_cap: draft.spendCapNanos,
    price_basis_points: draft.priceBasisPoints === LIST_PRICE_BASIS_POINTS ? null : draft.priceBasisPoints,
  }
}

/** Why the conditional statement found nothing to change. */
async function refusal(trx: Db, { id, etag }: Target): Promise<Error> {
  const row = await trx.selectFrom('tier').selectAll().where('id', '=', id).executeTakeFirst()
  if (row === undefined) {
    return new ApiError(
      'RESOURCE_NOT_FOUND',
      `There is no tier '${id}' of your own. List the tiers to see all; shipped ones cannot be deleted.`,
    )
  }
  requireEtag(`Tier ${id}`, row.etag, etag)
  const project = await trx
    .selectFrom('project')
    .select('project_id')
    .where('tier', '=', id)
    .executeTakeFirst()
  if (project === undefined)
    return new ApiError('STATE_CONFLICT', `Tier ${id} was changed just now. Try again.`)
  return new ApiError(
    'STATE_CONFLICT',
    `Tier ${id} is the tier of projects/${project.project_id}. Give its projects another tier first.`,
  )
}
