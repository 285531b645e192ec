import { ApiError } from '../domain/error.ts'
import { redactCredentials } from '../domain/redaction.ts'
import { ExchangeFailure, type ExchangeHandler } from './connection.ts'
import { Connections } from './connections.ts'
import {
  HeadHandler,
  type Sender,
  type UpstreamAnswer,
  type UpstreamRequest,
  type WholeAnswer,
  WholeHandler,
} from './upstream-answer.ts'

export interface UpstreamOptions {
  /** Scheme, host and port, e.g. `https://generativelanguage.googleapis.com`. */
  readonly origin: string
  /** What comes before `/v1beta/…`; empty for Google. */
  readonly basePath: string
  /** The real key. Sent as `x-goog-api-key` and nowhere else. */
  readonly credential: string
}

/** Where calls are forwarded: one origin, one credential. */
export class Upstream {
  readonly #connections: Connections
  readonly #basePath: string
  readonly #credential: string

  constructor(options: UpstreamOptions) {
    this.#connections = new Connections(options.origin, `x-goog-api-key: ${options.credential}\r\n`)
    this.#basePath = options.basePath
    this.#credential = options.credential
  }

  /**
   * Sends a request and resolves at the reply's head. Rejects with ForwardFailure. A connection that was never
   * established is tried once more: nothing was sent, so nothing can happen twice.
   */
  stream(request: UpstreamRequest, sender: Sender | null): Promise<UpstreamAnswer> {
    return new Promise((resolve, reject) => {
      const dispatch = (fail: Fail): void =>
        this.#dispatch(request, new HeadHandler({ resolve, fail }, sender))
      dispatch(onceMore(dispatch, reject))
    })
  }

  /** As `stream`, but resolves once the reply is whole. One larger than `bytesMax` is broken off. */
  fetch(request: UpstreamRequest, sender: Sender | null, bytesMax: number): Promise<WholeAnswer> {
    return new Promise((resolve, reject) => {
      const dispatch = (fail: Fail): void =>
        this.#dispatch(request, new WholeHandler({ resolve, fail }, sender, bytesMax))
      dispatch(onceMore(dispatch, reject))
    })
  }

  /** Replaces the credential, and whatever looks like one of Google's, in a text that is about to leave. */
  scrub(text: string): string {
    return redactCredentials(text.replaceAll(this.#credential, '[redacted]'))
  }

  /** Ends every exchange that is under way. */
  close(): Promise<void> {
    this.#connections.close()
    return Promise.resolve()
  }

  #dispatch(request: UpstreamRequest, handler: ExchangeHandler): void {
    const path = this.#basePath === '' ? request.path : this.#basePath + request.path
    this.#connections.dispatch({ ...request, path }, handler)
  }
}

type Fail = (cause: Error, sent: boolean) => void

/** Fails for good, except that what was never sent is sent a second time. */
function onceMore(dispatch: (fail: Fail) => void, reject: (failure: ForwardFailure) => void): Fail {
  const fail: Fail = (cause, sent) => reject(new ForwardFailure(failureOf(cause, sent), sent))
  return (cause, sent) => (sent ? fail(cause, sent) : dispatch(fail))
}

/** No reply came. `sent` false: the connection was never established, so the upstream saw nothing. */
export class ForwardFailure extends Error {
  readonly error: ApiError
  readonly sent: boolean

  constructor(error: ApiError, sent: boolean) {
    super(error.message, { cause: error })
    this.error = error
    this.sent = sent
  }
}

/** What a failed exchange means to the caller: 504 when time ran out, 503 when no connection can be made here, else 502. */
export function failureOf(cause: Error, sent = true): ApiError {
  if (!sent && 'code' in cause && NO_DESCRIPTORS.has(String(cause.code)))
    return new ApiError(
      'OVERLOADED',
      'Pollux has as many files and connections open as its system lets it have. Please retry.',
      {
        cause,
        details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '1s' }],
      },
    )
  if (!sent)
    return new ApiError('UPSTREAM_UNREACHABLE', 'The upstream cannot be reached. Please retry.', { cause })
  if (cause instanceof ExchangeFailure && cause.code === 'REPLY_TIMEOUT')
    return new ApiError('UPSTREAM_TIMEOUT', 'The upstream did not answer in time.', { cause })
  return new ApiError('UPSTREAM_BROKEN', 'The upstream broke the connection before its reply was whole.', {
    cause,
  })
}

/** Of the process, of the system (open(2)). */
const NO_DESCRIPTORS: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE'])
