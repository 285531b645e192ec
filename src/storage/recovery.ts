/**
 * After a crash, before anything is served: what an earlier run of this node had under way is posted, and its allotments
 * are folded into their rows (MONEY.md rule 21), also where others have taken it for lost: then the journal takes the place
 * of their estimate. One transaction, which finds nothing left to do when it runs again.
 */
import { closeSync, fsyncSync, openSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { CompiledQuery, sql } from 'kysely'
import { type AuditEntry, systemEntry } from '../domain/audit.ts'
import type { UsageRecord } from '../domain/usage.ts'
import { NO_USAGE } from '../domain/usage.ts'
import { type RowOverrun, addOverrun } from './append-queue.ts'
import { changesOf } from './budget-row.ts'
import type { Committer } from './commit.ts'
import type { Engine, JsonColumn } from './engine.ts'
import { databaseDamaged } from './failure.ts'
import type { JournalContents, RecordedCall } from './journal-segment.ts'
import { journalFolder, readJournal, segmentName } from './journal-segment.ts'
import type { Lease } from './lease.ts'
import { lockRow } from './ledger.ts'
import { budgetsOfRows, postOverruns } from './overrun.ts'
import { BlockClock, encodeRecord } from './record-row.ts'
import type { Db } from './schema.ts'
import type { OpenHold } from '../domain/ledger.ts'
import { ensureBlock, listBlocks, recordTable } from './usage-block.ts'
import { insertStatement, readNextSeq } from './usage-log.ts'

/** A commit that the dead process had sent already may take the numbers of records first; then it is seen as well. */
const ATTEMPTS_MAX = 5

interface Node {
  readonly engine: Engine
  readonly nodeId: string
  readonly lease: Lease
  readonly committer: Committer
}

/**
 * Begins a lease, posts what earlier runs left in the folder and in the database, then removes the segments. Gives the rows
 * of which less is posted than before.
 */
export async function recover(node: Node, dataDir: string): Promise<readonly number[]> {
  const journal = readJournal(dataDir)
  if (journal.recorded !== null) await refuseLoss(node, journal.recorded, journalFolder(dataDir))
  const records = recordsOf(journal)
  const blocks = byBlock(records)
  for (const block of blocks.keys()) await ensureBlock(node.engine, block, node.nodeId)
  let lowered: readonly number[]
  for (let attempt = 1; ; attempt += 1) {
    try {
      lowered = await post(node, blocks, journal.isWhole)
      break
    } catch (error) {
      if (attempt === ATTEMPTS_MAX || node.engine.failureOf(error) !== 'unique') throw error
    }
  }
  removeSegments(journalFolder(dataDir), journal.segments)
  return lowered
}

/**
 * DATABASE_DAMAGED where the database lacks a record that it had: it was rolled back, by a log that was cut or damaged, or by
 * somebody who put an older copy in its place. SQLite itself takes a log only as far as its checksums hold, and says nothing.
 */
async function refuseLoss(node: Node, recorded: RecordedCall, folder: string): Promise<void> {
  const { engine } = node
  const block = new BlockClock().blockOf(recorded.startTimeMs)
  const blocks = await listBlocks(engine.db)
  const found = blocks.includes(block)
    ? await findRecorded(engine.db, node, { block, records: [recorded] })
    : new Set()
  if (found.size > 0) return
  throw databaseDamaged(engine.place, [
    `it has no record of call ${recorded.callId}, which was acknowledged, so later ones are missing as well (if it is older ` +
      `on purpose, move the folder ${folder} away, too)`,
  ])
}

/** For good: one that came back when the machine goes down would speak for a run that it knows nothing of. */
function removeSegments(path: string, segments: readonly number[]): void {
  if (segments.length === 0) return
  for (const number of segments) unlinkSync(join(path, segmentName(number)))
  const folder = openSync(path, 'r')
  fsyncSync(folder)
  closeSync(folder)
}

async function hasAllotments(trx: Db, nodeId: string): Promise<boolean> {
  const row = await trx
    .selectFrom('allotment')
    .select('id')
    .where('node_id', '=', nodeId)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

/** One record per call of the journal: what it cost, where that is known, else what it held. */
function recordsOf({ holds, usages }: JournalContents): readonly UsageRecord[] {
  const estimates = [...holds.values()].filter(hold => !usages.has(hold.callId)).map(estimateOf)
  return [...usages.values(), ...estimates]
}

function estimateOf(hold: OpenHold): UsageRecord {
  const { callId, startTimeMs, projectNumber, keyUid, method, model, ledger } = hold
  const { heldNanos, priceBasisPoints } = hold
  return {
    callId,
    startTimeMs,
    durationMs: 0,
    firstByteMs: null,
    projectNumber,
    keyUid,
    method,
    model,
    modelVersion: null,
    outcome: 'estimated',
    httpStatus: 499,
    usage: NO_USAGE,
    requestBytes: 0,
    responseBytes: 0,
    costNanos: heldNanos,
    priceBasisPoints,
    postedNanos: heldNanos,
    heldNanos,
    ledger,
    clampedOutputTokens: null,
    receivedUs: null,
    admittedUs: null,
    lastByteUs: null,
  }
}

type Blocks = ReadonlyMap<string, readonly UsageRecord[]>

function byBlock(records: readonly UsageRecord[]): Blocks {
  const clock = new BlockClock()
  return Map.groupBy(records, record => clock.blockOf(record.startTimeMs))
}

async function post(node: Node, blocks: Blocks, isWhole: boolean): Promise<readonly number[]> {
  const { engine, nodeId, lease, committer } = node
  const lowered = await committer.commitAhead({ audit: null, operation: null }, async (trx, nowMs) => {
    await lease.claim(trx, nowMs)
    if (blocks.size === 0 && !(await hasAllotments(trx, nodeId))) return null
    const missing: UsageRecord[] = []
    for (const [block, records] of blocks) {
      const found = await findRecorded(trx, node, { block, records })
      const rest = records.filter(record => !found.has(record.callId))
      if (rest.length === 0) continue
      const firstSeq = await readNextSeq(trx, block, nodeId)
      const json = `[${rest.map(encodeRecord).join(',')}]`
      await trx.executeQuery(CompiledQuery.raw(insertStatement(engine, block), [nodeId, firstSeq, json]))
      missing.push(...rest)
    }
    const overruns = overrunsOf(missing)
    const entries = await postOverruns(trx, overruns, nowMs)
    const { lowered, lost } = await foldAllotments(
      trx,
      { nodeId, posted: postedByRow(missing), isWhole },
      nowMs,
    )
    const frozen = await budgetsOfRows(
      trx,
      overruns.map(({ rowId }) => rowId),
    )
    const told = lost.length === 0 ? entries : [...entries, lossEntry(nodeId, lost)]
    return { result: lowered, changes: await changesOf(trx, frozen), resource: null, entries: told }
  })
  return lowered ?? []
}

/** The journal was not whole, so everything that was allotted and not settled is posted. */
function lossEntry(nodeId: string, lost: readonly LostRow[]): AuditEntry {
  const methodName = 'pollux.v1.Ledger.LoseJournal'
  return {
    ...systemEntry({ methodName, resourceName: `nodes/${nodeId}`, projectNumber: null }),
    after: { lost },
  }
}

const CALL_COLUMNS: readonly JsonColumn[] = [
  { name: 'call_id', kind: 'text' },
  { name: 'project_number', kind: 'text' },
  { name: 'start_time', kind: 'bigint' },
]

/** Which of the calls have a record of this node: one look into the index by project and time for each. */
async function findRecorded(
  trx: Db,
  { engine, nodeId }: Node,
  { block, records }: { readonly block: string; readonly records: readonly RecordedCall[] },
): Promise<ReadonlySet<string>> {
  const calls = records.map(record => [record.callId, record.projectNumber, record.startTimeMs])
  const { rows } = await sql<{ call_id: string }>`
    select r.call_id from ${engine.rowsOf(CALL_COLUMNS, JSON.stringify(calls))}
    cross join ${sql.table(recordTable(block))} as u
    where u.project_number = r.project_number and u.start_time = r.start_time and u.call_id = r.call_id
      and u.node_id = ${nodeId}`.execute(trx)
  return new Set(rows.map(row => row.call_id))
}

function postedByRow(records: readonly UsageRecord[]): ReadonlyMap<number, number> {
  const posted = new Map<number, number>()
  for (const { ledger, postedNanos } of records) {
    for (const rowId of ledger) posted.set(rowId, (posted.get(rowId) ?? 0) + postedNanos)
  }
  return posted
}

function overrunsOf(records: readonly UsageRecord[]): readonly RowOverrun[] {
  const overruns = new Map<number, number>()
  for (const record of records) addOverrun(overruns, record)
  return Array.from(overruns, ([rowId, nanos]) => ({ rowId, nanos }))
}

/** What was posted on a row though nobody knows whether it was spent. */
interface LostRow {
  readonly rowId: number
  readonly estimatedNanos: string
}

/**
 * What this node's allotments settled is posted with what was missing; the rest is free. Without the whole journal
 * nobody knows what of the rest was under way: then all of it is posted, as lost. Those that others have taken for lost
 * are posted whole: of them the rest is taken off.
 */
export async function foldAllotments(
  trx: Db,
  {
    nodeId,
    posted,
    isWhole,
  }: {
    readonly nodeId: string
    readonly posted: ReadonlyMap<number, number>
    readonly isWhole: boolean
  },
  nowMs: number,
): Promise<{ readonly lowered: readonly number[]; readonly lost: readonly LostRow[] }> {
  const lowered: number[] = []
  const losses: LostRow[] = []
  const allotments = await trx
    .selectFrom('allotment')
    .select('row_id')
    .where('node_id', '=', nodeId)
    .execute()
  const rowIds = new Set([...allotments.map(row => row.row_id), ...posted.keys()])
  const inOrder = [...rowIds].sort((left, right) => left - right)
  for (const rowId of inOrder) await lockRow(trx, rowId)
  for (const rowId of inOrder) {
    const missing = posted.get(rowId) ?? 0
    const closed = await trx
      .deleteFrom('allotment')
      .where('node_id', '=', nodeId)
      .where('row_id', '=', rowId)
      .returning(['granted', 'settled', 'lost_time'])
      .execute()
    const sum = { granted: 0, settled: 0, estimated: 0 }
    for (const { granted, settled, lost_time: lostTime } of closed) {
      if (lostTime !== null) sum.estimated += granted - settled
      else {
        sum.granted += granted
        sum.settled += settled
      }
    }
    const { granted, settled, estimated } = sum
    if (estimated > 0) lowered.push(rowId)
    const lost = isWhole ? 0 : Math.max(0, granted - settled + estimated - missing)
    if (lost > 0) {
      losses.push({ rowId, estimatedNanos: String(lost) })
      await trx
        .insertInto('ledger_entry')
        .values({ row_id: rowId, kind: 'lost', nanos: lost, node_id: nodeId, time: nowMs })
        .execute()
    }
    await trx
      .updateTable('budget_period')
      .set(row => ({
        posted: row('posted', '+', settled + missing + lost - estimated),
        allotted: row('allotted', '-', granted),
      }))
      .where('id', '=', rowId)
      .execute()
  }
  return { lowered, lost: losses }
}
