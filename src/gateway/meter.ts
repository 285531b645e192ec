import { ApiError } from '../domain/error.ts'
import { type JsonObject, asObject } from '../domain/proto-json.ts'
import type { Reply } from '../http/reply.ts'
import type { Admission, Gateway } from './call.ts'
import { filterModels } from './model-list.ts'
import type { OpenCall } from './open-calls.ts'
import { wantsEvents } from './query.ts'
import { boundByBytes, readReply } from './read-usage.ts'
import { replyHeaders } from './reply-headers.ts'
import { type Ending, settle } from './settle.ts'
import { ElementSplitter, EventSplitter } from './splitter.ts'
import { StreamMeter } from './stream-meter.ts'
import type { UpstreamAnswer } from './upstream-answer.ts'
import { judgeError } from './upstream-error.ts'
import { failureOf } from './upstream.ts'

/**
 * Turns the upstream's answer into the reply, and settles the admission on the way. The last byte of the reply leaves
 * after its usage is durable; whatever goes wrong meanwhile is settled too.
 */
export async function meter(
  answer: UpstreamAnswer,
  open: OpenCall & { readonly grant: Admission },
  io: Gateway,
): Promise<Reply> {
  const { grant: admission, call } = open
  if (answer.status >= 400) return refusal(answer, open, io)
  if (answer.status >= 300) return redirected(answer, open, io)
  if (admission.method.streams) return stream(answer, open, io)
  const ending = { firstByteAtMs: answer.atMs }
  let body: Buffer
  try {
    body = await answer.collect(io.limits.replyBytesMax)
  } catch (cause) {
    const error = failureOf(cause as Error)
    await settle(admission, call, {
      ending: { ...ending, outcome: 'estimated', httpStatus: open.given() ?? error.httpStatus },
      io,
    })
    throw error
  }
  const json = parseReply(body)
  if (json === null) {
    await settle(admission, call, {
      ending: { ...ending, outcome: 'estimated', httpStatus: open.given() ?? 502 },
      io,
    })
    throw new ApiError('UPSTREAM_BROKEN', 'The upstream answered with something that is no JSON.')
  }
  const reply = filterModels(json, admission) ?? body
  const httpStatus = open.given() ?? answer.status
  await settle(admission, call, {
    ending: { ...ending, ...meteredBy(admission, json), httpStatus, responseBytes: reply.length },
    io,
  })
  return { status: answer.status, headers: replyHeaders(call, answer), body: reply }
}

/** The outcome of a whole reply, by what the method table says of its usage. */
function meteredBy(
  admission: Admission,
  json: JsonObject,
): Pick<Ending, 'outcome' | 'usage' | 'modelVersion'> {
  if (admission.method.metering === 'none') return { outcome: 'unmetered' }
  const facts = readReply(json)
  if (facts.usage !== null) return { ...facts, outcome: 'posted' }
  const usage = admission.method.metering === 'embedding' ? boundByBytes(admission.requestBytes) : null
  return { ...facts, usage, outcome: 'estimated' }
}

/** An error of the upstream, on its way to the caller: nothing is billed for it (gemini-wire 2.7). */
async function refusal(
  answer: UpstreamAnswer,
  open: OpenCall & { readonly grant: Admission },
  io: Gateway,
): Promise<Reply> {
  const { grant: admission, call } = open
  const asArray = admission.method.streams && !wantsEvents(call)
  let body: Buffer
  try {
    body = await answer.collect(ERROR_BYTES_MAX)
  } catch {
    // A refusal that breaks off is a refusal all the same.
    body = Buffer.alloc(0)
  }
  const scrub = (text: string): string => io.upstream.scrub(text)
  const judged = judgeError({ httpStatus: answer.status, body, asArray, scrub })
  if (judged.credentialReason !== null) {
    const { status: httpStatus } = answer
    io.events.upstreamCredentialRefused({ callId: call.id, httpStatus, reason: judged.credentialReason })
  }
  const httpStatus = open.given() ?? judged.httpStatus
  const ending = { outcome: 'void', httpStatus, firstByteAtMs: answer.atMs } as const
  await settle(admission, call, { ending, io })
  return {
    status: judged.httpStatus,
    headers: replyHeaders(call, answer, 'application/json; charset=UTF-8'),
    body: judged.body,
  }
}

/** A redirect is never followed: the credential is for one origin only. Nothing was done, so nothing is billed. */
async function redirected(
  answer: UpstreamAnswer,
  open: OpenCall & { readonly grant: Admission },
  io: Gateway,
): Promise<never> {
  const error = new ApiError(
    'UPSTREAM_BROKEN',
    `The upstream answered with a redirect (HTTP ${answer.status}). Its operator should check its address.`,
  )
  answer.abort(error)
  io.events.upstreamFailed(error, open.call)
  const httpStatus = open.given() ?? error.httpStatus
  const ending = { outcome: 'void', httpStatus, firstByteAtMs: answer.atMs } as const
  await settle(open.grant, open.call, { ending, io })
  throw error
}

const ERROR_BYTES_MAX = 1024 * 1024

function stream(answer: UpstreamAnswer, open: OpenCall & { readonly grant: Admission }, io: Gateway): Reply {
  const { grant: admission, call } = open
  const events = wantsEvents(call)
  const meter = new StreamMeter({
    answer,
    events,
    splitter: events ? new EventSplitter() : new ElementSplitter(),
    pieceBytesMax: io.limits.replyBytesMax,
    scrub: text => io.upstream.scrub(text),
    settle: async ending => {
      io.openCalls.remove(open)
      await settle(admission, call, { ending, io })
    },
    onCredentialRefused: reason =>
      io.events.upstreamCredentialRefused({ callId: call.id, httpStatus: 200, reason }),
  })
  open.cut = error => meter.cut(error, io.limits.drainMs)
  const given = open.given()
  if (given !== null) meter.leave(io.limits.drainMs, given)
  else call.response.once('close', () => meter.leave(io.limits.drainMs))
  return { status: answer.status, headers: replyHeaders(call, answer), body: meter }
}

function parseReply(body: Buffer): JsonObject | null {
  try {
    return asObject(JSON.parse(body.toString('utf8')))
  } catch {
    // Said to the caller as UPSTREAM_BROKEN; the text itself is of no use to anybody.
    return null
  }
}
