/** What an owner does about the access of others. */
import { randomUUID } from 'node:crypto'
import type { USERS_V1 } from '../contract/users.v1.ts'
import { ApiError, invalidField } from '../domain/error.ts'
import { type Role, holdsAll, isRole } from '../domain/permission.ts'
import { expiryOf } from '../domain/session.ts'
import { type User, canonicalEmail, displayNameOf } from '../domain/user.ts'
import type { LinkKind } from '../storage/people.ts'
import { auditEntry } from './audit.ts'
import type { AnyCall, Handlers } from './call.ts'
import { newLink } from './links.ts'
import { nextPageToken, pageRequest } from './lookup.ts'
import { ORGANIZATION } from '../domain/project.ts'
import { type PeopleContext, sessionJson, time, userJson } from './sessions.ts'

export function userHandlers(context: PeopleContext): Handlers<typeof USERS_V1> {
  const { storage, now } = context
  return {
    async listUsers({ query }) {
      const page = await storage.users.list(pageRequest(query))
      return { users: page.items.map(userJson), ...nextPageToken(page.nextCursor) }
    },
    async getUser({ params, signedIn }) {
      const user = await requireUser(context, params.user)
      const live = (await storage.sessions.list(user.uid)).filter(session => now() < expiryOf(session))
      const currentUid = signedIn?.session.uid ?? null
      return { ...userJson(user), sessions: live.map(session => sessionJson(session, currentUid)) }
    },
    async inviteUser(call) {
      const email = canonicalEmail(call.body.email)
      const displayName = displayNameOf(call.body.displayName ?? email)
      const role = roleToGive(call, call.body.role)
      const draft = { uid: randomUUID(), email, displayName, role }
      const link = linkFor(context, 'invite', draft.uid)
      const user = await storage.users.create(draft, link.draft, userEntry(call, draft.uid, { email, role }))
      return { ...userJson(user), ...link.answer }
    },
    async issueResetLink(call) {
      const user = await requireUser(context, call.params.user)
      if (user.disabledTimeMs !== null) {
        throw new ApiError('STATE_CONFLICT', 'The user is disabled. Enable them first.')
      }
      const link = linkFor(context, 'reset', user.uid)
      await storage.links.issue(link.draft, userEntry(call, user.uid, { email: user.email }))
      return { ...userJson(user), ...link.answer }
    },
    async disableUser(call) {
      const user = await requireUser(context, call.params.user)
      if (call.signedIn?.user.uid === user.uid) {
        throw new ApiError(
          'STATE_CONFLICT',
          'Nobody can disable themselves: another owner, or the machine, can.',
        )
      }
      const entry = userEntry(call, user.uid, { email: user.email, state: 'DISABLED' })
      return userJson(await storage.users.setDisabled(user.uid, now(), entry))
    },
    async enableUser(call) {
      const user = await requireUser(context, call.params.user)
      const entry = userEntry(call, user.uid, { email: user.email, state: 'ACTIVE' })
      return userJson(await storage.users.setDisabled(user.uid, null, entry))
    },
    async signOutUser(call) {
      const user = await requireUser(context, call.params.user)
      const entry = userEntry(call, user.uid, { email: user.email, outcome: 'SESSIONS_ENDED' })
      return { ended: await storage.sessions.end({ userUid: user.uid, uid: null }, entry) }
    },
    async issueSetUpLink(call) {
      const link = linkFor(context, 'setUp', null)
      const entry = auditEntry(call, {
        resourceName: ORGANIZATION,
        projectNumber: null,
        before: null,
        after: { linkExpireTime: link.answer.linkExpireTime },
      })
      await storage.links.issue(link.draft, entry)
      return link.answer
    },
  }
}

/** Nobody gives what they do not hold. Throws FIELD_INVALID, IAM_PERMISSION_DENIED. */
function roleToGive({ principal }: AnyCall, role: string | undefined): Role | null {
  if (role === undefined) return null
  if (!isRole(role)) throw invalidField('role', 'there is no such role; `pollux iam` lists all')
  if (holdsAll(principal, { role, project: null })) return role
  throw new ApiError('IAM_PERMISSION_DENIED', 'You can give only what you hold yourself at the organization.')
}

function linkFor({ settings, now }: PeopleContext, kind: LinkKind, userUid: string | null) {
  const { draft, link } = newLink(kind, userUid, { origin: settings.linkOrigin, nowMs: now() })
  return { draft, answer: { link, linkExpireTime: time(draft.expireTimeMs) } }
}

function userEntry(call: AnyCall, uid: string, after: Readonly<Record<string, unknown>>) {
  return auditEntry(call, { resourceName: `users/${uid}`, projectNumber: null, before: null, after })
}

/** By e-mail address or uid. Throws RESOURCE_NOT_FOUND. */
async function requireUser({ storage }: PeopleContext, given: string): Promise<User> {
  const user = await storage.users.find(given.includes('@') ? canonicalEmail(given) : given)
  if (user !== null) return user
  throw new ApiError('RESOURCE_NOT_FOUND', 'The user does not exist. List the users to see all.')
}
