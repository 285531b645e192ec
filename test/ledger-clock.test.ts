/** The node's ledger in time that the test moves: who is asked for money and when, who waits how long, who goes first. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Budget, CAP_NANOS_MAX } from '../src/domain/budget.ts'
import { ApiError } from '../src/domain/error.ts'
import type { Ask } from '../src/gateway/ask.ts'
import { BudgetRefusal } from '../src/gateway/budget-errors.ts'
import type { HeldMoney, Ledger } from '../src/gateway/ledger.ts'
import { atLeast, exactly } from './budgets.ts'
import { PlayedEscrow, type PlayedNode } from './played-escrow.ts'

const HOLD_WAIT_MS = 5_000
const ASK_EVERY_MS = 250

let escrow: PlayedEscrow
beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'],
  })
  escrow = new PlayedEscrow()
})
afterEach(() => void vi.useRealTimers())

const passes = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)
const passesUntil = (ms: number): Promise<unknown> => passes(ms - performance.now())

interface Played {
  /** `waits`, `holds N`, or the reason it was refused for. */
  told: string
  atMs: number
  held: HeldMoney | null
  error: unknown
}

function call({ ledger }: PlayedNode, path: readonly Budget[], ask: Ask): Played {
  const played: Played = { told: 'waits', atMs: performance.now(), held: null, error: null }
  const end = (told: string, part: Partial<Played>): void =>
    void Object.assign(played, part, { told, atMs: performance.now() })
  const refused = (error: unknown): void =>
    end(error instanceof ApiError ? error.reason : 'failed', { error })
  try {
    const held = ledger.hold(path, ask)
    if (held instanceof Promise) held.then(money => end(`holds ${money.nanos}`, { held: money }), refused)
    else end(`holds ${held.nanos}`, { held })
  } catch (error) {
    refused(error)
  }
  return played
}

/** What a call holds once the ledger has answered. */
async function holdOf(node: PlayedNode, path: readonly Budget[], ask: Ask): Promise<HeldMoney> {
  const { held, ...played } = await answered(call(node, path, ask))
  if (held === null) throw new Error(`it ${played.told}`)
  return held
}

async function answered(played: Played): Promise<Played> {
  await passes(5)
  return played
}

const budgetOf = ({ error }: Played): string | null =>
  error instanceof BudgetRefusal ? error.budgetUid : null

/** What a hold gives without any wait. */
function atOnce(ledger: Ledger, path: readonly Budget[], ask: Ask): HeldMoney {
  const held = ledger.hold(path, ask)
  if (held instanceof Promise) throw new Error('it waits')
  return held
}

