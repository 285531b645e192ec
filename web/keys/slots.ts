/**
 * Which element shows which row. A row that stays keeps its own; one that comes takes that of one that goes, as to change what
 * fifty rows say takes half the time of making them anew.
 */
import { useState } from 'react'

/** The number of an element, by the id of what it shows. */
export type Slots = ReadonlyMap<string, number>

const NO_SLOTS: Slots = new Map()

/** The slot that an id had before, else one that is free now, else the next. */
export function slotsFor(ids: readonly string[], before: Slots): Slots {
  const kept = new Set(ids.flatMap(id => before.get(id) ?? []))
  let next = 0
  const free = (): number => {
    while (kept.has(next)) next++
    return next++
  }
  return new Map(ids.map(id => [id, before.get(id) ?? free()]))
}

/** The keys for React of what is shown, by its ids. What must not pass from one id to another is keyed by its id within. */
export function useSlots(ids: readonly string[]): Slots {
  const [before, setSlots] = useState(NO_SLOTS)
  if (before.size === new Set(ids).size && ids.every(id => before.has(id))) return before
  const slots = slotsFor(ids, before)
  setSlots(slots)
  return slots
}
