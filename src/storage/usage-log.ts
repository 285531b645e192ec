/** The append-only usage records of this node, and reading the newest of everybody's. */
import { CompiledQuery, sql } from 'kysely'
import type { UsageRecord } from '../domain/usage.ts'
import type { AppendBatch, AppendMessage } from './append-queue.ts'
import { changesOf } from './budget-row.ts'
import type { Committer } from './commit.ts'
import type { Engine, JsonColumn } from './engine.ts'
import { budgetsOfRows, postOverruns } from './overrun.ts'
import type { RecordRow } from './record-row.ts'
import { RECORD_COLUMNS, recordOf } from './record-row.ts'
import type { Db } from './schema.ts'
import { ensureBlock, keyTable, listBlocks, recordTable } from './usage-block.ts'

const UNIQUE_ATTEMPTS_MAX = 3

export class UsageLog {
  readonly #engine: Engine
  readonly #nodeId: string
  readonly #committer: Committer
  readonly #appended: (block: string) => void
  /** The next seq of this node by block; unknown after a failure, when a commit may or may not have happened. */
  readonly #nextSeq = new Map<string, number>()
  /** The message of which nobody knows whether it was committed, and the numbers its records were given. */
  #doubtful: { readonly number: number; readonly firstSeqs: Map<string, number> } | null = null
  /** The last message that is known to be committed. */
  #committed = 0
  /** The insert of each block, compiled once. */
  readonly #inserts = new Map<string, string>()
  readonly #settle: string

  /** `appended` hears which block has new records. */
  constructor(
    { engine, nodeId, committer }: { engine: Engine; nodeId: string; committer: Committer },
    appended: (block: string) => void,
  ) {
    this.#engine = engine
    this.#nodeId = nodeId
    this.#committer = committer
    this.#appended = appended
    this.#settle = settleStatement(engine)
  }

  /**
   * Commits a message: records, what they settle, and the overruns they leave. One call at a time: seq has no gaps, so
   * rollups can follow it. A number that comes again is the same message: when its first answer was lost, its records
   * may be there already, and stay single.
   */
  async append(number: number, message: AppendMessage): Promise<void> {
    if (number === this.#committed) return
    const { batches } = message
    const { ballast, db } = this.#engine
    if (ballast?.isWhole === false) await ballast.regain(db)
    for (const { block } of batches) {
      if (!this.#inserts.has(block)) await this.#open(block)
    }
    const firstSeqs = this.#doubtful?.number === number ? this.#doubtful.firstSeqs : new Map<string, number>()
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#commit(message, firstSeqs)
        break
      } catch (error) {
        this.#nextSeq.clear()
        const failure = this.#engine.failureOf(error)
        // Once in doubt a message stays so: what a later attempt meets says nothing about the first one.
        if (failure === 'unavailable' || this.#doubtful?.number === number) {
          this.#doubtful = { number, firstSeqs }
          throw error
        }
        // Another process that uses the same node id has taken the numbers.
        firstSeqs.clear()
        if (attempt === UNIQUE_ATTEMPTS_MAX || failure !== 'unique') throw error
      }
    }
    this.#doubtful = null
    this.#committed = number
    for (const { block } of batches) this.#appended(block)
  }

