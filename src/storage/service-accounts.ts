/** Service accounts, their tokens (digests only) and the public halves of their keys. */
import { randomUUID } from 'node:crypto'
import { type Selectable, sql } from 'kysely'
import type { AuditEntry } from '../domain/audit.ts'
import { ApiError } from '../domain/error.ts'
import type { Limits } from '../domain/permission.ts'
import {
  ACCOUNTS_PER_PROJECT_MAX,
  CREDENTIALS_PER_ACCOUNT_MAX,
  type ServiceAccount,
  type ServiceAccountKey,
  type ServiceAccountToken,
  accountSubject,
} from '../domain/service-account.ts'
import type {
  AccountKeyDraft,
  Presented,
  ServiceAccountDraft,
  ServiceAccountStore,
  TokenDraft,
} from './access.ts'
import type { Committer } from './commit.ts'
import type { Engine } from './engine.ts'
import { removeMember, selectGrants } from './iam.ts'
import { newEtag } from './etag.ts'
import { requireProject } from './projects.ts'
import type { Db } from './schema.ts'
import type {
  ServiceAccountKeyTable,
  ServiceAccountTable,
  ServiceAccountTokenTable,
} from './schema-access.ts'

/** How exact the time of the last use is. */
const USE_STEP_MS = 60_000

type AccountRow = Selectable<ServiceAccountTable> & { readonly project_id: string }

export class ServiceAccounts implements ServiceAccountStore {
  readonly #engine: Engine
  readonly #committer: Committer

  constructor(engine: Engine, committer: Committer) {
    this.#engine = engine
    this.#committer = committer
  }

