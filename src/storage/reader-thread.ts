/** Answers one question (readings.ts) from a SQLite file, beside the process that serves from it. */
import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { Kysely } from 'kysely'
import { READINGS } from './readings.ts'
import type { ReaderOrder } from './readers.ts'
import type { Database } from './schema.ts'
import { damageIn } from './sqlite-damage.ts'
import { nodeSqliteDialect } from './sqlite-dialect.ts'

const { path, name, ask } = workerData as ReaderOrder
const database = new DatabaseSync(path, { readOnly: true, timeout: 5_000 })
const db = new Kysely<Database>({ dialect: nodeSqliteDialect(database) })
try {
  const answer = await READINGS[name](
    { snapshot: work => db.transaction().execute(work), findDamage: () => damageIn(database, 'all') },
    ask,
  )
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage(answer)
} finally {
  await db.destroy()
}
