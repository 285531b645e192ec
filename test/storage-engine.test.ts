import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Kysely, sql } from 'kysely'
import { expect, test } from 'vitest'
import type { ApiError } from '../src/domain/error.ts'
import { openEngine } from '../src/storage/engine.ts'
import type { Database } from '../src/storage/schema.ts'
import { openStorage } from '../src/storage/open.ts'
import type { Change } from '../src/storage/storage.ts'
import type { Place } from './storage-fixture.ts'
import {
  auditEntry,
  createProject,
  describeOnBothEngines,
  describeOnPostgres,
  freshFolder,
  keyDraft,
  postgres,
  postgresMissing,
  reasonOf,
  refusal,
  startChild,
  usageRecord,
} from './storage-fixture.ts'

const NOBODY = 65_534

async function tablesOf(place: Place): Promise<readonly string[]> {
  const { db } = openEngine(place.engine)
  const tables = await db.introspection.getTables()
  await db.destroy()
  const columns = tables.flatMap(({ name: table, columns }) =>
    columns.map(({ name, dataType, isNullable }) => {
      const type = dataType.toLowerCase().replace('int8', 'bigint')
      return `${table}.${name} ${type}${isNullable ? '' : ' not null'}`
    }),
  )
  return columns.sort()
}

test.skipIf(postgresMissing !== null)('both engines get the same tables', async () => {
  const dataDir = freshFolder()
  const places: Place[] = [
    { engine: { kind: 'sqlite', path: join(dataDir, 'pollux.db') }, dataDir },
    { engine: { kind: 'postgres', url: await postgres().url() }, dataDir: freshFolder() },
  ]
  const [onSqlite, onPostgres] = await Promise.all(
    places.map(async place => {
      const storage = await openStorage(place)
      await storage.usage.append(usageRecord(), [])
      await storage.close()
      return await tablesOf(place)
    }),
  )
  expect(onSqlite).toEqual(onPostgres)
  expect(onSqlite).toContain('usage_record_202611.first_byte_ms bigint')
  expect(onSqlite).toContain('key.digest text not null')
  const kinds = new Set(onSqlite?.map(column => column.split(' ').slice(1).join(' ')))
  expect([...kinds].toSorted()).toEqual(['bigint', 'bigint not null', 'text', 'text not null'])
})

describeOnBothEngines('a storage', engine => {
  test('finds its facts when it is opened again', async () => {
    const place = await engine.place()
    const storage = await engine.open(place)
    const project = await createProject(storage)
    await storage.usage.append(usageRecord(), [])
    await storage.close()
    const again = await engine.open(place)
    expect(await again.projects.find(project.number)).toEqual(project)
    // The numbers of this node's records go on where they ended.
    await again.usage.append(usageRecord(), [])
    expect(await again.usage.recent({ projectNumber: '415104041262', limit: 9 })).toHaveLength(2)
  })

  test('refuses everything once it is closed, and closes only once', async () => {
    const storage = await engine.open()
    await Promise.all([storage.close(), storage.close()])
    await storage.close()
    expect(await reasonOf(storage.node.ping())).toBe('STORAGE_UNAVAILABLE')
    expect(await reasonOf(storage.keys.findByDigest('x'))).toBe('STORAGE_UNAVAILABLE')
  })

  test('a database newer than the program is refused before anything is written', async () => {
    const place = await engine.place()
    await (await engine.open(place)).close()
    const { db } = openEngine(place.engine)
    const migrations = db.withTables<{ kysely_migration: { name: string; timestamp: string } }>()
    const future = { name: '9999-future', timestamp: '2030-01-01T00:00:00.000Z' }
    await migrations.insertInto('kysely_migration').values(future).execute()
    await db.schema.dropTable('usage_hour').execute()
    await db.destroy()
    const print = () =>
      place.engine.kind === 'sqlite'
        ? createHash('sha256').update(readFileSync(place.engine.path)).digest('hex')
        : ''
    const before = { print: print(), tables: await tablesOf(place) }
    const error = await refusal(openStorage(place))
    expect(error.reason).toBe('STATE_CONFLICT')
    for (const part of ['9999-future', 'versions up to 00', 'newer Pollux', 'backup'])
      expect(error.message).toContain(part)
    expect({ print: print(), tables: await tablesOf(place) }).toEqual(before)
  })

  test('its folder belongs to one process for as long as that lives, also after kill -9', async () => {
    const place = await engine.place()
    const child = await startChild({ mode: 'open', place })
    expect(child.said).toBe('open')
    const error = await refusal(openStorage(place))
    expect(error.reason).toBe('STATE_CONFLICT')
    expect(error.message).toContain(place.dataDir)
    expect(error.message).toContain('POLLUX_DATA_DIR')
    await child.kill()
    const storage = await engine.open(place)
    // A second one in the same process is a second one too.
    expect(await reasonOf(openStorage(place))).toBe('STATE_CONFLICT')
    await storage.node.ping()
  })

  test('its folder is private', async () => {
    const place = await engine.place()
    await engine.open(place)
    expect(statSync(place.dataDir).mode & 0o777).toBe(0o700)
    const files = engine.kind === 'sqlite' ? ['pollux.db', 'pollux.db-wal', 'pollux.db-shm'] : []
    for (const file of ['lock', 'node-id', ...files]) {
      expect([file, statSync(join(place.dataDir, file)).mode & 0o777]).toEqual([file, 0o600])
    }
  })

  test('a folder that cannot be made or written is named, with what to do', async () => {
    const { engine: choice, dataDir } = await engine.place()
    writeFileSync(dataDir, 'a file in the way')
    const inTheWay = await refusal(openStorage({ engine: choice, dataDir }))
    expect(inTheWay).toMatchObject({
      reason: 'STORAGE_UNAVAILABLE',
      message: expect.stringContaining(dataDir),
    })
    rmSync(dataDir)
    mkdirSync(dataDir, { mode: 0o555 })
    chmodSync(dirname(dataDir), 0o755)
    // Root may write anywhere, so somebody else has to try.
    const identity = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}
    const child = await startChild({ mode: 'open', place: { engine: choice, dataDir } }, identity)
    await child.kill()
    const { reason, message } = JSON.parse(child.said) as { reason: string; message: string }
    expect(reason).toBe('STORAGE_UNAVAILABLE')
    for (const part of [dataDir, 'EACCES', 'POLLUX_DATA_DIR', 'writable']) expect(message).toContain(part)
  })
})

