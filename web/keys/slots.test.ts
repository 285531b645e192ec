import { describe, expect, it } from 'vitest'
import { type Slots, slotsFor } from './slots.ts'

const THREE: Slots = new Map([
  ['a', 0],
  ['b', 1],
  ['c', 2],
])

describe('the slots of a list', () => {
  it.each([
    ['are numbered in order at first', ['a', 'b'], new Map(), [0, 1]],
    ['go to the next page', ['d', 'e', 'f'], THREE, [0, 1, 2]],
    ['stay where the order changes', ['c', 'a', 'b'], THREE, [2, 0, 1]],
    ['stay where one comes before them', ['d', 'a', 'b'], THREE, [2, 0, 1]],
    ['stay where one goes', ['a', 'c', 'd'], THREE, [0, 2, 1]],
    ['are more when the list is longer', ['a', 'd', 'b', 'c'], THREE, [0, 3, 1, 2]],
    ['are one for an id that is told twice', ['a', 'd', 'd'], THREE, [0, 2]],
    ['are none for no row', [], THREE, []],
  ] as const)('%s', (_, ids, before, slots) => {
    expect([...slotsFor(ids, before).values()]).toEqual(slots)
  })
})
