/** People: who signs in, their passkeys, sessions, links of one use, and what sign-ins under way have to remember. */
import type { CreateTableBuilder, Kysely } from 'kysely'
import type { Migration } from 'kysely/migration'

type Table = CreateTableBuilder<string, string>

interface Columns {
  readonly key: string
  readonly texts?: readonly string[]
  readonly nullableTexts?: readonly string[]
  readonly bigints?: readonly string[]
  readonly times?: readonly string[]
}

function tableOf(db: Kysely<unknown>, name: string, columns: Columns): Table {
  const { key, texts = [], nullableTexts = [], bigints = [], times = [] } = columns
  let table: Table = db.schema
    .createTable(name)
    .addColumn(key, 'text', column => column.primaryKey().notNull())
  for (const text of texts) table = table.addColumn(text, 'text', column => column.notNull())
  for (const text of nullableTexts) table = table.addColumn(text, 'text')
  for (const bigint of bigints) table = table.addColumn(bigint, 'bigint', column => column.notNull())
  for (const time of times) table = table.addColumn(time, 'bigint')
  return table
}

async function up(db: Kysely<unknown>): Promise<void> {
  await tableOf(db, 'person', {
    key: 'uid',
    texts: ['email', 'display_name', 'identity_roles'],
    nullableTexts: ['password_hash', 'identity'],
    bigints: ['create_time', 'update_time'],
    times: ['disabled_time', 'last_sign_in_time'],
  })
    .addUniqueConstraint('person_email_unique', ['email'])
    .addUniqueConstraint('person_identity_unique', ['identity'])
    .execute()
  await tableOf(db, 'passkey', {
    key: 'id',
    texts: ['person_uid', 'display_name', 'public_key', 'transports'],
    bigints: ['counter', 'create_time'],
    times: ['last_use_time'],
  })
    .addForeignKeyConstraint('passkey_person', ['person_uid'], 'person', ['uid'])
    .execute()
  await db.schema.createIndex('passkey_by_person').on('passkey').column('person_uid').execute()
  await tableOf(db, 'session', {
    key: 'digest',
    texts: ['uid', 'person_uid', 'method', 'caller_ip', 'user_agent'],
    bigints: ['create_time', 'last_seen_time', 'proof_time'],
  })
    .addUniqueConstraint('session_uid_unique', ['uid'])
    .addForeignKeyConstraint('session_person', ['person_uid'], 'person', ['uid'])
    .execute()
  await db.schema.createIndex('session_by_person').on('session').column('person_uid').execute()
  await tableOf(db, 'sign_in_link', {
    key: 'digest',
    texts: ['kind'],
    nullableTexts: ['person_uid'],
    bigints: ['create_time', 'expire_time'],
  })
    .addForeignKeyConstraint('sign_in_link_person', ['person_uid'], 'person', ['uid'])
    .execute()
  await tableOf(db, 'sign_in_challenge', {
    key: 'digest',
    texts: ['kind', 'content'],
    bigints: ['expire_time'],
  }).execute()
  await tableOf(db, 'sign_in_attempt', {
    key: 'bucket',
    bigints: ['attempts', 'expire_time'],
  }).execute()
  await tableOf(db, 'known_device', {
    key: 'digest',
    texts: ['person_uid'],
    bigints: ['expire_time'],
  })
    .addForeignKeyConstraint('known_device_person', ['person_uid'], 'person', ['uid'])
    .execute()
}

export const people: Migration = { up }
