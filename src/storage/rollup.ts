/**
 * Folds records into minute, hour and day sums. What is folded together is summed once and written by parts of the keys,
 * each with a watermark of its own per node and block. A watermark moves in the transaction that adds the sums of its
 * part, by a conditional statement: whoever folds, and however often it crashes, each record is counted once. Between
 * the parts appends come in, which on SQLite wait for every transaction.
 */
import { setImmediate } from 'node:timers/promises'
import { sql } from 'kysely'
import type { Engine, JsonColumn } from './engine.ts'
import type { Db } from './schema.ts'
import { keyTable, partOf, partOfProject, recordTable } from './usage-block.ts'
import type { MinuteRow, ProjectRow, RecordSpan } from './usage-sums.ts'
import {
  KEY_GROUP,
  MAX_COLUMN,
  PROJECT_GROUP,
  ROLLUPS,
  SUM_COLUMNS,
  foldRows,
  lastUses,
  spansOf,
  sumByMinute,
  withoutKeys,
} from './usage-sums.ts'

/** Summed and held in memory together. */
const FOLD_RECORDS_MAX = 20_000
/** Sums by minute that one transaction writes, with up to four rows more for each of them: about 5 ms. */
const TRANSACTION_MINUTES_MAX = 80

/** Parts that are written together, and their sums. */
interface Portion {
  readonly parts: number[]
  readonly minutes: MinuteRow[]
  readonly projects: ProjectRow[]
}

type Group = typeof KEY_GROUP | typeof PROJECT_GROUP

const BIGINT_GROUPS: ReadonlySet<string> = new Set(['bucket_time', 'http_status'])
const columnsOf = (group: Group): readonly JsonColumn[] => [
  ...group.map(name => ({ name, kind: BIGINT_GROUPS.has(name) ? 'bigint' : 'text' }) as const),
  ...SUM_COLUMNS.map(name => ({ name, kind: 'bigint' }) as const),
]
const SPAN_COLUMNS: readonly JsonColumn[] = [
  { name: 'key_uid', kind: 'text' },
  { name: 'last_start_time', kind: 'bigint' },
  { name: 'first_seq', kind: 'bigint' },
  { name: 'last_seq', kind: 'bigint' },
]
const UID_COLUMNS: readonly JsonColumn[] = [{ name: 'key_uid', kind: 'text' }]
const USE_COLUMNS: readonly JsonColumn[] = [
  { name: 'key_uid', kind: 'text' },
  { name: 'last_used_time', kind: 'bigint' },
]

export class Rollup {
  readonly #engine: Engine
  readonly #nodeId: string
  /** Blocks in which this node has appended since they were last folded to their end. */
  readonly #dirty = new Set<string>()
  #lastRun: Promise<void> = Promise.resolve()

  constructor(engine: Engine, nodeId: string) {
    this.#engine = engine
    this.#nodeId = nodeId
  }

  /** This node has appended to the block. */
  touch(block: string): void {
    this.#dirty.add(block)
  }

  /** Remembers the blocks of an earlier run of this node, whose end may not be folded. */
  async begin(): Promise<void> {
    const rows = await this.#engine.db
      .selectFrom('usage_watermark')
      .select('block')
      .distinct()
      .where('node_id', '=', this.#nodeId)
      .execute()
    for (const { block } of rows) this.touch(block)
  }

  /** Folds what this node has appended. One run after the other: a block that is being folded counts as clean. */
  async own(): Promise<void> {
    const run = this.#lastRun.then(() => this.#foldOwn())
    this.#lastRun = run.catch(() => {})
    await run
  }

  async #foldOwn(): Promise<void> {
    for (const block of Array.from(this.#dirty)) {
      this.#dirty.delete(block)
      try {
        await this.#foldAll(this.#nodeId, block)
      } catch (error) {
        this.#dirty.add(block)
        throw error
      }
    }
  }

  /** Folds what every node has appended: a node that died will never do it itself. */
  async all(): Promise<void> {
    const blocks = await this.#engine.db
      .selectFrom('usage_watermark')
      .select(['node_id', 'block'])
      .distinct()
      .orderBy('block')
      .orderBy('node_id')
      .execute()
    for (const { node_id, block } of blocks) await this.#foldAll(node_id, block)
  }

  /** Up to the record that is the last one now: more may come all the time. */
  async #foldAll(nodeId: string, block: string): Promise<void> {
    const { db } = this.#engine
    const { rows } = await sql<{ seq: number | null }>`
      select max(seq) as seq from ${sql.table(recordTable(block))} where node_id = ${nodeId}`.execute(db)
    const last = rows[0]?.seq ?? 0
    for (;;) {
      const watermarks = await db
        .selectFrom('usage_watermark')
        .select(['part', 'seq'])
        .where('node_id', '=', nodeId)
        .where('block', '=', block)
        .orderBy('part')
        .execute()
      const from = Math.min(...watermarks.map(({ seq }) => seq))
      if (last <= from) return
      // Parts that are further were written before a crash, or by another process: the others go where they are.
      const ahead = watermarks.flatMap(({ seq }) => (seq > from ? [seq] : []))
      const to = Math.min(last, from + FOLD_RECORDS_MAX, ...ahead)
      const parts = watermarks.filter(({ seq }) => seq === from).map(({ part }) => part)
      await this.#fold({ nodeId, block, from, to }, parts)
    }
  }

