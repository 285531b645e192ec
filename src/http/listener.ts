import { randomUUID } from 'node:crypto'
import { type IncomingMessage, STATUS_CODES, type Server, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Cidr } from '../domain/address.ts'
import { ApiError } from '../domain/error.ts'
import { clientAddress } from './client-address.ts'
import { DirectRequest } from './direct-request.ts'
import { assertSingleHeaders } from './headers.ts'
import { renderError, toApiError } from './render.ts'
import { DATA_POLICY, writeReply } from './reply.ts'
import { type RequestTarget, targetOf } from './target.ts'

/** One request as the listener hands it on. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly target: RequestTarget
  readonly requestId: string
  readonly clientAddress: string
}

export interface ListenerOptions {
  readonly host: string
  readonly port: number
  readonly trustedProxies: readonly Cidr[]
  /** Host names that may be asked for; null: any. */
  readonly allowedHosts: ReadonlySet<string> | null
  /** Whether browsers come by TLS only: each answer to a request then tells them to (RFC 6797). */
  readonly isBehindTls: boolean
  /** Answers the exchange. What it throws is answered here. */
  readonly handle: (exchange: Exchange) => void
  /** Told of every failure that is answered here with 5xx. */
  readonly onError: (error: ApiError, requestId: string) => void
}

export interface Listener {
  readonly origin: string
  /** Stops accepting, and resolves when the last request under way has its answer. */
  close(): Promise<void>
  /** Ends every connection, whatever is under way on it. */
  cut(): void
}

const HEADERS_TIMEOUT_MS = 10_000
/** For the whole request, body included: 32 MB at 270 kB/s. */
const REQUEST_TIMEOUT_MS = 120_000
const KEEP_ALIVE_TIMEOUT_MS = 65_000
const CONNECTIONS_MAX = 16_384
const IDLE_CHECK_MS = 50
const HEADER_BYTES_MAX = 16 * 1024
/** A year, for this host alone: what is below it may be other people's. */
const STRICT_TRANSPORT = 'max-age=31536000'

/** Opens the socket. Rejects with STATE_CONFLICT when the port is taken or may not be opened. */
export async function startListener(options: ListenerOptions): Promise<Listener> {
  const server = createServer({
    IncomingMessage: DirectRequest,
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    connectionsCheckingInterval: 1_000,
    maxHeaderSize: HEADER_BYTES_MAX,
  })
  server.maxConnections = CONNECTIONS_MAX
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    dispatch(request, response, options)
  }
  // `checkContinue` keeps the body unsent until readBody asks for it, so a refusal costs the client no upload.
  server.on('request', onRequest).on('checkContinue', onRequest).on('clientError', refuseUnread)
  await listen(server, options)
  const { port } = server.address() as AddressInfo
  const host = options.host.includes(':') ? `[${options.host}]` : options.host
  return {
    origin: `http://${host}:${port}`,
    close: () => closeServer(server),
    cut: () => server.closeAllConnections(),
  }
}

function dispatch(request: IncomingMessage, response: ServerResponse, options: ListenerOptions): void {
  const requestId = randomUUID()
  if (options.isBehindTls) response.setHeader('strict-transport-security', STRICT_TRANSPORT)
  try {
    const address = clientAddress(request, options.trustedProxies)
    assertSingleHeaders(request.rawHeaders)
    assertHost(request, options.allowedHosts)
    const target = targetOf(request.url ?? '')
    options.handle({ request, response, target, requestId, clientAddress: address })
  } catch (thrown) {
    const error = toApiError(thrown)
    if (error.httpStatus >= 500) options.onError(error, requestId)
    writeReply(response, {
      status: error.httpStatus,
      headers: refusalHeaders(requestId),
      body: renderError(error),
      close: true,
    })
  }
}

function refusalHeaders(requestId: string): Record<string, string> {
  return {
    'content-type': 'application/json; charset=UTF-8',
    'x-content-type-options': 'nosniff',
    'content-security-policy': DATA_POLICY,
    'cache-control': 'no-store',
    'x-request-id': requestId,
  }
}

/** Answers what never became a request as Node itself would, but in the shape of every other error. */
function refuseUnread(failure: NodeJS.ErrnoException, socket: Duplex): void {
  // Node's own handler looks here for the reply under way, too: half of one cannot become another.
  const { _httpMessage: underWay } = socket as { _httpMessage?: ServerResponse | null }
  if (!socket.writable || underWay?.headersSent === true) {
    socket.destroy(failure)
    return
  }
  const error = unreadError(failure)
  const body = renderError(error)
  const headers = { ...refusalHeaders(randomUUID()), 'content-length': body.length, connection: 'close' }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const { httpStatus } = error
  socket.write(`HTTP/1.1 ${httpStatus} ${STATUS_CODES[httpStatus] ?? ''}\r\n${lines.join('')}\r\n`)
  socket.end(body, () => socket.destroy())
}

function unreadError(cause: NodeJS.ErrnoException): ApiError {
  if (cause.code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new ApiError('REQUEST_TIMEOUT', 'The request did not arrive in time.', { cause })
  const message =
    cause.code === 'HPE_HEADER_OVERFLOW'
      ? `The request's headers are larger than ${HEADER_BYTES_MAX} bytes.`
      : 'The request is not well-formed HTTP.'
  return new ApiError('REQUEST_HEADERS_REFUSED', message, { cause })
}

function assertHost(request: IncomingMessage, allowedHosts: ReadonlySet<string> | null): void {
  if (allowedHosts === null) return
  const host = request.headers.host?.toLowerCase() ?? ''
  if (!allowedHosts.has(host)) {
    throw new ApiError('HOST_REFUSED', 'This server does not answer for the host name that was asked for.')
  }
}

function listen(server: Server, { host, port }: ListenerOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why =
        cause.code === 'EADDRINUSE'
          ? `Port ${port} on ${host} is in use by another program. Stop it, or set POLLUX_PORT to a free port.`
          : `Cannot listen on ${host}:${port} (${cause.code ?? 'unknown'}). Check POLLUX_HOST and POLLUX_PORT.`
      reject(new ApiError('STATE_CONFLICT', why, { cause }))
    })
    server.listen({ host, port, backlog: 4096 }, resolve)
  })
}

function closeServer(server: Server): Promise<void> {
  return new Promise(resolve => {
    // A connection that is kept alive is idle only once its reply is out.
    const idle = setInterval(() => server.closeIdleConnections(), IDLE_CHECK_MS)
    server.close(() => {
      clearInterval(idle)
      resolve()
    })
  })
}
