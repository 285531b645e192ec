/** Text of others on a terminal: what would move its cursor, colour it or reverse it is shown, not obeyed. */

/** Control characters (C0, DEL, C1 with its one-byte CSI), line separators, bidirectional controls, BOM and tags. */
const UNPRINTABLE = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\u{e0000}-\u{e007f}]/gu

/** Graphemes that take two cells: East Asian wide and full-width forms, and emoji. */
const WIDE =
  /\p{Emoji_Presentation}|\ufe0f|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u
const ZERO_WIDTH = /^[\p{Mark}\u200b-\u200d]+$/u
const ASCII = /^[\x20-\x7e]*$/

const segmenter = new Intl.Segmenter('en', { granularity: 'grapheme' })

const escaped = (found: string): string =>
  Array.from(
    { length: found.length },
    (_, at) => `\\u${found.charCodeAt(at).toString(16).padStart(4, '0')}`,
  ).join('')

/** The text on one line, harmless: an escape character becomes the six characters `\u001b`. */
export function printable(text: string): string {
  return text.toWellFormed().replaceAll(UNPRINTABLE, escaped)
}

/** The same for text whose line breaks are wanted. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n')
}

/** JSON of two spaces' indent. What JSON leaves unescaped but a terminal obeys is escaped too; the value is the same. */
export function printableJson(value: unknown): string {
  return printableLines(JSON.stringify(value, null, 2))
}

/** The number of terminal cells that printable text takes. */
export function cellsOf(text: string): number {
  if (ASCII.test(text)) return text.length
  let cells = 0
  for (const { segment } of segmenter.segment(text)) cells += graphemeCells(segment)
  return cells
}

/** The text in at most `cellsMax` cells; what was cut leaves an ellipsis. */
export function shortened(text: string, cellsMax: number): string {
  if (cellsOf(text) <= cellsMax) return text
  let [kept, cells] = ['', 0]
  for (const { segment } of segmenter.segment(text)) {
    cells += graphemeCells(segment)
    if (cells > cellsMax - 1) break
    kept += segment
  }
  return cellsMax < 1 ? '' : `${kept}…`
}

function graphemeCells(segment: string): number {
  if (ZERO_WIDTH.test(segment)) return 0
  return WIDE.test(segment) ? 2 : 1
}
