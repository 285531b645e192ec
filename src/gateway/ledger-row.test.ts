/** What one node knows of a budget, whatever comes in which order: it never holds more than it was granted. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Budget } from '../domain/budget.ts'
import type { Allotment, Standing } from '../domain/ledger.ts'
import { Row, holdOn, lacking, shareBesidePeers, shareOf } from './ledger-row.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

const passes = (ms: number): void => void vi.advanceTimersByTime(ms)

const share = (grantedNanos: number, settledNanos = 0, id = 'share'): Allotment => ({
  id,
  grantedNanos,
  settledNanos,
})

const standing = (part: Partial<Standing> = {}): Standing => ({
  budgetUid: 'budget',
  rowId: 1,
  periodStartMs: 0,
  periodEndMs: null,
  capNanos: 1_000,
  postedNanos: 0,
  allottedNanos: 0,
  isFrozen: false,
  allotment: null,
  ...part,
})

const budget = (part: Partial<Budget> = {}) =>
  ({ uid: 'budget', capNanos: 1_000, frozenTimeMs: null, etag: 'etag', ...part }) as Budget

/** A row that learnt this from an answer that took a millisecond. */
function rowOf(part: Partial<Standing> = {}): Row {
  const row = new Row(standing(part))
  learns(row, part)
  return row
}

function learns(row: Row, part: Partial<Standing>): void {
  const askedMs = performance.now()
  passes(1)
  row.learn(standing(part), askedMs)
}

const exactly = (nanos: number) => ({ worstNanos: nanos, floorNanos: nanos, clampTo: () => null })

describe('what may be held', () => {
  it('is what was granted and is neither settled nor held', () => {
    const row = rowOf({ allotment: share(100, 30), postedNanos: 30, allottedNanos: 70 })
    holdOn([row], 20, null)
    expect([row.free, row.room]).toEqual([50, 50])
  })

  it('is at most what the cap leaves beside all that is posted and held here', () => {
    const row = rowOf({ allotment: share(100, 30), postedNanos: 40, allottedNanos: 70 })
    holdOn([row], 20, null)
    row.renew(budget({ capNanos: 80 }))
    expect([row.posted, row.room]).toEqual([40, 20])
  })

  it('is held on every row of the path', () => {
    const rows = [rowOf({ allotment: share(50) }), rowOf({ allotment: share(60) })]
    passes(5)
    expect(holdOn(rows, 20, null)).toEqual({ rows, nanos: 20, clamped: null })
    expect(rows.map(({ free, spent, usedMs }) => [free, spent, usedMs === performance.now()])).toEqual([
      [30, 20, true],
      [40, 20, true],
    ])
  })
})

