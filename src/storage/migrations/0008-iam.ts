/** IAM policies, and service accounts with their tokens and keys. */
import type { CreateTableBuilder, Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

type Table = CreateTableBuilder<string, string>

function texts(table: Table, names: readonly string[]): Table {
  return names.reduce((table, name) => table.addColumn(name, 'text', column => column.notNull()), table)
}

function bigints(table: Table, names: readonly string[]): Table {
  return names.reduce((table, name) => table.addColumn(name, 'bigint', column => column.notNull()), table)
}

function keyed(db: Kysely<unknown>, table: string, key: string): Table {
  return db.schema.createTable(table).addColumn(key, 'text', column => column.primaryKey().notNull())
}

async function createPolicies(db: Kysely<unknown>): Promise<void> {
  await bigints(texts(keyed(db, 'iam_policy', 'resource'), ['etag']), ['update_time']).execute()
  await texts(db.schema.createTable('iam_binding'), ['resource', 'role', 'member'])
    .addPrimaryKeyConstraint('iam_binding_pk', ['resource', 'role', 'member'])
    .execute()
  await db.schema.createIndex('iam_binding_by_member').on('iam_binding').column('member').execute()
}

async function createServiceAccounts(db: Kysely<unknown>): Promise<void> {
  const names = ['project_number', 'email', 'display_name', 'description', 'etag']
  await bigints(texts(keyed(db, 'service_account', 'uid'), names), [
    'credentials',
    'create_time',
    'update_time',
  ])
    .addColumn('disabled_time', 'bigint')
    .addColumn('delete_time', 'bigint')
    .addUniqueConstraint('service_account_email_unique', ['email'])
    .addForeignKeyConstraint('service_account_project', ['project_number'], 'project', ['number'])
    .execute()
  await db.schema
    .createIndex('service_account_by_project')
    .on('service_account')
    .column('project_number')
    .execute()

  const token = texts(keyed(db, 'service_account_token', 'uid'), [
    'account_uid',
    'digest',
    'display_name',
    'masked_token',
    'limits',
  ])
  await bigints(token, ['create_time', 'expire_time'])
    .addColumn('last_used_time', 'bigint')
    .addUniqueConstraint('service_account_token_digest_unique', ['digest'])
    .addForeignKeyConstraint('service_account_token_account', ['account_uid'], 'service_account', ['uid'])
    .execute()
  const key = texts(keyed(db, 'service_account_key', 'key_id'), ['account_uid', 'public_key'])
  await bigints(key, ['create_time', 'expire_time'])
    .addColumn('last_used_time', 'bigint')
    .addForeignKeyConstraint('service_account_key_account', ['account_uid'], 'service_account', ['uid'])
    .execute()
  for (const table of ['service_account_token', 'service_account_key']) {
    await db.schema.createIndex(`${table}_by_account`).on(table).column('account_uid').execute()
  }
}

async function up(db: Kysely<unknown>): Promise<void> {
  await createPolicies(db)
  await createServiceAccounts(db)
}

export const iam: Migration = { up }
