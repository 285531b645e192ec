/** Passkeys (WebAuthn level 3): what the browser is asked to sign, and whether it did. User verification is required. */
import { isIP } from 'node:net'
import type { AuthenticationResponseJSON, RegistrationResponseJSON } from '@simplewebauthn/server'
import { digestOf } from '../domain/digest.ts'
import { ApiError } from '../domain/error.ts'
import type { Passkey } from '../domain/user.ts'
import type { UserDraft } from '../storage/people.ts'
import type { SignedIn } from './authenticate.ts'
import type { Door } from './browser.ts'
import type { CallFacts } from './call.ts'
import type { PeopleContext } from './sessions.ts'

const CHALLENGE_MS = 5 * 60_000
const NAME_CHARS_MAX = 60
/** EdDSA, ES256, RS256 (COSE): what authenticators have. The library would try what is experimental in Node as well. */
const ALGORITHMS = [-8, -7, -257]

/** What comes back from the browser. Its parts are judged by the library, not by the contract. */
export interface PasskeyAnswer {
  readonly challengeId: string
  readonly credential: Readonly<Record<string, unknown>>
  readonly displayName?: string | undefined
}

interface Asked {
  readonly challenge: string
  /** Whose answer it may be: a session, a link; empty for whoever signs in. */
  readonly holder: string
  readonly userUid: string
  readonly origin: string
}

/** Read when the first passkey is asked for: a start without them is faster. */
const webauthn = () => import('@simplewebauthn/server')

interface PasskeyOptionsJson {
  readonly challengeId: string
  readonly options: Record<string, unknown>
}

/** A passkey belongs to a host name: browsers make none for an address. */
export function hasPasskeys({ kind, origin }: Door): boolean {
  if (kind === 'plain') return false
  const { hostname } = new URL(origin)
  return isIP(hostname.replaceAll(/[[\]]/g, '')) === 0
}

/** Begins a sign-in: the browser offers the passkeys it has, and nothing says whose exist. */
export async function startSignIn(context: PeopleContext, call: CallFacts): Promise<PasskeyOptionsJson> {
  const options = await (
    await webauthn()
  ).generateAuthenticationOptions({
    rpID: hostOf(call),
    userVerification: 'required',
    timeout: CHALLENGE_MS,
  })
  return await ask(context, call, { kind: 'passkeySignIn', options, holder: '', userUid: '' })
}

/** Begins a fresh proof of who is signed in. */
export async function startProof(
  context: PeopleContext,
  call: CallFacts,
  { user, session }: SignedIn,
): Promise<PasskeyOptionsJson> {
  const passkeys = await context.storage.passkeys.list(user.uid)
  if (passkeys.length === 0) throw new ApiError('STATE_CONFLICT', 'You have no passkey. Use your password.')
  const options = await (
    await webauthn()
  ).generateAuthenticationOptions({
    rpID: hostOf(call),
    userVerification: 'required',
    timeout: CHALLENGE_MS,
    allowCredentials: passkeys.map(({ id, transports }) => ({ id, transports: [...transports] })),
  })
  return await ask(context, call, { kind: 'passkeySignIn', options, holder: session.uid, userUid: user.uid })
}

/** Begins to register a passkey. `holder` names the session or link that has to bring the answer. */
export async function startRegistration(
  context: PeopleContext,
  call: CallFacts,
  { user, holder }: { readonly user: UserDraft; readonly holder: string },
): Promise<PasskeyOptionsJson> {
  const present = await context.storage.passkeys.list(user.uid)
  const options = await (
    await webauthn()
  ).generateRegistrationOptions({
    rpName: 'Pollux',
    rpID: hostOf(call),
    userID: new TextEncoder().encode(user.uid),
    userName: user.email,
    userDisplayName: user.displayName,
    timeout: CHALLENGE_MS,
    attestationType: 'none',
    supportedAlgorithmIDs: ALGORITHMS,
    excludeCredentials: present.map(({ id, transports }) => ({ id, transports: [...transports] })),
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
  })
  return await ask(context, call, { kind: 'passkeyNew', options, holder, userUid: user.uid })
}

