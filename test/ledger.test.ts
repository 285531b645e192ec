/** The node's ledger over a real one: who is admitted, who waits, who is refused, and that a cap is never passed. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import * as fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Budget } from '../src/domain/budget.ts'
import { ApiError } from '../src/domain/error.ts'
import { DEFAULT_TIME_ZONE } from '../src/domain/period.ts'
import type { Ask } from '../src/gateway/ask.ts'
import { type HeldMoney, Ledger, type LedgerOptions } from '../src/gateway/ledger.ts'
import { openEngine } from '../src/storage/engine.ts'
import { Ledger as DurableLedger } from '../src/storage/ledger.ts'
import { openStorage } from '../src/storage/open.ts'
import type { BudgetDraft, BudgetPatch, Storage } from '../src/storage/storage.ts'
import { atLeast, exactly } from './budgets.ts'
import {
  MASTER_KEYS,
  auditEntry,
  budgetDraft,
  createProject,
  describeOnBothEngines,
  freshFolder,
  keyDraft,
  nodeOn,
  reasonOf,
  refusal,
  usageRecord,
} from './storage-fixture.ts'

let storage: Storage
const dataDir = freshFolder()
beforeAll(async () => {
  storage = await openSqlite(dataDir)
})

const opened: Storage[] = []
afterAll(async () => {
  await Promise.all(opened.map(storage => storage.close()))
})

async function openSqlite(dataDir = freshFolder()): Promise<Storage> {
  const engine = { kind: 'sqlite', path: join(dataDir, 'pollux.db') } as const
  const storage = await openStorage({ engine, dataDir, masterKeys: MASTER_KEYS })
  opened.push(storage)
  return storage
}

const ledgers: Ledger[] = []
afterEach(async () => {
  await Promise.all(ledgers.splice(0).map(ledger => ledger.close()))
  vi.useRealTimers()
})

const stopTime = (): void =>
  void vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'],
  })

/** Lets stopped time pass, and the database answer in between. */
async function passes(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 50) {
    await vi.advanceTimersByTimeAsync(Math.min(50, left))
    await delay(2)
  }
}

function ledgerOver(options: Partial<LedgerOptions> = {}): Ledger {
  const onFailure = (error: unknown): void => {
    throw error
  }
  const ledger = new Ledger({ port: storage.ledger, peers: null, onFailure, ...options })
  ledgers.push(ledger)
  return ledger
}

/** A key under fresh budgets with these caps: of its project, its own, and further ones of its project. */
async function makeKey(...drafts: Partial<BudgetDraft>[]) {
  const { number: projectNumber } = await createProject(storage)
  const key = keyDraft(projectNumber)
  const { lineage } = await storage.keys.create(key, auditEntry(), null)
  const places = [
    { scope: 'project', projectNumber },
    { scope: 'key', projectNumber, lineage },
    { scope: 'project', projectNumber, period: 'month' },
  ] as const
  for (const [index, draft] of drafts.entries())
    await storage.budgets.create(budgetDraft({ ...places[index], ...draft }), auditEntry())
  /** The budgets in force now, as an admission knows them. */
  const path = async (): Promise<readonly Budget[]> =>
    (await storage.keys.findByDigest(key.digest))?.budgets ?? []
  const change = async (index: number, patch: BudgetPatch): Promise<void> => {
    const [id, etag] = [(await path())[index]?.uid ?? '', null]
    await storage.budgets.update({ id, etag }, patch, auditEntry())
  }
  const balances = async () => {
    const budgets = await storage.budgets.list({ projectNumber })
    return budgets.map(({ balance: { postedNanos, allottedNanos, overrunNanos } }) => ({
      postedNanos,
      allottedNanos,
      overrunNanos,
    }))
  }
  return { projectNumber, lineage, path, change, balances }
}

/** What `hold` gives or throws, as a promise. */
const holdOf = async (ledger: Ledger, path: readonly Budget[], ask: Ask): Promise<HeldMoney> =>
  await ledger.hold(path, ask)

