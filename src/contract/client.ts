/** The fetch client of the contract: for the command line and the web console, so without anything of Node's. */
import type { StatusBody } from '../domain/error.ts'
import { AUTOMATIC_HEADER } from '../domain/session.ts'
import {
  type BodyOf,
  type Endpoint,
  type ParamsOf,
  type QueryOf,
  type ResponseOf,
  fillTemplate,
} from './endpoint.ts'

/** A refusal of the server, or (httpStatus 0, reason SERVER_UNREACHABLE or REPLY_MALFORMED) no answer of its own. */
export class ContractError extends Error {
  override readonly name = 'ContractError'
  readonly httpStatus: number
  /** Canonical code, e.g. `NOT_FOUND`. */
  readonly status: string
  /** ErrorInfo's reason, e.g. `RESOURCE_NOT_FOUND`. */
  readonly reason: string
  readonly requestId: string

  constructor(
    facts: Pick<ContractError, 'httpStatus' | 'status' | 'reason' | 'message' | 'requestId'>,
    cause?: unknown,
  ) {
    super(facts.message, cause === undefined ? undefined : { cause })
    this.httpStatus = facts.httpStatus
    this.status = facts.status
    this.reason = facts.reason
    this.requestId = facts.requestId
  }
}

/** `Name` must be given when some part of it must be. (An empty zod object has the keys `string`, of type never.) */
type Part<Name extends string, Value> = string extends keyof Value
  ? { readonly [N in Name]?: Value }
  : Partial<Value> extends Value
    ? { readonly [N in Name]?: Value }
    : { readonly [N in Name]: Value }

/** What a call takes: `params` for the template's names, `query` and `body` as the record declares them. */
export type CallInput<E> = Part<'params', ParamsOf<E>> &
  Part<'query', QueryOf<E>> &
  (BodyOf<E> extends null ? { readonly body?: never } : Part<'body', BodyOf<E>>)

export interface ClientOptions {
  /** Origin of the server, e.g. `http://127.0.0.1:8700`. A trailing slash and a path prefix are allowed. */
  readonly baseUrl: string
  /** Bearer token; null in a browser, where a session's cookie speaks for whoever is signed in. */
  readonly token: string | null
  /** Whether nobody asks, but a clock: such a request keeps no session alive. The default is no. */
  readonly isAutomatic?: () => boolean
  readonly fetch?: typeof fetch
}

export interface Client {
  /** Calls one endpoint. Rejects with ContractError. The reply is trusted to have the declared shape. */
  call<E extends Endpoint>(endpoint: E, input: CallInput<E>): Promise<ResponseOf<E>>
}

type PlainQuery = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>

interface PlainInput {
  readonly params?: Readonly<Record<string, string>>
  readonly query?: PlainQuery
  readonly body?: unknown
}

export function createClient(options: ClientOptions): Client {
  const { baseUrl, token, isAutomatic = () => false, fetch: send = fetch } = options
  const origin = baseUrl.replace(/\/+$/, '')
  return {
    async call<E extends Endpoint>(endpoint: E, input: CallInput<E>): Promise<ResponseOf<E>> {
      const { params = {}, query = {}, body } = input as PlainInput
      const url = `${origin}${fillTemplate(endpoint.path, params)}${queryString(query)}`
      const who = {
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(isAutomatic() ? { [AUTOMATIC_HEADER]: '1' } : {}),
      }
      const init: RequestInit =
        endpoint.body === null
          ? { method: endpoint.method, headers: who }
          : {
              method: endpoint.method,
              headers: { ...who, 'content-type': 'application/json' },
              body: JSON.stringify(body ?? {}),
            }
      const { response, text } = await exchange(send, url, init)
      const requestId = response.headers.get('x-request-id') ?? ''
      if (!response.ok) throw refusal(response.status, text, requestId)
      const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false
      return (isJson ? parseJson(text, requestId) : text) as ResponseOf<E>
    },
  }
}

/** Lists travel comma-separated. */
function queryString(query: PlainQuery): string {
  const pairs = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) pairs.set(name, String(value))
  }
  return pairs.size === 0 ? '' : `?${pairs.toString()}`
}

async function exchange(
  send: typeof fetch,
  url: string,
  init: RequestInit,
): Promise<{ readonly response: Response; readonly text: string }> {
  try {
    const response = await send(url, init)
    return { response, text: await response.text() }
  } catch (cause) {
    const { host } = new URL(url)
    throw new ContractError(
      {
        httpStatus: 0,
        status: 'UNAVAILABLE',
        reason: 'SERVER_UNREACHABLE',
        message: `No answer from ${host}. Is Pollux running there?`,
        requestId: '',
      },
      cause,
    )
  }
}

function parseJson(text: string, requestId: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ContractError(malformed(200, requestId), cause)
  }
}

function malformed(httpStatus: number, requestId: string) {
  return {
    httpStatus,
    status: 'UNKNOWN',
    reason: 'REPLY_MALFORMED',
    message: `The server answered with HTTP status ${httpStatus}, but not as Pollux does. Check the server's address.`,
    requestId,
  }
}

function refusal(httpStatus: number, text: string, requestId: string): ContractError {
  let body: Partial<StatusBody> | null
  try {
    body = JSON.parse(text) as Partial<StatusBody> | null
  } catch {
    body = null
  }
  const error = body?.error
  if (error === undefined || typeof error.message !== 'string') {
    return new ContractError(malformed(httpStatus, requestId))
  }
  const reason = error.details?.find(detail => detail['@type'].endsWith('/google.rpc.ErrorInfo'))?.['reason']
  return new ContractError({
    httpStatus,
    status: error.status,
    reason: typeof reason === 'string' ? reason : error.status,
    message: error.message,
    requestId,
  })
}
