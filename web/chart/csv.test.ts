import { expect, it } from 'vitest'
import { csvOf } from './csv.ts'

it('quotes what would end a cell, and lines end in CRLF', () => {
  expect(
    csvOf([
      ['time', 'a,b', 'say "hi"', 'two\nlines'],
      ['1', '', ' ', 'x'],
    ]),
  ).toBe('time,"a,b","say ""hi""","two\nlines"\r\n1,, ,x\r\n')
})

it.each([
  ['=HYPERLINK("http://x")', `"'=HYPERLINK(""http://x"")"`],
  ['+1+1', "'+1+1"],
  ['@sum', "'@sum"],
  ['-2+3', "'-2+3"],
  ['-2.5', '-2.5'],
  ['a=b', 'a=b'],
])('%s is no formula for a spreadsheet', (text, cell) => {
  expect(csvOf([[text]])).toBe(`${cell}\r\n`)
})
