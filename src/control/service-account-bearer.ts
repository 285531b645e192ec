/** Service accounts at the door: their tokens, and the JWTs that Google's clients sign with a key file (AIP-4111). */
import { decodeProtectedHeader, importSPKI, jwtVerify } from 'jose'
import { ApiError } from '../domain/error.ts'
import { type Limits, type Principal, readingPermissions } from '../domain/permission.ts'
import { accountSubject } from '../domain/service-account.ts'
import type { Presented, ServiceAccountStore } from '../storage/access.ts'
import type { ControlLog } from './jobs.ts'

export interface CredentialSource {
  readonly serviceAccounts: ServiceAccountStore
  /** Where this Pollux is reached. */
  readonly origins: () => readonly string[]
  readonly now: () => number
  readonly log: ControlLog
}

const JWT = /^[\w-]{2,2048}\.[\w-]{2,4096}\.[\w-]{2,2048}$/
const KEY_ID = /^[0-9a-f]{40}$/
/** Google's limit for what its clients sign. */
const LIFETIME_MAX_S = 3_600
const SKEW_S = 30
const USE_STEP_MS = 60_000

const FULL_SCOPE = 'https://www.googleapis.com/auth/cloud-platform'
const READ_SCOPE = 'https://www.googleapis.com/auth/cloud-platform.read-only'
/** What Google's clients sign for where they believe to speak to Google. Only this Pollux trusts its key pairs. */
const GOOGLE_ORIGINS = ['https://apikeys.googleapis.com', 'https://cloudresourcemanager.googleapis.com']

/** Whether a bearer has the form of a JWT in compact serialization. */
export function isJwt(token: string): boolean {
  return JWT.test(token)
}

/** The account of a `plx_pat_` token, narrowed as the token is; null when there is none. ACCESS_TOKEN_INVALID says why else. */
export async function principalOfToken(digest: string, source: CredentialSource): Promise<Principal | null> {
  const presented = await source.serviceAccounts.findByToken(digest)
  if (presented === null) return null
  const { credential } = presented
  assertUsable(presented, source.now())
  noteUse(source, { kind: 'token', id: credential.uid, lastUsedTimeMs: credential.lastUsedTimeMs })
  return principalOf(presented, credential.limits)
}

/**
 * The account that signed a JWT with a key of this Pollux. The algorithm is RS256 and nothing else, whatever the header says;
 * the key is the one that `kid` names, which belongs to one account. Throws ACCESS_TOKEN_INVALID.
 */
export async function principalOfJwt(jwt: string, source: CredentialSource): Promise<Principal> {
  const presented = await source.serviceAccounts.findByKey(keyIdOf(jwt))
  if (presented === null) throw refused('the key that signed it is unknown here, or was deleted')
  const nowMs = source.now()
  const { credential } = presented
  const claims = await verifiedClaims(jwt, presented, nowMs)
  assertUsable(presented, nowMs)
  const { iat, exp, aud, scope } = claims
  if (iat === undefined || exp === undefined || exp - iat > LIFETIME_MAX_S) {
    throw refused('it must have iat and exp, at most an hour apart')
  }
  const limits = limitsOf({ aud, scope }, source.origins())
  noteUse(source, { kind: 'key', id: credential.keyId, lastUsedTimeMs: credential.lastUsedTimeMs })
  return limits === null ? principalOf(presented) : principalOf(presented, limits)
}

function keyIdOf(jwt: string): string {
  let header: ReturnType<typeof decodeProtectedHeader>
  try {
    header = decodeProtectedHeader(jwt)
  } catch {
    throw refused('its header is no JSON')
  }
  const { alg, kid, typ } = header
  if (alg !== 'RS256') throw refused('it must be signed with RS256')
  if (typ !== undefined && typ !== 'JWT') throw refused('its type must be JWT')
  if (kid === undefined || !KEY_ID.test(kid))
    throw refused('its header must name the key (kid) of the key file')
  return kid
}

async function verifiedClaims(
  jwt: string,
  { account, credential }: Presented<{ readonly publicKey: string }>,
  nowMs: number,
) {
  const key = await importSPKI(credential.publicKey, 'RS256')
  try {
    const { payload } = await jwtVerify(jwt, key, {
      algorithms: ['RS256'],
      issuer: account.email,
      subject: account.email,
      requiredClaims: ['iat', 'exp'],
      currentDate: new Date(nowMs),
      clockTolerance: SKEW_S,
      // Also refuses what was issued in the future.
      maxTokenAge: LIFETIME_MAX_S,
    })
    return payload
  } catch (cause) {
    throw refused('its signature, issuer, subject or times are not right', cause)
  }
}

/** What audience and scopes leave of the account; null: all of it. At least one of the two must be there, and right. */
function limitsOf(
  { aud, scope }: { readonly aud: unknown; readonly scope: unknown },
  origins: readonly string[],
): Limits | null {
  if (aud !== undefined) {
    const audience = typeof aud === 'string' && URL.canParse(aud) ? new URL(aud).origin : null
    if (audience === null || ![...GOOGLE_ORIGINS, ...origins].includes(audience)) {
      throw refused('it is meant for another audience (aud)')
    }
    if (scope === undefined) return null
  }
  const scopes = typeof scope === 'string' ? scope.split(' ') : []
  if (scopes.includes(FULL_SCOPE)) return null
  if (scopes.includes(READ_SCOPE)) return { permissions: readingPermissions(), project: null }
  throw refused(`its scope must hold ${FULL_SCOPE}`)
}

function assertUsable(
  { account, credential, isProjectDeleted }: Presented<{ readonly expireTimeMs: number }>,
  nowMs: number,
): void {
  if (account.disabledTimeMs !== null) throw refused('its service account is disabled')
  if (isProjectDeleted) throw refused('the project of its service account is deleted')
  if (credential.expireTimeMs <= nowMs) throw refused('the token, or the key that signed it, has expired')
}

function principalOf({ account, grants }: Presented<unknown>, limits?: Limits): Principal {
  const isNarrow = limits !== undefined && (limits.permissions !== null || limits.project !== null)
  return { subject: accountSubject(account), grants, ...(isNarrow ? { limits } : {}) }
}

/** The time of the last use is for people: a request does not wait for it, and is not refused when it cannot be stored. */
function noteUse(
  { serviceAccounts, now, log }: CredentialSource,
  used: { readonly kind: 'token' | 'key'; readonly id: string; readonly lastUsedTimeMs: number | null },
): void {
  if (used.lastUsedTimeMs !== null && used.lastUsedTimeMs > now() - USE_STEP_MS) return
  serviceAccounts.noteUse(used.kind, used.id).catch((err: unknown) => {
    log.error({ err }, 'the last use of a service account could not be stored')
  })
}

function refused(why: string, cause?: unknown): ApiError {
  return new ApiError(
    'ACCESS_TOKEN_INVALID',
    `The bearer token of a service account was refused: ${why}.`,
    cause === undefined ? {} : { cause },
  )
}
