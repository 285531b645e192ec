import { describe, expect, it } from 'vitest'
import { OTHERS, drawnOf, shownBy } from './series.ts'

const seriesOf = (count: number) =>
  Array.from({ length: count }, (_, at) => ({
    id: at === 0 ? '' : `s${at}`,
    name: `s${at}`,
    values: [at, 1],
  }))

describe('what a chart draws', () => {
  it('is all of few', () => {
    expect(drawnOf(seriesOf(8))).toEqual(seriesOf(8))
  })

  it('is seven of many, and the sum of the others', () => {
    const drawn = drawnOf(seriesOf(10))
    expect(drawn.length).toBe(8)
    expect(drawn[7]).toEqual({ id: OTHERS, name: 'All others', values: [7 + 8 + 9, 3] })
  })

  it('is hidden by name, or with the others; a name that nothing has hides nothing', () => {
    const series = seriesOf(10)
    const shown = (...hidden: string[]) =>
      series.map(({ id }) => id).filter(shownBy(series, new Set(hidden))).length
    expect([shown(), shown(''), shown(OTHERS), shown('s9'), shown('%')]).toEqual([10, 9, 7, 10, 10])
  })
})
