import type { IncomingMessage } from 'node:http'

/** What the listener found out about a request before anybody else looked at it. */
export interface RequestFacts {
  /** Sent back as `x-request-id` and written to every record of the request. */
  readonly requestId: string
  /** The client's address after trusted proxies, in canonical form; empty when it cannot be told. */
  readonly clientAddress: string
}

const facts = new WeakMap<IncomingMessage, RequestFacts>()

/** Remembers the facts for as long as the request lives. */
export function noteFacts(request: IncomingMessage, noted: RequestFacts): void {
  facts.set(request, noted)
}

/** The facts of a request that came through the listener. */
export function factsOf(request: IncomingMessage): RequestFacts {
  return facts.get(request) ?? { requestId: 'unknown', clientAddress: '' }
}
