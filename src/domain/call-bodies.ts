/** Bodies of calls, where a project keeps them: how much of each, for how long, and what of it never. */
import { invalidField } from './error.ts'
import { redactCredentials } from './redaction.ts'

/** Of each body, in UTF-8. */
export const BODY_KEPT_BYTES_MAX = 64 * 1024
/** What is looked at behind it, so that a credential in which it would end is seen, and left out. */
const LOOKED_BEHIND_BYTES = 8 * 1024
/** What of a body is copied at most, its media left out. */
export const BODY_COPIED_BYTES_MAX = BODY_KEPT_BYTES_MAX + LOOKED_BEHIND_BYTES

export const BODY_RETENTION_HOURS_MAX = 30 * 24

/** The beginning of a body as it came or left, its media left out. */
export interface CopiedBody {
  readonly bytes: Uint8Array
  /** Of the whole body. */
  readonly sizeBytes: number
  /** The copy ends before the body does. */
  readonly isCut: boolean
}

/** What was asked and answered in one call. */
export interface CallBodies {
  readonly callId: string
  readonly projectNumber: string
  readonly keyUid: string
  readonly request: CopiedBody
  readonly reply: CopiedBody
}

/** A body as it is kept: without credentials and media. */
export interface KeptBody {
  readonly text: string
  /** Of the whole body, as it was. */
  readonly sizeBytes: number
  readonly isTruncated: boolean
}

export interface KeptBodies {
  readonly request: KeptBody
  readonly reply: KeptBody
  readonly expireTimeMs: number
}

/** Hours from 1 to 30 days, or null for none. Throws FIELD_INVALID: nothing is kept without an end. */
export function parseBodyRetention(hours: number | null): number | null {
  if (hours === null) return null
  if (Number.isInteger(hours) && hours >= 1 && hours <= BODY_RETENTION_HOURS_MAX) return hours
  throw invalidField(
    'retentionHours',
    `say for how many hours bodies are kept, 1 to ${BODY_RETENTION_HOURS_MAX} (30 days), or null to keep none`,
  )
}

/** What is kept of a copy. Where it was cut, what it ends with may be the beginning of a credential and goes, too. */
export function keptBody({ bytes, sizeBytes, isCut }: CopiedBody): KeptBody {
  const redacted = new TextEncoder().encode(redactCredentials(textOf(bytes)))
  const seenBytes = isCut ? Math.max(0, redacted.length - LOOKED_BEHIND_BYTES) : redacted.length
  const keptBytes = Math.min(seenBytes, BODY_KEPT_BYTES_MAX)
  return {
    text: textOf(redacted.subarray(0, keptBytes)),
    sizeBytes,
    isTruncated: isCut || keptBytes < redacted.length,
  }
}

/** As UTF-8, without the half of a character in which it may end. */
function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes, { stream: true })
}
