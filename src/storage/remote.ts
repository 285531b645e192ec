/**
 * Calls across threads: each object on the far side is a set of async methods, called by name with cloned arguments.
 * Messages keep their order, so what the far side emits before it answers arrives before the answer.
 */
import type { MessagePort, Worker } from 'node:worker_threads'
import type { Detail, Reason } from '../domain/error.ts'
import { ApiError } from '../domain/error.ts'
import { type Patience, deadlineMs } from './patience.ts'

/** An ApiError as it crosses: a clone would lose its class. */
export interface ErrorMessage {
  readonly reason: Reason
  readonly message: string
  readonly metadata: Readonly<Record<string, string>>
  readonly details: readonly Detail[]
  readonly errorInfo: boolean
  readonly cause: string | null
}

interface CallMessage {
  readonly id: number
  readonly object: string
  readonly method: string
  readonly args: readonly unknown[]
  /** See patience.ts; undefined: waited for as long as it takes. */
  readonly untilMs: number | undefined
}

type AnswerMessage =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: ErrorMessage }

/** Sent by the far side on its own account, not as an answer. */
export interface EventMessage<Event> {
  readonly event: Event
}

interface Pending {
  readonly id: number
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/** The near side of a worker that answers for `Objects`. */
export class RemoteCaller<Objects, Event> {
  readonly #worker: Worker
  /** Few at a time. No Map: the dead tables of one that changes all the time keep what stood in them (open-calls.ts). */
  readonly #pending: Pending[] = []
  #lastId = 0
  #gone: string | null = null

  /** `onEvent` hears what the worker emits. */
  constructor(worker: Worker, onEvent: (event: Event) => void) {
    this.#worker = worker
    worker.on('message', (message: AnswerMessage | EventMessage<Event>) => {
      if ('event' in message) onEvent(message.event)
      else this.#answer(message)
    })
    worker.on('error', error => this.#fail(describe(error)))
    worker.on('exit', () => this.#fail('the storage thread has ended'))
  }

  /** An object of the far side; calling its methods calls there. */
  object<Name extends keyof Objects & string>(name: Name): Objects[Name] {
    const call = this.#call.bind(this)
    return new Proxy({} as Objects[Name] & object, {
      get: (_target, method) =>
        // A promise is recognised by its `then`: this is none.
        typeof method !== 'string' || method === 'then'
          ? undefined
          : (...args: readonly unknown[]) => call(name, method, args),
    })
  }

  async #call(object: string, method: string, args: readonly unknown[]): Promise<unknown> {
    if (this.#gone !== null) throw gone(this.#gone)
    this.#lastId += 1
    const id = this.#lastId
    const answer = Promise.withResolvers<unknown>()
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#worker.postMessage({ id, object, method, args, untilMs: deadlineMs() } satisfies CallMessage)
    this.#pending.push({ id, resolve: answer.resolve, reject: answer.reject })
    return await answer.promise
  }

  #answer(message: AnswerMessage): void {
    const place = this.#pending.findIndex(({ id }) => id === message.id)
    const [pending] = place === -1 ? [] : this.#pending.splice(place, 1)
    if (pending === undefined) return
    if ('error' in message) pending.reject(decodeError(message.error))
    else pending.resolve(message.value)
  }

  #fail(why: string): void {
    this.#gone ??= why
    for (const { reject } of this.#pending.splice(0)) reject(gone(why))
  }
}

function gone(why: string): ApiError {
  return new ApiError(
    'STORAGE_UNAVAILABLE',
    'Pollux has stopped using its database, so nothing can be read or changed. Restart it; its log says why.',
    { cause: why },
  )
}

/**
 * The far side: answers calls to `objects`; `translate` makes an ApiError of whatever a method throws. Where the database can
 * fall silent, `patience` ends the wait of those who said how long they have.
 */
export function answerCalls(
  port: MessagePort,
  {
    objects,
    patience,
  }: { readonly objects: Readonly<Record<string, object>>; readonly patience: Patience | null },
  translate: (error: unknown) => ApiError,
): void {
  port.on('message', (call: CallMessage) => {
    const { untilMs } = call
    const work = (): Promise<unknown> => run(objects, call)
    void (untilMs === undefined || patience === null ? work() : patience.wait(untilMs, work)).then(
      value => port.postMessage({ id: call.id, value } satisfies AnswerMessage),
      (error: unknown) =>
        port.postMessage({ id: call.id, error: encodeError(translate(error)) } satisfies AnswerMessage),
    )
  })
}

async function run(objects: Readonly<Record<string, object>>, call: CallMessage): Promise<unknown> {
  const object = objects[call.object]
  const method: unknown = object === undefined ? undefined : Reflect.get(object, call.method)
  if (typeof method !== 'function') throw new Error(`storage has no ${call.object}.${call.method}`)
  return await (Reflect.apply(method, object, call.args) as Promise<unknown>)
}

/** An ApiError as data. The cause crosses as text, for the log. */
export function encodeError(error: ApiError): ErrorMessage {
  const { reason, message, metadata, furtherDetails: details, errorInfo, cause } = error
  return {
    reason,
    message,
    metadata,
    details,
    errorInfo,
    cause: cause === undefined ? null : describe(cause),
  }
}

/** The ApiError that `encodeError` was given. */
export function decodeError(error: ErrorMessage): ApiError {
  const { reason, message, metadata, details, errorInfo, cause } = error
  return new ApiError(reason, message, {
    metadata,
    details,
    errorInfo,
    ...(cause === null ? {} : { cause }),
  })
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { stack, cause } = error
  const code = 'code' in error ? ` [${String(error.code)}]` : ''
  return `${stack ?? error.message}${code}${cause === undefined ? '' : `\ncaused by ${describe(cause)}`}`
}
