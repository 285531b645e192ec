/** Several nodes of one Pollux: behind one port of one machine, and refused where they do not fit together. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { type Pollux, startPollux } from './pollux.ts'
import { type TestPostgres, socketUrl, startPostgres } from './postgres.ts'
import { openCall, send } from './traffic.ts'

const server = await startPostgres()
const started: Pollux[] = []
afterEach(async () => {
  await Promise.all(started.splice(0).map(pollux => pollux.stop()))
})
afterAll(async () => {
  if (!('skip' in server)) await server.stop()
})

async function start(options: Parameters<typeof startPollux>[0]): Promise<Pollux> {
  const pollux = await startPollux(options)
  started.push(pollux)
  return pollux
}

async function metrics({ client }: Pollux): Promise<string> {
  return await client.call(POLLUX_V1.getMetrics, {})
}

async function until(look: () => Promise<boolean>): Promise<void> {
  while (!(await look())) await delay(50)
}

test('SQLite belongs to one process: --nodes refuses it and says what to do', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'pollux-nodes-'))
  const child = spawn(join(import.meta.dirname, '..', 'bin', 'pollux'), ['start', '--nodes', '2'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'], POLLUX_DATA_DIR: dataDir },
  })
  let output = ''
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')))
  const code = await new Promise(resolve => child.once('exit', resolve))
  expect(code).toBe(2)
  expect(output).toContain('--nodes 2 needs PostgreSQL, but POLLUX_DATABASE_URL is not set')
  await rm(dataDir, { recursive: true, force: true })
})

describe.skipIf('skip' in server)('nodes on one PostgreSQL', () => {
  const freshUrl = async (): Promise<string> => await (server as TestPostgres).url()

  test('three behind one port: all serve, a killed one comes back, a stop lets calls finish', async () => {
    const env = { POLLUX_DATABASE_URL: socketUrl(await freshUrl()) }
    const pollux = await start({ env, args: ['--nodes', '3'] })
    expect(pollux.output()).toContain(
      'POLLUX_REDIS_URL is not set, so each of the 3 nodes counts rates for itself',
    )
    expect(pollux.output()).toMatch(/^ {2}rates {5}counted by each node for itself/m)
    const keyString = pollux.firstKeyString ?? ''
    const serving = async (): Promise<Map<string, number>> => {
      await Promise.all(Array.from({ length: 30 }, () => send(pollux.origin, { keyString })))
      const pids = [
        ...(await metrics(pollux)).matchAll(/^process_start_time_seconds\{node="(\d)"\} (\S+)$/gm),
      ]
      return new Map(pids.map(([, node = '', startTime]) => [node, Number(startTime)]))
    }
    // Whichever node is free takes a connection.
    await until(async () => {
      const { size } = await serving()
      const calls = [...(await metrics(pollux)).matchAll(/^pollux_calls_total\{.*node="(\d)"\} (\d+)$/gm)]
      console.log(`calls by node: ${calls.map(([, node, count]) => `${node}: ${count}`).join(', ')}`)
      return size === 3 && new Set(calls.map(([, node]) => node)).size === 3
    })

    const before = await serving()
    const [victim] = await childrenOf(pollux)
    process.kill(victim ?? 0, 'SIGKILL')
    // Whoever is connected to the killed one is cut; everybody else is served at once.
    await until(async () => {
      const now = await serving().catch(() => before)
      return now.size === 3 && [...now].some(([node, startTime]) => before.get(node) !== startTime)
    })
    expect(pollux.output()).toMatch(/node \d ended \(SIGKILL\) and is started again/)

    const slow = openCall(pollux.origin, {
      keyString,
      form: 'sse',
      model: 'sandbox-slow',
      text: 'In 20 words',
    })
    await slow.begun
    const exit = pollux.kill('SIGTERM')
    const { isWhole, text } = await slow.ended
    expect(isWhole).toBe(true)
    expect(text).toContain('STOP')
    expect(await exit).toBe(0)
  }, 240_000)

  test('a node with another master key is refused, in words that say what to do', async () => {
    const POLLUX_DATABASE_URL = socketUrl(await freshUrl())
    await start({ env: { POLLUX_DATABASE_URL } })
    const POLLUX_MASTER_KEY = Buffer.alloc(32, 8).toString('base64')
    const refused = start({ env: { POLLUX_DATABASE_URL, POLLUX_MASTER_KEY } })
    await expect(refused).rejects.toThrow(/ended with 1:\npollux: .*master key.*POLLUX_MASTER_KEY/s)
  })

  test('a newer program does not change tables under nodes of an older one', async () => {
    const url = await freshUrl()
    const POLLUX_DATABASE_URL = socketUrl(url)
    const pollux = await start({ env: { POLLUX_DATABASE_URL } })
    await pollux.kill('SIGTERM')
    const nowMs = '(extract(epoch from clock_timestamp()) * 1000)::bigint'
    await query(url, `insert into presence values ('0123456789abcdef', '0001-older', ${nowMs} + 600000)`)
    await expect(start({ env: { POLLUX_DATABASE_URL } })).rejects.toThrow(
      /node 0123456789abcdef, whose program knows it up to version 0001-older/,
    )
    await query(url, `update presence set seen_time = ${nowMs} - 60000`)
    await start({ env: { POLLUX_DATABASE_URL } })
  })

  test('a node that finds the tables changed by a newer program says so, and asks and serves nothing more', async () => {
    const url = await freshUrl()
    const pollux = await start({ env: { POLLUX_DATABASE_URL: socketUrl(url) } })
    const keyString = pollux.firstKeyString ?? ''
    expect((await send(pollux.origin, { keyString })).status).toBe(200)
    await query(url, `insert into kysely_migration values ('9999-future', '2030-01-01T00:00:00.000Z')`)
    await until(async () => (await send(pollux.origin, { keyString })).reason === 'STORAGE_UNAVAILABLE')
    expect((await fetch(`${pollux.origin}/readyz`)).status).toBe(503)
    const change = pollux.client.call(POLLUX_V1.createKey, {
      params: { project: 'default-project' },
      query: {},
      body: {},
    })
    await expect(change).rejects.toThrow('Pollux has stopped using its database')
    expect(pollux.output()).toContain('The database is at version 9999-future')
    const asking = `select 1 from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`
    await until(async () => (await query(url, asking)).length === 0)
    expect(await pollux.kill('SIGTERM')).toBe(0)
  })

  test('a clock that is an hour off: a start fails, and a running node serves nothing but says so', async () => {
    const url = await freshUrl()
    const POLLUX_DATABASE_URL = socketUrl(url)
    // The database's clock is moved instead of the machine's: its own function is found before the real one.
    await query(url, 'create table skew (seconds bigint not null); insert into skew values (0)')
    await query(
      url,
      `create function clock_timestamp() returns timestamptz language sql volatile as
      'select pg_catalog.clock_timestamp() + make_interval(secs => (select seconds from public.skew))'`,
    )
    const database = new URL(POLLUX_DATABASE_URL).pathname.slice(1)
    await query(url, `alter database "${database}" set search_path = public, pg_catalog`)
    const pollux = await start({ env: { POLLUX_DATABASE_URL } })
    const keyString = pollux.firstKeyString ?? ''
    expect((await send(pollux.origin, { keyString })).status).toBe(200)
    await query(url, 'update skew set seconds = -3600')
    await until(async () => (await send(pollux.origin, { keyString })).reason === 'CLOCK_WRONG')
    expect((await fetch(`${pollux.origin}/readyz`)).status).toBe(503)
    const text = await metrics(pollux)
    expect(text).toContain('pollux_degraded{mode="clock"} 1')
    expect(Number(/^pollux_clock_skew_seconds (\S+)$/m.exec(text)?.[1])).toBeCloseTo(3600, -1)
    await expect(start({ env: { POLLUX_DATABASE_URL } })).rejects.toThrow(
      /clock is 3600 s ahead of the database's/,
    )
    await query(url, 'update skew set seconds = 0')
    await until(async () => (await send(pollux.origin, { keyString })).status === 200)
    expect((await fetch(`${pollux.origin}/readyz`)).status).toBe(200)
  }, 60_000)
})

async function query(connectionString: string, sql: string): Promise<readonly unknown[]> {
  const client = new Client({ connectionString })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

/** The processes that a primary started. */
async function childrenOf(pollux: Pollux): Promise<readonly number[]> {
  const ps = spawn('ps', ['-o', 'pid=', '--ppid', String(pollux.process.pid)])
  const chunks = (await ps.stdout.toArray()) as Buffer[]
  return Buffer.concat(chunks).toString('utf8').trim().split(/\s+/).map(Number)
}
