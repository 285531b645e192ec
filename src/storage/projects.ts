/** Projects. Every rule that must hold under races stands in the WHERE of the statement that would break it. */
import { randomInt } from 'node:crypto'
import type { Selectable, SelectQueryBuilder } from 'kysely'
import type { AuditEntry } from '../domain/audit.ts'
import { ApiError } from '../domain/error.ts'
import type { Project } from '../domain/project.ts'
import { ORGANIZATION } from '../domain/project.ts'
import type { Committer } from './commit.ts'
import { decodeCursor, pageOf } from './cursor.ts'
import type { Engine } from './engine.ts'
import { newEtag, requireEtag } from './etag.ts'
import { insertBinding } from './iam.ts'
import { forgetKeyStrings } from './key-string.ts'
import type { Database, Db, ProjectTable } from './schema.ts'
import { followTiers } from './tier-budgets.ts'
import type {
  OperationDraft,
  Page,
  PageRequest,
  ProjectDraft,
  ProjectPatch,
  ProjectStore,
  Target,
} from './storage.ts'

const NUMBER_MIN = 100_000_000_000
const NUMBER_END = 1_000_000_000_000
const NUMBER_ATTEMPTS_MAX = 5

/** The resource a row stands for. */
export function projectOf(row: Selectable<ProjectTable>): Project {
  return {
    number: row.number,
    projectId: row.project_id,
    displayName: row.display_name,
    parent: ORGANIZATION,
    labels: JSON.parse(row.labels) as Project['labels'],
    etag: row.etag,
    createTimeMs: row.create_time,
    updateTimeMs: row.update_time,
    deleteTimeMs: row.delete_time,
    modelAliases: JSON.parse(row.model_aliases) as Project['modelAliases'],
    tier: row.tier,
    recoverableKeys: row.recoverable_keys === 1,
    bodyRetentionHours: row.body_retention_hours,
  }
}

function selectProjects(db: Db): SelectQueryBuilder<Database, 'project', Selectable<ProjectTable>> {
  return db.selectFrom('project').selectAll().where('purge_time', 'is', null)
}

/** The row of a project by its number, live or deleted. RESOURCE_NOT_FOUND. */
export async function requireProject(db: Db, number: string): Promise<Selectable<ProjectTable>> {
  const row = await selectProjects(db).where('number', '=', number).executeTakeFirst()
  if (row === undefined) {
    throw new ApiError(
      'RESOURCE_NOT_FOUND',
      `Project projects/${number} does not exist or was purged. List the projects to see which there are.`,
    )
  }
  return row
}

export class Projects implements ProjectStore {
  readonly #engine: Engine
  readonly #committer: Committer
  readonly #timeZone: string

  constructor(engine: Engine, committer: Committer, timeZone: string) {
    this.#engine = engine
    this.#committer = committer
    this.#timeZone = timeZone
  }

