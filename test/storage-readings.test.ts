/** What reads much of the database, beside calls that are settled meanwhile: nothing waits for it, and no sum loses any. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { CAP_NANOS_MAX } from '../src/domain/budget.ts'
import { openEngine } from '../src/storage/engine.ts'
import { BlockClock, RECORD_COLUMNS } from '../src/storage/record-row.ts'
import type { BudgetDraft, Storage } from '../src/storage/storage.ts'
import { recordTable } from '../src/storage/usage-block.ts'
import { verifyLedger } from '../src/storage/verify.ts'
import {
  type Place,
  auditEntry,
  behind,
  budgetDraft,
  createProject,
  describeOnBothEngines,
  freshFolder,
  keyDraft,
  usageRecord,
} from './storage-fixture.ts'
import { EMPTY_TIER } from './tiers.ts'

/** Each of the records that are there before. */
const COST_NANOS = 1_000_000_000
const RECORDS = 400_000
/** More than are summed in the transaction that opens a budget. */
const RECORDS_TO_OPEN_WITH = 20_000
const SECOND_NODE = 10_000_000

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

/** How long the books alone are read. */
async function verifyingMs(place: Place): Promise<number> {
  return await behind(place, async db => {
    const startMs = performance.now()
    await db.transaction().execute(verifyLedger)
    return performance.now() - startMs
  })
}

describeOnBothEngines('while much is read', engine => {
  // PostgreSQL has a connection for each of them anyway.
  if (engine.kind === 'sqlite') {
    test('to verify the ledger or to open a budget, calls are settled until the answer is there', async () => {
      const place = await engine.place()
      const storage = await engine.open(place)
      const furnished = await furnish(storage, place, RECORDS)
      const tookMs = Math.min(await verifyingMs(place), await verifyingMs(place))
      const appending = keepAppending(storage, () => 1, furnished)
      const { doneMs } = appending
      const verification = await storage.ledger.verify()
      const endMs = Date.now()
      // The file is checked first; the books are read until the very end.
      const whileVerified = doneMs.filter(ms => ms > endMs - tookMs / 2 && ms < endMs)
      const settled = doneMs.length
      await storage.budgets.create(budgetDraft({ capNanos: CAP_NANOS_MAX }), auditEntry())
      const whileOpened = doneMs.length - settled
      await appending.stop()
      expect(verification).toEqual({ rowsChecked: 1, recordsChecked: RECORDS + 1, drifts: [], overruns: 0 })
      expect(whileVerified.length).toBeGreaterThan(0)
      // More than were under way already.
      expect(whileOpened).toBeGreaterThan(5)
    }, 120_000)

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

  test('for budgets that open, each opens with all that was settled before, once', async () => {
    const place = await engine.place()
    const first = await engine.open(place)
    const furnished = await furnish(first, place, RECORDS_TO_OPEN_WITH)
    // On PostgreSQL two nodes settle at once; what the second one's calls cost stands in digits of its own.
    const storages =
      engine.kind === 'sqlite' ? [first] : [first, await engine.open({ ...place, dataDir: freshFolder() })]
    const nodes = storages.map((storage, node) =>
      keepAppending(storage, call => call * SECOND_NODE ** node, furnished),
    )
    const { projectNumber, keyUid } = furnished
    const create = async (part: Partial<BudgetDraft>) => {
      const { createTimeMs, balance } = await first.budgets.create(
        budgetDraft({ capNanos: CAP_NANOS_MAX, ...part }),
        auditEntry(),
      )
      return { createTimeMs, nanos: balance.postedNanos, sent: nodes.map(({ doneMs }) => doneMs.length + 1) }
    }
    const cap = async () => {
      await first.tiers.put(
        { id: 'capped', etag: null },
        { ...EMPTY_TIER, spendCapNanos: CAP_NANOS_MAX },
        auditEntry(),
      )
      await first.projects.update({ id: projectNumber, etag: null }, { tier: 'capped' }, auditEntry(), null)
      const sent = nodes.map(({ doneMs }) => doneMs.length + 1)
      const [budget] = await first.budgets.list({ scope: 'tier' })
      if (budget === undefined) throw new Error('the project has no cap')
      return { createTimeMs: budget.createTimeMs, nanos: budget.balance.postedNanos, sent }
    }
    const opened = await Promise.all([
      create({ scope: 'organization' }),
      create({ scope: 'project', projectNumber }),
      create({ scope: 'key', projectNumber, lineage: keyUid }),
      cap(),
    ])
    await Promise.all(nodes.map(node => node.stop()))
    for (const { createTimeMs, nanos, sent } of opened) {
      const added = nanos - (RECORDS_TO_OPEN_WITH + 1) * COST_NANOS
      nodes.forEach(({ doneMs }, node) => {
        const ofNode = Math.floor(added / SECOND_NODE ** node) % SECOND_NODE
        // Calls cost 1, 2, 3 and so on: a sum of the first ones is that of no others.
        const calls = Math.round((Math.sqrt(8 * ofNode + 1) - 1) / 2)
        expect((calls * (calls + 1)) / 2).toBe(ofNode)
        expect(calls).toBeGreaterThanOrEqual(doneMs.filter(ms => ms < createTimeMs).length)
        expect(calls).toBeLessThanOrEqual(sent[node] ?? 0)
      })
    }
    expect((await first.ledger.verify()).drifts).toEqual([])
  }, 120_000)
})
