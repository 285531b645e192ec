/** A person who signs in, and how. What they may do is not said here: roles are bound to `subjectOf(user)`. */
import { invalidField } from './error.ts'

export interface User {
  readonly uid: string
  /** Canonical (`canonicalEmail`) and unique. */
  readonly email: string
  readonly displayName: string
  readonly disabledTimeMs: number | null
  readonly createTimeMs: number
  readonly lastSignInTimeMs: number | null
  readonly hasPassword: boolean
  /** Who they are at the issuer (`ISSUER SUBJECT`), once they have signed in there. */
  readonly identity: string | null
  /** The roles that the issuer's claims gave them when they last signed in there (`rolesOfIdentity`). */
  readonly identityRoles: readonly string[]
}

/** A credential that lives in a person's device (WebAuthn). */
export interface Passkey {
  /** The authenticator's credential id, base64url. */
  readonly id: string
  readonly userUid: string
  readonly displayName: string
  /** COSE key, base64url. */
  readonly publicKey: string
  /** The authenticator's own count of its uses; 0 where it counts none. */
  readonly counter: number
  readonly transports: readonly string[]
  readonly createTimeMs: number
  readonly lastUseTimeMs: number | null
}

/** The member name of IAM policies and the principal of audit entries. */
export function subjectOf({ email }: Pick<User, 'email'>): string {
  return `user:${email}`
}

const EMAIL = /^[^\s@<>()[\]\\,;:"]+@[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/
const EMAIL_CHARS_MAX = 254
const DISPLAY_NAME_CHARS_MAX = 100

/** Trimmed and lower-case, so that a person has one account however they write it. Throws FIELD_INVALID. */
export function canonicalEmail(text: string): string {
  const email = text.trim().normalize('NFC').toLowerCase()
  if (email.length <= EMAIL_CHARS_MAX && EMAIL.test(email)) return email
  throw invalidField('email', 'this is no e-mail address')
}

/** Throws FIELD_INVALID. */
export function displayNameOf(text: string): string {
  const name = text.trim()
  if (name !== '' && name.length <= DISPLAY_NAME_CHARS_MAX) return name
  throw invalidField('displayName', `use 1 to ${DISPLAY_NAME_CHARS_MAX} characters`)
}