describe('an answer of the ledger', () => {
  it('is of the row and the share that this node has, as far as it has one', () => {
    const row = rowOf()
    expect([row.isOf(standing()), row.isOf(standing({ rowId: 2 }))]).toEqual([true, false])
    expect(row.isOf(standing({ allotment: share(1) }))).toBe(true)
    learns(row, { allotment: share(10) })
    const of = (allotment: Allotment | null, rowId = 1) => row.isOf(standing({ rowId, allotment }))
    expect([of(share(10)), of(null), of(share(10, 0, 'other'))]).toEqual([true, true, false])
    expect([of(share(10), 2), of(null, 2)]).toEqual([false, false])
  })

  it('is never of a share that was lost', () => {
    const row = rowOf({ allotment: share(10) })
    row.isLost = true
    expect([row.isOf(standing()), row.isOf(standing({ allotment: share(10) }))]).toEqual([false, false])
  })

  it('tells what the ledger and the other nodes have of it', () => {
    const row = rowOf({ postedNanos: 300, allottedNanos: 500, allotment: share(200, 50) })
    // Of the 500 that are not settled this node has 150.
    expect([row.restNanos, row.peersNanos, row.elsewhere, row.posted]).toEqual([200, 350, 250, 300])
    learns(row, { capNanos: 700, postedNanos: 300, allottedNanos: 500, allotment: share(200, 50) })
    expect(row.restNanos).toBe(0)
  })

  it('has a cap and a freeze that count, unless an admission learnt of the budget after it was asked', () => {
    const row = rowOf({ capNanos: 500 })
    expect([row.capNanos, row.isFrozen]).toEqual([500, false])
    learns(row, { capNanos: 600, isFrozen: true })
    expect([row.capNanos, row.isFrozen]).toEqual([600, true])
    row.renew(budget({ capNanos: 700 }))
    const { renewedMs } = row
    expect([row.capNanos, row.isFrozen]).toEqual([700, false])
    row.learn(standing({ capNanos: 600, isFrozen: true }), renewedMs)
    expect([row.capNanos, row.isFrozen]).toEqual([700, false])
    row.learn(standing({ capNanos: 800, isFrozen: true }), renewedMs + 1)
    expect([row.capNanos, row.isFrozen]).toEqual([800, true])
  })

  it('ends no freeze: only an admission does', () => {
    const row = rowOf()
    row.renew(budget({ frozenTimeMs: 5 }))
    expect(row.isFrozen).toBe(true)
    passes(1)
    learns(row, { isFrozen: false })
    expect(row.isFrozen).toBe(true)
    row.renew(budget())
    expect(row.isFrozen).toBe(false)
  })

  it('says that less is posted only where it was asked after the one before was told', () => {
    const row = rowOf({ postedNanos: 300 })
    const { learnedMs } = row
    row.learn(standing({ postedNanos: 200 }), learnedMs - 1)
    expect(row.posted).toBe(300)
    row.learn(standing({ postedNanos: 400 }), learnedMs - 1)
    expect(row.posted).toBe(400)
    row.learn(standing({ postedNanos: 200 }), learnedMs)
    expect(row.posted).toBe(400)
    row.learn(standing({ postedNanos: 200 }), learnedMs + 1)
    expect(row.posted).toBe(200)
  })

  it('ends a doubt only where it was asked after it came up', () => {
    const row = rowOf()
    passes(5)
    row.staleMs = performance.now()
    const doubtedMs = row.staleMs
    for (const askedMs of [doubtedMs - 1, doubtedMs]) {
      row.learn(standing(), askedMs)
      expect(row.staleMs).toBe(doubtedMs)
    }
    row.learn(standing(), doubtedMs + 1)
    expect(row.staleMs).toBe(-Infinity)
  })

  it('never takes back what a later one has granted, and counts another share anew', () => {
    const row = rowOf({ allotment: share(100) })
    learns(row, { allotment: share(60) })
    expect(row.granted).toBe(100)
    learns(row, { allotment: null })
    expect([row.granted, row.allotmentId]).toEqual([100, 'share'])
    learns(row, { allotment: share(120) })
    expect(row.granted).toBe(120)
    learns(row, { allotment: share(40, 0, 'next') })
    expect([row.granted, row.allotmentId]).toEqual([40, 'next'])
  })
})

describe('what is asked for', () => {
  it('by a hold that grows is what each row lacks of it, and less is welcome', () => {
    const rows = [30, 20, 15, 10].map((granted, index) =>
      rowOf({ budgetUid: `row-${index}`, allotment: share(granted) }),
    )
    // More is held than there is: the cap was lowered meanwhile.
    for (const row of rows.slice(3)) row.held = 25
    expect(lacking({ rows, nanos: 0, clamped: null }, 20)).toEqual([
      { budgetUid: 'row-2', minNanos: 1, wantNanos: 5 },
      { budgetUid: 'row-3', minNanos: 1, wantNanos: 20 },
    ])
  })

  it('beside what a call lacks is for some such calls, for recent spend, or a part of the rest', () => {
    expect(shareOf(undefined, 64 * 80 + 63, exactly(10))).toBe(80)
    expect(shareOf(undefined, 64 * 81, exactly(10))).toBe(81)
    const row = rowOf({ capNanos: 0 })
    expect(shareOf(row, 1_000_000, exactly(10))).toBe(80)
    holdOn([row], 50, null)
    expect(shareOf(row, 1_000_000, exactly(10))).toBe(100)
    learns(row, { capNanos: 1_630 })
    expect(shareOf(row, 1_000_000, exactly(10))).toBe(101)
  })

  it('where others draw on the budget is for all who wait here, and at most a quarter of the rest', () => {
    expect(shareBesidePeers(undefined, exactly(10), 0)).toBe(80)
    expect(shareBesidePeers(undefined, exactly(10), 90)).toBe(90)
    const row = rowOf({ capNanos: 4_003 })
    expect([0, 90, 1_000, 1_001].map(waiting => shareBesidePeers(row, exactly(10), waiting))).toEqual([
      80, 90, 1_000, 1_000,
    ])
    holdOn([row], 60, null)
    expect(shareBesidePeers(row, exactly(10), 90)).toBe(120)
  })
})
