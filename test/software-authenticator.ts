/** A passkey authenticator in software (WebAuthn level 3, "none" attestation, ES256), for tests that need one. */
import { type KeyObject, createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'

export interface Authenticator {
  /** Answers `navigator.credentials.create`. */
  create(options: Options, origin: string): Answer
  /** Answers `navigator.credentials.get`. Each use counts one up, unless `counter` says otherwise. */
  get(options: Options, origin: string, lies?: Lies): Answer
}

interface Options {
  readonly challenge: string
  readonly rp?: { readonly id?: string }
  readonly rpId?: string
  readonly user?: { readonly id: string }
}

/** What a stolen or broken authenticator might say. */
export interface Lies {
  readonly isUserVerified?: boolean
  readonly counter?: number
}

export interface Answer {
  readonly id: string
  readonly rawId: string
  readonly type: 'public-key'
  readonly response: Readonly<Record<string, unknown>>
  readonly clientExtensionResults: object
}

const USER_PRESENT = 0x01
const USER_VERIFIED = 0x04
const ATTESTED = 0x40

export function createAuthenticator(): Authenticator {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const id = randomBytes(16)
  let counter = 0
  let userHandle = ''
  const answer = (response: Record<string, unknown>): Answer => ({
    id: id.toString('base64url'),
    rawId: id.toString('base64url'),
    type: 'public-key',
    response,
    clientExtensionResults: {},
  })
  return {
    create(options, origin) {
      userHandle = options.user?.id ?? ''
      const data = clientData('webauthn.create', options.challenge, origin)
      const idLength = Buffer.from([0, id.length])
      const attested = Buffer.concat([Buffer.alloc(16), idLength, id, coseKey(publicKey)])
      const flags = USER_PRESENT | USER_VERIFIED | ATTESTED
      const authData = Buffer.concat([head(options.rp?.id ?? '', flags, counter), attested])
      return answer({
        clientDataJSON: data.toString('base64url'),
        attestationObject: attestationObject(authData).toString('base64url'),
        transports: ['internal'],
      })
    },
    get(options, origin, lies = {}) {
      counter += 1
      const data = clientData('webauthn.get', options.challenge, origin)
      const flags = USER_PRESENT | (lies.isUserVerified === false ? 0 : USER_VERIFIED)
      const authData = head(options.rpId ?? '', flags, lies.counter ?? counter)
      const signed = Buffer.concat([authData, createHash('sha256').update(data).digest()])
      return answer({
        clientDataJSON: data.toString('base64url'),
        authenticatorData: authData.toString('base64url'),
        signature: sign('sha256', signed, privateKey).toString('base64url'),
        userHandle,
      })
    },
  }
}

function clientData(type: string, challenge: string, origin: string): Buffer {
  return Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false }))
}

function head(rpId: string, flags: number, counter: number): Buffer {
  const count = Buffer.alloc(4)
  count.writeUInt32BE(counter)
  return Buffer.concat([createHash('sha256').update(rpId).digest(), Buffer.from([flags]), count])
}

/** CBOR `{1: 2, 3: -7, -1: 1, -2: x, -3: y}` (RFC 9053, EC2 key of ES256). */
function coseKey(key: KeyObject): Buffer {
  const { x = '', y = '' } = key.export({ format: 'jwk' })
  const bytes = (text: string): Buffer =>
    Buffer.concat([Buffer.from([0x58, 0x20]), Buffer.from(text, 'base64url')])
  return Buffer.concat([
    Buffer.from([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21]),
    bytes(x),
    Buffer.from([0x22]),
    bytes(y),
  ])
}

/** CBOR `{"fmt": "none", "attStmt": {}, "authData": …}`. */
function attestationObject(authData: Buffer): Buffer {
  const text = (value: string): Buffer =>
    Buffer.concat([Buffer.from([0x60 + value.length]), Buffer.from(value)])
  return Buffer.concat([
    Buffer.from([0xa3]),
    text('fmt'),
    text('none'),
    text('attStmt'),
    Buffer.from([0xa0]),
    text('authData'),
    Buffer.from([0x58, authData.length]),
    authData,
  ])
}
