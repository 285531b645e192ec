import { timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { digestOf } from '../domain/digest.ts'
import { ApiError } from '../domain/error.ts'
import { isKeyString } from '../domain/keystring.ts'
import { ORGANIZATION_OWNER, type Principal } from '../domain/permission.ts'
import type { TokenStore } from '../storage/storage.ts'
import { type CredentialSource, isJwt, principalOfJwt, principalOfToken } from './service-account-bearer.ts'

/** Where the bearer of POLLUX_ADMIN_TOKEN appears in audit entries. */
const ADMIN: Principal = { subject: 'tokens/admin', grants: ORGANIZATION_OWNER }

const BEARER = /^Bearer +([A-Za-z0-9\-._~+/]+=*)$/i

export interface TokenSource extends CredentialSource {
  readonly tokens: TokenStore
  /** SHA-256 of the admin token, lower-case hexadecimal; null when none is configured. */
  readonly adminTokenDigest: string | null
}

/**
 * Who makes a management request, by its bearer token alone: of the machine, of a service account, or signed by one. Throws ACCESS_TOKEN_MISSING when there is none and
 * ACCESS_TOKEN_INVALID when it is unknown; API keys, wherever they travel, authenticate nobody here.
 */
export async function authenticate(
  request: { readonly headers: IncomingHttpHeaders; readonly url?: string | undefined },
  source: TokenSource,
): Promise<Principal> {
  const { tokens, adminTokenDigest } = source
  const { authorization } = request.headers
  if (authorization === undefined) throw missing(carriesApiKey(request))
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
    `${why} Send a management token as: Authorization: Bearer TOKEN.`,
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