  async create(draft: ServiceAccountDraft, audit: AuditEntry): Promise<ServiceAccount> {
    const { projectNumber, email, displayName, description } = draft
    return await this.#committer.commit({ audit, operation: null }, async (trx, nowMs) => {
      await requireRoom(trx, projectNumber)
      const row = await trx
        .insertInto('service_account')
        .values({
          uid: randomUUID(),
          project_number: projectNumber,
          email,
          display_name: displayName,
          description,
          etag: newEtag(),
          credentials: 0,
          create_time: nowMs,
          update_time: nowMs,
          disabled_time: null,
          delete_time: null,
        })
        .onConflict(conflict => conflict.doNothing())
        .returning('uid')
        .executeTakeFirst()
      if (row === undefined) {
        throw new ApiError(
          'ALREADY_EXISTS',
          `The service account ${email} exists, or did. Its name is never given twice: choose another one.`,
        )
      }
      return { result: accountOf(await requireAccount(trx, row.uid)), changes: [], resource: null }
    })
  }

  async find(emailOrUid: string): Promise<ServiceAccount | null> {
    const column = emailOrUid.includes('@') ? 'email' : 'uid'
    const row = await selectAccounts(this.#engine.db)
      .where(`service_account.${column}`, '=', emailOrUid)
      .executeTakeFirst()
    return row === undefined ? null : accountOf(row)
  }

  async list(projectNumber: string): Promise<readonly ServiceAccount[]> {
    const rows = await selectAccounts(this.#engine.db)
      .where('service_account.project_number', '=', projectNumber)
      .orderBy(row => this.#engine.bytewise(row.ref('service_account.email')))
      .execute()
    return rows.map(accountOf)
  }

  async setDisabled(uid: string, disabled: boolean, audit: AuditEntry): Promise<ServiceAccount> {
    return await this.#committer.commit({ audit, operation: null }, async (trx, nowMs) => {
      await trx
        .updateTable('service_account')
        .set({ disabled_time: disabled ? nowMs : null, etag: newEtag(), update_time: nowMs })
        .where('uid', '=', uid)
        .where('delete_time', 'is', null)
        .execute()
      return { result: accountOf(await requireAccount(trx, uid)), changes: [], resource: null }
    })
  }

  async delete(uid: string, audit: AuditEntry): Promise<void> {
    await this.#committer.commit({ audit, operation: null }, async (trx, nowMs) => {
      const { email } = await requireAccount(trx, uid)
      await trx
        .updateTable('service_account')
        .set({ delete_time: nowMs, credentials: 0, update_time: nowMs })
        .where('uid', '=', uid)
        .execute()
      await trx.deleteFrom('service_account_token').where('account_uid', '=', uid).execute()
      await trx.deleteFrom('service_account_key').where('account_uid', '=', uid).execute()
      await removeMember(trx, accountSubject({ email }), nowMs)
      return { result: true, changes: [], resource: null }
    })
  }

  async createToken(draft: TokenDraft, audit: AuditEntry): Promise<ServiceAccountToken> {
    const { uid, accountUid, digest, displayName, maskedToken, limits, expireTimeMs } = draft
    return await this.#committer.commit({ audit, operation: null }, async (trx, nowMs) => {
      await takePlace(trx, accountUid)
      const row = await trx
        .insertInto('service_account_token')
        .values({
          uid,
          account_uid: accountUid,
          digest,
          display_name: displayName,
          masked_token: maskedToken,
          limits: JSON.stringify(limits),
          create_time: nowMs,
          expire_time: expireTimeMs,
          last_used_time: null,
        })
        .returningAll()
        .executeTakeFirstOrThrow()
      return { result: tokenOf(row), changes: [], resource: null }
    })
  }

  async createKey(draft: AccountKeyDraft, audit: AuditEntry): Promise<ServiceAccountKey> {
    const { accountUid, keyId, publicKey, expireTimeMs } = draft
    return await this.#committer.commit({ audit, operation: null }, async (trx, nowMs) => {
      await takePlace(trx, accountUid)
      const row = await trx
        .insertInto('service_account_key')
        .values({
          key_id: keyId,
          account_uid: accountUid,
          public_key: publicKey,
          create_time: nowMs,
          expire_time: expireTimeMs,
          last_used_time: null,
        })
        .returningAll()
        .executeTakeFirstOrThrow()
      return { result: keyOf(row), changes: [], resource: null }
    })
  }

  async listTokens(accountUid: string): Promise<readonly ServiceAccountToken[]> {
    const rows = await this.#engine.db
      .selectFrom('service_account_token')
      .selectAll()
      .where('account_uid', '=', accountUid)
      .orderBy('create_time')
      .orderBy('uid')
      .execute()
    return rows.map(tokenOf)
  }

  async listKeys(accountUid: string): Promise<readonly ServiceAccountKey[]> {
    const rows = await this.#engine.db
      .selectFrom('service_account_key')
      .selectAll()
      .where('account_uid', '=', accountUid)
      .orderBy('create_time')
      .orderBy('key_id')
      .execute()
    return rows.map(keyOf)
  }

  async deleteToken(accountUid: string, uid: string, audit: AuditEntry): Promise<void> {
    await this.#committer.commit({ audit, operation: null }, async trx => {
      const { numDeletedRows } = await trx
        .deleteFrom('service_account_token')
        .where('account_uid', '=', accountUid)
        .where('uid', '=', uid)
        .executeTakeFirst()
      await givePlaceBack(trx, accountUid, numDeletedRows)
      return { result: true, changes: [], resource: null }
    })
  }

  async deleteKey(accountUid: string, keyId: string, audit: AuditEntry): Promise<void> {
    await this.#committer.commit({ audit, operation: null }, async trx => {
      const { numDeletedRows } = await trx
        .deleteFrom('service_account_key')
        .where('account_uid', '=', accountUid)
        .where('key_id', '=', keyId)
        .executeTakeFirst()
      await givePlaceBack(trx, accountUid, numDeletedRows)
      return { result: true, changes: [], resource: null }
    })
  }

  async findByToken(digest: string): Promise<Presented<ServiceAccountToken> | null> {
    const row = await this.#engine.db
      .selectFrom('service_account_token')
      .selectAll()
      .where('digest', '=', digest)
      .executeTakeFirst()
    return row === undefined ? null : await this.#presented(row.account_uid, tokenOf(row))
  }

  async findByKey(keyId: string): Promise<Presented<ServiceAccountKey> | null> {
    const row = await this.#engine.db
      .selectFrom('service_account_key')
      .selectAll()
      .where('key_id', '=', keyId)
      .executeTakeFirst()
    return row === undefined ? null : await this.#presented(row.account_uid, keyOf(row))
  }

  async noteUse(kind: 'token' | 'key', id: string): Promise<void> {
    const { db } = this.#engine
    const nowMs = await this.#engine.nowMs(db)
    const [table, column] =
      kind === 'token'
        ? (['service_account_token', 'uid'] as const)
        : (['service_account_key', 'key_id'] as const)
    await sql`
      update ${sql.table(table)} set last_used_time = ${nowMs}
      where ${sql.ref(column)} = ${id}
        and (last_used_time is null or last_used_time < ${nowMs - USE_STEP_MS})`.execute(db)
  }

  async #presented<Credential>(uid: string, credential: Credential): Promise<Presented<Credential> | null> {
    const row = await selectAccounts(this.#engine.db)
      .select('project.delete_time as project_delete_time')
      .where('service_account.uid', '=', uid)
      .executeTakeFirst()
    if (row === undefined) return null
    const account = accountOf(row)
    const grants = await selectGrants(this.#engine.db, accountSubject(account))
    return { account, credential, grants, isProjectDeleted: row.project_delete_time !== null }
  }
}

