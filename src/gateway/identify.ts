import { ApiError, type Detail } from '../domain/error.ts'
import { digestOf } from '../domain/digest.ts'
import type { KeyState } from '../domain/key.ts'
import { isKeyString } from '../domain/keystring.ts'
import { GEMINI_SERVICE } from '../domain/method-name.ts'
import type { Call, Caller, Gateway, KeyEntry } from './call.ts'
import { type KeyDirectory, entryState } from './key-directory.ts'

/**
 * Who calls; a promise only where the key has to be looked up. Throws CREDENTIALS_MISSING (403), OVERLOADED_CREDENTIALS (400), and API_KEY_INVALID (400) for a key that
 * is unknown, deleted, disabled or expired, in Google's words (gemini-wire 3.2).
 */
export function identify(call: Call, io: Pick<Gateway, 'keys'>): Caller | Promise<Caller> {
  const keyString = credentialOf(call)
  // The checksum settles garbage without a look-up.
  if (!isKeyString(keyString, 'key')) throw invalidKey('API key not valid. Please pass a valid API key.')
  const digest = digestOf(keyString)
  const { version } = io.keys
  const entry = usableEntry(digest, io.keys)
  if (entry instanceof Promise) return entry.then(entry => ({ digest, entry, version }))
  return { digest, entry, version }
}

/**
 * The key of this digest as it is now; a promise only where it has to be looked up. Throws, or rejects with,
 * API_KEY_INVALID unless it may be used.
 */
export function usableEntry(digest: string, keys: KeyDirectory): KeyEntry | Promise<KeyEntry> {
  const found = keys.find(digest)
  return found instanceof Promise ? found.then(assertUsable) : assertUsable(found)
}

function assertUsable(entry: KeyEntry | null): KeyEntry {
  if (entry === null) throw invalidKey('API key not valid. Please pass a valid API key.')
  const state = entryState(entry, Date.now())
  if (state !== 'ACTIVE') throw invalidKey(REFUSALS[state])
  return entry
}

const REFUSALS: Readonly<Record<Exclude<KeyState, 'ACTIVE'>, string>> = {
  DELETED: 'API Key not found. Please pass a valid API key.',
  EXPIRED: 'API key expired. Please renew the API key.',
  DISABLED: 'API key disabled. Ask its owner to enable it, or pass another API key.',
}

/** The one credential of a request: `x-goog-api-key`, `Authorization: Bearer` or `?key=`; equal copies count as one. */
function credentialOf(call: Call): string {
  const { headers } = call.request
  const header = headers['x-goog-api-key']
  const bearer = bearerOf(headers.authorization)
  // Most calls: one header, nothing to compare. An empty one counts as none.
  if (typeof header === 'string' && header !== '' && bearer === undefined && call.target.query.size === 0)
    return header
  const given = new Set<string>()
  if (typeof header === 'string') given.add(header.trim())
  if (bearer !== undefined) given.add(bearer)
  for (const key of call.target.query.getAll('key')) given.add(key)
  given.delete('')
  const [credential, second] = given
  if (credential === undefined) {
    throw new ApiError(
      'CREDENTIALS_MISSING',
      "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or " +
        'other form of API consumer identity to call this API.',
      { errorInfo: false },
    )
  }
  if (second !== undefined) {
    throw new ApiError(
      'OVERLOADED_CREDENTIALS',
      'Multiple authentication credentials received. Please pass only one.',
      { errorInfo: false },
    )
  }
  return credential
}

function bearerOf(authorization: string | undefined): string | undefined {
  if (authorization === undefined) return undefined
  const match = /^Bearer(?: +(.*))?$/i.exec(authorization)
  // Another scheme is a credential too, and no key of ours.
  return match === null ? authorization : (match[1] ?? '').trim()
}

function invalidKey(message: string): ApiError {
  const localized: Detail = {
    '@type': 'type.googleapis.com/google.rpc.LocalizedMessage',
    locale: 'en-US',
    message,
  }
  return new ApiError('API_KEY_INVALID', message, {
    metadata: { service: GEMINI_SERVICE },
    details: [localized],
  })
}