/** Ends a call as the gateway does: posts what it cost, and more than it held only where that is free. */
async function settle(ledger: Ledger, held: HeldMoney, costNanos: number): Promise<number> {
  if (costNanos > held.nanos) await ledger.extend(held, costNanos - held.nanos)
  if (costNanos > held.nanos) ledger.freeze(held)
  const postedNanos = Math.min(costNanos, held.nanos)
  const ledgerRows = held.rows.map(({ rowId }) => rowId)
  const record = usageRecord({ costNanos, postedNanos, heldNanos: held.nanos, ledger: ledgerRows })
  await storage.usage.append(record, ledger.charges(held, postedNanos), () =>
    ledger.release(held, postedNanos),
  )
  return postedNanos
}

describe('what is held', () => {
  test('is held on every budget of the path, or on none', async () => {
    const { path } = await makeKey({ capNanos: 100 }, { capNanos: 50 })
    const ledger = ledgerOver({ holdWaitMs: 400 })
    const first = await holdOf(ledger, await path(), exactly(30))
    expect(first.rows.map(row => row.held)).toEqual([30, 30])
    // The key has 20 left, the project 70.
    expect(await reasonOf(holdOf(ledger, await path(), exactly(21)))).toBe('SPEND_HELD')
    expect(first.rows.map(row => row.held)).toEqual([30, 30])
    const [ofProject] = await path()
    const second = await holdOf(ledger, ofProject === undefined ? [] : [ofProject], exactly(70))
    expect(second.rows.map(row => row.held)).toEqual([100])
  })

  test('is given at once while the node has it', async () => {
    const { path } = await makeKey({ capNanos: 100 })
    const ledger = ledgerOver()
    await holdOf(ledger, await path(), exactly(10))
    expect(ledger.hold(await path(), exactly(10))).not.toBeInstanceOf(Promise)
  })

  test('is nothing for a call that costs nothing, also where the budget has nothing left', async () => {
    const { path } = await makeKey({ capNanos: 10 })
    const ledger = ledgerOver({ holdWaitMs: 400 })
    const free = await holdOf(ledger, await path(), exactly(0))
    expect(free.rows).toHaveLength(1)
    await settle(ledger, await holdOf(ledger, await path(), exactly(10)), 10)
    await ledger.close()
    const held = await holdOf(ledgerOver({ holdWaitMs: 400 }), await path(), exactly(0))
    expect(held).toMatchObject({ nanos: 0, clamped: null })
  })

  test('goes back within a second or so once nobody uses it', async () => {
    const { path, balances } = await makeKey({ capNanos: 100 })
    const ledger = ledgerOver()
    await settle(ledger, await holdOf(ledger, await path(), exactly(10)), 7)
    expect(await balances()).not.toMatchObject([{ allottedNanos: 0 }])
    await expect.poll(balances, { timeout: 3_000 }).toMatchObject([{ postedNanos: 7, allottedNanos: 0 }])
    await settle(ledger, await holdOf(ledger, await path(), exactly(93)), 93)
    expect(await reasonOf(holdOf(ledger, await path(), exactly(1)))).toBe('BUDGET_EXHAUSTED')
  })

  test('goes back where the answer to a take was lost, and where closing failed', async () => {
    const { path, balances } = await makeKey({ capNanos: 100 })
    const left = { takes: 1, closes: 1 }
    const breakIf = (isBroken: boolean): void => {
      if (isBroken) throw new ApiError('STORAGE_UNAVAILABLE', 'the connection broke')
    }
    const port: LedgerOptions['port'] = {
      take: takes => storage.ledger.take(takes).finally(() => breakIf(left.takes-- > 0)),
      give: gives => storage.ledger.give(gives),
      close: async ids => (breakIf(left.closes-- > 0), await storage.ledger.close(ids)),
    }
    stopTime()
    const ledger = ledgerOver({ port, onFailure: () => {} })
    expect(await reasonOf(holdOf(ledger, await path(), exactly(10)))).toBe('STORAGE_UNAVAILABLE')
    expect(await balances()).not.toMatchObject([{ allottedNanos: 0 }])
    await passes(4_100)
    // A busy machine answers later than time passes here.
    await expect
      .poll(async () => (await passes(250), await balances()), { timeout: 20_000 })
      .toMatchObject([{ postedNanos: 0, allottedNanos: 0 }])
    expect(left.closes).toBeLessThan(0)
  })

  test('cannot be had while the database does not answer', async () => {
    const closed = await openSqlite()
    await closed.close()
    const { path } = await makeKey({ capNanos: 100 })
    const ledger = new Ledger({ port: closed.ledger, peers: null, onFailure: () => {} })
    expect(await reasonOf(holdOf(ledger, await path(), exactly(1)))).toBe('STORAGE_UNAVAILABLE')
    await ledger.close()
  })

  test('is refused with 503, not 429, where the database is stuck and nobody knows what is held', async () => {
    const { path } = await makeKey({ capNanos: 100 })
    const budgets = await path()
    stopTime()
    const ledger = ledgerOver({ holdWaitMs: 2_200 })
    const locker = new DatabaseSync(join(dataDir, 'pollux.db'))
    locker.exec('begin immediate')
    try {
      const refused = reasonOf(holdOf(ledger, budgets, exactly(1)))
      await passes(2_200)
      expect(await refused).toBe('STORAGE_UNAVAILABLE')
    } finally {
      locker.close()
    }
    expect((await holdOf(ledger, budgets, exactly(1))).nanos).toBe(1)
  })
})

