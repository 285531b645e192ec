/** How long a sign-in lasts. Times are those of OWASP's session management cheat sheet and ASVS 7.3. */

export const SIGN_IN_METHODS = ['password', 'passkey', 'oidc', 'link'] as const
export type SignInMethod = (typeof SIGN_IN_METHODS)[number]

export interface Session {
  /** Public: it names the session in lists. What authenticates is a random id that is stored as a digest only. */
  readonly uid: string
  readonly userUid: string
  readonly method: SignInMethod
  readonly createTimeMs: number
  /** To the minute. */
  readonly lastSeenTimeMs: number
  /** When the person last proved who they are. */
  readonly proofTimeMs: number
  readonly callerIp: string
  readonly userAgent: string
}

export const SESSION_IDLE_MS = 30 * 60_000
export const SESSION_MS = 12 * 3_600_000
/** How long a proof counts for what asks for a fresh one. */
export const PROOF_MS = 10 * 60_000
/** How often a session's last use is written down. */
export const SEEN_EVERY_MS = 60_000

/**
 * A request's header (`1`) that says nobody asked: it is answered like any other, and is no use of the session. Whoever
 * sends it can only have a session end earlier.
 */
export const AUTOMATIC_HEADER = 'x-pollux-automatic'

type Times = Pick<Session, 'createTimeMs' | 'lastSeenTimeMs' | 'proofTimeMs'>

/** The moment at which the session ends unless it is used before. */
export function expiryOf({ createTimeMs, lastSeenTimeMs }: Omit<Times, 'proofTimeMs'>): number {
  return Math.min(createTimeMs + SESSION_MS, lastSeenTimeMs + SESSION_IDLE_MS)
}

export function isLive(session: Times, nowMs: number): boolean {
  return nowMs < expiryOf(session)
}

export function isProofFresh({ proofTimeMs }: Pick<Times, 'proofTimeMs'>, nowMs: number): boolean {
  return nowMs < proofTimeMs + PROOF_MS
}
