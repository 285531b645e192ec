/** People who may sign in. What they may do there is bound elsewhere. */
import type { Insertable, Selectable } from 'kysely'
import type { AuditEntry } from '../domain/audit.ts'
import { ApiError } from '../domain/error.ts'
import type { Role } from '../domain/permission.ts'
import { type User, subjectOf } from '../domain/user.ts'
import type { Committer } from './commit.ts'
import { decodeCursor, pageOf } from './cursor.ts'
import type { Engine } from './engine.ts'
import { insertBinding } from './iam.ts'
import type { IdentityDraft, LinkDraft, UserDraft, UserStore } from './people.ts'
import type { Db } from './schema.ts'
import type { PersonTable } from './schema-access.ts'
import type { Page, PageRequest } from './storage.ts'

const SCOPE = ['users']

export class Users implements UserStore {
  readonly #engine: Engine
  readonly #committer: Committer

  constructor(engine: Engine, committer: Committer) {
    this.#engine = engine
    this.#committer = committer
  }

  async find(emailOrUid: string): Promise<User | null> {
    const row = await this.#engine.db
      .selectFrom('person')
      .selectAll()
      .where(person => person.or([person('email', '=', emailOrUid), person('uid', '=', emailOrUid)]))
      .executeTakeFirst()
    return row === undefined ? null : userOf(row)
  }

  async passwordHashOf(userUid: string): Promise<string | null> {
    const row = await this.#engine.db
      .selectFrom('person')
      .select('password_hash')
      .where('uid', '=', userUid)
      .executeTakeFirst()
    return row?.password_hash ?? null
  }

  async list({ limit, cursor }: PageRequest): Promise<Page<User>> {
    const after = decodeCursor(cursor, SCOPE, ['string'])
    const { bytewise } = this.#engine
    let rows = this.#engine.db.selectFrom('person').selectAll()
    if (after !== null) rows = rows.where(row => row(bytewise(row.ref('email')), '>', String(after[0])))
    const found = await rows
      .orderBy(row => bytewise(row.ref('email')))
      .limit(limit + 1)
      .execute()
    return pageOf(found, limit, { scope: SCOPE, keyOf: row => [row.email], item: userOf })
  }

  async hasAny(): Promise<boolean> {
    const row = await this.#engine.db.selectFrom('person').select('uid').limit(1).executeTakeFirst()
    return row !== undefined
  }

  async create(
    draft: UserDraft & { readonly role: Role | null },
    link: LinkDraft,
    audit: AuditEntry,
  ): Promise<User> {
    return await this.#committer.commit({ audit, operation: null }, async (trx, nowMs) => {
      const user = await insertUser(trx, this.#engine, { draft, nowMs })
      await insertLink(trx, link, nowMs)
      const { role } = draft
      if (role !== null) await insertBinding(trx, { project: null, role, member: subjectOf(user) }, nowMs)
      return { result: user, changes: [], resource: null }
    })
  }

  async setDisabled(userUid: string, disabledTimeMs: number | null, audit: AuditEntry): Promise<User> {
    return await this.#committer.commit({ audit, operation: null }, async (trx, nowMs) => {
      const row = await trx
        .updateTable('person')
        .set({ disabled_time: disabledTimeMs, update_time: nowMs })
        .where('uid', '=', userUid)
        .returningAll()
        .executeTakeFirst()
      if (row === undefined) throw userGone()
      if (disabledTimeMs !== null) await endAccess(trx, userUid, null)
      return { result: userOf(row), changes: [], resource: null }
    })
  }

  async setPassword(
    userUid: string,
    { passwordHash, keepSessionUid }: { readonly passwordHash: string; readonly keepSessionUid: string },
    audit: AuditEntry,
  ): Promise<void> {
    await this.#committer.commit({ audit, operation: null }, async (trx, nowMs) => {
      const { numUpdatedRows } = await trx
        .updateTable('person')
        .set({ password_hash: passwordHash, update_time: nowMs })
        .where('uid', '=', userUid)
        .executeTakeFirst()
      if (numUpdatedRows === 0n) throw userGone()
      await endAccess(trx, userUid, keepSessionUid)
      return { result: userUid, changes: [], resource: null }
    })
  }

  async admitIdentity(claims: IdentityDraft): Promise<User | null> {
    const { identity, email, roles } = claims
    const identityRoles = JSON.stringify(roles)
    return await this.#engine.db.transaction().execute(async trx => {
      const nowMs = await this.#engine.nowMs(trx)
      const known = await trx
        .updateTable('person')
        .set({ identity, identity_roles: identityRoles, update_time: nowMs })
        .where(person =>
          person.or([
            person('identity', '=', identity),
            person.and([
              person('email', '=', email),
              person('identity', 'is', null),
              // Whoever has an identity already is found by it alone, whatever its address is now.
              person.not(
                person.exists(
                  person
                    .selectFrom('person as other')
                    .select('other.uid')
                    .where('other.identity', '=', identity),
                ),
              ),
            ]),
          ]),
        )
        .returningAll()
        .executeTakeFirst()
      if (known !== undefined) return userOf(known)
      if (roles.length === 0) return null
      return await insertUser(trx, this.#engine, { draft: claims, nowMs, identity, identityRoles })
    })
  }
}

