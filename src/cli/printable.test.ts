import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cellsOf, printable, printableJson, printableLines, shortened } from './printable.ts'

/** What a terminal obeys instead of showing. */
const OBEYED = /[\p{Cc}\u2028-\u202e\u2066-\u2069]/u

describe('printable', () => {
  test.each([
    ['plain – ümläut 日本 👩‍👩‍👧', 'plain – ümläut 日本 👩‍👩‍👧'],
    ['\u001b[31mred', String.raw`\u001b[31mred`],
    ['\u009b31mred', String.raw`\u009b31mred`],
    ['a\r\nb\tc\u0000', String.raw`a\u000d\u000ab\u0009c\u0000`],
    ['abc\u202ecba', String.raw`abc\u202ecba`],
    ['\ud800', '\ufffd'],
  ])('%j is shown as %j', (text, shown) => {
    expect(printable(text)).toBe(shown)
  })

  test('nothing that a terminal obeys is left in any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), text => !OBEYED.test(printable(text))))
  })

  test('only the line breaks are kept in text of several lines', () => {
    expect(printableLines('a\nb\u001b')).toBe('a\nb\\u001b')
  })

  test('JSON is harmless and still the same value', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })), value => {
        const text = printableJson(value)
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)))
        expect(text.replaceAll('\n', '')).not.toMatch(OBEYED)
      }),
    )
  })
})

describe('cells', () => {
  test.each([
    ['abc', 3],
    ['日本', 4],
    ['👩‍👩‍👧', 2],
    ['e\u0301', 1],
    ['', 0],
  ])('%j takes %i', (text, cells) => {
    expect(cellsOf(text)).toBe(cells)
  })

  test.each([
    ['abcdef', 6, 'abcdef'],
    ['abcdef', 5, 'abcd…'],
    ['日本語', 5, '日本…'],
    ['日本語', 4, '日…'],
    ['abc', 1, '…'],
    ['abc', 0, ''],
  ])('%j in %i cells is %j', (text, cells, shown) => {
    expect(shortened(text, cells)).toBe(shown)
  })

  test('no shortened text is wider than was allowed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.nat(40), (text, cells) => {
        return cellsOf(shortened(printable(text), cells)) <= cells
      }),
    )
  })
})
