import { useCallback, useMemo } from 'react'
import { useSearchParams } from 'react-router'

/**
 * A screen's state in its address: the values of the search, with `defaults` for what is absent; of a list, a parameter for
 * each value. Setting a value to its default removes it, so that an address says only what somebody chose. Replaces the history
 * entry. What follows from it is drawn when nothing more urgent is left to do, or at once.
 */
export function useUrlState<State extends Readonly<Record<string, string | readonly string[]>>>(
  defaults: State,
): readonly [State, (change: Partial<State>, isAtOnce?: boolean) => void] {
  const [search, setSearch] = useSearchParams()
  // The same object as long as the address is: what is worked out from it is not worked out again.
  const state = useMemo(
    () =>
      Object.fromEntries(
        Object.entries(defaults).map(([name, value]) => [
          name,
          typeof value === 'string' ? (search.get(name) ?? value) : search.getAll(name),
        ]),
      ) as State,
    [search, defaults],
  )
  const change = useCallback(
    (changed: Partial<State>, isAtOnce = false) => {
      setSearch(
        before => {
          const after = new URLSearchParams(before)
          for (const [name, value] of Object.entries(changed)) {
            after.delete(name)
            if (value === undefined || value === defaults[name]) continue
            for (const one of typeof value === 'string' ? [value] : value) after.append(name, one)
          }
          return after
        },
        { replace: true, flushSync: isAtOnce },
      )
    },
    [setSearch, defaults],
  )
  return [state, change]
}
