import type { IncomingMessage, ServerResponse } from 'node:http'
import createFastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { APIKEYS_V2 } from '../contract/apikeys.v2.ts'
import { AUDIT_V1 } from '../contract/audit.v1.ts'
import {
  KEY_BUDGETS_V1,
  LEDGER_V1,
  ORGANIZATION_BUDGETS_V1,
  PROJECT_BUDGETS_V1,
} from '../contract/budgets.v1.ts'
import { BODIES_V1 } from '../contract/bodies.v1.ts'
import { CALLS_V1 } from '../contract/calls.v1.ts'
import { type Endpoint, fastifyPaths, matchesTemplate } from '../contract/endpoint.ts'
import { ORGANIZATION_IAM_V1, PROJECT_IAM_V3 } from '../contract/iam.v3.ts'
import { POLLUX_V1 } from '../contract/pollux.v1.ts'
import { PRICES_V1 } from '../contract/prices.v1.ts'
import { PROJECTS_V3 } from '../contract/projects.v3.ts'
import { SERVICE_ACCOUNTS_V1 } from '../contract/service-accounts.v1.ts'
import { KEY_QUOTAS_V1, PROJECT_QUOTAS_V1, QUOTAS_V1, TIERS_V1 } from '../contract/quotas.v1.ts'
import { SESSION_V1, SIGN_IN_V1 } from '../contract/sign-in.v1.ts'
import { USERS_V1 } from '../contract/users.v1.ts'
import { SERVER_V1 } from '../contract/server.v1.ts'
import { ENDPOINTS } from '../contract/table.ts'
import { ApiError } from '../domain/error.ts'
import { factsOf } from '../http/facts.ts'
import { assertSingleHeaders } from '../http/headers.ts'
import { renderError, toApiError } from '../http/render.ts'
import { DATA_POLICY } from '../http/reply.ts'
import type { Patiently } from '../storage/patience.ts'
import type { Storage } from '../storage/storage.ts'
import { apikeysHandlers } from './apikeys.ts'
import { auditHandlers } from './audit-trail.ts'
import { type Caller, authenticate } from './authenticate.ts'
import { authorize } from './authorize.ts'
import { bodyHandlers } from './bodies.ts'
import { BODY_BYTES_MAX, decodeJson, fromFastify } from './body.ts'
import { type Browser, browserOf } from './browser.ts'
import { budgetHandlers } from './budgets.ts'
import type { AnyCall, Handlers } from './call.ts'
import { callHandlers } from './calls.ts'
import { policyHandlers } from './iam.ts'
import type { ControlLog } from './jobs.ts'
import { ledgerHandlers } from './ledger.ts'
import { parseBody, parseQuery } from './parse.ts'
import { polluxHandlers } from './pollux.ts'
import { type Prices, priceHandlers } from './prices.ts'
import { projectsHandlers } from './projects.ts'
import { type ServerFacts, serverHandlers } from './server-facts.ts'
import { serviceAccountHandlers } from './service-accounts.ts'
import { type QuotaReader, keyQuotaHandlers, projectQuotaHandlers, quotaHandlers } from './quotas.ts'
import { type ShippedTiers, tierHandlers } from './tiers.ts'
import { RefusalTrail, isRefusal } from './refusals.ts'
import { sessionHandlers } from './sessions.ts'
import { NO_SIGN_IN, type SignInSettings, signInHandlers } from './sign-in.ts'
import { userHandlers } from './users.ts'

export interface ControlDeps {
  readonly storage: Storage
  readonly quota: QuotaReader
  readonly tiers: ShippedTiers
  readonly prices: Prices
  /** SHA-256 of POLLUX_ADMIN_TOKEN, lower-case hexadecimal; null when there is none. */
  readonly adminTokenDigest: string | null
  /** The exposition text for Prometheus. */
  readonly metrics: () => Promise<string>
  readonly server: ServerFacts
  readonly log: ControlLog
  /** How people sign in; the default is at this machine, with passwords and passkeys. */
  readonly signIn?: SignInSettings
  /** Epoch ms; the default is the clock. */
  readonly now?: () => number
  /** Where this Pollux is reached, e.g. `https://keys.example.com`: audiences of what service accounts sign. */
  readonly origins?: () => readonly string[]
}

