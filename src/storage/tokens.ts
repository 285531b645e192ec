/** Bearer tokens of the management API: their digests only. */
import type { AuditEntry } from '../domain/audit.ts'
import { ORGANIZATION_OWNER, type Principal } from '../domain/permission.ts'
import type { Committer } from './commit.ts'
import type { Engine } from './engine.ts'
import type { TokenStore } from './storage.ts'

export class Tokens implements TokenStore {
  readonly #engine: Engine
  readonly #committer: Committer

  constructor(engine: Engine, committer: Committer) {
    this.#engine = engine
    this.#committer = committer
  }

  /** Putting what is there already changes nothing and leaves no audit entry, so every start may do it. */
  async put(
    draft: { readonly name: string; readonly digest: string; readonly role: 'owner' },
    audit: AuditEntry,
  ): Promise<void> {
    await this.#committer.commitIfAny({ audit, operation: null }, async (trx, nowMs) => {
      const { name, digest, role } = draft
      const { numInsertedOrUpdatedRows } = await trx
        .insertInto('token')
        .values({ name, digest, role, create_time: nowMs, update_time: nowMs })
        .onConflict(conflict =>
          conflict
            .column('name')
            .doUpdateSet({ digest, role, update_time: nowMs })
            .where(row => row.or([row('token.digest', '<>', digest), row('token.role', '<>', role)])),
        )
        .executeTakeFirst()
      if (numInsertedOrUpdatedRows === 0n) return null
      return { result: true, changes: [{ kind: 'all' }], resource: null }
    })
  }

  async findByDigest(digest: string): Promise<Principal | null> {
    const row = await this.#engine.db
      .selectFrom('token')
      .select('name')
      .where('digest', '=', digest)
      .where('role', '=', 'owner')
      .executeTakeFirst()
    return row === undefined ? null : { subject: row.name, grants: ORGANIZATION_OWNER }
  }
}
