/** Calls as they end, asked for again and again while somebody looks. */
import { useEffect, useState } from 'react'
import { type CallFilter, type CallJson, tailCalls } from './queries.ts'

const ASK_EVERY_MS = 1_500
/** More than anybody reads; the list has the rest. */
const CALLS_MAX = 300

interface Tail {
  /** Newest first. */
  readonly calls: readonly CallJson[]
  readonly error: unknown
}

const NOTHING: Tail = { calls: [], error: null }

/**
 * What has ended since the tail began. `onBegin` is called when nothing can be missed any more: what is read after that and
 * the tail together have every call. An error ends the tail; while the tab is hidden it waits.
 */
export function useTail(filter: CallFilter, isOn: boolean, onBegin: () => void): Tail {
  const [tail, setTail] = useState(NOTHING)
  useEffect(() => {
    if (!isOn) return undefined
    const end = new AbortController()
    const { signal } = end
    let timer: number | undefined
    const ask = async (token: string | undefined): Promise<void> => {
      const { calls, tailToken } = await tailCalls(filter, token)
      if (signal.aborted) return
      if (token === undefined) onBegin()
      if (calls.length > 0) {
        setTail(before => ({
          calls: [...calls.toReversed(), ...before.calls].slice(0, CALLS_MAX),
          error: null,
        }))
      }
      timer = window.setTimeout(() => again(tailToken), calls.length > 0 ? 0 : ASK_EVERY_MS)
    }
    const again = (token: string | undefined): void => {
      if (document.hidden) {
        document.addEventListener('visibilitychange', () => again(token), { once: true, signal })
        return
      }
      ask(token).catch((error: unknown) => {
        if (!signal.aborted) setTail(before => ({ ...before, error }))
      })
    }
    setTail(before => ({ ...before, error: null }))
    again(undefined)
    return () => {
      end.abort()
      window.clearTimeout(timer)
    }
  }, [filter, isOn, onBegin])
  return tail
}
