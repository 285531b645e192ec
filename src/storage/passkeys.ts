/** Passkeys: public keys and counters, nothing secret. */
import type { Selectable } from 'kysely'
import type { AuditEntry } from '../domain/audit.ts'
import { ApiError } from '../domain/error.ts'
import type { Passkey } from '../domain/user.ts'
import type { Committer } from './commit.ts'
import type { Engine } from './engine.ts'
import type { PasskeyStore } from './people.ts'
import type { Db } from './schema.ts'
import type { PasskeyTable } from './schema-access.ts'

const PASSKEYS_MAX = 20

export class Passkeys implements PasskeyStore {
  readonly #engine: Engine
  readonly #committer: Committer

  constructor(engine: Engine, committer: Committer) {
    this.#engine = engine
    this.#committer = committer
  }

  async add(passkey: Passkey, audit: AuditEntry): Promise<void> {
    await this.#committer.commit({ audit, operation: null }, async trx => {
      await insertPasskey(trx, this.#engine, passkey)
      const { count } = await trx
        .selectFrom('passkey')
        .select(row => row.fn.countAll<number>().as('count'))
        .where('person_uid', '=', passkey.userUid)
        .executeTakeFirstOrThrow()
      if (count > PASSKEYS_MAX) {
        throw new ApiError(
          'RESOURCE_QUOTA_EXCEEDED',
          `There may be ${PASSKEYS_MAX} passkeys. Remove one that is no longer used.`,
        )
      }
      return { result: passkey.id, changes: [], resource: null }
    })
  }

  async find(id: string): Promise<Passkey | null> {
    const row = await this.#engine.db
      .selectFrom('passkey')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirst()
    return row === undefined ? null : passkeyOf(row)
  }

  async list(userUid: string): Promise<readonly Passkey[]> {
    const rows = await this.#engine.db
      .selectFrom('passkey')
      .selectAll()
      .where('person_uid', '=', userUid)
      .orderBy('create_time')
      .orderBy('id')
      .execute()
    return rows.map(passkeyOf)
  }

  async used(
    id: string,
    { counter, nowMs }: { readonly counter: number; readonly nowMs: number },
  ): Promise<boolean> {
    // WebAuthn level 3, 7.2, on signCount: where either count is not zero, it must have grown.
    const { numUpdatedRows } = await this.#engine.db
      .updateTable('passkey')
      .set({ counter, last_use_time: nowMs })
      .where('id', '=', id)
      .where('counter', counter === 0 ? '=' : '<', counter)
      .executeTakeFirst()
    return numUpdatedRows === 1n
  }

  async remove(userUid: string, id: string, audit: AuditEntry): Promise<void> {
    await this.#committer.commit({ audit, operation: null }, async trx => {
      const { numDeletedRows } = await trx
        .deleteFrom('passkey')
        .where('id', '=', id)
        .where('person_uid', '=', userUid)
        .executeTakeFirst()
      if (numDeletedRows === 0n) {
        throw new ApiError('RESOURCE_NOT_FOUND', 'You have no such passkey. List them to see all.')
      }
      return { result: id, changes: [], resource: null }
    })
  }
}

/** ALREADY_EXISTS when the credential is registered. */
export async function insertPasskey(trx: Db, engine: Engine, passkey: Passkey): Promise<void> {
  try {
    await trx
      .insertInto('passkey')
      .values({
        id: passkey.id,
        person_uid: passkey.userUid,
        display_name: passkey.displayName,
        public_key: passkey.publicKey,
        transports: JSON.stringify(passkey.transports),
        counter: passkey.counter,
        create_time: passkey.createTimeMs,
        last_use_time: null,
      })
      .execute()
  } catch (cause) {
    if (engine.failureOf(cause) !== 'unique') throw cause
    throw new ApiError('ALREADY_EXISTS', 'This passkey is registered already.', { cause })
  }
}

function passkeyOf(row: Selectable<PasskeyTable>): Passkey {
  return {
    id: row.id,
    userUid: row.person_uid,
    displayName: row.display_name,
    publicKey: row.public_key,
    counter: row.counter,
    transports: JSON.parse(row.transports) as string[],
    createTimeMs: row.create_time,
    lastUseTimeMs: row.last_use_time,
  }
}
