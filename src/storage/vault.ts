/** Secrets as rows: sealed under the master key that the database names, opened under any that this node holds. */
import type { Selectable } from 'kysely'
import { ApiError } from '../domain/error.ts'
import type { KeyRing, MasterKey } from '../secrets/master-key.ts'
import type { SecretPlace } from '../secrets/seal.ts'
import { rewrap, seal, sealedPrefix, unseal } from '../secrets/seal.ts'
import { SigningKey, newSigningKey } from '../secrets/signing-key.ts'
import type { Engine } from './engine.ts'
import type { Db, SecretTable } from './schema.ts'
import type { SecretsVerification } from './storage.ts'

type SecretRow = Selectable<SecretTable>

/** Opens under the right master key only, in this one place. */
const CHECK_TEXT = 'pollux'
const CHECK: SecretPlace = {
  table: 'master_key',
  row: '1',
  column: 'check_value',
  projectNumber: null,
  version: 1,
}
const SIGNING_KEY: SecretPlace = {
  table: 'audit_head',
  row: '1',
  column: 'signing_key',
  projectNumber: null,
  version: 1,
}

export class Vault {
  readonly #engine: Engine
  readonly #ring: KeyRing

  constructor(engine: Engine, ring: KeyRing) {
    this.#engine = engine
    this.#ring = ring
  }

