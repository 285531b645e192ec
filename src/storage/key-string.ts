/** keyStrings of projects whose keys are recoverable: sealed when the key is made, gone when the project stops being so. */
import { ApiError } from '../domain/error.ts'
import type { SecretPlace } from '../secrets/seal.ts'
import type { KeyRow } from './key-row.ts'
import type { Db } from './schema.ts'
import type { KeyDraft } from './storage.ts'
import type { Vault } from './vault.ts'

const COLUMN = { table_name: 'key', column_name: 'key_string' } as const

function placeOf(uid: string, projectNumber: string): SecretPlace {
  // A key has one keyString for life, so there is one version of it.
  return { table: COLUMN.table_name, row: uid, column: COLUMN.column_name, projectNumber, version: 1 }
}

/** Keeps the keyString of a new key, if its project wants that at this moment. */
export async function keepKeyString(
  vault: Vault,
  trx: Db,
  { uid, projectNumber, keyString }: Pick<KeyDraft, 'uid' | 'projectNumber' | 'keyString'>,
): Promise<void> {
  if (keyString === undefined || !(await isRecoverable(trx, projectNumber))) return
  await vault.put(trx, placeOf(uid, projectNumber), keyString)
}

/** KEY_STRING_SHOWN_ONCE where none was kept. */
export async function readKeyString(
  vault: Vault,
  trx: Db,
  { uid, project_number: projectNumber }: Pick<KeyRow, 'uid' | 'project_number'>,
): Promise<string> {
  const kept = (await isRecoverable(trx, projectNumber))
    ? await vault.read(trx, placeOf(uid, projectNumber))
    : null
  if (kept !== null) return kept
  throw new ApiError(
    'KEY_STRING_SHOWN_ONCE',
    'The keyString of this key was shown once, when the key was made, and only its digest is stored. If it is lost, make ' +
      'a new key, move its callers there, and delete this one. Keys that are made while their project has recoverableKeys ' +
      'can be read again.',
  )
}

/** Forgets every keyString of a project. */
export async function forgetKeyStrings(trx: Db, projectNumber: string): Promise<void> {
  await trx
    .deleteFrom('secret')
    .where('table_name', '=', COLUMN.table_name)
    .where('column_name', '=', COLUMN.column_name)
    .where('row_id', 'in', secret =>
      secret.selectFrom('key').select('uid').where('project_number', '=', projectNumber),
    )
    .execute()
}

/** Forgets the keyStrings of keys that are there no more. */
export async function forgetPurged(trx: Db): Promise<void> {
  await trx
    .deleteFrom('secret')
    .where('table_name', '=', COLUMN.table_name)
    .where(secret =>
      secret.not(
        secret.exists(secret.selectFrom('key').select('uid').whereRef('key.uid', '=', 'secret.row_id')),
      ),
    )
    .execute()
}

async function isRecoverable(trx: Db, projectNumber: string): Promise<boolean> {
  const project = await trx
    .selectFrom('project')
    .select('recoverable_keys')
    .where('number', '=', projectNumber)
    .executeTakeFirst()
  return project?.recoverable_keys === 1
}
