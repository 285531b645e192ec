import type { SERVER_V1 } from '../contract/server.v1.ts'
import type { Handlers } from './call.ts'

/** What a client may know of the server it talks to. */
export interface ServerFacts {
  readonly version: string
  readonly upstream: 'SANDBOX' | 'GEMINI'
  /** Origin of the data plane; null: the one that was asked. */
  readonly callOrigin: string | null
  /** Ids of the models that have a price. */
  readonly models: readonly string[]
}

export function serverHandlers({ callOrigin, models, ...facts }: ServerFacts): Handlers<typeof SERVER_V1> {
  const sorted = [...models].sort()
  return {
    async getServer({ callerIp }) {
      return {
        ...facts,
        models: sorted,
        ...(callOrigin === null ? {} : { callOrigin }),
        ...(callerIp === '' ? {} : { clientAddress: callerIp }),
      }
    },
  }
}
