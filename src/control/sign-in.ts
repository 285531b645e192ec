/** Signing in: with a password, a passkey, at an issuer, or by a link. Every answer and every refusal leaves an entry. */
import { randomUUID } from 'node:crypto'
import type { SIGN_IN_V1 } from '../contract/sign-in.v1.ts'
import { ApiError } from '../domain/error.ts'
import { rolesOfIdentity } from '../domain/identity-roles.ts'
import { type User, canonicalEmail, displayNameOf } from '../domain/user.ts'
import { doorRefusal } from './browser.ts'
import type { AnyCall, Handlers } from './call.ts'
import { linkHandlers } from './links.ts'
import { type Identity, type OidcContext, type OidcSettings, finishFlow, startFlow } from './oidc.ts'
import { hasPasskeys, startSignIn, verifyPasskey } from './passkeys.ts'
import { isPassword } from './passwords.ts'
import {
  type PeopleContext,
  openSession,
  refuseBesideOidc,
  renewSession,
  signInEntry,
  signInFailed,
} from './sessions.ts'
import { Throttled, countAccount, countAddress } from './throttle.ts'

export interface SignInSettings {
  /** What browsers see; null: what `Host` says. */
  readonly publicOrigin: string | null
  /** Where links lead when nobody's browser asks for them: an address of this server that a browser reaches. */
  readonly linkOrigin: string
  readonly allowsPlainSignIn: boolean
  readonly oidc: OidcSettings | null
}

export const NO_SIGN_IN: SignInSettings = {
  publicOrigin: null,
  linkOrigin: 'http://localhost',
  allowsPlainSignIn: false,
  oidc: null,
}

export function signInHandlers(context: PeopleContext): Handlers<typeof SIGN_IN_V1> {
  const { storage, settings } = context
  return {
    ...linkHandlers(context),
    async getSignIn({ browser: { door } }) {
      const { oidc } = settings
      const refusal = doorRefusal(door, settings.allowsPlainSignIn)
      const own = [...(hasPasskeys(door) ? (['PASSKEY'] as const) : []), 'PASSWORD' as const]
      return {
        isSetUp: await storage.users.hasAny(),
        methods: [...(oidc === null ? [] : (['OIDC'] as const)), ...(oidc?.isOnlyWay === true ? [] : own)],
        ...(oidc === null ? {} : { issuer: new URL(oidc.issuer).host }),
        ...(refusal === null ? {} : { refusal }),
      }
    },
    signInWithPassword: call => trailed(context, call, () => withPassword(context, call, call.body)),
    async startPasskey(call) {
      refuseBesideOidc(context)
      await countAddress(throttleOf(context), call.callerIp)
      return await startSignIn(context, call)
    },
    signInWithPasskey: call =>
      trailed(context, call, async () => {
        refuseBesideOidc(context)
        await countAddress(throttleOf(context), call.callerIp)
        const userUid = await verifyPasskey(context, call, { answer: call.body.passkey, holder: '' })
        const user = userUid === null ? null : await storage.users.find(userUid)
        if (user === null || user.disabledTimeMs !== null) throw new Refused(user)
        return await openSession(context, call, { user, method: 'passkey', passwordHash: null })
      }),
    async startOidc(call) {
      await countAddress(throttleOf(context), call.callerIp)
      const holder = call.signedIn?.session.uid ?? ''
      return { authorizationUri: await startFlow(requireOidc(context), call.browser, holder) }
    },
    finishOidc: call => trailed(context, call, () => withOidc(context, call, call.body.parameters)),
  }
}

type SignedInReply = Awaited<ReturnType<typeof openSession>>

/** A sign-in that was refused; `user` is whose account was tried, for the audit trail only. */
class Refused extends Error {
  readonly user: User | null

  constructor(user: User | null) {
    super('sign-in refused')
    this.user = user
  }
}

/** Runs a sign-in, and writes down when it is refused. Of throttled ones, the first of their span. */
async function trailed(
  { storage }: PeopleContext,
  call: AnyCall,
  signIn: () => Promise<SignedInReply>,
): Promise<SignedInReply> {
  try {
    return await signIn()
  } catch (error) {
    if (error instanceof Refused) {
      // The caller is still a stranger: the account stands in the resource name, not as who did it.
      const entry = signInEntry(call, null, { outcome: 'REFUSED' })
      const resourceName = error.user === null ? entry.resourceName : `users/${error.user.uid}`
      await storage.audit.append({ ...entry, resourceName })
      throw signInFailed()
    }
    if (error instanceof Throttled && error.isFirst) {
      await storage.audit.append(signInEntry(call, null, { outcome: 'THROTTLED' }))
    }
    throw error
  }
}

async function withPassword(
  context: PeopleContext,
  call: AnyCall,
  { email, password }: { readonly email: string; readonly password: string },
): Promise<SignedInReply> {
  const { storage } = context
  refuseBesideOidc(context)
  const throttle = throttleOf(context)
  await countAddress(throttle, call.callerIp)
  const address = canonicalEmail(email)
  const user = await storage.users.find(address)
  const account = { email: address, userUid: user?.uid ?? null, browser: call.browser }
  const forget = await countAccount(throttle, account)
  const passwordHash = await storage.users.passwordHashOf(user?.uid ?? '')
  const isRight = await isPassword(password, passwordHash)
  if (!isRight || user === null || user.disabledTimeMs !== null) throw new Refused(user)
  await forget()
  return await openSession(context, call, { user, method: 'password', passwordHash })
}

async function withOidc(context: PeopleContext, call: AnyCall, parameters: string): Promise<SignedInReply> {
  await countAddress(throttleOf(context), call.callerIp)
  const oidc = requireOidc(context)
  const identity = await finishFlow(oidc, call.browser, parameters)
  if (identity === null) throw new Refused(null)
  const user = await admitted(context, oidc, identity)
  if (user === null || user.disabledTimeMs !== null) throw new Refused(user)
  if (identity.holder === '') {
    return await openSession(context, call, { user, method: 'oidc', passwordHash: null })
  }
  const { signedIn } = call
  if (signedIn?.session.uid !== identity.holder || signedIn.user.uid !== user.uid) throw new Refused(user)
  return await renewSession(context, call, signedIn)
}

async function admitted(
  { storage }: PeopleContext,
  { oidc }: OidcContext,
  { identity, email, displayName, groups }: Identity,
): Promise<User | null> {
  const address = canonicalEmail(email)
  const roles = rolesOfIdentity(oidc.rules, { email: address, groups })
  const name = displayNameOf(displayName.slice(0, 100))
  try {
    return await storage.users.admitIdentity({
      uid: randomUUID(),
      email: address,
      displayName: name,
      identity,
      roles,
    })
  } catch (error) {
    // The address has the account of another subject: whoever has it now is somebody else.
    if (error instanceof ApiError && error.reason === 'ALREADY_EXISTS') return null
    throw error
  }
}

function requireOidc({ settings, storage, now }: PeopleContext): OidcContext {
  if (settings.oidc !== null) return { oidc: settings.oidc, signIns: storage.signIns, now }
  throw new ApiError(
    'STATE_CONFLICT',
    'No OpenID Connect issuer is configured. Set POLLUX_OIDC_ISSUER and what belongs to it.',
  )
}

function throttleOf({ storage, now }: PeopleContext) {
  return { signIns: storage.signIns, now }
}
