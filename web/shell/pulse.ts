/**
 * Whether the server is there, and whether it serves the console that this page is of. Asked without credentials: a question
 * that a page asks by itself must not keep a session alive.
 */
import { queryOptions, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useSyncExternalStore } from 'react'

export type Pulse = 'ready' | 'not ready' | 'silent'

const CALM_MS = 10_000
/** While something is wrong, so that its end is seen soon. */
const ANXIOUS_MS = 2_000
const WAIT_MS = 5_000
const BUILD_MS = 60_000

const pulseQuery = queryOptions({
  queryKey: ['pulse'],
  queryFn: async (): Promise<Pulse> => {
    try {
      const { ok } = await ask('/readyz', 'GET')
      return ok ? 'ready' : 'not ready'
    } catch {
      // Whatever kept the answer away: a cut network, a stopped server, a proxy that hangs.
      return 'silent'
    }
  },
  networkMode: 'always',
  staleTime: 0,
  refetchOnWindowFocus: 'always',
  refetchInterval: ({ state }) => (state.data === 'ready' ? CALM_MS : ANXIOUS_MS),
})

const buildQuery = queryOptions({
  queryKey: ['build'],
  queryFn: async () => (await ask('/', 'HEAD')).headers.get('etag'),
  retry: false,
  refetchOnWindowFocus: 'always',
  refetchInterval: BUILD_MS,
})

/** How the server is. When it comes back, everything that is shown is read again. */
export function usePulse(): Pulse {
  const queries = useQueryClient()
  const { data: pulse = 'ready' } = useQuery(pulseQuery)
  const before = useRef(pulse)
  useEffect(() => {
    if (before.current !== 'ready' && pulse === 'ready') {
      void queries.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== pulseQuery.queryKey[0] })
    }
    before.current = pulse
  }, [pulse, queries])
  return pulse
}

/** Whether another console is served by now than the one that this page loaded. */
export function useIsUpdated(): boolean {
  const { data: etag = null } = useQuery(buildQuery)
  const first = useRef<string | null>(null)
  useEffect(() => {
    first.current ??= etag
  }, [etag])
  const isPieceGone = useSyncExternalStore(onPieceGone, () => gone)
  return isPieceGone || (etag !== null && first.current !== null && etag !== first.current)
}

let gone = false

/** Vite's word for a piece that is not served any more. */
function onPieceGone(listener: () => void): () => void {
  const hear = (): void => {
    gone = true
    listener()
  }
  addEventListener('vite:preloadError', hear)
  return () => removeEventListener('vite:preloadError', hear)
}

async function ask(path: string, method: 'GET' | 'HEAD'): Promise<Response> {
  const answer = await fetch(path, {
    method,
    credentials: 'omit',
    cache: 'no-store',
    signal: AbortSignal.timeout(WAIT_MS),
  })
  // A body that nobody reads keeps its connection from every other question until the time is up.
  await answer.arrayBuffer()
  return answer
}
