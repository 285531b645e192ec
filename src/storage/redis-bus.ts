import { createClient } from 'redis'
import type { BusListener, ChangeBus } from './bus.ts'

/** Whatever else the Redis is used for: PUBLISH and SUBSCRIBE of this name are all that is needed here. */
const CHANNEL = 'pollux_changes'
const CONNECT_TIMEOUT_MS = 1_000
const BEAT_EVERY_MS = 250
/** Connections on which a node does not hear itself for so long are opened anew. */
const SILENCE_MS = 1_500
const RECONNECT_EVERY_MS = 250

/**
 * Redis pub/sub: one connection to hear, one to speak. A node hears its own beats too, and only that proves that messages
 * pass: a client may believe in a connection that leads nowhere, and its own reconnecting left one so now and then.
 */
export function openRedisBus(url: string, nodeId: string, listener: BusListener): ChangeBus {
  const news = `news ${nodeId}`
  const beat = `beat ${nodeId}`
  let open: Connections | null = null
  let timer: NodeJS.Timeout
  let isClosed = false
  const run = async (): Promise<void> => {
    let heardMs = 0
    const connections = connect(url, message => {
      if (message === beat) {
        // Nothing can have been missed since, but before.
        if (heardMs === 0) {
          listener.onState(true)
          listener.onNews()
        }
        heardMs = performance.now()
      } else if (message.startsWith('news ') && message !== news) listener.onNews()
    })
    open = connections
    const openedMs = performance.now()
    const isSilent = (): boolean => performance.now() - Math.max(heardMs, openedMs) > SILENCE_MS
    const isOver = (): boolean => isClosed || connections.isBroken() || isSilent()
    while (!isOver()) {
      connections.publish(beat)
      await new Promise<void>(resolve => (timer = setTimeout(resolve, BEAT_EVERY_MS)))
    }
    if (isClosed) return
    open = null
    connections.destroy()
    if (heardMs > 0) listener.onState(false)
    timer = setTimeout(() => void run(), RECONNECT_EVERY_MS)
  }
  void run()
  return {
    announce: () => open?.publish(news),
    async close() {
      isClosed = true
      clearTimeout(timer)
      open?.destroy()
    },
  }
}

interface Connections {
  /** Does nothing while not connected. */
  publish(message: string): void
  isBroken(): boolean
  destroy(): void
}

/** Two connections that are used until one of them breaks. */
function connect(url: string, onMessage: (message: string) => void): Connections {
  const options = {
    url,
    disableOfflineQueue: true,
    socket: { connectTimeout: CONNECT_TIMEOUT_MS, reconnectStrategy: false as const },
  }
  const hearing = createClient(options)
  const speaking = createClient(options)
  let isBroken = false
  const broke = (): void => {
    isBroken = true
  }
  const hear = async (): Promise<void> => {
    await hearing.connect()
    await hearing.subscribe(CHANNEL, onMessage)
  }
  for (const client of [hearing, speaking]) client.on('error', broke)
  hear().catch(broke)
  speaking.connect().catch(broke)
  return {
    publish(message) {
      if (speaking.isReady) void speaking.publish(CHANNEL, message).catch(broke)
    },
    isBroken: () => isBroken,
    destroy() {
      for (const client of [hearing, speaking]) if (client.isOpen) client.destroy()
    },
  }
}
