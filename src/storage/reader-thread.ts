/** Answers one question (readings.ts) from a SQLite file, beside the process that serves from it. */
import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { Kysely } from 'kysely'
import { READINGS, type ReadingName } from './readings.ts'
import type { ReaderOrder } from './readers.ts'
import type { Database, Db } from './schema.ts'
import { damageIn } from './sqlite-damage.ts'
import { nodeSqliteDialect } from './sqlite-dialect.ts'

const order = workerData as ReaderOrder
const database = new DatabaseSync(order.path, { readOnly: true, timeout: 5_000 })
const db = new Kysely<Database>({ dialect: nodeSqliteDialect(database) })

async function answer<Name extends ReadingName>({ name, ask }: ReaderOrder<Name>): Promise<unknown> {
  const source = {
    snapshot: <Result>(work: (trx: Db) => Promise<Result>) => db.transaction().execute(work),
    findDamage: () => damageIn(database, 'all'),
  }
  return await READINGS[name](source, ask)
}

try {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage(await answer(order))
} finally {
  await db.destroy()
}
