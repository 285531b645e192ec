/** The browser behind a request: the address it sees, its cookies, and whether the request is a page of ours. */
import type { IncomingHttpHeaders } from 'node:http'
import { ApiError } from '../domain/error.ts'

/** How the browser reached us: by TLS, on its own machine, or by plain HTTP over a network. */
export interface Door {
  readonly kind: 'tls' | 'loopback' | 'plain'
  /** As the browser writes it in `Origin`. */
  readonly origin: string
}

const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]'])

/**
 * The door of a request. `publicOrigin` where the request names it (in `Origin`, for proxies that replace `Host`), else what
 * `Host` says: Pollux itself speaks plain HTTP. No forwarded header is believed.
 */
function doorOf(headers: IncomingHttpHeaders, publicOrigin: string | null): Door {
  const host = headers.host?.toLowerCase() ?? ''
  if (publicOrigin !== null && (headers.origin === publicOrigin || new URL(publicOrigin).host === host)) {
    return { kind: kindOf(publicOrigin), origin: publicOrigin }
  }
  const origin = `http://${host}`
  return { kind: URL.canParse(origin) ? kindOf(origin) : 'plain', origin }
}

function kindOf(origin: string): Door['kind'] {
  const { protocol, hostname } = new URL(origin)
  if (protocol === 'https:') return 'tls'
  return LOOPBACK.has(hostname) ? 'loopback' : 'plain'
}

export type CookieName = 'session' | 'device' | 'oidc'

/** A cookie to set; `maxAgeMs` null: until the browser is closed; `value` null: take it away. */
export interface NewCookie {
  readonly name: CookieName
  readonly value: string | null
  readonly maxAgeMs: number | null
}

export interface Browser {
  readonly door: Door
  cookie(name: CookieName): string | null
  setCookie(cookie: NewCookie): void
  /** `Set-Cookie` values so far. */
  readonly setCookies: readonly string[]
}

export function browserOf(headers: IncomingHttpHeaders, publicOrigin: string | null): Browser {
  const door = doorOf(headers, publicOrigin)
  const setCookies: string[] = []
  return {
    door,
    cookie: name => readCookie(headers.cookie ?? '', cookieName(name, door)),
    setCookie: cookie => void setCookies.push(cookieLine(cookie, door)),
    setCookies,
  }
}

/**
 * Behind TLS the prefix makes the browser keep the cookie to this host (RFC 6265bis, 4.1.3.2), so that no neighbour can
 * plant one. Without TLS browsers refuse it.
 */
function cookieName(name: CookieName, { kind }: Door): string {
  return kind === 'tls' ? `__Host-pollux-${name}` : `pollux-${name}`
}

/** Null where the cookie is not there, or there twice: one of the two was planted. */
function readCookie(header: string, name: string): string | null {
  const values = header
    .split(';')
    .map(pair => pair.trim())
    .filter(pair => pair.startsWith(`${name}=`))
    .map(pair => pair.slice(name.length + 1))
  return values.length === 1 ? (values[0] ?? null) : null
}

function cookieLine({ name, value, maxAgeMs }: NewCookie, door: Door): string {
  const maxAgeS = value === null ? 0 : maxAgeMs === null ? null : Math.floor(maxAgeMs / 1_000)
  return [
    `${cookieName(name, door)}=${value ?? ''}`,
    'Path=/',
    ...(door.kind === 'tls' ? ['Secure'] : []),
    'HttpOnly',
    'SameSite=Strict',
    ...(maxAgeS === null ? [] : [`Max-Age=${maxAgeS}`]),
  ].join('; ')
}

/**
 * Refuses what another site's page makes a browser send: by Fetch Metadata, and by `Origin` as well as instead, since
 * browsers leave Fetch Metadata out on plain HTTP. `isRequired`: one of the two must be there, as a browser sends one
 * with every request that is no GET. Throws CROSS_SITE_REFUSED.
 */
export function assertOwnPage(headers: IncomingHttpHeaders, door: Door, isRequired: boolean): void {
  const site = headers['sec-fetch-site']
  const { origin } = headers
  const isForeign =
    (site !== undefined && site !== 'same-origin') || (origin !== undefined && origin !== door.origin)
  if (!isForeign && (!isRequired || site !== undefined || origin !== undefined)) return
  throw new ApiError(
    'CROSS_SITE_REFUSED',
    'The request does not come from a page of this server. Behind a proxy, set POLLUX_PUBLIC_ORIGIN to the address that browsers see; programs use a management token, not a cookie.',
  )
}

/** Throws SIGN_IN_DOOR_REFUSED where a password or session would cross a network in the clear. */
export function assertSafeDoor({ kind, origin }: Door, allowsPlainHttp: boolean): void {
  const refusal = doorRefusal({ kind, origin }, allowsPlainHttp)
  if (refusal !== null) throw new ApiError('SIGN_IN_DOOR_REFUSED', refusal)
}

/** Why nobody may sign in through the door; null when they may. */
export function doorRefusal({ kind }: Door, allowsPlainHttp: boolean): string | null {
  if (kind !== 'plain' || allowsPlainHttp) return null
  return 'Signing in over plain HTTP is refused: passwords could be read on the way. Put a proxy with TLS in front and set POLLUX_PUBLIC_ORIGIN to its https address, or open Pollux on its own machine as http://localhost.'
}
