import type { SERVER_V1 } from '../contract/server.v1.ts'
import type { DegradedModeName } from '../domain/degraded-mode.ts'
import type { Handlers } from './call.ts'
import type { Prices } from './prices.ts'

/** What a client may know of the server it talks to. */
export interface ServerFacts {
  readonly version: string
  readonly upstream: 'SANDBOX' | 'GEMINI'
  /** Whether what it holds is made up to be looked at. */
  readonly demo: boolean
  /** Origin of the data plane; null: the one that was asked. */
  readonly callOrigin: string | null
  /** What is away now. */
  readonly degradedModes: () => readonly DegradedModeName[]
}

export function serverHandlers(
  { callOrigin, degradedModes, ...facts }: ServerFacts,
  prices: Pick<Prices, 'models'>,
): Handlers<typeof SERVER_V1> {
  return {
    async getServer({ callerIp }) {
      return {
        ...facts,
        degradedModes: [...degradedModes()],
        models: prices.models().sort(),
        ...(callOrigin === null ? {} : { callOrigin }),
        ...(callerIp === '' ? {} : { clientAddress: callerIp }),
      }
    },
  }
}