/** The new passkey. Throws SIGN_IN_FAILED when the answer is none to what this holder was asked. */
export async function registerPasskey(
  context: PeopleContext,
  call: CallFacts,
  { answer, holder }: { readonly answer: PasskeyAnswer; readonly holder: string },
): Promise<Passkey> {
  const asked = await takeAsked(context, call, { kind: 'passkeyNew', answer, holder })
  if (asked === null) throw refused()
  try {
    const { verified, registrationInfo } = await (
      await webauthn()
    ).verifyRegistrationResponse({
      response: answer.credential as unknown as RegistrationResponseJSON,
      ...expectedOf(asked),
      supportedAlgorithmIDs: ALGORITHMS,
    })
    if (!verified) throw refused()
    const { credential } = registrationInfo
    return {
      id: credential.id,
      userUid: asked.userUid,
      displayName: (answer.displayName?.trim() ?? '').slice(0, NAME_CHARS_MAX) || 'Passkey',
      publicKey: Buffer.from(credential.publicKey).toString('base64url'),
      counter: credential.counter,
      transports: credential.transports ?? [],
      createTimeMs: context.now(),
      lastUseTimeMs: null,
    }
  } catch (cause) {
    throw cause instanceof ApiError ? cause : refused(cause)
  }
}

/** The uid of the person whose passkey answered; null when the answer is none to what this holder was asked. */
export async function verifyPasskey(
  context: PeopleContext,
  call: CallFacts,
  { answer, holder }: { readonly answer: PasskeyAnswer; readonly holder: string },
): Promise<string | null> {
  const { storage, now } = context
  const asked = await takeAsked(context, call, { kind: 'passkeySignIn', answer, holder })
  if (asked === null) return null
  const { id } = answer.credential
  const passkey = typeof id === 'string' ? await storage.passkeys.find(id) : null
  if (passkey === null) return null
  try {
    const { verified, authenticationInfo } = await (
      await webauthn()
    ).verifyAuthenticationResponse({
      response: answer.credential as unknown as AuthenticationResponseJSON,
      ...expectedOf(asked),
      credential: {
        id: passkey.id,
        publicKey: new Uint8Array(Buffer.from(passkey.publicKey, 'base64url')),
        counter: passkey.counter,
      },
    })
    if (!verified) return null
    const use = { counter: authenticationInfo.newCounter, nowMs: now() }
    return (await storage.passkeys.used(passkey.id, use)) ? passkey.userUid : null
  } catch (cause) {
    // The library throws for whatever does not match; what is broken elsewhere stays an error.
    if (cause instanceof ApiError) throw cause
    return null
  }
}

function hostOf({ browser: { door } }: CallFacts): string {
  if (hasPasskeys(door)) return new URL(door.origin).hostname
  throw new ApiError(
    'SIGN_IN_DOOR_REFUSED',
    'Browsers make passkeys for host names behind https, or for http://localhost. Open Pollux by such a name.',
  )
}

async function ask(
  { storage, now }: PeopleContext,
  { browser: { door } }: CallFacts,
  question: {
    readonly kind: string
    readonly options: { readonly challenge: string }
    readonly holder: string
    readonly userUid: string
  },
): Promise<PasskeyOptionsJson> {
  const { kind, options, holder, userUid } = question
  const challengeId = Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString('base64url')
  const asked: Asked = { challenge: options.challenge, holder, userUid, origin: door.origin }
  const nowMs = now()
  await storage.signIns.putChallenge(
    {
      digest: digestOf(challengeId),
      kind,
      content: JSON.stringify(asked),
      expireTimeMs: nowMs + CHALLENGE_MS,
    },
    nowMs,
  )
  return { challengeId, options: { ...options } }
}

/** The question this is the answer to, once; null when there is none of this kind for this holder and origin. */
async function takeAsked(
  { storage, now }: PeopleContext,
  call: CallFacts,
  {
    kind,
    answer,
    holder,
  }: { readonly kind: string; readonly answer: PasskeyAnswer; readonly holder: string },
): Promise<Asked | null> {
  const digest = digestOf(answer.challengeId)
  const content = await storage.signIns.takeChallenge({ digest, kind }, now())
  if (content === null) return null
  const asked = JSON.parse(content) as Asked
  return asked.holder === holder && asked.origin === call.browser.door.origin ? asked : null
}

/** What the library compares an answer with. */
function expectedOf({ challenge, origin }: Asked) {
  return {
    expectedChallenge: challenge,
    expectedOrigin: origin,
    expectedRPID: new URL(origin).hostname,
    requireUserVerification: true,
  }
}

function refused(cause?: unknown): ApiError {
  return new ApiError(
    'SIGN_IN_FAILED',
    'The passkey was not registered: the answer does not fit the question, or came too late. Try again.',
    { cause },
  )
}
