/** Service accounts (google.iam.admin.v1.ServiceAccount): identities for automation, with tokens and keys of their own. */
import { invalidField } from './error.ts'
import type { Limits } from './permission.ts'

/** Times: epoch ms. */
export interface ServiceAccount {
  /** UUID, never reused. */
  readonly uid: string
  readonly projectNumber: string
  readonly projectId: string
  /** `ACCOUNT@PROJECT.iam.pollux.internal`; never given twice. Its subject is `serviceAccount:` and this. */
  readonly email: string
  readonly displayName: string
  readonly description: string
  readonly etag: string
  readonly createTimeMs: number
  readonly updateTimeMs: number
  /** Set: every credential of it is refused until it is enabled again. */
  readonly disabledTimeMs: number | null
}

/** A `plx_pat_` token of a service account: everything but the token, of which only the SHA-256 is kept. */
export interface ServiceAccountToken {
  readonly uid: string
  readonly displayName: string
  readonly maskedToken: string
  readonly limits: Limits
  readonly createTimeMs: number
  readonly expireTimeMs: number
  /** To the minute; null: never used. */
  readonly lastUsedTimeMs: number | null
}

/** An RSA key pair of a service account: the private half is with whoever made it, and nowhere else. */
export interface ServiceAccountKey {
  /** The `kid` of what it signs: 40 hexadecimal digits. */
  readonly keyId: string
  /** SPKI, PEM. */
  readonly publicKey: string
  readonly createTimeMs: number
  readonly expireTimeMs: number
  readonly lastUsedTimeMs: number | null
}

/** Service accounts of a project (IAM's own quota). */
export const ACCOUNTS_PER_PROJECT_MAX = 100
/** Tokens and keys of one service account together. */
export const CREDENTIALS_PER_ACCOUNT_MAX = 20

const DAY_MS = 86_400_000
const CREDENTIAL_DAYS_DEFAULT = 90
const CREDENTIAL_DAYS_MAX = 365

const ACCOUNT_ID = /^[a-z][a-z0-9-]{4,28}[a-z0-9]$/
const DISPLAY_NAME_CHARS_MAX = 100
const DESCRIPTION_CHARS_MAX = 256

/** Throws FIELD_INVALID unless `id` may name a service account (IAM: 6 to 30 characters). */
export function assertAccountId(id: string): void {
  if (ACCOUNT_ID.test(id)) return
  throw invalidField(
    'accountId',
    'use 6 to 30 lower-case letters, digits and hyphens; start with a letter, do not end with a hyphen',
  )
}

export function accountEmail(accountId: string, projectId: string): string {
  // .internal is reserved for private use (ICANN, 2024): no mail can ever arrive there.
  return `${accountId}@${projectId}.iam.pollux.internal`
}

/** `serviceAccount:robot@web-shop.iam.pollux.internal` */
export function accountSubject({ email }: Pick<ServiceAccount, 'email'>): string {
  return `serviceAccount:${email}`
}

export function assertAccountTexts(displayName: string, description = ''): void {
  if (displayName.length > DISPLAY_NAME_CHARS_MAX) {
    throw invalidField('displayName', `at most ${DISPLAY_NAME_CHARS_MAX} characters`)
  }
  if (description.length > DESCRIPTION_CHARS_MAX) {
    throw invalidField('description', `at most ${DESCRIPTION_CHARS_MAX} characters`)
  }
}

/** When a new credential ends, epoch ms: at the time asked for, which may be a year away at most, else in 90 days. */
export function credentialExpiry(expireTime: string | null | undefined, nowMs: number): number {
  if (expireTime === null || expireTime === undefined) return nowMs + CREDENTIAL_DAYS_DEFAULT * DAY_MS
  const timeMs = Date.parse(expireTime)
  if (!(timeMs > nowMs)) throw invalidField('expireTime', 'the time must lie in the future')
  if (timeMs > nowMs + CREDENTIAL_DAYS_MAX * DAY_MS) {
    throw invalidField('expireTime', `at most ${CREDENTIAL_DAYS_MAX} days from now`)
  }
  return timeMs
}
