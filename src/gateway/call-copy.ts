import { BODY_COPIED_BYTES_MAX, type CopiedBody } from '../domain/call-bodies.ts'
import type { Reply, ReplySink } from '../http/reply.ts'
import type { BodyLog, Call, Grant } from './call.ts'
import { copyBody } from './copy-body.ts'

/** What a Buffer costs besides its bytes. */
const PIECE_OVERHEAD_BYTES = 128

/**
 * What is asked and answered in one call whose project keeps bodies, as it passes. Holds no more than a beginning of it, and
 * nothing where there is no room: the call itself never waits for it and never learns what became of it.
 */
export class CallCopy {
  readonly #call: Call
  readonly #grant: Grant
  readonly #log: BodyLog
  /** A reply that is whole: looked at once it has left. */
  #whole: Buffer | null = null
  readonly #pieces: Uint8Array[] = []
  #pieceBytes = 0
  #heldBytes = 0
  #sizeBytes = 0
  #isCut = false
  #isDropped = false

  constructor(call: Call, grant: Grant, log: BodyLog) {
    this.#call = call
    this.#grant = grant
    this.#log = log
  }

  /** The same reply, copied while it leaves. */
  over(reply: Reply): Reply {
    const { body } = reply
    if (Buffer.isBuffer(body)) {
      // Who was cut was given that, whatever the upstream answered.
      this.#whole ??= body
      return reply
    }
    const copying = (sink: ReplySink): ReplySink => ({
      ...sink,
      write: chunk => {
        this.#add(chunk)
        return sink.write(chunk)
      },
    })
    return { ...reply, body: { start: sink => body.start(copying(sink)) } }
  }

  /** The call is settled, and its record on the way: what leaves with it leaves in this turn, and is handed over in the next. */
  settled(booked: Promise<void>): void {
    const hand = (): void => void setImmediate(() => this.#handOver())
    booked.then(hand, hand)
  }

  #add(chunk: Uint8Array): void {
    this.#sizeBytes += chunk.length
    if (this.#isCut || this.#isDropped) return
    const { bytes, isCut } = copyBody(chunk, BODY_COPIED_BYTES_MAX - this.#pieceBytes)
    this.#isCut = isCut
    if (!this.#take(bytes.length + PIECE_OVERHEAD_BYTES)) return
    this.#pieces.push(bytes)
    this.#pieceBytes += bytes.length
  }

  #handOver(): void {
    const request = copyBody(this.#grant.body)
    const reply = this.#whole === null ? this.#piecesTogether() : copyBody(this.#whole)
    this.#log.give(this.#heldBytes)
    this.#heldBytes = 0
    if (this.#isDropped || !this.#take(request.bytes.length + reply.bytes.length)) {
      this.#log.drop()
      return
    }
    const { key, project } = this.#grant.caller.entry
    this.#log.keep({ callId: this.#call.id, projectNumber: project.number, keyUid: key.uid, request, reply })
  }

  #piecesTogether(): CopiedBody {
    const bytes = Buffer.concat(this.#pieces)
    return { bytes, sizeBytes: this.#sizeBytes, isCut: this.#isCut }
  }

  #take(bytes: number): boolean {
    if (this.#log.take(bytes)) {
      this.#heldBytes += bytes
      return true
    }
    this.#isDropped = true
    this.#pieces.length = 0
    return false
  }
}
