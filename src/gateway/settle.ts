import { NO_USAGE, type Outcome, type Usage, type UsageRecord } from '../domain/usage.ts'
import type { Admission, Call, Gateway } from './call.ts'

/** How an admitted call ended. */
export interface Ending {
  readonly outcome: Outcome
  /** What the caller was, or will be, given; 499 when it left first. */
  readonly httpStatus: number
  readonly usage?: Usage | null
  readonly modelVersion?: string | null
  /** performance.now() at the upstream's first byte. */
  readonly firstByteAtMs?: number | null
  readonly responseBytes?: number
}

/**
 * Ends an admission: exactly once, with a durable record. Resolves when the record is durable; rejects with
 * STORAGE_UNAVAILABLE when it could not be made so, after logging it whole.
 */
export async function settle(
  admission: Admission,
  call: Call,
  { ending, io }: { readonly ending: Ending; readonly io: Pick<Gateway, 'usage' | 'events'> },
): Promise<void> {
  if (admission.hold.settled) throw new Error(`call ${call.id} is settled already`)
  admission.hold.settled = true
  const record = recordOf(admission, call, ending)
  io.events.callSettled(record)
  try {
    await io.usage.append(record)
  } catch (error) {
    io.events.usageNotDurable(record, error)
    throw error
  }
}

function recordOf(admission: Admission, call: Call, ending: Ending): UsageRecord {
  const firstByteAtMs = ending.firstByteAtMs ?? null
  return {
    callId: call.id,
    startTimeMs: call.startTimeMs,
    durationMs: Math.round(performance.now() - call.startedMs),
    firstByteMs: firstByteAtMs === null ? null : Math.round(firstByteAtMs - call.startedMs),
    projectNumber: admission.entry.project.number,
    keyUid: admission.entry.key.uid,
    method: admission.method.name,
    model: admission.model,
    modelVersion: ending.modelVersion ?? null,
    outcome: ending.outcome,
    httpStatus: ending.httpStatus,
    usage: ending.usage ?? NO_USAGE,
    requestBytes: admission.requestBytes,
    responseBytes: ending.responseBytes ?? 0,
  }
}
