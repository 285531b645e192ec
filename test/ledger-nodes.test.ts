/** The ledgers of several nodes over one database: they share every cap, and none keeps from another what it has no use for. */
import { setTimeout as delay } from 'node:timers/promises'
import * as fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import type { Budget } from '../src/domain/budget.ts'
import { ApiError } from '../src/domain/error.ts'
import type { Ask } from '../src/gateway/ask.ts'
import { type HeldMoney, Ledger, type LedgerOptions } from '../src/gateway/ledger.ts'
import type { Storage } from '../src/storage/storage.ts'
import { ceiling } from './ceiling.ts'
import {
  type EngineUnderTest,
  type Place,
  auditEntry,
  behind,
  budgetDraft,
  createProject,
  describeOnPostgres,
  freshFolder,
  keyDraft,
  nodeOn,
  reasonOf,
  usageRecord,
} from './storage-fixture.ts'
import { openEngine } from '../src/storage/engine.ts'
import { exactly } from './budgets.ts'

vi.setConfig({ testTimeout: 60_000 })

interface Node {
  readonly storage: Storage
  readonly ledger: Ledger
}

const ledgers: Ledger[] = []
afterEach(async () => {
  await Promise.all(ledgers.splice(0).map(ledger => ledger.close()))
})

function ledgerOver(storage: Storage, options: Partial<LedgerOptions> = {}): Ledger {
  const ledger = new Ledger({ port: storage.ledger, peers: storage.ledger, onFailure: () => {}, ...options })
  ledgers.push(ledger)
  return ledger
}

async function openNodes(engine: EngineUnderTest, count: number) {
  const place = await engine.place()
  const storages = [await engine.open(place)]
  while (storages.length < count)
    storages.push(await engine.open({ engine: place.engine, dataDir: freshFolder() }))
  const [first] = storages
  if (first === undefined) throw new Error('no node')
  return { place, storages, first }
}

/** A key under a budget of its project and one of its own. */
async function makePath(storage: Storage, ofProject: number, ofKey: number) {
  const { number: projectNumber } = await createProject(storage)
  const key = keyDraft(projectNumber)
  const { lineage } = await storage.keys.create(key, auditEntry(), null)
  const drafts = [
    budgetDraft({ scope: 'project', projectNumber, capNanos: ofProject }),
    budgetDraft({ scope: 'key', projectNumber, lineage, capNanos: ofKey }),
  ]
  for (const draft of drafts) await storage.budgets.create(draft, auditEntry())
  const path = async (): Promise<readonly Budget[]> =>
    (await storage.keys.findByDigest(key.digest))?.budgets ?? []
  return { projectNumber, path }
}

const holdOf = async (ledger: Ledger, path: readonly Budget[], ask: Ask): Promise<HeldMoney> =>
  await ledger.hold(path, ask)

async function settle({ storage, ledger }: Node, held: HeldMoney, costNanos: number): Promise<void> {
  const rows = held.rows.map(({ rowId }) => rowId)
  const record = usageRecord({ costNanos, postedNanos: costNanos, heldNanos: held.nanos, ledger: rows })
  await storage.usage.append(record, ledger.charges(held, costNanos), () => ledger.release(held, costNanos))
}

const balances = async (storage: Storage) =>
  (await storage.budgets.list({})).map(({ balance }) => [balance.postedNanos, balance.allottedNanos])

/** Has somebody take every node for lost that there is now. */
async function loseAll(place: Place): Promise<void> {
  const looker = openEngine(place.engine)
  try {
    const { lease } = await nodeOn(looker, 'looker', 1)
    await delay(5)
    await looker.db.updateTable('node').set({ lease_time: 1 }).where('lease_time', 'is not', null).execute()
    await lease.resolveLost()
  } finally {
    await looker.db.destroy()
  }
}

