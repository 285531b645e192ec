/** Connections to PostgreSQL: bounded in number and in waiting, thrown away when they broke. */
import type { PostgresPool, PostgresPoolClient } from 'kysely'
import type { ClientBase, PoolClient } from 'pg'
import { DatabaseError, Pool, TypeOverrides } from 'pg'

const CONNECTIONS_MAX = 8
const CONNECT_TIMEOUT_MS = 2_000
const STATEMENT_TIMEOUT_MS = 10_000
const LOCK_TIMEOUT_MS = 5_000
const INT8_OID = 20

/** The server could not be asked, or did not answer: nothing is known about what it did. */
export class ConnectionBroken extends Error {
  constructor(cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

/** Opens a pool. Connecting happens on first use; a lost connection is replaced by the next query. */
export function openPostgresPool(url: string): PostgresPool {
  const types = new TypeOverrides()
  types.setTypeParser(INT8_OID, parseInt8)
  const pool = new Pool({
    connectionString: url,
    application_name: 'pollux',
    max: CONNECTIONS_MAX,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    lock_timeout: LOCK_TIMEOUT_MS,
    idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
    // The client's own limit covers a server that no longer answers at all.
    query_timeout: STATEMENT_TIMEOUT_MS + 2_000,
    types,
    // The declared type is wrong: the pool does wait for the promise.
    // oxlint-disable-next-line typescript/no-misused-promises
    onConnect: requireDurableCommits,
  })
  // An idle connection that dies is only taken out of the pool; whoever needs one next hears of a real outage.
  pool.on('error', () => {})
  // One that dies while in use but between two queries, in a transaction, tells nobody else: its next query fails.
  pool.on('connect', client => void client.on('error', () => {}))
  return {
    options: {},
    connect: async () => {
      try {
        return discardWhenBroken(await pool.connect())
      } catch (error) {
        throw error instanceof DatabaseError ? error : new ConnectionBroken(error)
      }
    },
    end: () => pool.end(),
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
function discardWhenBroken(client: PoolClient): PostgresPoolClient {
  let broken = false
  const query = async (sql: string, parameters: readonly unknown[]): Promise<unknown> => {
    try {
      return await client.query(sql, parameters as unknown[])
    } catch (error) {
      if (error instanceof DatabaseError) throw error
      broken = true
      throw new ConnectionBroken(error)
    }
  }
  const release = (destroy?: boolean): void => client.release(destroy === true || broken)
  return { query: query as PostgresPoolClient['query'], release }
}
