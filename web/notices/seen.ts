/** Which notices somebody has seen. Kept in this browser, by person: nothing that the server would need to know. */
import type { Notice } from './kind.ts'

/** How large each was when it was seen. */
export type Seen = ReadonlyMap<string, number>

/** The oldest are forgotten first. */
const SEEN_MAX = 300

export function seenBy(person: string): Seen {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(nameFor(person)) ?? '[]')
    return new Map(Array.isArray(stored) ? stored.filter(isEntry) : [])
  } catch {
    // Something else wrote it, or half of it: then all is new once more.
    return new Map()
  }
}

/** Remembers that these were shown, and how large they were. */
export function see(person: string, notices: readonly Notice[]): Seen {
  const seen = new Map(seenBy(person))
  for (const { id, size } of notices) {
    seen.delete(id)
    seen.set(id, size)
  }
  const kept = [...seen].slice(-SEEN_MAX)
  localStorage.setItem(nameFor(person), JSON.stringify(kept))
  return new Map(kept)
}

/** A new one, or one that counts more than when it was seen. */
export function isNew({ id, size }: Notice, seen: Seen): boolean {
  return size > (seen.get(id) ?? 0)
}

function nameFor(person: string): string {
  return `pollux.notices.${person}`
}

function isEntry(entry: unknown): entry is [string, number] {
  return Array.isArray(entry) && typeof entry[0] === 'string' && typeof entry[1] === 'number'
}
