/** Keys. Locks are always taken in the order project, key, epoch, so that changes wait for each other but never deadlock. */
import type { Expression, ExpressionBuilder, SqlBool } from 'kysely'
import type { AuditEntry } from '../domain/audit.ts'
import { ApiError } from '../domain/error.ts'
import type { Key } from '../domain/key.ts'
import { KEYS_PER_PROJECT_MAX, UNDELETE_DAYS } from '../domain/key.ts'
import { budgetOf, selectPath } from './budget-row.ts'
import type { Committer, Outcome } from './commit.ts'
import { decodeCursor, pageOf } from './cursor.ts'
import type { Engine } from './engine.ts'
import type { KeyRow } from './key-row.ts'
import { keyOf, patchedColumns, requireLineage, selectKeys, toJson } from './key-row.ts'
import { newEtag, requireEtag } from './etag.ts'
import { projectOf, requireProject } from './projects.ts'
import { purgeDeleted } from './purge.ts'
import { quotaGrantOf } from './quota-row.ts'
import type { Rollup } from './rollup.ts'
import type { Database, Db } from './schema.ts'
import type {
  KeyDraft,
  KeyGrant,
  KeyPatch,
  KeySearch,
  KeyStore,
  OperationDraft,
  Page,
  PageRequest,
  Target,
} from './storage.ts'
import { keepKeyString, readKeyString } from './key-string.ts'
import type { Vault } from './vault.ts'

const DAY_MS = 86_400_000

type KeyTarget = Target & { readonly unusedSinceMs: number | null }

interface KeyPlaces {
  readonly engine: Engine
  readonly committer: Committer
  readonly vault: Vault
}

export class Keys implements KeyStore {
  readonly #engine: Engine
  readonly #committer: Committer
  readonly #vault: Vault
  readonly #rollup: Rollup

  constructor({ engine, committer, vault }: KeyPlaces, rollup: Rollup) {
    this.#engine = engine
    this.#committer = committer
    this.#vault = vault
    this.#rollup = rollup
  }

  async create(draft: KeyDraft, audit: AuditEntry, operation: OperationDraft | null): Promise<Key> {
    return await this.#committer.commit({ audit, operation }, async (trx, nowMs) => {
      await takePlace(trx, draft.projectNumber)
      if (draft.lineage !== undefined) {
        await lockLineage(trx, draft.lineage, this.#engine)
        await requireLineage(trx, draft.projectNumber, draft.lineage)
      }
      await insertKey(trx, draft, nowMs)
      await keepKeyString(this.#vault, trx, draft)
      return await outcomeOf(trx, draft.uid)
    })
  }

