/** A process that is killed while it brings a database to its version leaves the old tables or the new ones, never some of each. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import { expect, test } from 'vitest'
import { init } from '../src/storage/migrations/0001-init.ts'
import { migrate, versionOf } from '../src/storage/migrate.ts'
import type { Db } from '../src/storage/schema.ts'
import { type EngineUnderTest, type Place, behind, describeOnBothEngines } from './storage-fixture.ts'

const KILLS = 5

/** Migrates, and says when it begins and when it is done. */
const MIGRATION = `
  const { openEngine } = await import(${JSON.stringify(new URL('../src/storage/engine.ts', import.meta.url).href)})
  const { migrate } = await import(${JSON.stringify(new URL('../src/storage/migrate.ts', import.meta.url).href)})
  const { db } = openEngine(JSON.parse(process.argv[1]))
  console.log('begun')
  await migrate(db)
  console.log('done')
  await db.destroy()`

/** A database of the first version. */
async function makeOld(engine: EngineUnderTest): Promise<Place> {
  const place = await engine.place()
  mkdirSync(place.dataDir, { recursive: true, mode: 0o700 })
  await behind(place, async db => {
    const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ '0001-init': init }) } })
    const { error } = await migrator.migrateToLatest()
    expect(error).toBeUndefined()
  })
  return place
}

/** Tables, columns and indexes, in an order that does not depend on the time they were made. */
async function schemaOf(place: Place): Promise<string> {
  return await behind(place, async db => {
    const tables = (await db.introspection.getTables()).map(
      ({ name, columns }) =>
        `${name}(${columns.map(column => `${column.name} ${column.dataType}`).join(', ')})`,
    )
    return [...tables, ...(await indexesOf(place, db))].toSorted().join('\n')
  })
}

async function indexesOf({ engine }: Place, db: Db): Promise<readonly string[]> {
  const { rows } =
    engine.kind === 'sqlite'
      ? await sql<{ name: string }>`select name from sqlite_master where type = 'index'`.execute(db)
      : await sql<{
          name: string
        }>`select indexname as name from pg_indexes where schemaname = 'public'`.execute(db)
  return rows.map(({ name }) => `index ${name}`)
}

/** Starts a migration and kills it so long after it began. Gives whether it was over by then, and how long it ran. */
async function killedAfter(place: Place, afterMs: number): Promise<{ wasDone: boolean; ranMs: number }> {
  const argv = ['--input-type=module', '-e', MIGRATION, JSON.stringify(place.engine)]
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })
  const exited = once(child, 'exit')
  const [begun] = (await once(lines, 'line')) as [string]
  expect(begun).toBe('begun')
  const startMs = performance.now()
  let wasDone = false
  lines.once('line', () => (wasDone = true))
  await Promise.race([delay(afterMs), exited])
  child.kill('SIGKILL')
  await exited
  return { wasDone, ranMs: performance.now() - startMs }
}

describeOnBothEngines('an upgrade', engine => {
  test('that is killed at any moment leaves the old tables or the new ones, and the next one finishes', async () => {
    const place = await makeOld(engine)
    const old = await schemaOf(place)
    const whole = await makeOld(engine)
    const { wasDone, ranMs: wholeMs } = await killedAfter(whole, 60_000)
    expect(wasDone).toBe(true)
    const upgraded = await schemaOf(whole)
    expect(upgraded).not.toBe(old)
    const newest = await behind(whole, versionOf)
    let killedInside = 0
    for (let kill = 0; kill < KILLS; kill++) {
      const victim = await makeOld(engine)
      const { wasDone: isDone } = await killedAfter(victim, (wholeMs * kill) / KILLS)
      if (!isDone) killedInside++
      // A connection that is gone is noticed by PostgreSQL when the statement that it runs is over.
      await expect
        .poll(() => schemaOf(victim), { timeout: 10_000 })
        .toSatisfy((schema: string) => schema === old || schema === upgraded)
      const isNew = (await schemaOf(victim)) === upgraded
      expect(await behind(victim, versionOf)).toBe(isNew ? newest : '0001-init')
      await behind(victim, migrate)
      expect(await schemaOf(victim)).toBe(upgraded)
    }
    expect(killedInside).toBeGreaterThan(0)
  }, 120_000)
})
