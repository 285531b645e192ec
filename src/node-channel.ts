/** A node's side of what it and its primary tell each other (nodes.ts). */
import type { FromNode, ToNode } from './nodes.ts'

export interface NodeChannel {
  ready(banner: string): void
  /** Metrics of all nodes as one text. */
  metricsOfAll(): Promise<string>
  /** Resolves when the primary wants this node to end, or has ended itself. */
  readonly stopped: Promise<void>
}

/** How long the primary is waited for: it may be ending. */
const METRICS_WAIT_MS = 2_000

/** Opens the channel. `metrics` gives this node's own. */
export function openNodeChannel(metrics: () => Promise<string>): NodeChannel {
  const wanted = new Map<number, (text: string) => void>()
  const stopped = Promise.withResolvers<void>()
  let lastId = 0
  process.on('disconnect', () => stopped.resolve())
  process.on('message', (message: ToNode) => {
    switch (message.kind) {
      case 'stop':
        stopped.resolve()
        break
      case 'metrics of you':
        void metrics().then(text => tell({ kind: 'metrics', id: message.id, text }))
        break
      case 'metrics of all':
        wanted.get(message.id)?.(message.text)
        break
    }
  })
  return {
    ready: banner => tell({ kind: 'ready', banner }),
    stopped: stopped.promise,
    async metricsOfAll() {
      lastId += 1
      const id = lastId
      const text = Promise.withResolvers<string | null>()
      wanted.set(id, text.resolve)
      const timer = setTimeout(() => text.resolve(null), METRICS_WAIT_MS)
      tell({ kind: 'metrics wanted', id })
      const all = await text.promise
      clearTimeout(timer)
      wanted.delete(id)
      return all ?? (await metrics())
    },
  }
}

function tell(message: FromNode): void {
  if (process.connected) process.send?.(message)
}
