/** Records as they are committed: each once, in the order in which its node wrote it. */
import { sql } from 'kysely'
import { invalidField } from '../domain/error.ts'
import type { CallFilter } from '../domain/usage.ts'
import { type KeyedRow, filterScope, isWanted } from './call-scan.ts'
import { decodeCursor, encodeCursor } from './cursor.ts'
import type { Engine } from './engine.ts'
import { recordOf } from './record-row.ts'
import type { PageRequest } from './storage.ts'
import { recordTable } from './usage-block.ts'
import { readNextSeq } from './usage-log.ts'
import type { Tail } from './usage-store.ts'

/** A call that began last month may end in this one, and none lasts for a month. */
const BLOCKS = 2
/** How many records of a node one look reads at most. */
const SEEN_MAX = 5_000

/** A node's records of a block, and the number of the last one that was seen. */
type Seen = readonly [nodeId: string, block: string, seq: number]

/** What was committed after the cursor. Whoever is at the end of it asks again later. */
export async function tailCalls(engine: Engine, query: CallFilter & PageRequest): Promise<Tail> {
  const { limit, cursor, ...filter } = query
  const scope = filterScope('calls:tail', filter)
  const after = decodeCursor(cursor, scope, ['string'])
  const known = after === null ? null : parseSeen(String(after[0]))
  const rows: KeyedRow[] = []
  const seen: Seen[] = []
  for (const [nodeId, block] of await writers(engine)) {
    const from = known?.find(([node, month]) => node === nodeId && month === block)?.[2]
    if (known === null) {
      seen.push([nodeId, block, (await readNextSeq(engine.db, block, nodeId)) - 1])
      continue
    }
    const found = await readFrom(engine, {
      nodeId,
      block,
      from: from ?? 0,
      filter,
      limit: limit - rows.length,
    })
    rows.push(...found.rows)
    seen.push([nodeId, block, found.seq])
  }
  rows.sort((one, other) => endOf(one) - endOf(other))
  return { items: rows.map(recordOf), nextCursor: encodeCursor(scope, [JSON.stringify(seen)]) }
}

interface From {
  readonly nodeId: string
  readonly block: string
  readonly from: number
  readonly filter: CallFilter
  readonly limit: number
}

async function readFrom(engine: Engine, { nodeId, block, from, filter, limit }: From) {
  if (limit <= 0) return { rows: [], seq: from }
  const records = sql.table(recordTable(block))
  const { projectNumbers } = filter
  const ofProjects =
    projectNumbers === undefined
      ? sql``
      : projectNumbers.length === 0
        ? sql`and 1 = 0`
        : sql`and project_number in (${sql.join(projectNumbers)})`
  const { rows: last } = await sql<{ seq: number | null }>`
    select max(seq) as seq from ${records} where node_id = ${nodeId} and seq <= ${from + SEEN_MAX}`.execute(
    engine.db,
  )
  const end = Math.max(from, last[0]?.seq ?? 0)
  if (end === from) return { rows: [], seq: from }
  const { rows } = await sql<KeyedRow>`
    select * from ${records} where node_id = ${nodeId} and seq > ${from} and seq <= ${end}
    and ${isWanted(filter)} ${ofProjects} order by seq limit ${limit}`.execute(engine.db)
  return { rows, seq: rows.length === limit ? (rows.at(-1)?.seq ?? end) : end }
}

/** Who has written records of the newest blocks. */
async function writers(engine: Engine): Promise<readonly (readonly [nodeId: string, block: string])[]> {
  const rows = await engine.db
    .selectFrom('usage_watermark')
    .select(['node_id', 'block'])
    // One of the rows that a node has for each block.
    .where('part', '=', 0)
    .where('block', 'in', select =>
      select.selectFrom('usage_block').select('block').orderBy('block', 'desc').limit(BLOCKS),
    )
    .orderBy('block')
    .orderBy('node_id')
    .execute()
  return rows.map(({ node_id: nodeId, block }) => [nodeId, block])
}

function parseSeen(text: string): readonly Seen[] {
  const isSeen = (value: unknown): value is Seen =>
    Array.isArray(value) && typeof value[0] === 'string' && Number.isSafeInteger(value[2])
  try {
    const parsed: unknown = JSON.parse(text)
    if (Array.isArray(parsed) && parsed.every(isSeen)) return parsed
  } catch {
    // Said below: it is none of ours.
  }
  throw invalidField('tailToken', 'this is no token of this tail; leave it out to start anew')
}

function endOf({ start_time: start, duration_ms: duration }: KeyedRow): number {
  return start + duration
}
