/** Looking at records of one project in one block, newest first, no more of them than told. */
import type { RawBuilder } from 'kysely'
import { sql } from 'kysely'
import type { CallFilter } from '../domain/usage.ts'
import type { CursorScope } from './cursor.ts'
import type { Engine } from './engine.ts'
import type { RecordRow } from './record-row.ts'
import { recordTable } from './usage-block.ts'

export type KeyedRow = RecordRow & { readonly node_id: string; readonly seq: number }

/** A place between records in their order: `start_time`, then `node_id` byte by byte, then `seq`. */
export interface Place {
  readonly startTimeMs: number
  readonly nodeId: string
  readonly seq: number
}

/** Before every record that started at or after the moment. */
export function placeAt(startTimeMs: number): Place {
  return { startTimeMs, nodeId: '', seq: 0 }
}

export function placeOf(row: KeyedRow): Place {
  return { startTimeMs: row.start_time, nodeId: row.node_id, seq: row.seq }
}

/** Negative where `one` is older than `other`. */
export function comparePlaces(one: Place, other: Place): number {
  if (one.startTimeMs !== other.startTimeMs) return one.startTimeMs - other.startTimeMs
  // In UTF-8 and in UTF-16 alike: ids of nodes are ASCII.
  if (one.nodeId !== other.nodeId) return one.nodeId < other.nodeId ? -1 : 1
  return one.seq - other.seq
}

/** What a cursor is valid for. Not the projects: a place is one in all of them, and which may be seen is asked each time. */
export function filterScope(list: string, filter: CallFilter): CursorScope {
  const { keyUid, model, method, outcome, statuses, callId, startTimeMs, endTimeMs } = filter
  return [list, JSON.stringify([keyUid, model, method, outcome, statuses, callId, startTimeMs, endTimeMs])]
}

export interface Scan {
  readonly block: string
  readonly projectNumber: string
  readonly filter: CallFilter
  /** Records of this moment and later. */
  readonly sinceMs: number
  readonly before: Place
  /** How many records may be wanted, and how many looked at. */
  readonly wanted: number
  readonly seenMax: number
}

export interface Scanned {
  readonly rows: readonly KeyedRow[]
  readonly seen: number
  /** Where the scan ended for having found or seen enough; null: nothing is left. */
  readonly stop: Place | null
}

/** Minutes with something in them cost a few questions each, however little it is. */
const MINUTE_SEEN = 50

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/**
 * The newest records that the filter lets through. Where it names what rollups are grouped by, the minutes that have none
 * of it are passed over: a key that is seldom used in a busy project is found at once. Rollups come up to a minute after
 * records of other nodes, so what started after `foldedUntilMs` is looked at record by record.
 */
export async function scanRecords(engine: Engine, scan: Scan, foldedUntilMs: number): Promise<Scanned> {
  if (!isGrouped(scan.filter)) return await scanRange(engine, scan)
  const rows: KeyedRow[] = []
  let { before } = scan
  let seen = 0
  while (seen < scan.seenMax) {
    const range = await nextRange(engine, { ...scan, before }, foldedUntilMs)
    if (range === null) return { rows, seen, stop: null }
    const { sinceMs } = range
    const from = comparePlaces(range.before, before) < 0 ? range.before : before
    const wanted = scan.wanted - rows.length
    const found = await scanRange(engine, {
      ...scan,
      before: from,
      sinceMs,
      wanted,
      seenMax: scan.seenMax - seen,
    })
    rows.push(...found.rows)
    seen += Math.max(found.seen, MINUTE_SEEN)
    if (found.stop !== null) return { rows, seen, stop: found.stop }
    before = placeAt(sinceMs)
  }
  return { rows, seen, stop: before }
}

/** Whether the rollups can tell where records of the filter are. */
function isGrouped({ keyUid, model, method, statuses }: CallFilter): boolean {
  return keyUid !== undefined || model !== undefined || method !== undefined || isOfErrors(statuses)
}

function isOfErrors(statuses: CallFilter['statuses']): boolean {
  return statuses !== undefined && statuses[0] >= 400
}

