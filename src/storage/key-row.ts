/** Keys as rows, and how they are read: always with the time of their last accepted call. */
import { ApiError } from '../domain/error.ts'
import type { Selectable, Updateable } from 'kysely'
import type { AllowedTool, Environment, Key, Restrictions } from '../domain/key.ts'
import type { Db, KeyTable } from './schema.ts'
import type { KeyPatch } from './storage.ts'

export type KeyRow = Selectable<KeyTable> & { readonly last_used_time: number | null }

/** Keys of every state, each with its `last_used_time`. */
// oxlint-disable-next-line typescript/explicit-module-boundary-types -- Kysely's builder type is the inferred one
export function selectKeys(db: Db) {
  return db
    .selectFrom('key')
    .leftJoin('key_use', 'key_use.key_uid', 'key.uid')
    .selectAll('key')
    .select('key_use.last_used_time')
}

/** RESOURCE_NOT_FOUND unless the project has a key of this lineage. */
export async function requireLineage(db: Db, projectNumber: string, lineage: string): Promise<void> {
  const key = await db
    .selectFrom('key')
    .select('uid')
    .where('lineage', '=', lineage)
    .where('project_number', '=', projectNumber)
    .executeTakeFirst()
  if (key !== undefined) return
  throw new ApiError(
    'RESOURCE_NOT_FOUND',
    'The key does not exist in the project or was purged. List the keys of the project to see which there are.',
  )
}

/** The resource a row stands for. The digest stays behind. */
export function keyOf(row: KeyRow): Key {
  return {
    uid: row.uid,
    lineage: row.lineage,
    projectNumber: row.project_number,
    keyId: row.key_id,
    displayName: row.display_name,
    annotations: JSON.parse(row.annotations) as Key['annotations'],
    restrictions: fromJson(row.restrictions) as Restrictions | null,
    etag: row.etag,
    createTimeMs: row.create_time,
    updateTimeMs: row.update_time,
    deleteTimeMs: row.delete_time,
    disabledTimeMs: row.disabled_time,
    expireTimeMs: row.expire_time,
    lastUsedTimeMs: row.last_used_time,
    allowedModels: fromJson(row.allowed_models) as readonly string[] | null,
    allowedTools: fromJson(row.allowed_tools) as readonly AllowedTool[] | null,
    environment: row.environment as Environment | null,
    maskedKeyString: row.masked_key_string,
  }
}

/** The columns a patch sets; a field that is absent stays as it is. */
export function patchedColumns(patch: KeyPatch): Updateable<KeyTable> {
  const columns: Updateable<KeyTable> = {}
  if (patch.displayName !== undefined) columns.display_name = patch.displayName
  if (patch.annotations !== undefined) columns.annotations = JSON.stringify(patch.annotations)
  if (patch.restrictions !== undefined) columns.restrictions = toJson(patch.restrictions)
  if (patch.allowedModels !== undefined) columns.allowed_models = toJson(patch.allowedModels)
  if (patch.allowedTools !== undefined) columns.allowed_tools = toJson(patch.allowedTools)
  if (patch.environment !== undefined) columns.environment = patch.environment
  if (patch.expireTimeMs !== undefined) columns.expire_time = patch.expireTimeMs
  if (patch.disabledTimeMs !== undefined) columns.disabled_time = patch.disabledTimeMs
  return columns
}

/** JSON text, or null for null. */
export function toJson(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value)
}

function fromJson(text: string | null): unknown {
  return text === null ? null : JSON.parse(text)
}
