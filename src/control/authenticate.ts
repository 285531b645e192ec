import { timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { digestOf } from '../domain/digest.ts'
import { ApiError } from '../domain/error.ts'
import { isKeyString } from '../domain/keystring.ts'
import { ORGANIZATION_OWNER, type Principal, isRole } from '../domain/permission.ts'
import { AUTOMATIC_HEADER, SEEN_EVERY_MS, type Session, isLive } from '../domain/session.ts'
import { type User, subjectOf } from '../domain/user.ts'
import type { SessionStore } from '../storage/people.ts'
import type { IamStore } from '../storage/access.ts'
import type { TokenStore } from '../storage/storage.ts'
import type { Browser } from './browser.ts'
import { type CredentialSource, isJwt, principalOfJwt, principalOfToken } from './service-account-bearer.ts'

/** Where the bearer of POLLUX_ADMIN_TOKEN appears in audit entries. */
const ADMIN: Principal = { subject: 'tokens/admin', grants: ORGANIZATION_OWNER }

const STRANGER: Principal = { subject: 'anonymous', grants: [] }

/** Who makes a request. */
export interface Caller {
  readonly principal: Principal
  /** Null for bearers of tokens and for strangers. */
  readonly signedIn: SignedIn | null
}

export interface SignedIn {
  readonly user: User
  readonly session: Session
}

const BEARER = /^Bearer +([A-Za-z0-9\-._~+/]+=*)$/i

export interface TokenSource extends CredentialSource {
  readonly tokens: TokenStore
  readonly sessions: SessionStore
  readonly iam: IamStore
  /** SHA-256 of the admin token, lower-case hexadecimal; null when none is configured. */
  readonly adminTokenDigest: string | null
}

/**
 * Who makes a management request: by its bearer token, or else by its session cookie. Throws ACCESS_TOKEN_INVALID when the
 * token is unknown; without either, ACCESS_TOKEN_MISSING, or SESSION_ENDED when the cookie says nothing any more, unless
 * strangers may come in (`isOpen`). API keys, wherever they travel, authenticate nobody here.
 */
export async function authenticate(
  request: {
    readonly headers: IncomingHttpHeaders
    readonly url?: string | undefined
    readonly browser: Browser
    readonly isOpen: boolean
  },
  source: TokenSource,
): Promise<Caller> {
  const { authorization } = request.headers
  if (authorization !== undefined) {
    return { principal: await bearerOf(authorization, source), signedIn: null }
  }
  const cookie = request.browser.cookie('session')
  const isUse = request.headers[AUTOMATIC_HEADER] !== '1'
  const signedIn = cookie === null ? null : await signedInBy(cookie, isUse, source)
  if (signedIn !== null) return { principal: await principalOf(signedIn.user, source.iam), signedIn }
  if (request.isOpen) return { principal: STRANGER, signedIn: null }
  if (cookie !== null) throw new ApiError('SESSION_ENDED', 'The session has ended. Sign in again.')
  throw missing(carriesApiKey(request))
}

/** What somebody who signed in may do: the roles that are bound to them, and at the organization those of the issuer's claims. */
export async function principalOf(user: User, iam: IamStore): Promise<Principal> {
  const subject = subjectOf(user)
  const claimed = user.identityRoles.filter(isRole).map(role => ({ role, project: null }))
  return { subject, grants: [...(await iam.grantsOf(subject)), ...claimed] }
}

async function signedInBy(
  cookie: string,
  isUse: boolean,
  { sessions, now }: TokenSource,
): Promise<SignedIn | null> {
  if (!isKeyString(cookie, 'session')) return null
  const found = await sessions.find(digestOf(cookie))
  const nowMs = now()
  if (found === null || !isLive(found.session, nowMs)) return null
  // On a full disk people still look and revoke: a session that cannot be noted as seen only ends earlier.
  const { uid, lastSeenTimeMs } = found.session
  if (isUse && nowMs >= lastSeenTimeMs + SEEN_EVERY_MS) await sessions.seen(uid, nowMs).catch(() => {})
  return found
}

/** Of the machine, of a service account, or signed by one. Throws ACCESS_TOKEN_INVALID. */
async function bearerOf(authorization: string, source: TokenSource): Promise<Principal> {
  const { tokens, adminTokenDigest } = source
  const token = BEARER.exec(authorization)?.[1]
  if (token === undefined) {
    throw new ApiError(
      'ACCESS_TOKEN_INVALID',
      'The Authorization header must read: Bearer, a space, the token.',
    )
  }
  if (token.startsWith('plx_') && !token.startsWith('plx_pat_')) {
    throw new ApiError(
      'ACCESS_TOKEN_INVALID',
      'The bearer is an API key. API keys call models and cannot manage anything; send a management token.',
    )
  }
  const digest = digestOf(token)
  if (adminTokenDigest !== null && isSame(digest, adminTokenDigest)) return ADMIN
  if (isJwt(token)) return await principalOfJwt(token, source)
  const principal = isKeyString(token, 'token')
    ? ((await tokens.findByDigest(digest)) ?? (await principalOfToken(digest, source)))
    : null
  if (principal === null) {
    throw new ApiError(
      'ACCESS_TOKEN_INVALID',
      'The bearer token is unknown or was replaced. Send a current one.',
    )
  }
  return principal
}

function isSame(digest: string, other: string): boolean {
  const [left, right] = [Buffer.from(digest, 'hex'), Buffer.from(other, 'hex')]
  return left.length === right.length && timingSafeEqual(left, right)
}

function missing(hasApiKey: boolean): ApiError {
  const why = hasApiKey
    ? 'The request carries only an API key. API keys call models and cannot manage anything.'
    : 'The request carries no credential.'
  return new ApiError(
    'ACCESS_TOKEN_MISSING',
    `${why} Send a management token as: Authorization: Bearer TOKEN. People sign in with a browser.`,
  )
}

function carriesApiKey({
  headers,
  url = '',
}: {
  headers: IncomingHttpHeaders
  url?: string | undefined
}): boolean {
  return headers['x-goog-api-key'] !== undefined || /[?&]key=/.test(url)
}
