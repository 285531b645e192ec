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
  /** The insert of each block, compiled once. */
  readonly #inserts = new Map<string, string>()

  /** `appended` hears which block has new records. */
  constructor(engine: Engine, nodeId: string, appended: (block: string) => void) {
    this.#engine = engine
    this.#nodeId = nodeId
    this.#appended = appended
  }

  /** Commits the batches together. One call at a time: seq has no gaps, so rollups can follow it. */
  async append(batches: readonly AppendBatch[]): Promise<void> {
    for (const { block } of batches) {
      if (!this.#inserts.has(block)) await this.#open(block)
    }
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#insertAll(batches)
        break
      } catch (error) {
        this.#nextSeq.clear()
        // A batch whose answer was lost may yet be committed by the server: then its numbers are taken.
        if (attempt === UNIQUE_ATTEMPTS_MAX || this.#engine.failureOf(error) !== 'unique') throw error
      }
    }
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

  async #insertAll(batches: readonly AppendBatch[]): Promise<void> {
    const [first] = batches
    if (batches.length === 1 && first !== undefined) {
      // One statement is its own transaction.
      await this.#insert(this.#engine.db, first)
      return
    }
    await this.#engine.db.transaction().execute(async trx => {
      for (const batch of batches) await this.#insert(trx, batch)
    })
  }

  async #insert(db: Db, { block, json }: AppendBatch): Promise<void> {
    const firstSeq = this.#nextSeq.get(block) ?? (await this.#readNextSeq(db, block))
    const insert = this.#inserts.get(block)
    if (insert === undefined) throw new Error(`block ${block} is not open`)
    const { numAffectedRows } = await db.executeQuery(
      CompiledQuery.raw(insert, [this.#nodeId, firstSeq, json]),
    )
    this.#nextSeq.set(block, firstSeq + Number(numAffectedRows ?? 0n))
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
    // The three values stand for the parameters that each execution brings: node, first seq, records.
    const insert = sql`
      insert into ${sql.table(recordTable(block))} (node_id, seq, ${columns})
      select cast(${''} as text), cast(${0} as bigint) + position, ${columns}
      from ${this.#engine.rowsOf(RECORD_COLUMNS, '[]')}`
    this.#inserts.set(block, insert.compile(this.#engine.db).sql)
  }
}
