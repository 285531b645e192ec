/** Kysely over node:sqlite: its own SQLite dialect, fed with the one built-in driver that needs no install script. */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import type { Dialect, Kysely, SqliteDatabase, SqliteStatement } from 'kysely'
import { SqliteAdapter, SqliteDriver, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'

const STATEMENTS_MAX = 256
/** Reading, writing or an fsync failed (sqlite.org/rescode.html#ioerr). */
const SQLITE_IOERR = 10

/** A text that holds U+0000, which PostgreSQL cannot store; refused here too, so that both engines agree. */
export class NulInText extends Error {}

/**
 * Makes a dialect over an open database. Statements are prepared once; the 256 used last are kept. After an I/O error the
 * database is closed, and nothing more is asked of it before `reopen` has given another, where there is one.
 */
export function nodeSqliteDialect(
  database: DatabaseSync,
  reopen: (() => DatabaseSync) | null = null,
): Dialect {
  return {
    createAdapter: () => new TransactionalSqliteAdapter(),
    createDriver: () => new SqliteDriver({ database: new Connection(database, reopen) }),
    createIntrospector: (db: Kysely<unknown>) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  }
}

/** SQLite does roll back DDL; Kysely only assumes otherwise. With this a migration happens wholly or not at all. */
class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

/** What a rollback does when its transaction is gone: with the database it was in, or rolled back by SQLite. */
const NOTHING: SqliteStatement = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [][Symbol.iterator](),
}

/**
 * The one connection. An fsync that failed is never tried again on it: the system may have forgotten what it could not
 * write, so the next one would succeed without it. What the failed transaction did is done anew after reopening, or not.
 */
class Connection implements SqliteDatabase {
  #database: DatabaseSync
  readonly #reopen: (() => DatabaseSync) | null
  readonly #statements = new Map<string, SqliteStatement>()
  #inTransaction = false
  /** Why nothing may be asked before reopening. */
  #failure: Error | null = null
  /** Why SQLite rolled the transaction back by itself, as on a full disk (sqlite.org/lang_transaction.html, 2.5). */
  #undone: Error | null = null

  constructor(database: DatabaseSync, reopen: (() => DatabaseSync) | null) {
    this.#database = database
    this.#reopen = reopen
  }

  close(): void {
    this.#statements.clear()
    if (this.#database.isOpen) this.#database.close()
  }

  prepare(sql: string): SqliteStatement {
    if (sql === 'rollback' && (this.#failure !== null || this.#undone !== null)) {
      this.#inTransaction = false
      this.#undone = null
      return NOTHING
    }
    // Alone it would be stored, without the rest of its transaction.
    if (this.#undone !== null) throw this.#undone
    if (this.#failure !== null) {
      if (this.#inTransaction || this.#reopen === null) throw this.#failure
      this.close()
      this.#database = this.#reopen()
      this.#failure = null
    }
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#watched(sql, this.#database.prepare(sql))
      if (this.#statements.size >= STATEMENTS_MAX) {
        for (const oldest of this.#statements.keys()) {
          this.#statements.delete(oldest)
          break
        }
      }
    } else {
      this.#statements.delete(sql)
    }
    this.#statements.set(sql, statement)
    return statement
  }

  #watched(sql: string, statement: StatementSync): SqliteStatement {
    const ask = <Answer>(question: () => Answer): Answer => {
      try {
        const answer = question()
        if (sql === 'begin') this.#inTransaction = true
        if (sql === 'commit' || sql === 'rollback') this.#inTransaction = false
        return answer
      } catch (error) {
        if (this.#reopen !== null && isIoError(error)) this.#failure = error
        else if (this.#inTransaction && !this.#database.isTransaction) this.#undone = error as Error
        throw error
      }
    }
    return {
      reader: statement.columns().length > 0,
      all: parameters => ask(() => statement.all(...bindable(parameters))),
      run: parameters => ask(() => statement.run(...bindable(parameters))),
      iterate: parameters => statement.iterate(...bindable(parameters)),
    }
  }
}

function isIoError(error: unknown): error is Error {
  return error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === SQLITE_IOERR
}

function bindable(parameters: readonly unknown[]): SQLInputValue[] {
  for (const parameter of parameters) {
    if (typeof parameter === 'string' && parameter.includes('\0')) throw new NulInText('U+0000 in a text')
  }
  return parameters as SQLInputValue[]
}
