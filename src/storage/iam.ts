/** IAM policies. A policy has a row of its own, whose conditional update lets one change of it through at a time. */
import { randomBytes } from 'node:crypto'
import type { AuditEntry } from '../domain/audit.ts'
import { ApiError } from '../domain/error.ts'
import { type Binding, EMPTY_POLICY_ETAG, type Policy } from '../domain/iam-policy.ts'
import { type Grant, isRole } from '../domain/permission.ts'
import { ORGANIZATION } from '../domain/project.ts'
import type { IamStore } from './access.ts'
import type { Committer } from './commit.ts'
import type { Engine } from './engine.ts'
import type { Db } from './schema.ts'

const PROJECTS = 'projects/'

export class Iam implements IamStore {
  readonly #engine: Engine
  readonly #committer: Committer

  constructor(engine: Engine, committer: Committer) {
    this.#engine = engine
    this.#committer = committer
  }

  async grantsOf(subject: string): Promise<readonly Grant[]> {
    return await selectGrants(this.#engine.db, subject)
  }

  async policy(project: string | null): Promise<Policy> {
    const { db } = this.#engine
    const resource = resourceOf(project)
    // The etag first: bindings that are newer than it make a change by it fail, older ones would not.
    const row = await db
      .selectFrom('iam_policy')
      .select('etag')
      .where('resource', '=', resource)
      .executeTakeFirst()
    return { etag: row?.etag ?? EMPTY_POLICY_ETAG, bindings: await selectBindings(db, resource) }
  }

  async setPolicy(
    target: { readonly project: string | null; readonly etag: string },
    bindings: readonly Binding[],
    audit: AuditEntry,
  ): Promise<Policy> {
    const resource = resourceOf(target.project)
    return await this.#committer.commit({ audit, operation: null }, async (trx, nowMs) => {
      const etag = await claim(trx, { resource, etag: target.etag }, nowMs)
      const hadOwner = await hasOwner(trx)
      await trx.deleteFrom('iam_binding').where('resource', '=', resource).execute()
      if (bindings.length > 0) {
        const rows = bindings.map(({ role, member }) => ({ resource, role, member }))
        await trx.insertInto('iam_binding').values(rows).execute()
      }
      if (hadOwner) await requireOwner(trx)
      return { result: { etag, bindings }, changes: [], resource: null }
    })
  }

  async bind(binding: Binding & { readonly project: string | null }, audit: AuditEntry): Promise<void> {
    await this.#committer.commitIfAny({ audit, operation: null }, async (trx, nowMs) => {
      const isNew = await insertBinding(trx, binding, nowMs)
      return isNew ? { result: true, changes: [], resource: null } : null
    })
  }

  async unbind(member: string, audit: AuditEntry): Promise<void> {
    await this.#committer.commitIfAny({ audit, operation: null }, async (trx, nowMs) => {
      const wasBound = await removeMember(trx, member, nowMs)
      return wasBound ? { result: true, changes: [], resource: null } : null
    })
  }
}

/** Every role of a subject, by one indexed look-up. */
export async function selectGrants(db: Db, subject: string): Promise<readonly Grant[]> {
  const rows = await db
    .selectFrom('iam_binding')
    .select(['resource', 'role'])
    .where('member', '=', subject)
    .execute()
  return rows.flatMap(({ resource, role }) =>
    // A role that only a newer Pollux knows grants nothing here.
    isRole(role) ? [{ role, project: projectOf(resource) }] : [],
  )
}

/** Adds a binding; false where it is there already. */
export async function insertBinding(
  trx: Db,
  { project, role, member }: Binding & { readonly project: string | null },
  nowMs: number,
): Promise<boolean> {
  const resource = resourceOf(project)
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('iam_binding')
    .values({ resource, role, member })
    .onConflict(conflict => conflict.doNothing())
    .executeTakeFirst()
  if (numInsertedOrUpdatedRows === 0n) return false
  await renew(trx, resource, nowMs)
  return true
}

/** Takes every role from a member, in the caller's transaction; false where it had none. STATE_CONFLICT for the last owner. */
export async function removeMember(trx: Db, member: string, nowMs: number): Promise<boolean> {
  const rows = await trx
    .selectFrom('iam_binding')
    .select('resource')
    .distinct()
    .where('member', '=', member)
    .orderBy('resource')
    .execute()
  for (const { resource } of rows) await renew(trx, resource, nowMs)
  const hadOwner = await hasOwner(trx)
  await trx.deleteFrom('iam_binding').where('member', '=', member).execute()
  if (hadOwner) await requireOwner(trx)
  return rows.length > 0
}

function resourceOf(project: string | null): string {
  return project === null ? ORGANIZATION : `${PROJECTS}${project}`
}

function projectOf(resource: string): string | null {
  return resource === ORGANIZATION ? null : resource.slice(PROJECTS.length)
}

async function selectBindings(db: Db, resource: string): Promise<readonly Binding[]> {
  const rows = await db
    .selectFrom('iam_binding')
    .select(['role', 'member'])
    .where('resource', '=', resource)
    .execute()
  return rows.flatMap(({ role, member }) => (isRole(role) ? [{ role, member }] : []))
}

/** Gives the policy a new etag if it still has the one that is known; ETAG_MISMATCH. Nobody else changes it meanwhile. */
async function claim(
  trx: Db,
  known: { readonly resource: string; readonly etag: string },
  nowMs: number,
): Promise<string> {
  const etag = newPolicyEtag()
  const { resource } = known
  const { numInsertedOrUpdatedRows } =
    known.etag === EMPTY_POLICY_ETAG
      ? await trx
          .insertInto('iam_policy')
          .values({ resource, etag, update_time: nowMs })
          .onConflict(conflict => conflict.doNothing())
          .executeTakeFirst()
      : {
          numInsertedOrUpdatedRows: (
            await trx
              .updateTable('iam_policy')
              .set({ etag, update_time: nowMs })
              .where('resource', '=', resource)
              .where('etag', '=', known.etag)
              .executeTakeFirst()
          ).numUpdatedRows,
        }
  if (numInsertedOrUpdatedRows === 1n) return etag
  throw new ApiError(
    'ETAG_MISMATCH',
    `The policy of ${resource} was changed since it was read. Read it again, apply your change to what you find, and send its new etag.`,
  )
}

async function renew(trx: Db, resource: string, nowMs: number): Promise<void> {
  const etag = newPolicyEtag()
  await trx
    .insertInto('iam_policy')
    .values({ resource, etag, update_time: nowMs })
    .onConflict(conflict => conflict.column('resource').doUpdateSet({ etag, update_time: nowMs }))
    .execute()
}

async function hasOwner(trx: Db): Promise<boolean> {
  const row = await trx
    .selectFrom('iam_binding')
    .select('member')
    .where('resource', '=', ORGANIZATION)
    .where('role', '=', 'roles/owner')
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

async function requireOwner(trx: Db): Promise<void> {
  if (await hasOwner(trx)) return
  throw new ApiError(
    'STATE_CONFLICT',
    'This would leave the organization without an owner. Make somebody else an owner first.',
  )
}

/** As a client gets it back from JSON and sends it again: base64 whose letters every dialect of base64 has. */
function newPolicyEtag(): string {
  return Buffer.from(randomBytes(12).toString('hex')).toString('base64')
}
