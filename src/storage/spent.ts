/**
 * What records cost, for budgets that open with it. Many records are read beside commits, up to the last one of each node;
 * the transaction that needs the sum adds those after it. Records never change, and those of a node are committed in the
 * order of their numbers (usage-log.ts), so that each is counted once.
 */
import type { RawBuilder } from 'kysely'
import { sql } from 'kysely'
import { BlockClock } from './record-row.ts'
import type { Db } from './schema.ts'
import { listBlocks, recordTable } from './usage-block.ts'

/** Whose records, and since when. */
export interface SpentAsk {
  readonly sinceMs: number
  /** null: of all projects, which are then one. */
  readonly projectNumbers: readonly string[] | null
  /** null: of all keys. */
  readonly keyUids: readonly string[] | null
}

/** Nano-dollars by project; under `ALL_PROJECTS` where they are one. */
type Sums = Map<string, bigint>
export const ALL_PROJECTS = ''

/** The numbers of a node's records in a block, behind `from` and up to `to`. */
interface Span {
  readonly block: string
  readonly nodeId: string
  readonly from: number
  readonly to: number
}

/** What was asked for, up to a moment. */
export interface Spent {
  readonly ask: SpentAsk
  readonly sums: Sums
  /** What is in it. */
  readonly spans: readonly Span[]
}

/** So many records are summed in a transaction, in some ten milliseconds. */
const TRANSACTION_RECORDS_MAX = 10_000

/** More records than a transaction may sum while commits of usage wait for it: they are to be read before. */
export class UnreadRecords extends Error {
  readonly ask: SpentAsk

  constructor(ask: SpentAsk) {
    super(`the records since ${ask.sinceMs} are to be read first`)
    this.ask = ask
  }
}

/** All of it at one moment: `trx` must see no other. */
export async function readSpent(trx: Db, ask: SpentAsk): Promise<Spent> {
  return { ask, sums: await sumAll(trx, ask), spans: await spansBehind(trx, ask, []) }
}

/** What the records cost now: what was read before, if the same was asked, and what came after it. Throws UnreadRecords. */
export async function spentNow(
  trx: Db,
  ask: SpentAsk,
  before: Spent | null,
): Promise<ReadonlyMap<string, bigint>> {
  if (before === null || JSON.stringify(before.ask) !== JSON.stringify(ask)) {
    if (await isMuch(trx, ask)) throw new UnreadRecords(ask)
    return await sumAll(trx, ask)
  }
  const sums: Sums = new Map(before.sums)
  for (const { block, nodeId, from, to } of await spansBehind(trx, ask, before.spans)) {
    await addCosts(trx, { ask, sums }, block, sql`node_id = ${nodeId} and seq > ${from} and seq <= ${to}`)
  }
  return sums
}

async function sumAll(trx: Db, ask: SpentAsk): Promise<Sums> {
  const sums: Sums = new Map()
  for (const block of await blocksOf(trx, ask)) await addCosts(trx, { ask, sums }, block, ofProjects(ask))
  return sums
}

/** Looks at no more records than a transaction may sum; there is an index of projects, but none of time alone. */
async function isMuch(trx: Db, ask: SpentAsk): Promise<boolean> {
  const ofTime = ask.projectNumbers === null ? sql`true` : sql`start_time >= ${ask.sinceMs}`
  let left = TRANSACTION_RECORDS_MAX
  for (const block of await blocksOf(trx, ask)) {
    const { rows } = await sql<{ records: number }>`
      select count(*) as records from (
        select 1 from ${sql.table(recordTable(block))} where ${ofProjects(ask)} and ${ofTime} limit ${left + 1}
      ) as r`.execute(trx)
    left -= rows[0]?.records ?? 0
    if (left < 0) return true
  }
  return false
}

/** Those that may hold such records. */
async function blocksOf(trx: Db, { sinceMs }: SpentAsk): Promise<readonly string[]> {
  const first = new BlockClock().blockOf(sinceMs)
  return (await listBlocks(trx)).filter(block => block >= first)
}

function ofProjects({ projectNumbers }: SpentAsk): RawBuilder<unknown> {
  return projectNumbers === null ? sql`true` : sql`project_number in (${sql.join(projectNumbers)})`
}

/** The records that are behind those of `read`, whoever's they are. */
async function spansBehind(trx: Db, ask: SpentAsk, read: readonly Span[]): Promise<readonly Span[]> {
  const spans: Span[] = []
  for (const block of await blocksOf(trx, ask)) {
    const { rows } = await sql<{ node_id: string; seq: number | null }>`
      select w.node_id, (select max(r.seq) from ${sql.table(recordTable(block))} as r where r.node_id = w.node_id) as seq
      from (select distinct node_id from usage_watermark where block = ${block}) as w`.execute(trx)
    for (const { node_id: nodeId, seq: to } of rows) {
      const from = read.find(span => span.block === block && span.nodeId === nodeId)?.to ?? 0
      if (to !== null && to > from) spans.push({ block, nodeId, from, to })
    }
  }
  return spans
}

/** Adds what the records cost, of those that are asked for; of other projects too, where `which` has them. */
async function addCosts(
  trx: Db,
  { ask, sums }: { readonly ask: SpentAsk; readonly sums: Sums },
  block: string,
  which: RawBuilder<unknown>,
): Promise<void> {
  const { sinceMs, projectNumbers, keyUids } = ask
  const ofKeys = keyUids === null ? sql`true` : sql`key_uid in (${sql.join(keyUids)})`
  const isOne = projectNumbers === null
  const { rows } = await sql<{ project: string; nanos: string }>`
    select ${isOne ? sql.lit(ALL_PROJECTS) : sql`project_number`} as project,
      cast(coalesce(sum(cost_nanos), 0) as text) as nanos
    from ${sql.table(recordTable(block))}
    where ${which} and ${ofKeys} and start_time >= ${sinceMs} and outcome in ('posted', 'estimated')
    ${isOne ? sql`` : sql`group by project_number`}`.execute(trx)
  for (const { project, nanos } of rows) sums.set(project, (sums.get(project) ?? 0n) + BigInt(nanos))
}
