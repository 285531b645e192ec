import { createClient } from 'redis'
import type { BusListener, ChangeBus } from './bus.ts'

/** Whatever else the Redis is used for: PUBLISH and SUBSCRIBE of this name are all that is needed here. */
const CHANNEL = 'pollux_changes'
const CONNECT_TIMEOUT_MS = 1_000
/** A connection on which pings stay unanswered so long is opened anew. */
const SILENCE_MS = 2_000
const PING_EVERY_MS = 500
const RECONNECT = { firstMs: 50, maxMs: 1_000 }

/** Redis pub/sub: one connection to hear, one to speak. */
export function openRedisBus(url: string, nodeId: string, listener: BusListener): ChangeBus {
  const options = {
    url,
    disableOfflineQueue: true,
    pingInterval: PING_EVERY_MS,
    socket: {
      connectTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: SILENCE_MS,
      reconnectStrategy: (retries: number) => Math.min(RECONNECT.firstMs * 2 ** retries, RECONNECT.maxMs),
    },
  }
  const hearing = createClient(options)
  const speaking = createClient(options)
  let isSubscribed = false
  let isHearing = false
  let isUp = false
  const tell = (): void => {
    const isUpNow = isHearing && speaking.isReady
    if (isUp !== isUpNow) listener.onState(isUpNow)
    isUp = isUpNow
  }
  // Each failure is followed by a new attempt; that messages do not pass meanwhile is told by `onState`.
  speaking.on('error', tell).on('ready', tell)
  hearing.on('error', () => {
    isHearing = false
    tell()
  })
  const hear = async (): Promise<void> => {
    // Once subscribed, the client renews it by itself before it is ready again.
    if (!isSubscribed) {
      await hearing.subscribe(CHANNEL, sender => {
        if (sender !== nodeId) listener.onNews()
      })
    }
    isSubscribed = true
    isHearing = hearing.isReady
    tell()
    listener.onNews()
  }
  // Where the connection broke meanwhile, the next one is ready soon.
  hearing.on('ready', () => void hear().catch(() => {}))
  for (const client of [hearing, speaking]) void client.connect().catch(() => {})
  return {
    announce() {
      if (speaking.isReady) void speaking.publish(CHANNEL, nodeId).catch(() => {})
    },
    async close() {
      hearing.destroy()
      speaking.destroy()
    },
  }
}
