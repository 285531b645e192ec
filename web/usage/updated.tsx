import { useEffect, useState } from 'react'

const SECOND_MS = 1_000
const MINUTE_MS = 60_000

/** How old what is shown is. */
export function Updated({ atMs, isStale }: { readonly atMs: number; readonly isStale: boolean }) {
  const nowMs = useClock(SECOND_MS)
  if (atMs === 0) return null
  const seconds = Math.max(0, Math.round((nowMs - atMs) / SECOND_MS))
  return (
    <p className="quiet small">
      {isStale ? 'Not updated since' : 'Updated'}{' '}
      {seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`} ago
    </p>
  )
}

/** Now, to the minute: a range up to now moves once a minute. */
export function useMinute(): number {
  return useClock(MINUTE_MS)
}

function useClock(everyMs: number): number {
  const [nowMs, setNowMs] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), everyMs)
    return () => clearInterval(timer)
  }, [everyMs])
  return nowMs
}