describe('who waits', () => {
  test('is served in the order of arrival, and nobody who comes later overtakes', async () => {
    const { path } = await makeKey({ capNanos: 100 })
    const ledger = ledgerOver()
    const budgets = await path()
    const all = await holdOf(ledger, budgets, exactly(100))
    const served: number[] = []
    const waiting = [60, 30, 5, 50].map(async nanos => {
      const held = await holdOf(ledger, budgets, exactly(nanos))
      served.push(nanos)
      return held
    })
    ledger.release(all, 0)
    await Promise.all(waiting.slice(0, 3))
    // 5 are free; the next in the line needs 50.
    const last = holdOf(ledger, budgets, exactly(5)).then(() => served.push(-5))
    await delay(300)
    expect(served).toEqual([60, 30, 5])
    const [first] = await Promise.all(waiting.slice(0, 1))
    if (first !== undefined) ledger.release(first, 0)
    await last
    expect(served).toEqual([60, 30, 5, 50, -5])
  })

  test('is refused with SPEND_HELD after the wait, for open holds alone', async () => {
    const { path } = await makeKey({ capNanos: 100 })
    const ledger = ledgerOver({ holdWaitMs: 200 })
    const budgets = await path()
    await holdOf(ledger, budgets, exactly(100))
    const startMs = performance.now()
    const error = await refusal(holdOf(ledger, budgets, exactly(1)))
    expect(performance.now() - startMs).toBeGreaterThan(190)
    expect(error).toMatchObject({ reason: 'SPEND_HELD', httpStatus: 429 })
  })

  test('is 256 at most; those who only wait for the first answer of the database do not count', async () => {
    const { path } = await makeKey({ capNanos: 1_000 })
    const ledger = ledgerOver({ holdWaitMs: 400 })
    const budgets = await path()
    const held = await Promise.all(Array.from({ length: 1_000 }, () => holdOf(ledger, budgets, exactly(1))))
    const outcomes: Promise<string>[] = Array.from({ length: 257 }, () =>
      holdOf(ledger, budgets, exactly(1)).then(
        () => 'held',
        (error: ApiError) => error.reason,
      ),
    )
    expect(await Promise.race([...outcomes.slice(0, 256), delay(250, 'waits')])).toBe('waits')
    expect(await Promise.race([outcomes[256], delay(1, 'waits')])).toBe('SPEND_HELD')
    for (const one of held.slice(0, 256)) ledger.release(one, 0)
    expect(new Set(await Promise.all(outcomes.slice(0, 256)))).toEqual(new Set(['held']))
  })
})

