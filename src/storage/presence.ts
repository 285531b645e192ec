/** Which nodes use the database now, and whether they fit together. Only where there can be several. */
import { CLOCK_SKEW_MAX_MS } from '../domain/clock.ts'
import { ApiError } from '../domain/error.ts'
import type { Engine } from './engine.ts'
import { NEWEST_VERSION, refuseMigratedBeyond } from './migrate.ts'
import type { Db } from './schema.ts'

/** Who was not seen for so long is taken for gone. */
const GONE_AFTER_MS = 10_000
/** How often a node says that it is there. */
export const BEAT_EVERY_MS = 2_000

/** How far this machine's clock is ahead of the database's, ms. */
export async function clockSkewMs(engine: Engine): Promise<number> {
  const beforeMs = Date.now()
  const databaseMs = await engine.nowMs(engine.watch)
  return Math.round((beforeMs + Date.now()) / 2 - databaseMs)
}

/** STATE_CONFLICT when nodes of an older program are there: the new tables would be changed under them. Reads only. */
export async function refuseOlderNodes(engine: Engine): Promise<void> {
  const tables = await engine.db.introspection.getTables()
  if (!tables.some(table => table.name === 'presence')) return
  const older = await present(engine.db, await engine.nowMs(engine.db))
    .where('schema_version', '<', NEWEST_VERSION)
    .executeTakeFirst()
  if (older === undefined) return
  throw new ApiError(
    'STATE_CONFLICT',
    `The database is in use by node ${older.node_id}, whose program knows it up to version ${older.schema_version}; this ` +
      `Pollux would bring it to ${NEWEST_VERSION}. Stop the older nodes first. Nothing was changed.`,
  )
}

export class Presence {
  readonly #engine: Engine
  readonly #nodeId: string

  constructor(engine: Engine, nodeId: string) {
    this.#engine = engine
    this.#nodeId = nodeId
  }

  /** Joins the nodes that are there. STATE_CONFLICT when this machine's clock is far from the database's. */
  async join(): Promise<void> {
    const skewMs = await clockSkewMs(this.#engine)
    if (Math.abs(skewMs) > CLOCK_SKEW_MAX_MS) throw wrongClock(skewMs)
    const { db } = this.#engine
    const nowMs = await this.#engine.nowMs(db)
    await db
      .deleteFrom('presence')
      .where('seen_time', '<', nowMs - GONE_AFTER_MS)
      .execute()
    await this.#put(db, nowMs)
  }

  /**
   * Says that this node is there. STATE_CONFLICT where a newer program has changed the tables: it stood still for so long
   * that nobody waited for it.
   */
  async beat(): Promise<void> {
    await refuseMigratedBeyond(this.#engine.watch)
    await this.#put(this.#engine.watch, await this.#engine.nowMs(this.#engine.watch))
  }

  async leave(): Promise<void> {
    await this.#engine.db.deleteFrom('presence').where('node_id', '=', this.#nodeId).execute()
  }

  async #put(db: Db, nowMs: number): Promise<void> {
    const facts = { schema_version: NEWEST_VERSION, seen_time: nowMs }
    await db
      .insertInto('presence')
      .values({ node_id: this.#nodeId, ...facts })
      .onConflict(conflict => conflict.column('node_id').doUpdateSet(facts))
      .execute()
  }
}

function present(db: Db, nowMs: number) {
  return db
    .selectFrom('presence')
    .select(['node_id', 'schema_version'])
    .where('seen_time', '>', nowMs - GONE_AFTER_MS)
}

function wrongClock(skewMs: number): ApiError {
  const seconds = Math.round(Math.abs(skewMs) / 1000)
  return new ApiError(
    'STATE_CONFLICT',
    `This machine's clock is ${seconds} s ${skewMs > 0 ? 'ahead of' : 'behind'} the database's. Keys expire and usage is ` +
      'dated by it, so nothing is served until it is right: set the clock (NTP), here or there.',
  )
}