  async recent(query: {
    readonly projectNumber: string
    readonly keyUid?: string
    readonly limit: number
  }): Promise<readonly UsageRecord[]> {
    const found: UsageRecord[] = []
    const { keyUid, projectNumber, limit } = query
    for (const block of await listBlocks(this.#engine.db)) {
      if (found.length >= limit) break
      const records = sql`${sql.table(recordTable(block))} as r`
      const limited = sql`order by r.start_time desc, r.seq desc limit ${limit - found.length}`
      // Each of the newest spans holds a record of the key, so no more of them can be needed than records.
      const spans = sql`select * from ${sql.table(keyTable(block))} where key_uid = ${keyUid}
        order by last_start_time desc limit ${limit - found.length}`
      const ofProject = sql`r.project_number = ${projectNumber}`
      const { rows } = await (
        keyUid === undefined
          ? sql<RecordRow>`select r.* from ${records} where ${ofProject} ${limited}`
          : sql<RecordRow>`select r.* from (${spans}) as k cross join ${records}
              where r.node_id = k.node_id and r.seq >= k.first_seq and r.seq <= k.last_seq
                and r.key_uid = ${keyUid} and ${ofProject} ${limited}`
      ).execute(this.#engine.db)
      found.push(...rows.map(recordOf))
    }
    return found
  }

  /** `firstSeqs` holds the numbers of an earlier attempt, and afterwards those of this one. */
  async #commit(message: AppendMessage, firstSeqs: Map<string, number>): Promise<void> {
    const { batches, settled, overruns } = message
    if (overruns.length > 0) {
      await this.#commitOverruns(message, firstSeqs)
      return
    }
    const [first] = batches
    if (batches.length === 1 && first !== undefined && settled === null) {
      // One statement is its own transaction.
      await this.#insert(this.#engine.db, first, firstSeqs)
      return
    }
    await this.#engine.db.transaction().execute(async trx => {
      for (const batch of batches) await this.#insert(trx, batch, firstSeqs)
      await this.#settleAll(trx, settled)
    })
  }

  async #commitOverruns(message: AppendMessage, firstSeqs: Map<string, number>): Promise<void> {
    const { batches, settled, overruns } = message
    await this.#committer.commitAhead({ audit: null, operation: null }, async (trx, nowMs) => {
      let inserted = 0n
      for (const batch of batches) inserted += await this.#insert(trx, batch, firstSeqs)
      // Nothing is inserted where an attempt whose answer was lost has done all of this.
      const entries = inserted > 0n ? await postOverruns(trx, overruns, nowMs) : []
      await this.#settleAll(trx, settled)
      const frozen = await budgetsOfRows(
        trx,
        overruns.map(({ rowId }) => rowId),
      )
      return { result: null, changes: await changesOf(trx, frozen), resource: null, entries }
    })
  }

  async #settleAll(trx: Db, settled: string | null): Promise<void> {
    if (settled !== null) await trx.executeQuery(CompiledQuery.raw(this.#settle, [settled]))
  }

  /** How many records were inserted: none, where an earlier attempt was committed after all. */
  async #insert(
    db: Db,
    { block, count, json }: AppendBatch,
    firstSeqs: Map<string, number>,
  ): Promise<bigint> {
    const tried = firstSeqs.get(block)
    const firstSeq = tried ?? this.#nextSeq.get(block) ?? (await readNextSeq(db, block, this.#nodeId))
    firstSeqs.set(block, firstSeq)
    const insert = this.#inserts.get(block)
    if (insert === undefined) throw new Error(`block ${block} is not open`)
    // Only this node writes its numbers, so what stands under them after an attempt is that attempt's.
    const statement = tried === undefined ? insert : `${insert} on conflict (node_id, seq) do nothing`
    const { numAffectedRows } = await db.executeQuery(
      CompiledQuery.raw(statement, [this.#nodeId, firstSeq, json]),
    )
    this.#nextSeq.set(block, firstSeq + count)
    return numAffectedRows ?? 0n
  }

  async #open(block: string): Promise<void> {
    await ensureBlock(this.#engine, block, this.#nodeId)
    this.#inserts.set(block, insertStatement(this.#engine, block))
  }
}

/** The number after the last one of the node's records in the block. */
export async function readNextSeq(db: Db, block: string, nodeId: string): Promise<number> {
  const { rows } = await sql<{ seq: number | null }>`
    select max(seq) as seq from ${sql.table(recordTable(block))} where node_id = ${nodeId}`.execute(db)
  return (rows[0]?.seq ?? 0) + 1
}

/** Inserts records; its parameters are the node, the first seq, and the records as `encodeRecord` makes them. */
export function insertStatement(engine: Engine, block: string): string {
  const columns = sql.join(RECORD_COLUMNS.map(column => sql.ref(column.name)))
  // `where true` lets SQLite's parser tell an `on conflict` behind a select from a join (sqlite.org/lang_upsert).
  const insert = sql`
    insert into ${sql.table(recordTable(block))} (node_id, seq, ${columns})
    select cast(${''} as text), cast(${0} as bigint) + position, ${columns}
    from ${engine.rowsOf(RECORD_COLUMNS, '[]')} where true`
  return insert.compile(engine.db).sql
}

const SETTLED_COLUMNS: readonly JsonColumn[] = [
  { name: 'id', kind: 'text' },
  { name: 'settled', kind: 'bigint' },
]

/** Brings allotments, in the order of ledger.ts, to what was settled from them in all; its parameter is `AppendMessage.settled`. */
function settleStatement(engine: Engine): string {
  const settle = sql`
    update allotment set settled = s.settled from (
      select r.id, r.settled from ${engine.rowsOf(SETTLED_COLUMNS, '[]')} cross join allotment as a
      where a.id = r.id order by a.row_id ${engine.forUpdateOf('a')}
    ) as s
    where allotment.id = s.id and allotment.settled < s.settled`
  return settle.compile(engine.db).sql
}