describe('402 and the clamp', () => {
  test('402 only when what is posted and the floor pass the cap', async () => {
    const { path } = await makeKey({ capNanos: 100 })
    const ledger = ledgerOver({ holdWaitMs: 400 })
    const budgets = await path()
    await settle(ledger, await holdOf(ledger, budgets, exactly(80)), 60)
    expect(await reasonOf(holdOf(ledger, budgets, exactly(41)))).toBe('BUDGET_EXHAUSTED')
    expect(await reasonOf(holdOf(ledger, budgets, atLeast(41, 90)))).toBe('BUDGET_EXHAUSTED')
    const rest = await holdOf(ledger, budgets, exactly(40))
    // Held is not spent.
    expect(await reasonOf(holdOf(ledger, budgets, exactly(1)))).toBe('SPEND_HELD')
    await settle(ledger, rest, 40)
    expect(await reasonOf(holdOf(ledger, budgets, exactly(1)))).toBe('BUDGET_EXHAUSTED')
  })

  test('a call is clamped to half of what is free, and to its floor where half is less', async () => {
    const { path } = await makeKey({ capNanos: 100 }, { capNanos: 60 })
    const ledger = ledgerOver({ holdWaitMs: 400 })
    const budgets = await path()
    const whole = await holdOf(ledger, budgets, atLeast(10, 60))
    expect(whole).toMatchObject({ nanos: 60, clamped: null })
    ledger.release(whole, 0)
    // Of the key's budget 60 are free, then 30, then 15.
    for (const nanos of [30, 15]) {
      const held = await holdOf(ledger, budgets, atLeast(10, 61))
      expect(held).toMatchObject({ nanos, clamped: { nanos } })
    }
    expect(await holdOf(ledger, budgets, atLeast(10, 61))).toMatchObject({ nanos: 10 })
    expect(await reasonOf(holdOf(ledger, budgets, atLeast(10, 61)))).toBe('SPEND_HELD')
    expect(await holdOf(ledger, budgets, atLeast(5, 5))).toMatchObject({ nanos: 5, clamped: null })
  })

  test('half of what is free is half of all that nobody holds, not of what this node has taken', async () => {
    const { path } = await makeKey({ capNanos: 1_000 })
    const ledger = ledgerOver()
    const budgets = await path()
    await holdOf(ledger, budgets, exactly(2))
    expect(await holdOf(ledger, budgets, atLeast(1, 2_000))).toMatchObject({ nanos: 499 })
  })

  test('a call is not clamped where other nodes draw on the budget and the database has enough', async () => {
    const { path } = await makeKey({ capNanos: 1_000_000 })
    const ledger = ledgerOver({ peers: storage.ledger, holdWaitMs: 400 })
    const budgets = await path()
    const held = await Promise.all(
      Array.from({ length: 500 }, (_, index) => holdOf(ledger, budgets, atLeast(1, index + 1))),
    )
    expect(held.filter(({ clamped }) => clamped !== null)).toEqual([])
    await delay(300)
    expect((await holdOf(ledger, budgets, atLeast(1, 800_000))).clamped).toBeNull()
    expect((await holdOf(ledger, budgets, atLeast(1, 800_000))).clamped).not.toBeNull()
  })

  test('the rest of one budget is enough where another one has to be asked first', async () => {
    const shared = await makeKey({ capNanos: 100 })
    const ledger = ledgerOver({ holdWaitMs: 300 })
    const [ofProject] = await shared.path()
    if (ofProject === undefined) throw new Error('no budget')
    await settle(ledger, await holdOf(ledger, [ofProject], exactly(50)), 50)
    const { path } = await makeKey({ capNanos: 1_000 })
    // 50 are left of the first, all of it here; of the second nothing is here yet.
    const held = await holdOf(ledger, [ofProject, ...(await path())], atLeast(10, 80))
    expect(held).toMatchObject({ nanos: 25, rows: [{ held: 25 }, { held: 25 }] })
  })
})