  async create(draft: ProjectDraft, audit: AuditEntry, operation: OperationDraft | null): Promise<Project> {
    return await this.#committer.commit({ audit, operation }, async (trx, nowMs, spent) => {
      const hasTier = draft.tier !== undefined && draft.tier !== null
      if (hasTier) await this.#engine.lockTiers(trx)
      const resource = projectOf(await insertProject(trx, draft, nowMs))
      if (draft.owner !== undefined) {
        await insertBinding(
          trx,
          { project: resource.number, role: 'roles/owner', member: draft.owner },
          nowMs,
        )
      }
      const which = { projectNumber: resource.number }
      const cause = { nowMs, timeZone: this.#timeZone, spent, audit }
      return {
        result: resource,
        changes: [{ kind: 'project', projectNumber: resource.number }],
        resource,
        entries: hasTier ? await followTiers(trx, which, cause) : [],
      }
    })
  }

  async find(idOrNumber: string): Promise<Project | null> {
    const column = /^[0-9]/.test(idOrNumber) ? 'number' : 'project_id'
    const row = await selectProjects(this.#engine.db).where(column, '=', idOrNumber).executeTakeFirst()
    return row === undefined ? null : projectOf(row)
  }

  async list(
    query: { readonly showDeleted: boolean; readonly numbers?: readonly string[] } & PageRequest,
  ): Promise<Page<Project>> {
    const scope = ['projects', String(query.showDeleted)]
    const after = decodeCursor(query.cursor, scope, ['string', 'string'])
    let rows = selectProjects(this.#engine.db)
    if (!query.showDeleted) rows = rows.where('delete_time', 'is', null)
    if (query.numbers !== undefined) rows = rows.where('number', 'in', query.numbers)
    if (after !== null) {
      const [name = '', number = ''] = after.map(String)
      rows = rows.where(row => {
        const displayName = this.#engine.bytewise(row.ref('display_name'))
        return row.or([
          row(displayName, '>', name),
          row.and([row('display_name', '=', name), row('number', '>', number)]),
        ])
      })
    }
    const found = await rows
      .orderBy(row => this.#engine.bytewise(row.ref('display_name')))
      .orderBy('number')
      .limit(query.limit + 1)
      .execute()
    return pageOf(found, query.limit, {
      scope,
      keyOf: row => [row.display_name, row.number],
      item: projectOf,
    })
  }

  async update(
    target: Target,
    patch: ProjectPatch,
    audit: AuditEntry,
    operation: OperationDraft | null,
  ): Promise<Project> {
    const { displayName, labels, modelAliases, tier, recoverableKeys } = patch
    return await this.#change(
      { ...target, live: true, verb: 'updated' },
      {
        ...(displayName === undefined ? {} : { display_name: displayName }),
        ...(labels === undefined ? {} : { labels: JSON.stringify(labels) }),
        ...(modelAliases === undefined ? {} : { model_aliases: JSON.stringify(modelAliases) }),
        ...(tier === undefined ? {} : { tier }),
        ...(recoverableKeys === undefined ? {} : { recoverable_keys: recoverableKeys ? 1 : 0 }),
      },
      { audit, operation },
    )
  }

  async delete(target: Target, audit: AuditEntry, operation: OperationDraft | null): Promise<Project> {
    return await this.#change({ ...target, live: true, verb: 'deleted' }, 'delete', { audit, operation })
  }

  async undelete(target: Target, audit: AuditEntry, operation: OperationDraft | null): Promise<Project> {
    return await this.#change({ ...target, live: false, verb: 'undeleted' }, 'undelete', { audit, operation })
  }

  /** Changes a project that is live (or, if `live` is false, deleted) and has the etag given, if one was. */
  async #change(
    target: Target & { readonly live: boolean; readonly verb: string },
    change: Partial<Selectable<ProjectTable>> | 'delete' | 'undelete',
    trail: { readonly audit: AuditEntry; readonly operation: OperationDraft | null },
  ): Promise<Project> {
    const { id, etag, live } = target
    return await this.#committer.commit(trail, async (trx, nowMs, spent) => {
      const columns: Partial<Selectable<ProjectTable>> =
        typeof change === 'object' ? change : { delete_time: change === 'delete' ? nowMs : null }
      const isMoved = columns.tier !== undefined
      if (isMoved) await this.#engine.lockTiers(trx)
      let update = trx
        .updateTable('project')
        .set({ ...columns, etag: newEtag(), update_time: nowMs })
        .where('number', '=', id)
        .where('purge_time', 'is', null)
        .where('delete_time', live ? 'is' : 'is not', null)
      if (etag !== null) update = update.where('etag', '=', etag)
      const row = await update.returningAll().executeTakeFirst()
      if (row === undefined) throw await refusal(trx, target)
      if (columns.recoverable_keys === 0) await forgetKeyStrings(trx, id)
      const resource = projectOf(row)
      const cause = { nowMs, timeZone: this.#timeZone, spent, audit: trail.audit }
      const entries = isMoved ? await followTiers(trx, { projectNumber: id }, cause) : []
      return { result: resource, changes: [{ kind: 'project', projectNumber: id }], resource, entries }
    })
  }
}

async function insertProject(trx: Db, draft: ProjectDraft, nowMs: number): Promise<Selectable<ProjectTable>> {
  for (let attempt = 0; attempt < NUMBER_ATTEMPTS_MAX; attempt += 1) {
    const row = await trx
      .insertInto('project')
      .values({
        number: String(randomInt(NUMBER_MIN, NUMBER_END)),
        project_id: draft.projectId,
        display_name: draft.displayName,
        labels: JSON.stringify(draft.labels),
        model_aliases: JSON.stringify(draft.modelAliases),
        recoverable_keys: draft.recoverableKeys === true ? 1 : 0,
        etag: newEtag(),
        live_keys: 0,
        create_time: draft.createTimeMs ?? nowMs,
        update_time: nowMs,
        delete_time: null,
        purge_time: null,
        tier: draft.tier ?? null,
        body_retention_hours: null,
      })
      .onConflict(conflict => conflict.doNothing())
      .returningAll()
      .executeTakeFirst()
    if (row !== undefined) return row
    const taken = await trx
      .selectFrom('project')
      .select('number')
      .where('project_id', '=', draft.projectId)
      .executeTakeFirst()
    if (taken !== undefined) {
      throw new ApiError(
        'ALREADY_EXISTS',
        `The project id ${draft.projectId} is or was in use. Project ids are never given twice, not even after ` +
          'deletion: choose another one.',
      )
    }
  }
  throw new Error('every random project number drawn was taken')
}

/** Why the conditional statement found nothing to change. */
async function refusal(
  trx: Db,
  target: Target & { readonly live: boolean; readonly verb: string },
): Promise<Error> {
  const row = await requireProject(trx, target.id)
  const name = `Project projects/${row.project_id}`
  if ((row.delete_time === null) !== target.live) {
    const [state, advice] = target.live
      ? ['is deleted', 'Undelete it first.']
      : ['is not deleted', 'There is nothing to do.']
    return new ApiError('STATE_CONFLICT', `${name} ${state}, so it cannot be ${target.verb}. ${advice}`)
  }
  requireEtag(name, row.etag, target.etag)
  return new ApiError('STATE_CONFLICT', `${name} was changed by somebody else just now. Try again.`)
}
