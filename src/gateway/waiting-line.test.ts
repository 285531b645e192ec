import { describe, expect, it } from 'vitest'
import type { Budget } from '../domain/budget.ts'
import { Line, type Waiter } from './waiting-line.ts'

const budget = (uid: string): Budget => ({ uid }) as Budget
const waiter = (number: number, part: Partial<Waiter> = {}): Waiter =>
  ({ number, path: [], ...part }) as Waiter

describe('a line of calls that wait', () => {
  it('whoever waited for another budget before takes the place of when it came', () => {
    const line = new Line(budget('a'))
    const [first, second, third] = [waiter(1), waiter(2), waiter(3)]
    for (const one of [second, third, first]) line.add(one)
    expect(line.waiters).toEqual([first, second, third])
    expect(first.line).toBe(line)
    expect([line.isBefore(1), line.isBefore(2), line.isBefore(Infinity)]).toEqual([false, true, true])
    expect([line.remove(second), line.remove(second)]).toEqual([true, false])
    expect(line.waiters).toEqual([first, third])
  })

  it('nobody goes before anybody where nobody waits', () => {
    expect(new Line(budget('a')).isBefore(Infinity)).toBe(false)
  })

  it('all who wait would hold the sum of their worst cases, each on the budgets of its own path', () => {
    const line = new Line(budget('project'))
    const ask = (worstNanos: number) => ({ worstNanos, floorNanos: 0, clampTo: () => null })
    expect(line.worstOn('project')).toBe(0)
    line.add(waiter(1, { path: [budget('key'), budget('project')], ask: ask(3) }))
    line.add(waiter(2, { path: [budget('project')], ask: ask(40) }))
    line.add(waiter(3, { path: [budget('project'), budget('key')], ask: ask(500) }))
    expect([line.worstOn('project'), line.worstOn('key'), line.worstOn('other')]).toEqual([543, 503, 0])
  })
})
