/** The Key resource: what an application holds, and what it may do with it. Google's fields first, ours after. */

/** Which clients and which APIs may use a key: google.api.apikeys.v2.Restrictions. At most one client kind is set. */
export interface Restrictions {
  readonly browserKeyRestrictions?: { readonly allowedReferrers: readonly string[] }
  readonly serverKeyRestrictions?: { readonly allowedIps: readonly string[] }
  readonly androidKeyRestrictions?: { readonly allowedApplications: readonly AndroidApplication[] }
  readonly iosKeyRestrictions?: { readonly allowedBundleIds: readonly string[] }
  /** Empty or absent: every API. */
  readonly apiTargets?: readonly ApiTarget[]
}

export interface AndroidApplication {
  /** 40 upper-case hexadecimal digits without colons. */
  readonly sha1Fingerprint: string
  readonly packageName: string
}

export interface ApiTarget {
  /** For example `generativelanguage.googleapis.com`; matched without regard to case. */
  readonly service: string
  /** Empty or absent: every method of the service. */
  readonly methods?: readonly string[]
}

/** What a key's calls may switch on beyond plain text in and out. Absent on a key: everything. */
export const ALLOWED_TOOLS = [
  'googleSearch',
  'googleMaps',
  'codeExecution',
  'urlContext',
  'imageOutput',
  'audioOutput',
] as const

export type AllowedTool = (typeof ALLOWED_TOOLS)[number]

export const ENVIRONMENTS = ['production', 'staging', 'development'] as const

/** A label that tells people which deployment a key belongs to. It grants and refuses nothing. */
export type Environment = (typeof ENVIRONMENTS)[number]

/** A key as it is stored: everything but its keyString, of which only the SHA-256 is kept. Times: epoch ms. */
export interface Key {
  /** UUID, never reused. */
  readonly uid: string
  /** The uid of the first key of its line: a rotated successor keeps it, and with it the budgets (MONEY.md rule 3). */
  readonly lineage: string
  readonly projectNumber: string
  /** The last segment of the resource name, unique in its project until purged. */
  readonly keyId: string
  readonly displayName: string
  readonly annotations: Readonly<Record<string, string>>
  readonly restrictions: Restrictions | null
  readonly etag: string
  readonly createTimeMs: number
  readonly updateTimeMs: number
  readonly deleteTimeMs: number | null
  /** Set: the key is switched off until it is enabled again. */
  readonly disabledTimeMs: number | null
  /** From this moment the key is refused. */
  readonly expireTimeMs: number | null
  /** The last accepted call; refused calls do not count. */
  readonly lastUsedTimeMs: number | null
  /** Model ids or `prefix*`; null: every model. */
  readonly allowedModels: readonly string[] | null
  /** null: every tool. */
  readonly allowedTools: readonly AllowedTool[] | null
  readonly environment: Environment | null
  /** Enough of the keyString to recognise it by: prefix and last four characters. */
  readonly maskedKeyString: string
}

/** Days in which a deleted key can be undeleted; afterwards it is purged (docs: API Keys, undelete). */
export const UNDELETE_DAYS = 30

/** Live keys per project: a system limit of Google's that cannot be raised (docs: manage API keys, limits). */
export const KEYS_PER_PROJECT_MAX = 300

export type KeyState = 'ACTIVE' | 'DISABLED' | 'EXPIRED' | 'DELETED'

/** The state a caller meets at `nowMs`; deletion outweighs disabling, disabling outweighs expiry. */
export function keyState(
  key: Pick<Key, 'deleteTimeMs' | 'disabledTimeMs' | 'expireTimeMs'>,
  nowMs: number,
): KeyState {
  if (key.deleteTimeMs !== null) return 'DELETED'
  if (key.disabledTimeMs !== null) return 'DISABLED'
  if (key.expireTimeMs !== null && key.expireTimeMs <= nowMs) return 'EXPIRED'
  return 'ACTIVE'
}
