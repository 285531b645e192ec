import { useState } from 'react'

interface Attempts {
  /** What the last attempt was refused with; null while one runs and when none was. */
  readonly error: unknown
  readonly isWorking: boolean
  readonly attempt: (work: () => Promise<unknown>) => void
}

/** One thing at a time that may be refused. */
export function useAttempt(): Attempts {
  const [error, setError] = useState<unknown>(null)
  const [isWorking, setWorking] = useState(false)
  const attempt = (work: () => Promise<unknown>): void => {
    if (isWorking) return
    setWorking(true)
    setError(null)
    work()
      .catch(setError)
      .finally(() => setWorking(false))
  }
  return { error, isWorking, attempt }
}