test('an SQLite file outside the data folder has one owner as well', async () => {
  const path = join(freshFolder(), 'pollux.db')
  const first = await openStorage({ engine: { kind: 'sqlite', path }, dataDir: freshFolder() })
  const second = openStorage({ engine: { kind: 'sqlite', path }, dataDir: freshFolder() })
  const error = await refusal(second)
  expect(error).toMatchObject({ reason: 'STATE_CONFLICT', message: expect.stringContaining(dirname(path)) })
  await first.close()
})

test('a file that is no database is refused by name', async () => {
  const dataDir = freshFolder()
  mkdirSync(dataDir)
  const path = join(dataDir, 'pollux.db')
  writeFileSync(
    path,
    'this is a text file, and not a short one, so that it cannot pass for an empty database'.repeat(9),
  )
  const error = await refusal(openStorage({ engine: { kind: 'sqlite', path }, dataDir }))
  expect(error).toMatchObject({ reason: 'DATABASE_DAMAGED', message: expect.stringContaining(path) })
})

test.each([
  'postgres://pollux:s3cret@127.0.0.1:1/pollux',
  'postgres://pollux:s3cret@host.invalid/pollux',
  'postgres://pollux:s3cret@%/pollux',
])('a PostgreSQL that cannot be reached is named without its password', async url => {
  const error = await refusal(openStorage({ engine: { kind: 'postgres', url }, dataDir: freshFolder() }))
  expect(error.reason).toBe('STORAGE_UNAVAILABLE')
  expect(error.message).not.toContain('s3cret')
  expect(String(error.cause)).not.toContain('s3cret')
})

describeOnPostgres('a burst of changes to one project', engine => {
  test('is worked off, and keeps no usage waiting', async () => {
    const storage = await engine.open()
    const project = await createProject(storage)
    const order: string[] = []
    const changes = Promise.all(
      Array.from({ length: 250 }, () => storage.keys.create(keyDraft(project.number), auditEntry(), null)),
    ).then(() => order.push('changes'))
    await storage.usage.append(usageRecord(), [])
    order.push('usage')
    await changes
    expect(order).toEqual(['usage', 'changes'])
  })
})

