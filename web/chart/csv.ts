/** Tables as files for spreadsheets (RFC 4180). */

/** A cell that begins like a formula would be run by a spreadsheet; names are given by many people. */
const FORMULA = /^[=+\-@\t\r]/
const IS_NUMBER = /^-?\d+(?:\.\d+)?$/

/** Lines end in CRLF. Cells that a spreadsheet would take for a formula begin with an apostrophe. */
export function csvOf(rows: readonly (readonly string[])[]): string {
  return rows.map(row => `${row.map(cellOf).join(',')}\r\n`).join('')
}

function cellOf(text: string): string {
  const safe = FORMULA.test(text) && !IS_NUMBER.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

/** Has the browser save the rows as a file. */
export function downloadCsv(fileName: string, rows: readonly (readonly string[])[]): void {
  const url = URL.createObjectURL(new Blob([csvOf(rows)], { type: 'text/csv' }))
  const link = document.createElement('a')
  link.href = url
  link.download = fileName
  link.click()
  URL.revokeObjectURL(url)
}