  /**
   * Names the first master key as the database's where it has none yet; else STATE_CONFLICT unless this node holds the
   * one it has. So nodes of different master keys never serve one database.
   */
  async admit(): Promise<void> {
    const { first } = this.#ring
    await this.#engine.db.transaction().execute(async trx => {
      await trx
        .insertInto('master_key')
        .values({
          id: 1,
          key_id: first.id,
          check_value: seal(CHECK, CHECK_TEXT, first),
          update_time: await this.#engine.nowMs(trx),
        })
        .onConflict(conflict => conflict.doNothing())
        .execute()
      await this.check(trx)
    })
  }

  /** STATE_CONFLICT unless this node holds the master key of the database. */
  async check(trx: Db): Promise<void> {
    const row = await trx.selectFrom('master_key').selectAll().executeTakeFirstOrThrow()
    if (this.#ring.find(row.key_id) === null) throw wrongMasterKey(row.key_id, this.#ring.first)
    unseal(CHECK, row.check_value, this.#ring)
  }

  /** The key that signs the audit trail, as an earlier start made it. SECRET_UNREADABLE when it is gone. */
  async openSigningKey(trx: Db): Promise<SigningKey> {
    const found = await this.read(trx, SIGNING_KEY)
    if (found !== null) return new SigningKey(found)
    throw new ApiError(
      'SECRET_UNREADABLE',
      'The key that signs the audit trail is gone from the database, which was changed behind the back of Pollux. Restore a backup.',
    )
  }

  /** The key that signs the audit trail; made once, when the head has never been signed. SECRET_UNREADABLE when it is gone. */
  async signingKey(sign: (trx: Db, key: SigningKey) => Promise<boolean>): Promise<SigningKey> {
    return await this.#engine.db.transaction().execute(async trx => {
      const found = await this.read(trx, SIGNING_KEY)
      if (found !== null) return new SigningKey(found)
      const made = newSigningKey()
      const key = new SigningKey(made)
      // The head is locked by this statement, so two nodes that start at once make one key.
      if (await sign(trx, key)) {
        await this.put(trx, SIGNING_KEY, made)
        return key
      }
      return await this.openSigningKey(trx)
    })
  }

  /** Seals a text for its place, or anew in the place it has. */
  async put(trx: Db, place: SecretPlace, text: string): Promise<void> {
    const sealed = seal(place, text, await this.#lockCurrent(trx))
    await trx
      .insertInto('secret')
      .values({
        table_name: place.table,
        row_id: place.row,
        column_name: place.column,
        project_number: place.projectNumber,
        version: place.version,
        sealed,
      })
      .onConflict(conflict =>
        conflict
          .columns(['table_name', 'row_id', 'column_name'])
          .doUpdateSet({ project_number: place.projectNumber, version: place.version, sealed }),
      )
      .execute()
  }

  /** null where there is none. What a place says is what is authenticated, not what the row says of itself. */
  async read(trx: Db, place: SecretPlace): Promise<string | null> {
    const row = await trx
      .selectFrom('secret')
      .select('sealed')
      .where('table_name', '=', place.table)
      .where('row_id', '=', place.row)
      .where('column_name', '=', place.column)
      .executeTakeFirst()
    return row === undefined ? null : unseal(place, row.sealed, this.#ring)
  }

  /**
   * Makes the first master key of this node the database's. Null where it is already. Conditional, so that two nodes
   * that are told so at once agree.
   */
  async switchMasterKey(trx: Db, nowMs: number): Promise<string | null> {
    const { first } = this.#ring
    const { numUpdatedRows } = await trx
      .updateTable('master_key')
      .set({ key_id: first.id, check_value: seal(CHECK, CHECK_TEXT, first), update_time: nowMs })
      .where('id', '=', 1)
      .where('key_id', '<>', first.id)
      .executeTakeFirst()
    return numUpdatedRows === 0n ? null : first.id
  }

  /** Wraps up to `limit` secrets anew that are under another master key; how many those were. Any order, any number of times. */
  async rewrapSome(trx: Db, limit: number): Promise<number> {
    const to = await this.#current(trx)
    const rows = await trx
      .selectFrom('secret')
      .selectAll()
      .where('sealed', 'not like', `${sealedPrefix(to)}%`)
      .orderBy('table_name')
      .orderBy('row_id')
      .orderBy('column_name')
      .limit(limit)
      .execute()
    for (const row of rows) {
      const sealed = rewrap(placeOf(row), row.sealed, { ring: this.#ring, to })
      await trx
        .updateTable('secret')
        .set({ sealed })
        .where('table_name', '=', row.table_name)
        .where('row_id', '=', row.row_id)
        .where('column_name', '=', row.column_name)
        // Sealed anew by somebody else meanwhile: the next batch sees to it.
        .where('sealed', '=', row.sealed)
        .execute()
    }
    return rows.length
  }

  /** How many secrets there are, each opened, and how many under another master key than the database's. */
  async verify(db: Db = this.#engine.db): Promise<SecretsVerification> {
    const current = await this.#current(db)
    let [verified, remaining, after] = [0, 0, ['', '', ''] as readonly [string, string, string]]
    for (;;) {
      const [table, row, column] = after
      const rows = await db
        .selectFrom('secret')
        .selectAll()
        .where(secret =>
          secret(
            secret.refTuple('table_name', 'row_id', 'column_name'),
            '>',
            secret.tuple(table, row, column),
          ),
        )
        .orderBy('table_name')
        .orderBy('row_id')
        .orderBy('column_name')
        .limit(PAGE_ROWS)
        .execute()
      for (const found of rows) {
        unseal(placeOf(found), found.sealed, this.#ring)
        verified += 1
        if (!found.sealed.startsWith(sealedPrefix(current))) remaining += 1
      }
      const last = rows.at(-1)
      if (last === undefined) return { masterKeyId: current.id, verified, remaining }
      after = [last.table_name, last.row_id, last.column_name]
    }
  }

  /** Locked until the transaction ends: once the master key has changed, nothing more is sealed under the one before. */
  async #lockCurrent(trx: Db): Promise<MasterKey> {
    const { key_id: id } = await trx
      .updateTable('master_key')
      .set(row => ({ key_id: row.ref('key_id') }))
      .where('id', '=', 1)
      .returning('key_id')
      .executeTakeFirstOrThrow()
    return this.#held(id)
  }

  /** The master key to seal under is the database's choice. */
  async #current(trx: Db): Promise<MasterKey> {
    const { key_id: id } = await trx.selectFrom('master_key').select('key_id').executeTakeFirstOrThrow()
    return this.#held(id)
  }

  #held(id: string): MasterKey {
    const key = this.#ring.find(id)
    if (key === null) throw wrongMasterKey(id, this.#ring.first)
    return key
  }
}

const PAGE_ROWS = 500

function placeOf(row: SecretRow): SecretPlace {
  return {
    table: row.table_name,
    row: row.row_id,
    column: row.column_name,
    projectNumber: row.project_number,
    version: row.version,
  }
}

function wrongMasterKey(wantedId: string, { id }: MasterKey): ApiError {
  return new ApiError(
    'STATE_CONFLICT',
    `The secrets of this database are sealed under the master key ${wantedId}, and the master key here is ${id}. Set ` +
      'POLLUX_MASTER_KEY to the one that the other nodes have, or put their file master-key into the data folder. ' +
      'Nothing was changed.',
  )
}