  async find(projectNumber: string, keyId: string): Promise<Key | null> {
    const row = await selectKeys(this.#engine.db)
      .where('project_number', '=', projectNumber)
      .where(key => key.or([key('key_id', '=', keyId), key('uid', '=', keyId)]))
      .executeTakeFirst()
    return row === undefined ? null : keyOf(row)
  }

  async findByDigest(digest: string): Promise<KeyGrant | null> {
    const row = await selectKeys(this.#engine.db).where('digest', '=', digest).executeTakeFirst()
    if (row === undefined) return null
    const [project, budgets] = await Promise.all([
      this.#engine.db
        .selectFrom('project')
        .selectAll()
        .where('number', '=', row.project_number)
        .executeTakeFirst(),
      selectPath(this.#engine.db, row).execute(),
    ])
    // A purge between the two look-ups: then the key is unknown too.
    if (project === undefined || project.purge_time !== null) return null
    const quota = await quotaGrantOf(this.#engine.db, row, project.tier)
    return { key: keyOf(row), project: projectOf(project), budgets: budgets.map(budgetOf), quota }
  }

  async reveal(uid: string, audit: AuditEntry): Promise<string> {
    return await this.#committer.commit({ audit, operation: null }, async trx => ({
      result: await readKeyString(this.#vault, trx, await requireKey(trx, uid)),
      changes: [],
      resource: null,
    }))
  }

  async list({
    projectNumber,
    ...query
  }: { readonly projectNumber: string; readonly showDeleted: boolean } & PageRequest): Promise<Page<Key>> {
    return await this.#page({ ...query, numbers: [projectNumber] }, projectNumber)
  }

  async search(query: KeySearch & PageRequest): Promise<Page<Key>> {
    return await this.#page(query, '*')
  }

  /** `place` binds the cursor to the list it is of. */
  async #page(query: KeySearch & PageRequest, place: string): Promise<Page<Key>> {
    const scope = ['keys', place, String(query.showDeleted)]
    const after = decodeCursor(query.cursor, scope, ['number', 'string'])
    let rows = selectKeys(this.#engine.db)
    if (query.numbers !== undefined) rows = rows.where('project_number', 'in', query.numbers)
    if (query.uids !== undefined) rows = rows.where('uid', 'in', query.uids)
    if (!query.showDeleted) rows = rows.where('delete_time', 'is', null)
    if (after !== null) {
      const [time, uid] = [Number(after[0]), String(after[1])]
      rows = rows.where(key =>
        key.or([
          key('create_time', '>', time),
          key.and([key('create_time', '=', time), key(this.#engine.bytewise(key.ref('uid')), '>', uid)]),
        ]),
      )
    }
    const found = await rows
      .orderBy('create_time')
      .orderBy(key => this.#engine.bytewise(key.ref('uid')))
      .limit(query.limit + 1)
      .execute()
    return pageOf(found, query.limit, { scope, keyOf: row => [row.create_time, row.uid], item: keyOf })
  }

  async update(
    target: Target,
    patch: KeyPatch,
    audit: AuditEntry,
    operation: OperationDraft | null,
  ): Promise<Key> {
    const unusedSinceMs = patch.unusedSinceMs ?? null
    if (unusedSinceMs !== null) await this.#rollup.all()
    const keyTarget = { ...target, unusedSinceMs }
    return await this.#committer.commit({ audit, operation }, async (trx, nowMs) => {
      const { numUpdatedRows } = await trx
        .updateTable('key')
        .set({ ...patchedColumns(patch), etag: newEtag(), update_time: nowMs })
        .where('uid', '=', target.id)
        .where('delete_time', 'is', null)
        .where(row => matches(row, keyTarget))
        .where(row =>
          row.exists(
            row
              .selectFrom('project')
              .select('number')
              .whereRef('number', '=', 'key.project_number')
              .where('project.delete_time', 'is', null),
          ),
        )
        .executeTakeFirst()
      if (numUpdatedRows === 0n) throw await refusal(trx, keyTarget, 'updated')
      return await outcomeOf(trx, target.id)
    })
  }

  async delete(target: KeyTarget, audit: AuditEntry, operation: OperationDraft | null): Promise<Key> {
    if (target.unusedSinceMs !== null) await this.#rollup.all()
    return await this.#committer.commit({ audit, operation }, async (trx, nowMs) => {
      const { numUpdatedRows: projects } = await trx
        .updateTable('project')
        .set(row => ({ live_keys: row('live_keys', '-', 1) }))
        .where('number', '=', row =>
          row.selectFrom('key').select('project_number').where('uid', '=', target.id),
        )
        .where('delete_time', 'is', null)
        .executeTakeFirst()
      if (projects === 0n) throw await refusal(trx, target, 'deleted')
      const { numUpdatedRows } = await trx
        .updateTable('key')
        .set({ delete_time: nowMs, update_time: nowMs, etag: newEtag() })
        .where('uid', '=', target.id)
        .where('delete_time', 'is', null)
        .where(row => matches(row, target))
        .executeTakeFirst()
      if (numUpdatedRows === 0n) throw await refusal(trx, target, 'deleted')
      return await outcomeOf(trx, target.id)
    })
  }

  async undelete(target: Target, audit: AuditEntry, operation: OperationDraft | null): Promise<Key> {
    const keyTarget = { ...target, unusedSinceMs: null }
    return await this.#committer.commit({ audit, operation }, async (trx, nowMs) => {
      const row = await requireKey(trx, target.id)
      if (row.delete_time === null) throw await undeleteRefusal(trx, target)
      await takePlace(trx, row.project_number)
      const { numUpdatedRows } = await trx
        .updateTable('key')
        .set({ delete_time: null, update_time: nowMs, etag: newEtag() })
        .where('uid', '=', target.id)
        .where('delete_time', '>', nowMs - UNDELETE_DAYS * DAY_MS)
        .where(row => matches(row, keyTarget))
        .executeTakeFirst()
      if (numUpdatedRows === 0n) throw await undeleteRefusal(trx, target)
      return await outcomeOf(trx, target.id)
    })
  }