interface NewUser {
  readonly draft: UserDraft
  readonly nowMs: number
  readonly identity?: string
  readonly identityRoles?: string
}

/** ALREADY_EXISTS when the address has an account. */
export async function insertUser(trx: Db, engine: Engine, made: NewUser): Promise<User> {
  const { draft, nowMs, identity = null, identityRoles = '[]' } = made
  const row: Insertable<PersonTable> = {
    uid: draft.uid,
    email: draft.email,
    display_name: draft.displayName,
    password_hash: null,
    identity,
    identity_roles: identityRoles,
    create_time: nowMs,
    update_time: nowMs,
    disabled_time: null,
    last_sign_in_time: null,
  }
  try {
    return userOf(await trx.insertInto('person').values(row).returningAll().executeTakeFirstOrThrow())
  } catch (cause) {
    if (engine.failureOf(cause) !== 'unique') throw cause
    throw new ApiError(
      'ALREADY_EXISTS',
      'There is an account of this e-mail address already. Enable it if it is disabled, or make a reset link for it.',
      { cause },
    )
  }
}

/** A new link takes the place of earlier ones of its kind and person. */
export async function insertLink(trx: Db, link: LinkDraft, nowMs: number): Promise<void> {
  const { digest, kind, userUid, expireTimeMs } = link
  await trx
    .deleteFrom('sign_in_link')
    .where('kind', '=', kind)
    .where('person_uid', userUid === null ? 'is' : '=', userUid)
    .execute()
  await trx
    .insertInto('sign_in_link')
    .values({ digest, kind, person_uid: userUid, create_time: nowMs, expire_time: expireTimeMs })
    .execute()
}

/** Ends every session but one, every link, and what browsers were known by. */
export async function endAccess(trx: Db, userUid: string, keepSessionUid: string | null): Promise<void> {
  let sessions = trx.deleteFrom('session').where('person_uid', '=', userUid)
  if (keepSessionUid !== null) sessions = sessions.where('uid', '<>', keepSessionUid)
  await sessions.execute()
  await trx.deleteFrom('sign_in_link').where('person_uid', '=', userUid).execute()
  await trx.deleteFrom('known_device').where('person_uid', '=', userUid).execute()
}

function userGone(): ApiError {
  return new ApiError('RESOURCE_NOT_FOUND', 'The user does not exist. List the users to see all.')
}

export function userOf(row: Selectable<PersonTable>): User {
  return {
    uid: row.uid,
    email: row.email,
    displayName: row.display_name,
    disabledTimeMs: row.disabled_time,
    createTimeMs: row.create_time,
    lastSignInTimeMs: row.last_sign_in_time,
    hasPassword: row.password_hash !== null,
    identity: row.identity,
    identityRoles: JSON.parse(row.identity_roles) as string[],
  }
}
