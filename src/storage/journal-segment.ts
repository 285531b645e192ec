/** The journal on disk: a folder of segments, each a file of JSON lines. */
import { readFileSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { crc32 } from 'node:zlib'
import { LIST_PRICE_BASIS_POINTS } from '../domain/cost.ts'
import type { UsageRecord } from '../domain/usage.ts'
import { decodeRecord } from './record-row.ts'
import type { OpenHold } from '../domain/ledger.ts'

const SEGMENT = /^holds-(\d{9})\.jsonl$/

/** The folder of the segments. */
export function journalFolder(dataDir: string): string {
  return join(resolve(dataDir), 'journal')
}

/** The name of the segment of a number. */
export function segmentName(number: number): string {
  return `holds-${String(number).padStart(9, '0')}.jsonl`
}

/** The numbers of the segments there are, oldest first. */
export function listSegments(folder: string): readonly number[] {
  try {
    return readdirSync(folder)
      .flatMap(name => SEGMENT.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((left, right) => left - right)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

/**
 * Names the run of the machine: what is written without fsync outlives a process, not a machine. Empty where the system
 * does not tell.
 */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return ''
  }
}

/** The first line of every segment. */
export function headerLine(boot: string): string {
  return `${JSON.stringify(['boot', boot])}\n`
}

/** In the header of a segment that is not to be trusted: an fsync of one before it failed. */
export const IN_DOUBT = 'in doubt'

/** What is written at once, with its checksum behind it. */
export function summed(lines: string): string {
  return `${lines}["sum",${crc32(lines)}]\n`
}

/** Which call was recorded last: a database without its record has lost what was acknowledged. */
export function recordedLine({ callId, projectNumber, startTimeMs }: RecordedCall): string {
  return `${JSON.stringify(['recorded', callId, projectNumber, startTimeMs])}\n`
}

/** Enough of a call to find its record. */
export type RecordedCall = Pick<UsageRecord, 'callId' | 'projectNumber' | 'startTimeMs'>

/** The last line of a journal that was closed: everything before it survives the machine. */
export const END_LINE = '["end"]\n'

/** Before a call is sent. */
export function holdLine(hold: OpenHold): string {
  const { callId, startTimeMs, projectNumber, keyUid, method, model, ledger, allotmentIds } = hold
  const { heldNanos, priceBasisPoints } = hold
  return `${JSON.stringify([
    'hold',
    callId,
    startTimeMs,
    projectNumber,
    keyUid,
    method,
    model,
    heldNanos,
    ledger,
    allotmentIds,
    priceBasisPoints,
  ])}\n`
}

/** When the store does not take a record, as `encodeRecord` made it. */
export function usageLine(encoded: string): string {
  return `["usage",${encoded}]\n`
}

/** The call of an encoded record. */
export function callIdOf(encoded: string): string {
  return String((JSON.parse(encoded) as unknown[])[0])
}

/** What the segments of earlier runs hold. */
export interface JournalContents {
  readonly segments: readonly number[]
  readonly holds: ReadonlyMap<string, OpenHold>
  /** Outweigh the hold of the same call. */
  readonly usages: ReadonlyMap<string, UsageRecord>
  /**
   * Whether every hold there was is in it: the machine has run since or the journal was closed, and no line but a last
   * one is damaged, nor is one another than its checksum says.
   */
  readonly isWhole: boolean
  /** The last call of which it is known that the database had its record; null where none is named. */
  readonly recorded: RecordedCall | null
}

/** Reads every segment. A last line that was cut is no hold: its call was never sent. */
export function readJournal(dataDir: string): JournalContents {
  const folder = journalFolder(dataDir)
  const segments = listSegments(folder)
  const holds = new Map<string, OpenHold>()
  const usages = new Map<string, UsageRecord>()
  const header = headerLine(bootId()).trimEnd()
  let isDamaged = false
  let recorded: RecordedCall | null = null
  let [ofThisBoot, ofAnother] = [0, 0]
  let last = ''
  for (const number of segments) {
    const lines = readFileSync(join(folder, segmentName(number)), 'utf8').split('\n')
    // What follows the last newline: nothing, or a line that was cut. Never zeros: those are what the disk forgot.
    if (lines.pop()?.includes('\0') === true) isDamaged = true
    last = lines.at(-1) ?? ''
    // A segment without any line was being started when the process was killed; the one before it is there still.
    if (lines[0] === header) ofThisBoot += 1
    else if (lines.length > 0) ofAnother += 1
    let sum = 0
    for (const line of lines.slice(1)) {
      try {
        if (line.startsWith('["sum",')) {
          if (line !== `["sum",${sum}]`) isDamaged = true
          sum = 0
          continue
        }
        sum = crc32(`${line}\n`, sum)
        recorded = readLine(line, holds, usages) ?? recorded
      } catch {
        isDamaged = true
      }
    }
  }
  const isOfThisBoot = ofThisBoot > 0 && ofAnother === 0
  const isWhole = !isDamaged && (isOfThisBoot || `${last}\n` === END_LINE)
  return { segments, holds, usages, isWhole, recorded }
}

/** Gives the call of a line that says that one was recorded. */
function readLine(
  line: string,
  holds: Map<string, OpenHold>,
  usages: Map<string, UsageRecord>,
): RecordedCall | null {
  const [kind, ...values] = JSON.parse(line) as [string, ...unknown[]]
  if (kind === 'recorded') {
    const [callId, projectNumber, startTimeMs] = values as [string, string, number]
    return { callId, projectNumber, startTimeMs }
  }
  if (kind === 'usage') {
    const record = decodeRecord(values[0] as readonly unknown[])
    usages.set(record.callId, record)
  }
  if (kind !== 'hold') return null
  const [callId, startTimeMs, projectNumber, keyUid, method, model, heldNanos, ledger, allotmentIds, factor] =
    values as [string, number, string, string, string, string, number, number[], string[], number?]
  holds.set(callId, {
    callId,
    startTimeMs,
    projectNumber,
    keyUid,
    method,
    model,
    heldNanos,
    ledger,
    allotmentIds,
    // Absent in journals of before there was a factor.
    priceBasisPoints: factor ?? LIST_PRICE_BASIS_POINTS,
  })
  return null
}
