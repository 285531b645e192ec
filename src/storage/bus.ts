/**
 * How nodes wake each other. A message says that something changed, never what: that stands in the database. So a message
 * that is lost, late, doubled or false costs a look at the database at most.
 */
import { openPostgresBus } from './postgres-bus.ts'

export type BusChoice =
  | { readonly kind: 'postgres'; readonly url: string }
  | { readonly kind: 'redis'; readonly url: string }

/** What a bus tells its node. */
export interface BusListener {
  /** Another node changed something, or may have while nobody could say so. */
  onNews(): void
  /** Whether messages pass now, both ways. Told at every change; at first they do not. */
  onState(isUp: boolean): void
}

export interface ChangeBus {
  /** Tells the other nodes. Never throws and is never waited for: who is not reached looks by itself soon. */
  announce(): void
  close(): Promise<void>
}

/** Opens the bus and goes on trying while it cannot be reached. */
export async function openBus(choice: BusChoice, nodeId: string, listener: BusListener): Promise<ChangeBus> {
  if (choice.kind === 'postgres') return openPostgresBus(choice.url, nodeId, listener)
  // Read only where there is a Redis: its client costs a start more than all the rest of this thread.
  const { openRedisBus } = await import('./redis-bus.ts')
  return openRedisBus(choice.url, nodeId, listener)
}
