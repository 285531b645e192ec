/** Money spent as the gateway spends it: taken from the budgets of a path, settled with a record. */
import { randomUUID } from 'node:crypto'
import { NO_USAGE, type UsageRecord } from '../src/domain/usage.ts'
import type { Storage } from '../src/storage/storage.ts'

export interface Spending {
  readonly project: string
  readonly key: string
  /** Held and posted. */
  readonly postedNanos: number
  /** What the call turned out to cost; absent: what was posted. */
  readonly costNanos?: number
}

/** Books one call of the key on every budget of its path; resolves to its id. */
export async function spend(storage: Storage, spending: Spending): Promise<string> {
  const { postedNanos, costNanos = postedNanos } = spending
  const project = await storage.projects.find(spending.project)
  const projectNumber = project?.number ?? ''
  const key = await storage.keys.find(projectNumber, spending.key)
  const lineage = key?.lineage ?? ''
  const budgets = [
    ...(await storage.budgets.list({ scope: 'organization' })),
    ...(await storage.budgets.list({ scope: 'project', projectNumber })),
    ...(await storage.budgets.list({ scope: 'key', projectNumber, lineage })),
  ]
  const { taken, standings } = await storage.ledger.take(
    budgets.map(({ uid }) => ({ budgetUid: uid, minNanos: postedNanos, wantNanos: postedNanos })),
  )
  if (!taken) throw new Error('the budgets do not have it')
  const record: UsageRecord = {
    callId: randomUUID(),
    startTimeMs: Date.now(),
    durationMs: 5,
    firstByteMs: 4,
    projectNumber,
    keyUid: key?.uid ?? '',
    method: 'GenerateContent',
    model: 'gemini-3.8-flash',
    modelVersion: null,
    outcome: 'posted',
    httpStatus: 200,
    usage: NO_USAGE,
    requestBytes: 10,
    responseBytes: 20,
    costNanos,
    priceBasisPoints: 10_000,
    postedNanos,
    heldNanos: postedNanos,
    ledger: standings.map(({ rowId }) => rowId),
    clampedOutputTokens: null,
    receivedUs: null,
    admittedUs: null,
    lastByteUs: null,
  }
  const charges = standings.map(({ allotment }) => ({ allotmentId: allotment?.id ?? '', nanos: postedNanos }))
  await storage.usage.append(record, charges)
  return record.callId
}
