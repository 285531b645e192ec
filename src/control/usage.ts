import type { ManagementCall } from './call.ts'
import type { POLLUX_V1 } from '../contract/pollux.v1.ts'
import type { ResponseOf } from '../contract/endpoint.ts'
import { invalidField } from '../domain/error.ts'
import type { Key } from '../domain/key.ts'
import { USAGE_DIMENSIONS, type UsageGranularity, type UsageQuery, type UsageRow } from '../domain/usage.ts'
import type { KeysContext } from './keys.ts'
import { keysByUid, requireKey, requireProject } from './lookup.ts'
import { projectName, timeJson } from './resource-names.ts'

type Endpoint = typeof POLLUX_V1.getUsage
type ReportJson = ResponseOf<Endpoint>

const BUCKET_MS: Readonly<Record<UsageGranularity, number>> = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
}
const BUCKETS_MAX = 10_000

/** The usage of a project: by default of the current month (UTC), by key and model. */
export async function usageReport(
  { storage, now }: KeysContext,
  call: ManagementCall<Endpoint>,
): Promise<ReportJson> {
  const { params, query: asked } = call
  const project = await requireProject(storage, params.project, call)
  const key =
    asked.key === undefined
      ? null
      : await requireKey(storage, { project: project.number, key: asked.key }, call)
  const nowMs = now()
  const groups = new Set(asked.groupBy ?? ['key', 'model'])
  const query: UsageQuery = {
    projectNumber: project.number,
    ...(key === null ? {} : { keyUid: key.key.uid }),
    startTimeMs: asked.startTime === undefined ? startOfMonth(nowMs) : Date.parse(asked.startTime),
    endTimeMs: asked.endTime === undefined ? nowMs : Date.parse(asked.endTime),
    granularity: asked.granularity ?? 'day',
    groupBy: USAGE_DIMENSIONS.filter(dimension => groups.has(dimension)),
  }
  assertInterval(query)
  const rows = await storage.usage.report(query)
  const keys = groups.has('key') ? await keysByUid(storage, project.number) : new Map<string, Key>()
  return {
    project: projectName(project.number),
    startTime: timeJson(query.startTimeMs),
    endTime: timeJson(query.endTimeMs),
    granularity: query.granularity,
    groupBy: [...query.groupBy],
    rows: rows.map(row => rowJson(row, keys)),
  }
}

function startOfMonth(nowMs: number): number {
  const now = new Date(nowMs)
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1)
}

function assertInterval({ startTimeMs, endTimeMs, granularity, groupBy }: UsageQuery): void {
  if (startTimeMs >= endTimeMs) throw invalidField('endTime', 'must be after startTime')
  const buckets = (endTimeMs - startTimeMs) / BUCKET_MS[granularity]
  if (groupBy.includes('time') && buckets > BUCKETS_MAX) {
    throw invalidField(
      'granularity',
      `the interval has more than ${BUCKETS_MAX} buckets of a ${granularity}; ask for wider ones or a shorter interval`,
    )
  }
}

function rowJson(row: UsageRow, keys: ReadonlyMap<string, Key>): ReportJson['rows'][number] {
  const { keyUid, model, method, bucketTimeMs, totals } = row
  const key = keyUid === undefined ? undefined : keys.get(keyUid)
  return {
    ...(keyUid === undefined ? {} : { keyUid }),
    ...(key === undefined ? {} : { keyId: key.keyId, keyDisplayName: key.displayName }),
    ...(model === undefined ? {} : { model }),
    ...(method === undefined ? {} : { method }),
    ...(bucketTimeMs === undefined ? {} : { time: timeJson(bucketTimeMs) }),
    ...totals,
  }
}