export interface Control {
  /** Answers a management request. Takes any path: what is not served gets 404, or 401 without a credential. */
  handle(request: IncomingMessage, response: ServerResponse): void
  /** The listener is the caller's to close, first. */
  close(): Promise<void>
}

/** From its arrival; a request is to be refused within two seconds where the database hangs. */
const SILENCE_WAIT_MS = 1_800

/** Who makes a request, and with what browser: known from the moment its credential was verified. */
interface Visitor {
  readonly caller: Caller
  readonly browser: Browser
  readonly patiently: Patiently
}

/** What all routes share. */
interface Reception {
  readonly visitors: WeakMap<IncomingMessage, Visitor>
  /** `METHOD URL` of the routes that strangers may use. */
  readonly open: Set<string>
  readonly projects: Storage['projects']
  readonly allowsPlainSignIn: boolean
  readonly refusals: RefusalTrail
  readonly now: () => number
}

/** The management plane, ready to be handed requests. It opens no socket of its own. */
export async function createControl(deps: ControlDeps): Promise<Control> {
  const { storage, quota, tiers, metrics, server, now = Date.now } = deps
  const { signIn = NO_SIGN_IN, origins = () => [] } = deps
  const answerError = (thrown: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    sendError(deps.log, thrown, { request, reply })
  }
  const fastify = createFastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    routerOptions: { maxParamLength: 1000, ignoreTrailingSlash: false },
    exposeHeadRoutes: false,
    frameworkErrors: answerError,
  })
  const { allowsPlainSignIn } = signIn
  const { projects } = storage
  const refusals = new RefusalTrail(storage, deps.log, now)
  const [visitors, open] = [new WeakMap(), new Set<string>()]
  const reception: Reception = { visitors, open, projects, allowsPlainSignIn, refusals, now }
  fastify.setErrorHandler(answerError)
  fastify.setNotFoundHandler(request => {
    throw unknownMethod(request)
  })
  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    try {
      done(null, decodeJson(body, request.headers['content-type']))
    } catch (error) {
      done(error as Error)
    }
  })
  // Before the body is read: a stranger's body is never looked at.
  fastify.addHook('onRequest', async (request, reply) => {
    reply.headers(headersOf(request.raw))
    assertSingleHeaders(request.raw.rawHeaders)
    const { headers, url } = request.raw
    const browser = browserOf(headers, signIn.publicOrigin)
    const isOpen = reception.open.has(`${request.method} ${request.routeOptions.url ?? ''}`)
    const { tokens, serviceAccounts, sessions, iam } = storage
    const source = { tokens, serviceAccounts, sessions, iam, ...deps, origins, now }
    const patiently = storage.patience(SILENCE_WAIT_MS)
    const caller = await patiently(() => authenticate({ headers, url, browser, isOpen }, source))
    reception.visitors.set(request.raw, { caller, browser, patiently })
    if (request.is404) throw unknownMethod(request)
  })
  const context = { storage, quota, tiers, metrics, now }
  register(fastify, reception, { table: APIKEYS_V2, handlers: apikeysHandlers(context) })
  register(fastify, reception, { table: PROJECTS_V3, handlers: projectsHandlers(storage) })
  register(fastify, reception, { table: POLLUX_V1, handlers: polluxHandlers(context) })
  register(fastify, reception, { table: CALLS_V1, handlers: callHandlers(storage) })
  register(fastify, reception, { table: BODIES_V1, handlers: bodyHandlers(storage) })
  const budgets = budgetHandlers(storage)
  register(fastify, reception, { table: ORGANIZATION_BUDGETS_V1, handlers: budgets })
  register(fastify, reception, { table: PROJECT_BUDGETS_V1, handlers: budgets })
  register(fastify, reception, { table: KEY_BUDGETS_V1, handlers: budgets })
  register(fastify, reception, { table: LEDGER_V1, handlers: ledgerHandlers(storage) })
  const policies = policyHandlers(storage)
  register(fastify, reception, { table: PROJECT_IAM_V3, handlers: policies })
  register(fastify, reception, { table: ORGANIZATION_IAM_V1, handlers: policies })
  register(fastify, reception, { table: SERVICE_ACCOUNTS_V1, handlers: serviceAccountHandlers(context) })
  register(fastify, reception, { table: PROJECT_QUOTAS_V1, handlers: projectQuotaHandlers(context) })
  register(fastify, reception, { table: KEY_QUOTAS_V1, handlers: keyQuotaHandlers(context) })
  register(fastify, reception, { table: QUOTAS_V1, handlers: quotaHandlers(context) })
  register(fastify, reception, { table: TIERS_V1, handlers: tierHandlers(storage, tiers) })
  register(fastify, reception, { table: AUDIT_V1, handlers: auditHandlers(context) })
  register(fastify, reception, { table: PRICES_V1, handlers: priceHandlers({ ...deps, now }) })
  const people = { storage, settings: signIn, now }
  register(fastify, reception, { table: SIGN_IN_V1, handlers: signInHandlers(people) })
  register(fastify, reception, { table: SESSION_V1, handlers: sessionHandlers(people) })
  register(fastify, reception, { table: USERS_V1, handlers: userHandlers(people) })
  register(fastify, reception, { table: SERVER_V1, handlers: serverHandlers(server, deps.prices) })
  await fastify.ready()
  return {
    handle: (request, response) => fastify.routing(request, response),
    async close() {
      await fastify.close()
      await refusals.close()
    },
  }
}

