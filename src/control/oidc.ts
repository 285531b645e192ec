/** Signing in at an OpenID Connect issuer: code flow with PKCE, state and nonce (OpenID Connect Core 3.1, RFC 9700). */
import * as oauth from 'oauth4webapi'
import { digestOf } from '../domain/digest.ts'
import { ApiError } from '../domain/error.ts'
import type { IdentityRule } from '../domain/identity-roles.ts'
import type { SignInStore } from '../storage/people.ts'
import type { Browser } from './browser.ts'

export interface OidcSettings {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  readonly rules: readonly IdentityRule[]
  /** No passwords and no passkeys. */
  readonly isOnlyWay: boolean
}

export interface OidcContext {
  readonly oidc: OidcSettings
  readonly signIns: SignInStore
  readonly now: () => number
}

/** What the issuer vouches for. */
export interface Identity {
  /** `ISSUER SUBJECT`: e-mail addresses change hands, subjects do not. */
  readonly identity: string
  /** Verified by the issuer. */
  readonly email: string
  readonly displayName: string
  readonly groups: readonly string[]
  /** When the person last proved themselves there, epoch ms; null when the issuer does not say. */
  readonly authTimeMs: number | null
  /** The session that asked for a fresh proof; empty for a sign-in. */
  readonly holder: string
}

interface Flow {
  readonly state: string
  readonly nonce: string
  readonly codeVerifier: string
  readonly redirectUri: string
  readonly holder: string
}

/** Where the issuer sends browsers back to: a page of the console, which posts what it got. */
const CALLBACK_PATH = '/sign-in/callback'
const FLOW_MS = 10 * 60_000
const FETCH_TIMEOUT_MS = 10_000
const METADATA_MS = 3_600_000

/** Begins a flow, bound to this browser by a cookie. `holder`: the session that needs a fresh proof, else empty. */
export async function startFlow(context: OidcContext, browser: Browser, holder: string): Promise<string> {
  const { oidc, signIns, now } = context
  const server = await issuerOf(oidc)
  if (server.authorization_endpoint === undefined) throw unavailable('it names no authorization endpoint')
  const flowId = oauth.generateRandomState()
  const flow: Flow = {
    state: oauth.generateRandomState(),
    nonce: oauth.generateRandomNonce(),
    codeVerifier: oauth.generateRandomCodeVerifier(),
    redirectUri: `${browser.door.origin}${CALLBACK_PATH}`,
    holder,
  }
  const nowMs = now()
  await signIns.putChallenge(
    { digest: digestOf(flowId), kind: 'oidc', content: JSON.stringify(flow), expireTimeMs: nowMs + FLOW_MS },
    nowMs,
  )
  browser.setCookie({ name: 'oidc', value: flowId, maxAgeMs: FLOW_MS })
  const uri = new URL(server.authorization_endpoint)
  const parameters = {
    client_id: oidc.clientId,
    redirect_uri: flow.redirectUri,
    response_type: 'code',
    scope: 'openid email profile',
    state: flow.state,
    nonce: flow.nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(flow.codeVerifier),
    code_challenge_method: 'S256',
    ...(holder === '' ? {} : { prompt: 'login', max_age: '0' }),
  }
  for (const [name, value] of Object.entries(parameters)) uri.searchParams.set(name, value)
  return uri.href
}

/**
 * What the issuer says of whoever came back with `parameters`. Null when the answer belongs to no flow of this browser, or
 * the issuer does not vouch for an e-mail address. Throws ISSUER_UNAVAILABLE.
 */
export async function finishFlow(
  context: OidcContext,
  browser: Browser,
  parameters: string,
): Promise<Identity | null> {
  const { oidc, signIns, now } = context
  const flowId = browser.cookie('oidc')
  if (flowId === null) return null
  const content = await signIns.takeChallenge({ digest: digestOf(flowId), kind: 'oidc' }, now())
  browser.setCookie({ name: 'oidc', value: null, maxAgeMs: null })
  if (content === null) return null
  const server = await issuerOf(oidc)
  try {
    return await redeem(oidc, server, { flow: JSON.parse(content) as Flow, parameters })
  } catch (cause) {
    if (isRefusal(cause)) return null
    throw unavailable('it could not be asked, or answered something else than the standard says', cause)
  }
}

/** What the person or the issuer refused, and what does not fit the flow, as against what is broken. */
function isRefusal(cause: unknown): boolean {
  return (
    cause instanceof oauth.AuthorizationResponseError ||
    cause instanceof oauth.ResponseBodyError ||
    (cause instanceof oauth.OperationProcessingError &&
      cause.code !== undefined &&
      cause.code !== 'OAUTH_PARSE_ERROR')
  )
}

