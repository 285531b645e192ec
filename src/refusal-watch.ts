/** Carries what was answered 429 from the gateway to where it is counted. */
import type { GatewayEvents } from './gateway/call.ts'
import type { RefusalStore } from './storage/quota-store.ts'

/** The same events, and every refusal counted: ours as they are told, Google's by the records they leave. */
export function countingRefusals(
  events: GatewayEvents,
  refusals: Pick<RefusalStore, 'count'>,
): GatewayEvents {
  return {
    ...events,
    callLimited(refused) {
      refusals.count(refused)
      events.callLimited(refused)
    },
    callSettled(record) {
      events.callSettled(record)
      // What we refuse for its rate is never admitted, so an admitted call's 429 is the upstream's.
      if (record.httpStatus !== 429) return
      const { projectNumber, keyUid, model } = record
      const timeMs = record.startTimeMs + record.durationMs
      refusals.count({ timeMs, projectNumber, keyUid, model, reason: 'UPSTREAM', quota: null })
    },
  }
}
