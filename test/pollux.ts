/** A real Pollux as a process of its own, in a folder of its own, for tests that cross everything. */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KEY_BUDGETS_V1 } from '../src/contract/budgets.v1.ts'
import { type Client, ContractError, createClient } from '../src/contract/client.ts'

export const ADMIN_TOKEN = 'test-admin-token-0123456789-abcdefghij'
/** Nodes of one database must have the same one. */
export const MASTER_KEY = Buffer.alloc(32, 7).toString('base64')
const START_WAIT_MS = 60_000

export interface Pollux {
  readonly origin: string
  readonly dataDir: string
  readonly process: ChildProcess
  /** The first key, where this start printed one. */
  readonly firstKeyString: string | null
  /** A client of the contract with the admin token. */
  readonly client: Client
  /** Everything it has written to standard output and standard error so far. */
  output(): string
  /** Ends it with this signal and waits until it is gone. The data folder stays. */
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null>
  /** Ends it and removes its data folder. */
  stop(): Promise<void>
}

/** Starts `bin/pollux start` and resolves when it listens. `env` overrides; without an upstream it is the sandbox. */
export async function startPollux(
  options: {
    readonly env?: Readonly<Record<string, string>>
    readonly dataDir?: string
    readonly port?: number
    /** After `start`. */
    readonly args?: readonly string[]
    /** Leaves the first key the cap that it has where calls cost money: most tests make the budgets they judge. */
    readonly keepsFirstCap?: boolean
  } = {},
): Promise<Pollux> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'pollux-test-')))
  const port = options.port ?? (await freePort())
  const child = spawn(join(import.meta.dirname, '..', 'bin', 'pollux'), ['start', ...(options.args ?? [])], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      POLLUX_DATA_DIR: dataDir,
      POLLUX_PORT: String(port),
      POLLUX_ADMIN_TOKEN: ADMIN_TOKEN,
      ...(options.env?.['POLLUX_DATABASE_URL'] === undefined ? {} : { POLLUX_MASTER_KEY: MASTER_KEY }),
      ...options.env,
    },
  })
  let output = ''
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')))
  const gone = new Promise<number | null>(resolve => child.once('exit', resolve))
  const origin = `http://127.0.0.1:${port}`
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`Pollux did not start:\n${output}`)), START_WAIT_MS)
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8')
      if (output.includes(`listening on ${origin}`) && output.includes('openapi.json')) {
        clearTimeout(timer)
        resolve()
      }
    })
    void gone.then(code => reject(new Error(`Pollux ended with ${code}:\n${output}`)))
  })
  const kill = (signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> => {
    child.kill(signal)
    return gone
  }
  const client = createClient({ baseUrl: origin, token: options.env?.['POLLUX_ADMIN_TOKEN'] ?? ADMIN_TOKEN })
  const isBilled = options.env?.['GEMINI_API_KEY'] ?? options.env?.['GOOGLE_API_KEY']
  if (isBilled !== undefined && options.keepsFirstCap !== true) await dropFirstCap(client)
  return {
    origin,
    dataDir,
    process: child,
    firstKeyString: /^ {2}(plx_\w{36})$/m.exec(output)?.[1] ?? null,
    client,
    output: () => output,
    kill,
    stop: async () => {
      await kill('SIGKILL')
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** The cap, or the key, may be gone already, and management may have a port of its own. */
async function dropFirstCap(client: Client): Promise<void> {
  const params = { project: 'default-project', key: 'first-key', budget: 'month' }
  try {
    await client.call(KEY_BUDGETS_V1.deleteBudget, { params, query: {} })
  } catch (error) {
    if (!(error instanceof ContractError) || error.httpStatus !== 404) throw error
  }
}

/** A port that nothing listens on at the moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => (address !== null && typeof address === 'object' ? resolve(address.port) : reject()))
    })
  })
}
