/**
 * The form of a keyString: `plx_`, 30 base62 characters of a CSPRNG, 6 base62 characters of their CRC-32
 * (GitHub's token scheme), so that a scanner and the gateway can tell a real one from garbage offline.
 */

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const SECRET_LENGTH = 30
const CHECKSUM_LENGTH = 6

/** What a key string is for: a call to a model, management by automation, a person's session, a link of one use. */
export type KeyStringKind = 'key' | 'token' | 'session' | 'link'

const PREFIX: Readonly<Record<KeyStringKind, string>> = {
  key: 'plx_',
  token: 'plx_pat_',
  session: 'plx_ses_',
  link: 'plx_link_',
}
const PATTERN: Readonly<Record<KeyStringKind, RegExp>> = {
  key: /^plx_([0-9A-Za-z]{30})([0-9A-Za-z]{6})$/,
  token: /^plx_pat_([0-9A-Za-z]{30})([0-9A-Za-z]{6})$/,
  session: /^plx_ses_([0-9A-Za-z]{30})([0-9A-Za-z]{6})$/,
  link: /^plx_link_([0-9A-Za-z]{30})([0-9A-Za-z]{6})$/,
}

/** A new key string from the platform's CSPRNG: 30 base62 characters are 178 bits. */
export function mintKeyString(kind: KeyStringKind): string {
  let secret = ''
  while (secret.length < SECRET_LENGTH) {
    for (const byte of crypto.getRandomValues(new Uint8Array(64))) {
      // 248 is the largest multiple of 62 below 256: beyond it a remainder would favour the first characters.
      if (byte < 248 && secret.length < SECRET_LENGTH) secret += ALPHABET[byte % 62]
    }
  }
  return PREFIX[kind] + secret + checksum(secret)
}

/** Whether `text` has the form and the checksum of a key string of this kind. No look-up; says nothing of validity. */
export function isKeyString(text: string, kind: KeyStringKind): boolean {
  const match = PATTERN[kind].exec(text)
  return match !== null && match[1] !== undefined && checksum(match[1]) === match[2]
}

/** What may be shown of a key string after its creation: `plx_…A1b2`. Eight characters say nothing useful to a thief. */
export function maskKeyString(keyString: string): string {
  return `${keyString.slice(0, keyString.lastIndexOf('_') + 1)}…${keyString.slice(-4)}`
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
  return value
})

/** CRC-32/IEEE of the ASCII characters, as base62 padded to six characters. */
function checksum(text: string): string {
  let crc = 0xffffffff
  for (let index = 0; index < text.length; index++) {
    crc = (crc >>> 8) ^ (CRC_TABLE[(crc ^ text.charCodeAt(index)) & 0xff] ?? 0)
  }
  let rest = (crc ^ 0xffffffff) >>> 0
  let digits = ''
  for (let place = 0; place < CHECKSUM_LENGTH; place++) {
    digits = (ALPHABET[rest % 62] ?? '') + digits
    rest = Math.floor(rest / 62)
  }
  return digits
}