  async purge(deletedBeforeMs: number, audit: AuditEntry): Promise<number> {
    const removed = await this.#committer.commitIfAny({ audit, operation: null }, async (trx, nowMs) => {
      const count = await purgeDeleted(trx, deletedBeforeMs, nowMs)
      return count === 0 ? null : { result: count, changes: [{ kind: 'all' }], resource: null }
    })
    return removed ?? 0
  }
}

/** The etag is the one given, if one was, and the key was not used since the moment given, if one was. */
function matches(
  row: ExpressionBuilder<Database, 'key'>,
  { etag, unusedSinceMs }: KeyTarget,
): Expression<SqlBool> {
  const conditions: Expression<SqlBool>[] = []
  if (etag !== null) conditions.push(row('key.etag', '=', etag))
  if (unusedSinceMs !== null) {
    const use = row
      .selectFrom('key_use')
      .select('key_uid')
      .whereRef('key_uid', '=', 'key.uid')
      .where('last_used_time', '>', unusedSinceMs)
    conditions.push(row.not(row.exists(use)))
  }
  return row.and(conditions)
}

/** Takes one of the project's 300 places; with it the project is locked until the transaction ends. */
async function takePlace(trx: Db, projectNumber: string): Promise<void> {
  const { numUpdatedRows } = await trx
    .updateTable('project')
    .set(row => ({ live_keys: row('live_keys', '+', 1) }))
    .where('number', '=', projectNumber)
    .where('live_keys', '<', KEYS_PER_PROJECT_MAX)
    .where('delete_time', 'is', null)
    .executeTakeFirst()
  if (numUpdatedRows > 0n) return
  const project = await requireProject(trx, projectNumber)
  if (project.delete_time !== null) throw projectDeleted(project.project_id)
  const description = `At most ${KEYS_PER_PROJECT_MAX} keys per project, deleted ones not counted`
  throw new ApiError(
    'RESOURCE_QUOTA_EXCEEDED',
    `Project projects/${project.project_id} has ${KEYS_PER_PROJECT_MAX} keys, the most a project may have. ` +
      'Delete keys that are no longer used, or make the key in another project.',
    {
      metadata: { consumer: `projects/${projectNumber}`, quota_limit_value: String(KEYS_PER_PROJECT_MAX) },
      details: [
        {
          '@type': 'type.googleapis.com/google.rpc.QuotaFailure',
          violations: [{ subject: `projects/${projectNumber}`, description }],
        },
      ],
    },
  )
}

/** Until the transaction ends, no purge takes the last key of a lineage, and its limits with it. */
async function lockLineage(trx: Db, lineage: string, engine: Engine): Promise<void> {
  await trx
    .selectFrom('key')
    .select('uid')
    .where('lineage', '=', lineage)
    .orderBy('uid')
    .modifyEnd(engine.forUpdateOf('key'))
    .execute()
}