async function scanRange(engine: Engine, scan: Scan): Promise<Scanned> {
  const { filter, wanted, seenMax } = scan
  const columns = sql`order by start_time desc, ${engine.bytewise(sql.ref('node_id'))} desc, seq desc`
  const inOrder = sql`from ${sql.table(recordTable(scan.block))} where ${isBefore(engine, scan)} ${columns}`
  const { rows } = await sql<KeyedRow>`
    select * from (select * ${inOrder} limit ${seenMax}) as r where ${isWanted(filter)} ${columns} limit ${wanted}
  `.execute(engine.db)
  const last = rows.at(-1)
  if (rows.length === wanted && last !== undefined) return { rows, seen: wanted, stop: placeOf(last) }
  const { rows: counts } = await sql<{ seen: number }>`
    select count(*) as seen from (select seq ${inOrder} limit ${seenMax}) as r`.execute(engine.db)
  const seen = counts[0]?.seen ?? 0
  if (seen < seenMax) return { rows, seen, stop: null }
  const { rows: ends } = await sql<KeyedRow>`select * ${inOrder} limit 1 offset ${seenMax - 1}`.execute(
    engine.db,
  )
  const [end] = ends
  return { rows, seen, stop: end === undefined ? null : placeOf(end) }
}

function isBefore(engine: Engine, { projectNumber, sinceMs, before }: Scan): RawBuilder<unknown> {
  const { startTimeMs, nodeId, seq } = before
  const node = engine.bytewise(sql.ref('node_id'))
  return sql`project_number = ${projectNumber} and start_time >= ${sinceMs} and start_time <= ${startTimeMs}
    and (start_time < ${startTimeMs} or ${node} < ${nodeId} or (node_id = ${nodeId} and seq < ${seq}))`
}

/** What the index of records does not tell. */
export function isWanted(filter: CallFilter): RawBuilder<unknown> {
  const { keyUid, model, method, outcome, statuses, callId } = filter
  return sql`1 = 1
    ${keyUid === undefined ? sql`` : sql`and key_uid = ${keyUid}`}
    ${model === undefined ? sql`` : sql`and model = ${model}`}
    ${method === undefined ? sql`` : sql`and method = ${method}`}
    ${outcome === undefined ? sql`` : sql`and outcome = ${outcome}`}
    ${statuses === undefined ? sql`` : sql`and http_status >= ${statuses[0]} and http_status <= ${statuses[1]}`}
    ${callId === undefined ? sql`` : sql`and call_id = ${callId}`}`
}

/** The newest stretch before a place in which there may be records of the filter; null: there is none. */
async function nextRange(
  engine: Engine,
  scan: Scan,
  foldedUntilMs: number,
): Promise<{ readonly sinceMs: number; readonly before: Place } | null> {
  const { before, sinceMs } = scan
  // The last moment of which there may be a record.
  let lastMs = before.nodeId === '' ? before.startTimeMs - 1 : before.startTimeMs
  if (lastMs >= foldedUntilMs) return { sinceMs: Math.max(sinceMs, foldedUntilMs), before }
  for (;;) {
    const bucketBefore = (table: string, fromMs: number, toMs: number): Promise<number | null> =>
      newestBucket(engine, scan, { table, fromMs, toMs })
    const day = await bucketBefore('usage_day', floor(sinceMs, DAY_MS), lastMs)
    if (day === null) return null
    const hour = await bucketBefore('usage_hour', day, Math.min(lastMs, day + DAY_MS - 1))
    const minute =
      hour === null ? null : await bucketBefore('usage_minute', hour, Math.min(lastMs, hour + HOUR_MS - 1))
    if (minute !== null && minute + MINUTE_MS <= sinceMs) return null
    if (minute !== null) return { sinceMs: Math.max(sinceMs, minute), before: placeAt(minute + MINUTE_MS) }
    // The bucket has records, but none as old as is asked for.
    lastMs = (hour ?? day) - 1
    if (lastMs < sinceMs) return null
  }
}

async function newestBucket(
  engine: Engine,
  { projectNumber, filter }: Scan,
  { table, fromMs, toMs }: { readonly table: string; readonly fromMs: number; readonly toMs: number },
): Promise<number | null> {
  const { keyUid, model, method, statuses } = filter
  const { rows } = await sql<{ bucket_time: number }>`
    select bucket_time from ${sql.table(table)}
    where project_number = ${projectNumber} and bucket_time >= ${fromMs} and bucket_time <= ${toMs}
    ${keyUid === undefined ? sql`` : sql`and key_uid = ${keyUid}`}
    ${model === undefined ? sql`` : sql`and model = ${model}`}
    ${method === undefined ? sql`` : sql`and method = ${method}`}
    ${isOfErrors(statuses) ? sql`and errors > 0` : sql``}
    order by bucket_time desc limit 1`.execute(engine.db)
  return rows[0]?.bucket_time ?? null
}

function floor(timeMs: number, widthMs: number): number {
  return Math.floor(timeMs / widthMs) * widthMs
}
