import type { Admission, Call, Grant } from './call.ts'
import { forwardedQuery } from './query.ts'
import type { UpstreamRequest } from './upstream-answer.ts'

/** The request that goes upstream for an admitted call: what was authorized, and nothing else of the caller's. */
export function upstreamRequest({ grant, body }: Admission, call: Call): UpstreamRequest {
  return {
    httpMethod: grant.method.httpMethod,
    path: grant.upstreamPath + forwardedQuery(call),
    headers: upstreamHeaders(grant, call),
    body,
  }
}

/** Everything that is not named here stays here: credentials, cookies, hop-by-hop, addresses. */
function upstreamHeaders(grant: Grant, call: Call): string[] {
  const headers = ['accept', 'application/json, text/event-stream', 'accept-encoding', 'identity']
  if (grant.method.body !== 'none') headers.push('content-type', 'application/json')
  const given = call.request.headers
  const client = given['x-goog-api-client']
  const timeout = given['x-server-timeout']
  if (given['user-agent'] !== undefined) headers.push('user-agent', given['user-agent'])
  if (typeof client === 'string') headers.push('x-goog-api-client', client)
  if (typeof timeout === 'string') headers.push('x-server-timeout', timeout)
  if (given['accept-language'] !== undefined) headers.push('accept-language', given['accept-language'])
  return headers
}
