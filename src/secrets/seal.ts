/**
 * The envelope of a secret: `v1.<master key id>.<wrapped data key>.<nonce>.<ciphertext and tag>`. Each secret has a data
 * key of its own, wrapped under a master key; both layers are AES-256-GCM with random 96-bit nonces (NIST SP 800-38D) and
 * name the place of the secret as associated data, so that it opens nowhere else.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { ApiError } from '../domain/error.ts'
import type { KeyRing, MasterKey } from './master-key.ts'

/** Where a secret belongs. All of it is authenticated. */
export interface SecretPlace {
  readonly table: string
  readonly row: string
  readonly column: string
  /** null: the organization's. */
  readonly projectNumber: string | null
  /** Of the row: a value that was there before does not open. */
  readonly version: number
}

const FORMAT = 'v1'
const DATA_KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
const CIPHER = 'aes-256-gcm'

/** Seals a text for its place under the master key given. */
export function seal(place: SecretPlace, text: string, key: MasterKey): string {
  const dataKey = randomBytes(DATA_KEY_BYTES)
  const nonce = randomBytes(NONCE_BYTES)
  const sealed = encrypt(dataKey, { nonce, data: Buffer.from(text, 'utf8'), about: aboutData(place) })
  return join([FORMAT, key.id, wrap(place, dataKey, key), encode(nonce), encode(sealed)])
}

/** The text of a sealed secret. SECRET_UNREADABLE when one bit of it or its place is another, or no master key fits. */
export function unseal(place: SecretPlace, sealed: string, ring: KeyRing): string {
  return open(place, sealed, ring).text
}

/** The same secret, its data key wrapped under another master key. Opens it on the way, so what is damaged is not passed on. */
export function rewrap(place: SecretPlace, sealed: string, keys: { ring: KeyRing; to: MasterKey }): string {
  const { dataKey, parts } = open(place, sealed, keys.ring)
  return join([FORMAT, keys.to.id, wrap(place, dataKey, keys.to), parts.nonce, parts.data])
}

/** What every secret begins with that is sealed under this master key. */
export function sealedPrefix({ id }: Pick<MasterKey, 'id'>): string {
  return `${FORMAT}.${id}.`
}

interface Parts {
  readonly keyId: string
  readonly wrapped: string
  readonly nonce: string
  readonly data: string
}

function open(place: SecretPlace, sealed: string, ring: KeyRing) {
  const parts = partsOf(sealed)
  if (parts === null) throw unreadable(place, 'it is no sealed secret')
  const key = ring.find(parts.keyId)
  if (key === null) {
    throw unreadable(place, `no master key with the id ${parts.keyId} is here`)
  }
  const wrapped = decode(parts.wrapped)
  const nonce = decode(parts.nonce)
  const data = decode(parts.data)
  if (wrapped?.length !== NONCE_BYTES + DATA_KEY_BYTES + TAG_BYTES || nonce?.length !== NONCE_BYTES) {
    throw unreadable(place, 'it is no sealed secret')
  }
  const dataKey = decrypt(key.bytes, {
    nonce: wrapped.subarray(0, NONCE_BYTES),
    data: wrapped.subarray(NONCE_BYTES),
    about: aboutKey(place, key),
  })
  const text =
    dataKey === null || data === null ? null : decrypt(dataKey, { nonce, data, about: aboutData(place) })
  if (dataKey === null || text === null) {
    throw unreadable(place, 'it was changed, or belongs to another place')
  }
  return { dataKey, parts, text: text.toString('utf8') }
}

function partsOf(sealed: string): Parts | null {
  const match = /^v1\.([0-9a-f]{16})\.([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(sealed)
  const [, keyId, wrapped, nonce, data] = match ?? []
  if (keyId === undefined || wrapped === undefined || nonce === undefined || data === undefined) return null
  return { keyId, wrapped, nonce, data }
}

function wrap(place: SecretPlace, dataKey: Buffer, key: MasterKey): string {
  const nonce = randomBytes(NONCE_BYTES)
  return encode(
    Buffer.concat([nonce, encrypt(key.bytes, { nonce, data: dataKey, about: aboutKey(place, key) })]),
  )
}

interface Message {
  readonly nonce: Buffer
  readonly data: Buffer
  readonly about: Buffer
}

function encrypt(key: Buffer, { nonce, data, about }: Message): Buffer {
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(about)
  return Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag()])
}

/** null when the tag does not fit. */
function decrypt(key: Buffer, { nonce, data, about }: Message): Buffer | null {
  if (data.length < TAG_BYTES) return null
  const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
    .setAAD(about)
    .setAuthTag(data.subarray(-TAG_BYTES))
  try {
    return Buffer.concat([decipher.update(data.subarray(0, -TAG_BYTES)), decipher.final()])
  } catch {
    // Node's one way to say that the tag is another.
    return null
  }
}

/** JSON keeps the fields apart, whatever they hold. */
function aboutData({ table, row, column, projectNumber, version }: SecretPlace): Buffer {
  return Buffer.from(JSON.stringify([FORMAT, 'data', table, row, column, projectNumber, version]))
}

function aboutKey({ table, row, column, projectNumber, version }: SecretPlace, { id }: MasterKey): Buffer {
  return Buffer.from(JSON.stringify([FORMAT, 'key', id, table, row, column, projectNumber, version]))
}

function join(parts: readonly string[]): string {
  return parts.join('.')
}

function encode(bytes: Buffer): string {
  return bytes.toString('base64url')
}

/** null for a spelling that `encode` does not make: unused bits of the last character must be 0. */
function decode(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64url')
  return encode(bytes) === text ? bytes : null
}

function unreadable({ table, column }: SecretPlace, why: string): ApiError {
  return new ApiError(
    'SECRET_UNREADABLE',
    `The sealed ${table}.${column} does not open: ${why}. Start Pollux with the master key it was sealed under; if it has ` +
      'that, the database was changed behind its back, and a backup has the secret as it was.',
  )
}
