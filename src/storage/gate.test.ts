import { expect, test } from 'vitest'
import { Gate } from './gate.ts'

test('at most as many as it is wide are inside at once, in the order they came, failures included', async () => {
  const gate = new Gate(3, 10_000)
  const entered: number[] = []
  let [inside, most] = [0, 0]
  const results = await Promise.allSettled(
    Array.from({ length: 50 }, (_, number) =>
      gate.pass(async () => {
        entered.push(number)
        inside += 1
        most = Math.max(most, inside)
        await new Promise(resolve => setImmediate(resolve))
        inside -= 1
        if (number % 2 === 1) throw new Error(`${number}`)
        return number
      }),
    ),
  )
  expect(most).toBe(3)
  expect(entered).toEqual(Array.from({ length: 50 }, (_, number) => number))
  expect(results.filter(result => result.status === 'rejected')).toHaveLength(25)
})

test('who waits too long is refused, and the place goes to the next', async () => {
  const gate = new Gate(1, 20)
  const hold = Promise.withResolvers<void>()
  const holder = gate.pass(() => hold.promise)
  await expect(gate.pass(async () => 'too late')).rejects.toMatchObject({ reason: 'STORAGE_UNAVAILABLE' })
  const next = gate.pass(async () => 'in time')
  hold.resolve()
  await holder
  expect(await next).toBe('in time')
  expect(await gate.pass(async () => 'free again')).toBe('free again')
})
