/** The append-only usage records of this node, and reading the newest of everybody's. */
import { CompiledQuery, sql } from 'kysely'
import type { UsageRecord } from '../domain/usage.ts'
import type { AppendBatch } from './append-queue.ts'
import type { Engine } from './engine.ts'
import type { RecordRow } from './record-row.ts'
import { RECORD_COLUMNS, recordOf } from './record-row.ts'
import type { Db } from './schema.ts'
import { ensureBlock, listBlocks, recordTable } from './usage-block.ts'

const UNIQUE_ATTEMPTS_MAX = 3

export class UsageLog {
  readonly #engine: Engine
  readonly #nodeId: string
  readonly #appended: (block: string) => void
  /** The next seq of this node by block; unknown after a failure, when a commit may or may not have happened. */
  readonly #nextSeq = new Map<string, number>()
  /** The batch of which nobody knows whether it was committed, and the numbers its records were given. */
  #doubtful: { readonly number: number; readonly firstSeqs: Map<string, number> } | null = null
  /** The last batch that is known to be committed. */
  #committed = 0
  /** The insert of each block, compiled once. */
  readonly #inserts = new Map<string, string>()

  /** `appended` hears which block has new records. */
  constructor(engine: Engine, nodeId: string, appended: (block: string) => void) {
    this.#engine = engine
    this.#nodeId = nodeId
    this.#appended = appended
  }

  /**
   * Commits the batches together. One call at a time: seq has no gaps, so rollups can follow it. A number that comes
   * again is the same batch: when its first answer was lost, its records may be there already, and stay single.
   */
  async append(number: number, batches: readonly AppendBatch[]): Promise<void> {
    if (number === this.#committed) return
    if (batches.length === 0) await sql`select 1`.execute(this.#engine.db)
    for (const { block } of batches) {
      if (!this.#inserts.has(block)) await this.#open(block)
    }
    const firstSeqs = this.#doubtful?.number === number ? this.#doubtful.firstSeqs : new Map<string, number>()
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#insertAll(batches, firstSeqs)
        break
      } catch (error) {
        this.#nextSeq.clear()
        const failure = this.#engine.failureOf(error)
        this.#doubtful = failure === 'unavailable' ? { number, firstSeqs } : null
        // A batch that was given up after its answer was lost may yet be committed: then its numbers are taken.
        if (attempt === UNIQUE_ATTEMPTS_MAX || failure !== 'unique') throw error
        firstSeqs.clear()
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
      const ofKey = keyUid === undefined ? sql`` : sql`and key_uid = ${keyUid}`
      const { rows } = await sql<RecordRow>`
        select * from ${sql.table(recordTable(block))} where project_number = ${projectNumber} ${ofKey}
        order by start_time desc, seq desc limit ${limit - found.length}`.execute(this.#engine.db)
      found.push(...rows.map(recordOf))
    }
    return found
  }

  /** `firstSeqs` holds the numbers of an earlier attempt, and afterwards those of this one. */
  async #insertAll(batches: readonly AppendBatch[], firstSeqs: Map<string, number>): Promise<void> {
    const [first] = batches
    if (batches.length === 1 && first !== undefined) {
      // One statement is its own transaction.
      await this.#insert(this.#engine.db, first, firstSeqs)
      return
    }
    await this.#engine.db.transaction().execute(async trx => {
      for (const batch of batches) await this.#insert(trx, batch, firstSeqs)
    })
  }

  async #insert(db: Db, { block, count, json }: AppendBatch, firstSeqs: Map<string, number>): Promise<void> {
    const tried = firstSeqs.get(block)
    const firstSeq = tried ?? this.#nextSeq.get(block) ?? (await this.#readNextSeq(db, block))
    firstSeqs.set(block, firstSeq)
    const insert = this.#inserts.get(block)
    if (insert === undefined) throw new Error(`block ${block} is not open`)
    // Only this node writes its numbers, so what stands under them after an attempt is that attempt's.
    const statement = tried === undefined ? insert : `${insert} on conflict (node_id, seq) do nothing`
    await db.executeQuery(CompiledQuery.raw(statement, [this.#nodeId, firstSeq, json]))
    this.#nextSeq.set(block, firstSeq + count)
  }

  async #readNextSeq(db: Db, block: string): Promise<number> {
    const { rows } = await sql<{ seq: number | null }>`
      select max(seq) as seq from ${sql.table(recordTable(block))} where node_id = ${this.#nodeId}`.execute(
      db,
    )
    return (rows[0]?.seq ?? 0) + 1
  }

  async #open(block: string): Promise<void> {
    await ensureBlock(this.#engine, block, this.#nodeId)
    const columns = sql.join(RECORD_COLUMNS.map(column => sql.ref(column.name)))
    // `where true` lets SQLite's parser tell an `on conflict` behind a select from a join (sqlite.org/lang_upsert).
    // The three values stand for the parameters that each execution brings: node, first seq, records.
    const insert = sql`
      insert into ${sql.table(recordTable(block))} (node_id, seq, ${columns})
      select cast(${''} as text), cast(${0} as bigint) + position, ${columns}
      from ${this.#engine.rowsOf(RECORD_COLUMNS, '[]')} where true`
    this.#inserts.set(block, insert.compile(this.#engine.db).sql)
  }
}
