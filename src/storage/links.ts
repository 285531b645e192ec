/** Links of one use: for the first owner, for invited people, and for those who forgot their password. */
import type { AuditEntry } from '../domain/audit.ts'
import { ApiError } from '../domain/error.ts'
import { type User, subjectOf } from '../domain/user.ts'
import type { Committer } from './commit.ts'
import type { Engine } from './engine.ts'
import { insertBinding } from './iam.ts'
import { insertPasskey } from './passkeys.ts'
import type { LinkDraft, LinkKind, LinkOutcome, LinkStore } from './people.ts'
import type { Db } from './schema.ts'
import { insertSession } from './sessions.ts'
import { endAccess, insertLink, insertUser, userOf } from './users.ts'

export class Links implements LinkStore {
  readonly #engine: Engine
  readonly #committer: Committer

  constructor(engine: Engine, committer: Committer) {
    this.#engine = engine
    this.#committer = committer
  }

  async issue(draft: LinkDraft, audit: AuditEntry): Promise<void> {
    await this.#committer.commit({ audit, operation: null }, async (trx, nowMs) => {
      if (draft.kind === 'setUp') await refuseSecondOwner(trx)
      await insertLink(trx, draft, nowMs)
      return { result: draft.kind, changes: [], resource: null }
    })
  }

  async find(digest: string, nowMs: number): Promise<{ kind: LinkKind; user: User | null } | null> {
    const { db } = this.#engine
    const link = await db
      .selectFrom('sign_in_link')
      .select(['kind', 'person_uid'])
      .where('digest', '=', digest)
      .where('expire_time', '>', nowMs)
      .executeTakeFirst()
    if (link === undefined) return null
    const kind = link.kind as LinkKind
    if (link.person_uid === null) return { kind, user: null }
    const person = await db
      .selectFrom('person')
      .selectAll()
      .where('uid', '=', link.person_uid)
      .executeTakeFirst()
    return person === undefined ? null : { kind, user: userOf(person) }
  }

  async accept(
    { digest, nowMs }: { readonly digest: string; readonly nowMs: number },
    outcome: LinkOutcome,
    audit: AuditEntry,
  ): Promise<User | null> {
    return await this.#committer.commitIfAny({ audit, operation: null }, async (trx, commitMs) => {
      // The statement that decides: of all who hold the link, one deletes it.
      const link = await trx
        .deleteFrom('sign_in_link')
        .where('digest', '=', digest)
        .where('expire_time', '>', nowMs)
        .returning('person_uid')
        .executeTakeFirst()
      if (link === undefined) return null
      if (link.person_uid === null) {
        await refuseSecondOwner(trx)
        if (outcome.user === null) throw new Error('a set-up link was accepted for nobody')
        const owner = await insertUser(trx, this.#engine, { draft: outcome.user, nowMs: commitMs })
        const binding = { project: null, role: 'roles/owner', member: subjectOf(owner) } as const
        await insertBinding(trx, binding, commitMs)
      } else {
        await endAccess(trx, link.person_uid, null)
      }
      const { passwordHash, passkey, session } = outcome
      if (passwordHash !== null) {
        await trx
          .updateTable('person')
          .set({ password_hash: passwordHash, update_time: commitMs })
          .where('uid', '=', session.userUid)
          .execute()
      }
      if (passkey !== null) await insertPasskey(trx, this.#engine, passkey)
      const user = await insertSession(trx, session)
      if (user === null) throw new ApiError('LINK_INVALID', 'The account of this link is disabled.')
      return { result: user, changes: [], resource: null }
    })
  }
}

async function refuseSecondOwner(trx: Db): Promise<void> {
  const somebody = await trx.selectFrom('person').select('uid').limit(1).executeTakeFirst()
  if (somebody === undefined) return
  throw new ApiError(
    'STATE_CONFLICT',
    'This Pollux is set up already. Who may not sign in any more gets a link from `pollux users reset-link`.',
  )
}
