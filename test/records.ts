/** Usage records as they lie in the database, read beside the process that writes them. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import type { RecordRow } from '../src/storage/record-row.ts'

/** Every record of a data folder with an SQLite database. */
export function readRecords(dataDir: string): readonly RecordRow[] {
  const database = new DatabaseSync(join(dataDir, 'pollux.sqlite'), { readOnly: true, timeout: 5_000 })
  try {
    const tables = database
      .prepare("select name from sqlite_master where type = 'table' and name like 'usage_record_%'")
      .all()
    return tables.flatMap(({ name }) =>
      database.prepare(`select * from ${String(name)}`).all(),
    ) as unknown as readonly RecordRow[]
  } finally {
    database.close()
  }
}

/** The records of these calls once each has one; rejects when they do not come. */
export async function recordsOfCalls(
  dataDir: string,
  callIds: readonly string[],
  waitMs = 5_000,
): Promise<readonly RecordRow[]> {
  const wanted = new Set(callIds)
  const deadlineMs = performance.now() + waitMs
  for (;;) {
    const found = readRecords(dataDir).filter(({ call_id }) => wanted.has(call_id))
    if (found.length >= wanted.size) return found
    if (performance.now() > deadlineMs) {
      throw new Error(`${found.length} of ${wanted.size} calls have a record after ${waitMs} ms`)
    }
    await delay(25)
  }
}
