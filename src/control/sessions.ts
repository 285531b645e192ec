/** Sessions: how one begins, is renewed and ends, and what people may do about their own. */
import { randomUUID } from 'node:crypto'
import type { z } from 'zod'
import type { ResponseOf } from '../contract/endpoint.ts'
import type { SESSION_V1 } from '../contract/sign-in.v1.ts'
import type { USERS_V1 } from '../contract/users.v1.ts'
import { digestOf } from '../domain/digest.ts'
import { ApiError } from '../domain/error.ts'
import { mintKeyString } from '../domain/keystring.ts'
import { PROOF_MS, type Session, type SignInMethod, expiryOf } from '../domain/session.ts'
import { type Passkey, type User, subjectOf } from '../domain/user.ts'
import type { SessionDraft } from '../storage/people.ts'
import type { Storage } from '../storage/storage.ts'
import { auditEntry } from './audit.ts'
import type { SignedIn } from './authenticate.ts'
import type { AnyCall, CallFacts, Handlers } from './call.ts'
import { registerPasskey, startProof, startRegistration, verifyPasskey } from './passkeys.ts'
import { assertStrongPassword, hashPassword, isPassword } from './passwords.ts'
import { countAccount, countAddress, rememberBrowser } from './throttle.ts'
import type { SignInSettings } from './sign-in.ts'

export interface PeopleContext {
  readonly storage: Storage
  readonly settings: SignInSettings
  readonly now: () => number
}

type SessionJson = z.output<(typeof SESSION_V1)['getSession']['response']>['session'] & object
type UserJson = ResponseOf<(typeof USERS_V1)['disableUser']>

const USER_AGENT_CHARS_MAX = 200

/** The row of a session to open, and its id, which goes nowhere but into the cookie. */
export function newSession(
  call: CallFacts,
  who: { readonly userUid: string; readonly method: SignInMethod; readonly passwordHash: string | null },
  nowMs: number,
): { readonly draft: SessionDraft; readonly sessionId: string } {
  const sessionId = mintKeyString('session')
  const { callerIp, userAgent } = call
  const seenAgent = (userAgent ?? '').slice(0, USER_AGENT_CHARS_MAX)
  const draft = {
    ...who,
    digest: digestOf(sessionId),
    uid: randomUUID(),
    nowMs,
    callerIp,
    userAgent: seenAgent,
  }
  return { draft, sessionId }
}

/**
 * Signs somebody in who has proven who they are: always with a new id, and whatever session the browser had before ends.
 * Throws SIGN_IN_FAILED when the account was disabled, or its password replaced, meanwhile.
 */
export async function openSession(
  context: PeopleContext,
  call: AnyCall,
  who: { readonly user: User; readonly method: SignInMethod; readonly passwordHash: string | null },
): Promise<{ readonly user: UserJson; readonly session: SessionJson }> {
  const { storage, now } = context
  const { user, method, passwordHash } = who
  const { draft, sessionId } = newSession(call, { userUid: user.uid, method, passwordHash }, now())
  const replaces = call.signedIn?.session.uid ?? null
  const audit = signInEntry(call, user, { outcome: 'SIGNED_IN', method, session: `sessions/${draft.uid}` })
  const signedIn = await storage.sessions.open(draft, replaces, audit)
  if (signedIn === null) throw signInFailed()
  return await greetBrowser(context, call, { user: signedIn, draft, sessionId })
}

/** Hands the cookies to a browser whose session was just opened. */
export async function greetBrowser(
  context: PeopleContext,
  call: CallFacts,
  opened: { readonly user: User; readonly draft: SessionDraft; readonly sessionId: string },
): Promise<{ readonly user: UserJson; readonly session: SessionJson }> {
  const { user, draft, sessionId } = opened
  call.browser.setCookie({ name: 'session', value: sessionId, maxAgeMs: null })
  await rememberBrowser({ signIns: context.storage.signIns, now: context.now }, user.uid, call.browser)
  const { nowMs } = draft
  const session = { ...draft, createTimeMs: nowMs, lastSeenTimeMs: nowMs, proofTimeMs: nowMs }
  return { user: userJson(user), session: sessionJson(session, draft.uid) }
}

