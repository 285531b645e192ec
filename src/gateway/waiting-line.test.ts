import { expect, it } from 'vitest'
import type { Budget } from '../domain/budget.ts'
import { Line, type Waiter } from './waiting-line.ts'

const line = new Line({} as Budget)
const waiter = (number: number): Waiter => ({ number }) as Waiter

it('whoever waited for another budget before takes the place of when it came', () => {
  const [first, second, third] = [waiter(1), waiter(2), waiter(3)]
  for (const one of [second, third, first]) line.add(one)
  expect(line.waiters).toEqual([first, second, third])
  expect(first.line).toBe(line)
  expect([line.isBefore(1), line.isBefore(2), line.isBefore(Infinity)]).toEqual([false, true, true])
  expect([line.remove(second), line.remove(second)]).toEqual([true, false])
  expect(line.waiters).toEqual([first, third])
})
