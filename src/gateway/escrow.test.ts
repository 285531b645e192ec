/** In which order money comes and goes back, and what becomes of it where nobody knows whether it came. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Standing, Take, TakeAnswer } from '../domain/ledger.ts'
import { Escrow, type LedgerPort, type Returns } from './escrow.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

const GRANTED: TakeAnswer = { taken: true, standings: [], nowMs: 0 }
const REFUSED: TakeAnswer = { ...GRANTED, taken: false }

const take = (budgetUid: string): Take => ({ budgetUid, minNanos: 1, wantNanos: 2 })
const standing = (budgetUid: string): Standing => ({
  budgetUid,
  rowId: 1,
  periodStartMs: 0,
  periodEndMs: null,
  capNanos: 1,
  postedNanos: 0,
  allottedNanos: 0,
  isFrozen: false,
  allotment: null,
})
const doubt = (budgetUid: string): Take => ({ budgetUid, minNanos: 0, wantNanos: 0 })

const returns = (part: Partial<Returns>): Returns => ({
  gives: [],
  closing: [],
  onClosed: () => {},
  ...part,
})

/** What the ledger was asked for, in order; each question is answered by the test. */
class Questions implements LedgerPort {
  readonly asked: unknown[] = []
  readonly #open: PromiseWithResolvers<unknown>[] = []

  take(takes: readonly Take[]): Promise<TakeAnswer> {
    return this.#ask(takes) as Promise<TakeAnswer>
  }

  give(gives: readonly { readonly allotmentId: string; readonly nanos: number }[]): Promise<void> {
    return this.#ask(gives) as Promise<void>
  }

  close(allotmentIds: readonly string[]): Promise<void> {
    return this.#ask(allotmentIds) as Promise<void>
  }

  /** Answers the oldest question that is open, and lets everything follow from it. */
  async answer(answer?: TakeAnswer): Promise<void> {
    this.#next().resolve(answer)
    await settled()
  }

  async fail(): Promise<void> {
    this.#next().reject(new Error('the connection broke'))
    await settled()
  }

  #next(): PromiseWithResolvers<unknown> {
    const next = this.#open.shift()
    if (next === undefined) throw new Error('nothing was asked')
    return next
  }

  #ask(what: unknown): Promise<unknown> {
    this.asked.push(what)
    const question = Promise.withResolvers<unknown>()
    this.#open.push(question)
    return question.promise
  }
}

/** Until nothing follows any more, a millisecond later. */
async function settled(): Promise<void> {
  await new Promise(resolve => setImmediate(resolve))
  vi.advanceTimersByTime(1)
}

function escrow() {
  const port = new Questions()
  return { port, escrow: new Escrow(port) }
}

const ignore = (): void => {}

describe('a take', () => {
  it('asks for what is picked, tells how it stands, and whether it was granted', async () => {
    const { port, escrow: own } = escrow()
    const learn = vi.fn<(answer: TakeAnswer, takes: readonly Take[], askedMs: number) => void>()
    const takes = [take('a'), take('b')]
    const askedMs = performance.now()
    const taking = own.take(() => takes, learn)
    await settled()
    await port.answer(GRANTED)
    expect(await taking).toBe(true)
    expect(port.asked).toEqual([takes])
    expect(learn.mock.calls).toEqual([[GRANTED, takes, askedMs]])
    const refused = own.take(() => takes, ignore)
    await settled()
    await port.answer(REFUSED)
    expect(await refused).toBe(false)
  })

  it('of nothing asks nothing, and nothing is granted', async () => {
    const { port, escrow: own } = escrow()
    expect(await own.take(() => [], ignore)).toBe(false)
    expect(port.asked).toEqual([])
  })

  it('is picked and asked for only when nothing is on its way back', async () => {
    const { port, escrow: own } = escrow()
    const pick = vi.fn(() => [take('a')])
    const giving = own.giveBack(() => returns({ closing: ['share'] }))
    const taking = own.take(pick, ignore)
    await settled()
    expect([pick.mock.calls.length, port.asked]).toEqual([0, [['share']]])
    await port.answer()
    await giving
    await port.answer(GRANTED)
    expect(await taking).toBe(true)
  })

  it('is tried after a return has failed', async () => {
    const { port, escrow: own } = escrow()
    const giving = own.giveBack(() => returns({ closing: ['share'] })).catch(() => 'failed')
    const taking = own.take(() => [take('a')], ignore)
    await settled()
    await port.fail()
    expect(await giving).toBe('failed')
    await port.answer(GRANTED)
    expect(await taking).toBe(true)
  })
})

