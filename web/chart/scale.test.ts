import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { labelPlaces, ticksTo } from './scale.ts'

describe('the lines of a chart', () => {
  it.each([
    [0, [0, 1]],
    [4, [0, 1, 2, 3, 4]],
    [97, [0, 25, 50, 75, 100]],
    [0.0021, [0, 0.001, 0.002, 0.003]],
  ])('up to %d are at %j', (max, lines) => {
    ticksTo(max).forEach((line, place) => expect(line).toBeCloseTo(lines[place] ?? NaN, 9))
    expect(ticksTo(max).length).toBe(lines.length)
  })

  it('begin at nothing, hold the largest value, and are few', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-9, max: 1e15, noNaN: true }), max => {
        const lines = ticksTo(max)
        expect(lines[0]).toBe(0)
        expect(lines.at(-1)).toBeGreaterThanOrEqual(max * (1 - 1e-9))
        expect(lines.length).toBeLessThanOrEqual(6)
      }),
    )
  })
})

it('labels stand evenly apart and are never more than there is room for', () => {
  expect(labelPlaces(30, 6)).toEqual([0, 5, 10, 15, 20, 25])
  expect(labelPlaces(3, 6)).toEqual([0, 1, 2])
  expect(labelPlaces(0, 6)).toEqual([])
})