async function insertKey(trx: Db, draft: KeyDraft, nowMs: number): Promise<void> {
  const keyId = draft.keyId ?? draft.uid
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('key')
    .values({
      uid: draft.uid,
      lineage: draft.lineage ?? draft.uid,
      project_number: draft.projectNumber,
      key_id: keyId,
      digest: draft.digest,
      display_name: draft.displayName,
      annotations: JSON.stringify(draft.annotations),
      restrictions: toJson(draft.restrictions),
      allowed_models: toJson(draft.allowedModels),
      allowed_tools: toJson(draft.allowedTools),
      environment: draft.environment,
      masked_key_string: draft.maskedKeyString,
      etag: newEtag(),
      create_time: draft.createTimeMs ?? nowMs,
      update_time: nowMs,
      delete_time: null,
      disabled_time: null,
      expire_time: draft.expireTimeMs,
    })
    .onConflict(conflict => conflict.doNothing())
    .executeTakeFirst()
  if (numInsertedOrUpdatedRows !== 0n) return
  throw new ApiError(
    'ALREADY_EXISTS',
    `Project projects/${draft.projectNumber} has a key with the id ${keyId} already. The id of a deleted key stays ` +
      `taken for ${UNDELETE_DAYS} days: undelete that key, or choose another id.`,
  )
}

async function requireKey(trx: Db, uid: string): Promise<KeyRow> {
  const row = await selectKeys(trx).where('uid', '=', uid).executeTakeFirst()
  if (row !== undefined) return row
  throw new ApiError(
    'RESOURCE_NOT_FOUND',
    'The key does not exist or was purged. List the keys of the project, deleted ones included, to see which there are.',
  )
}

async function outcomeOf(trx: Db, uid: string): Promise<Outcome<Key>> {
  const key = keyOf(await requireKey(trx, uid))
  return { result: key, changes: [{ kind: 'key', keyUid: uid }], resource: key }
}

function nameOf(row: KeyRow): string {
  return `Key projects/${row.project_number}/locations/global/keys/${row.key_id}`
}

function projectDeleted(projectId: string): ApiError {
  return new ApiError(
    'STATE_CONFLICT',
    `Project projects/${projectId} is deleted, so its keys cannot be changed. Undelete the project first.`,
  )
}

/** Why the conditional statement found nothing to change. */
async function refusal(trx: Db, target: KeyTarget, verb: 'updated' | 'deleted'): Promise<Error> {
  const row = await requireKey(trx, target.id)
  const name = nameOf(row)
  if (row.delete_time !== null) {
    const advice = verb === 'deleted' ? 'There is nothing to do.' : 'Undelete it first.'
    return new ApiError('STATE_CONFLICT', `${name} is deleted, so it cannot be ${verb}. ${advice}`)
  }
  const project = await requireProject(trx, row.project_number)
  if (project.delete_time !== null) return projectDeleted(project.project_id)
  requireEtag(name, row.etag, target.etag)
  const { unusedSinceMs } = target
  if (unusedSinceMs !== null && row.last_used_time !== null && row.last_used_time > unusedSinceMs) {
    return new ApiError(
      'KEY_IN_USE',
      `${name} was used at ${new Date(row.last_used_time).toISOString()}, so it was not ${verb}: the request asks ` +
        `for a key that is unused since ${new Date(unusedSinceMs).toISOString()}. Move its callers to another key ` +
        'first, or repeat the request without the usage check.',
    )
  }
  return new ApiError('STATE_CONFLICT', `${name} was changed by somebody else just now. Try again.`)
}

async function undeleteRefusal(trx: Db, target: Target): Promise<Error> {
  const row = await requireKey(trx, target.id)
  const name = nameOf(row)
  if (row.delete_time === null) {
    return new ApiError('STATE_CONFLICT', `${name} is not deleted, so it cannot be undeleted.`)
  }
  requireEtag(name, row.etag, target.etag)
  return new ApiError(
    'STATE_CONFLICT',
    `${name} was deleted more than ${UNDELETE_DAYS} days ago and can no longer be undeleted. Create a new key.`,
  )
}
