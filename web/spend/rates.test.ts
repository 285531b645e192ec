import { describe, expect, it } from 'vitest'
import { dollarsOf, listedOtherwise, otherRates, plainRate, priceWith } from './rates.ts'

describe('a price', () => {
  it.each([
    [undefined, '', []],
    [{ text: 0.75 }, '$0.75', []],
    [{ text: 0.3, image: 0.3, audio: 1 }, '$0.30', ['audio $1.00']],
    [{ audio: 20 }, '$20.00', []],
    [{ text: 0.025 }, '$0.025', []],
  ])('%j is shown as %j and %j', (rates, plain, others) => {
    expect([plainRate(rates), otherRates(rates)]).toEqual([plain, others])
  })

  it.each([
    ['0.6', 0.6],
    [' 3 ', 3],
    ['', null],
    ['-1', null],
    ['1e3', null],
    ['1,5', null],
  ])('%j is read as %j', (text, usd) => {
    expect(dollarsOf(text)).toBe(usd)
  })

  it('keeps what is not written, and changes every modality of what is', () => {
    const before = {
      input: { text: 0.3, audio: 1 },
      output: { text: 2.5 },
      flexFactor: 0.5,
      source: 'a page',
    }
    expect(priceWith(before, { input: '0.2', cached: '0.02', output: '' }, 'contract')).toEqual({
      input: { text: 0.2, audio: 0.2 },
      cached: { text: 0.02 },
      output: { text: 2.5 },
      flexFactor: 0.5,
      note: 'contract',
    })
  })

  it('by the piece becomes one by token where tokens are given a price', () => {
    const song = { perUnit: { song: 0.06 }, perUnitKind: 'billed' as const }
    expect(priceWith(song, { input: '', cached: '', output: '' }, '')).toEqual(song)
    expect(priceWith(song, { input: '1', cached: '', output: '' }, '')).toEqual({ input: { text: 1 } })
  })
})

describe('what is listed otherwise later', () => {
  const price = { model: 'm', origin: 'shipped', isPriced: true, fields: {} } as const
  const FIRST = '2026-12-01T00:00:00.000Z'
  const LATER = '2027-01-01T00:00:00.000Z'
  const override = (effectiveTime: string, laterPrices?: { startTime: string; fields: object }[]) => ({
    name: 'priceOverrides/1',
    model: 'm',
    effectiveTime,
    price: {},
    createTime: FIRST,
    ...(laterPrices === undefined ? {} : { laterPrices }),
  })

  it('is the next price of the list, unless the next one was set here', () => {
    expect(listedOtherwise({ ...price, endTime: LATER }, [], FIRST)).toBe(LATER)
    expect(listedOtherwise({ ...price, endTime: LATER }, [override(LATER)], FIRST)).toBeNull()
    expect(listedOtherwise(price, [], FIRST)).toBeNull()
  })

  it('is what the price set here holds over, as far as it is still to come', () => {
    const set = [override(FIRST, [{ startTime: LATER, fields: {} }])]
    expect(listedOtherwise({ ...price, startTime: FIRST }, set, FIRST)).toBe(LATER)
    expect(listedOtherwise({ ...price, startTime: FIRST }, set, LATER)).toBeNull()
    expect(listedOtherwise({ ...price, startTime: LATER }, set, FIRST)).toBeNull()
  })
})
