import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cellsOf } from './printable.ts'
import { type Table, renderDetails, renderTable } from './table.ts'

const TABLE: Table = {
  columns: [
    { title: 'KEY', isKept: true, isIdentity: true },
    { title: 'NAME', isKept: true },
    { title: 'STATE', isWhole: true },
    { title: 'CALLS', isWhole: true, align: 'right' },
    { title: 'RESTRICTIONS' },
  ],
  rows: [
    [
      'web-shop',
      'Web shop of the north',
      'ACTIVE',
      '1,204',
      'referrers https://example.com/*, https://example.org/*',
    ],
    ['3f0d8d6c-5f3e-4a57-9d0a-2d4c5a1b7e90', '日本語の鍵', 'DISABLED', '7', 'none'],
  ],
}

const lines = (text: string): string[] => text.replace(/\n$/, '').split('\n')

describe('a table', () => {
  test('is as wide as its cells in a pipe', () => {
    expect(lines(renderTable(TABLE, { width: null, isBold: false }).text)).toEqual([
      'KEY                                   NAME                   STATE     CALLS  RESTRICTIONS',
      'web-shop                              Web shop of the north  ACTIVE    1,204  referrers https://example.com/*, https://example.org/*',
      '3f0d8d6c-5f3e-4a57-9d0a-2d4c5a1b7e90  日本語の鍵             DISABLED      7  none',
    ])
  })

  test('is fitted to 80 columns: whole ids and numbers, shortened names', () => {
    const { text, hidden } = renderTable(TABLE, { width: 80, isBold: false })
    expect(lines(text)).toEqual([
      'KEY                                   NAME         STATE     CALLS  RESTRICTIONS',
      'web-shop                              Web shop o…  ACTIVE    1,204  referrers h…',
      '3f0d8d6c-5f3e-4a57-9d0a-2d4c5a1b7e90  日本語の鍵   DISABLED      7  none',
    ])
    expect(hidden).toEqual([])
  })

  test('is fitted to 40 columns: the columns on the right give way and are named', () => {
    const { text, hidden } = renderTable(TABLE, { width: 40, isBold: false })
    expect(lines(text)).toEqual([
      'KEY                             NAME',
      'web-shop                        Web sho…',
      '3f0d8d6c-5f3e-4a57-9d0a-2d4c5…  日本語…',
    ])
    expect(hidden).toEqual(['STATE', 'CALLS', 'RESTRICTIONS'])
  })

  test('has bold titles where colour is wanted', () => {
    const [titles = ''] = lines(renderTable(TABLE, { width: 80, isBold: true }).text)
    expect(titles.startsWith('\u001b[1mKEY ')).toBe(true)
    expect(titles.endsWith('\u001b[0m')).toBe(true)
  })

  test('never obeys what a cell says, and never exceeds the terminal', () => {
    const cell = fc.string({ unit: 'binary', maxLength: 60 })
    const row = fc.array(cell, { minLength: 5, maxLength: 5 })
    fc.assert(
      fc.property(
        fc.array(row, { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 10, max: 200 }),
        (rows, width) => {
          const { text } = renderTable({ ...TABLE, rows }, { width, isBold: false })
          expect(lines(text)).toHaveLength(rows.length + 1)
          for (const line of lines(text)) {
            expect(cellsOf(line)).toBeLessThanOrEqual(width)
            expect(line).not.toMatch(/\p{Cc}/u)
          }
        },
      ),
    )
  })
})

test('details are aligned, whole, harmless, and without empty values', () => {
  expect(
    renderDetails([
      ['Key', 'web'],
      ['Deleted', ''],
      ['Name', '\u001b[2Jgone'],
    ]),
  ).toBe('Key   web\nName  \\u001b[2Jgone\n')
})
