import type { BodyOf, Endpoint, ParamsOf, QueryOf, ResponseOf } from '../contract/endpoint.ts'
import type { Principal } from '../domain/permission.ts'
import type { SignedIn } from './authenticate.ts'
import type { Browser } from './browser.ts'

/** Who asks for what: everything about a management request that does not depend on its endpoint. */
export interface CallFacts {
  readonly endpoint: Endpoint
  readonly principal: Principal
  /** Null for bearers of tokens and for strangers. */
  readonly signedIn: SignedIn | null
  readonly browser: Browser
  readonly requestId: string
  /** Canonical; empty when it cannot be told. */
  readonly callerIp: string
  readonly userAgent: string | null
  /** X-Goog-Request-Reason. */
  readonly requestReason: string | null
}

/** An authenticated, permitted and parsed management request. */
export interface ManagementCall<E> extends CallFacts {
  readonly params: ParamsOf<E>
  readonly query: QueryOf<E>
  readonly body: BodyOf<E>
}

/** What a handler is given, whatever its endpoint: enough to write the audit entry. */
export interface AnyCall extends CallFacts {
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, unknown>>
  readonly body: Readonly<Record<string, unknown>> | null
}

/** One handler for every endpoint of a table; a missing one does not compile. */
export type Handlers<Table> = {
  readonly [Name in keyof Table]: (call: ManagementCall<Table[Name]>) => Promise<ResponseOf<Table[Name]>>
}