describe('changes of a budget', () => {
  test('a cap below what is posted stops all spending at once', async () => {
    const { path, change } = await makeKey({ capNanos: 1_000 })
    const ledger = ledgerOver()
    await settle(ledger, await holdOf(ledger, await path(), exactly(100)), 100)
    await change(0, { capNanos: 99 })
    expect(await reasonOf(holdOf(ledger, await path(), exactly(0)))).toBe('BUDGET_EXHAUSTED')
  })

  test('a lowered cap also counts for calls that wait since before', async () => {
    const { path, change, balances } = await makeKey({ capNanos: 100 })
    const ledger = ledgerOver({ holdWaitMs: 400 })
    const before = await path()
    const open = await holdOf(ledger, before, exactly(100))
    const waiting = reasonOf(holdOf(ledger, before, exactly(60)))
    await change(0, { capNanos: 50 })
    // An admission brings the news.
    const small = holdOf(ledger, await path(), exactly(20))
    await settle(ledger, open, 20)
    expect(await waiting).toBe('BUDGET_EXHAUSTED')
    await settle(ledger, await small, 20)
    expect(await balances()).toMatchObject([{ postedNanos: 40 }])
  })

  test('a raised cap serves calls that wait since before', async () => {
    const { path, change } = await makeKey({ capNanos: 100 })
    const ledger = ledgerOver({ holdWaitMs: 2_000 })
    const before = await path()
    await holdOf(ledger, before, exactly(100))
    const waiting = holdOf(ledger, before, exactly(150))
    const refused = await reasonOf(waiting)
    expect(refused).toBe('BUDGET_EXHAUSTED')
    const patient = holdOf(ledger, before, exactly(100))
    await change(0, { capNanos: 200 })
    expect((await patient).nanos).toBe(100)
  })

  test('a raised cap is all there for the next call: it is not clamped to the rest of the old one', async () => {
    const { path, change } = await makeKey({ capNanos: 100 })
    const ledger = ledgerOver()
    await settle(ledger, await holdOf(ledger, await path(), exactly(90)), 90)
    await change(0, { capNanos: 1_000 })
    expect(await holdOf(ledger, await path(), atLeast(1, 500))).toMatchObject({ nanos: 500, clamped: null })
  })

  test('what comes late from the database never stands beside what went back meanwhile', async () => {
    const { path, change, balances } = await makeKey({ capNanos: 100 })
    let late = Promise.resolve()
    const port: LedgerOptions['port'] = {
      take: async takes => {
        const answer = await storage.ledger.take(takes)
        await late
        return answer
      },
      give: gives => storage.ledger.give(gives),
      close: allotmentIds => storage.ledger.close(allotmentIds),
    }
    const ledger = ledgerOver({ port })
    const before = await path()
    const { rows } = await holdOf(ledger, before, exactly(10))
    const gate = Promise.withResolvers<void>()
    late = gate.promise
    // Answered in the database, and on its way.
    const waiting = holdOf(ledger, before, exactly(85))
    await expect.poll(balances).toMatchObject([{ allottedNanos: 100 }])
    await change(0, { capNanos: 101 })
    const small = holdOf(ledger, await path(), exactly(1))
    await delay(50)
    gate.resolve()
    expect([(await waiting).nanos, (await small).nanos]).toEqual([85, 1])
    expect(await balances()).toMatchObject([{ allottedNanos: rows[0]?.granted }])
  })

  test('calls that wait for a budget go on without it when it is deleted', async () => {
    const { path } = await makeKey({ capNanos: 1_000 }, { capNanos: 10 })
    const ledger = ledgerOver({ holdWaitMs: 2_000 })
    const before = await path()
    await holdOf(ledger, before, exactly(10))
    const waiting = Array.from({ length: 20 }, () => holdOf(ledger, before, exactly(10)))
    const ofKey = before.find(({ scope }) => scope === 'key')
    await storage.budgets.delete({ id: ofKey?.uid ?? '', etag: null }, auditEntry())
    for (const held of await Promise.all(waiting)) expect(held.rows).toHaveLength(1)
  })
})