/** Live accounts of projects that are not purged. */
function selectAccounts(db: Db) {
  return db
    .selectFrom('service_account')
    .innerJoin('project', 'project.number', 'service_account.project_number')
    .selectAll('service_account')
    .select('project.project_id')
    .where('service_account.delete_time', 'is', null)
    .where('project.purge_time', 'is', null)
}

async function requireAccount(db: Db, uid: string): Promise<AccountRow> {
  const row = await selectAccounts(db).where('service_account.uid', '=', uid).executeTakeFirst()
  if (row === undefined) throw new ApiError('RESOURCE_NOT_FOUND', 'The service account is deleted.')
  return row
}

/** RESOURCE_QUOTA_EXCEEDED for the 101st account. Touching the project's row lets one creation through at a time. */
async function requireRoom(trx: Db, projectNumber: string): Promise<void> {
  const { project_id: projectId } = await requireProject(trx, projectNumber)
  const { numUpdatedRows } = await trx
    .updateTable('project')
    .set(row => ({ update_time: row.ref('update_time') }))
    .where('number', '=', projectNumber)
    .where('delete_time', 'is', null)
    .executeTakeFirst()
  if (numUpdatedRows === 0n) {
    throw new ApiError('STATE_CONFLICT', `Project projects/${projectId} is deleted. Undelete it first.`)
  }
  const { count } = await trx
    .selectFrom('service_account')
    .select(row => row.fn.countAll<number>().as('count'))
    .where('project_number', '=', projectNumber)
    .where('delete_time', 'is', null)
    .executeTakeFirstOrThrow()
  if (count < ACCOUNTS_PER_PROJECT_MAX) return
  throw new ApiError(
    'RESOURCE_QUOTA_EXCEEDED',
    `Project projects/${projectId} has ${ACCOUNTS_PER_PROJECT_MAX} service accounts, the most there can be. Delete one first.`,
  )
}

async function takePlace(trx: Db, accountUid: string): Promise<void> {
  const { numUpdatedRows } = await trx
    .updateTable('service_account')
    .set(row => ({ credentials: row('credentials', '+', 1) }))
    .where('uid', '=', accountUid)
    .where('delete_time', 'is', null)
    .where('credentials', '<', CREDENTIALS_PER_ACCOUNT_MAX)
    .executeTakeFirst()
  if (numUpdatedRows === 1n) return
  const { email } = await requireAccount(trx, accountUid)
  throw new ApiError(
    'RESOURCE_QUOTA_EXCEEDED',
    `${email} has ${CREDENTIALS_PER_ACCOUNT_MAX} tokens and keys, the most there can be. Delete one that is not used.`,
  )
}

async function givePlaceBack(trx: Db, accountUid: string, deleted: bigint): Promise<void> {
  if (deleted === 0n) throw new ApiError('RESOURCE_NOT_FOUND', 'This credential is deleted already.')
  await trx
    .updateTable('service_account')
    .set(row => ({ credentials: row('credentials', '-', 1) }))
    .where('uid', '=', accountUid)
    .execute()
}

function accountOf(row: AccountRow): ServiceAccount {
  return {
    uid: row.uid,
    projectNumber: row.project_number,
    projectId: row.project_id,
    email: row.email,
    displayName: row.display_name,
    description: row.description,
    etag: row.etag,
    createTimeMs: row.create_time,
    updateTimeMs: row.update_time,
    disabledTimeMs: row.disabled_time,
  }
}

function tokenOf(row: Selectable<ServiceAccountTokenTable>): ServiceAccountToken {
  return {
    uid: row.uid,
    displayName: row.display_name,
    maskedToken: row.masked_token,
    limits: JSON.parse(row.limits) as Limits,
    createTimeMs: row.create_time,
    expireTimeMs: row.expire_time,
    lastUsedTimeMs: row.last_used_time,
  }
}

function keyOf(row: Selectable<ServiceAccountKeyTable>): ServiceAccountKey {
  return {
    keyId: row.key_id,
    publicKey: row.public_key,
    createTimeMs: row.create_time,
    expireTimeMs: row.expire_time,
    lastUsedTimeMs: row.last_used_time,
  }
}