/** An entry about somebody's access, made by that person. `what` says how it went: never with what they typed. */
export function signInEntry(call: AnyCall, user: User | null, what: Readonly<Record<string, unknown>>) {
  const principal = user === null ? call.principal : { subject: subjectOf(user), grants: [] }
  const resourceName = user === null ? 'users/unknown' : `users/${user.uid}`
  return auditEntry({ ...call, principal }, { resourceName, projectNumber: null, before: null, after: what })
}

/** One text for every reason, so that nobody learns who has an account. */
export function signInFailed(): ApiError {
  return new ApiError(
    'SIGN_IN_FAILED',
    'This did not sign you in: e-mail address, password or passkey is not right, or the account is disabled. An owner can make you a link.',
  )
}

/** Who is signed in; STATE_CONFLICT for bearers of tokens, which have neither sessions nor passwords. */
function requireSignedIn({ signedIn }: CallFacts): SignedIn {
  if (signedIn !== null) return signedIn
  throw new ApiError(
    'STATE_CONFLICT',
    'This is for people who signed in with a browser. A token has no session.',
  )
}

export function sessionJson(session: Session, currentUid: string | null): SessionJson {
  return {
    name: `sessions/${session.uid}`,
    method: session.method,
    createTime: time(session.createTimeMs),
    lastSeenTime: time(session.lastSeenTimeMs),
    expireTime: time(expiryOf(session)),
    proofExpireTime: time(session.proofTimeMs + PROOF_MS),
    callerIp: session.callerIp,
    userAgent: session.userAgent,
    isCurrent: session.uid === currentUid,
  }
}

export function userJson(user: User): UserJson {
  const { disabledTimeMs, lastSignInTimeMs } = user
  const state = disabledTimeMs !== null ? 'DISABLED' : lastSignInTimeMs === null ? 'INVITED' : 'ACTIVE'
  return {
    name: `users/${user.uid}`,
    email: user.email,
    displayName: user.displayName,
    subject: subjectOf(user),
    state,
    hasPassword: user.hasPassword,
    ...(user.identityRoles.length === 0 ? {} : { issuerRoles: [...user.identityRoles] }),
    createTime: time(user.createTimeMs),
    ...(lastSignInTimeMs === null ? {} : { lastSignInTime: time(lastSignInTimeMs) }),
  }
}

function passkeyJson({ id, displayName, createTimeMs, lastUseTimeMs }: Passkey) {
  return {
    name: `passkeys/${id}`,
    displayName,
    createTime: time(createTimeMs),
    ...(lastUseTimeMs === null ? {} : { lastUseTime: time(lastUseTimeMs) }),
  }
}

export function time(ms: number): string {
  return new Date(ms).toISOString()
}

export function sessionHandlers(context: PeopleContext): Handlers<typeof SESSION_V1> {
  const { storage } = context
  return {
    async getSession({ principal: { subject }, signedIn }) {
      if (signedIn === null) return { subject }
      const { user, session } = signedIn
      return { subject, user: userJson(user), session: sessionJson(session, session.uid) }
    },
    async signOut(call) {
      const { user, session } = requireSignedIn(call)
      const entry = signInEntry(call, user, { outcome: 'SIGNED_OUT', session: `sessions/${session.uid}` })
      await storage.sessions.end({ userUid: user.uid, uid: session.uid }, entry)
      call.browser.setCookie({ name: 'session', value: null, maxAgeMs: null })
      return {}
    },
    startProof: call => startProof(context, call, requireSignedIn(call)),
    prove: call => prove(context, call, call.body),
    async listSessions(call) {
      const { user, session } = requireSignedIn(call)
      const live = (await storage.sessions.list(user.uid)).filter(item => context.now() < expiryOf(item))
      return { sessions: live.map(item => sessionJson(item, session.uid)) }
    },
    async endSession(call) {
      const { user } = requireSignedIn(call)
      const entry = signInEntry(call, user, { outcome: 'ENDED', session: `sessions/${call.params.session}` })
      const ended = await storage.sessions.end({ userUid: user.uid, uid: call.params.session }, entry)
      if (ended > 0) return {}
      throw new ApiError('RESOURCE_NOT_FOUND', 'You have no such session. List your sessions to see all.')
    },
    ...credentialHandlers(context),
  }
}

type CredentialMethods =
  | 'changePassword'
  | 'listPasskeys'
  | 'startNewPasskey'
  | 'createPasskey'
  | 'deletePasskey'

