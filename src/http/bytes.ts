import type { IncomingMessage, ServerResponse } from 'node:http'
import { ApiError } from '../domain/error.ts'
import { DirectRequest } from './direct-request.ts'
import { type Placed, Roster } from './roster.ts'

/** Bytes of request bodies that one process holds at a time. What does not fit is refused, not queued. */
export class ByteBudget {
  readonly #bytesMax: number
  #bytesHeld = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  get bytesHeld(): number {
    return this.#bytesHeld
  }

  /** Throws OVERLOADED when the bytes do not fit. Whoever takes gives back. */
  take(bytes: number): void {
    if (this.#bytesHeld + bytes > this.#bytesMax) {
      throw new ApiError(
        'OVERLOADED',
        'The service is holding as many request bytes as it may. Please retry.',
        {
          details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '1s' }],
        },
      )
    }
    this.#bytesHeld += bytes
  }

  give(bytes: number): void {
    this.#bytesHeld -= bytes
  }
}

const EMPTY = Buffer.alloc(0)

/**
 * So many pieces of together less than so many bytes are put into one: each is an object many times the size of a byte, and
 * holds on to all that was read with it.
 */
const LOOSE = { count: 256, bytes: 256 * 1024 }

/** A body comes with at least a kibibyte a second, looked at every ten seconds: slower ones only hold connections. */
const SLOWEST = { seconds: 10, bytes: 10 * 1024 }

/** A body that is being read. */
class Look implements Placed {
  place = -1
  /** Called once a second. */
  readonly look: () => void

  constructor(look: () => void) {
    this.look = look
  }
}

/** Looks at all bodies that are being read once a second. Most are whole before a timer of their own would be set. */
class Rounds {
  readonly #looks = new Roster<Look>()
  #timer: NodeJS.Timeout | null = null

  add(look: Look): void {
    this.#looks.add(look)
    this.#timer ??= setInterval(() => this.#round(), 1_000).unref()
  }

  delete(look: Look): void {
    this.#looks.remove(look)
  }

  #round(): void {
    for (const { look } of this.#looks.all()) look()
    if (this.#looks.count > 0 || this.#timer === null) return
    clearInterval(this.#timer)
    this.#timer = null
  }
}

const rounds = new Rounds()

/**
 * Reads a whole request body. Throws BODY_TOO_LARGE (without reading on: by Content-Length before the first byte, else
 * at the first byte too many), OVERLOADED, REQUEST_TIMEOUT when it comes too slowly, and CLIENT_GONE when the client leaves.
 * The bytes stay taken from `budget` until the caller gives them back; on a throw nothing is left taken.
 */
export function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  limits: { readonly bytesMax: number; readonly budget: ByteBudget },
): Promise<Buffer> {
  const declared = request.headers['content-length']
  const declaredBytes = declared === undefined ? 0 : Number(declared)
  if (declaredBytes > limits.bytesMax) return Promise.reject(tooLarge(limits.bytesMax))
  if (declared === undefined && request.headers['transfer-encoding'] === undefined)
    return Promise.resolve(EMPTY)
  if (request.headers.expect !== undefined) response.writeContinue()
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    let taken = 0
    let isOver = false
    /** Pieces since the last look at how small they are, and the bytes before them. */
    let [loose, bound] = [0, 0]
    let bytesBefore = 0
    let looks = 0
    const look = new Look(() => {
      // The first look comes sooner than a second after the body began.
      if (++looks % SLOWEST.seconds !== 1 || looks === 1) return
      if (bytes - bytesBefore < SLOWEST.bytes) fail(tooSlow())
      bytesBefore = bytes
    })
    const fail = (error: unknown): void => {
      isOver = true
      rounds.delete(look)
      limits.budget.give(taken)
      if (request instanceof DirectRequest) request.stopPouring()
      request.off('data', onData)
      request.pause()
      reject(error)
    }
    const grow = (by: number): void => {
      limits.budget.take(by)
      taken += by
    }
    const onData = (chunk: Buffer): void => {
      bytes += chunk.length
      try {
        if (bytes > limits.bytesMax) throw tooLarge(limits.bytesMax)
        if (bytes > taken) grow(bytes - taken)
      } catch (error) {
        fail(error)
        return
      }
      chunks.push(chunk)
      loose += 1
      if (loose === LOOSE.count) {
        if (bytes - bound < LOOSE.bytes) chunks.push(Buffer.concat(chunks.splice(-loose)))
        loose = 0
        bound = bytes
      }
    }
    const onEnd = (): void => {
      if (isOver) return
      isOver = true
      rounds.delete(look)
      // A body shorter than declared cannot reach here: llhttp ends it with 'aborted'.
      limits.budget.give(taken - bytes)
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, bytes))
    }
    const onClose = (): void => {
      if (isOver) return
      fail(new ApiError('CLIENT_GONE', 'The client closed the request before its body was complete.'))
    }
    try {
      grow(declaredBytes)
    } catch (error) {
      reject(error)
      return
    }
    rounds.add(look)
    request.on('close', onClose)
    if (request instanceof DirectRequest && request.pourInto({ onData, onEnd })) return
    request.on('data', onData).on('end', onEnd)
  })
}

function tooLarge(bytesMax: number): ApiError {
  return new ApiError(
    'BODY_TOO_LARGE',
    `Request payload size exceeds the limit: ${bytesMax} bytes. Upload large media as files instead.`,
  )
}

function tooSlow(): ApiError {
  return new ApiError(
    'REQUEST_TIMEOUT',
    `The body of the request comes more slowly than ${SLOWEST.bytes} bytes in ${SLOWEST.seconds} seconds.`,
  )
}
