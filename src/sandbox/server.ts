/** The sandbox: a deterministic Gemini API on a socket of its own, an upstream like any other. */
import { hash, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { ApiError } from '../domain/error.ts'
import { deliverError, deliverReply, deliverStream, hang } from './deliver.ts'
import type { Delivery } from './deliver.ts'
import { batchEmbedContents, embedContent } from './embed.ts'
import { invalidArgument, parseMessage } from './fields.ts'
import type { Message } from './fields.ts'
import { generate } from './generate.ts'
import { getModel, listModels, modelFor, VERBS } from './models.ts'
import type { Model, Verb } from './models.ts'
import {
  internalError,
  invalidCredential,
  overloaded,
  quotaExceeded,
  suspendedConsumer,
  unknownPath,
  unregisteredCaller,
} from './refusal.ts'
import { chunksOf, wholeReply } from './reply.ts'
import { parseCountRequest, parseGenerateRequest } from './request.ts'
import { totalTokens } from './tokens.ts'

const BODY_BYTES_MAX = 64 * 1024 * 1024
const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 120_000
/** Longer than clients keep a connection, so that it is they who close it. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000

export interface SandboxOptions {
  /** Default 127.0.0.1. */
  readonly host?: string
  /** Default 0: any free port. */
  readonly port?: number
  /** What callers must send as `x-goog-api-key`. */
  readonly credential: string
}

export interface Sandbox {
  /** E.g. `http://127.0.0.1:43210`. */
  readonly origin: string
  /** Ends every connection at once, open streams included. */
  close(): Promise<void>
}

/** Starts a sandbox. Rejects if the address cannot be listened on. */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { host = '127.0.0.1', port = 0, credential } = options
  const server = createServer({
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
  })
  server.on('request', (request, response) => void handle(request, response, credential))
  // Of several nodes behind one port each has a sandbox of its own.
  server.listen({ port, host, exclusive: true })
  await once(server, 'listening')
  const address = server.address()
  const boundPort = typeof address === 'object' && address !== null ? address.port : port
  return {
    origin: `http://${host.includes(':') ? `[${host}]` : host}:${boundPort}`,
    async close() {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

interface Route {
  readonly version: string
  /** Empty for the list of models. */
  readonly modelId: string
  readonly verb: Verb | null
}

/** `/v1beta/models/x:generateContent` and its like; null for anything else. */
function routeOf(method: string, path: string): Route | null {
  const [, version = '', rest = ''] = /^\/(v1|v1beta|v1alpha)\/models(?:\/([^/]+))?$/.exec(path) ?? []
  if (version === '') return null
  let target: string
  try {
    target = decodeURIComponent(rest)
  } catch {
    return null
  }
  const [modelId = '', name, ...more] = target.split(':')
  if (name === undefined) return method === 'GET' ? { version, modelId, verb: null } : null
  const verb = VERBS.find(verb => verb === name)
  return method === 'POST' && verb !== undefined && more.length === 0 ? { version, modelId, verb } : null
}

/** Answers every request, whatever happens; never rejects. */
async function handle(request: IncomingMessage, response: ServerResponse, credential: string): Promise<void> {
  // A reply depends on nothing but the request: without the clock there is no Date either.
  response.sendDate = false
  const [path = '', search = ''] = (request.url ?? '').split('?', 2)
  const query = new URLSearchParams(search)
  const route = routeOf(request.method ?? '', path)
  const streamed = query.get('alt') === 'sse' || query.get('$alt') === 'sse' ? 'sse' : 'array'
  const delivery: Delivery = {
    framing: route?.verb === 'streamGenerateContent' ? streamed : 'json',
    pretty: query.get('prettyPrint') !== 'false',
  }
  try {
    if (route === null) throw unknownPath()
    authenticate(request, credential)
    if (route.verb === null) {
      const reply = route.modelId === '' ? listModels(query) : getModel(route.modelId, route.version)
      await deliverReply(response, reply, { behaviour: 'answer', pretty: delivery.pretty })
      return
    }
    const body = await readBody(request)
    await answer(response, { ...delivery, body, credential, ...route, verb: route.verb })
  } catch (error) {
    if (bodyAbandoned(request)) response.shouldKeepAlive = false
    deliverError(response, error instanceof ApiError ? error : internalError(error), delivery.framing)
  }
}

/** Throws Google's 403 or 400. Compared by digest, so that the time tells nothing. */
function authenticate(request: IncomingMessage, credential: string): void {
  const given = request.headers['x-goog-api-key']
  if (typeof given !== 'string' || given === '') throw unregisteredCaller()
  if (!timingSafeEqual(hash('sha256', given, 'buffer'), hash('sha256', credential, 'buffer'))) {
    throw invalidCredential()
  }
}

function declaredBytes(request: IncomingMessage): number {
  return Number(request.headers['content-length'] ?? 0)
}

/** Throws 400 without reading on where the body is too large. */
async function readBody(request: IncomingMessage): Promise<Buffer> {
  const tooLarge = invalidArgument(`Request payload size exceeds the limit: ${BODY_BYTES_MAX} bytes.`)
  if (declaredBytes(request) > BODY_BYTES_MAX) throw tooLarge
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    const buffer = chunk as Buffer
    bytes += buffer.length
    if (bytes > BODY_BYTES_MAX) throw tooLarge
    chunks.push(buffer)
  }
  return Buffer.concat(chunks)
}

/** Whether a body was given up: what is left of it must not be taken for the connection's next request. */
function bodyAbandoned(request: IncomingMessage): boolean {
  return declaredBytes(request) > BODY_BYTES_MAX || (request.readableDidRead && !request.complete)
}

interface ModelCall extends Delivery {
  readonly version: string
  readonly modelId: string
  readonly verb: Verb
  readonly body: Buffer
  readonly credential: string
}

async function answer(response: ServerResponse, call: ModelCall): Promise<void> {
  const model = modelFor(call.modelId, call.version, call.verb)
  const { behaviour } = model
  const message = parseMessage(call.body)
  if (behaviour === 'quota') throw quotaExceeded(model.id)
  if (behaviour === 'internal') throw internalError()
  if (behaviour === 'overloaded') throw overloaded()
  if (behaviour === 'credential') throw suspendedConsumer(call.credential)
  const replies = repliesTo(call, model, message)
  if (behaviour === 'hang') return hang(response)
  if (call.framing !== 'json') {
    return deliverStream(response, replies, { behaviour, framing: call.framing })
  }
  return deliverReply(response, replies[0] ?? {}, { behaviour, pretty: call.pretty })
}

/** What the model says: several replies for a stream, else one. Throws 400 and 403. */
function repliesTo(call: ModelCall, model: Model, message: Message): readonly Message[] {
  if (call.verb === 'embedContent') return [embedContent(message, model)]
  if (call.verb === 'batchEmbedContents') return [batchEmbedContents(message, model)]
  if (call.verb === 'countTokens') {
    const { promptTokens } = parseCountRequest(message)
    return [{ totalTokens: totalTokens(promptTokens), promptTokensDetails: promptTokens }]
  }
  const generation = generate(parseGenerateRequest(message), model, responseId(call))
  return call.verb === 'generateContent' ? [wholeReply(generation)] : [...chunksOf(generation)]
}

const RESPONSE_ID_LENGTH = 22

/** The same for the same request. */
function responseId({ verb, modelId, body }: ModelCall): string {
  return hash('sha256', Buffer.concat([Buffer.from(`${verb} ${modelId} `), body]), 'base64url').slice(
    0,
    RESPONSE_ID_LENGTH,
  )
}
