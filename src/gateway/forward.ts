import type { Admission, Call, Gateway, Grant } from './call.ts'
import { forwardedQuery } from './query.ts'
import type { Drain } from './drain.ts'
import type { UpstreamAnswer } from './upstream-answer.ts'

/** Request headers that reach the upstream. Everything else stays here: credentials, cookies, hop-by-hop, addresses. */
const FORWARDED_HEADERS = ['user-agent', 'x-goog-api-client', 'x-server-timeout', 'accept-language'] as const

/** Sends an admitted call upstream, under our credential. Rejects with ForwardFailure. */
export function forward(
  admission: Admission,
  call: Call,
  io: Pick<Gateway, 'upstream'> & { readonly drain: Drain },
): Promise<UpstreamAnswer> {
  return io.upstream.send({
    httpMethod: admission.method.httpMethod,
    path: upstreamPath(admission, call),
    headers: upstreamHeaders(admission, call),
    body: admission.body,
    onStart: abort => io.drain.started(abort),
  })
}

/** The target, built anew from what was authorized: nothing of the caller's own text but checked parameters. */
function upstreamPath(grant: Grant, call: Call): string {
  const { method, apiVersion, model } = grant
  const verb = method.body === 'none' ? '' : `:${method.name.charAt(0).toLowerCase()}${method.name.slice(1)}`
  const resource = model === '' ? 'models' : `models/${encodeURIComponent(model)}${verb}`
  return `/${apiVersion}/${resource}${forwardedQuery(call)}`
}

function upstreamHeaders(grant: Grant, call: Call): string[] {
  const headers = ['accept', 'application/json, text/event-stream', 'accept-encoding', 'identity']
  if (grant.method.body !== 'none') headers.push('content-type', 'application/json')
  for (const name of FORWARDED_HEADERS) {
    const value = call.request.headers[name]
    if (typeof value === 'string') headers.push(name, value)
  }
  return headers
}
