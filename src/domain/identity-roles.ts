/** Which roles an OpenID Connect issuer's claims give: a list of `DOMAIN=ROLE` and `group:NAME=ROLE`. */

import { type Role, isRole } from './permission.ts'

export interface IdentityRule {
  readonly kind: 'domain' | 'group'
  readonly value: string
  /** e.g. `roles/viewer`. */
  readonly role: Role
}

/** What an issuer says of somebody; `email` is one that the issuer has verified. */
export interface IdentityClaims {
  readonly email: string
  readonly groups: readonly string[]
}

const RULE = /^(?:group:(?<group>[^=]+)|(?<domain>[A-Za-z0-9.-]+\.[A-Za-z0-9-]+))=(?<role>roles\/[A-Za-z.]+)$/

/** One entry of the list; null when it is none. */
export function parseIdentityRule(text: string): IdentityRule | null {
  const { group, domain, role } = RULE.exec(text.trim())?.groups ?? {}
  if (role === undefined || !isRole(role)) return null
  if (group !== undefined) return { kind: 'group', value: group, role }
  return domain === undefined ? null : { kind: 'domain', value: domain.toLowerCase(), role }
}

/** Every role that some rule gives, each once. A domain is the whole text behind the last `@`: subdomains are others. */
export function rolesOfIdentity(
  rules: readonly IdentityRule[],
  { email, groups }: IdentityClaims,
): readonly string[] {
  const domain = email.slice(email.lastIndexOf('@') + 1).toLowerCase()
  const given = rules.filter(({ kind, value }) =>
    kind === 'domain' ? value === domain : groups.includes(value),
  )
  return [...new Set(given.map(({ role }) => role))]
}
