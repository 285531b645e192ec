import { projectsOf } from './authorize.ts'
import type { ManagementCall } from './call.ts'
import type { POLLUX_V1 } from '../contract/pollux.v1.ts'
import type { ResponseOf } from '../contract/endpoint.ts'
import { invalidField } from '../domain/error.ts'
import type { Key } from '../domain/key.ts'
import type { Project } from '../domain/project.ts'
import { USAGE_DIMENSIONS, type UsageGranularity, type UsageQuery, type UsageRow } from '../domain/usage.ts'
import type { Storage } from '../storage/storage.ts'
import type { KeysContext } from './keys.ts'
import { keysByUid, requireKey, requireProject } from './lookup.ts'
import { projectName, timeJson } from './resource-names.ts'

type Call = ManagementCall<typeof POLLUX_V1.getUsage> | ManagementCall<typeof POLLUX_V1.searchUsage>
type ReportJson = ResponseOf<typeof POLLUX_V1.getUsage>

const BUCKET_MS: Readonly<Record<UsageGranularity, number>> = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
}
const BUCKETS_MAX = 10_000
const GROUPS_MAX = 50
const KEYS_AT_ONCE = 300

/** What a report is of: one project, one of its keys, or (null) every project that the caller may look into. */
interface Subject {
  readonly project: Project | null
  readonly key: Key | null
}

/** Usage: by default of the current month (UTC), by key and model. */
export async function usageReport({ storage, now }: KeysContext, call: Call): Promise<ReportJson> {
  const subject = await subjectOf(storage, call)
  const query = queryOf(call, subject, now())
  assertInterval(query)
  const rows = await storage.usage.report(query)
  const keys = await keysOf(storage, subject, rows)
  return {
    ...(subject.project === null ? {} : { project: projectName(subject.project.number) }),
    startTime: timeJson(query.startTimeMs),
    endTime: timeJson(query.endTimeMs),
    granularity: query.granularity,
    groupBy: [...query.groupBy],
    rows: rows.map(row => rowJson(row, keys)),
  }
}

async function subjectOf(storage: Storage, call: Call): Promise<Subject> {
  const project = 'project' in call.params ? call.params.project : projectAsked(call.query)
  const { key } = call.query
  if (project === undefined) {
    if (key !== undefined) throw invalidField('key', 'is looked for in one project: name it in `project`')
    return { project: null, key: null }
  }
  if (key === undefined) return { project: await requireProject(storage, project, call), key: null }
  return await requireKey(storage, { project, key }, call)
}

function projectAsked(query: Call['query']): string | undefined {
  return 'project' in query ? query.project : undefined
}

function queryOf({ query: asked, principal }: Call, { project, key }: Subject, nowMs: number): UsageQuery {
  const groups = new Set(asked.groupBy ?? ['key', 'model'])
  const { numbers } = projectsOf(principal, 'pollux.usage.get')
  return {
    ...(project === null ? {} : { projectNumber: project.number }),
    ...(project !== null || numbers === undefined ? {} : { projectNumbers: numbers }),
    ...(key === null ? {} : { keyUid: key.uid }),
    ...(asked.model === undefined ? {} : { model: asked.model }),
    ...(asked.status === undefined ? {} : { httpStatus: asked.status }),
    startTimeMs: asked.startTime === undefined ? startOfMonth(nowMs) : Date.parse(asked.startTime),
    endTimeMs: asked.endTime === undefined ? nowMs : Date.parse(asked.endTime),
    granularity: asked.granularity ?? 'day',
    groupBy: USAGE_DIMENSIONS.filter(dimension => groups.has(dimension)),
    ...(asked.limit === undefined ? {} : { top: { limit: asked.limit, by: asked.orderBy ?? 'cost' } }),
  }
}

function startOfMonth(nowMs: number): number {
  const now = new Date(nowMs)
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1)
}

function assertInterval({ startTimeMs, endTimeMs, granularity, groupBy, top }: UsageQuery): void {
  if (top !== undefined && !(top.limit >= 1 && top.limit <= GROUPS_MAX)) {
    throw invalidField('limit', `must be from 1 to ${GROUPS_MAX}`)
  }
  if (startTimeMs >= endTimeMs) throw invalidField('endTime', 'must be after startTime')
  const buckets = (endTimeMs - startTimeMs) / BUCKET_MS[granularity]
  if (groupBy.includes('time') && buckets > BUCKETS_MAX) {
    throw invalidField(
      'granularity',
      `the interval has more than ${BUCKETS_MAX} buckets of a ${granularity}; ask for wider ones or a shorter interval`,
    )
  }
}

/** The keys that the rows are of, deleted ones too, as rows outlive what they count. */
async function keysOf(
  storage: Storage,
  { project }: Subject,
  rows: readonly UsageRow[],
): Promise<ReadonlyMap<string, Key>> {
  const uids = [...new Set(rows.flatMap(({ keyUid }) => (keyUid === undefined ? [] : [keyUid])))]
  if (project !== null && uids.length > KEYS_AT_ONCE) return await keysByUid(storage, project.number)
  const keys = new Map<string, Key>()
  for (let at = 0; at < uids.length; at += KEYS_AT_ONCE) {
    const asked = { uids: uids.slice(at, at + KEYS_AT_ONCE), showDeleted: true }
    const { items } = await storage.keys.search({ ...asked, limit: KEYS_AT_ONCE, cursor: null })
    for (const key of items) keys.set(key.uid, key)
  }
  return keys
}

function rowJson(row: UsageRow, keys: ReadonlyMap<string, Key>): ReportJson['rows'][number] {
  const { projectNumber, keyUid, environment, model, method, httpStatus, bucketTimeMs, isOther, totals } = row
  const key = keyUid === undefined ? undefined : keys.get(keyUid)
  return {
    ...(projectNumber === undefined ? {} : { project: projectName(projectNumber) }),
    ...(keyUid === undefined ? {} : { keyUid }),
    ...(key === undefined ? {} : { keyId: key.keyId, keyDisplayName: key.displayName }),
    ...(environment === undefined ? {} : { environment }),
    ...(model === undefined ? {} : { model }),
    ...(method === undefined ? {} : { method }),
    ...(httpStatus === undefined ? {} : { status: httpStatus }),
    ...(bucketTimeMs === undefined ? {} : { time: timeJson(bucketTimeMs) }),
    ...(isOther === undefined ? {} : { other: isOther }),
    ...totals,
  }
}
