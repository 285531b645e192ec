import { ApiError } from '../domain/error.ts'
import { type JsonObject, asObject } from '../domain/proto-json.ts'
import type { Outcome } from '../domain/usage.ts'
import type { Reply } from '../http/reply.ts'
import { boundsOf } from './bounds.ts'
import type { Gateway, Grant } from './call.ts'
import { countPromptTokens } from './count-tokens.ts'
import { filterModels } from './model-list.ts'
import type { OpenCall } from './open-calls.ts'
import { wantsEvents } from './query.ts'
import { type ReplyFacts, readReply, servedAs, usageOfPrompt } from './read-usage.ts'
import { replyHeaders } from './reply-headers.ts'
import { type Ending, settle } from './settle.ts'
import { ElementSplitter, EventSplitter } from './splitter.ts'
import { StreamMeter } from './stream-meter.ts'
import type { AnswerHead, UpstreamAnswer, WholeAnswer } from './upstream-answer.ts'
import { judgeError } from './upstream-error.ts'

/**
 * Turns a whole answer of the upstream into the reply, which leaves after its usage is durable (MONEY.md rule 20).
 * Throws UPSTREAM_BROKEN for an answer that is none, settled.
 */
export async function meterUnary(answer: WholeAnswer, open: OpenCall, io: Gateway): Promise<Reply> {
  const { status, body } = answer
  if (status >= 400) return refusal(answer, body, { open, io })
  if (status >= 300) throw await redirected(answer, open, io)
  const { grant } = open
  const json = parseReply(body)
  if (json === null) {
    const httpStatus = open.given() ?? 502
    const { atMs: firstByteAtMs, endedAtMs: lastByteAtMs } = answer
    await settle(open, { outcome: 'estimated', httpStatus, firstByteAtMs, lastByteAtMs }, io)
    throw new ApiError('UPSTREAM_BROKEN', 'The upstream answered with something that is no JSON.')
  }
  const reply = filterModels(json, grant) ?? body
  const metered = meteredBy(grant, json)
  const isUntold = metered.usage === null && grant.method.metering === 'embedding'
  const { outcome, usage, modelVersion, grounding } = isUntold ? await counted(metered, grant, io) : metered
  const served = servedAs(answer.serviceTier, grounding)
  const ending: Ending = {
    outcome,
    usage,
    modelVersion,
    served,
    httpStatus: open.given() ?? status,
    firstByteAtMs: answer.atMs,
    lastByteAtMs: answer.endedAtMs,
    responseBytes: reply.length,
  }
  await settle(open, ending, io)
  return { status, headers: headersOf(open, answer), body: reply }
}

interface Metered extends ReplyFacts {
  readonly outcome: Outcome
}

const UNMETERED: Metered = { outcome: 'unmetered', usage: null, modelVersion: null, grounding: null }

/** What a whole reply says of its usage, by what the method table says of it. */
function meteredBy(grant: Grant, json: JsonObject): Metered {
  if (grant.method.metering === 'none') return UNMETERED
  const { usage, modelVersion, grounding } = readReply(json)
  return { outcome: usage === null ? 'estimated' : 'posted', usage, modelVersion, grounding }
}

/**
 * An embedding without usage, by what Google counts in what was sent, else by its bound (MONEY.md rule 17). Never above the
 * bound, for which its hold was made: a model reads no more than its limit, however long the text is.
 */
async function counted(metered: Metered, grant: Grant, io: Gateway): Promise<Metered> {
  const { promptTokensBound } = boundsOf(grant, io.modelLimits.find(grant.model), [])
  const tokens = await countPromptTokens(grant, io.upstream)
  const usage = usageOfPrompt(Math.min(tokens ?? promptTokensBound, promptTokensBound))
  return { ...metered, outcome: tokens === null ? 'estimated' : 'posted', usage }
}

