/** Checks a whole SQLite file beside the process that serves from it, and says what is wrong with it. */
import { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { damageIn } from './sqlite-damage.ts'

const database = new DatabaseSync(String(workerData), { readOnly: true, timeout: 5_000 })
try {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage(damageIn(database, 'all'))
} finally {
  database.close()
}
