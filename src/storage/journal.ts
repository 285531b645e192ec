/**
 * The journal as the event loop writes it: holds in one write per turn, records that the database does not take with an
 * fsync. Which calls are over is known in memory only; a segment goes when all of its calls are.
 */
import { closeSync, fsyncSync, ftruncateSync, mkdirSync, openSync, unlink, writeSync } from 'node:fs'
import { join } from 'node:path'
import { ApiError } from '../domain/error.ts'
import type { RecordKeeper } from './append-queue.ts'
import {
  END_LINE,
  IN_DOUBT,
  type RecordedCall,
  bootId,
  callIdOf,
  headerLine,
  holdLine,
  journalFolder,
  listSegments,
  recordedLine,
  segmentName,
  summed,
  usageLine,
} from './journal-segment.ts'
import type { OpenHold } from '../domain/ledger.ts'
import type { HoldJournal } from './storage.ts'

const SEGMENT_BYTES_MAX = 4 * 1024 * 1024

interface Segment {
  readonly path: string
  readonly file: number
  bytes: number
  /** Lines whose call is not over. */
  open: number
}

export class Journal implements HoldJournal, RecordKeeper {
  readonly #folder: string
  #boot = bootId()
  readonly #segmentBytesMax: number
  #number: number
  #segment: Segment
  readonly #holds = new Map<string, Segment>()
  /** Not written down yet. */
  #recorded: RecordedCall | null = null
  readonly #usages = new Map<string, Segment>()
  #lines: string[] = []
  #callIds: string[] = []
  /** The write at the end of this turn; null while there is nothing to write. */
  #turn: PromiseWithResolvers<void> | null = null
  #closed = false

  /** Starts a segment in the folder, after those of earlier runs. Throws STORAGE_UNAVAILABLE. */
  constructor(dataDir: string, segmentBytesMax: number = SEGMENT_BYTES_MAX) {
    this.#folder = journalFolder(dataDir)
    this.#segmentBytesMax = segmentBytesMax
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 })
      this.#number = listSegments(this.#folder).at(-1) ?? 0
      this.#segment = this.#startSegment()
    } catch (error) {
      throw notWritten(error)
    }
  }

  append(hold: OpenHold): Promise<void> {
    if (this.#closed) return Promise.reject(notWritten('the journal is closed'))
    this.#lines.push(holdLine(hold))
    this.#callIds.push(hold.callId)
    if (this.#turn === null) {
      this.#turn = Promise.withResolvers<void>()
      setImmediate(() => this.#flush())
    }
    return this.#turn.promise
  }

  settled(callId: string): void {
    this.#settle(this.#holds, callId)
    if (this.#usages.size > 0) this.#settle(this.#usages, callId)
  }

  /** Goes down with the next holds. */
  recorded(call: RecordedCall): void {
    this.#recorded = call
  }

  keep(encoded: readonly string[]): void {
    if (this.#closed) throw notWritten('the journal is closed')
    try {
      this.#write(encoded.map(usageLine).join(''))
    } catch (error) {
      throw notWritten(error)
    }
    try {
      fsyncSync(this.#segment.file)
      // A file is only as durable as its name.
      this.#sync('.')
    } catch (error) {
      this.#doubt()
      throw notWritten(error)
    }
    for (const record of encoded) this.#open(this.#usages, callIdOf(record))
  }

  /**
   * Writes what waits, and that nothing follows, so that the next start trusts the journal even when the machine was
   * started anew. The segment stays: without one the journal would seem lost.
   */
  close(): void {
    if (this.#closed) return
    this.#flush()
    this.#closed = true
    try {
      if (this.#boot === IN_DOUBT) throw new Error('an fsync failed')
      for (const number of listSegments(this.#folder)) this.#sync(segmentName(number))
      if (this.#recorded !== null) this.#write(this.#recordedLine())
      writeSync(this.#segment.file, END_LINE)
      fsyncSync(this.#segment.file)
      this.#sync('.')
    } catch {
      // Then it is as if the process had been killed: what was allotted is posted if the machine goes down as well, or where
      // an fsync has failed before.
    }
    closeSync(this.#segment.file)
  }

  #flush(): void {
    const turn = this.#turn
    if (turn === null) return
    const [lines, callIds] = [this.#lines, this.#callIds]
    this.#lines = []
    this.#callIds = []
    this.#turn = null
    try {
      this.#write(`${this.#recordedLine()}${lines.join('')}`)
    } catch (error) {
      turn.reject(notWritten(error))
      return
    }
    for (const callId of callIds) this.#open(this.#holds, callId)
    turn.resolve()
  }

  #recordedLine(): string {
    const recorded = this.#recorded
    this.#recorded = null
    return recorded === null ? '' : recordedLine(recorded)
  }

  /**
   * An fsync failed: the system may have forgotten any line that was on its way to the disk, and the next fsync of the file
   * would say nothing of it. It is asked nothing more; what follows stands in a new segment, by which the next start knows
   * that lines may be missing.
   */
  #doubt(): void {
    this.#boot = IN_DOUBT
    this.#segment.bytes = Infinity
  }

  /** Writes all or, as far as the disk lets it, nothing: what was refused must not be found after a crash. */
  #write(text: string): void {
    if (this.#segment.bytes >= this.#segmentBytesMax) this.#nextSegment()
    const segment = this.#segment
    const bytes = Buffer.from(summed(text))
    try {
      for (let written = 0; written < bytes.length;) {
        written += writeSync(segment.file, bytes, written)
      }
    } catch (error) {
      const whole = segment.bytes
      // If it cannot be cut off, the torn line stays the last one of its segment.
      segment.bytes = Infinity
      ftruncateSync(segment.file, whole)
      segment.bytes = whole
      throw error
    }
    segment.bytes += bytes.length
  }

  #nextSegment(): void {
    const full = this.#segment
    this.#segment = this.#startSegment()
    closeSync(full.file)
    if (full.open === 0) remove(full)
  }

  #startSegment(): Segment {
    this.#number += 1
    const path = join(this.#folder, segmentName(this.#number))
    const file = openSync(path, 'ax', 0o600)
    try {
      return { path, file, bytes: writeSync(file, headerLine(this.#boot)), open: 0 }
    } catch (error) {
      closeSync(file)
      throw error
    }
  }

  #open(segments: Map<string, Segment>, callId: string): void {
    if (segments.has(callId)) return
    segments.set(callId, this.#segment)
    this.#segment.open += 1
  }

  #settle(segments: Map<string, Segment>, callId: string): void {
    const segment = segments.get(callId)
    if (segment === undefined) return
    segments.delete(callId)
    segment.open -= 1
    if (segment.open === 0 && segment !== this.#segment && !this.#closed) remove(segment)
  }

  #sync(name: string): void {
    const file = openSync(join(this.#folder, name), 'r')
    try {
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  }
}

/** What cannot be removed now is removed by the next start, which finds a record for each of its holds. */
function remove({ path }: Segment): void {
  unlink(path, () => {})
}

function notWritten(cause: unknown): ApiError {
  return new ApiError(
    'STORAGE_UNAVAILABLE',
    'Pollux cannot write to its data folder, so no call that costs money may be sent. Look whether the disk has space.',
    { cause },
  )
}