describe('an overrun', () => {
  test('posts what still fits, freezes the path for everybody, and ends when it is acknowledged', async () => {
    const { path, balances } = await makeKey({ capNanos: 100 })
    const ledger = ledgerOver({ holdWaitMs: 2_000 })
    const before = await path()
    const [one, other] = [
      await holdOf(ledger, before, exactly(10)),
      await holdOf(ledger, before, exactly(70)),
    ]
    const waiting = reasonOf(holdOf(ledger, before, exactly(50)))
    expect(await settle(ledger, one, 45)).toBe(30)
    expect(() => ledger.hold(before, exactly(1))).toThrow('frozen')
    expect(await waiting).toBe('BUDGET_FROZEN')
    await settle(ledger, other, 5)
    expect(await balances()).toMatchObject([{ postedNanos: 35, overrunNanos: 15 }])
    const [frozenBudget] = await path()
    expect(frozenBudget?.frozenTimeMs).not.toBeNull()
    expect(await reasonOf(holdOf(ledger, await path(), exactly(1)))).toBe('BUDGET_FROZEN')
    await storage.budgets.acknowledge({ id: frozenBudget?.uid ?? '', etag: null }, auditEntry())
    expect((await holdOf(ledger, await path(), exactly(65))).nanos).toBe(65)
  })

  test('no answer of the database from before it ends the freeze, nor a call that has waited', async () => {
    const { path } = await makeKey({ capNanos: 100 }, { capNanos: 1_000 })
    const ledger = ledgerOver({ holdWaitMs: 1_000 })
    const before = await path()
    const [ofProject] = before
    if (ofProject === undefined) throw new Error('no budget')
    const held = await holdOf(ledger, [ofProject], exactly(10))
    // It asks for the key's budget, and learns at the same time how the project's stands: not frozen.
    const asking = reasonOf(holdOf(ledger, before, exactly(95)))
    ledger.freeze(held)
    expect(await asking).toBe('BUDGET_FROZEN')
    expect(() => ledger.hold([ofProject], exactly(1))).toThrow('frozen')
  })
})

describe('a period that ends', () => {
  /** A ledger over a real one whose clock is ours. */
  async function withClock(capNanos: number) {
    const dataDir = freshFolder()
    const own = await openSqlite(dataDir)
    const { balance, ...budget } = await own.budgets.create(
      budgetDraft({ period: 'day', capNanos }),
      auditEntry(),
    )
    await own.close()
    const engine = openEngine({ kind: 'sqlite', path: join(dataDir, 'pollux.db') })
    const clock = { nowMs: 0 }
    const port = new DurableLedger(
      { ...engine, nowMs: async () => clock.nowMs },
      await nodeOn(engine, 'this-node'),
      DEFAULT_TIME_ZONE,
    )
    return { path: [budget], endMs: balance.periodEndMs ?? 0, clock, port, engine }
  }

  test('leaves its holds to the old row, and the next call has all of the cap', async () => {
    const { path, endMs, clock, port, engine } = await withClock(100)
    clock.nowMs = endMs - 50
    const ledger = new Ledger({ port, peers: null, onFailure: () => {}, holdWaitMs: 2_000 })
    const old = await holdOf(ledger, path, exactly(100))
    clock.nowMs = endMs
    await delay(60)
    const fresh = await holdOf(ledger, path, exactly(100))
    expect(fresh.rows[0]?.rowId).not.toBe(old.rows[0]?.rowId)
    expect([old.rows[0]?.held, fresh.rows[0]?.held]).toEqual([100, 100])
    ledger.release(old, 0)
    ledger.release(fresh, 0)
    await ledger.close()
    expect((await port.verify()).drifts).toEqual([])
    await engine.db.destroy()
  })

  test('what was held counts on when this node left the period before the database', async () => {
    const { path, endMs, clock, port, engine } = await withClock(100)
    clock.nowMs = endMs - 20
    const ledger = new Ledger({ port, peers: null, onFailure: () => {}, holdWaitMs: 600 })
    const old = await holdOf(ledger, path, exactly(60))
    await delay(40)
    const second = holdOf(ledger, path, exactly(60))
    expect(await reasonOf(second)).toBe('SPEND_HELD')
    ledger.release(old, 60)
    expect(await reasonOf(holdOf(ledger, path, exactly(60)))).toBe('BUDGET_EXHAUSTED')
    await ledger.close()
    await engine.db.destroy()
  })
})

