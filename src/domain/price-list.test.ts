import { describe, expect, test } from 'vitest'
import { ApiError } from './error.ts'
import { PriceList } from './price-list.ts'
import type { PriceRow } from './price.ts'

const at = (time: string): number => Date.parse(time)
const row = (model: string, effectiveFrom: string | null, usd: number, output = usd): PriceRow => ({
  model,
  effectiveFrom,
  input: { text: usd },
  output: { text: output },
})
const inputAt = (list: PriceList, time: string, model = 'm'): number | null =>
  list.find(model, at(time))?.tiers.standard?.short.input.text ?? null
const outputAt = (list: PriceList, time: string): number | null =>
  list.find('m', at(time))?.tiers.standard?.short.output.text ?? null

describe('a date without a zone', () => {
  const rise = new PriceList([row('m', null, 1), row('m', '2027-01-01', 2)])
  const cut = new PriceList([row('m', null, 2), row('m', '2027-01-01', 1)])
  const mixed = new PriceList([row('m', null, 1, 8), row('m', '2027-01-01', 2, 4)])

  // The day begins at UTC+14 at 10:00Z the day before, and at UTC-12 at 12:00Z.
  test.each([
    ['2026-12-31T09:59:59.999Z', 1_000_000],
    ['2026-12-31T10:00:00.000Z', 2_000_000],
    ['2027-01-01T00:00:00.000Z', 2_000_000],
    ['2027-06-01T00:00:00.000Z', 2_000_000],
  ])('a rise at %s: %i', (time, picos) => {
    expect(inputAt(rise, time)).toBe(picos)
  })

  test.each([
    ['2026-12-31T10:00:00.000Z', 2_000_000],
    ['2027-01-01T11:59:59.999Z', 2_000_000],
    ['2027-01-01T12:00:00.000Z', 1_000_000],
  ])('a cut at %s: %i', (time, picos) => {
    expect(inputAt(cut, time)).toBe(picos)
  })

  test('a change that raises one line and cuts another counts the dearer of each', () => {
    expect(inputAt(mixed, '2027-01-01T00:00:00Z')).toBe(2_000_000)
    expect(outputAt(mixed, '2027-01-01T00:00:00Z')).toBe(8_000_000)
    expect(outputAt(mixed, '2027-01-01T12:00:00Z')).toBe(4_000_000)
  })

  test('a model without an earlier price has none until the date has begun everywhere', () => {
    const fresh = new PriceList([row('m', '2027-01-01', 2)])
    expect(inputAt(fresh, '2027-01-01T11:59:59.999Z')).toBeNull()
    expect(inputAt(fresh, '2027-01-01T12:00:00.000Z')).toBe(2_000_000)
  })

  test('changes on consecutive days overlap on earth: the dearest of all that may hold', () => {
    const list = new PriceList([row('m', '2027-01-02', 1), row('m', null, 2), row('m', '2027-01-01', 3)])
    expect(inputAt(list, '2026-12-31T10:00:00Z')).toBe(3_000_000)
    expect(inputAt(list, '2027-01-01T11:00:00Z')).toBe(3_000_000)
    expect(inputAt(list, '2027-01-02T11:59:59Z')).toBe(3_000_000)
    expect(inputAt(list, '2027-01-02T12:00:00Z')).toBe(1_000_000)
  })
})

test('a time with its zone takes effect at that instant', () => {
  const list = new PriceList([row('m', null, 1), row('m', '2027-01-01T00:00:00-08:00', 2)])
  expect(inputAt(list, '2027-01-01T07:59:59.999Z')).toBe(1_000_000)
  expect(inputAt(list, '2027-01-01T08:00:00.000Z')).toBe(2_000_000)
})

test('the price tells since when it holds', () => {
  const list = new PriceList([row('m', null, 1), row('m', '2027-01-01', 2)])
  expect(list.find('m', at('2026-12-01T00:00:00Z'))?.effectiveFromMs).toBeNull()
  expect(list.find('m', at('2028-01-01T00:00:00Z'))?.effectiveFromMs).toBe(at('2027-01-01T12:00:00Z'))
})