describeOnPostgres('the ledgers of several nodes', engine => {
  test('what one holds back for itself goes to another that needs it', async () => {
    const { storages, first } = await openNodes(engine, 2)
    const [one, other] = storages.map(storage => ledgerOver(storage))
    if (one === undefined || other === undefined) throw new Error('no node')
    const { path } = await makePath(first, 100, 100)
    const budgets = await path()
    const held = await holdOf(one, budgets, exactly(10))
    // The first node took more than it holds, and keeps it as long as calls come.
    const busy = setInterval(() => {
      void holdOf(one, budgets, exactly(0)).then(({ rows }) => expect(rows).toHaveLength(2))
    }, 50)
    try {
      const startMs = performance.now()
      expect(await holdOf(other, budgets, exactly(90))).toMatchObject({ nanos: 90 })
      expect(performance.now() - startMs).toBeLessThan(ceiling(4_000))
    } finally {
      clearInterval(busy)
    }
    one.release(held, 0)
  })

  test('while another node that does not answer has the money it is held, not spent', async () => {
    const { storages, first } = await openNodes(engine, 2)
    const [, other] = storages
    if (other === undefined) throw new Error('no node')
    const { path } = await makePath(first, 100, 100)
    const budgets = await path()
    // Nobody hears its recalls.
    await first.ledger.take(budgets.map(({ uid }) => ({ budgetUid: uid, minNanos: 95, wantNanos: 95 })))
    const ledger = ledgerOver(other, { holdWaitMs: 600 })
    expect(await reasonOf(holdOf(ledger, budgets, exactly(10)))).toBe('SPEND_HELD')
    expect(await reasonOf(holdOf(ledger, budgets, exactly(101)))).toBe('BUDGET_EXHAUSTED')
    expect(await holdOf(ledger, budgets, exactly(5))).toMatchObject({ nanos: 5 })
  })

  test('a node whose lease ran out holds nothing, and sends nothing that it held before', async () => {
    const { first } = await openNodes(engine, 1)
    const { path } = await makePath(first, 100, 100)
    let untilMs = Infinity
    const ledger = ledgerOver(first, { peers: { ...first.ledger, leasedUntilMs: () => untilMs } })
    const held = await holdOf(ledger, await path(), exactly(10))
    expect(ledger.isSpendable(held)).toBe(true)
    untilMs = performance.now()
    expect(ledger.isSpendable(held)).toBe(false)
    expect(await reasonOf(holdOf(ledger, await path(), exactly(10)))).toBe('STORAGE_UNAVAILABLE')
    untilMs = Infinity
    expect(ledger.isSpendable(held)).toBe(true)
  })

  test('a node that was lost settles what it held, and spends what it is granted from then on', async () => {
    const { place, first } = await openNodes(engine, 1)
    const { path } = await makePath(first, 1_000, 1_000)
    const ledger = ledgerOver(first)
    const node = { storage: first, ledger }
    const budgets = await path()
    const before = await holdOf(ledger, budgets, exactly(100))
    const lost = new Promise<void>(resolve => first.ledger.onLost(resolve))
    await loseAll(place)
    await lost
    expect(ledger.isSpendable(before)).toBe(false)
    // Until it has a new lease the ledger grants it nothing.
    const asks = (): Promise<boolean> =>
      holdOf(ledger, budgets, exactly(0)).then(
        () => true,
        () => false,
      )
    await expect.poll(asks, { timeout: 10_000 }).toBe(true)
    const after = await holdOf(ledger, budgets, exactly(50))
    expect(ledger.isSpendable(after)).toBe(true)
    await settle(node, before, 60)
    await settle(node, after, 50)
    // The estimate of all that it had goes once nothing is held of it any more.
    await expect
      .poll(() => balances(first), { timeout: 10_000 })
      .toEqual([
        [110, 0],
        [110, 0],
      ])
    expect((await first.ledger.verify()).drifts).toEqual([])
    // What was estimated too much can be spent, by whoever was told meanwhile that it is not there.
    const rest = await holdOf(ledger, budgets, exactly(890))
    ledger.release(rest, 0)
  })

  const call = fc.record({
    node: fc.integer({ min: 0, max: 2 }),
    nanos: fc.integer({ min: 0, max: 300 }),
    costShare: fc.constantFrom(0, 0.3, 1),
    isOnKey: fc.boolean(),
    startMs: fc.integer({ min: 0, max: 20 }),
    tookMs: fc.integer({ min: 0, max: 10 }),
  })
  const caps = fc.tuple(fc.integer({ min: 1, max: 3_000 }), fc.integer({ min: 1, max: 2_000 }))
  const calls = fc.array(call, { minLength: 10, maxLength: 60 })

  test('whatever calls come where: no cap is passed, no 402 is false, and none is refused for being held', async () => {
    const { place, storages, first } = await openNodes(engine, 3)
    const nodes = storages.map(storage => ({ storage, ledger: ledgerOver(storage) }))
    const run = async (
      [ofProject, ofKey]: readonly [number, number],
      all: readonly (typeof call extends fc.Arbitrary<infer Call> ? Call : never)[],
    ) => {
      const { projectNumber, path } = await makePath(first, ofProject, ofKey)
      const budgets = await path()
      const books = new Map(budgets.map(({ uid }) => [uid, 0]))
      const posted = (uid: string): number => books.get(uid) ?? 0
      const outcomes = await Promise.all(
        all.map(async ({ node: place, nanos, costShare, isOnKey, startMs, tookMs }) => {
          const node = nodes[place]
          if (node === undefined) throw new Error('no node')
          const own = isOnKey ? budgets : budgets.filter(({ scope }) => scope === 'project')
          await delay(startMs)
          let held: HeldMoney
          try {
            held = await holdOf(node.ledger, own, exactly(nanos))
          } catch (error) {
            if (!(error instanceof ApiError)) throw error
            const isSpent = own.some(({ uid, capNanos }) => posted(uid) + nanos > capNanos)
            return error.reason === 'BUDGET_EXHAUSTED' && isSpent ? 'spent' : error.reason
          }
          await delay(tookMs)
          const cost = Math.floor(nanos * costShare)
          for (const { uid } of own) books.set(uid, posted(uid) + cost)
          await settle(node, held, cost)
          return 'posted'
        }),
      )
      expect(outcomes.filter(outcome => outcome !== 'posted' && outcome !== 'spent')).toEqual([])
      for (const { uid, capNanos, balance } of await first.budgets.list({ projectNumber })) {
        expect(balance).toMatchObject({ postedNanos: books.get(uid), overrunNanos: 0 })
        expect(balance.postedNanos).toBeLessThanOrEqual(capNanos)
      }
    }
    await fc.assert(fc.asyncProperty(caps, calls, run), { numRuns: 8, interruptAfterTimeLimit: 60_000 })
    await Promise.all(ledgers.splice(0).map(ledger => ledger.close()))
    expect((await first.ledger.verify()).drifts).toEqual([])
    const open = await behind(place, db => db.selectFrom('allotment').select('id').execute())
    expect(open).toEqual([])
  }, 120_000)
})
