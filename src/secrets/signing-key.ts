/** The key that signs the audit trail: Ed25519 (RFC 8032), kept as a sealed secret. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'

export class SigningKey {
  readonly #privateKey: KeyObject
  readonly #publicKey: KeyObject
  /** The first 16 hexadecimal digits of the SHA-256 of the public key (SubjectPublicKeyInfo, DER). */
  readonly id: string
  /** PEM. */
  readonly publicKey: string

  /** `pem` is what `newSigningKey` made. */
  constructor(pem: string) {
    this.#privateKey = createPrivateKey(pem)
    this.#publicKey = createPublicKey(this.#privateKey)
    const der = this.#publicKey.export({ type: 'spki', format: 'der' })
    this.id = createHash('sha256').update(der).digest('hex').slice(0, 16)
    this.publicKey = this.#publicKey.export({ type: 'spki', format: 'pem' }).toString()
  }

  /** The signature in base64url. */
  sign(statement: string): string {
    return sign(null, Buffer.from(statement), this.#privateKey).toString('base64url')
  }

  isSigned(statement: string, signature: string): boolean {
    const bytes = Buffer.from(signature, 'base64url')
    return (
      bytes.toString('base64url') === signature &&
      verify(null, Buffer.from(statement), this.#publicKey, bytes)
    )
  }
}

/** A new private key, PKCS #8 in PEM. */
export function newSigningKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}
