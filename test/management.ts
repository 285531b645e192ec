/** A management plane on a real socket over a real SQLite file, for the suites that drive it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { randomUUID } from 'node:crypto'
import { type Client, createClient } from '../src/contract/client.ts'
import { createControl } from '../src/control/server.ts'
import type { SignInSettings } from '../src/control/sign-in.ts'
import { digestOf } from '../src/domain/digest.ts'
import { noteFacts } from '../src/http/facts.ts'
import { DEFAULT_TIME_ZONE } from '../src/domain/period.ts'
import { MemoryQuota } from '../src/quota/memory.ts'
import { watchPrices } from '../src/price-watch.ts'
import { loadPrices } from '../src/prices.ts'
import { openStorage } from '../src/storage/open.ts'
import type { Storage } from '../src/storage/storage.ts'
import { loadTiers } from '../src/tiers.ts'

export const ADMIN_TOKEN = 'admin-token-of-the-test-suites-0123456789'

export interface Management {
  readonly origin: string
  readonly port: number
  readonly storage: Storage
  /** The SQLite file under it. */
  readonly databasePath: string
  readonly client: Client
  /** Every failure that was logged. */
  readonly logged: unknown[]
  /** Moves the clock of the management plane. */
  advance(ms: number): void
  request(method: string, path: string, init?: RequestInit): Promise<Answer>
  close(): Promise<void>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  // oxlint-disable-next-line typescript/no-explicit-any -- a test reads whatever the wire brought
  readonly json: any
}

const METRICS = () => Promise.resolve('pollux_up 1\n')

export async function startManagement(
  metrics: () => Promise<string> = METRICS,
  signIn?: SignInSettings,
): Promise<Management> {
  const dataDir = await mkdtemp(join(tmpdir(), 'pollux-control-'))
  const databasePath = join(dataDir, 'pollux.db')
  const storage = await openStorage({ engine: { kind: 'sqlite', path: databasePath }, dataDir })
  const prices = loadPrices()
  const logged: unknown[] = []
  await watchPrices(storage, prices, error => void logged.push(error))
  let aheadMs = 0
  let origin = ''
  const control = await createControl({
    storage,
    quota: new MemoryQuota(DEFAULT_TIME_ZONE),
    tiers: loadTiers(),
    prices,
    adminTokenDigest: digestOf(ADMIN_TOKEN),
    metrics,
    server: { version: '0.0.0', upstream: 'SANDBOX', demo: false, callOrigin: null, degradedModes: () => [] },
    log: { info: () => {}, error: (fields, message) => void logged.push({ ...fields, message }) },
    now: () => Date.now() + aheadMs,
    origins: () => [origin],
    ...(signIn === undefined ? {} : { signIn }),
  })
  const server = createServer((request, response) => {
    noteFacts(request, { requestId: randomUUID(), clientAddress: '203.0.113.9' })
    control.handle(request, response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  origin = `http://127.0.0.1:${port}`
  return {
    origin,
    port,
    storage,
    databasePath,
    logged,
    client: createClient({ baseUrl: origin, token: ADMIN_TOKEN }),
    advance: ms => void (aheadMs += ms),
    request: (method, path, init = {}) => ask(`${origin}${path}`, { method, ...init }),
    async close() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
      await control.close()
      await storage.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** With the admin token unless `init.headers` says otherwise; a string body is sent as JSON. */
async function ask(url: string, init: RequestInit): Promise<Answer> {
  const headers: Record<string, string> = { authorization: `Bearer ${ADMIN_TOKEN}` }
  if (init.body !== undefined) headers['content-type'] = 'application/json'
  const response = await fetch(url, { headers, ...init })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: isJson && text !== '' ? JSON.parse(text) : null,
  }
}
