/**
 * The key that seals the bodies of a project: a secret of its own, made when the project begins to keep them and gone when it
 * stops. Without it none of them can be read, wherever a copy of the database is.
 */
import { randomBytes } from 'node:crypto'
import { KeyRing } from '../secrets/master-key.ts'
import type { SecretPlace } from '../secrets/seal.ts'
import type { Db } from './schema.ts'
import type { Vault } from './vault.ts'

const COLUMN = { table_name: 'project', column_name: 'body_key' } as const

function placeOf(projectNumber: string): SecretPlace {
  const { table_name: table, column_name: column } = COLUMN
  return { table, row: projectNumber, column, projectNumber, version: 1 }
}

/** Null where the project keeps no bodies. */
export async function readBodyKey(vault: Vault, trx: Db, projectNumber: string): Promise<KeyRing | null> {
  const text = await vault.read(trx, placeOf(projectNumber))
  return text === null ? null : new KeyRing([text])
}

/** Makes the key of a project that has none. */
export async function makeBodyKey(vault: Vault, trx: Db, projectNumber: string): Promise<void> {
  const place = placeOf(projectNumber)
  if ((await vault.read(trx, place)) === null) await vault.put(trx, place, randomBytes(32).toString('base64'))
}

export async function forgetBodyKey(trx: Db, projectNumber: string): Promise<void> {
  await trx
    .deleteFrom('secret')
    .where('table_name', '=', COLUMN.table_name)
    .where('column_name', '=', COLUMN.column_name)
    .where('row_id', '=', projectNumber)
    .execute()
}

/** Deletes the bodies of calls of keys that are there no more. */
export async function forgetBodies(trx: Db): Promise<void> {
  await trx
    .deleteFrom('call_body')
    .where(body =>
      body.not(
        body.exists(body.selectFrom('key').select('uid').whereRef('key.uid', '=', 'call_body.key_uid')),
      ),
    )
    .execute()
}