  /** Folds the records of the span into these parts. They never change, so they are summed before the transactions. */
  async #fold(span: RecordSpan, parts: readonly number[]): Promise<void> {
    const minutes = await sumByMinute(this.#engine.db, span)
    const projects = withoutKeys(minutes, await this.#environments(minutes))
    for (const portion of portionsOf({ minutes, projects }, parts)) {
      await this.#engine.db.transaction().execute(trx => this.#write(trx, span, portion))
      // Appends that have come meanwhile are next.
      await setImmediate()
    }
  }

  /** What each key is for, as far as it says so. */
  async #environments(minutes: readonly MinuteRow[]): Promise<ReadonlyMap<string, string>> {
    const uids = [...new Set(minutes.map(({ key_uid: keyUid }) => keyUid))].map(keyUid => [keyUid])
    const { rows } = await sql<{ uid: string; environment: string }>`
      select k.uid, k.environment from ${this.#engine.rowsOf(UID_COLUMNS, JSON.stringify(uids))}
      join key as k on k.uid = r.key_uid where k.environment is not null`.execute(this.#engine.db)
    return new Map(rows.map(({ uid, environment }) => [uid, environment]))
  }

  async #write(trx: Db, span: RecordSpan, portion: Portion): Promise<void> {
    const moved = await this.#move(trx, span, portion.parts)
    // What another process has folded meanwhile is left out.
    const minutes = portion.minutes.filter(({ key_uid: keyUid }) => moved.has(partOf(keyUid)))
    const projects = portion.projects.filter(({ project_number: number }) => moved.has(partOfProject(number)))
    for (const { table, projectTable, widthMs } of ROLLUPS) {
      await this.#add(trx, { table, group: KEY_GROUP }, foldRows(minutes, KEY_GROUP, widthMs))
      await this.#add(
        trx,
        { table: projectTable, group: PROJECT_GROUP },
        foldRows(projects, PROJECT_GROUP, widthMs),
      )
    }
    if (minutes.length === 0) return
    await this.#use(trx, JSON.stringify(lastUses(minutes)))
    await this.#note(trx, span, JSON.stringify(spansOf(minutes)))
  }

  /** Moves the watermarks that stand where the span begins, and says which ones did. */
  async #move(
    trx: Db,
    { nodeId, block, from, to }: RecordSpan,
    parts: readonly number[],
  ): Promise<ReadonlySet<number>> {
    const { rows } = await sql<{ part: number }>`
      update usage_watermark set seq = ${to}
      where node_id = ${nodeId} and block = ${block} and part in (
        select w.part from usage_watermark as w
        where w.node_id = ${nodeId} and w.block = ${block} and w.part in (${sql.join(parts)}) and w.seq = ${from}
        order by w.part ${this.#engine.forUpdateOf('w')}
      )
      returning part`.execute(trx)
    return new Set(rows.map(({ part }) => part))
  }

  async #add(
    trx: Db,
    { table, group }: { readonly table: string; readonly group: Group },
    rows: readonly (readonly unknown[])[],
  ): Promise<void> {
    if (rows.length === 0) return
    const columns = sql.join([...group, ...SUM_COLUMNS].map(name => sql.ref(name)))
    const sums = SUM_COLUMNS.map(name => {
      const [here, added] = [sql.ref(`${table}.${name}`), sql.ref(`excluded.${name}`)]
      const sum =
        name === MAX_COLUMN
          ? sql`case when ${here} < ${added} then ${added} else ${here} end`
          : sql`${here} + ${added}`
      return sql`${sql.ref(name)} = ${sum}`
    })
    await sql`
      insert into ${sql.table(table)} (${columns})
      select ${columns} from ${this.#engine.rowsOf(columnsOf(group), JSON.stringify(rows))} where true order by position
      on conflict (${sql.join(group.map(name => sql.ref(name)))}) do update set ${sql.join(sums)}
    `.execute(trx)
  }

  /** Notes where the records of each key are (usage-block.ts). */
  async #note(trx: Db, { nodeId, block }: RecordSpan, json: string): Promise<void> {
    await sql`
      insert into ${sql.table(keyTable(block))} (key_uid, last_start_time, node_id, first_seq, last_seq)
      select key_uid, last_start_time, cast(${nodeId} as text), first_seq, last_seq
      from ${this.#engine.rowsOf(SPAN_COLUMNS, json)} where true order by position`.execute(trx)
  }

  async #use(trx: Db, json: string): Promise<void> {
    await sql`
      insert into key_use (key_uid, last_used_time)
      select key_uid, last_used_time from ${this.#engine.rowsOf(USE_COLUMNS, json)} where true order by position
      on conflict (key_uid) do update set last_used_time = excluded.last_used_time
      where key_use.last_used_time < excluded.last_used_time
    `.execute(trx)
  }
}

/** The parts with their sums, as many together as one transaction may write; one at least. */
function portionsOf(
  {
    minutes,
    projects,
  }: Readonly<Record<'minutes', readonly MinuteRow[]> & Record<'projects', readonly ProjectRow[]>>,
  parts: readonly number[],
): readonly Portion[] {
  const minutesByPart = Map.groupBy(minutes, ({ key_uid: keyUid }) => partOf(keyUid))
  const projectsByPart = Map.groupBy(projects, ({ project_number: number }) => partOfProject(number))
  const portions: Portion[] = []
  for (const part of parts) {
    const added = {
      minutes: minutesByPart.get(part) ?? [],
      projects: projectsByPart.get(part) ?? [],
    }
    const last = portions.at(-1)
    if (last === undefined || sizeOf(last) + sizeOf(added) > TRANSACTION_MINUTES_MAX) {
      portions.push({ parts: [part], minutes: [...added.minutes], projects: [...added.projects] })
    } else {
      last.parts.push(part)
      last.minutes.push(...added.minutes)
      last.projects.push(...added.projects)
    }
  }
  return portions
}

function sizeOf({ minutes, projects }: Pick<Portion, 'minutes' | 'projects'>): number {
  return minutes.length + projects.length
}
