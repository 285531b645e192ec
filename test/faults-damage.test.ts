/** Stored bytes that changed, or are gone: found at the start or by `ledger verify`; nothing is spent on them, and it is said what to do. */
import { cpSync, readFileSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Client } from 'pg'
import { expect, test } from 'vitest'
import type { Storage } from '../src/storage/storage.ts'
import { startPollux } from './pollux.ts'
import { runProgram } from './program.ts'
import {
  type EngineUnderTest,
  type Place,
  auditEntry,
  budgetDraft,
  describeOnBothEngines,
  freshFolder,
  postgres,
  refusal,
  startChild,
  usageRecord,
} from './storage-fixture.ts'
import { send } from './traffic.ts'

const CAP = 1_000_000_000

/** Overwrites the first page of a table or an index of a database that nobody has open. */
function damagePage(path: string, name: string): void {
  const database = new DatabaseSync(path)
  const page = database.prepare('select rootpage from sqlite_master where name = ?').get(name)
  const size = Number(database.prepare('pragma page_size').get()?.['page_size'])
  database.close()
  const bytes = readFileSync(path)
  bytes.fill(0xa5, (Number(page?.['rootpage']) - 1) * size, Number(page?.['rootpage']) * size)
  writeFileSync(path, bytes)
}

/** A budget, and a process that spends from it until it is killed, once a few hundred calls were acknowledged. */
async function spendAndKill(engine: EngineUnderTest): Promise<Place> {
  const place = await engine.place()
  const storage = await engine.open(place)
  const { uid } = await storage.budgets.create(budgetDraft({ capNanos: CAP }), auditEntry())
  await storage.close()
  const acknowledgedPath = `${freshFolder()}.txt`
  writeFileSync(acknowledgedPath, '')
  const order = { acknowledgedPath, record: usageRecord(), prefix: 'call', budgetUids: [uid] }
  const child = await startChild({ mode: 'spend', place, ...order })
  await expect
    .poll(() => readFileSync(acknowledgedPath, 'utf8').split('\n').length, { timeout: 60_000, interval: 5 })
    .toBeGreaterThan(200)
  await child.kill()
  return place
}

/** The books agree, nothing is allotted, and no less is posted than was recorded. */
async function expectSound(storage: Storage): Promise<void> {
  expect(await storage.ledger.verify()).toMatchObject({ drifts: [], overruns: 0 })
  const [budget] = await storage.budgets.list({})
  const records = await storage.usage.recent({ projectNumber: '415104041262', limit: 100_000 })
  const recordedNanos = records.reduce((sum, { postedNanos }) => sum + postedNanos, 0)
  expect(budget?.balance.allottedNanos).toBe(0)
  expect(budget?.balance.postedNanos).toBeGreaterThanOrEqual(recordedNanos)
  expect(recordedNanos).toBeGreaterThan(0)
}

const sqliteFile = ({ engine }: Place): string => (engine.kind === 'sqlite' ? engine.path : '')

