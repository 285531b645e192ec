/** Databases of earlier versions. */
import type { CreateTableBuilder } from 'kysely'
import { sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import { mkdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { init } from '../src/storage/migrations/0001-init.ts'
import { NULLABLE_RECORD_COLUMNS, RECORD_COLUMNS } from '../src/storage/record-row.ts'
import type { Place } from './storage-fixture.ts'
import { auditEntry, behind, budgetDraft, describeOnBothEngines, usageRecord } from './storage-fixture.ts'

const NEW_COLUMNS = new Set([
  'cost_nanos',
  'posted_nanos',
  'held_nanos',
  'ledger',
  'clamped_output_tokens',
  'price_basis_points',
  'received_us',
  'admitted_us',
  'last_byte_us',
])
const OLD_COLUMNS = RECORD_COLUMNS.filter(({ name }) => !NEW_COLUMNS.has(name))

/** What version 0001 had: a key, a month of records, and one record in it that is in no rollup yet. */
async function makeOld(place: Place): Promise<void> {
  mkdirSync(place.dataDir, { mode: 0o700 })
  await behind(place, async db => {
    const migrator = new Migrator({
      db,
      provider: { getMigrations: async () => ({ '0001-init': init }) },
    })
    const { error } = await migrator.migrateToLatest()
    expect(error).toBeUndefined()
    await sql`insert into project (number, project_id, display_name, labels, model_aliases, etag, live_keys,
      create_time, update_time) values ('415104041262', 'old-project', '', '{}', '{}', 'e', 1, 1, 1)`.execute(
      db,
    )
    await sql`insert into key (uid, project_number, key_id, digest, display_name, annotations, masked_key_string,
      etag, create_time, update_time)
      values ('key-1', '415104041262', 'old', 'digest', '', '{}', 'plx_', 'e', 1, 1)`.execute(db)
    let table: CreateTableBuilder<string, string> = db.schema
      .createTable('usage_record_202611')
      .addColumn('node_id', 'text', c => c.notNull())
      .addColumn('seq', 'bigint', c => c.notNull())
    for (const { name, kind } of OLD_COLUMNS) {
      table = table.addColumn(name, kind, c => (NULLABLE_RECORD_COLUMNS.has(name) ? c : c.notNull()))
    }
    await table.addPrimaryKeyConstraint('usage_record_202611_pk', ['node_id', 'seq']).execute()
    for (const [name, column] of [
      ['by_project', 'project_number'],
      ['by_key', 'key_uid'],
    ] as const) {
      await sql`create index ${sql.ref(`usage_record_202611_${name}`)}
        on usage_record_202611 (${sql.ref(column)}, start_time)`.execute(db)
    }
    await sql`insert into usage_block values ('202611', 1)`.execute(db)
    await sql`insert into usage_watermark values ('0123456789abcdef', '202611', 0)`.execute(db)
    const values = OLD_COLUMNS.map(({ name, kind }) => {
      if (name === 'outcome') return 'posted'
      if (name === 'project_number') return '415104041262'
      if (name === 'start_time') return Date.UTC(2026, 10, 2)
      if (name === 'details') return null
      return kind === 'text' ? name : 1
    })
    const columns = OLD_COLUMNS.map(({ name }) => sql.ref(name))
    await sql`insert into usage_record_202611 (node_id, seq, ${sql.join(columns)})
      values ('0123456789abcdef', 1, ${sql.join(values)})`.execute(db)
  })
}

describeOnBothEngines('a database from before money', engine => {
  test('keeps its keys and records, which then have a lineage and no price', async () => {
    const place = await engine.place()
    await makeOld(place)
    const storage = await engine.open(place)
    expect((await storage.keys.findByDigest('digest'))?.key).toMatchObject({ uid: 'key-1', lineage: 'key-1' })
    const added = usageRecord({ costNanos: 5, startTimeMs: Date.UTC(2026, 10, 3) })
    await storage.usage.append(added, [])
    const query = { projectNumber: '415104041262', startTimeMs: 0, endTimeMs: Date.UTC(2030, 0) }
    await expect
      .poll(async () => {
        const [row] = await storage.usage.report({ ...query, granularity: 'day', groupBy: [] })
        return row?.totals
      })
      .toMatchObject({ calls: 2, costNanos: '5', unpriced: 1 })
    const old = (
      await storage.usage.recent({ projectNumber: '415104041262', limit: 1, keyUid: 'key_uid' })
    )[0]
    expect(old).toMatchObject({
      costNanos: null,
      priceBasisPoints: 10_000,
      postedNanos: 0,
      heldNanos: 0,
      ledger: [],
      receivedUs: null,
      admittedUs: null,
      lastByteUs: null,
    })
    const made = await storage.budgets.create(budgetDraft(), auditEntry())
    expect(made.balance.postedNanos).toBe(5)
    expect(await storage.ledger.verify()).toMatchObject({ drifts: [], recordsChecked: 0 })
  })
})