describe('a return', () => {
  it('is picked when all takes have been told: what they brought is known then', async () => {
    const { port, escrow: own } = escrow()
    const order: string[] = []
    const takes = ['a', 'b'].map(uid =>
      own.take(
        () => [take(uid)],
        () => void order.push(uid),
      ),
    )
    await settled()
    const giving = own.giveBack(() => (order.push('returns'), returns({})))
    await port.answer(GRANTED)
    expect(order).toEqual(['a'])
    await port.answer(REFUSED)
    await Promise.all([...takes, giving])
    expect(order).toEqual(['a', 'b', 'returns'])
  })

  it('is picked when a take has failed, too', async () => {
    const { port, escrow: own } = escrow()
    const taking = own.take(() => [take('a')], ignore).catch(() => 'failed')
    await settled()
    const giving = own.giveBack(() => returns({ closing: ['share'] }))
    await port.fail()
    await port.answer()
    expect([await taking, await giving]).toEqual(['failed', undefined])
  })

  it('gives first and closes then, and says when that is done; the next one begins after it', async () => {
    const { port, escrow: own } = escrow()
    const onClosed = vi.fn()
    const gives = [{ allotmentId: 'open', nanos: 5 }]
    const first = own.giveBack(() => returns({ gives, closing: ['one', 'other'], onClosed }))
    const second = own.giveBack(() => returns({ closing: ['next'] }))
    await settled()
    expect(port.asked).toEqual([gives])
    await port.answer()
    expect(port.asked).toEqual([gives, ['one', 'other']])
    expect(onClosed).not.toHaveBeenCalled()
    await port.answer()
    await first
    expect(onClosed).toHaveBeenCalledOnce()
    await port.answer()
    await second
    expect(port.asked).toEqual([gives, ['one', 'other'], ['next']])
  })

  it('asks the ledger for nothing where nothing goes back', async () => {
    const { port, escrow: own } = escrow()
    const onClosed = vi.fn()
    await own.giveBack(() => returns({ onClosed }))
    expect(port.asked).toEqual([])
    expect(onClosed).not.toHaveBeenCalled()
  })

  it('closes what is over also where giving failed, and tells of the failure', async () => {
    const { port, escrow: own } = escrow()
    const onClosed = vi.fn()
    const gives = [{ allotmentId: 'open', nanos: 5 }]
    const giving = own.giveBack(() => returns({ gives, closing: ['share'], onClosed })).catch(() => 'failed')
    await settled()
    await port.fail()
    await port.answer()
    expect(await giving).toBe('failed')
    expect(onClosed).toHaveBeenCalledOnce()
  })

  it('is not done where closing failed', async () => {
    const { port, escrow: own } = escrow()
    const onClosed = vi.fn()
    const giving = own.giveBack(() => returns({ closing: ['share'], onClosed })).catch(() => 'failed')
    await settled()
    await port.fail()
    expect(await giving).toBe('failed')
    expect(onClosed).not.toHaveBeenCalled()
  })
})

describe('a take that failed may have been granted', () => {
  /** An escrow of which a take of these budgets has failed. */
  async function doubtful(...budgetUids: string[]) {
    const made = escrow()
    await failedTake(made, ...budgetUids)
    return made
  }

  async function failedTake({ port, escrow: own }: ReturnType<typeof escrow>, ...budgetUids: string[]) {
    const taking = own.take(() => budgetUids.map(take), ignore).catch(() => 'failed')
    await settled()
    await port.fail()
    expect(await taking).toBe('failed')
    port.asked.length = 0
  }

  it('so it is asked for without wanting any, until that is answered', async () => {
    const { port, escrow: own } = await doubtful('a', 'b')
    const learn = vi.fn<(answer: TakeAnswer) => void>()
    const resolving = own.resolveDoubts(learn)
    await settled()
    expect(port.asked).toEqual([[doubt('a'), doubt('b')]])
    await port.answer(GRANTED)
    await resolving
    expect(learn).toHaveBeenCalledOnce()
    await own.resolveDoubts(learn)
    expect(port.asked).toHaveLength(1)
  })

  it('and nothing is asked where nothing failed', async () => {
    const { port, escrow: own } = escrow()
    await own.resolveDoubts(ignore)
    expect(port.asked).toEqual([])
  })

  it('and that is asked once at a time, and again after it failed', async () => {
    const { port, escrow: own } = await doubtful('a')
    const resolving = own.resolveDoubts(ignore).catch(() => 'failed')
    await settled()
    await own.resolveDoubts(ignore)
    expect(port.asked).toHaveLength(1)
    await port.fail()
    expect(await resolving).toBe('failed')
    const again = own.resolveDoubts(ignore)
    await settled()
    expect(port.asked).toHaveLength(2)
    await port.answer(GRANTED)
    await again
  })

  it('and the answer to a later take says it of its own budgets', async () => {
    const { port, escrow: own } = await doubtful('a', 'b')
    const taking = own.take(() => [take('a'), take('c')], ignore)
    await settled()
    await port.answer(REFUSED)
    await taking
    const resolving = own.resolveDoubts(ignore)
    await settled()
    expect(port.asked.at(-1)).toEqual([doubt('b')])
    await port.answer(GRANTED)
    await resolving
  })

  it('and a later take that is refused says nothing of budgets that stand: it has waited for nobody', async () => {
    const { port, escrow: own } = await doubtful('a', 'b')
    const taking = own.take(() => [take('a'), take('b')], ignore)
    await settled()
    await port.answer({ ...REFUSED, standings: [standing('b')] })
    await taking
    const resolving = own.resolveDoubts(ignore)
    await settled()
    expect(port.asked.at(-1)).toEqual([doubt('b')])
    await port.answer(GRANTED)
    await resolving
  })

  it('and the answer to one that was asked before it failed says nothing of it', async () => {
    const made = escrow()
    const { port, escrow: own } = made
    // Two at a time: the second fails, and then the first is answered.
    const earlier = Promise.withResolvers<TakeAnswer>()
    const answerOfPort = port.take.bind(port)
    port.take = () => earlier.promise
    const taking = own.take(() => [take('a')], ignore)
    await settled()
    port.take = answerOfPort
    await failedTake(made, 'a')
    earlier.resolve(GRANTED)
    await taking
    const resolving = own.resolveDoubts(ignore)
    await settled()
    expect(port.asked).toEqual([[doubt('a')]])
    await port.answer(GRANTED)
    await resolving
  })
})