describe('a call that waits', () => {
  test('gives up after five seconds, and the next in the line is served at once', async () => {
    const [node, path] = [escrow.node('one'), [escrow.budget('a', 100)]]
    await holdOf(node, path, exactly(60))
    const big = call(node, path, exactly(90))
    const startMs = performance.now()
    await passes(1_000)
    const small = call(node, path, exactly(40))
    await passesUntil(startMs + HOLD_WAIT_MS - 1)
    expect([big.told, small.told]).toEqual(['waits', 'waits'])
    await passes(1)
    expect([big.told, small.told]).toEqual(['SPEND_HELD', 'holds 40'])
    await passes(10)
    // Of all the timers only the one of the ledger is left.
    expect(vi.getTimerCount()).toBe(1)
  })

  test('is served the moment another call ends', async () => {
    const [node, path] = [escrow.node('one'), [escrow.budget('a', 100)]]
    const held = await holdOf(node, path, exactly(100))
    const waiting = await answered(call(node, path, exactly(40)))
    expect(waiting.told).toBe('waits')
    node.settle(held, 60)
    await passes(0)
    expect(waiting.told).toBe('holds 40')
  })

  test('is refused when its client goes, it alone, and whom it kept waiting is served at once', async () => {
    const [node, a, b] = [escrow.node('one'), escrow.budget('a', 100), escrow.budget('b', 100)]
    await holdOf(node, [a], exactly(60))
    await holdOf(node, [b], exactly(60))
    const [first, second] = [exactly(90), exactly(40)]
    const other = call(node, [b], exactly(90))
    const waiting = [call(node, [a], first), call(node, [a], second), call(node, [a], exactly(30))]
    await passes(5)
    node.ledger.leave(exactly(90))
    node.ledger.leave(second)
    await passes(0)
    expect(waiting.map(({ told }) => told)).toEqual(['waits', 'CLIENT_GONE', 'waits'])
    expect(String(waiting[1]?.error)).toContain('client left')
    node.ledger.leave(first)
    await passes(0)
    expect(waiting.map(({ told }) => told)).toEqual(['CLIENT_GONE', 'CLIENT_GONE', 'holds 30'])
    expect(other.told).toBe('waits')
  })

  test('is refused when its time is over, whatever budget stands in its way by then', async () => {
    const [node, a, b] = [escrow.node('one'), escrow.budget('a', 100), escrow.budget('b', 100)]
    await holdOf(node, [a], exactly(95))
    await holdOf(node, [b], exactly(92))
    const startMs = performance.now()
    const waiting = call(node, [a, b], exactly(10))
    await passesUntil(startMs + HOLD_WAIT_MS - 1)
    // Now there is less of the other one.
    expect(atOnce(node.ledger, [b], exactly(6)).nanos).toBe(6)
    await passes(1)
    expect(waiting.told).toBe('SPEND_HELD')
  })

  test('is told 503 where the ledger has not answered for two seconds, and 429 where it was just asked', async () => {
    const [node, path] = [escrow.node('one'), [escrow.budget('a', 100)]]
    node.answersMs = Infinity
    const stuck = call(node, path, exactly(1))
    await passes(HOLD_WAIT_MS)
    expect(stuck.told).toBe('STORAGE_UNAVAILABLE')
    expect(stuck.error).toMatchObject({ httpStatus: 503, cause: 'no answer' })

    const [other, held] = [escrow.node('other'), [escrow.budget('b', 100)]]
    await holdOf(other, held, exactly(100))
    const waiting = call(other, held, exactly(1))
    await passes(HOLD_WAIT_MS - 2 * ASK_EVERY_MS)
    other.answersMs = Infinity
    await passes(2 * ASK_EVERY_MS)
    expect(waiting.told).toBe('SPEND_HELD')
  })

  test('is the 257th at most: one more is refused at once, unless it fits', async () => {
    const [node, a, b] = [escrow.node('one'), escrow.budget('a', 9_000), escrow.budget('b', 100)]
    await holdOf(node, [a, b], exactly(95))
    const waiting = Array.from({ length: 256 }, () => call(node, [a, b], exactly(10)))
    await passes(5)
    const next = call(node, [a, b], exactly(10))
    expect([next.told, budgetOf(next)]).toEqual(['SPEND_HELD', 'b'])
    expect(atOnce(node.ledger, [a, b], exactly(5)).nanos).toBe(5)
    expect(new Set(waiting.map(({ told }) => told))).toEqual(new Set(['waits']))
  })

  test('names the budget that stands in its way, not the first of its path', async () => {
    const [node, a, b] = [escrow.node('one'), escrow.budget('a', 100), escrow.budget('b', 100)]
    await holdOf(node, [a], exactly(60))
    await holdOf(node, [b], exactly(80))
    const waiting = [call(node, [a, b], exactly(50)), call(node, [b, a], exactly(50))]
    await passes(HOLD_WAIT_MS)
    expect(waiting.map(budgetOf)).toEqual(['b', 'b'])
  })
})