test('look-ups in any order of time find the same', () => {
  const list = new PriceList([row('m', null, 1), row('m', '2027-01-01', 2)])
  for (const _ of [1, 2]) {
    expect(inputAt(list, '2027-06-01T00:00:00Z')).toBe(2_000_000)
    expect(inputAt(list, '2026-06-01T00:00:00Z')).toBe(1_000_000)
  }
  expect(list.find('m', at('2027-06-01T00:00:00Z'))).toBe(list.find('m', at('2027-06-02T00:00:00Z')))
})

describe('ids', () => {
  const list = new PriceList(
    [{ ...row('gemini-3.8-flash', null, 1), aliases: ['gemini-3.8-flash-other'] }],
    [row('gemini-3.8-flash', null, 5), row('gemini-old', null, 3)],
  )

  test('match exactly or not at all', () => {
    const time = '2026-11-21T00:00:00Z'
    expect(inputAt(list, time, 'gemini-3.8-flash')).toBe(1_000_000)
    expect(inputAt(list, time, 'gemini-3.8-flash-other')).toBe(1_000_000)
    for (const model of [
      'gemini-3.8-flash-tts',
      'gemini-3.8',
      'Gemini-3.8-Flash',
      'models/gemini-3.8-flash',
      '',
    ]) {
      expect(list.find(model, at(time)), model).toBeNull()
    }
  })

  test('our own rows go before those of the fallback, which fills in the rest', () => {
    expect(inputAt(list, '2026-11-21T00:00:00Z', 'gemini-old')).toBe(3_000_000)
    expect(list.models()).toEqual(['gemini-3.8-flash', 'gemini-3.8-flash-other', 'gemini-old'])
  })

  test('an alias carries its own id', () => {
    expect(list.find('gemini-3.8-flash-other', 0)?.model).toBe('gemini-3.8-flash-other')
  })
})

describe('contradictions are refused', () => {
  const refused = (...rows: PriceRow[]): void => {
    expect(() => new PriceList(rows)).toThrow(
      expect.objectContaining({ name: 'ApiError', reason: 'FIELD_INVALID' }),
    )
  }

  test('two rows without a date', () => refused(row('m', null, 1), row('m', null, 2)))
  test('two rows of one date', () => refused(row('m', '2027-01-01', 1), row('m', '2027-01-01', 2)))
  test('an alias that is a model of its own', () =>
    refused({ ...row('m', null, 1), aliases: ['n'] }, row('n', null, 2)))
  test('one time written twice', () =>
    refused(row('m', '2027-01-01T00:00:00Z', 1), row('m', '2027-01-01T01:00:00+01:00', 2)))
  test.each(['2026-12-31T10:00:00Z', '2027-01-01T05:00:00Z', '2027-01-01T12:00:00Z'])(
    'a time (%s) within a date of no zone',
    time => refused(row('m', null, 1), row('m', '2027-01-01', 2), row('m', time, 3)),
  )
  test.each([
    '2027-1-1',
    '2027-02-30',
    'tomorrow',
    '',
    '2027-01-01T00:00:00',
    '2027-01-01 00:00:00Z',
    '20270101',
  ])('the date %j', date => refused(row('m', date, 1)))

  test('the message names the model and both dates', () => {
    const rows = [row('m', null, 1), row('m', '2027-01-01', 2), row('m', '2027-01-01', 3)]
    expect(() => new PriceList(rows)).toThrow(
      "'prices.m.effectiveFrom': two rows overlap: 2027-01-01 and 2027-01-01;",
    )
  })

  test('a time before or after the hours of the date is not', () => {
    const rows = [row('m', '2027-01-01', 2), row('m', '2027-01-01T12:00:00.001Z', 3)]
    expect(() => new PriceList(rows)).not.toThrow()
    expect(
      () => new PriceList([row('m', '2027-01-01', 2), row('m', '2026-12-31T09:59:59Z', 3)]),
    ).not.toThrow()
  })
})

