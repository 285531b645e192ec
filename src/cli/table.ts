/** Aligned columns without borders, fitted to a terminal. */
import { cellsOf, printable, shortened } from './printable.ts'

interface Column {
  readonly title: string
  readonly align?: 'right'
  /** Never shortened: half a number is another number. */
  readonly isWhole?: boolean
  /** Tells rows apart, and is shortened last. */
  readonly isIdentity?: boolean
  /** Never left out, however narrow the terminal. */
  readonly isKept?: boolean
}

export interface Table {
  readonly columns: readonly Column[]
  readonly rows: readonly (readonly string[])[]
  /** Its titles stand above already. */
  readonly isContinued?: boolean
}

export interface TableLayout {
  /** Cells of a line; null: as wide as it gets. */
  readonly width: number | null
  readonly isBold: boolean
}

export interface RenderedTable {
  readonly text: string
  /** Titles of the columns that found no room. */
  readonly hidden: readonly string[]
}

const GAP = '  '
const SHORTEST = 8

interface Fitted {
  readonly at: number
  readonly column: Column
  readonly natural: number
  width: number
}

/**
 * Lines for people, the first the titles. Where the width is short, columns shrink to eight cells, then are left out from
 * the right; columns that tell rows apart shrink last.
 */
export function renderTable(
  { columns, rows, isContinued = false }: Table,
  { width, isBold }: TableLayout,
): RenderedTable {
  const cells = rows.map(row => row.map(printable))
  const fitted = columns.map((column, at): Fitted => {
    const natural = Math.max(cellsOf(column.title), ...cells.map(row => cellsOf(row[at] ?? '')))
    return { at, column, natural, width: natural }
  })
  const hidden = width === null ? [] : fit(fitted, width)
  const line = (texts: readonly string[]): string => {
    const text = fitted.map(({ at, column, width }) => padded(texts[at] ?? '', width, column.align)).join(GAP)
    return (width === null ? text : shortened(text, width)).trimEnd()
  }
  const titles = line(columns.map(({ title }) => title))
  const head = isBold ? `\u001b[1m${titles}\u001b[0m` : titles
  const lines = [...(isContinued ? [] : [head]), ...cells.map(line)]
  return { text: `${lines.join('\n')}\n`, hidden }
}

/** Names and values, one a line; values are not shortened, and empty ones are left out. */
export function renderDetails(details: readonly (readonly [string, string])[]): string {
  const shown = details.filter(([, value]) => value !== '')
  const width = Math.max(0, ...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${name.padEnd(width)}${GAP}${printable(value)}\n`).join('')
}

/** Leaves out and narrows columns in place until they fit; returns the titles of those left out. */
function fit(fitted: Fitted[], width: number): string[] {
  const hidden: string[] = []
  const narrowest = ({ column, natural }: Fitted): number =>
    column.isWhole || column.isIdentity ? natural : Math.min(natural, SHORTEST)
  while (lineWidth(fitted.map(narrowest)) > width) {
    const last = fitted.findLastIndex(({ column }) => !column.isKept)
    if (last < 1) break
    hidden.unshift(...fitted.splice(last, 1).map(({ column }) => column.title))
  }
  while (lineWidth(fitted.map(column => column.width)) > width) {
    const candidates = fitted.filter(({ column, width }) => !column.isWhole && width > SHORTEST)
    const others = candidates.filter(({ column }) => !column.isIdentity)
    const widest = (others.length > 0 ? others : candidates).sort((a, b) => b.width - a.width)[0]
    if (widest === undefined) break
    widest.width--
  }
  return hidden
}

function lineWidth(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, GAP.length * Math.max(0, widths.length - 1))
}

function padded(text: string, width: number, align: Column['align']): string {
  const cell = shortened(text, width)
  const padding = ' '.repeat(Math.max(0, width - cellsOf(cell)))
  return align === 'right' ? padding + cell : cell + padding
}