type AnyHandler = (call: AnyCall) => Promise<unknown>

/** Turns every record of a table into its routes. This loop is the only place where a route comes into being. */
function register<Table extends Readonly<Record<string, Endpoint>>>(
  fastify: FastifyInstance,
  reception: Reception,
  { table, handlers }: { readonly table: Table; readonly handlers: Handlers<Table> },
): void {
  for (const [name, endpoint] of Object.entries(table)) {
    // The record has typed the handler; here all records are alike.
    const handler = handlers[name] as unknown as AnyHandler
    for (const url of fastifyPaths(endpoint.path)) {
      if (endpoint.permission === 'anyone') reception.open.add(`${endpoint.method} ${url}`)
      fastify.route({
        method: endpoint.method,
        url,
        onRequest: async (request, reply) => {
          const { caller, browser, patiently } = visitorOf(reception, request)
          const { headers } = request.raw
          const { allowsPlainSignIn } = reception
          const params = request.params as Readonly<Record<string, string>>
          const circumstances = { headers, browser, allowsPlainSignIn, nowMs: reception.now() }
          const asked = { caller, endpoint, params, request: circumstances }
          await patiently(() => authorize(asked, reception.projects)).catch((error: unknown) => {
            noteRefusal(reception, error, { endpoint, request, isAtDoor: true })
            throw error
          })
          invitedBody(request, reply)
        },
        handler: async (request, reply) => {
          const visitor = visitorOf(reception, request)
          const call = callOf(endpoint, visitor, request)
          const result = await visitor
            .patiently(() => handler(call))
            .catch((error: unknown) => {
              noteRefusal(reception, error, { endpoint, request, isAtDoor: false })
              throw error
            })
          if (visitor.browser.setCookies.length > 0) reply.header('set-cookie', visitor.browser.setCookies)
          const isText = typeof result === 'string'
          reply.type(isText ? 'text/plain; version=0.0.4; charset=utf-8' : 'application/json; charset=UTF-8')
          return reply.send(isText ? result : JSON.stringify(result))
        },
      })
    }
  }
}

