import { Client } from 'pg'
import type { BusListener, ChangeBus } from './bus.ts'

const CHANNEL = 'pollux_changes'
const CONNECT_TIMEOUT_MS = 1_000
/** A question that stays unanswered so long ends the connection. */
const SILENCE_MS = 2_000
const PING_EVERY_MS = 500
const RECONNECT_EVERY_MS = 250

/** PostgreSQL's LISTEN and NOTIFY, on a connection of their own. */
export function openPostgresBus(url: string, nodeId: string, listener: BusListener): ChangeBus {
  let client: Client | null = null
  let timer: NodeJS.Timeout
  let isClosed = false
  const connect = async (): Promise<void> => {
    const made = new Client({
      connectionString: url,
      application_name: 'pollux bus',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: SILENCE_MS,
    })
    // What broke is seen by the next question.
    made.on('error', () => {})
    made.on('notification', ({ payload }) => {
      if (payload !== nodeId) listener.onNews()
    })
    try {
      await made.connect()
      await made.query(`listen ${CHANNEL}`)
      client = made
      listener.onState(true)
      listener.onNews()
      await pingWhile(made)
    } catch {
      // The state says so; it is tried again.
    }
    client = null
    listener.onState(false)
    void made.end().catch(() => {})
    if (!isClosed) timer = setTimeout(() => void connect(), RECONNECT_EVERY_MS)
  }
  /** Rejects when the connection does not answer any more. */
  const pingWhile = async (made: Client): Promise<void> => {
    for (;;) {
      if (isClosed) return
      await made.query('select 1')
      await new Promise<void>(resolve => (timer = setTimeout(resolve, PING_EVERY_MS)))
    }
  }
  void connect()
  return {
    announce() {
      void client?.query('select pg_notify($1, $2)', [CHANNEL, nodeId]).catch(() => {})
    },
    async close() {
      isClosed = true
      clearTimeout(timer)
      await client?.end().catch(() => {})
    },
  }
}
