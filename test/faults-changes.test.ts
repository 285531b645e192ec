/**
 * A change while PostgreSQL hangs: refused within two seconds, and then it does not happen, not later either; where the
 * silence begins on the commit itself, the answer says that nobody knows. A database that is merely slow is waited for.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { AUDIT_V1 } from '../src/contract/audit.v1.ts'
import { ContractError } from '../src/contract/client.ts'
import { POLLUX_V1 } from '../src/contract/pollux.v1.ts'
import { ceiling } from './ceiling.ts'
import { type FaultProxy, startFaultProxy } from './fault-proxy.ts'
import { type Pollux, startPollux } from './pollux.ts'
import { startPostgres } from './postgres.ts'

const REFUSED_WITHIN_MS = 2_000
const server = await startPostgres()
afterAll(async () => {
  if (!('skip' in server)) await server.stop()
})

const params = { project: 'default-project' }

describe.skipIf('skip' in server)('a change', () => {
  let proxy: FaultProxy
  let pollux: Pollux
  /** Past the proxy. */
  let direct: Client
  beforeAll(async () => {
    if ('skip' in server) return
    const url = await server.url()
    const { pathname, searchParams } = new URL(url.replace('@/', '@localhost/'))
    const path = `${searchParams.get('host')}/.s.PGSQL.${searchParams.get('port')}`
    proxy = await startFaultProxy({ path })
    pollux = await startPollux({
      env: { POLLUX_DATABASE_URL: `postgres://pollux@127.0.0.1:${proxy.port}${pathname}` },
    })
    direct = new Client({ connectionString: url })
    await direct.connect()
  })
  afterAll(async () => {
    await direct?.end()
    await pollux?.stop()
    await proxy?.close()
  })

  // What fails is not to fail the others.
  afterEach(() => proxy.set({ kind: 'none' }))

  interface Outcome {
    readonly error: ContractError | null
    readonly tookMs: number
  }

  async function createKey(keyId: string): Promise<Outcome> {
    const startMs = performance.now()
    const error = await pollux.client.call(POLLUX_V1.createKey, { params, query: { keyId }, body: {} }).then(
      () => null,
      (thrown: unknown) => {
        if (thrown instanceof ContractError) return thrown
        throw thrown
      },
    )
    return { error, tookMs: performance.now() - startMs }
  }

  const isThere = async (keyId: string): Promise<boolean> => {
    const { rows } = await direct.query('select 1 from key where key_id = $1', [keyId])
    return rows.length > 0
  }

  const until = async (condition: () => Promise<boolean>): Promise<void> => {
    while (!(await condition())) await delay(10)
  }

  const isActive = (query: string) => async (): Promise<boolean> => {
    // Within a transaction, what is active is looked up once.
    await direct.query('select pg_stat_clear_snapshot()')
    const { rows } = await direct.query(
      `select 1 from pg_stat_activity where state = 'active' and pid <> pg_backend_pid() and query ilike $1`,
      [query],
    )
    return rows.length > 0
  }

  /** Lets what was held back arrive, and what hung be over. */
  async function recover(): Promise<void> {
    proxy.set({ kind: 'none' })
    await until(async () => (await createKey(`well-${performance.now().toFixed(0)}`)).error === null)
    await delay(500)
    const verification = await pollux.client.call(AUDIT_V1.verifyAudit, { body: {} })
    expect(verification.problems).toEqual([])
  }

  function expectRefused({ error, tookMs }: Outcome, message: RegExp): void {
    expect(error?.httpStatus).toBe(503)
    expect(error?.message).toMatch(message)
    expect(tookMs).toBeLessThan(ceiling(REFUSED_WITHIN_MS))
  }

  it('that finds the database hanging is refused within 2 s, however many wait, and none happens later', async () => {
    proxy.set({ kind: 'freeze' })
    const keyIds = Array.from({ length: 20 }, (_, number) => `frozen-${number}`)
    const outcomes = await Promise.all(keyIds.map(createKey))
    for (const outcome of outcomes) expectRefused(outcome, /was not done, and will not be/)
    await recover()
    for (const keyId of keyIds) expect(await isThere(keyId)).toBe(false)
  })

  it('that is half done when the database falls silent is not finished when it speaks again', async () => {
    await direct.query('begin')
    await direct.query('select 1 from audit_head for update')
    const change = createKey('half-done')
    await until(isActive('%audit_head%'))
    proxy.set({ kind: 'freeze' })
    // In the database it goes on; but nobody hears of it.
    await direct.query('rollback')
    expectRefused(await change, /was not done, and will not be/)
    await recover()
    expect(await isThere('half-done')).toBe(false)
  })

  describe('whose commit takes its time', () => {
    const SLOW_S = 2.5
    beforeAll(async () => {
      await direct.query(`create function slow() returns trigger language plpgsql as
        $$ begin perform pg_sleep(${SLOW_S}); return null; end $$`)
      await direct.query(`create constraint trigger slow after insert on key deferrable initially deferred
        for each row when (new.key_id like 'slow%') execute function slow()`)
    })

    it('is waited for as long as the database answers others', async () => {
      const { error, tookMs } = await createKey('slow-but-alive')
      expect(error).toBeNull()
      expect(tookMs).toBeGreaterThan(SLOW_S * 1_000)
      expect(await isThere('slow-but-alive')).toBe(true)
    })

    it('is told to be unknown when the database falls silent meanwhile', async () => {
      const change = createKey('slow-and-silent')
      await until(isActive('commit%'))
      proxy.set({ kind: 'freeze' })
      expectRefused(await change, /nobody knows whether the change was made/)
      await until(() => isThere('slow-and-silent'))
      await recover()
      expect(await isThere('slow-and-silent')).toBe(true)
    })
  })
})
