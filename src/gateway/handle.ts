import type { ClientFacts } from '../domain/restriction.ts'
import type { ApiError } from '../domain/error.ts'
import type { Exchange } from '../http/listener.ts'
import { renderError, toApiError } from '../http/render.ts'
import { type Reply, writeReply } from '../http/reply.ts'
import { admit } from './admit.ts'
import { authorize } from './authorize.ts'
import type { Admission, Call, Gateway } from './call.ts'
import { Drain } from './drain.ts'
import { forward } from './forward.ts'
import { identify } from './identify.ts'
import { meter } from './meter.ts'
import type { OpenCall } from './open-calls.ts'
import { wantsEvents } from './query.ts'
import { PREFLIGHT_HEADERS, ownHeaders } from './reply-headers.ts'
import { settle } from './settle.ts'
import { ForwardFailure } from './upstream.ts'

/** Answers one request of the data plane. Never throws: what goes wrong is the answer. */
export async function serve(exchange: Exchange, io: Gateway): Promise<void> {
  const call = callOf(exchange)
  if (call.request.method === 'OPTIONS') {
    const headers = { ...ownHeaders(call.request, call.id), ...PREFLIGHT_HEADERS }
    writeReply(call.response, { status: 204, headers, body: Buffer.alloc(0) })
    return
  }
  try {
    writeReply(call.response, await handle(call, io))
  } catch (thrown) {
    const error = toApiError(thrown)
    io.events.callRefused(error, call)
    writeReply(call.response, errorReply(error, call))
  }
}

/** The way of a call. Each step needs the evidence of the one before, so none can be left out. */
async function handle(call: Call, io: Gateway): Promise<Reply> {
  const caller = await identify(call, io)
  const grant = await authorize(caller, call, io)
  try {
    const admission = await admit(grant, call, io)
    return await run(admission, call, io)
  } finally {
    io.bodies.give(grant.requestBytes)
  }
}

/** Forwards and meters an admitted call. It is open, and so can be cut, until it is settled. */
async function run(admission: Admission, call: Call, io: Gateway): Promise<Reply> {
  let cutStatus: number | null = null
  const open: OpenCall & { readonly grant: Admission } = {
    call,
    grant: admission,
    entry: admission.entry,
    given: () => cutStatus ?? (call.response.destroyed ? 499 : null),
    cut: error => {
      cutStatus = error.httpStatus
      writeReply(call.response, errorReply(error, call))
    },
  }
  io.openCalls.add(open)
  const drain = new Drain(call, io.limits.drainMs)
  try {
    const answer = await forward(admission, call, { upstream: io.upstream, drain })
    return await meter(answer, open, io)
  } catch (thrown) {
    const failure = thrown instanceof ForwardFailure ? thrown : null
    const error = failure?.error ?? toApiError(thrown)
    const given = open.given()
    if (failure !== null && given === null) io.events.upstreamFailed(error, call)
    if (!admission.hold.settled) {
      const outcome = failure?.sent === false ? 'void' : 'estimated'
      await settle(admission, call, { ending: { outcome, httpStatus: given ?? error.httpStatus }, io })
    }
    throw error
  } finally {
    drain.stop()
    if (admission.hold.settled) io.openCalls.remove(open)
  }
}

function callOf({ request, response, target, requestId, clientAddress }: Exchange): Call {
  const { headers } = request
  return {
    id: requestId,
    startTimeMs: Date.now(),
    startedMs: performance.now(),
    request,
    response,
    target,
    client: clientFacts(clientAddress, headers),
  }
}

/** Built by hand rather than from parts: it runs once for every call. */
function clientFacts(address: string, headers: Exchange['request']['headers']): ClientFacts {
  const facts: { -readonly [Name in keyof ClientFacts]: ClientFacts[Name] } = { address }
  const { referer, origin } = headers
  if (referer !== undefined) facts.referer = referer
  if (origin !== undefined) facts.origin = origin
  const androidPackage = headers['x-android-package']
  const androidCert = headers['x-android-cert']
  const iosBundleId = headers['x-ios-bundle-identifier']
  if (typeof androidPackage === 'string') facts.androidPackage = androidPackage
  if (typeof androidCert === 'string') facts.androidCert = androidCert
  if (typeof iosBundleId === 'string') facts.iosBundleId = iosBundleId
  return facts
}

/** An error as Google sends it: wrapped in an array where the stream would have been one. */
function errorReply(error: ApiError, call: Call): Reply {
  const isArray = call.target.path.endsWith(':streamGenerateContent') && !wantsEvents(call)
  return {
    status: error.httpStatus,
    headers: { ...ownHeaders(call.request, call.id), 'content-type': 'application/json; charset=UTF-8' },
    body: renderError(error, isArray ? 'array' : 'object'),
    // Whatever of the body was not read is not wanted any more.
    close: !call.request.complete,
  }
}