/** Takes an error down that says that a permission is missing. */
function noteRefusal(
  reception: Reception,
  error: unknown,
  {
    request,
    endpoint,
    isAtDoor,
  }: { readonly request: FastifyRequest; readonly endpoint: Endpoint; readonly isAtDoor: boolean },
): void {
  if (!isRefusal(error, isAtDoor)) return
  const { caller } = visitorOf(reception, request)
  const { subject: principal } = caller.principal
  reception.refusals.note({ principal, endpoint, ...senderOf(request) }, error)
}

function senderOf(request: FastifyRequest) {
  const { raw } = request
  const { requestId, clientAddress: callerIp } = factsOf(raw)
  const reason = raw.headers['x-goog-request-reason']
  return {
    requestId,
    callerIp,
    userAgent: raw.headers['user-agent'] ?? null,
    requestReason: typeof reason === 'string' ? reason : null,
    params: request.params as Readonly<Record<string, string>>,
  }
}

function callOf(endpoint: Endpoint, { caller, browser }: Visitor, request: FastifyRequest): AnyCall {
  const { raw } = request
  return {
    endpoint,
    ...caller,
    ...senderOf(request),
    browser,
    query: parseQuery(endpoint, queryOf(raw)),
    body: parseBody(endpoint, request.body),
  }
}

function visitorOf({ visitors }: Reception, { raw }: FastifyRequest): Visitor {
  const visitor = visitors.get(raw)
  if (visitor === undefined) throw new Error('a route was reached without authentication')
  return visitor
}

function queryOf({ url = '' }: IncomingMessage): URLSearchParams {
  const mark = url.indexOf('?')
  return new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1))
}

/** Decoded, as the router compares it; as it came where that cannot be. */
function pathOf(request: FastifyRequest): string {
  const path = request.url.split('?', 1)[0] ?? ''
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

/** A client that waits for leave to send its body (`Expect: 100-continue`) gets it once it may make the call. */
function invitedBody({ raw }: FastifyRequest, reply: FastifyReply): void {
  const isTooLarge = Number(raw.headers['content-length'] ?? 0) > BODY_BYTES_MAX
  if (raw.headers.expect !== undefined && !isTooLarge) reply.raw.writeContinue()
}

function headersOf(raw: IncomingMessage): Record<string, string> {
  return {
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'content-security-policy': DATA_POLICY,
    'x-request-id': factsOf(raw).requestId,
  }
}

function unknownMethod(request: FastifyRequest): ApiError {
  const path = pathOf(request)
  const methods = ENDPOINTS.filter(endpoint => matchesTemplate(endpoint.path, path)).map(
    ({ method }) => method,
  )
  const why =
    methods.length === 0
      ? 'There is no such path. GET /pollux/v1/openapi.json lists all.'
      : `This path answers ${methods.join(', ')}, not ${request.method}.`
  return new ApiError('METHOD_UNKNOWN', `Method not found. ${why}`)
}

function sendError(
  log: ControlLog,
  thrown: unknown,
  { request, reply }: { readonly request: FastifyRequest; readonly reply: FastifyReply },
): void {
  const error = toApiError(fromFastify(thrown))
  const headers = headersOf(request.raw)
  if (error.httpStatus >= 500) {
    log.error({ requestId: headers['x-request-id'], err: error }, 'management request failed')
  }
  if (error.reason === 'ACCESS_TOKEN_MISSING') headers['www-authenticate'] = 'Bearer realm="pollux"'
  if (error.reason === 'ACCESS_TOKEN_INVALID') {
    headers['www-authenticate'] = 'Bearer realm="pollux", error="invalid_token"'
  }
  // Otherwise Node reads the rest of the body to keep the connection.
  if (!request.raw.complete) headers['connection'] = 'close'
  headers['content-type'] = 'application/json; charset=UTF-8'
  reply.code(error.httpStatus).headers(headers).send(renderError(error))
}