describeOnPostgres('several nodes', engine => {
  test('may start at once on an empty database', async () => {
    const { engine: choice } = await engine.place()
    const storages = await Promise.all(
      Array.from({ length: 4 }, () => engine.open({ engine: choice, dataDir: freshFolder() })),
    )
    await Promise.all(storages.map(storage => createProject(storage)))
    // The month's table is made by all of them at once, too.
    await Promise.all(storages.map(storage => storage.usage.append(usageRecord(), [])))
    const [first] = storages
    expect((await first?.projects.list({ showDeleted: false, limit: 9, cursor: null }))?.items).toHaveLength(
      4,
    )
    expect(await first?.usage.recent({ projectNumber: '415104041262', limit: 9 })).toHaveLength(4)
  })

  test('hear of each other within a second, and not of themselves', async () => {
    const { engine: choice } = await engine.place()
    const ours = await engine.open({ engine: choice, dataDir: freshFolder() })
    const theirs = await engine.open({ engine: choice, dataDir: freshFolder() })
    const [seen, seenByThem]: [Change[], Change[]] = [[], []]
    ours.onChange(change => seen.push(change))
    theirs.onChange(change => seenByThem.push(change))
    const project = await createProject(theirs)
    const changedMs = performance.now()
    await expect
      .poll(() => seen, { timeout: 1_000, interval: 5 })
      .toEqual([{ kind: 'project', projectNumber: project.number }])
    await expect.poll(() => ours.freshAsOfMs(), { timeout: 1_000 }).toBeGreaterThan(changedMs)
    await Promise.all(
      Array.from({ length: 30 }, () => theirs.keys.create(keyDraft(project.number), auditEntry(), null)),
    )
    const doneMs = performance.now()
    await expect.poll(() => theirs.freshAsOfMs(), { timeout: 1_000 }).toBeGreaterThan(doneMs)
    expect(seenByThem.filter(change => change.kind === 'all')).toEqual([])
    expect(seenByThem).toHaveLength(31)
  })

  test('an outage is STORAGE_UNAVAILABLE, freshness stands still, and service is back within two seconds', async () => {
    const failures: ApiError[] = []
    const storage = await openStorage({
      ...(await engine.place()),
      onFailure: error => failures.push(error),
    })
    const project = await createProject(storage)
    const server = await postgres().crash()
    const calls = [
      storage.projects.find(project.number),
      storage.usage.append(usageRecord(), []),
      createProject(storage),
      storage.node.ping(),
    ]
    expect(new Set(await Promise.all(calls.map(reasonOf)))).toEqual(new Set(['STORAGE_UNAVAILABLE']))
    const downMs = performance.now()
    expect(storage.freshAsOfMs()).toBeLessThan(downMs)
    await server.restart()
    await expect
      .poll(() => storage.projects.find(project.number).catch(() => null), { timeout: 2_000, interval: 50 })
      .toEqual(project)
    await storage.usage.append(usageRecord(), [])
    // The one that was refused is posted as well, and before it.
    expect(await storage.usage.recent({ projectNumber: '415104041262', limit: 9 })).toHaveLength(2)
    await expect.poll(() => storage.freshAsOfMs(), { timeout: 2_000 }).toBeGreaterThan(downMs)
    // Once for each job that needs the database: folding, looking, the lease, lost nodes.
    expect(failures.length).toBeLessThanOrEqual(4)
    for (const failure of failures) expect(failure.reason).toBe('STORAGE_UNAVAILABLE')
    await storage.close()
  }, 40_000)

  test('two with one node id lose no record to each other', async () => {
    const { engine: choice } = await engine.place()
    const dataDirs = [freshFolder(), freshFolder()]
    for (const dataDir of dataDirs) {
      mkdirSync(dataDir)
      writeFileSync(join(dataDir, 'node-id'), '0123456789abcdef\n')
    }
    const storages = await Promise.all(dataDirs.map(dataDir => engine.open({ engine: choice, dataDir })))
    const appended = await Promise.allSettled(
      storages.flatMap(storage => Array.from({ length: 40 }, () => storage.usage.append(usageRecord(), []))),
    )
    const kept = appended.filter(result => result.status === 'fulfilled')
    const [first] = storages
    const records = await first?.usage.recent({ projectNumber: '415104041262', limit: 99 })
    expect(records?.length).toBe(kept.length)
    expect(kept.length).toBeGreaterThan(0)
  })
})

test('what SQLite rolled back by itself, as on a full disk, fails for that reason, and nothing of it is stored', async () => {
  const dataDir = freshFolder()
  mkdirSync(dataDir)
  const engine = openEngine({ kind: 'sqlite', path: join(dataDir, 'full.db') })
  const { db } = engine
  await sql`create table t (x text)`.execute(db)
  const insert = (trx: Kysely<Database>, bytes: number) =>
    sql`insert into t values (${'x'.repeat(bytes)})`.execute(trx)
  await sql`pragma max_page_count = 2`.execute(db)
  const error: unknown = await db
    .transaction()
    .execute(async trx => {
      await insert(trx, 1)
      await insert(trx, 100_000).catch(() => {})
      await insert(trx, 2)
    })
    .catch((error: unknown) => error)
  expect(engine.failureOf(error)).toBe('unavailable')
  const stored = async () => (await sql`select x from t`.execute(db)).rows
  expect(await stored()).toEqual([])
  await db.transaction().execute(trx => insert(trx, 3))
  expect(await stored()).toEqual([{ x: 'xxx' }])
  await engine.close()
})
