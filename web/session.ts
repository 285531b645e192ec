/** Who is signed in, and the client that speaks for them. The only place that knows what a sign-in is made of. */
import { useSyncExternalStore } from 'react'
import { type Client, ContractError, createClient } from '../src/contract/client.ts'
import { SERVER_V1 } from '../src/contract/server.v1.ts'

/** Kept until the tab closes, so that loading the page again asks for nothing. */
const STORAGE_KEY = 'pollux.token'

let token = sessionStorage.getItem(STORAGE_KEY)
const listeners = new Set<() => void>()

/** The client of whoever is signed in. Rejects with ACCESS_TOKEN_MISSING when nobody is. */
export const client: Client = {
  async call(endpoint, input) {
    try {
      return await clientOf(token ?? '').call(endpoint, input)
    } catch (error) {
      // The token was revoked, or the server has another database.
      if (error instanceof ContractError && error.httpStatus === 401) signOut()
      throw error
    }
  },
}

/** Signs in when the server takes the token. Rejects with ContractError. */
export async function signIn(given: string): Promise<void> {
  await clientOf(given).call(SERVER_V1.getServer, {})
  token = given
  sessionStorage.setItem(STORAGE_KEY, given)
  tell()
}

export function signOut(): void {
  if (token === null) return
  token = null
  sessionStorage.removeItem(STORAGE_KEY)
  tell()
}

export function useIsSignedIn(): boolean {
  return useSyncExternalStore(subscribe, () => token !== null)
}

function clientOf(bearer: string): Client {
  return createClient({ baseUrl: location.origin, token: bearer })
}

function tell(): void {
  for (const listener of listeners) listener()
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}
