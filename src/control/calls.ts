/**
 * Calls one by one. Asked of `pollux.usage.get`: a record tells of one call what the usage report tells of the calls of a
 * minute, and holds neither what was asked nor what was answered, nor who asked.
 */
import type { CALLS_V1 } from '../contract/calls.v1.ts'
import type { QueryOf, ResponseOf } from '../contract/endpoint.ts'
import { LIST_PRICE_BASIS_POINTS } from '../domain/cost.ts'
import { ApiError, invalidField } from '../domain/error.ts'
import type { Key } from '../domain/key.ts'
import { mayDo } from '../domain/permission.ts'
import type { Project } from '../domain/project.ts'
import { formatPriceFactor } from '../domain/quota-fields.ts'
import { shownName } from '../domain/redaction.ts'
import type { CallFilter, UsageRecord } from '../domain/usage.ts'
import type { Storage } from '../storage/storage.ts'
import { projectsOf } from './authorize.ts'
import { budgetName, placeFinder } from './budget-places.ts'
import type { CallFacts, Handlers, ManagementCall } from './call.ts'
import { nextPageToken, pageRequest, requireKey, requireProject } from './lookup.ts'
import { projectName, timeJson } from './resource-names.ts'

type Asked = QueryOf<typeof CALLS_V1.tailCalls>
type CallJson = ResponseOf<typeof CALLS_V1.listCalls>['calls'][number]
type LedgerLine = ResponseOf<typeof CALLS_V1.getCall>['ledger'][number]

const TAIL_CALLS_MAX = 300
/** How many pages are looked through for a call whose start is not known. */
const SEARCH_PAGES_MAX = 10

export function callHandlers(storage: Storage): Handlers<typeof CALLS_V1> {
  return {
    async listCalls(call) {
      const { callId, startTime, endTime } = call.query
      const filter: CallFilter = {
        ...(await filterOf(storage, call.query, call)),
        ...(callId === undefined ? {} : { callId }),
        ...(startTime === undefined ? {} : { startTimeMs: Date.parse(startTime) }),
        ...(endTime === undefined ? {} : { endTimeMs: Date.parse(endTime) }),
      }
      const page = await storage.usage.list({ ...filter, ...pageRequest(call.query) })
      return { calls: await callsJson(storage, page.items), ...nextPageToken(page.nextCursor) }
    },
    async tailCalls(call) {
      const filter = await filterOf(storage, call.query, call)
      const cursor = call.query.tailToken ?? null
      const tail = await storage.usage.tail({ ...filter, limit: TAIL_CALLS_MAX, cursor })
      return { calls: await callsJson(storage, tail.items), tailToken: tail.nextCursor }
    },
    async getCall(call) {
      const project = await requireProject(storage, call.params.project, call)
      const record = await findRecord(storage, project, call)
      const [json] = await callsJson(storage, [record])
      return { ...(json ?? recordJson(record)), ledger: await ledgerOf(storage, record, call) }
    },
  }
}

