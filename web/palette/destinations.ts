/** Where the palette leads, and which of it is meant by a few letters. */

export interface Destination {
  readonly to: string
  readonly text: string
  /** Also searched: an id, a masked key. */
  readonly more: string
  readonly kind: 'Do' | 'Screen' | 'Project' | 'Key'
}

const SHOWN_MAX = 12

/** Those in which each word begins a word, before those that merely hold it; in the order given, at most 12. */
export function bestOf(destinations: readonly Destination[], typed: string): readonly Destination[] {
  const words = typed
    .toLowerCase()
    .split(/\s+/)
    .filter(word => word !== '')
  const ranked = destinations
    .map(destination => ({ destination, rank: rankOf(destination, words) }))
    .filter(({ rank }) => rank !== null)
  return ranked
    .sort((one, other) => (one.rank ?? 0) - (other.rank ?? 0))
    .slice(0, SHOWN_MAX)
    .map(({ destination }) => destination)
}

/** 0: every word begins the text or a word of it. 1: every word is somewhere. null: no. */
function rankOf({ text, more }: Destination, words: readonly string[]): number | null {
  const all = `${text} ${more}`.toLowerCase()
  const starts = all.split(/[^a-z0-9]+/)
  if (words.every(word => starts.some(start => start.startsWith(word)) || all.startsWith(word))) return 0
  return words.every(word => all.includes(word)) ? 1 : null
}