describe('a call that is clamped', () => {
  /** A node that has taken all of both: 40 are free of the first, 20 of the second. */
  async function scarce() {
    const [node, a, b] = [escrow.node('one'), escrow.budget('a', 100), escrow.budget('b', 100)]
    await holdOf(node, [a], exactly(60))
    await holdOf(node, [b], exactly(80))
    return { node, a, b }
  }

  test('is clamped to the budget of its path that has least', async () => {
    const { node, a, b } = await scarce()
    const first = atOnce(node.ledger, [a, b], atLeast(1, 90))
    expect(first).toMatchObject({ nanos: 10, rows: [{ held: 70 }, { held: 90 }] })
    node.ledger.release(first, 0)
    expect(atOnce(node.ledger, [b, a], atLeast(1, 90)).nanos).toBe(10)
  })

  test('is clamped to what is left of one, whatever another one has', async () => {
    const { node, b } = await scarce()
    const rich = escrow.budget('rich', 10_000)
    await holdOf(node, [rich], exactly(100))
    for (const path of [
      [rich, b],
      [b, rich],
    ]) {
      const held = atOnce(node.ledger, path, atLeast(1, 90))
      expect(held.nanos).toBe(10)
      node.ledger.release(held, 0)
    }
  })

  test('waits where it cannot be', async () => {
    const { node, a, b } = await scarce()
    const waiting = call(node, [a, b], { worstNanos: 90, floorNanos: 1, clampTo: () => null })
    await passes(HOLD_WAIT_MS)
    expect([waiting.told, budgetOf(waiting)]).toEqual(['SPEND_HELD', 'b'])
  })

  test('is clamped at once where this node is alone and the ledger had nothing left', async () => {
    const { node, b } = await scarce()
    await passes(10 * ASK_EVERY_MS)
    expect(atOnce(node.ledger, [b], atLeast(1, 90)).nanos).toBe(10)
  })

  test('is not where other nodes may have given back what it lacks: they are asked every 250 ms', async () => {
    const [node, path] = [escrow.peer('one'), [escrow.budget('a', 100)]]
    escrow.post('a', 50)
    const { atMs } = await answered(call(node, path, exactly(10)))
    await passesUntil(atMs + ASK_EVERY_MS - 1)
    expect(atOnce(node.ledger, path, atLeast(5, 60)).nanos).toBe(20)
    await passes(1)
    escrow.post('a', -50)
    const waiting = await answered(call(node, path, atLeast(5, 60)))
    expect(waiting).toMatchObject({ told: 'holds 60', held: { clamped: null } })
    // It asked for no more than it lacked, as nothing was left that it knew of.
    expect(node.askedOf('take').at(-1)).toEqual([{ budgetUid: 'a', minNanos: 0, wantNanos: 40 }])
  })
})