/** An error of the upstream, on its way to the caller: nothing is billed for it (gemini-wire 2.7). */
async function refusal(
  answer: AnswerHead,
  body: Buffer,
  { open, io }: { readonly open: OpenCall; readonly io: Gateway },
): Promise<Reply> {
  const lastByteAtMs = performance.now()
  const { call, grant } = open
  const asArray = grant.method.streams && !wantsEvents(call)
  const scrub = (text: string): string => io.upstream.scrub(text)
  const judged = judgeError({ httpStatus: answer.status, body, asArray, scrub })
  if (judged.credentialReason !== null) {
    const { status: httpStatus } = answer
    io.events.upstreamCredentialRefused({ callId: call.id, httpStatus, reason: judged.credentialReason })
  }
  const httpStatus = open.given() ?? judged.httpStatus
  await settle(open, { outcome: 'void', httpStatus, firstByteAtMs: answer.atMs, lastByteAtMs }, io)
  return {
    status: judged.httpStatus,
    headers: replyHeaders(call, answer, 'application/json; charset=UTF-8'),
    body: judged.body,
  }
}

/** A redirect is never followed: the credential is for one origin only. Nothing was done, so nothing is billed. */
async function redirected(answer: AnswerHead, open: OpenCall, io: Gateway): Promise<ApiError> {
  const error = new ApiError(
    'UPSTREAM_BROKEN',
    `The upstream answered with a redirect (HTTP ${answer.status}). Its operator should check its address.`,
  )
  io.events.upstreamFailed(error, open.call)
  const httpStatus = open.given() ?? error.httpStatus
  await settle(open, { outcome: 'void', httpStatus, firstByteAtMs: answer.atMs }, io)
  return error
}

/** A caller whose output limit was lowered is told to what (MONEY.md rule 13). */
function headersOf({ call, admission }: OpenCall, answer: AnswerHead): Reply['headers'] {
  const headers = replyHeaders(call, answer)
  const { clamped } = admission.hold.money ?? NOT_HELD
  if (clamped !== null) headers['x-pollux-max-output-tokens'] = clamped.maxOutputTokens
  return headers
}

const NOT_HELD = { clamped: null }

const ERROR_BYTES_MAX = 1024 * 1024

/** Turns the answer to a streaming call into the reply. Its usage is settled before its final piece leaves. */
export async function meterStream(answer: UpstreamAnswer, open: OpenCall, io: Gateway): Promise<Reply> {
  if (answer.status >= 400) {
    // A refusal that breaks off is a refusal all the same.
    const body = await answer.collect(ERROR_BYTES_MAX).catch(() => Buffer.alloc(0))
    return refusal(answer, body, { open, io })
  }
  if (answer.status >= 300) {
    const error = await redirected(answer, open, io)
    answer.abort(error)
    throw error
  }
  return passOn(answer, open, io)
}

function passOn(answer: UpstreamAnswer, open: OpenCall, io: Gateway): Reply {
  const { call } = open
  const events = wantsEvents(call)
  const meter = new StreamMeter({
    answer,
    events,
    splitter: events ? new EventSplitter() : new ElementSplitter(),
    pieceBytesMax: io.limits.replyBytesMax,
    scrub: text => io.upstream.scrub(text),
    settle: async ending => {
      io.openCalls.remove(open)
      await settle(open, ending, io)
    },
    onCredentialRefused: reason =>
      io.events.upstreamCredentialRefused({ callId: call.id, httpStatus: 200, reason }),
  })
  const given = open.given()
  open.onCut = error => meter.cut(error, io.limits.drainMs)
  if (given !== null) meter.leave(io.limits.drainMs, given)
  else call.response.once('close', () => meter.leave(io.limits.drainMs))
  return { status: answer.status, headers: headersOf(open, answer), body: meter }
}

function parseReply(body: Buffer): JsonObject | null {
  try {
    return asObject(JSON.parse(body.toString('utf8')))
  } catch {
    // Said to the caller as UPSTREAM_BROKEN; the text itself is of no use to anybody.
    return null
  }
}