async function filterOf(storage: Storage, asked: Asked, call: CallFacts): Promise<CallFilter> {
  const { project, key, model, method, outcome, status } = asked
  if (key !== undefined && project === undefined) throw invalidField('project', 'a key needs its project')
  const { numbers } = projectsOf(call.principal, 'pollux.usage.get')
  const ofKey =
    project === undefined || key === undefined ? null : await requireKey(storage, { project, key }, call)
  const named =
    project === undefined ? null : (ofKey?.project ?? (await requireProject(storage, project, call)))
  const projectNumbers = named === null ? numbers : [named.number]
  return {
    ...(projectNumbers === undefined ? {} : { projectNumbers }),
    ...(ofKey === null ? {} : { keyUid: ofKey.key.uid }),
    ...(model === undefined ? {} : { model }),
    ...(method === undefined ? {} : { method }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(status === undefined ? {} : { statuses: statusesOf(status) }),
  }
}

/** `429`, or `4xx` for a hundred of them. */
function statusesOf(status: string): readonly [number, number] {
  if (/^\d+$/.test(status)) return [Number(status), Number(status)]
  const first = Number(status.charAt(0)) * 100
  return [first, first + 99]
}

/** RESOURCE_NOT_FOUND where no call of the project has this id among those that were looked at. */
async function findRecord(
  storage: Storage,
  { number, projectId }: Project,
  { params, query }: ManagementCall<typeof CALLS_V1.getCall>,
): Promise<UsageRecord> {
  const startTimeMs = query.startTime === undefined ? null : Date.parse(query.startTime)
  const interval = startTimeMs === null ? {} : { startTimeMs, endTimeMs: startTimeMs + 1 }
  const filter: CallFilter = { projectNumbers: [number], callId: params.call, ...interval }
  let cursor: string | null = null
  for (let page = 0; page < SEARCH_PAGES_MAX; page++) {
    const found: Awaited<ReturnType<Storage['usage']['list']>> = await storage.usage.list({
      ...filter,
      limit: 1,
      cursor,
    })
    const [record] = found.items
    if (record !== undefined) return record
    cursor = found.nextCursor
    if (cursor === null) break
  }
  const where =
    cursor === null
      ? 'Calls that were refused before they were let in have no record.'
      : 'Only the newest calls were looked through: give its startTime, or list calls by callId.'
  throw new ApiError(
    'RESOURCE_NOT_FOUND',
    `No call of projects/${projectId} with the id '${shownName(params.call)}' was found. ${where}`,
  )
}

/** Each record with the names of its key and project, which are looked up once. */
async function callsJson(storage: Storage, records: readonly UsageRecord[]): Promise<CallJson[]> {
  const projects = new Map<string, Promise<Project | null>>()
  const keys = new Map<string, Promise<Key | null>>()
  for (const { projectNumber, keyUid } of records) {
    if (!projects.has(projectNumber)) projects.set(projectNumber, storage.projects.find(projectNumber))
    if (!keys.has(keyUid)) keys.set(keyUid, storage.keys.find(projectNumber, keyUid))
  }
  return await Promise.all(
    records.map(async record => ({
      ...namesOf((await projects.get(record.projectNumber)) ?? null, (await keys.get(record.keyUid)) ?? null),
      ...recordJson(record),
    })),
  )
}

function namesOf(project: Project | null, key: Key | null) {
  return {
    ...(project === null ? {} : { projectId: project.projectId }),
    ...(key === null ? {} : { keyId: key.keyId }),
    ...(key === null || key.displayName === '' ? {} : { keyDisplayName: key.displayName }),
  }
}

function recordJson(record: UsageRecord): CallJson {
  const { usage, modelVersion, costNanos, clampedOutputTokens } = record
  const { receivedUs, admittedUs, firstByteMs, lastByteUs } = record
  const { details, serviceTier, ...tokens } = usage
  return {
    name: `${projectName(record.projectNumber)}/calls/${record.callId}`,
    callId: record.callId,
    startTime: timeJson(record.startTimeMs),
    durationMs: record.durationMs,
    ...(receivedUs === null ? {} : { receivedMs: receivedUs / 1_000 }),
    ...(admittedUs === null ? {} : { admittedMs: admittedUs / 1_000 }),
    ...(firstByteMs === null ? {} : { firstByteMs }),
    ...(lastByteUs === null ? {} : { lastByteMs: lastByteUs / 1_000 }),
    keyUid: record.keyUid,
    method: record.method,
    model: record.model,
    ...(modelVersion === null ? {} : { modelVersion }),
    outcome: record.outcome,
    httpStatus: record.httpStatus,
    ...tokens,
    // Only ever read by the serializer, so the lists may stay the stored ones.
    ...(details === null ? {} : { tokenDetails: details as NonNullable<CallJson['tokenDetails']> }),
    ...(serviceTier === null ? {} : { serviceTier }),
    requestBytes: record.requestBytes,
    responseBytes: record.responseBytes,
    ...(costNanos === null ? {} : { costNanos: String(costNanos) }),
    ...(record.priceBasisPoints === LIST_PRICE_BASIS_POINTS
      ? {}
      : { priceFactor: formatPriceFactor(record.priceBasisPoints) }),
    heldNanos: String(record.heldNanos),
    postedNanos: String(record.postedNanos),
    ...(clampedOutputTokens === null ? {} : { clampedOutputTokens }),
  }
}

/** A line for each budget that bound the call, of those the caller may list. */
async function ledgerOf(
  storage: Storage,
  { ledger, heldNanos, postedNanos }: UsageRecord,
  { principal }: CallFacts,
): Promise<LedgerLine[]> {
  const rows = await storage.budgets.ofRows(ledger)
  const seen = rows.filter(({ budget }) => mayDo(principal, 'pollux.budgets.list', budget.projectNumber))
  const placeOf = placeFinder(storage)
  return await Promise.all(
    seen.map(async ({ budget, periodStartMs }) => ({
      budget: budgetName(await placeOf(budget), budget.period),
      periodStartTime: timeJson(periodStartMs),
      heldNanos: String(heldNanos),
      postedNanos: String(postedNanos),
      freedNanos: String(Math.max(0, heldNanos - postedNanos)),
    })),
  )
}