async function redeem(
  oidc: OidcSettings,
  server: oauth.AuthorizationServer,
  { flow, parameters }: { readonly flow: Flow; readonly parameters: string },
): Promise<Identity | null> {
  const client: oauth.Client = { client_id: oidc.clientId }
  const answered = oauth.validateAuthResponse(server, client, new URLSearchParams(parameters), flow.state)
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    clientAuthOf(oidc, server),
    answered,
    flow.redirectUri,
    flow.codeVerifier,
    fetchOptions(oidc),
  )
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
    expectedNonce: flow.nonce,
    requireIdToken: true,
    ...(flow.holder === '' ? {} : { maxAge: 60 }),
  })
  await oauth.validateApplicationLevelSignature(server, response, fetchOptions(oidc))
  const token = oauth.getValidatedIdTokenClaims(tokens)
  if (token === undefined) return null
  const claims =
    token['email'] === undefined ? { ...token, ...(await moreClaims(oidc, server, tokens)) } : token
  return identityOf(oidc, claims, flow.holder)
}

/** Issuers may put what they know of a person into the UserInfo reply instead of the token. */
async function moreClaims(
  oidc: OidcSettings,
  server: oauth.AuthorizationServer,
  tokens: oauth.TokenEndpointResponse,
): Promise<oauth.UserInfoResponse | null> {
  const subject = oauth.getValidatedIdTokenClaims(tokens)?.sub
  if (server.userinfo_endpoint === undefined || subject === undefined) return null
  const client: oauth.Client = { client_id: oidc.clientId }
  const response = await oauth.userInfoRequest(server, client, tokens.access_token, fetchOptions(oidc))
  return await oauth.processUserInfoResponse(server, client, subject, response)
}

function identityOf(
  { issuer }: OidcSettings,
  claims: Readonly<Record<string, unknown>>,
  holder: string,
): Identity | null {
  const { sub, email, email_verified: isVerified, name, groups, auth_time: authTime } = claims
  // An address that the issuer has not verified is one that anybody can claim.
  if (typeof sub !== 'string' || typeof email !== 'string' || isVerified !== true) return null
  return {
    identity: `${issuer} ${sub}`,
    email,
    displayName: typeof name === 'string' && name.trim() !== '' ? name : email,
    groups: Array.isArray(groups) ? groups.filter(group => typeof group === 'string') : [],
    authTimeMs: typeof authTime === 'number' ? authTime * 1_000 : null,
    holder,
  }
}

let known: {
  readonly issuer: string
  readonly server: oauth.AuthorizationServer
  readonly readMs: number
} | null = null

/** The issuer's metadata, read anew every hour. Throws ISSUER_UNAVAILABLE. */
async function issuerOf(oidc: OidcSettings): Promise<oauth.AuthorizationServer> {
  const nowMs = performance.now()
  if (known?.issuer === oidc.issuer && nowMs < known.readMs + METADATA_MS) return known.server
  try {
    const issuer = new URL(oidc.issuer)
    const response = await oauth.discoveryRequest(issuer, { algorithm: 'oidc', ...fetchOptions(oidc) })
    const server = await oauth.processDiscoveryResponse(issuer, response)
    known = { issuer: oidc.issuer, server, readMs: nowMs }
    return server
  } catch (cause) {
    throw unavailable('its configuration could not be read', cause)
  }
}

/** By POST where the issuer says that this is all it takes, else by the Authorization header, as RFC 6749 has it. */
function clientAuthOf(
  { clientSecret }: OidcSettings,
  { token_endpoint_auth_methods_supported: methods }: oauth.AuthorizationServer,
): oauth.ClientAuth {
  const isPostOnly = methods !== undefined && !methods.includes('client_secret_basic')
  return isPostOnly ? oauth.ClientSecretPost(clientSecret) : oauth.ClientSecretBasic(clientSecret)
}

/** The configuration lets plain HTTP pass on this machine only. No redirect is followed. */
function fetchOptions({ issuer }: OidcSettings) {
  return {
    [oauth.allowInsecureRequests]: new URL(issuer).protocol === 'http:',
    signal: () => AbortSignal.timeout(FETCH_TIMEOUT_MS),
  }
}

function unavailable(why: string, cause?: unknown): ApiError {
  return new ApiError(
    'ISSUER_UNAVAILABLE',
    `The OpenID Connect issuer cannot be used now: ${why}. Try again; if it goes on, the log has the details.`,
    { cause },
  )
}
