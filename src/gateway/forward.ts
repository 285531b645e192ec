import type { Admission, Call, Grant } from './call.ts'
import { forwardedQuery } from './query.ts'
import type { UpstreamRequest } from './upstream-answer.ts'

/** The request that goes upstream for an admitted call: what was authorized, and nothing else of the caller's. */
export function upstreamRequest({ grant, body }: Admission, call: Call): UpstreamRequest {
  return {
    httpMethod: grant.method.httpMethod,
    path: grant.upstreamPath + forwardedQuery(call),
    fields: upstreamFields(grant, call),
    body,
  }
}

/** Everything that is not named here stays here: credentials, cookies, hop-by-hop, addresses. */
function upstreamFields(grant: Grant, call: Call): string {
  let fields = grant.method.body === 'none' ? PLAIN_FIELDS : JSON_FIELDS
  const given = call.request.headers
  const client = given['x-goog-api-client']
  const timeout = given['x-server-timeout']
  const language = given['accept-language']
  if (given['user-agent'] !== undefined) fields += `user-agent: ${given['user-agent']}\r\n`
  if (typeof client === 'string') fields += `x-goog-api-client: ${client}\r\n`
  if (typeof timeout === 'string') fields += `x-server-timeout: ${timeout}\r\n`
  if (language !== undefined) fields += `accept-language: ${language}\r\n`
  return fields
}

const PLAIN_FIELDS = 'accept: application/json, text/event-stream\r\naccept-encoding: identity\r\n'
const JSON_FIELDS = `${PLAIN_FIELDS}content-type: application/json\r\n`
