/** Who is signed in, and the client that speaks for them. The only place that knows what a sign-in is made of. */
import { type Client, ContractError, createClient } from '../src/contract/client.ts'
import type { ResponseOf } from '../src/contract/endpoint.ts'
import { SESSION_V1 } from '../src/contract/sign-in.v1.ts'
import { isLeftAlone } from './activity.ts'
import { answerProof, askForProof } from './door/proof.ts'

export type Who = ResponseOf<typeof SESSION_V1.getSession>

/** Kept until the tab closes, so that loading the page again asks for nothing. A session is a cookie that no script sees. */
const STORAGE_KEY = 'pollux.token'

let token = sessionStorage.getItem(STORAGE_KEY)
let onSignedOut = (): void => {}
/** How many sign-ins of this page have ended: an answer to one of them says nothing of the next. */
let ended = 0

/** For the door, where a refusal is about what was typed and ends nothing. */
export const stranger: Client = clientOf(null)

/**
 * The client of whoever is signed in. A session that ended leads to the door. What asks for a fresh proof is asked again
 * when there is one, and rejects with STEP_UP_REQUIRED when the person would not give it.
 */
export const client: Client = {
  async call(endpoint, input) {
    const attempt = async () => {
      const endedBefore = ended
      try {
        return await clientOf(token).call(endpoint, input)
      } catch (error) {
        if (isSessionOver(error) && endedBefore === ended) forget()
        throw error
      }
    }
    try {
      return await attempt()
    } catch (error) {
      const isProofMissing = error instanceof ContractError && error.reason === 'STEP_UP_REQUIRED'
      if (!isProofMissing || !(await askForProof())) throw error
      return await attempt()
    }
  },
}

/** Null when nobody is signed in. */
export async function askWho(): Promise<Who | null> {
  try {
    return await clientOf(token).call(SESSION_V1.getSession, {})
  } catch (error) {
    if (!isSessionOver(error)) throw error
    setToken(null)
    return null
  }
}

/** Signs in when the server takes the token. Rejects with ContractError. */
export async function signInByToken(given: string): Promise<Who> {
  const who = await clientOf(given).call(SESSION_V1.getSession, {})
  setToken(given)
  return who
}

/** Ends the session at the server; a token is only forgotten. Rejects with ContractError when the server did not hear it. */
export async function signOut(): Promise<void> {
  try {
    if (token === null) await clientOf(null).call(SESSION_V1.signOut, { body: {} })
  } catch (error) {
    if (!isSessionOver(error)) throw error
  }
  forget()
}

/** Runs when nobody is signed in any more, for whatever reason. */
export function whenSignedOut(listener: () => void): void {
  onSignedOut = listener
}

/** A proof that was refused (SIGN_IN_FAILED) ends nothing. */
function isSessionOver(error: unknown): boolean {
  return error instanceof ContractError && error.httpStatus === 401 && error.reason !== 'SIGN_IN_FAILED'
}

function forget(): void {
  ended++
  setToken(null)
  answerProof(false)
  onSignedOut()
}

function setToken(value: string | null): void {
  token = value
  if (value === null) sessionStorage.removeItem(STORAGE_KEY)
  else sessionStorage.setItem(STORAGE_KEY, value)
}

function clientOf(bearer: string | null): Client {
  return createClient({ baseUrl: location.origin, token: bearer, isAutomatic: isLeftAlone })
}
