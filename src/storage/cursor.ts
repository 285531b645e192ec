/** Keyset cursors: opaque to clients, bound to the list and the query that made them. */
import { invalidField } from '../domain/error.ts'
import type { Page } from './storage.ts'

type CursorValue = string | number

/** A list and the filters a cursor of it is valid for, e.g. `keys`, `415104041262`, `true`. */
export type CursorScope = readonly string[]

/** The page made of `rows`, which were read with a limit one above `limit` to know whether there is more. */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  limit: number,
  shape: {
    readonly scope: CursorScope
    readonly keyOf: (row: Row) => readonly CursorValue[]
    readonly item: (row: Row) => Item
  },
): Page<Item> {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  const nextCursor =
    rows.length > limit && last !== undefined ? encodeCursor(shape.scope, shape.keyOf(last)) : null
  return { items: shown.map(shape.item), nextCursor }
}

/** The cursor of a place in a list. */
export function encodeCursor(scope: CursorScope, key: readonly CursorValue[]): string {
  return Buffer.from(JSON.stringify([scope, key])).toString('base64url')
}

/** The key after which the page starts; null for the first page. FIELD_INVALID for a cursor of another list. */
export function decodeCursor(
  cursor: string | null,
  scope: CursorScope,
  kinds: readonly ('string' | 'number')[],
): readonly CursorValue[] | null {
  if (cursor === null) return null
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
  } catch {
    throw foreign()
  }
  if (!Array.isArray(parsed) || JSON.stringify(parsed[0]) !== JSON.stringify(scope)) throw foreign()
  const key: unknown = parsed[1]
  if (!Array.isArray(key) || key.length !== kinds.length) throw foreign()
  if (!key.every((value, place) => typeof value === kinds[place])) throw foreign()
  return key as readonly CursorValue[]
}

function foreign(): Error {
  return invalidField(
    'pageToken',
    'this is no page token of this list and filter; send the nextPageToken of the page before, or none',
  )
}
