import { expect, test } from 'vitest'
import { Lateness } from './lateness.ts'

/** Whether it is late after each look, `gaps` apart. */
function looks(...gaps: readonly number[]): readonly boolean[] {
  const lateness = new Lateness(50, 1_000)
  let nowMs = 1_000
  return gaps.map(gap => {
    nowMs += gap
    lateness.look(nowMs)
    return lateness.isLate
  })
}

test.each<[string, readonly number[], readonly boolean[]]>([
  ['a loop in time', [50, 60, 249], [false, false, false]],
  ['one long turn', [700, 50], [false, false]],
  ['a very long turn', [60_000, 50], [false, false]],
  ['two long turns with one in time between', [700, 50, 700, 50], [false, false, false, false]],
  ['late for half a second', [250, 250, 250], [false, false, false]],
  ['late for longer, until in time again', [250, 250, 251, 250, 249], [false, false, true, true, false]],
  ['two very long turns in a row', [600, 600, 50], [false, true, false]],
])('%s', (_, gaps, expected) => expect(looks(...gaps)).toEqual(expected))
