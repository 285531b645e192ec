/** What reads much of the database, beside calls that are settled meanwhile: nothing waits for it. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { openEngine } from '../src/storage/engine.ts'
import { BlockClock, RECORD_COLUMNS } from '../src/storage/record-row.ts'
import type { Storage } from '../src/storage/storage.ts'
import { recordTable } from '../src/storage/usage-block.ts'
import { verifyLedger } from '../src/storage/verify.ts'
import {
  type Place,
  auditEntry,
  behind,
  budgetDraft,
  createProject,
  describeOnBothEngines,
  keyDraft,
  usageRecord,
} from './storage-fixture.ts'

/** Each of the records that are there before. */
const COST_NANOS = 1_000_000_000
const RECORDS = 400_000

interface Furnished {
  readonly projectNumber: string
  readonly keyUid: string
  readonly nowMs: number
}

/** A project and a key with a record of now, which is then there as often as told, under the name of an earlier node. */
async function furnish(storage: Storage, place: Place, records: number): Promise<Furnished> {
  const { number: projectNumber } = await createProject(storage)
  const { uid: keyUid } = await storage.keys.create(keyDraft(projectNumber), auditEntry(), null)
  const nowMs = await storage.node.nowMs()
  const { uid } = await storage.budgets.create(budgetDraft({ period: 'day' }), auditEntry())
  const { standings } = await storage.ledger.take([{ budgetUid: uid, minNanos: 0, wantNanos: 0 }])
  const [rowId = 0] = standings.map(standing => standing.rowId)
  const record = usageRecord({ projectNumber, keyUid, startTimeMs: nowMs, costNanos: COST_NANOS })
  await storage.usage.append({ ...record, postedNanos: COST_NANOS, ledger: [rowId] }, [])
  const block = new BlockClock().blockOf(nowMs)
  const columns = sql.join(RECORD_COLUMNS.map(({ name }) => sql.ref(name)))
  await behind(place, async db => {
    const [table, numbers] = [sql.table(recordTable(block)), sql.lit(records)]
    await sql`
      insert into ${table} (node_id, seq, ${columns})
      with recursive n(seq) as (select 1 union all select seq + 1 from n where seq < ${numbers})
      select 'of before', n.seq, ${columns} from n cross join (select * from ${table} limit 1) as r`.execute(
      db,
    )
    await sql`
      insert into usage_watermark (node_id, block, part, seq)
      select distinct 'of before', block, part, ${numbers} from usage_watermark`.execute(db)
    await sql`update budget_period set posted = ${(records + 1) * COST_NANOS} where id = ${rowId}`.execute(db)
  })
  return { projectNumber, keyUid, nowMs }
}

/** Appends records one after the other until it is stopped, and says when each was there, by the system's clock. */
function keepAppending(storage: Storage, costOf: (place: number) => number, furnished: Furnished) {
  const { projectNumber, keyUid, nowMs } = furnished
  const doneMs: number[] = []
  const stopping = new AbortController()
  const running = (async () => {
    for (let place = 1; !stopping.signal.aborted; place += 1) {
      const part = { projectNumber, keyUid, startTimeMs: nowMs, costNanos: costOf(place) }
      await storage.usage.append(usageRecord(part), [])
      doneMs.push(Date.now())
    }
  })()
  return {
    doneMs,
    async stop() {
      stopping.abort()
      await running
    },
  }
}

describeOnBothEngines('while much is read', engine => {
  test('to verify the ledger, calls are settled until the answer is there', async () => {
    const place = await engine.place()
    const storage = await engine.open(place)
    const furnished = await furnish(storage, place, RECORDS)
    const startMs = performance.now()
    await behind(place, db => db.transaction().execute(verifyLedger))
    const tookMs = performance.now() - startMs
    const appending = keepAppending(storage, () => 1, furnished)
    const verification = await storage.ledger.verify()
    const endMs = Date.now()
    await appending.stop()
    expect(verification).toEqual({ rowsChecked: 1, recordsChecked: RECORDS + 1, drifts: [], overruns: 0 })
    // The file is checked first; the books are read until the very end.
    const meanwhile = appending.doneMs.filter(doneMs => doneMs > endMs - tookMs / 2 && doneMs < endMs)
    expect(meanwhile.length).toBeGreaterThan(1)
  }, 120_000)

  if (engine.kind === 'sqlite') {
    test('the database can be closed: whoever asked is told to try again', async () => {
      const place = await engine.place()
      await (await engine.open(place)).close()
      const opened = openEngine(place.engine)
      const read = opened.read('verification', null).then(
        () => null,
        (error: unknown) => opened.failureOf(error),
      )
      await opened.close()
      expect(await read).toBe('unavailable')
    })
  }
})
