/** Records of many projects as one list, newest first, in pages that cost no more than told. */
import { sql } from 'kysely'
import type { CallFilter, UsageRecord } from '../domain/usage.ts'
import {
  type KeyedRow,
  type Place,
  comparePlaces,
  filterScope,
  placeAt,
  placeOf,
  scanRecords,
} from './call-scan.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import type { Engine } from './engine.ts'
import { recordOf } from './record-row.ts'
import type { Page, PageRequest } from './storage.ts'
import { listBlocks, recordTable } from './usage-block.ts'

/** Records a page may look at: on SQLite usage waits to be committed meanwhile. Shared by the projects, but for a few each. */
const SEEN_MAX = 20_000
const SEEN_MIN = 200
/** Records of other nodes are folded within half a minute (worker.ts); twice that, and what a slow fold takes. */
const FOLDED_AFTER_MS = 5 * 60_000
const LATEST_MS = Date.UTC(10_000, 0)

/** A page of records, from the newest block to the oldest. */
export async function listCalls(engine: Engine, query: CallFilter & PageRequest): Promise<Page<UsageRecord>> {
  const { limit, cursor, startTimeMs = 0, endTimeMs = LATEST_MS, ...rest } = query
  const filter: CallFilter = rest
  const scope = filterScope('calls', query)
  const after = decodeCursor(cursor, scope, ['number', 'string', 'number'])
  let before = after === null ? placeAt(endTimeMs) : placeFrom(after)
  const found: KeyedRow[] = []
  let stop: Place | null = null
  for (const block of await listBlocks(engine.db)) {
    const { startMs, endMs } = monthOf(block)
    if (startMs >= before.startTimeMs && before.nodeId === '') continue
    if (endMs <= startTimeMs) break
    if (before.startTimeMs > endMs) before = placeAt(endMs)
    const sinceMs = Math.max(startMs, startTimeMs)
    const part = await listBlock(engine, { block, filter, sinceMs, before, wanted: limit + 1 - found.length })
    found.push(...part.rows)
    stop = part.stop
    if (stop !== null || found.length > limit) break
  }
  const shown = found.slice(0, limit)
  const last = shown.at(-1)
  const next = found.length > limit && last !== undefined ? placeOf(last) : stop
  return {
    items: shown.map(recordOf),
    nextCursor: next === null ? null : encodeCursor(scope, [next.startTimeMs, next.nodeId, next.seq]),
  }
}

interface BlockQuery {
  readonly block: string
  readonly filter: CallFilter
  readonly sinceMs: number
  readonly before: Place
  readonly wanted: number
}

interface BlockPart {
  readonly rows: readonly KeyedRow[]
  /** What is older than this was not looked at; null: the block is done. */
  readonly stop: Place | null
}

/**
 * One project after the other, that with the newest record first, until those that are left have nothing new enough. What
 * is older than where any of their scans stopped is left to the next page.
 */
async function listBlock(engine: Engine, query: BlockQuery): Promise<BlockPart> {
  const { block, filter, sinceMs, before, wanted } = query
  const projects = await newestFirst(engine, query)
  const seenMax = Math.max(SEEN_MIN, Math.floor(SEEN_MAX / Math.max(1, projects.length)))
  const foldedUntilMs = floorToMinute((await engine.nowMs(engine.db)) - FOLDED_AFTER_MS)
  let rows: KeyedRow[] = []
  let stop: Place | null = null
  for (const { projectNumber, newestMs } of projects) {
    const enough = rows[wanted - 1]
    if (enough !== undefined && enough.start_time > newestMs) break
    if (stop !== null && stop.startTimeMs > newestMs) break
    const scan = { block, projectNumber, filter, sinceMs, before, wanted, seenMax }
    const scanned = await scanRecords(engine, scan, foldedUntilMs)
    if (scanned.stop !== null && (stop === null || comparePlaces(scanned.stop, stop) > 0)) stop = scanned.stop
    const from = stop
    rows = [...rows, ...scanned.rows]
      .filter(row => from === null || comparePlaces(placeOf(row), from) >= 0)
      .sort((one, other) => comparePlaces(placeOf(other), placeOf(one)))
      .slice(0, wanted)
  }
  return { rows, stop }
}

/** The projects that have records in the block before the place, with the start of the newest. */
async function newestFirst(engine: Engine, { block, filter, sinceMs, before }: BlockQuery) {
  const { projectNumbers } = filter
  if (projectNumbers?.length === 0) return []
  const { rows } = await sql<{ number: string; newest: number | null }>`
    select p.number, (
      select max(r.start_time) from ${sql.table(recordTable(block))} as r
      where r.project_number = p.number and r.start_time <= ${before.startTimeMs}
    ) as newest from project as p
    ${projectNumbers === undefined ? sql`` : sql`where p.number in (${sql.join(projectNumbers)})`}
  `.execute(engine.db)
  return rows
    .flatMap(({ number: projectNumber, newest: newestMs }) =>
      newestMs === null || newestMs < sinceMs ? [] : [{ projectNumber, newestMs }],
    )
    .sort((one, other) => other.newestMs - one.newestMs)
}

function placeFrom([startTimeMs, nodeId, seq]: readonly (string | number)[]): Place {
  return { startTimeMs: Number(startTimeMs), nodeId: String(nodeId), seq: Number(seq) }
}

/** The first moment of the block's month and that of the next (UTC). */
function monthOf(block: string): { readonly startMs: number; readonly endMs: number } {
  const [year, month] = [Number(block.slice(0, 4)), Number(block.slice(4)) - 1]
  return { startMs: Date.UTC(year, month), endMs: Date.UTC(year, month + 1) }
}

function floorToMinute(timeMs: number): number {
  return Math.floor(timeMs / 60_000) * 60_000
}
