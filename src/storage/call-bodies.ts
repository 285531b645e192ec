/** Bodies of calls as rows, each sealed under the key of its project. */
import type { AuditEntry } from '../domain/audit.ts'
import { type CallBodies as Bodies, type KeptBodies, type KeptBody, keptBody } from '../domain/call-bodies.ts'
import { ApiError } from '../domain/error.ts'
import type { KeyRing } from '../secrets/master-key.ts'
import { type SecretPlace, seal, sealedPrefix, unseal } from '../secrets/seal.ts'
import { forgetBodyKey, makeBodyKey, readBodyKey } from './body-key.ts'
import type { BodyRemote } from './body-store.ts'
import type { Committer } from './commit.ts'
import type { Engine } from './engine.ts'
import { requireProject } from './projects.ts'
import type { Db } from './schema.ts'
import type { Vault } from './vault.ts'

const HOUR_MS = 3_600_000
/** So few at a time that usage never waits long for it. */
const DELETED_AT_ONCE_MAX = 200

interface Parts {
  readonly engine: Engine
  readonly committer: Committer
  readonly vault: Vault
}

type Place = Pick<Bodies, 'callId' | 'projectNumber'>

export class CallBodies implements BodyRemote {
  readonly #engine: Engine
  readonly #committer: Committer
  readonly #vault: Vault

  constructor({ engine, committer, vault }: Parts) {
    this.#engine = engine
    this.#committer = committer
    this.#vault = vault
  }

  async add(batch: readonly Bodies[]): Promise<void> {
    await this.#engine.db.transaction().execute(async trx => {
      const nowMs = await this.#engine.nowMs(trx)
      // Every node locks in the same order.
      for (const number of [...new Set(batch.map(({ projectNumber }) => projectNumber))].sort()) {
        const hours = await lockRetention(trx, number)
        const ring = hours === null ? null : await readBodyKey(this.#vault, trx, number)
        if (hours === null || ring === null) continue
        const expireTimeMs = nowMs + hours * HOUR_MS
        const values = batch
          .filter(({ projectNumber }) => projectNumber === number)
          .map(bodies => ({
            call_id: bodies.callId,
            project_number: number,
            key_uid: bodies.keyUid,
            create_time: nowMs,
            expire_time: expireTimeMs,
            sealed: sealBodies(bodies, ring),
          }))
        // Asked again after an answer that was lost it is there already.
        await trx
          .insertInto('call_body')
          .values(values)
          .onConflict(conflict => conflict.doNothing())
          .execute()
      }
    })
  }

  async setRetention(projectNumber: string, hours: number | null, audit: AuditEntry): Promise<void> {
    await this.#committer.commit({ audit, operation: null }, async trx => {
      const changed = await trx
        .updateTable('project')
        .set({ body_retention_hours: hours })
        .where('number', '=', projectNumber)
        .where('purge_time', 'is', null)
        .where('delete_time', 'is', null)
        .returning('number')
        .executeTakeFirst()
      if (changed === undefined) throw await refusal(trx, projectNumber)
      if (hours === null) await forgetBodyKey(trx, projectNumber)
      else await makeBodyKey(this.#vault, trx, projectNumber)
      return { result: changed, changes: [{ kind: 'project', projectNumber }], resource: null }
    })
    // They cannot be read any more. The rows go in small transactions; what an end of the process leaves, the next purge sees.
    if (hours === null) await this.#deleteOf(projectNumber)
  }

  async reveal(call: Place, audit: AuditEntry): Promise<KeptBodies> {
    return await this.#committer.commit({ audit, operation: null }, async (trx, nowMs) => ({
      result: await this.#read(trx, call, nowMs),
      changes: [],
      resource: null,
    }))
  }

  async purge(nowMs: number): Promise<number> {
    let deleted = 0
    for (;;) {
      const gone = await this.#engine.db
        .selectFrom('call_body')
        .leftJoin('project', join =>
          join
            .onRef('project.number', '=', 'call_body.project_number')
            .on('project.body_retention_hours', 'is not', null),
        )
        .select('call_id')
        .where(row =>
          row.or([
            row('expire_time', '<=', nowMs),
            row('project.number', 'is', null),
            row(
              'call_body.create_time',
              '<=',
              row(row.val(nowMs), '-', row('project.body_retention_hours', '*', HOUR_MS)),
            ),
          ]),
        )
        .limit(DELETED_AT_ONCE_MAX)
        .execute()
      if (gone.length === 0) return deleted
      deleted += await this.#delete(gone.map(({ call_id: callId }) => callId))
    }
  }

  async #read(trx: Db, call: Place, nowMs: number): Promise<KeptBodies> {
    const { body_retention_hours: hours } = await requireProject(trx, call.projectNumber)
    if (hours === null)
      throw notKept(
        'The project keeps no bodies of calls. An owner can change that for calls to come: `pollux projects bodies`.',
      )
    const ring = await readBodyKey(this.#vault, trx, call.projectNumber)
    const row = await trx
      .selectFrom('call_body')
      .select(['create_time', 'expire_time', 'sealed'])
      .where('call_id', '=', call.callId)
      .where('project_number', '=', call.projectNumber)
      .executeTakeFirst()
    const expireTimeMs = Math.min(row?.expire_time ?? 0, (row?.create_time ?? 0) + hours * HOUR_MS)
    // What another key sealed is of the time before the project stopped keeping bodies, and began again.
    if (
      row === undefined ||
      ring === null ||
      expireTimeMs <= nowMs ||
      !row.sealed.startsWith(sealedPrefix(ring.first))
    ) {
      throw notKept(
        `No bodies of this call are kept. The project keeps them for ${hours} ${hours === 1 ? 'hour' : 'hours'}: the call ` +
          'ended longer ago, or before it began to, or so many were waiting to be written that these were dropped ' +
          '(pollux_bodies_dropped_total counts that). Those of a call that has just ended come a moment later.',
      )
    }
    const kept = JSON.parse(unseal(placeOf(call), row.sealed, ring)) as Pick<KeptBodies, 'request' | 'reply'>
    return { ...kept, expireTimeMs }
  }

  async #deleteOf(projectNumber: string): Promise<void> {
    for (;;) {
      const rows = await this.#engine.db
        .selectFrom('call_body')
        .select('call_id')
        .where('project_number', '=', projectNumber)
        .limit(DELETED_AT_ONCE_MAX)
        .execute()
      if (rows.length === 0) return
      await this.#delete(rows.map(({ call_id: callId }) => callId))
    }
  }

  async #delete(callIds: readonly string[]): Promise<number> {
    const { numDeletedRows } = await this.#engine.db
      .deleteFrom('call_body')
      .where('call_id', 'in', callIds)
      .executeTakeFirst()
    return Number(numDeletedRows)
  }
}

