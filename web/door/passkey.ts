/** Passkeys by the browser's own JSON (WebAuthn level 3, 5.1): made, and used to say who one is. */
import type { BodyOf, ResponseOf } from '../../src/contract/endpoint.ts'
import type { SIGN_IN_V1 } from '../../src/contract/sign-in.v1.ts'

type PasskeyOptions = ResponseOf<typeof SIGN_IN_V1.startPasskey>
export type PasskeyAnswer = BodyOf<typeof SIGN_IN_V1.signInWithPasskey>['passkey']

/** Whether this browser has them; whether this address does says the server. */
export function hasPasskeys(): boolean {
  return typeof PublicKeyCredential === 'function' && 'parseCreationOptionsFromJSON' in PublicKeyCredential
}

/** Rejects with an Error that says what to do when the browser gives none. */
export function makePasskey({ challengeId, options }: PasskeyOptions): Promise<PasskeyAnswer> {
  const json = options as unknown as PublicKeyCredentialCreationOptionsJSON
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(json)
  return answered(challengeId, navigator.credentials.create({ publicKey }))
}

/** Rejects as `makePasskey` does. */
export function askPasskey({ challengeId, options }: PasskeyOptions): Promise<PasskeyAnswer> {
  const json = options as unknown as PublicKeyCredentialRequestOptionsJSON
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(json)
  return answered(challengeId, navigator.credentials.get({ publicKey }))
}

async function answered(challengeId: string, asked: Promise<Credential | null>): Promise<PasskeyAnswer> {
  let credential: Credential | null
  try {
    credential = await asked
  } catch (cause) {
    // Browsers give one name to a refusal, a cancellation and a timeout, so that pages cannot tell who has a passkey.
    throw new Error(
      'The browser gave no passkey: it was cancelled, took too long, or has none for this address.',
      {
        cause,
      },
    )
  }
  if (!(credential instanceof PublicKeyCredential))
    throw new Error('The browser gave something else than a passkey.')
  return { challengeId, credential: { ...credential.toJSON() } }
}