describe('rows laid over others', () => {
  const at = (time: string): number => Date.parse(time)
  const laid = (...overrides: (readonly PriceRow[])[]): PriceList =>
    new PriceList(
      [
        { model: 'm', effectiveFrom: null, input: { text: 1 } },
        { model: 'm', effectiveFrom: '2027-01-01', input: { text: 2 } },
        { model: 'n', effectiveFrom: null, input: { text: 9 } },
      ],
      [],
      overrides,
    )
  const input = (list: PriceList, time: string, model = 'm'): number | null | undefined =>
    list.find(model, at(time))?.tiers.standard?.short.input.text

  test('hold from their first date on, whatever is below them later; other models keep theirs', () => {
    const list = laid([{ model: 'm', effectiveFrom: '2026-12-01T00:00:00Z', input: { text: 5 } }])
    expect(input(list, '2026-11-30T23:59:59.999Z')).toBe(1_000_000)
    expect(input(list, '2026-12-01T00:00:00Z')).toBe(5_000_000)
    expect(input(list, '2028-01-01T00:00:00Z')).toBe(5_000_000)
    expect(input(list, '2028-01-01T00:00:00Z', 'n')).toBe(9_000_000)
  })

  test('may begin while a date below has begun in some time zones only, and end the doubt', () => {
    const list = laid([{ model: 'm', effectiveFrom: '2026-12-31T23:00:00Z', input: { text: 0.5 } }])
    expect(input(list, '2026-12-31T09:00:00Z')).toBe(1_000_000)
    expect(input(list, '2026-12-31T22:59:59Z')).toBe(2_000_000)
    expect(input(list, '2026-12-31T23:00:00Z')).toBe(500_000)
    expect(input(list, '2027-01-01T11:59:59Z')).toBe(500_000)
  })

  test('without a zone: a cut counts from the latest zone, a rise from the earliest', () => {
    const cut = laid([{ model: 'm', effectiveFrom: '2026-12-01', input: { text: 0.5 } }])
    expect(input(cut, '2026-12-01T11:59:59Z')).toBe(1_000_000)
    expect(input(cut, '2026-12-01T12:00:00Z')).toBe(500_000)
    const rise = laid([{ model: 'm', effectiveFrom: '2026-12-01', input: { text: 3 } }])
    expect(input(rise, '2026-11-30T10:00:00Z')).toBe(3_000_000)
  })

  test('lie over each other in their order; one without a date hides all below', () => {
    const list = laid(
      [{ model: 'm', effectiveFrom: null, input: { text: 6 } }],
      [{ model: 'm', effectiveFrom: '2027-05-01T00:00:00Z', input: { text: 7 }, origin: 'operator' }],
    )
    expect(input(list, '2000-01-01T00:00:00Z')).toBe(6_000_000)
    expect(input(list, '2027-02-01T00:00:00Z')).toBe(6_000_000)
    expect(list.find('m', at('2027-05-01T00:00:00Z'))).toMatchObject({ origin: 'operator' })
  })

  test('contradict themselves no more than others do', () => {
    const twice = { model: 'm', effectiveFrom: '2027-05-01T00:00:00Z', input: { text: 7 } }
    expect(() => laid([twice, twice])).toThrow(ApiError)
  })

  test('tell their dates', () => {
    const list = laid([{ model: 'm', effectiveFrom: '2026-12-01T00:00:00Z', input: { text: 5 } }])
    const from = at('2026-12-01T00:00:00Z')
    expect(list.periodOf('m', from - 1)).toMatchObject({ fromMs: -Infinity, untilMs: from })
    expect(list.periodOf('m', from)).toMatchObject({ fromMs: from, untilMs: Infinity })
    expect(list.periodOf('x', from)).toBeNull()
  })
})
