/** Something to look at, and the form that all kinds of it have: a few are named, many are counted. */

export interface Notice {
  /** The same for as long as it is about the same thing. */
  readonly id: string
  /** How many things it counts: more of them are news. */
  readonly size: number
  readonly look: 'wrong' | 'look'
  readonly title: string
  readonly why: string
  /** Where it is mended, and the words that lead there. */
  readonly to: string
  readonly action: string
}

type Told = Pick<Notice, 'title' | 'why' | 'to' | 'action'>

export interface Kind<Item> {
  readonly id: string
  readonly look: Notice['look']
  readonly is: (item: Item) => boolean
  /** What tells the item from all others, and from itself when it is news again. */
  readonly idOf: (item: Item) => string
  readonly one: (item: Item) => Told
  readonly many: (count: number) => Told
}

const NAMED_MAX = 3

/** What of the items is of the kind. */
export function noticesOfKind<Item>(kind: Kind<Item>, items: readonly Item[]): readonly Notice[] {
  const { id, look } = kind
  const found = items.filter(kind.is)
  return found.length > NAMED_MAX
    ? [{ id, look, size: found.length, ...kind.many(found.length) }]
    : found.map(item => ({ id: `${id} ${kind.idOf(item)}`, look, size: 1, ...kind.one(item) }))
}
