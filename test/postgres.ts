/** A real PostgreSQL 15 in a temporary folder, for tests: reached by a socket file, gone when the tests end. */
import type { ChildProcess } from 'node:child_process'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { Client } from 'pg'

const BIN = '/usr/lib/postgresql/15/bin'
const USER = 'pollux'
/** Only the name of the socket file: nothing listens on a port. */
const PORT = 5432

const run = promisify(execFile)

export interface TestPostgres {
  /** The URL of a fresh, empty database (or of the one named, made if need be). */
  url(database?: string): Promise<string>
  stop(): Promise<void>
  /** Ends the server as a crash would and starts it again on the same data. */
  crash(): Promise<{ restart(): Promise<void> }>
}

/** Starts a server, or says why it cannot; with CI=true that is a failure, except where SQLite alone was asked for. */
export async function startPostgres(): Promise<TestPostgres | { readonly skip: string }> {
  if (process.env['POLLUX_TEST_ENGINE'] === 'sqlite')
    return { skip: 'POLLUX_TEST_ENGINE asks for SQLite only' }
  if (!existsSync(join(BIN, 'postgres'))) {
    const skip = `PostgreSQL 15 is not installed (${BIN}; on Debian: apt-get install postgresql-15)`
    if (process.env['CI'] === 'true') throw new Error(skip)
    return { skip }
  }
  const owner = await unprivilegedUser()
  const folder = await mkdtemp(join(tmpdir(), 'pollux-pg-'))
  if (owner !== null) await chown(folder, owner.uid, owner.gid)
  await chmod(folder, 0o700)
  const identity = owner ?? {}
  const data = join(folder, 'data')
  // Durability of the empty cluster itself is of no interest; that of the server's commits is, so fsync stays on.
  await run(
    join(BIN, 'initdb'),
    [
      '--pgdata',
      data,
      '--username',
      USER,
      '--auth',
      'trust',
      '--no-sync',
      '--encoding',
      'UTF8',
      '--locale',
      'C.UTF-8',
    ],
    { ...identity, cwd: folder },
  )
  let server = await startServer(folder, identity)
  const adminUrl = urlOf(folder, 'postgres')
  let made = 0
  return {
    async url(database) {
      made += 1
      const name = database ?? `test_${made}`
      await query(adminUrl, `create database "${name}"`)
      return urlOf(folder, name)
    },
    async stop() {
      await endServer(server, 'SIGQUIT')
      await rm(folder, { recursive: true, force: true })
    },
    async crash() {
      await endServer(server, 'SIGQUIT')
      return {
        restart: async () => {
          server = await startServer(folder, identity)
        },
      }
    },
  }
}

interface Identity {
  readonly uid?: number
  readonly gid?: number
}

/** PostgreSQL refuses to run as root; then it runs as the user its package made. */
async function unprivilegedUser(): Promise<{ uid: number; gid: number } | null> {
  if (process.getuid?.() !== 0) return null
  const [uid, gid] = await Promise.all([run('id', ['-u', 'postgres']), run('id', ['-g', 'postgres'])])
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
}

async function startServer(folder: string, identity: Identity): Promise<ChildProcess> {
  const settings = [
    'listen_addresses=',
    `unix_socket_directories=${folder}`,
    'fsync=on',
    'max_connections=200',
    'shared_buffers=64MB',
    'logging_collector=off',
    'lc_messages=C',
  ]
  const server = spawn(
    join(BIN, 'postgres'),
    ['-D', join(folder, 'data'), '-p', String(PORT), ...settings.flatMap(setting => ['-c', setting])],
    { ...identity, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const log = createInterface({ input: server.stderr })
  const lines: string[] = []
  await new Promise<void>((resolve, reject) => {
    log.on('line', line => {
      lines.push(line)
      if (line.includes('ready to accept connections')) resolve()
    })
    server.once('error', reject)
    server.once('exit', () => reject(new Error(`PostgreSQL did not start:\n${lines.join('\n')}`)))
  })
  // Nothing of a test that was ended by force stays behind.
  process.once('exit', () => server.kill('SIGQUIT'))
  return server
}

async function endServer(server: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  const exited = once(server, 'exit')
  server.kill(signal)
  await exited
}

function urlOf(folder: string, database: string): string {
  return `postgres://${USER}@/${database}?host=${encodeURIComponent(folder)}&port=${PORT}`
}

async function query(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

/** The URL of a database of this server as a standard URL parser takes it: one refuses a user without a host. */
export function socketUrl(url: string): string {
  return `${url.replace(`${USER}@/`, '/')}&user=${USER}`
}