function credentialHandlers(context: PeopleContext): Pick<Handlers<typeof SESSION_V1>, CredentialMethods> {
  const { storage } = context
  return {
    async changePassword(call) {
      const { user, session } = requireSignedIn(call)
      refuseBesideOidc(context)
      await assertStrongPassword(call.body.password, [user.email, user.displayName])
      const change = { passwordHash: await hashPassword(call.body.password), keepSessionUid: session.uid }
      await storage.users.setPassword(
        user.uid,
        change,
        signInEntry(call, user, { outcome: 'PASSWORD_CHANGED' }),
      )
      return {}
    },
    async listPasskeys(call) {
      const { user } = requireSignedIn(call)
      return { passkeys: (await storage.passkeys.list(user.uid)).map(passkeyJson) }
    },
    async startNewPasskey(call) {
      const { user, session } = requireSignedIn(call)
      refuseBesideOidc(context)
      return await startRegistration(context, call, { user, holder: session.uid })
    },
    async createPasskey(call) {
      const { user, session } = requireSignedIn(call)
      refuseBesideOidc(context)
      const passkey = await registerPasskey(context, call, { answer: call.body.passkey, holder: session.uid })
      const { id, displayName } = passkey
      await storage.passkeys.add(passkey, signInEntry(call, user, { passkey: `passkeys/${id}`, displayName }))
      return passkeyJson(passkey)
    },
    async deletePasskey(call) {
      const { user } = requireSignedIn(call)
      const { passkey } = call.params
      await storage.passkeys.remove(
        user.uid,
        passkey,
        signInEntry(call, user, { passkey: `passkeys/${passkey}` }),
      )
      return {}
    },
  }
}

/** Where the issuer is the only way in, nobody gets another one. */
export function refuseBesideOidc({ settings }: PeopleContext): void {
  if (settings.oidc?.isOnlyWay !== true) return
  throw new ApiError('STATE_CONFLICT', 'People sign in at the OpenID Connect issuer only (POLLUX_OIDC_ONLY).')
}

type ProveCall = AnyCall & Parameters<Handlers<typeof SESSION_V1>['prove']>[0]

/** A right answer makes the proof fresh and gives the session a new id; a wrong one counts as a failed sign-in. */
async function prove(
  context: PeopleContext,
  call: ProveCall,
  { password, passkey }: ProveCall['body'],
): Promise<ResponseOf<(typeof SESSION_V1)['prove']>> {
  const { storage, now } = context
  const signedIn = requireSignedIn(call)
  const { user, session } = signedIn
  refuseBesideOidc(context)
  const throttle = { signIns: storage.signIns, now }
  await countAddress(throttle, call.callerIp)
  const forget = await countAccount(throttle, { email: user.email, userUid: user.uid, browser: call.browser })
  const isProven =
    passkey === undefined
      ? await isPassword(password ?? '', await storage.users.passwordHashOf(user.uid))
      : (await verifyPasskey(context, call, { answer: passkey, holder: session.uid })) === user.uid
  if (!isProven) {
    await storage.audit.append(
      signInEntry(call, user, { outcome: 'REFUSED', session: `sessions/${session.uid}` }),
    )
    throw signInFailed()
  }
  await forget()
  return await renewSession(context, call, signedIn)
}

/** A fresh proof, and with it a new id: what was seen of the old one is worth nothing any more. */
export async function renewSession(
  { storage, now }: PeopleContext,
  call: AnyCall,
  { user, session }: SignedIn,
): Promise<ResponseOf<(typeof SESSION_V1)['prove']>> {
  const sessionId = mintKeyString('session')
  const nowMs = now()
  const entry = signInEntry(call, user, { outcome: 'PROVEN', session: `sessions/${session.uid}` })
  const isThere = await storage.sessions.renew(
    { uid: session.uid, digest: digestOf(sessionId), nowMs },
    entry,
  )
  if (!isThere) throw new ApiError('SESSION_ENDED', 'The session has ended. Sign in again.')
  call.browser.setCookie({ name: 'session', value: sessionId, maxAgeMs: null })
  const renewed = { ...session, lastSeenTimeMs: nowMs, proofTimeMs: nowMs }
  return { user: userJson(user), session: sessionJson(renewed, session.uid) }
}
