/** The end of a process: calls under way finish, those that take too long are told so, and what they cost is waited for. */
import { ApiError } from './domain/error.ts'
import type { OpenCalls } from './gateway/open-calls.ts'
import type { Listener } from './http/listener.ts'

/** For how long refusals may take to reach those who were told, before their connections are cut. */
const LAST_WORDS_MS = 1_000
/** For how long upstreams are then waited for whose clients have their answer or are gone; what is left is estimated. */
const USAGE_WAIT_MS = 10_000

interface Serving {
  readonly listeners: readonly Listener[]
  readonly openCalls: OpenCalls
}

/**
 * Takes no connections any more and resolves when all calls have ended. Those that have not after `drainMs` get 503
 * SHUTTING_DOWN, in a stream as its last event, never a connection that just breaks off.
 */
export async function stopServing({ listeners, openCalls }: Serving, drainMs: number): Promise<void> {
  const closed = Promise.all(listeners.map(listener => listener.close()))
  if (!(await isWithin(closed, drainMs))) {
    await openCalls.recheck(
      () => true,
      () => {
        throw new ApiError('SHUTTING_DOWN', 'Pollux is stopping, and this call took too long to wait for it.')
      },
    )
    if (!(await isWithin(closed, LAST_WORDS_MS))) for (const listener of listeners) listener.cut()
    await closed
  }
  const deadlineMs = performance.now() + USAGE_WAIT_MS
  while (openCalls.count > 0 && performance.now() < deadlineMs) {
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

async function isWithin(done: Promise<unknown>, waitMs: number): Promise<boolean> {
  const late = Promise.withResolvers<boolean>()
  const timer = setTimeout(late.resolve, waitMs, false)
  const isDone = await Promise.race([done.then(() => true), late.promise])
  clearTimeout(timer)
  return isDone
}