/**
 * For how long a project keeps bodies; null: not at all. Locked until the transaction ends, so that who switches it off
 * deletes what this transaction adds.
 */
async function lockRetention(trx: Db, projectNumber: string): Promise<number | null> {
  const row = await trx
    .updateTable('project')
    .set(project => ({ body_retention_hours: project.ref('body_retention_hours') }))
    .where('number', '=', projectNumber)
    .where('body_retention_hours', 'is not', null)
    .where('purge_time', 'is', null)
    .returning('body_retention_hours')
    .executeTakeFirst()
  return row?.body_retention_hours ?? null
}

function placeOf({ callId, projectNumber }: Place): SecretPlace {
  return { table: 'call_body', row: callId, column: 'sealed', projectNumber, version: 1 }
}

function sealBodies(bodies: Bodies, ring: KeyRing): string {
  const kept: Readonly<Record<'request' | 'reply', KeptBody>> = {
    request: keptBody(bodies.request),
    reply: keptBody(bodies.reply),
  }
  return seal(placeOf(bodies), JSON.stringify(kept), ring.first)
}

async function refusal(trx: Db, projectNumber: string): Promise<ApiError> {
  const { project_id: id } = await requireProject(trx, projectNumber)
  return new ApiError(
    'STATE_CONFLICT',
    `Project projects/${id} is deleted, so it cannot be updated. Undelete it first.`,
  )
}

function notKept(why: string): ApiError {
  return new ApiError('BODIES_NOT_KEPT', why)
}
