/** Prices that an operator set. Every change carries all of them, so that a node has the new prices before it is told. */
import type { Selectable } from 'kysely'
import type { AuditEntry } from '../domain/audit.ts'
import { ApiError } from '../domain/error.ts'
import {
  type PriceFields,
  type PriceOverride,
  PRICE_OVERRIDES_MAX,
  priceTaken,
} from '../domain/price-book.ts'
import type { Committer, Outcome } from './commit.ts'
import type { Engine } from './engine.ts'
import { Gate } from './gate.ts'
import type { Db, PriceOverrideTable } from './schema.ts'
import type { PriceOverrideDraft, PriceStore } from './storage.ts'

const CHANGE_WAIT_MS = 10_000

export class PriceOverrides implements PriceStore {
  /** One change after the other: each tells of all overrides, so none may miss the one before. */
  readonly #gate = new Gate(1, CHANGE_WAIT_MS)
  readonly #engine: Engine
  readonly #committer: Committer

  constructor(engine: Engine, committer: Committer) {
    this.#engine = engine
    this.#committer = committer
  }

  async create(draft: PriceOverrideDraft, audit: AuditEntry): Promise<PriceOverride> {
    return await this.#commit(audit, async (trx, nowMs) => {
      await refuseTooMany(trx)
      const { uid, model, effectiveTimeMs, fields } = draft
      const row = await trx
        .insertInto('price_override')
        .values({
          uid,
          model,
          effective_time: effectiveTimeMs,
          fields: JSON.stringify(fields),
          create_time: nowMs,
        })
        .onConflict(conflict => conflict.columns(['model', 'effective_time']).doNothing())
        .returningAll()
        .executeTakeFirst()
      if (row === undefined) throw priceTaken({ ...draft, createTimeMs: nowMs })
      return await outcomeOf(trx, row)
    })
  }

  async list(): Promise<readonly PriceOverride[]> {
    return await listOverrides(this.#engine.db)
  }

  async delete(uid: string, audit: AuditEntry): Promise<void> {
    await this.#commit(audit, async trx => {
      const row = await trx
        .deleteFrom('price_override')
        .where('uid', '=', uid)
        .returningAll()
        .executeTakeFirst()
      if (row !== undefined) return await outcomeOf(trx, row)
      throw new ApiError(
        'RESOURCE_NOT_FOUND',
        'There is no such price override. List them to see which there are: pollux prices overrides',
      )
    })
  }

  async #commit(
    audit: AuditEntry,
    work: (trx: Db, nowMs: number) => Promise<Outcome<PriceOverride>>,
  ): Promise<PriceOverride> {
    return await this.#gate.pass(() => this.#committer.commit({ audit, operation: null }, work))
  }
}

async function outcomeOf(trx: Db, row: Selectable<PriceOverrideTable>): Promise<Outcome<PriceOverride>> {
  return {
    result: overrideOf(row),
    changes: [{ kind: 'prices', overrides: await listOverrides(trx) }],
    resource: null,
  }
}

async function listOverrides(db: Db): Promise<readonly PriceOverride[]> {
  const rows = await db.selectFrom('price_override').selectAll().execute()
  return rows
    .map(overrideOf)
    .sort((a, b) => (a.model < b.model ? -1 : a.model > b.model ? 1 : a.effectiveTimeMs - b.effectiveTimeMs))
}

/** A bound on memory, not on money: two changes at once may pass it by one. */
async function refuseTooMany(trx: Db): Promise<void> {
  const { count } = await trx
    .selectFrom('price_override')
    .select(row => row.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  if (count < PRICE_OVERRIDES_MAX) return
  throw new ApiError(
    'RESOURCE_QUOTA_EXCEEDED',
    `There are ${PRICE_OVERRIDES_MAX} price overrides, which is the most there may be. Delete old ones, or write a prices file.`,
  )
}

function overrideOf(row: Selectable<PriceOverrideTable>): PriceOverride {
  return {
    uid: row.uid,
    model: row.model,
    effectiveTimeMs: row.effective_time,
    fields: JSON.parse(row.fields) as PriceFields,
    createTimeMs: row.create_time,
  }
}