describe('what is asked for', () => {
  test('is enough for some calls like it, and no more than a budget can hold', async () => {
    const [node, a, b] = [escrow.node('one'), escrow.budget('a', 1_000), escrow.budget('b', 100)]
    await holdOf(node, [a], exactly(10))
    await holdOf(node, [b], atLeast(5, Number.MAX_SAFE_INTEGER))
    expect(node.askedOf('take')).toEqual([
      [{ budgetUid: 'a', minNanos: 10, wantNanos: 80 }],
      [{ budgetUid: 'b', minNanos: 5, wantNanos: CAP_NANOS_MAX }],
    ])
  })

  test('is only what the node has not got: of a budget with enough for the call nothing', async () => {
    const [node, a, b] = [escrow.node('one'), escrow.budget('a', 1_000), escrow.budget('b', 1_000)]
    await holdOf(node, [a], exactly(10))
    await holdOf(node, [a, b], exactly(70))
    expect(node.askedOf('take').at(-1)).toMatchObject([{ budgetUid: 'b' }])
  })

  test('is asked for at once, then every 250 ms, whoever else comes, and of the other nodes each time', async () => {
    const path = [escrow.budget('a', 100)]
    await holdOf(escrow.peer('other'), path, exactly(100))
    const node = escrow.peer('one')
    node.answersMs = 0
    const startMs = performance.now()
    const first = call(node, path, exactly(10))
    await passes(100)
    call(node, path, exactly(10))
    await passes(2 * ASK_EVERY_MS - 100)
    expect(first.told).toBe('waits')
    for (const what of ['take', 'recall'] as const) {
      const times = node.asked.filter(asked => asked.what === what).map(({ atMs }) => atMs - startMs)
      expect(times).toEqual([0, ASK_EVERY_MS, 2 * ASK_EVERY_MS])
    }
  })

  test('is nothing of one budget while another one has nothing for the call', async () => {
    const [a, b] = [escrow.budget('a', 100), escrow.budget('b', 100)]
    await holdOf(escrow.peer('other'), [a], exactly(100))
    const node = escrow.peer('one')
    const waiting = await answered(call(node, [a, b], exactly(10)))
    expect([waiting.told, escrow.allotted('b')]).toEqual(['waits', 0])
  })

  test('is asked of the others where this node lacks it and they have it', async () => {
    const [a, b, c] = [escrow.budget('a', 1_000), escrow.budget('b', 100), escrow.budget('c', 100)]
    const other = escrow.peer('other')
    await holdOf(other, [a], exactly(10))
    await holdOf(other, [b], exactly(100))
    const node = escrow.peer('one')
    await holdOf(node, [c], exactly(100))
    await holdOf(node, [a], exactly(10))
    const first = exactly(10)
    const waiting = await answered(call(node, [c], first))
    expect([waiting.told, node.askedOf('recall')]).toEqual(['waits', []])
    node.ledger.leave(first)
    await answered(call(node, [a, b, c], exactly(70)))
    expect(node.askedOf('recall')).toEqual([[escrow.rowIdOf('b')]])
  })

  test('is asked for at once by a call that comes when nobody waits any more', async () => {
    const [node, other] = [escrow.peer('one'), escrow.peer('other')]
    const theirs = await holdOf(other, [escrow.budget('a', 50)], exactly(50))
    const path = [escrow.budget('a', 100)]
    const held = await holdOf(node, path, exactly(50))
    const waiting = await answered(call(node, path, exactly(20)))
    node.ledger.release(held, 0)
    await passes(0)
    expect(waiting.told).toBe('holds 20')
    other.settle(theirs, 0)
    other.tell({ lacking: [escrow.rowIdOf('a')] })
    await passes(5)
    const next = await answered(call(node, path, exactly(60)))
    expect(next.told).toBe('holds 60')
  })
})