describeOnBothEngines('the ledger of a node', engine => {
  const call = fc.record({
    worst: fc.integer({ min: 0, max: 300 }),
    floorShare: fc.constantFrom(0.2, 0.6, 1),
    costShare: fc.constantFrom(0, 0.3, 1),
    isOnKey: fc.boolean(),
    startMs: fc.integer({ min: 0, max: 20 }),
    tookMs: fc.integer({ min: 0, max: 10 }),
  })
  const caps = fc.tuple(fc.integer({ min: 1, max: 3_000 }), fc.integer({ min: 1, max: 2_000 }))
  const calls = fc.array(call, { minLength: 10, maxLength: 80 })

  test(
    'whatever calls come: no cap is passed, no 402 is false, and none is refused for being held',
    { timeout: 60_000 },
    async () => {
      storage = await engine.open()
      const run = async ([ofProject, ofKey]: readonly [number, number], all: readonly RandomCall[]) => {
        const { projectNumber, path } = await makeKey({ capNanos: ofProject }, { capNanos: ofKey })
        const ledger = ledgerOver({ peers: storage.hasPeers ? storage.ledger : null })
        const budgets = await path()
        const books = new Map(budgets.map(({ uid }) => [uid, 0]))
        const outcomes = await Promise.all(all.map(one => make(one, { ledger, budgets, books })))
        expect(outcomes.filter(outcome => outcome !== 'posted' && outcome !== 'spent')).toEqual([])
        await ledger.close()
        for (const { uid, capNanos, balance } of await storage.budgets.list({ projectNumber })) {
          expect(balance).toMatchObject({ postedNanos: books.get(uid), allottedNanos: 0, overrunNanos: 0 })
          expect(balance.postedNanos).toBeLessThanOrEqual(capNanos)
        }
      }
      await fc.assert(fc.asyncProperty(caps, calls, run), { numRuns: 10 })
      expect((await storage.ledger.verify()).drifts).toEqual([])
    },
  )
})

interface RandomCall {
  readonly worst: number
  readonly floorShare: number
  readonly costShare: number
  readonly isOnKey: boolean
  readonly startMs: number
  readonly tookMs: number
}

interface Running {
  readonly ledger: Ledger
  readonly budgets: readonly Budget[]
  /** What every budget has posted, by arithmetic of the test's own. */
  readonly books: Map<string, number>
}

/** Makes one call: `posted`, `spent` for a 402 that is true, else the reason it was refused for. */
async function make(call: RandomCall, { ledger, budgets, books }: Running): Promise<string> {
  const { worst, floorShare, costShare } = call
  const ask = atLeast(Math.ceil(worst * floorShare), worst)
  const path = call.isOnKey ? budgets : budgets.filter(({ scope }) => scope === 'project')
  const posted = (uid: string): number => books.get(uid) ?? 0
  await delay(call.startMs)
  let held: HeldMoney
  try {
    held = await holdOf(ledger, path, ask)
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    const isSpent = path.some(({ uid, capNanos }) => posted(uid) + ask.floorNanos > capNanos)
    return error.reason === 'BUDGET_EXHAUSTED' && isSpent ? 'spent' : error.reason
  }
  await delay(call.tookMs)
  const cost = Math.floor(held.nanos * costShare)
  for (const { uid } of path) books.set(uid, posted(uid) + cost)
  await settle(ledger, held, cost)
  return 'posted'
}
