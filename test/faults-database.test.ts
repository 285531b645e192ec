/** PostgreSQL that refuses, hangs, or vanishes without a word: calls are refused, nothing is lost, and all is well soon. */
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { ceiling } from './ceiling.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { type Pollux, startPollux } from './pollux.ts'
import { startPostgres } from './postgres.ts'
import { openCall } from './traffic.ts'

const server = await startPostgres()
afterAll(async () => {
  if (!('skip' in server)) await server.stop()
})

const CALL_EVERY_MS = 25
const OUTAGE_MS = 6_000
/** As long as the longest wait of a call that began before it was known that the database is away. */
const REFUSED_WITHIN_MS = 13_000
const RECOVERED_WITHIN_MS = 2_000

interface Seen {
  readonly requestId: string
  readonly status: number
  readonly sentMs: number
  readonly endMs: number
  readonly isWhole: boolean
}

describe.skipIf('skip' in server)('while the database', () => {
  let proxy: FaultProxy
  let pollux: Pollux
  let url: string
  beforeAll(async () => {
    if ('skip' in server) return
    url = await server.url()
    const { pathname, searchParams } = new URL(url.replace('@/', '@localhost/'))
    const path = `${searchParams.get('host')}/.s.PGSQL.${searchParams.get('port')}`
    proxy = await startFaultProxy({ path })
    const POLLUX_DATABASE_URL = `postgres://pollux@127.0.0.1:${proxy.port}${pathname}`
    pollux = await startPollux({ env: { POLLUX_DATABASE_URL } })
  })
  afterAll(async () => {
    await pollux.stop()
    await proxy.close()
  })

  const OUTAGES: Readonly<Record<string, { begin(): Promise<void> | void; end(): Promise<void> | void }>> = {
    'is stopped': { begin: () => proxy.stop(), end: () => proxy.start() },
    hangs: { begin: () => proxy.set({ kind: 'freeze' }), end: () => proxy.set({ kind: 'none' }) },
    'has vanished without a word': {
      begin: () => proxy.set({ kind: 'half-open' }),
      end: () => proxy.set({ kind: 'none' }),
    },
  }

  test.each(Object.entries(OUTAGES))(
    '%s no call is let in; it is served 2 s after its return, and every good reply has its record',
    async (_, outage) => {
      const keyString = pollux.firstKeyString ?? ''
      const seen: Seen[] = []
      const calls: Promise<void>[] = []
      const call = async (): Promise<void> => {
        const { sentMs, head, ended } = openCall(pollux.origin, { keyString })
        const { isWhole, atMs: endMs } = await ended
        const { status, headers } = await head.catch(() => ({
          status: 0,
          headers: {} as Record<string, string>,
        }))
        seen.push({ requestId: String(headers['x-request-id']), status, sentMs, endMs, isWhole })
      }
      // Whether or not those before were answered.
      const traffic = setInterval(() => calls.push(call()), CALL_EVERY_MS)
      await delay(500)
      await outage.begin()
      const beganMs = performance.now()
      await delay(OUTAGE_MS)
      const [health, ready] = await Promise.all(
        ['healthz', 'readyz'].map(path => fetch(`${pollux.origin}/${path}`)),
      )
      expect([health?.status, ready?.status]).toEqual([200, 503])
      await outage.end()
      const endedMs = performance.now()
      const goodAgain = (): boolean => seen.some(({ status, endMs }) => status === 200 && endMs > endedMs)
      while (!goodAgain()) await delay(10)
      const recoveredMs = performance.now() - endedMs
      await delay(500)
      clearInterval(traffic)
      await Promise.all(calls)

      const good = seen.filter(({ status, isWhole }) => status === 200 && isWhole)
      const during = seen.filter(({ sentMs, endMs }) => sentMs > beganMs + 3_500 && endMs < endedMs)
      expect(new Set(during.map(({ status }) => status))).toEqual(new Set([503]))
      const slowestMs = Math.max(...seen.map(({ sentMs, endMs }) => endMs - sentMs))
      console.log(
        `served again after ${recoveredMs.toFixed(0)} ms; slowest answer ${slowestMs.toFixed(0)} ms`,
      )
      expect(slowestMs).toBeLessThan(ceiling(REFUSED_WITHIN_MS))
      expect(recoveredMs).toBeLessThan(ceiling(RECOVERED_WITHIN_MS))
      expect(await recorded(url, good)).toEqual({ missing: 0, doubled: 0 })
      const verification = await pollux.client.call(POLLUX_V1.getMetrics, {})
      expect(verification).toContain('pollux_degraded{mode="changes"} 0')
    },
    60_000,
  )
})

async function recorded(connectionString: string, good: readonly Seen[]) {
  const client = new Client({ connectionString })
  await client.connect()
  try {
    const month = new Date().toISOString().slice(0, 7).replace('-', '')
    const { rows } = await client.query<{ call_id: string; count: string }>(
      `select call_id, count(*) from usage_record_${month} group by call_id`,
    )
    const counts = new Map(rows.map(({ call_id, count }) => [call_id, Number(count)]))
    return {
      missing: good.filter(({ requestId }) => !counts.has(requestId)).length,
      doubled: [...counts.values()].filter(count => count > 1).length,
    }
  } finally {
    await client.end()
  }
}