describe('among other nodes', () => {
  test('what they lack goes back at once, but for what is held', async () => {
    const [node, a, b] = [escrow.peer('one'), escrow.budget('a', 1_000), escrow.budget('b', 1_000)]
    await holdOf(node, [a, b], exactly(10))
    expect([escrow.allotted('a'), escrow.allotted('b')]).toEqual([80, 80])
    node.tell({ lacking: [escrow.rowIdOf('a')] })
    await passes(5)
    expect([escrow.allotted('a'), escrow.allotted('b')]).toEqual([10, 80])
  })

  test('nobody is told 402 for what may not be posted any more, before that was asked', async () => {
    const [node, path] = [escrow.peer('one'), [escrow.budget('a', 100)]]
    escrow.post('a', 95)
    expect((await answered(call(node, path, exactly(10)))).told).toBe('BUDGET_EXHAUSTED')
    node.tell({ lowered: [escrow.rowIdOf('a')] })
    await passes(1)
    expect((await answered(call(node, path, exactly(10)))).told).toBe('BUDGET_EXHAUSTED')
    // A node that was taken for lost has come back.
    escrow.post('a', -50)
    node.tell({ lowered: [escrow.rowIdOf('a')] })
    await passes(1)
    expect((await answered(call(node, path, exactly(10)))).told).toBe('holds 10')
  })

  test('a node that was lost sends nothing that it held, and spends only what it is granted from then on', async () => {
    const [node, path] = [escrow.peer('one'), [escrow.budget('a', 100)]]
    const held = await holdOf(node, path, exactly(10))
    expect([node.ledger.isSpendable(held), escrow.allotted('a')]).toEqual([true, 80])
    escrow.lose(node, 'one')
    expect(node.ledger.isSpendable(held)).toBe(false)
    const next = await holdOf(node, path, exactly(10))
    expect([node.ledger.isSpendable(next), node.ledger.isSpendable(held)]).toEqual([true, false])
    expect(escrow.posted('a') + escrow.allotted('a')).toBe(100)
    expect((await answered(call(node, path, exactly(11)))).told).toBe('waits')
  })

  test('a node holds and sends until its lease is over, and not at its end', async () => {
    const [node, path] = [escrow.peer('one'), [escrow.budget('a', 100)]]
    const held = await holdOf(node, path, exactly(10))
    node.leasedUntilMs = performance.now() + 1
    expect(node.ledger.isSpendable(held)).toBe(true)
    await passes(1)
    expect(node.ledger.isSpendable(held)).toBe(false)
    const refused = call(node, path, exactly(1))
    expect(refused).toMatchObject({
      told: 'STORAGE_UNAVAILABLE',
      error: { cause: expect.stringContaining('lease') },
    })
  })

  test('a call without a budget can always be sent', () => {
    const node = escrow.peer('one')
    expect(node.ledger.isSpendable(atOnce(node.ledger, [], exactly(10)))).toBe(true)
  })
})

test('what nobody uses goes back within two seconds, and what is held stays', async () => {
  const [node, path] = [escrow.node('one'), [escrow.budget('a', 1_000)]]
  const held = await holdOf(node, path, exactly(50))
  await passes(10_000)
  expect([escrow.posted('a'), escrow.allotted('a')]).toEqual([0, 400])
  node.settle(held, 7)
  await passes(5)
  expect([escrow.posted('a'), escrow.allotted('a')]).toEqual([7, 393])
  await passes(2_000)
  expect([escrow.posted('a'), escrow.allotted('a')]).toEqual([7, 0])
})

test('there is room for what would not be refused for being spent, on every budget', async () => {
  const [node, a, b] = [escrow.node('one'), escrow.budget('a', 100), escrow.budget('b', 1_000)]
  expect(node.ledger.hasRoom([a, b], 1_000)).toBe(true)
  node.settle(await holdOf(node, [a, b], exactly(40)), 40)
  const rooms = [60, 61].map(nanos =>
    [[a], [b], [a, b], [b, a]].map(path => node.ledger.hasRoom(path, nanos)),
  )
  expect(rooms).toEqual([
    [true, true, true, true],
    [false, true, false, false],
  ])
})

test('a budget that was changed has what is free of it back at once: its new cap counts everywhere', async () => {
  const node = escrow.node('one')
  const before = [escrow.budget('a', 1_000)]
  const held = await holdOf(node, before, exactly(10))
  atOnce(node.ledger, before, exactly(0))
  await passes(5)
  expect([escrow.allotted('a'), node.askedOf('give')]).toEqual([80, []])
  const { allotmentId } = held.rows[0] ?? {}
  await answered(call(node, [escrow.budget('a', 1_000)], exactly(0)))
  expect(node.askedOf('give')).toEqual([[{ allotmentId, nanos: 70 }]])
})

test('a ledger that is closed gives all of it back, and asks for nothing more', async () => {
  const [node, path] = [escrow.node('one'), [escrow.budget('a', 1_000)]]
  node.settle(await holdOf(node, path, exactly(10)), 4)
  const closing = node.ledger.close()
  await passes(5)
  await closing
  expect([escrow.posted('a'), escrow.allotted('a'), vi.getTimerCount()]).toEqual([4, 0, 0])
})
