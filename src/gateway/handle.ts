import type { ApiError } from '../domain/error.ts'
import type { ClientFacts } from '../domain/restriction.ts'
import { readBody } from '../http/bytes.ts'
import type { Exchange } from '../http/listener.ts'
import { renderError, toApiError } from '../http/render.ts'
import { type Reply, writeReply } from '../http/reply.ts'
import { admit } from './admit.ts'
import { authorizeBody, authorizeTarget } from './authorize.ts'
import type { Access, Admission, Call, Gateway } from './call.ts'
import { CallCopy } from './call-copy.ts'
import { upstreamRequest } from './forward.ts'
import { identify } from './identify.ts'
import { meterStream, meterUnary } from './meter.ts'
import { OpenCall } from './open-calls.ts'
import { wantsEvents } from './query.ts'
import { PREFLIGHT_HEADERS, ownHeaders, retryHeaders } from './reply-headers.ts'
import { settle } from './settle.ts'
import { ForwardFailure } from './upstream.ts'

/** Answers one request of the data plane. Never throws: what goes wrong is the answer. */
export async function serve(exchange: Exchange, io: Gateway): Promise<void> {
  const call = callOf(exchange)
  if (call.request.method === 'OPTIONS') {
    const headers = { ...ownHeaders(call.request, call.id), ...PREFLIGHT_HEADERS }
    writeReply(call.response, { status: 204, headers, body: NO_BODY })
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

const NO_BODY = Buffer.alloc(0)

/**
 * The way of a call. Each step needs the evidence of the one before, so none can be left out. Steps give promises only
 * where there is something to wait for: most calls wait for their body, the upstream, and their usage to be durable.
 */
async function handle(call: Call, io: Gateway): Promise<Reply> {
  io.intake.check()
  const identified = identify(call, io)
  const caller = identified instanceof Promise ? await identified : identified
  const access = authorizeTarget(caller, call)
  const bytes = await bodyOf(access, call, io)
  call.receivedAtMs = performance.now()
  try {
    const grant = authorizeBody(access, bytes)
    const admitted = admit(grant, call, io)
    const admission = admitted instanceof Promise ? await admitted : admitted
    return await run(admission, call, io)
  } finally {
    io.bodies.give(bytes.length)
  }
}

function bodyOf(access: Access, call: Call, io: Gateway): Buffer | Promise<Buffer> {
  if (access.permitted.method.body === 'none') return NO_BODY
  return readBody(call.request, call.response, {
    bytesMax: io.limits.bodyBytesMax,
    budget: io.bodies,
  })
}

/** Forwards and meters an admitted call. It is open, and so can be cut, until it is settled. */
async function run(admission: Admission, call: Call, io: Gateway): Promise<Reply> {
  const { grant } = admission
  const copy = grant.caller.entry.keepsBodies ? new CallCopy(call, grant, io.bodyLog) : null
  const open = new OpenCall(call, admission, {
    drainMs: io.limits.drainMs,
    onCut: error => {
      const reply = errorReply(error, call)
      writeReply(call.response, copy?.over(reply) ?? reply)
    },
    copy,
  })
  io.openCalls.add(open)
  try {
    const request = upstreamRequest(admission, call)
    const reply = grant.method.streams
      ? await meterStream(await io.upstream.stream(request, open), open, io)
      : await meterUnary(await io.upstream.fetch(request, open, io.limits.replyBytesMax), open, io)
    return copy === null ? reply : copy.over(reply)
  } catch (thrown) {
    const failure = thrown instanceof ForwardFailure ? thrown : null
    const error = failure?.error ?? toApiError(thrown)
    const given = open.given()
    if (failure !== null && given === null) io.events.upstreamFailed(error, call)
    copy?.over(errorReply(error, call))
    if (!admission.hold.settled) {
      const outcome = failure?.sent === false ? 'void' : 'estimated'
      await settle(open, { outcome, httpStatus: given ?? error.httpStatus }, io)
    }
    throw error
  } finally {
    open.stop()
    if (admission.hold.settled) io.openCalls.remove(open)
  }
}

function callOf({ request, response, target, requestId, clientAddress }: Exchange): Call {
  const startedMs = performance.now()
  return {
    id: requestId,
    startTimeMs: Date.now(),
    startedMs,
    receivedAtMs: startedMs,
    request,
    response,
    target,
    client: clientFacts(clientAddress, request.headers),
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
  const headers = ownHeaders(call.request, call.id)
  headers['content-type'] = 'application/json; charset=UTF-8'
  Object.assign(headers, retryHeaders(error))
  return {
    status: error.httpStatus,
    headers,
    body: renderError(error, isArray ? 'array' : 'object'),
    // Whatever of the body was not read is not wanted any more.
    close: !call.request.complete,
  }
}
