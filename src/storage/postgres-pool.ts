/** Connections to PostgreSQL: bounded in number and in waiting, thrown away when they broke. */
import type { PostgresPool, PostgresPoolClient } from 'kysely'
import type { ClientBase, PoolClient } from 'pg'
import { DatabaseError, Pool, TypeOverrides } from 'pg'
import { Asking } from './patience.ts'

interface PoolLimits {
  readonly connectionsMax: number
  readonly connectTimeoutMs: number
  /** For the server; the client waits `graceMs` longer, as the server may not answer at all. */
  readonly statementTimeoutMs: number
  readonly graceMs: number
}

const LIMITS: PoolLimits = {
  connectionsMax: 8,
  connectTimeoutMs: 2_000,
  statementTimeoutMs: 10_000,
  graceMs: 2_000,
}
/** For looking whether something changed: below the lease of what is known (gateway/key-directory.ts). */
export const WATCH_LIMITS: PoolLimits = {
  connectionsMax: 1,
  connectTimeoutMs: 800,
  statementTimeoutMs: 800,
  graceMs: 0,
}
const LOCK_TIMEOUT_MS = 5_000
/** For how long a question that was under way when connections were renewed may still be answered. */
const PROOF_MS = 1_000
const INT8_OID = 20

/** The server could not be asked, or did not answer: nothing is known about what it did. */
export class ConnectionBroken extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

export interface RenewablePool extends PostgresPool {
  /**
   * Trusts no connection that is open now. After a network went away and came back, an old connection may lead nowhere
   * without anybody having said so: an idle one is replaced, one whose answer is waited for gets a second more.
   */
  renew(): void
}

/**
 * Opens a pool. Connecting happens on first use; a lost connection is replaced by the next query. `heard` is told of every
 * answer.
 */
export function openPostgresPool(url: string, limits = LIMITS, heard: () => void = () => {}): RenewablePool {
  const types = new TypeOverrides()
  types.setTypeParser(INT8_OID, parseInt8)
  const pool = new Pool({
    connectionString: url,
    application_name: 'pollux',
    max: limits.connectionsMax,
    connectionTimeoutMillis: limits.connectTimeoutMs,
    keepAlive: true,
    statement_timeout: limits.statementTimeoutMs,
    lock_timeout: LOCK_TIMEOUT_MS,
    idle_in_transaction_session_timeout: limits.statementTimeoutMs,
    // The client's own limit covers a server that no longer answers at all.
    query_timeout: limits.statementTimeoutMs + limits.graceMs,
    types,
    // The declared type is wrong: the pool does wait for the promise.
    // oxlint-disable-next-line typescript/no-misused-promises
    onConnect: requireDurableCommits,
  })
  // An idle connection that dies is only taken out of the pool; whoever needs one next hears of a real outage.
  pool.on('error', () => {})
  // One that dies while in use but between two queries, in a transaction, tells nobody else: its next query fails.
  pool.on('connect', client => void client.on('error', () => {}))
  const open = new Set<PoolClient>()
  const busy = new Map<PoolClient, symbol>()
  let distrusted = new WeakSet<PoolClient>()
  pool.on('connect', client => void open.add(client)).on('remove', client => void open.delete(client))
  const trusted = async (): Promise<PoolClient> => {
    for (;;) {
      const client = await pool.connect()
      if (!distrusted.has(client)) return client
      client.release(true)
    }
  }
  return {
    options: {},
    connect: async () => {
      try {
        return discardWhenBroken(await trusted(), busy, heard)
      } catch (error) {
        throw error instanceof DatabaseError ? error : new ConnectionBroken(error)
      }
    },
    end: () => pool.end(),
    renew() {
      distrusted = new WeakSet(open)
      const asked = new Map(busy)
      setTimeout(() => {
        // With a question under way this closes the socket, and the question fails.
        for (const [client, question] of asked)
          if (busy.get(client) === question) void client.end().catch(() => {})
      }, PROOF_MS).unref()
    },
  }
}

/** An answer to a caller promises that the change survives a crash, whatever the server's default is. */
async function requireDurableCommits(client: ClientBase): Promise<void> {
  await client.query(
    `select set_config('synchronous_commit', 'on', false) where current_setting('synchronous_commit') = 'off'`,
  )
}

function parseInt8(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`bigint ${text} does not fit into a number`)
  return value
}

/** A connection on which something other than an error of the server happened is not used again. */
function discardWhenBroken(
  client: PoolClient,
  busy: Map<PoolClient, symbol>,
  heard: () => void,
): PostgresPoolClient {
  let broken = false
  const asking = new Asking()
  const query = async (sql: string, parameters: readonly unknown[]): Promise<unknown> => {
    asking.about(sql)
    busy.set(client, Symbol('question'))
    try {
      const result = await client.query(sql, parameters as unknown[])
      heard()
      return result
    } catch (error) {
      if (error instanceof DatabaseError) {
        heard()
        throw error
      }
      broken = true
      throw new ConnectionBroken(error)
    } finally {
      busy.delete(client)
    }
  }
  const release = (destroy?: boolean): void => client.release(destroy === true || broken)
  return { query: query as PostgresPoolClient['query'], release }
}
