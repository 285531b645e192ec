import type { ReactNode } from 'react'
import './ui.css'

/** The head of a column: of text, of numbers, or one that only screen readers need to be told. */
export type Column =
  | string
  | { readonly text: string; readonly title: string }
  | { readonly number: string; readonly title?: string }
  | { readonly unseen: string }

interface TableProps {
  /** What the table holds, for those who meet it as a region that scrolls by itself. */
  readonly label: string
  readonly columns: readonly Column[]
  /** On a sheet of its own, where no panel is around it. */
  readonly isSheet?: boolean
  /** Of the table, for the widths of its columns. */
  readonly className?: string
  /** `tbody`, and what comes after it. */
  readonly children: ReactNode
}

/** A table that scrolls sideways by itself, so that the page never does (WCAG 2.2, 1.4.10). */
export function Table({ label, columns, isSheet = false, className, children }: TableProps) {
  return (
    <div
      className={isSheet ? 'sheet table__scroll' : 'table__scroll'}
      role="region"
      aria-label={label}
      tabIndex={0}
    >
      <table className={className === undefined ? 'table' : `table ${className}`}>
        <thead>
          <tr>
            {columns.map(column => (
              <Head key={textOf(column)} column={column} />
            ))}
          </tr>
        </thead>
        {children}
      </table>
    </div>
  )
}

function Head({ column }: { readonly column: Column }) {
  if (typeof column === 'string') return <th scope="col">{column}</th>
  if ('unseen' in column) {
    return (
      <th scope="col">
        <span className="unseen">{column.unseen}</span>
      </th>
    )
  }
  return (
    <th scope="col" className={'number' in column ? 'number' : undefined} title={column.title}>
      {textOf(column)}
    </th>
  )
}

function textOf(column: Column): string {
  if (typeof column === 'string') return column
  if ('unseen' in column) return column.unseen
  return 'number' in column ? column.number : column.text
}
