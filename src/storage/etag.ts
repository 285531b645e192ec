/** Etags: which state of a resource somebody has read. */
import { randomBytes } from 'node:crypto'
import { ApiError } from '../domain/error.ts'

/** A fresh etag in the form Google's have: weak, 16 random bytes. */
export function newEtag(): string {
  return `W/"${randomBytes(16).toString('base64')}"`
}

/** ETAG_MISMATCH unless the caller gave no etag or the current one. */
export function requireEtag(name: string, current: string, given: string | null): void {
  if (given === null || given === current) return
  throw new ApiError(
    'ETAG_MISMATCH',
    `${name} was changed since it was read: the etag sent is not the current one. Read it again, apply your ` +
      'change to what you find, and send its new etag.',
  )
}
