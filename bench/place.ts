/** Where the Pollux of an experiment keeps its data, and how its records are read beside it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client as PostgresClient } from 'pg'
import { RECORD_COLUMNS, type RecordRow } from '../src/storage/record-row.ts'
import { MASTER_KEY } from '../test/pollux.ts'
import { socketUrl, startPostgres } from '../test/postgres.ts'
import { readRecords } from '../test/records.ts'
import { startRedis } from '../test/redis.ts'

export type EngineName = 'sqlite' | 'postgres'

export interface Place {
  readonly dataDir: string
  readonly env: Readonly<Record<string, string>>
  readRecords(): Promise<readonly RecordRow[]>
  remove(): Promise<void>
}

export interface Places {
  /** An empty data folder, with an empty database; on PostgreSQL with a Redis of its own where that is asked for. */
  fresh(options?: { readonly redis: boolean }): Promise<Place>
  close(): Promise<void>
}

/** Throws for a word that names no engine. */
export function engineNamed(name: string): EngineName {
  if (name === 'sqlite' || name === 'postgres') return name
  throw new Error(`engine ${name}: must be sqlite or postgres`)
}

/** How many processes an experiment has. Throws where that is no number, or more than the engine takes. */
export function nodesNamed(name: string, engine: EngineName): number {
  const nodes = Number(name)
  if (!Number.isInteger(nodes) || nodes < 1) throw new Error(`${name} nodes: must be 1 or more`)
  if (engine === 'sqlite' && nodes > 1) throw new Error('several nodes need postgres')
  return nodes
}

/** Throws where the engine is not installed. */
export async function openPlaces(engine: EngineName): Promise<Places> {
  const places = await tryPlaces(engine)
  if ('skip' in places) throw new Error(places.skip)
  return places
}

/** The same, but says why there is none; with CI=true that is a failure. */
export async function tryPlaces(engine: EngineName): Promise<Places | { readonly skip: string }> {
  return engine === 'sqlite' ? SQLITE_PLACES : await postgresPlaces()
}

function newFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'pollux-place-'))
}

function removeFolder(dataDir: string): Promise<void> {
  return rm(dataDir, { recursive: true, force: true })
}

const SQLITE_PLACES: Places = {
  async fresh() {
    const dataDir = await newFolder()
    return {
      dataDir,
      env: {},
      readRecords: async () => readRecords(dataDir),
      remove: () => removeFolder(dataDir),
    }
  },
  async close() {},
}

async function postgresPlaces(): Promise<Places | { readonly skip: string }> {
  const server = await startPostgres()
  if ('skip' in server) return server
  return {
    async fresh({ redis } = { redis: false }) {
      const dataDir = await newFolder()
      const url = await server.url()
      const env = { POLLUX_DATABASE_URL: socketUrl(url), POLLUX_MASTER_KEY: MASTER_KEY }
      const place = { dataDir, readRecords: () => readPostgresRecords(url) }
      if (!redis) return { ...place, env, remove: () => removeFolder(dataDir) }
      const beside = await startRedis()
      if ('skip' in beside) throw new Error(beside.skip)
      return {
        ...place,
        env: { ...env, POLLUX_REDIS_URL: beside.url },
        async remove() {
          await beside.stop()
          await removeFolder(dataDir)
        },
      }
    },
    close: () => server.stop(),
  }
}

async function readPostgresRecords(url: string): Promise<readonly RecordRow[]> {
  const client = new PostgresClient({ connectionString: url })
  await client.connect()
  try {
    const tables = await client.query<{ name: string }>(
      "select c.relname as name from pg_class c where c.relname ~ '^usage_record_[0-9]{6}$' and c.relkind = 'r'",
    )
    const rows: RecordRow[] = []
    for (const { name } of tables.rows) {
      const found = await client.query<Record<string, string | null>>(`select * from ${name}`)
      for (const row of found.rows) rows.push(withNumbers(row))
    }
    return rows
  } finally {
    await client.end()
  }
}

const NUMBERS = RECORD_COLUMNS.filter(({ kind }) => kind === 'bigint').map(({ name }) => name)

/** bigint columns come as text. */
function withNumbers(row: Readonly<Record<string, string | null>>): RecordRow {
  const numbers = NUMBERS.map(name => {
    const value = row[name] ?? null
    return [name, value === null ? null : Number(value)]
  })
  return { ...row, ...Object.fromEntries(numbers) }
}
