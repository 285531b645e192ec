/** Limits of projects and keys. */
import type { AuditEntry } from '../domain/audit.ts'
import { ApiError, invalidField } from '../domain/error.ts'
import { QUOTA_LIMITS_MAX, QUOTA_VALUE_MAX, type QuotaLimit } from '../domain/quota.ts'
import type { Committer } from './commit.ts'
import type { Engine } from './engine.ts'
import { requireLineage } from './key-row.ts'
import { requireProject } from './projects.ts'
import { limitOf } from './quota-row.ts'
import type { Db } from './schema.ts'
import type { PlacedLimits, QuotaPlace, QuotaStore } from './quota-store.ts'
import type { Change } from './storage.ts'

export class Quotas implements QuotaStore {
  readonly #engine: Engine
  readonly #committer: Committer

  constructor(engine: Engine, committer: Committer) {
    this.#engine = engine
    this.#committer = committer
  }

  async list(projectNumber: string): Promise<readonly PlacedLimits[]> {
    const rows = await this.#engine.db
      .selectFrom('quota_limit')
      .selectAll()
      .where('project_number', '=', projectNumber)
      .orderBy('lineage')
      .orderBy('metric')
      .orderBy('model')
      .execute()
    const byLineage = Map.groupBy(rows, ({ lineage }) => lineage)
    return Array.from(byLineage, ([lineage, rows]) => ({
      projectNumber,
      lineage: lineage === '' ? null : lineage,
      limits: rows.map(limitOf),
    }))
  }

  async set(place: QuotaPlace, limit: QuotaLimit, audit: AuditEntry): Promise<QuotaLimit> {
    requireValue(limit.value)
    return await this.#committer.commit({ audit, operation: null }, async (trx, nowMs) => {
      await requirePlace(trx, place)
      const { value } = limit
      await trx
        .insertInto('quota_limit')
        .values({ ...columnsOf(place, limit), value, update_time: nowMs })
        .onConflict(conflict =>
          conflict
            .columns(['project_number', 'lineage', 'metric', 'model'])
            .doUpdateSet({ value, update_time: nowMs }),
        )
        .execute()
      await requireRoom(trx, place)
      return { result: limit, changes: await changesOf(trx, place), resource: null }
    })
  }

  async unset(
    place: QuotaPlace,
    limit: Pick<QuotaLimit, 'metric' | 'model'>,
    audit: AuditEntry,
  ): Promise<void> {
    await this.#committer.commit({ audit, operation: null }, async trx => {
      const columns = columnsOf(place, limit)
      const { numDeletedRows } = await trx
        .deleteFrom('quota_limit')
        .where(row => row.and(columns))
        .executeTakeFirst()
      if (numDeletedRows === 0n) {
        throw new ApiError(
          'RESOURCE_NOT_FOUND',
          `There is no limit of ${limit.metric} for ${limit.model ?? 'all models together'} here. List the limits to see all.`,
        )
      }
      return { result: true, changes: await changesOf(trx, place), resource: null }
    })
  }
}

/** Counts stay below 2^53, whatever the control plane let through. */
function requireValue(value: number): void {
  if (Number.isSafeInteger(value) && value >= -1 && value <= QUOTA_VALUE_MAX) return
  throw invalidField('value', `use a whole number from -1 to ${QUOTA_VALUE_MAX}`)
}

function columnsOf(
  { projectNumber, lineage }: QuotaPlace,
  { metric, model }: Pick<QuotaLimit, 'metric' | 'model'>,
) {
  return { project_number: projectNumber, lineage: lineage ?? '', metric, model: model ?? '' }
}

/** With the project's row its limits are locked until the transaction ends. */
async function requirePlace(trx: Db, { projectNumber, lineage }: QuotaPlace): Promise<void> {
  await trx
    .updateTable('project')
    .set(row => ({ live_keys: row.ref('live_keys') }))
    .where('number', '=', projectNumber)
    .execute()
  await requireProject(trx, projectNumber)
  if (lineage !== null) await requireLineage(trx, projectNumber, lineage)
}

async function requireRoom(trx: Db, { projectNumber, lineage }: QuotaPlace): Promise<void> {
  const { limits } = await trx
    .selectFrom('quota_limit')
    .select(row => row.fn.countAll<number | string>().as('limits'))
    .where('project_number', '=', projectNumber)
    .where('lineage', '=', lineage ?? '')
    .executeTakeFirstOrThrow()
  if (Number(limits) <= QUOTA_LIMITS_MAX) return
  throw new ApiError(
    'RESOURCE_QUOTA_EXCEEDED',
    `There are ${QUOTA_LIMITS_MAX} limits here, the most there may be. Remove some, or use one for each model (\`*\`).`,
  )
}

/** Every key of the lineage, or the project. */
async function changesOf(trx: Db, { projectNumber, lineage }: QuotaPlace): Promise<readonly Change[]> {
  if (lineage === null) return [{ kind: 'project', projectNumber }]
  const keys = await trx.selectFrom('key').select('uid').where('lineage', '=', lineage).execute()
  return keys.map(({ uid }) => ({ kind: 'key', keyUid: uid }))
}
