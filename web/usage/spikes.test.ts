import { describe, expect, it } from 'vitest'
import { spikesOf } from './spikes.ts'

describe('a spike', () => {
  it('is three times the median of what was used, or more', () => {
    expect(spikesOf([10, 12, 9, 0, 11, 10, 33, 29])).toEqual([null, null, null, null, null, null, 3, null])
  })

  it('needs five others to say what is usual', () => {
    expect(spikesOf([1, 1, 1, 1, 90])).toEqual([null, null, null, null, null])
    expect(spikesOf([1, 1, 1, 1, 1, 90])[5]).toBe(90)
  })

  it('is nowhere in an even or an empty range', () => {
    expect(spikesOf([5, 5, 5, 5, 5, 5, 5]).every(spike => spike === null)).toBe(true)
    expect(spikesOf([])).toEqual([])
    expect(spikesOf([0, 0, 0])).toEqual([null, null, null])
  })
})
