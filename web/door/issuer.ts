/** The way to the OpenID Connect issuer, and back to where one was. */
import { SIGN_IN_V1 } from '../../src/contract/sign-in.v1.ts'
import { stranger } from '../session.ts'

const STORAGE_KEY = 'pollux.to'

/** Leaves the console. `to` is where the callback leads. Rejects with ContractError, ISSUER_UNAVAILABLE before all. */
export async function goToIssuer(to: string): Promise<void> {
  const { authorizationUri } = await stranger.call(SIGN_IN_V1.startOidc, { body: {} })
  sessionStorage.setItem(STORAGE_KEY, to)
  location.assign(authorizationUri)
}

/** Where to go from the callback. */
export function wayBack(): string {
  return sessionStorage.getItem(STORAGE_KEY) ?? '/'
}
