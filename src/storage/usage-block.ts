/** One table of usage records per UTC month, made when its first record comes; retention will drop whole tables. */
import type { Kysely } from 'kysely'
import type { Engine } from './engine.ts'
import { NULLABLE_RECORD_COLUMNS, RECORD_COLUMNS } from './record-row.ts'
import type { Db } from './schema.ts'

/** The name of the table of a block such as `202611`. */
export function recordTable(block: string): string {
  if (!/^\d{6}$/.test(block)) throw new Error(`${block} is no month`)
  return `usage_record_${block}`
}

/**
 * Where the records of a key are: spans of numbers of one node, written when records are folded. An index would change a
 * page for nearly every record that is appended, and a commit would cost many times as much.
 */
export function keyTable(block: string): string {
  return recordTable(block).replace('usage_record', 'usage_key')
}

/** The blocks there are, newest first. */
export async function listBlocks(db: Db): Promise<readonly string[]> {
  const rows = await db.selectFrom('usage_block').select('block').orderBy('block', 'desc').execute()
  return rows.map(row => row.block)
}

/**
 * The sums by key are folded in so many parts (rollup.ts), those without keys in parts of the projects behind them. Never
 * changes: each part has a watermark that counts for what is in it.
 */
const KEY_PARTS = 64
const PROJECT_PARTS = 16

/** The part that a key belongs to. */
export function partOf(keyUid: string): number {
  return hashOf(keyUid) % KEY_PARTS
}

/** The part that the sums of a project belong to. */
export function partOfProject(projectNumber: string): number {
  return KEY_PARTS + (hashOf(projectNumber) % PROJECT_PARTS)
}

/** FNV-1a over the code units, which spreads uids evenly. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash >>> 0
}

/** Makes the block if it is not there, and the watermarks of this node in it. */
export async function ensureBlock(engine: Engine, block: string, nodeId: string): Promise<void> {
  await engine.db.transaction().execute(async trx => {
    await engine.lockSchema(trx)
    await createBlock(trx, block)
    await trx
      .insertInto('usage_block')
      .values({ block, create_time: await engine.nowMs(trx) })
      .onConflict(conflict => conflict.doNothing())
      .execute()
    await trx
      .insertInto('usage_watermark')
      .values(
        Array.from({ length: KEY_PARTS + PROJECT_PARTS }, (_, part) => ({
          node_id: nodeId,
          block,
          part,
          seq: 0,
        })),
      )
      .onConflict(conflict => conflict.doNothing())
      .execute()
  })
}

/** Makes the tables of a block, as far as they are missing. */
export async function createBlock(trx: Db, block: string): Promise<void> {
  await createRecordTable(trx as unknown as Kysely<unknown>, recordTable(block))
  await createKeyTable(trx as unknown as Kysely<unknown>, keyTable(block))
}

async function createRecordTable(db: Kysely<unknown>, name: string): Promise<void> {
  let table = db.schema
    .createTable(name)
    .ifNotExists()
    .addColumn('node_id', 'text', column => column.notNull())
    .addColumn('seq', 'bigint', column => column.notNull())
  for (const { name, kind } of RECORD_COLUMNS) {
    table = table.addColumn(name, kind, column =>
      NULLABLE_RECORD_COLUMNS.has(name) ? column : column.notNull(),
    )
  }
  await table.addPrimaryKeyConstraint(`${name}_pk`, ['node_id', 'seq']).execute()
  // Records of a project come in the order of time, so this one grows at few places.
  await db.schema
    .createIndex(`${name}_by_project`)
    .ifNotExists()
    .on(name)
    .columns(['project_number', 'start_time'])
    .execute()
}

async function createKeyTable(db: Kysely<unknown>, name: string): Promise<void> {
  await db.schema
    .createTable(name)
    .ifNotExists()
    .addColumn('key_uid', 'text', column => column.notNull())
    .addColumn('last_start_time', 'bigint', column => column.notNull())
    .addColumn('node_id', 'text', column => column.notNull())
    .addColumn('first_seq', 'bigint', column => column.notNull())
    .addColumn('last_seq', 'bigint', column => column.notNull())
    .addPrimaryKeyConstraint(`${name}_pk`, ['key_uid', 'last_start_time', 'node_id', 'first_seq'])
    .execute()
}
