/** Calls as they end, asked for again and again while somebody looks. */
import { useEffect, useState } from 'react'
import { isUnanswered } from '../queries.ts'
import { type CallFilter, type CallJson, tailCalls } from './queries.ts'

const ASK_EVERY_MS = 1_500
/** Between two questions of which none was answered, at most. */
const ASK_AGAIN_MS_MAX = 12_000
/** More than anybody reads; the list has the rest. */
const CALLS_MAX = 300

interface Tail {
  /** Newest first. */
  readonly calls: readonly CallJson[]
  /** `reconnecting`: the last question found no answer, and is asked again. */
  readonly state: 'live' | 'reconnecting' | 'over'
  /** What ended it; null unless it is over. */
  readonly error: unknown
}

const NOTHING: Tail = { calls: [], state: 'live', error: null }

/**
 * What has ended since the tail began. `onBegin` is called when nothing can be missed any more: what is read after that and
 * the tail together have every call. A refusal ends the tail. While the server does not answer it is asked on, from where the
 * last answer ended; while the tab is hidden it waits.
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
      setTail(before =>
        calls.length === 0 && before.state === 'live'
          ? before
          : {
              calls: [...calls.toReversed(), ...before.calls].slice(0, CALLS_MAX),
              state: 'live',
              error: null,
            },
      )
      timer = window.setTimeout(() => again(tailToken), calls.length > 0 ? 0 : ASK_EVERY_MS)
    }
    const again = (token: string | undefined, waitMs = ASK_EVERY_MS): void => {
      if (document.hidden) {
        document.addEventListener('visibilitychange', () => again(token, waitMs), { once: true, signal })
        return
      }
      ask(token).catch((error: unknown) => {
        if (signal.aborted) return
        if (isUnanswered(error)) {
          setTail(before => ({ ...before, state: 'reconnecting' }))
          timer = window.setTimeout(() => again(token, Math.min(2 * waitMs, ASK_AGAIN_MS_MAX)), waitMs)
        } else {
          setTail(before => ({ ...before, state: 'over', error }))
        }
      })
    }
    setTail(before => ({ ...before, state: 'live', error: null }))
    again(undefined)
    return () => {
      end.abort()
      window.clearTimeout(timer)
    }
  }, [filter, isOn, onBegin])
  return tail
}
