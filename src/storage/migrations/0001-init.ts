/** The first tables. A migration is never edited once released; the next one changes what it made. */
import type { CreateTableBuilder, Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

const PROJECT_TEXTS = ['project_id', 'display_name', 'labels', 'model_aliases', 'etag']
const KEY_TEXTS = ['project_number', 'key_id', 'digest', 'display_name', 'annotations']
const KEY_NULLABLE_TEXTS = ['restrictions', 'allowed_models', 'allowed_tools', 'environment']
const AUDIT_TEXTS = ['principal', 'method_name', 'permission', 'resource_name']
const AUDIT_NULLABLE_TEXTS = ['project_number', 'caller_ip', 'user_agent', 'request_reason']
const ROLLUP_KEY = ['project_number', 'bucket_time', 'key_uid', 'model', 'method']
const ROLLUP_SUMS = [
  'calls',
  'errors',
  'estimated',
  'prompt_tokens',
  'cached_tokens',
  'tool_use_prompt_tokens',
  'candidates_tokens',
  'thoughts_tokens',
  'total_tokens',
  'request_bytes',
  'response_bytes',
]

type Table = CreateTableBuilder<string, string>

function texts(table: Table, names: readonly string[]): Table {
  return names.reduce((table, name) => table.addColumn(name, 'text', column => column.notNull()), table)
}

function nullableTexts(table: Table, names: readonly string[]): Table {
  return names.reduce((table, name) => table.addColumn(name, 'text'), table)
}

function bigints(table: Table, names: readonly string[]): Table {
  return names.reduce((table, name) => table.addColumn(name, 'bigint', column => column.notNull()), table)
}

function times(table: Table, names: readonly string[]): Table {
  return names.reduce((table, name) => table.addColumn(name, 'bigint'), table)
}

async function createResources(db: Kysely<unknown>): Promise<void> {
  let project: Table = db.schema
    .createTable('project')
    .addColumn('number', 'text', column => column.primaryKey().notNull())
  project = bigints(texts(project, PROJECT_TEXTS), ['live_keys', 'create_time', 'update_time'])
  project = times(project, ['delete_time', 'purge_time'])
  await project.addUniqueConstraint('project_id_unique', ['project_id']).execute()

  let key: Table = db.schema
    .createTable('key')
    .addColumn('uid', 'text', column => column.primaryKey().notNull())
  key = nullableTexts(texts(key, KEY_TEXTS), KEY_NULLABLE_TEXTS)
  key = bigints(texts(key, ['masked_key_string', 'etag']), ['create_time', 'update_time'])
  key = times(key, ['delete_time', 'disabled_time', 'expire_time'])
  await key
    .addUniqueConstraint('key_id_unique', ['project_number', 'key_id'])
    .addUniqueConstraint('key_digest_unique', ['digest'])
    .addForeignKeyConstraint('key_project', ['project_number'], 'project', ['number'])
    .execute()
  await db.schema
    .createIndex('key_by_creation')
    .on('key')
    .columns(['project_number', 'create_time', 'uid'])
    .execute()

  await db.schema
    .createTable('key_use')
    .addColumn('key_uid', 'text', column => column.primaryKey().notNull())
    .addColumn('last_used_time', 'bigint', column => column.notNull())
    .execute()
}

async function createTokensAndTrail(db: Kysely<unknown>): Promise<void> {
  let token: Table = db.schema
    .createTable('token')
    .addColumn('name', 'text', column => column.primaryKey().notNull())
  token = bigints(texts(token, ['digest', 'role']), ['create_time', 'update_time'])
  await token.addUniqueConstraint('token_digest_unique', ['digest']).execute()

  const operation: Table = db.schema
    .createTable('operation')
    .addColumn('name', 'text', column => column.primaryKey().notNull())
  await bigints(texts(operation, ['verb', 'resource']), ['create_time']).execute()
  await db.schema.createIndex('operation_by_creation').on('operation').column('create_time').execute()

  let audit: Table = db.schema
    .createTable('audit_entry')
    .addColumn('insert_id', 'text', column => column.primaryKey().notNull())
  audit = nullableTexts(texts(bigints(audit, ['time']), AUDIT_TEXTS), AUDIT_NULLABLE_TEXTS)
  await texts(audit, ['request_id', 'request', 'before', 'after']).execute()
  await db.schema
    .createIndex('audit_entry_by_time')
    .on('audit_entry')
    .columns(['time', 'insert_id'])
    .execute()
  await db.schema
    .createIndex('audit_entry_by_project')
    .on('audit_entry')
    .columns(['project_number', 'time', 'insert_id'])
    .execute()
}

async function createUsage(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('usage_block')
    .addColumn('block', 'text', column => column.primaryKey().notNull())
    .addColumn('create_time', 'bigint', column => column.notNull())
    .execute()
  await db.schema
    .createTable('usage_watermark')
    .addColumn('node_id', 'text', column => column.notNull())
    .addColumn('block', 'text', column => column.notNull())
    .addColumn('seq', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint('usage_watermark_pk', ['node_id', 'block'])
    .execute()
  for (const width of ['minute', 'hour', 'day']) {
    const name = `usage_${width}`
    const rollup: Table = db.schema
      .createTable(name)
      .addColumn('project_number', 'text', column => column.notNull())
      .addColumn('bucket_time', 'bigint', column => column.notNull())
    await bigints(texts(rollup, ['key_uid', 'model', 'method']), ROLLUP_SUMS)
      .addPrimaryKeyConstraint(`${name}_pk`, ROLLUP_KEY)
      .execute()
    await db.schema.createIndex(`${name}_by_key`).on(name).columns(['key_uid', 'bucket_time']).execute()
  }
}

async function up(db: Kysely<unknown>): Promise<void> {
  await createResources(db)
  await createTokensAndTrail(db)
  await createUsage(db)
  await db.schema
    .createTable('epoch')
    .addColumn('id', 'bigint', column => column.primaryKey().notNull())
    .addColumn('value', 'bigint', column => column.notNull())
    .execute()
  await (db as Kysely<{ epoch: { id: number; value: number } }>)
    .insertInto('epoch')
    .values({ id: 1, value: 0 })
    .execute()
}

export const init: Migration = { up }