describeOnBothEngines('what is damaged', engine => {
  test('in a line of the journal makes it one that may lack holds: all that was allotted is posted, and the audit trail tells', async () => {
    const place = await spendAndKill(engine)
    const folder = join(place.dataDir, 'journal')
    const [oldest = ''] = readdirSync(folder).toSorted()
    const text = readFileSync(join(folder, oldest), 'utf8')
    // Still a line of JSON: of another call.
    writeFileSync(join(folder, oldest), text.replace('"call-1"', '"call-0"'))
    const storage = await engine.open(place)
    const { items } = await storage.audit.list({ projectNumber: null, limit: 5, cursor: null })
    expect(items.map(({ methodName }) => methodName)).toContain('pollux.v1.Ledger.LoseJournal')
    await expectSound(storage)
  }, 120_000)

  if (engine.kind === 'postgres') {
    test('in a page that money stands on is refused at the start', async () => {
      const place = await furnished(engine)
      const url = place.engine.kind === 'postgres' ? place.engine.url : ''
      const file = await fileOf(url, 'budget_period')
      const crashed = await postgres().crash()
      const bytes = readFileSync(file)
      writeFileSync(file, bytes.fill(0xa5))
      await crashed.restart()
      const error = await refusal(engine.open(place))
      expect([error.reason, error.message]).toEqual([
        'DATABASE_DAMAGED',
        expect.stringContaining('pollux restore'),
      ])
    }, 120_000)
    return
  }

  test('in the log of SQLite is refused, be it cut or changed, and opened once it is whole again', async () => {
    const place = await spendAndKill(engine)
    const log = `${sqliteFile(place)}-wal`
    const kept = freshFolder()
    cpSync(place.dataDir, kept, { recursive: true })
    const { size } = statSync(log)
    const middle = Math.floor(size / 2)
    const changed = readFileSync(log)
    changed.writeUInt8(changed.readUInt8(middle) ^ 1, middle)
    const damages: readonly (() => void)[] = [
      () => truncateSync(log, 0),
      () => truncateSync(log, middle),
      () => writeFileSync(log, changed),
    ]
    for (const damage of damages) {
      rmSync(place.dataDir, { recursive: true })
      cpSync(kept, place.dataDir, { recursive: true })
      damage()
      const error = await refusal(engine.open(place))
      expect(error.reason).toBe('DATABASE_DAMAGED')
      expect(error.message).toMatch(/has no record of call call-\d+, which was acknowledged.*pollux restore/s)
    }
    rmSync(place.dataDir, { recursive: true })
    cpSync(kept, place.dataDir, { recursive: true })
    await expectSound(await engine.open(place))
  }, 120_000)

  test('in a page that money stands on is refused at the start, and stays as it is', async () => {
    const place = await furnished(engine)
    damagePage(sqliteFile(place), 'budget_period')
    const before = readFileSync(sqliteFile(place))
    const error = await refusal(engine.open(place))
    expect(error.reason).toBe('DATABASE_DAMAGED')
    for (const said of [sqliteFile(place), 'keep a copy', 'pollux restore']) {
      expect(error.message).toContain(said)
    }
    expect(readFileSync(sqliteFile(place)).equals(before)).toBe(true)
  })
})

test('what is damaged elsewhere is found by `pollux ledger verify`; from then on no call is let in', async () => {
  let pollux = await startPollux()
  try {
    const { dataDir, firstKeyString } = pollux
    const call = () => send(pollux.origin, { keyString: firstKeyString ?? '' })
    expect((await call()).status).toBe(200)
    expect(await pollux.kill('SIGTERM')).toBe(0)
    damagePage(join(dataDir, 'pollux.sqlite'), 'passkey')
    pollux = await startPollux({ dataDir })
    expect((await call()).status).toBe(200)
    const env = { POLLUX_URL: pollux.origin, POLLUX_DATA_DIR: dataDir }
    const { code, err } = await runProgram(['ledger', 'verify'], env)
    expect([code, err]).toEqual([13, expect.stringMatching(/is damaged: .*pollux restore/s)])
    expect(await call()).toMatchObject({ status: 503, reason: 'STORAGE_UNAVAILABLE' })
    expect((await fetch(`${pollux.origin}/readyz`)).status).toBe(503)
    expect(pollux.output()).toContain('is damaged')
  } finally {
    await pollux.stop()
  }
}, 120_000)

/** A closed storage that has a budget. */
async function furnished(engine: EngineUnderTest): Promise<Place> {
  const place = await engine.place()
  const storage = await engine.open(place)
  const { uid } = await storage.budgets.create(budgetDraft({ capNanos: CAP }), auditEntry())
  await storage.ledger.take([{ budgetUid: uid, minNanos: 1, wantNanos: 1 }])
  await storage.close()
  return place
}

/** The file of a table of PostgreSQL, once everything is in it. */
async function fileOf(url: string, table: string): Promise<string> {
  const client = new Client({ connectionString: url })
  await client.connect()
  await client.query('checkpoint')
  const { rows } = await client.query<{ folder: string; path: string }>(
    `select current_setting('data_directory') as folder, pg_relation_filepath($1) as path`,
    [table],
  )
  await client.end()
  return join(rows[0]?.folder ?? '', rows[0]?.path ?? '')
}
