/** What the fields of a Key may hold. Every function throws FIELD_INVALID naming its field. */
import { invalidField } from './error.ts'
import { parseModelPattern } from './model.ts'

const KEY_ID = /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const UUID_LIKE = /^[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}$/
const DISPLAY_NAME_CHARS_MAX = 63
const CONTROL = /\p{Cc}/u
const ANNOTATIONS_MAX = 64
const ANNOTATION_NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,251}[A-Za-z0-9])?$/
const ANNOTATIONS_CHARS_MAX = 16_384
const MODELS_MAX = 200

/** A keyId that a client chooses (apikeys.proto, CreateKeyRequest.key_id): 1 to 63 characters, not like a UUID. */
export function assertKeyId(keyId: string): void {
  if (!KEY_ID.test(keyId)) {
    throw invalidField(
      'keyId',
      'use 1 to 63 lower-case letters, digits and hyphens; start with a letter, do not end with a hyphen',
    )
  }
  if (UUID_LIKE.test(keyId))
    throw invalidField('keyId', 'an id that looks like a UUID is reserved for the server')
}

/** At most 63 characters (resources.proto, Key.display_name). */
export function assertKeyDisplayName(displayName: string): void {
  if (Array.from(displayName).length > DISPLAY_NAME_CHARS_MAX || CONTROL.test(displayName)) {
    throw invalidField('key.displayName', `use at most ${DISPLAY_NAME_CHARS_MAX} characters on one line`)
  }
}

/** At most 64 annotations of together 16,384 characters; Google documents no bound, AIP-148 asks for one. */
export function assertAnnotations(annotations: Readonly<Record<string, string>>): void {
  const entries = Object.entries(annotations)
  if (entries.length > ANNOTATIONS_MAX)
    throw invalidField('key.annotations', `at most ${ANNOTATIONS_MAX} entries`)
  let chars = 0
  for (const [name, value] of entries) {
    chars += name.length + value.length
    if (!ANNOTATION_NAME.test(name)) {
      throw invalidField(
        'key.annotations',
        "names are 1 to 253 letters, digits and '.', '_', '/', '-', with a letter or digit at both ends",
      )
    }
  }
  if (chars > ANNOTATIONS_CHARS_MAX) {
    throw invalidField(
      'key.annotations',
      `at most ${ANNOTATIONS_CHARS_MAX} characters in all names and values`,
    )
  }
}

/** Model ids or `prefix*`, each once and without `models/`. */
export function parseAllowedModels(entries: readonly string[]): readonly string[] {
  if (entries.length > MODELS_MAX) throw invalidField('key.allowedModels', `at most ${MODELS_MAX} entries`)
  const patterns = entries.map((entry, index) => {
    const pattern = parseModelPattern(entry.trim())
    if (pattern !== null) return pattern
    throw invalidField(
      `key.allowedModels[${index}]`,
      'use a model id such as gemini-3.8-flash, or a beginning and *',
    )
  })
  return [...new Set(patterns)]
}

/** An RFC 3339 time after `nowMs` as epoch ms. */
export function parseExpireTime(time: string, nowMs: number): number {
  const timeMs = Date.parse(time)
  if (!(timeMs > nowMs)) throw invalidField('key.expireTime', 'the time must lie in the future')
  return timeMs
}
