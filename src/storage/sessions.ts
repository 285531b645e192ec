/** Sessions of people. There is no cache of them: one that ended is refused by the next look-up, on every node. */
import type { Selectable } from 'kysely'
import type { AuditEntry } from '../domain/audit.ts'
import { SEEN_EVERY_MS, type Session, type SignInMethod } from '../domain/session.ts'
import type { User } from '../domain/user.ts'
import type { Committer } from './commit.ts'
import type { Engine } from './engine.ts'
import type { SessionDraft, SessionStore } from './people.ts'
import type { Db } from './schema.ts'
import type { SessionTable } from './schema-access.ts'
import { userOf } from './users.ts'

export class Sessions implements SessionStore {
  readonly #engine: Engine
  readonly #committer: Committer

  constructor(engine: Engine, committer: Committer) {
    this.#engine = engine
    this.#committer = committer
  }

  async open(draft: SessionDraft, replaces: string | null, audit: AuditEntry): Promise<User | null> {
    return await this.#committer.commitIfAny({ audit, operation: null }, async trx => {
      const user = await insertSession(trx, draft)
      if (user === null) return null
      if (replaces !== null) await trx.deleteFrom('session').where('uid', '=', replaces).execute()
      return { result: user, changes: [], resource: null }
    })
  }

  async renew(
    { uid, digest, nowMs }: { readonly uid: string; readonly digest: string; readonly nowMs: number },
    audit: AuditEntry,
  ): Promise<boolean> {
    const renewed = await this.#committer.commitIfAny({ audit, operation: null }, async trx => {
      const { numUpdatedRows } = await trx
        .updateTable('session')
        .set({ digest, proof_time: nowMs, last_seen_time: nowMs })
        .where('uid', '=', uid)
        .executeTakeFirst()
      return numUpdatedRows === 0n ? null : { result: true, changes: [], resource: null }
    })
    return renewed ?? false
  }

  async find(digest: string): Promise<{ session: Session; user: User } | null> {
    const { db } = this.#engine
    const session = await db.selectFrom('session').selectAll().where('digest', '=', digest).executeTakeFirst()
    if (session === undefined) return null
    const person = await db
      .selectFrom('person')
      .selectAll()
      .where('uid', '=', session.person_uid)
      .where('disabled_time', 'is', null)
      .executeTakeFirst()
    return person === undefined ? null : { session: sessionOf(session), user: userOf(person) }
  }

  async seen(uid: string, nowMs: number): Promise<void> {
    await this.#engine.db
      .updateTable('session')
      .set({ last_seen_time: nowMs })
      .where('uid', '=', uid)
      .where('last_seen_time', '<=', nowMs - SEEN_EVERY_MS)
      .execute()
  }

  async list(userUid: string): Promise<readonly Session[]> {
    const rows = await this.#engine.db
      .selectFrom('session')
      .selectAll()
      .where('person_uid', '=', userUid)
      .orderBy('create_time', 'desc')
      .orderBy('uid')
      .execute()
    return rows.map(sessionOf)
  }

  async end(
    { userUid, uid }: { readonly userUid: string; readonly uid: string | null },
    audit: AuditEntry,
  ): Promise<number> {
    const ended = await this.#committer.commitIfAny({ audit, operation: null }, async trx => {
      let sessions = trx.deleteFrom('session').where('person_uid', '=', userUid)
      if (uid !== null) sessions = sessions.where('uid', '=', uid)
      const { numDeletedRows } = await sessions.executeTakeFirst()
      return numDeletedRows === 0n ? null : { result: Number(numDeletedRows), changes: [], resource: null }
    })
    return ended ?? 0
  }
}

/**
 * The row of a new session, and the person's last sign-in. Null when the person is gone or disabled, or the password
 * that was compared has been replaced meanwhile: the update takes the person's row, so whoever changes it comes before or after.
 */
export async function insertSession(trx: Db, draft: SessionDraft): Promise<User | null> {
  const { digest, uid, userUid, method, nowMs, callerIp, userAgent } = draft
  let person = trx
    .updateTable('person')
    .set({ last_sign_in_time: nowMs })
    .where('uid', '=', userUid)
    .where('disabled_time', 'is', null)
  if (draft.passwordHash !== null) person = person.where('password_hash', '=', draft.passwordHash)
  const row = await person.returningAll().executeTakeFirst()
  if (row === undefined) return null
  await trx
    .insertInto('session')
    .values({
      digest,
      uid,
      person_uid: userUid,
      method,
      caller_ip: callerIp,
      user_agent: userAgent,
      create_time: nowMs,
      last_seen_time: nowMs,
      proof_time: nowMs,
    })
    .execute()
  return userOf(row)
}

function sessionOf(row: Selectable<SessionTable>): Session {
  return {
    uid: row.uid,
    userUid: row.person_uid,
    method: row.method as SignInMethod,
    createTimeMs: row.create_time,
    lastSeenTimeMs: row.last_seen_time,
    proofTimeMs: row.proof_time,
    callerIp: row.caller_ip,
    userAgent: row.user_agent,
  }
}
